package config

import (
	"fmt"
	"net/netip"
)

// NameServer is what an operator can set of a name server.
type NameServer struct {
	ListenPort  int    `key:"listenPort" default:"9876" range:"0 65535" important:"yes" doc:"TCP port; 0 is any free one"`
	BindAddress string `key:"bindAddress" default:"0.0.0.0" important:"yes" doc:"the IP address to listen on; 0.0.0.0 is all"`
}

// LoadNameServer applies sources to the defaults, in their order, and checks the result. The warnings
// tell of keys without effect. The error names every key that is wrong, and what to do.
func LoadNameServer(sources ...Source) (NameServer, []string, error) {
	var n NameServer
	warnings, err := read(&n, nameServerRules, sources)
	if err != nil {
		return n, warnings, err
	}
	if _, err := netip.ParseAddr(n.BindAddress); err != nil {
		return n, warnings, fmt.Errorf("bindAddress: %q is not an IP address", n.BindAddress)
	}
	return n, warnings, nil
}

var nameServerRules = rules{}
