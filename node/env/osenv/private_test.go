package osenv_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/stretchr/testify/require"
)

func TestAFileForSecretsIsReadByItsOwnerOnly(t *testing.T) {
	root := t.TempDir()
	world, err := osenv.New(osenv.Options{Node: "node", Root: root})
	require.NoError(t, err)
	world.Run(func(e env.Env) {
		var f env.File
		if f, err = env.CreatePrivate(e.Disk, "auth/secret.key"); err == nil {
			err = f.Close()
		}
	})
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(root, "auth", "secret.key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestAConnectionTellsTheNameInACertificateThatWasVerified(t *testing.T) {
	own := newAuthority(t, "own")
	for shown, want := range map[string]string{"billing": "billing", "": ""} {
		server, client := own.server(osenv.TLSEnforcing), own.client()
		server.ClientAuth, server.ClientAuthorities = osenv.ClientAuthOptional, own.path()
		if shown != "" {
			client.Certificate, client.Key = own.issue(shown)
		}
		listens := sealedWorld{server: &server}.fresh(t, "server")
		dials := sealedWorld{client: &client}.fresh(t, "client")
		var listener env.Listener
		var err error
		listens.Run(func(e env.Env) { listener, err = e.Network.Listen("127.0.0.1:0") })
		require.NoError(t, err)
		var accepted env.Conn
		done := make(chan error, 1)
		go dials.Run(func(e env.Env) {
			dialled, err := e.Network.Dial(listener.Addr().String(), env.Never)
			if err == nil {
				err = dialled.Close()
			}
			done <- err
		})
		listens.Run(func(env.Env) { accepted, err = listener.Accept() })
		require.NoError(t, err)
		require.NoError(t, <-done)
		listens.Run(func(env.Env) {
			require.Equal(t, want, accepted.(env.Certified).Certificate())
			_ = accepted.Close()
			_ = listener.Close()
		})
	}
}
