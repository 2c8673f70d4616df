package access

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Secrets are kept sealed, with a key in a file of its own: signatures can only be verified by who has the secrets themselves, so they cannot be
// kept as hashes. Who reads the files of accounts but not the key learns nothing; a copy of a whole directory is as good as the secrets.

// Sizes of a key and of a nonce, in bytes.
const (
	KeySize   = 32
	NonceSize = 12
)

// sealedPrefix marks a secret that is sealed.
const sealedPrefix = "sealed:v1:"

// Box seals secrets with AES-256 in Galois counter mode.
type Box struct{ aead cipher.AEAD }

// NewBox makes one with a key.
func NewBox(key [KeySize]byte) (*Box, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Box{aead}, nil
}

// Seal is a secret as it is kept. It belongs to a name: that of another account opens it no more. No two calls may have the same nonce.
func (b *Box) Seal(nonce [NonceSize]byte, name, secret string) string {
	sealed := b.aead.Seal(nonce[:], nonce[:], []byte(secret), []byte(name))
	return sealedPrefix + base64.StdEncoding.EncodeToString(sealed)
}

// ErrUnsealed: a secret was sealed with another key, for another account, or damaged.
var ErrUnsealed = errors.New("the secret cannot be opened: it was sealed with another key or for another account; set it anew")

// IsSealed reports whether a secret is sealed. Others stand there as people have written them.
func IsSealed(text string) bool { return strings.HasPrefix(text, sealedPrefix) }

// Open returns the secret of a name. One that is not sealed is returned as it is.
func (b *Box) Open(name, text string) (secret string, err error) {
	encoded, sealed := strings.CutPrefix(text, sealedPrefix)
	if !sealed {
		return text, nil
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) < NonceSize {
		return "", fmt.Errorf("%s: %w", name, ErrUnsealed)
	}
	opened, err := b.aead.Open(nil, raw[:NonceSize], raw[NonceSize:], []byte(name))
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, ErrUnsealed)
	}
	return string(opened), nil
}
