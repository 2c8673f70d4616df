package gantry_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/transport"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// encryptedServer takes encrypted connections only, and answers "not served" to all requests.
func encryptedServer(t *testing.T) (address string) {
	t.Helper()
	w, err := osenv.New(osenv.Options{ServerTLS: &osenv.ServerTLS{Mode: osenv.TLSEnforcing}})
	require.NoError(t, err)
	var server *transport.Server
	w.Run(func(e env.Env) {
		server = transport.NewServer(e, transport.ServerOptions{})
		var l env.Listener
		if l, err = server.Listen("127.0.0.1:0"); err == nil {
			address = l.Addr().String()
		}
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		w.Run(func(env.Env) { server.Close() })
		w.Wait()
	})
	return address
}

// answered reports whether an Admin with these options got an answer from the server.
func answered(t *testing.T, address string, options ...client.AdminOption) bool {
	t.Helper()
	ctx := context.Background()
	a, err := gantry.NewAdmin(append(options, client.WithNameServers(address))...)
	require.NoError(t, err)
	_, err = a.Cluster(ctx)
	require.NoError(t, a.Close(ctx))
	var answer *client.ResponseError
	require.Error(t, err)
	return errors.As(err, &answer)
}

func TestConnectionsAreEncryptedByAnOptionOrTheEnvironment(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	address := encryptedServer(t)
	require.False(t, answered(t, address), "a plain client is refused")
	require.True(t, answered(t, address, gantry.WithTLS(gantry.TLS{AnyServer: true})))
	require.False(t, answered(t, address, gantry.WithTLS(gantry.TLS{})), "nobody has signed its certificate")

	t.Setenv(gantry.EnvironmentTLS, "true")
	require.False(t, answered(t, address), "servers are verified unless stated")
	t.Setenv(gantry.EnvironmentTLSVerify, "false")
	require.True(t, answered(t, address))
	t.Setenv(gantry.EnvironmentTLS, "false")
	require.False(t, answered(t, address))
}

func TestMistakesInTheEnvironmentDoNotMakeConnectionsPlain(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	t.Setenv(gantry.EnvironmentNameServers, "127.0.0.1:1")
	t.Setenv(gantry.EnvironmentTLS, "yes")
	_, err := gantry.NewAdmin()
	require.ErrorIs(t, err, client.ErrOption)
	require.ErrorContains(t, err, `ROCKETMQ_TLS_ENABLE is "yes": want true or false`)
	t.Setenv(gantry.EnvironmentTLS, "true")
	t.Setenv(gantry.EnvironmentTLSAuthorities, "/absent.pem")
	_, err = gantry.NewAdmin()
	require.ErrorContains(t, err, "/absent.pem")
}
