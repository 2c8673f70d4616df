package osenv

import (
	cryptorand "crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	"github.com/gantrymq/gantry/node/env"
)

// stream is a ChaCha8 generator whose key is derived from its parent's and a name.
type stream struct {
	key [32]byte
	*rand.ChaCha8
}

func newStream(seed uint64) *stream {
	var key [32]byte
	if seed == 0 {
		// Since Go 1.24 this read cannot fail.
		cryptorand.Read(key[:])
	} else {
		binary.BigEndian.PutUint64(key[:], seed)
	}
	return &stream{key: key, ChaCha8: rand.NewChaCha8(key)}
}

func (s *stream) Stream(name string) env.Rand {
	key := sha256.Sum256(append(s.key[:], name...))
	return &stream{key: key, ChaCha8: rand.NewChaCha8(key)}
}
