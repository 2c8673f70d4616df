package osenv_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/envtest"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// authority signs certificates, which it writes into a directory.
type authority struct {
	t         testing.TB
	directory string
	key       *ecdsa.PrivateKey
	own       *x509.Certificate
	serial    int64
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{t: t, directory: t.TempDir(), serial: 1}
	a.key = a.newKey()
	template := a.template(name)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.own, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	return key
}

func (a *authority) template(name string) *x509.Certificate {
	a.serial++
	return &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

// issue writes NAME.pem and NAME.key, for the loopback addresses unless hosts are given, and returns their paths.
func (a *authority) issue(name string, hosts ...string) (certificate, key string) {
	a.t.Helper()
	template := a.template(name)
	template.DNSNames = hosts
	if hosts == nil {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	secret := a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, template, a.own, &secret.PublicKey, a.key)
	require.NoError(a.t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(secret)
	require.NoError(a.t, err)
	return a.write(name+".pem", "CERTIFICATE", der), a.write(name+".key", "PRIVATE KEY", encoded)
}

func (a *authority) write(name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.directory, name)
	require.NoError(a.t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

func (a *authority) path() string { return filepath.Join(a.directory, "ca.pem") }

// server is a ServerTLS with a certificate for the loopback addresses.
func (a *authority) server(mode osenv.TLSMode) osenv.ServerTLS {
	a.t.Helper()
	certificate, key := a.issue("server")
	return osenv.ServerTLS{Mode: mode, Certificate: certificate, Key: key, Patience: time.Minute, ReloadEvery: time.Millisecond}
}

// client trusts this authority.
func (a *authority) client() osenv.ClientTLS { return osenv.ClientTLS{Authorities: a.path()} }

// sealedWorld is the suite's world with encryption.
type sealedWorld struct {
	world
	server *osenv.ServerTLS
	client *osenv.ClientTLS
}

func (w sealedWorld) fresh(t *testing.T, node string) *osenv.World {
	t.Helper()
	made, err := osenv.New(osenv.Options{Node: node, Root: t.TempDir(), ServerTLS: w.server, ClientTLS: w.client})
	require.NoError(t, err)
	return made
}

func (w sealedWorld) Run(t *testing.T, task func(t envtest.T, e env.Env)) {
	t.Helper()
	made := w.fresh(t, "node")
	made.Run(func(e env.Env) { task(t, e) })
	wait(t, made)
}

func (w sealedWorld) RunPair(t *testing.T, dialer func(t envtest.T, e env.Env, address string), listener func(t envtest.T, e env.Env, ready func(uint16))) {
	t.Helper()
	runPair(t, w.fresh(t, "a"), w.fresh(t, "b"), dialer, listener)
}

func TestEncryptedConnectionsKeepTheContract(t *testing.T) {
	own := newAuthority(t, "own")
	encrypted := own.client()
	for _, mode := range []osenv.TLSMode{osenv.TLSEnforcing, osenv.TLSPermissive} {
		server := own.server(mode)
		t.Run(string(mode), func(t *testing.T) {
			envtest.TestNetwork(t, sealedWorld{server: &server, client: &encrypted})
		})
	}
}

func TestPlainConnectionsToAPermissiveServerKeepTheContract(t *testing.T) {
	server := newAuthority(t, "own").server(osenv.TLSPermissive)
	// In some clauses the accepting side speaks first.
	server.Patience = 20 * time.Millisecond
	envtest.TestNetwork(t, sealedWorld{server: &server})
}

// echoServer echoes until the test ends.
type echoServer struct {
	world   *osenv.World
	address string
	logs    *observer.ObservedLogs
}

func newEchoServer(t testing.TB, secrets *osenv.ServerTLS) *echoServer {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	w, err := osenv.New(osenv.Options{Node: "server", Log: zap.New(core), ServerTLS: secrets})
	require.NoError(t, err)
	s := &echoServer{world: w, logs: logs}
	var l env.Listener
	w.Run(func(e env.Env) {
		l, err = e.Network.Listen("127.0.0.1:0")
		if err != nil {
			return
		}
		s.address = l.Addr().String()
		e.Tasks.Go("accept", func() { s.accept(e, l) })
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		w.Run(func(env.Env) { _ = l.Close() })
		ended := make(chan struct{})
		go func() { w.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Error("the server still has tasks")
		}
	})
	return s
}

func (s *echoServer) accept(e env.Env, l env.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		e.Tasks.Go("echo", func() {
			defer c.Close()
			p := make([]byte, 4096)
			for {
				n, err := c.Read(p, nil)
				if err != nil || c.Write(p[:n]) != nil {
					return
				}
			}
		})
	}
}

// ask sends a word to the server over a new connection and returns what comes back, or the first error.
func (s *echoServer) ask(t testing.TB, secrets *osenv.ClientTLS) error {
	t.Helper()
	w, err := osenv.New(osenv.Options{Node: "client", ClientTLS: secrets})
	require.NoError(t, err)
	w.Run(func(e env.Env) { err = askOnce(e, s.address) })
	return err
}

func askOnce(e env.Env, address string) error {
	c, err := e.Network.Dial(address, e.Clock.Now().Add(5*time.Second))
	if err != nil {
		return err
	}
	defer c.Close()
	return askOver(e, c)
}

func askOver(e env.Env, c env.Conn) error {
	c.SetReadDeadline(e.Clock.Now().Add(5 * time.Second))
	if err := c.Write([]byte("wo"), []byte("rd")); err != nil {
		return err
	}
	p := make([]byte, 4)
	for got := 0; got < len(p); {
		n, err := c.Read(p[got:], nil)
		if err != nil {
			return err
		}
		got += n
	}
	if string(p) != "word" {
		return fmt.Errorf("%q came back", p)
	}
	return nil
}

// waitForLog waits until the server has logged a text, and returns the entry.
func (s *echoServer) waitForLog(t testing.TB, text string) observer.LoggedEntry {
	t.Helper()
	require.Eventually(t, func() bool { return s.logs.FilterMessageSnippet(text).Len() > 0 }, 5*time.Second, time.Millisecond, "%v", s.logs.All())
	return s.logs.FilterMessageSnippet(text).All()[0]
}

// runPair runs both ends of a clause.
func runPair(t *testing.T, a, b *osenv.World, dialer func(t envtest.T, e env.Env, address string), listener func(t envtest.T, e env.Env, ready func(uint16))) {
	t.Helper()
	ports := make(chan uint16, 1)
	var both sync.WaitGroup
	both.Go(func() {
		defer close(ports)
		b.Run(func(e env.Env) { listener(t, e, func(port uint16) { ports <- port }) })
	})
	if port, ok := <-ports; ok {
		a.Run(func(e env.Env) { dialer(t, e, fmt.Sprintf("127.0.0.1:%d", port)) })
	}
	both.Wait()
	wait(t, a)
	wait(t, b)
}
