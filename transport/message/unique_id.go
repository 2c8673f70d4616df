package message

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"
)

// UniqueID is the identifier a client gives a message before it is sent (property
// UNIQ_KEY; class MessageClientIDSetter). As text it is upper-case hexadecimal, 32
// characters with an IPv4 address and 56 with an IPv6 address. Other clients write
// other text, so whatever receives one compares it as text and reads the parts for show only.
//
// Two identifiers of one process differ if the time or the counter does, so the
// counter must not come round within a millisecond.
type UniqueID struct {
	Address netip.Addr // of the client
	Process uint16     // the low 16 bits of the process's number
	Loader  uint32     // tells clients in one process apart; Java takes the hash of its class loader
	Elapsed uint32     // milliseconds since the month began where the client runs
	Counter uint16     // one more for each message
}

const (
	uniqueIDTail     = 2 + 4 + 4 + 2 // bytes behind the address
	uniqueIDTextIPv4 = 2 * (4 + uniqueIDTail)
	uniqueIDTextIPv6 = 2 * (16 + uniqueIDTail)
)

// MonthStart returns the wall time, in milliseconds, at which the month of wallMillis
// began in a time zone. A client computes it once and again when the month is over.
func MonthStart(wallMillis int64, zone *time.Location) int64 {
	at := time.UnixMilli(wallMillis).In(zone)
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, zone).UnixMilli()
}

// NewUniqueID puts an identifier together. MonthStartMillis comes from MonthStart. If
// the wall clock stepped back behind it the difference wraps, which does no harm.
func NewUniqueID(address netip.Addr, process uint16, loader uint32, wallMillis, monthStartMillis int64, counter uint16) UniqueID {
	return UniqueID{address, process, loader, uint32(wallMillis - monthStartMillis), counter}
}

// Append appends the text of the identifier. An address that is not set counts as
// the IPv6 address of zeros.
func (id UniqueID) Append(dst []byte) []byte {
	var space [16 + uniqueIDTail]byte
	raw := space[:0]
	if id.Address.Is4() {
		address := id.Address.As4()
		raw = append(raw, address[:]...)
	} else if id.Address.Is6() {
		address := id.Address.As16()
		raw = append(raw, address[:]...)
	} else {
		raw = raw[:16]
	}
	raw = binary.BigEndian.AppendUint16(raw, id.Process)
	raw = binary.BigEndian.AppendUint32(raw, id.Loader)
	raw = binary.BigEndian.AppendUint32(raw, id.Elapsed)
	raw = binary.BigEndian.AppendUint16(raw, id.Counter)
	return appendUpperHex(dst, raw)
}

// String returns the text of the identifier.
func (id UniqueID) String() string { return string(id.Append(nil)) }

// ParseUniqueID reads an identifier of the common layout. The error is
// ErrIdentifier; it does not mean that the message is wrong.
func ParseUniqueID(text string) (UniqueID, error) {
	if len(text) != uniqueIDTextIPv4 && len(text) != uniqueIDTextIPv6 {
		return UniqueID{}, fmt.Errorf("%w: unique id %q has %d characters, not %d or %d",
			ErrIdentifier, text, len(text), uniqueIDTextIPv4, uniqueIDTextIPv6)
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return UniqueID{}, fmt.Errorf("%w: unique id %q: %v", ErrIdentifier, text, err)
	}
	address, _ := netip.AddrFromSlice(raw[:len(raw)-uniqueIDTail])
	tail := raw[len(raw)-uniqueIDTail:]
	return UniqueID{
		Address: address,
		Process: binary.BigEndian.Uint16(tail),
		Loader:  binary.BigEndian.Uint32(tail[2:]),
		Elapsed: binary.BigEndian.Uint32(tail[6:]),
		Counter: binary.BigEndian.Uint16(tail[10:]),
	}, nil
}
