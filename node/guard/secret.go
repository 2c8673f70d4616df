package guard

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/env"
)

// secrets seal and open the secrets in files.
type secrets struct {
	random env.Rand
	box    *access.Box // nil until the key was read or made
}

// ready reads the key, or makes one if there is none and make says so. It waits for the disk.
func (g *Guard) ready(make bool) error {
	if g.secrets.box != nil {
		return nil
	}
	name := g.place.path(keyFile)
	text, err := read(g.env.Disk, name)
	switch {
	case err == nil:
		return g.useKey(name, text)
	case !errors.Is(err, env.ErrNotExist):
		return err
	case !make:
		return fmt.Errorf("%s is missing, and with it the key of the secrets of accounts: put it back, or set the secrets anew", name)
	}
	var key [access.KeySize]byte
	for i := 0; i < len(key); i += 8 {
		binary.BigEndian.PutUint64(key[i:], g.secrets.random.Uint64())
	}
	text = []byte(hex.EncodeToString(key[:]) + "\n")
	if err := replace(g.env.Disk, name, text); err != nil {
		return err
	}
	return g.useKey(name, text)
}

func (g *Guard) useKey(name string, text []byte) error {
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != access.KeySize {
		return fmt.Errorf("%s: it is not a key of %d digits: put back the one that it was", name, 2*access.KeySize)
	}
	g.secrets.box, err = access.NewBox([access.KeySize]byte(raw))
	return err
}

// seal needs the key.
func (g *Guard) seal(name, secret string) string {
	var nonce [access.NonceSize]byte
	binary.BigEndian.PutUint64(nonce[:], g.secrets.random.Uint64())
	binary.BigEndian.PutUint32(nonce[8:], uint32(g.secrets.random.Uint64()))
	return g.secrets.box.Seal(nonce, name, secret)
}

// open returns a secret as it is used. It waits for the disk the first time.
func (g *Guard) open(name, text string) (string, error) {
	if !access.IsSealed(text) {
		return text, nil
	}
	if err := g.ready(false); err != nil {
		return "", err
	}
	return g.secrets.box.Open(name, text)
}
