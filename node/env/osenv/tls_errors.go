package osenv

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
)

// ErrTLS: there is no trust between the two ends of a connection, or one of them does not encrypt. What wraps it says what to do.
var ErrTLS = errors.New("TLS handshake failed")

// ErrCertificates: a file of certificates or keys cannot be used. What wraps it names the file.
var ErrCertificates = errors.New("certificates cannot be used")

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// explainServer says why a handshake with a server failed, and what to do.
func explainServer(err error) error {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	advice := ""
	switch {
	case isTimeout(err):
		return env.ErrDeadline
	case errors.As(err, &unknown):
		advice = "the server's certificate is not signed by anybody trusted here: name the certificate of its authority (tls.client.trustCertPath), or trust any server (tls.client.authServer=false)"
	case errors.As(err, &name):
		advice = "the server's certificate is for other hosts: have it made for this one (subjectAltName), dial by a name that it has, or say which name it has (tls.client.serverName)"
	case errors.As(err, &invalid):
		advice = "the server's certificate is not valid: have it made anew, and see that the clock of this machine is right"
	case errors.As(err, &record):
		advice = "the server does not speak TLS: dial without (tls.enable=false), or see what listens at that port"
	case isRemoteAlert(err):
		return explainAlert(err)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		advice = "the server ended the connection during the handshake: perhaps it does not speak TLS (tls.server.mode=disabled); its log may say more"
	default:
		return fmt.Errorf("%w: %w", ErrTLS, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrTLS, advice, err)
}

// isRemoteAlert reports whether the peer has said what it does not like.
func isRemoteAlert(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) && operation.Op == "remote error"
}

// explainAlert adds what to do to a refusal by the peer, and returns other errors as they are. With TLS 1.3 a server
// refuses a client's certificate only after the client's side of the handshake is done.
func explainAlert(err error) error {
	switch {
	case !isRemoteAlert(err):
		return err
	case strings.Contains(err.Error(), "certificate"):
		return fmt.Errorf("%w: the peer does not take the certificate of this side, or misses one: "+
			"name one that its authority has signed (tls.client.certPath, tls.client.keyPath): %w", ErrTLS, err)
	}
	return fmt.Errorf("%w: the peer has refused this side: %w", ErrTLS, err)
}

// refused logs why a client was not let in, and what to do.
func (t *serverTLS) refused(client net.Addr, err error) {
	var unknown x509.UnknownAuthorityError
	because := "a TLS handshake with a client failed"
	switch {
	case errors.Is(err, errSilent), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		// As port scanners and load balancers do.
		t.log.log.Debug("a client left during its TLS handshake", zap.Stringer("client", client), zap.Error(err))
		return
	case errors.Is(err, errPlain):
		because = "a client that does not encrypt was refused, because tls.server.mode is enforcing: set tls.enable=true (useTLS) at the client, or tls.server.mode=permissive here"
	case isTimeout(err), errors.Is(err, os.ErrDeadlineExceeded):
		because = "a client did not finish its TLS handshake in time"
	case errors.As(err, &unknown):
		because = "a client was refused, because its certificate is not signed by the authority that tls.server.trustCertPath names"
	case strings.Contains(err.Error(), "client didn't provide a certificate"):
		because = "a client without a certificate was refused, because tls.server.need.client.auth is require: set tls.client.certPath and tls.client.keyPath at the client"
	case isRemoteAlert(err):
		because = "a client does not trust this server: have tls.client.trustCertPath at the client name the authority that has signed tls.server.certPath, for the host that it dials"
	}
	t.log.warn(because, zap.Stringer("client", client), zap.Error(err))
}

// limitedLog writes one warning a second, so that clients that try again and again do not fill the log. It may be
// used by several goroutines.
type limitedLog struct {
	log     *zap.Logger
	mutex   sync.Mutex
	last    time.Time
	skipped int
}

func (l *limitedLog) warn(text string, fields ...zap.Field) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if time.Since(l.last) < time.Second {
		l.skipped++
		return
	}
	if l.skipped > 0 {
		fields = append(fields, zap.Int("others not logged", l.skipped))
	}
	l.last, l.skipped = time.Now(), 0
	l.log.Warn(text, fields...)
}
