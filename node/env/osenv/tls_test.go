package osenv_test

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/stretchr/testify/require"
)

func TestAPermissiveServerTakesBothKindsOfClients(t *testing.T) {
	own := newAuthority(t, "own")
	server, client := own.server(osenv.TLSPermissive), own.client()
	s := newEchoServer(t, &server)
	require.NoError(t, s.ask(t, nil))
	require.NoError(t, s.ask(t, &client))
}

func TestTheFirstByteOfAPermissiveServersClientMayComeLate(t *testing.T) {
	server := newAuthority(t, "own").server(osenv.TLSPermissive)
	s := newEchoServer(t, &server)
	c, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	defer c.Close()
	time.Sleep(30 * time.Millisecond)
	_, err = c.Write([]byte("late"))
	require.NoError(t, err)
	answer := make([]byte, 4)
	_, err = io.ReadFull(c, answer)
	require.NoError(t, err)
	require.Equal(t, "late", string(answer))
}

func TestAnEnforcingServerRefusesPlainClientsAndSaysWhatToDo(t *testing.T) {
	own := newAuthority(t, "own")
	server, client := own.server(osenv.TLSEnforcing), own.client()
	s := newEchoServer(t, &server)
	require.ErrorIs(t, s.ask(t, nil), env.ErrReset)
	entry := s.waitForLog(t, "a client that does not encrypt was refused")
	require.Contains(t, entry.Message, "tls.enable=true (useTLS) at the client")
	require.Contains(t, entry.ContextMap(), "client")
	require.NoError(t, s.ask(t, &client))
}

func TestManyRefusalsAreLoggedOnce(t *testing.T) {
	server := newAuthority(t, "own").server(osenv.TLSEnforcing)
	s := newEchoServer(t, &server)
	began := time.Now()
	for range 30 {
		require.Error(t, s.ask(t, nil))
	}
	s.waitForLog(t, "was refused")
	require.LessOrEqual(t, s.logs.FilterMessageSnippet("was refused").Len(), 1+int(time.Since(began)/time.Second))
}

func TestAServerWithoutTLSIsNamedByItsClients(t *testing.T) {
	client := newAuthority(t, "own").client()
	for what, says := range map[string]string{"the server does not speak TLS": "plain text", "perhaps it does not speak TLS": ""} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		go func() {
			if c, err := l.Accept(); err == nil {
				_, _ = c.Write([]byte(says))
				_ = c.Close()
			}
		}()
		s := &echoServer{address: l.Addr().String()}
		err = s.ask(t, &client)
		require.ErrorIs(t, err, osenv.ErrTLS)
		require.ErrorContains(t, err, s.address)
		require.ErrorContains(t, err, what)
		require.NoError(t, l.Close())
	}
}

func TestAServerThatIsNotTrustedIsNotUsed(t *testing.T) {
	own, other := newAuthority(t, "own"), newAuthority(t, "other")
	server := own.server(osenv.TLSEnforcing)
	s := newEchoServer(t, &server)
	wrong := other.client()
	err := s.ask(t, &wrong)
	require.ErrorIs(t, err, osenv.ErrTLS)
	require.ErrorContains(t, err, "tls.client.trustCertPath")
	require.Contains(t, s.waitForLog(t, "does not trust this server").Message, "tls.client.trustCertPath")

	require.NoError(t, s.ask(t, &osenv.ClientTLS{AnyServer: true}))
	require.ErrorIs(t, s.ask(t, &osenv.ClientTLS{}), osenv.ErrTLS, "the authorities of this machine have not signed it")
}

func TestACertificateMustBeForTheHostThatIsDialled(t *testing.T) {
	own := newAuthority(t, "own")
	certificate, key := own.issue("elsewhere", "broker.example")
	s := newEchoServer(t, &osenv.ServerTLS{Mode: osenv.TLSEnforcing, Certificate: certificate, Key: key})
	client := own.client()
	err := s.ask(t, &client)
	require.ErrorIs(t, err, osenv.ErrTLS)
	require.ErrorContains(t, err, "tls.client.serverName")
	client.ServerName = "broker.example"
	require.NoError(t, s.ask(t, &client))
}

