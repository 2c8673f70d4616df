package client

import (
	"fmt"

	"github.com/gantrymq/gantry/node/env"
)

// Encryption makes a network whose connections are encrypted out of one whose connections are plain. osenv.ClientTLS, which package
// gantry calls TLS, is the one for real machines. It is asked once for each role, with the baton of its world, and must not wait for
// the network.
type Encryption interface {
	Encrypt(plain env.Network) (env.Network, error)
}

// WithTLS encrypts all connections, to name servers and to brokers ("useTLS", "tls.enable"). The constructor of the role fails if the
// encryption cannot be had, for instance because a file cannot be read. With nil, connections are plain, which is the default.
func WithTLS(encryption Encryption) Option {
	return option(func(c *config) { c.encryption = encryption })
}

// network is the one that a role uses.
func (c *config) network(plain env.Network) (env.Network, error) {
	if c.encryption == nil {
		return plain, nil
	}
	encrypted, err := c.encryption.Encrypt(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", &OptionError{Option: "WithTLS", Value: "…", Want: "certificates that can be used, for connections of the real machine"}, err)
	}
	return encrypted, nil
}
