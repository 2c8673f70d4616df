package message

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
)

// OffsetID says where a message is stored: on which broker and at which byte of its
// log ("offsetMsgId"). As text it is upper-case hexadecimal, 32 characters for an
// IPv4 host and 56 for an IPv6 host. It changes when a message is stored again; the
// UniqueID does not.
type OffsetID struct {
	StoreHost netip.AddrPort
	LogOffset LogOffset
}

const (
	offsetIDTextIPv4 = 2 * (hostSizeIPv4 + 8)
	offsetIDTextIPv6 = 2 * (hostSizeIPv6 + 8)
)

// Append appends the text of the identifier.
func (id OffsetID) Append(dst []byte) []byte {
	var space [hostSizeIPv6 + 8]byte
	raw := appendHost(space[:0], id.StoreHost)
	raw = binary.BigEndian.AppendUint64(raw, uint64(id.LogOffset))
	return appendUpperHex(dst, raw)
}

// String returns the text of the identifier.
func (id OffsetID) String() string { return string(id.Append(nil)) }

// ParseOffsetID reads an identifier. Both cases of letters are taken. The error is
// ErrIdentifier.
func ParseOffsetID(text string) (OffsetID, error) {
	if len(text) != offsetIDTextIPv4 && len(text) != offsetIDTextIPv6 {
		return OffsetID{}, fmt.Errorf("%w: offset id %q has %d characters, not %d or %d",
			ErrIdentifier, text, len(text), offsetIDTextIPv4, offsetIDTextIPv6)
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return OffsetID{}, fmt.Errorf("%w: offset id %q: %v", ErrIdentifier, text, err)
	}
	host, err := decodeHost("store host", raw[:len(raw)-8])
	if err != nil {
		return OffsetID{}, fmt.Errorf("%w: offset id %q: %v", ErrIdentifier, text, err)
	}
	return OffsetID{host, LogOffset(binary.BigEndian.Uint64(raw[len(raw)-8:]))}, nil
}

// appendUpperHex writes bytes as all identifiers of the protocol are written.
func appendUpperHex(dst, raw []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, b := range raw {
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return dst
}
