package processtest

import (
	"path/filepath"
	"regexp"
)

// Loopback is the address that all servers of tests listen at.
const Loopback = "127.0.0.1"

// NameServerStarted is the pattern of what a name server says once it serves. The group is its address, with the port.
const NameServerStarted = `The Name Server boot success\. serializeType=JSON, address (\S+)`

// BrokerStarted is NameServerStarted for a broker of that name.
func BrokerStarted(name string) string {
	return `The broker\[` + regexp.QuoteMeta(name) + `, (\S+)\] boot success`
}

// NameServerOptions are those of a name server at a free port, which keeps its file in a directory.
func NameServerOptions(directory string, more ...string) []string {
	return append([]string{"--bindAddress", Loopback, "--listenPort", "0", "--kvConfigPath", filepath.Join(directory, "kv.json")}, more...)
}

// BrokerOptions are those of a broker with a store in a directory. Name servers are joined by ";". Port "0" is a free one.
func BrokerOptions(name, nameServers, directory, port string, more ...string) []string {
	return append([]string{"-n", nameServers, "--brokerName", name, "--bindAddress", Loopback, "--listenPort", port, "--storePathRootDir", directory,
		// Its other ports would be the port less 2 and the next one, which may be another test's.
		"--fastListenEnable", "false", "--haListenPort", "0"}, more...)
}