func TestAnApplicationsOwnConfigurationIsUsed(t *testing.T) {
	own := newAuthority(t, "own")
	server := own.server(osenv.TLSEnforcing)
	s := newEchoServer(t, &server)
	config := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}
	require.NoError(t, s.ask(t, &osenv.ClientTLS{Config: config}))
	require.Empty(t, config.ServerName, "it is the application's, and not changed")
}

func TestVersionsBefore12AreRefused(t *testing.T) {
	server := newAuthority(t, "own").server(osenv.TLSEnforcing)
	s := newEchoServer(t, &server)
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	require.ErrorContains(t, s.ask(t, &osenv.ClientTLS{Config: old}), "protocol version not supported")
}

func TestAServerWithoutACertificateMakesOne(t *testing.T) {
	s := newEchoServer(t, &osenv.ServerTLS{Mode: osenv.TLSEnforcing})
	require.NoError(t, s.ask(t, &osenv.ClientTLS{AnyServer: true}))
	require.ErrorIs(t, s.ask(t, &osenv.ClientTLS{}), osenv.ErrTLS)
}

// clientAuthCase is one way to ask for certificates, and which clients pass: one with a certificate that the authority has
// signed, one of a stranger's, one without.
type clientAuthCase struct {
	ask                   osenv.ClientAuth
	any                   bool
	known, stranger, none bool
}

func TestClientsShowCertificatesAsTheServerAsks(t *testing.T) {
	own, other := newAuthority(t, "own"), newAuthority(t, "other")
	for _, c := range []clientAuthCase{
		{osenv.ClientAuthNone, false, true, true, true},
		{osenv.ClientAuthOptional, false, true, false, true},
		{osenv.ClientAuthOptional, true, true, true, true},
		{osenv.ClientAuthRequire, false, true, false, false},
		{osenv.ClientAuthRequire, true, true, true, false},
	} {
		server := own.server(osenv.TLSEnforcing)
		server.ClientAuth, server.AnyClient, server.ClientAuthorities = c.ask, c.any, own.path()
		s := newEchoServer(t, &server)
		passes := func(signer *authority) bool {
			client := own.client()
			if signer != nil {
				client.Certificate, client.Key = signer.issue("client")
			}
			err := s.ask(t, &client)
			if err != nil {
				require.ErrorContains(t, err, "tls.client.certPath")
			}
			return err == nil
		}
		require.Equal(t, c.known, passes(own), "%+v", c)
		require.Equal(t, c.stranger, passes(other), "%+v", c)
		require.Equal(t, c.none, passes(nil), "%+v", c)
	}
}

func TestAServerSaysWhichCertificateOfAClientIsMissingOrWrong(t *testing.T) {
	own, other := newAuthority(t, "own"), newAuthority(t, "other")
	server := own.server(osenv.TLSEnforcing)
	server.ClientAuth, server.ClientAuthorities = osenv.ClientAuthRequire, own.path()
	client := own.client()
	s := newEchoServer(t, &server)
	require.Error(t, s.ask(t, &client))
	require.Contains(t, s.waitForLog(t, "without a certificate").Message, "tls.server.need.client.auth is require")

	s = newEchoServer(t, &server)
	client.Certificate, client.Key = other.issue("client")
	require.Error(t, s.ask(t, &client))
	s.waitForLog(t, "not signed by the authority that tls.server.trustCertPath names")
}

func TestHandshakesThatStopHoldUpNobodyAndAreClosed(t *testing.T) {
	own := newAuthority(t, "own")
	for _, half := range []string{"", "\x16", "\x16\x03\x01\x00\xff\x01"} {
		server, client := own.server(osenv.TLSEnforcing), own.client()
		server.HandshakeTimeout = 200 * time.Millisecond
		s := newEchoServer(t, &server)
		var silent []net.Conn
		for range 20 {
			c, err := net.Dial("tcp", s.address)
			require.NoError(t, err)
			defer c.Close()
			_, err = c.Write([]byte(half))
			require.NoError(t, err)
			silent = append(silent, c)
		}
		began := time.Now()
		require.NoError(t, s.ask(t, &client))
		require.Less(t, time.Since(began), 2*time.Second, "it had to wait for the others, one after the other")
		for _, c := range silent {
			require.NoError(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
			_, err := io.ReadAll(c)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "after %q the connection stays open", half)
		}
		s.waitForLog(t, "did not finish its TLS handshake in time")
	}
}

