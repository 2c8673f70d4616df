package message

import (
	"bytes"
	"iter"
)

// AppendIndexKey appends the text the key index hashes: "<topic>#<key>".
func AppendIndexKey(dst, topic, key []byte) []byte {
	dst = append(dst, topic...)
	dst = append(dst, '#')
	return append(dst, key...)
}

// IndexKeys walks the keys by which a message with these encoded properties can be
// found: its unique id, then each word of its business keys. The keys borrow.
func IndexKeys(properties []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if id, ok := PropertyBytes(properties, PropertyUniqueID); ok && !yield(id) {
			return
		}
		rest, _ := PropertyBytes(properties, PropertyKeys)
		for len(rest) > 0 {
			var word []byte
			word, rest, _ = bytes.Cut(rest, []byte{' '})
			if len(word) > 0 && !yield(word) {
				return
			}
		}
	}
}
