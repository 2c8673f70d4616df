package client_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/require"
)

// countedEncryption encrypts nothing and counts what would be.
type countedEncryption struct {
	env.Network
	dialled []string
}

func (c *countedEncryption) Encrypt(plain env.Network) (env.Network, error) {
	c.Network = plain
	return c, nil
}

func (c *countedEncryption) Dial(address string, deadline env.Instant) (env.Conn, error) {
	c.dialled = append(c.dialled, address)
	return c.Network.Dial(address, deadline)
}

// plainDials counts connections that are made past the encryption.
type plainDials struct {
	env.Network
	direct int
}

func (p *plainDials) Dial(address string, deadline env.Instant) (env.Conn, error) {
	p.direct++
	return p.Network.Dial(address, deadline)
}

func TestAllConnectionsOfAClientAreEncrypted(t *testing.T) {
	c := tracedCluster(t)
	real := c.app.Network
	watched := &plainDials{Network: real}
	c.app.Network = watched
	encryption := &countedEncryption{}
	c.run(time.Minute, func() {
		p := c.producer(client.WithTLS(fixed{encryption, real}), client.WithTrace(client.TraceOptions{}))
		_, err := p.Send(background, hello())
		must(err)
		must(p.Close(background))
	})
	require.Zero(t, watched.direct)
	for _, address := range []string{c.names.address, c.a.address, c.b.address} {
		require.Contains(t, encryption.dialled, address, "name server, broker, and broker of the traces")
	}
}

// fixed hands the network below the watch to the encryption.
type fixed struct {
	*countedEncryption
	below env.Network
}

func (f fixed) Encrypt(env.Network) (env.Network, error) { return f.countedEncryption.Encrypt(f.below) }

// brokenEncryption cannot be had.
type brokenEncryption struct{ cause error }

func (b brokenEncryption) Encrypt(env.Network) (env.Network, error) { return nil, b.cause }

func TestAnEncryptionThatCannotBeHadIsAWrongOption(t *testing.T) {
	c := newCluster(t, 1)
	cause := errors.New("the file is gone")
	var broken, none error
	c.run(time.Second, func() {
		_, broken = client.NewAdmin(c.app, c.nameServers(), client.WithTLS(brokenEncryption{cause}))
		_, none = client.NewAdmin(c.app, c.nameServers(), client.WithTLS(nil))
	})
	require.ErrorIs(t, broken, client.ErrOption)
	require.ErrorIs(t, broken, cause)
	require.ErrorContains(t, broken, "WithTLS")
	require.NoError(t, none)
}
