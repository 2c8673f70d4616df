package osenv

import (
	"crypto/tls"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// TLSMode says what a listener does about encryption (tls.server.mode).
type TLSMode string

// The words are the protocol's own.
const (
	// TLSDisabled takes plain connections only.
	TLSDisabled TLSMode = "disabled"
	// TLSPermissive takes both: the first byte of a connection tells.
	TLSPermissive TLSMode = "permissive"
	// TLSEnforcing takes encrypted connections only.
	TLSEnforcing TLSMode = "enforcing"
)

// ClientAuth says whether clients have to show certificates (tls.server.need.client.auth).
type ClientAuth string

// The words are the protocol's own.
const (
	// ClientAuthNone does not ask for one.
	ClientAuthNone ClientAuth = "none"
	// ClientAuthOptional checks one that is shown.
	ClientAuthOptional ClientAuth = "optional"
	// ClientAuthRequire refuses clients without one.
	ClientAuthRequire ClientAuth = "require"
)

// ServerTLS is what a world's listeners do about encryption. Protocol versions from 1.2 on are spoken, and no ALPN. Files
// are PEM, and read again when they change; connections that exist live on.
type ServerTLS struct {
	// Mode is TLSPermissive unless stated.
	Mode TLSMode
	// Certificate is the file of the certificate with its chain (tls.server.certPath), Key that of its key
	// (tls.server.keyPath); a Key of "" means that the first file holds both. Without a Certificate the world makes one, which
	// encrypts but proves nothing.
	Certificate, Key string
	// ClientAuth is ClientAuthNone unless stated.
	ClientAuth ClientAuth
	// ClientAuthorities is the file of certificates that have signed those of clients (tls.server.trustCertPath). "" means those of
	// the system.
	ClientAuthorities string
	// AnyClient takes certificates of clients whoever has signed them (tls.server.authClient=false).
	AnyClient bool

	// HandshakeTimeout closes connections whose handshake takes longer, and those that say nothing to TLSEnforcing; 0 means 10 s.
	HandshakeTimeout time.Duration
	// Patience is how long TLSPermissive waits for the first byte: who is silent for longer is taken for plain; 0 means 3 s.
	Patience time.Duration
	// ReloadEvery is how often files are looked at; 0 means 5 s.
	ReloadEvery time.Duration
}

// serverTLS is a ServerTLS at work.
type serverTLS struct {
	options ServerTLS
	files   *reloading
	log     *limitedLog
}

// newServerTLS reads the files. Without encryption it is nil.
func newServerTLS(options *ServerTLS, log *zap.Logger) (*serverTLS, error) {
	if options == nil || options.Mode == TLSDisabled {
		return nil, nil
	}
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	load := o.load
	if o.Certificate == "" {
		own, err := selfSigned()
		if err != nil {
			return nil, fmt.Errorf("no certificate could be made: %w", err)
		}
		load = func() (*tls.Config, error) { return o.configure(own) }
	}
	files, err := newReloading("this server", []string{o.Certificate, o.Key, o.ClientAuthorities}, o.ReloadEvery, log, load)
	if err != nil {
		return nil, err
	}
	return &serverTLS{options: o, files: files, log: &limitedLog{log: log}}, nil
}

func (t ServerTLS) withDefaults() (ServerTLS, error) {
	if t.Mode == "" {
		t.Mode = TLSPermissive
	}
	if t.ClientAuth == "" {
		t.ClientAuth = ClientAuthNone
	}
	if t.HandshakeTimeout <= 0 {
		t.HandshakeTimeout = 10 * time.Second
	}
	if t.Patience <= 0 {
		t.Patience = 3 * time.Second
	}
	switch {
	case t.Mode != TLSPermissive && t.Mode != TLSEnforcing:
		return t, fmt.Errorf("TLS mode %q: want %s, %s or %s", t.Mode, TLSDisabled, TLSPermissive, TLSEnforcing)
	case t.Key != "" && t.Certificate == "":
		return t, fmt.Errorf("the key %s has no certificate: name that as well", t.Key)
	}
	return t, nil
}

// load reads the files.
func (t ServerTLS) load() (*tls.Config, error) {
	pair, err := readPair(t.Certificate, t.Key)
	if err != nil {
		return nil, err
	}
	return t.configure(pair)
}

func (t ServerTLS) configure(pair tls.Certificate) (*tls.Config, error) {
	authorities, err := readAuthorities(t.ClientAuthorities)
	if err != nil {
		return nil, err
	}
	ask, err := t.clientAuth()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: ask, ClientCAs: authorities,
		// Connections live long. A ticket that a client does not read would turn its orderly end into a reset, and a session
		// that is taken up again would bypass authorities that have changed.
		SessionTicketsDisabled: true,
		// Records are gathered to their full size before: see sealedConn.send.
		DynamicRecordSizingDisabled: true,
	}, nil
}

func (t ServerTLS) clientAuth() (tls.ClientAuthType, error) {
	switch {
	case t.ClientAuth == ClientAuthNone:
		return tls.NoClientCert, nil
	case t.ClientAuth == ClientAuthOptional && t.AnyClient:
		return tls.RequestClientCert, nil
	case t.ClientAuth == ClientAuthOptional:
		return tls.VerifyClientCertIfGiven, nil
	case t.ClientAuth == ClientAuthRequire && t.AnyClient:
		return tls.RequireAnyClientCert, nil
	case t.ClientAuth == ClientAuthRequire:
		return tls.RequireAndVerifyClientCert, nil
	}
	return 0, fmt.Errorf("client authentication %q: want %s, %s or %s", t.ClientAuth, ClientAuthNone, ClientAuthOptional, ClientAuthRequire)
}
