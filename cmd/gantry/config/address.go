package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// NameServers reads a list of name servers, host:port;host:port. An empty text is an empty list.
func NameServers(text string) ([]string, error) {
	var addresses []string
	for address := range strings.SplitSeq(text, ";") {
		address = strings.TrimSpace(address)
		if address == "" {
			continue
		}
		host, port, err := net.SplitHostPort(address)
		if n, numeric := strconv.Atoi(port); err != nil || host == "" || numeric != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("%q is not host:port; write several with ; between them, such as 10.0.0.1:9876;10.0.0.2:9876", address)
		}
		addresses = append(addresses, address)
	}
	return addresses, nil
}