func TestClosingAListenerEndsHandshakesUnderWay(t *testing.T) {
	server := newAuthority(t, "own").server(osenv.TLSEnforcing)
	server.HandshakeTimeout = time.Minute
	s := newEchoServer(t, &server)
	c, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = c.Write([]byte("\x16"))
	require.NoError(t, err)
	// The server's clean-up waits for all its goroutines, for less than the timeout.
	time.Sleep(10 * time.Millisecond)
}

func TestADialEndsAtItsDeadlineWhileAServerIsSilent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	w, err := osenv.New(osenv.Options{ClientTLS: &osenv.ClientTLS{}})
	require.NoError(t, err)
	w.Run(func(e env.Env) {
		_, err = e.Network.Dial(silent.Addr().String(), e.Clock.Now().Add(50*time.Millisecond))
	})
	require.ErrorIs(t, err, env.ErrDeadline)
}

func TestChangedCertificatesAreUsedWithoutARestart(t *testing.T) {
	old, renewed := newAuthority(t, "old"), newAuthority(t, "renewed")
	server := old.server(osenv.TLSEnforcing)
	s := newEchoServer(t, &server)
	clientOfOld, clientOfNew := old.client(), renewed.client()
	w, err := osenv.New(osenv.Options{ClientTLS: &clientOfOld})
	require.NoError(t, err)
	var before env.Conn
	w.Run(func(e env.Env) {
		if before, err = e.Network.Dial(s.address, e.Clock.Now().Add(5*time.Second)); err == nil {
			err = askOver(e, before)
		}
	})
	require.NoError(t, err)

	certificate, key := renewed.issue("server")
	replace(t, server.Certificate, certificate)
	// Only half of it is there: the pair from before stays in force.
	s.waitForLog(t, "changed certificates cannot be used")
	require.NoError(t, s.ask(t, &clientOfOld))
	replace(t, server.Key, key)
	s.waitForLog(t, "certificates were read again")
	require.NoError(t, s.ask(t, &clientOfNew))
	require.ErrorIs(t, s.ask(t, &clientOfOld), osenv.ErrTLS)

	w.Run(func(e env.Env) { err = askOver(e, before); _ = before.Close() })
	require.NoError(t, err, "connections that exist live on")
}

func replace(t *testing.T, path, by string) {
	t.Helper()
	content, err := os.ReadFile(by)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, content, 0o600))
}

func TestABrokenCertificateIsLoggedOnceAndTheOldOneKept(t *testing.T) {
	own := newAuthority(t, "own")
	server, client := own.server(osenv.TLSEnforcing), own.client()
	s := newEchoServer(t, &server)
	require.NoError(t, os.WriteFile(server.Certificate, []byte("not a certificate"), 0o600))
	entry := s.waitForLog(t, "changed certificates cannot be used, so those from before stay in force")
	require.Contains(t, entry.ContextMap()["error"], server.Certificate)
	time.Sleep(20 * time.Millisecond)
	require.Equal(t, 1, s.logs.FilterMessageSnippet("cannot be used").Len())
	require.NoError(t, s.ask(t, &client))
	require.NoError(t, os.Remove(server.Key))
	require.NoError(t, s.ask(t, &client))
}

func TestCertificatesChangeUnderLoad(t *testing.T) {
	own := newAuthority(t, "own")
	server, client := own.server(osenv.TLSEnforcing), own.client()
	s := newEchoServer(t, &server)
	var stop atomic.Bool
	failures, asked := make(chan error, 4), atomic.Int64{}
	for range cap(failures) {
		go func() {
			w, err := osenv.New(osenv.Options{ClientTLS: &client})
			for err == nil && !stop.Load() {
				w.Run(func(e env.Env) { err = askOnce(e, s.address) })
				asked.Add(1)
			}
			failures <- err
		}()
	}
	for range 20 {
		own.issue("server")
		time.Sleep(5 * time.Millisecond)
	}
	stop.Store(true)
	for range cap(failures) {
		require.NoError(t, <-failures)
	}
	require.Positive(t, asked.Load())
	require.Eventually(t, func() bool { return s.logs.FilterMessageSnippet("were read again").Len() > 0 }, 5*time.Second, time.Millisecond)
}

