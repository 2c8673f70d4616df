package message

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
)

// A host is an address of 4 or 16 bytes and a port of 4 bytes.
const (
	hostSizeIPv4 = 8
	hostSizeIPv6 = 20
)

func hostSize(isIPv6 bool) int {
	if isIPv6 {
		return hostSizeIPv6
	}
	return hostSizeIPv4
}

// hostsExtra returns how many bytes the hosts take beyond those of two IPv4 hosts.
func hostsExtra(flags SysFlags) int {
	return hostSize(flags.BornHostIPv6()) + hostSize(flags.StoreHostIPv6()) - 2*hostSizeIPv4
}

// storedAtAt returns the position of the store time, the first field whose place
// depends on the width of a host.
func storedAtAt(flags SysFlags) int {
	return bornHostAt + hostSize(flags.BornHostIPv6())
}

// bodyLengthAt returns the position of the body length, the first field whose place
// depends on the width of both hosts.
func bodyLengthAt(flags SysFlags) int {
	return 84 + hostsExtra(flags)
}

// appendHost writes a host in the width its address family demands. An IPv6 zone
// has no place in the format and is left out.
func appendHost(dst []byte, host netip.AddrPort) []byte {
	if host.Addr().Is4() {
		address := host.Addr().As4()
		dst = append(dst, address[:]...)
	} else {
		address := host.Addr().As16()
		dst = append(dst, address[:]...)
	}
	return binary.BigEndian.AppendUint32(dst, uint32(host.Port()))
}

// decodeHost reads a host of 8 or 20 bytes. The field is wider than a port; a
// number that is no port was not written by a broker.
func decodeHost(field string, p []byte) (netip.AddrPort, error) {
	var address netip.Addr
	if len(p) == hostSizeIPv4 {
		address = netip.AddrFrom4([4]byte(p))
	} else {
		address = netip.AddrFrom16([16]byte(p))
	}
	port := binary.BigEndian.Uint32(p[len(p)-4:])
	if port > math.MaxUint16 {
		return netip.AddrPort{}, fmt.Errorf("%w: port %d in %s", ErrMalformed, int32(port), field)
	}
	return netip.AddrPortFrom(address, uint16(port)), nil
}
