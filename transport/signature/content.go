package signature

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gantrymq/gantry/transport/wire"
)

// Keys of the fields by which a request says who has sent it (class SessionCredentials).
const (
	FieldAccessKey     = "AccessKey"
	FieldSignature     = "Signature"
	FieldSecurityToken = "SecurityToken"
	// fieldUniqueKeyQuery marks a query by unique key (UNIQUE_MSG_QUERY_FLAG). It was added after signing until 4.9.3.
	fieldUniqueKeyQuery = "_UNIQUE_KEY_QUERY"
)

// content is what is signed: the values of the fields in the order of their keys, and then the body.
type content struct {
	fields wire.Fields // each key once, in order
	body   []byte
}

// contentOf takes all fields but the signature and those with one of the given keys. Of fields with the same key the last counts.
func contentOf(fields wire.Fields, body []byte, without ...string) content {
	sorted := make(wire.Fields, 0, len(fields)+2)
	for _, f := range fields {
		if string(f.Key) != FieldSignature && !slices.Contains(without, string(f.Key)) {
			sorted = append(sorted, f)
		}
	}
	slices.SortStableFunc(sorted, func(a, b wire.Field) int { return compareKeys(a.Key, b.Key) })
	once := sorted[:0]
	for i, f := range sorted {
		if i+1 == len(sorted) || !bytes.Equal(f.Key, sorted[i+1].Key) {
			once = append(once, f)
		}
	}
	return content{once, body}
}

// sum is the signature as it stands in a field: base64 with padding, 28 characters.
func (c content) sum(secret string) []byte {
	mac := hmac.New(sha1.New, []byte(secret))
	// Writing to a hash never fails.
	for _, f := range c.fields {
		_, _ = mac.Write(f.Value)
	}
	_, _ = mac.Write(c.body)
	var raw [sha1.Size]byte
	return base64.StdEncoding.AppendEncode(nil, mac.Sum(raw[:0]))
}

// compareKeys orders as Java does, by UTF-16 units: characters beyond the first 65,536 come before the last of those.
func compareKeys(a, b []byte) int {
	for len(a) > 0 && len(b) > 0 {
		if a[0] < utf8.RuneSelf && b[0] < utf8.RuneSelf {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		first, m := utf8.DecodeRune(a)
		second, n := utf8.DecodeRune(b)
		if first != second {
			return cmp.Compare(units(first), units(second))
		}
		a, b = a[m:], b[n:]
	}
	return cmp.Compare(len(a), len(b))
}

// units are the UTF-16 units of a character, as a number that orders as they do.
func units(r rune) uint32 {
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		return uint32(high)<<16 | uint32(low)
	}
	return uint32(r) << 16
}