func TestAClientReadsItsChangedAuthoritiesAgain(t *testing.T) {
	old, renewed := newAuthority(t, "old"), newAuthority(t, "renewed")
	client := old.client()
	client.ReloadEvery = time.Millisecond
	w, err := osenv.New(osenv.Options{ClientTLS: &client})
	require.NoError(t, err)
	server := renewed.server(osenv.TLSEnforcing)
	s := newEchoServer(t, &server)
	w.Run(func(e env.Env) { err = askOnce(e, s.address) })
	require.ErrorIs(t, err, osenv.ErrTLS)
	replace(t, client.Authorities, renewed.path())
	time.Sleep(2 * time.Millisecond)
	w.Run(func(e env.Env) { err = askOnce(e, s.address) })
	require.NoError(t, err)
}

func TestFilesThatCannotBeUsedAreNamedAtTheStart(t *testing.T) {
	own := newAuthority(t, "own")
	certificate, key := own.issue("server")
	_, otherKey := own.issue("other")
	locked := own.write("locked.key", "ENCRYPTED PRIVATE KEY", []byte("x"))
	for want, secrets := range map[string]osenv.ServerTLS{
		"absent.pem":                  {Certificate: "/absent.pem", Key: key},
		"absent.key":                  {Certificate: certificate, Key: "/absent.key"},
		"private key does not match":  {Certificate: certificate, Key: otherKey},
		"openssl pkey -in " + locked:  {Certificate: certificate, Key: locked},
		"has no certificate":          {Key: key},
		"want disabled, permissive":   {Mode: "perhaps"},
		"want none, optional":         {ClientAuth: "perhaps"},
		key + " holds none: want PEM": {ClientAuthorities: key},
	} {
		_, err := osenv.New(osenv.Options{ServerTLS: &secrets})
		require.ErrorContains(t, err, want)
	}
	_, err := osenv.New(osenv.Options{ClientTLS: &osenv.ClientTLS{Authorities: "/absent.pem"}})
	require.ErrorContains(t, err, "/absent.pem")
	_, err = osenv.New(osenv.Options{ClientTLS: &osenv.ClientTLS{Certificate: certificate, Key: otherKey}})
	require.ErrorContains(t, err, otherKey)
}

func TestANetworkIsEncryptedForOneClientOnly(t *testing.T) {
	own := newAuthority(t, "own")
	server := own.server(osenv.TLSEnforcing)
	s := newEchoServer(t, &server)
	w, err := osenv.New(osenv.Options{})
	require.NoError(t, err)
	sealed, err := own.client().Encrypt(w.Network)
	require.NoError(t, err)
	w.Run(func(e env.Env) {
		require.Error(t, askOnce(e, s.address))
		e.Network = sealed
		require.NoError(t, askOnce(e, s.address))
	})
	_, err = own.client().Encrypt(nil)
	require.ErrorContains(t, err, "another world's")
}

// A peer that takes nothing fills the buffers on the way, so that not even the farewell could be written.
func TestClosingDoesNotWaitForAPeerThatReadsNothing(t *testing.T) {
	own := newAuthority(t, "own")
	server, client := own.server(osenv.TLSEnforcing), own.client()
	s := newEchoServer(t, &server)
	w, err := osenv.New(osenv.Options{ClientTLS: &client})
	require.NoError(t, err)
	w.Run(func(e env.Env) {
		c, err := e.Network.Dial(s.address, e.Clock.Now().Add(5*time.Second))
		require.NoError(t, err)
		c.SetWriteDeadline(e.Clock.Now().Add(50 * time.Millisecond))
		// The echo comes back, is not read, and stops the server's reading.
		require.ErrorIs(t, c.Write(make([]byte, 64<<20)), env.ErrDeadline)
		began := time.Now()
		require.NoError(t, c.Close())
		require.Less(t, time.Since(began), 2*time.Second, "package tls waits for 5 s")
		require.NoError(t, c.Close())
	})
}
