package osenv

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// reloadEvery is how often files of certificates and keys are looked at.
const reloadEvery = 5 * time.Second

// stamp tells whether a file may have changed.
type stamp struct {
	modified time.Time
	size     int64
}

func stampsOf(paths []string) []stamp {
	stamps := make([]stamp, len(paths))
	for i, path := range paths {
		// A file that is gone has the zero stamp; loading says so.
		if info, err := os.Stat(path); err == nil {
			stamps[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return stamps
}

// reloading is a TLS configuration made of files, and made again when one of them has changed. While
// what they hold cannot be used, the last one that could stays in force. It may be used by several goroutines, without the baton.
type reloading struct {
	whose string // for the log
	paths []string
	load  func() (*tls.Config, error)
	every time.Duration
	log   *zap.Logger

	mutex   sync.Mutex
	config  *tls.Config
	checked time.Time
	stamps  []stamp
	failure string // why the files as they are cannot be used, or ""
}

// newReloading loads the files for the first time, and fails if they cannot be used.
func newReloading(whose string, paths []string, every time.Duration, log *zap.Logger, load func() (*tls.Config, error)) (*reloading, error) {
	paths = slices.DeleteFunc(paths, func(path string) bool { return path == "" })
	if every <= 0 {
		every = reloadEvery
	}
	r := &reloading{whose: whose, paths: paths, every: every, log: log, load: load}
	// The stamps are those from before, so that a change made meanwhile is seen.
	r.checked, r.stamps = time.Now(), stampsOf(paths)
	config, err := load()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificates, err)
	}
	r.config = config
	return r, nil
}

// current is the configuration in force. It looks at the files if that is due.
func (r *reloading) current() *tls.Config {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if time.Since(r.checked) < r.every {
		return r.config
	}
	r.checked = time.Now()
	stamps := stampsOf(r.paths)
	// A certificate and its key are two files: what does not fit may fit soon, without another stamp.
	if slices.Equal(stamps, r.stamps) && r.failure == "" {
		return r.config
	}
	r.stamps = stamps
	config, err := r.load()
	r.reloaded(config, err)
	return r.config
}

func (r *reloading) reloaded(config *tls.Config, err error) {
	if err == nil {
		r.config, r.failure = config, ""
		r.log.Info("certificates were read again", zap.String("of", r.whose), zap.Strings("files", r.paths))
		return
	}
	if err.Error() != r.failure {
		r.failure = err.Error()
		r.log.Error("changed certificates cannot be used, so those from before stay in force", zap.String("of", r.whose), zap.Error(err))
	}
}

// readPair reads a certificate with its chain and its key. A key file of "" means that the first file holds both.
func readPair(certificate, key string) (tls.Certificate, error) {
	if key == "" {
		key = certificate
	}
	chain, err := os.ReadFile(certificate)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("the certificate cannot be read: %w", err)
	}
	secret, err := os.ReadFile(key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("the key of the certificate %s cannot be read: %w", certificate, err)
	}
	if isEncrypted(secret) {
		return tls.Certificate{}, fmt.Errorf("the key %s is locked with a password: write one without by 'openssl pkey -in %s -out NEW', let only this user read it, and name that", key, key)
	}
	pair, err := tls.X509KeyPair(chain, secret)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("the certificate %s and the key %s cannot be used: %w", certificate, key, err)
	}
	return pair, nil
}

func isEncrypted(key []byte) bool {
	for block, rest := pem.Decode(key); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return true
		}
	}
	return false
}

// readAuthorities reads the certificates that are trusted to sign others. No file means those of the system.
func readAuthorities(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the trusted certificates cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("the file of trusted certificates %s holds none: want PEM, -----BEGIN CERTIFICATE-----", path)
	}
	return pool, nil
}
