package main

import (
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/gantrymq/gantry/cmd/gantry/config"
)

// thisMachine gathers what the defaults of nodes depend on. What cannot be found is left out, and
// missed only if it is needed.
func thisMachine() config.Machine {
	host, _ := os.Hostname()
	home, _ := os.UserHomeDir()
	return config.Machine{HostName: host, Home: home, Address: ownAddress(), NameServers: os.Getenv("NAMESRV_ADDR")}
}

// ownAddress is the first address of this machine that others may reach it by: IPv4 before
// IPv6, and the loopback address if there is no network.
func ownAddress() string {
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return loopback
	}
	best := loopback
	for _, address := range interfaces {
		prefix, err := netip.ParsePrefix(address.String())
		if err != nil || !prefix.Addr().IsGlobalUnicast() {
			continue
		}
		if prefix.Addr().Is4() {
			return prefix.Addr().String()
		}
		if best == loopback {
			best = prefix.Addr().String()
		}
	}
	return best
}

const loopback = "127.0.0.1"

// reachable is an address that a process on this machine can connect to.
func reachable(listening netip.AddrPort) string {
	if listening.Addr().IsUnspecified() {
		return "localhost:" + strconv.Itoa(int(listening.Port()))
	}
	return listening.String()
}
