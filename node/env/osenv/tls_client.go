package osenv

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
)

// ClientTLS is what a world does to encrypt the connections that it dials. The zero value verifies servers against the system's
// authorities. Files are PEM, and read again when they change.
type ClientTLS struct {
	// Authorities is the file of certificates that have signed those of servers (tls.client.trustCertPath). "" means those
	// of the system.
	Authorities string
	// AnyServer takes any certificate (tls.client.authServer=false): nobody can listen, but anybody may pretend to be the server.
	AnyServer bool
	// ServerName is what certificates of servers have to name, for instance if all servers have one. "" means the host that is dialled.
	ServerName string
	// Certificate is the file of the certificate that is shown to servers that ask for one (tls.client.certPath), Key that of its key
	// (tls.client.keyPath); a Key of "" means that the first file holds both.
	Certificate, Key string
	// Config is used instead of all the above, if it is set, except that a ServerName of "" becomes the host that is dialled.
	Config *tls.Config
	// ReloadEvery is how often files are looked at, if connections are made; 0 means 5 s.
	ReloadEvery time.Duration
}

var errNotThisWorld = errors.New("TLS is for connections of the real machine: this network is another world's")

// Encrypt returns a network whose Dial encrypts. The network must be that of a World; Listen stays as it is. It fails if a file
// cannot be used.
func (t ClientTLS) Encrypt(plain env.Network) (env.Network, error) {
	own, ok := plain.(network)
	if !ok {
		return nil, errNotThisWorld
	}
	var err error
	own.sealed, err = newClientTLS(&t, own.Log)
	return own, err
}

// clientTLS is a ClientTLS at work.
type clientTLS struct{ files *reloading }

// newClientTLS reads the files. Without options it is nil: connections are plain.
func newClientTLS(options *ClientTLS, log *zap.Logger) (*clientTLS, error) {
	if options == nil {
		return nil, nil
	}
	files, err := newReloading("this client", []string{options.Authorities, options.Certificate, options.Key}, options.ReloadEvery, log, options.load)
	if err != nil {
		return nil, err
	}
	return &clientTLS{files}, nil
}

func (t ClientTLS) load() (*tls.Config, error) {
	if t.Config != nil {
		return t.Config, nil
	}
	authorities, err := readAuthorities(t.Authorities)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: authorities, ServerName: t.ServerName,
		InsecureSkipVerify: t.AnyServer, DynamicRecordSizingDisabled: true,
	}
	if t.Certificate != "" {
		pair, err := readPair(t.Certificate, t.Key)
		if err != nil {
			return nil, err
		}
		// Servers may name authorities that did not sign it. Shown all the same, their refusal says what is wrong.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return config, nil
}

// seal does the handshake over a connection that was just made, and closes it if that fails. It runs without the baton.
func (t *clientTLS) seal(ctx context.Context, tcp *net.TCPConn, host string) (*tls.Conn, *hurriedTCP, error) {
	config := t.files.current()
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = host
	}
	below := &hurriedTCP{TCPConn: tcp}
	stream := tls.Client(below, config)
	if err := stream.HandshakeContext(ctx); err != nil {
		// The handshake has failed already.
		_ = tcp.Close()
		return nil, nil, explainServer(err)
	}
	return stream, below, nil
}
