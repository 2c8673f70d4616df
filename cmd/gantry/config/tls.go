package config

import (
	"errors"
	"fmt"
)

// TLSFileDefault is where the keys of encryption are looked for if tls.config.file names no other file.
const TLSFileDefault = "/etc/rocketmq/tls.properties"

// ClientTLS is what can be set of connections to others: those of tools, and of a broker to its name servers.
type ClientTLS struct {
	TLSEnable     bool   `key:"tls.enable" alias:"useTLS" default:"false" doc:"encrypt connections to name servers and brokers"`
	TLSFile       string `key:"tls.config.file" unset:"/etc/rocketmq/tls.properties, if it is there" doc:"a properties file with the keys that begin with tls; all other places win over it"`
	TrustCertPath string `key:"tls.client.trustCertPath" unset:"those of this machine" doc:"the file (PEM) of the authorities that have signed the certificates of servers"`
	AuthServer    bool   `key:"tls.client.authServer" default:"true" doc:"false takes any certificate of a server, which lets others pretend to be it; Apache's default is false"`
	ServerName    string `key:"tls.client.serverName" unset:"the host that is dialled" doc:"what certificates of servers have to name; a key of Gantry's own"`
	CertPath      string `key:"tls.client.certPath" doc:"the file (PEM) of the certificate to show to servers that ask for one"`
	KeyPath       string `key:"tls.client.keyPath" unset:"the file of the certificate" doc:"the file (PEM) of its key, without a password"`
}

// ServerTLS is what can be set of the port of a node. Files are read again when they change, within 5 s.
type ServerTLS struct {
	Mode           string `key:"tls.server.mode" default:"permissive" oneof:"disabled permissive enforcing" doc:"permissive takes encrypted and plain connections at the same port, disabled plain ones only, enforcing encrypted ones only"`
	ServerCert     string `key:"tls.server.certPath" unset:"a new one is made at each start, which clients cannot verify" doc:"the file (PEM) of the certificate and those that lead from it to its authority; it must be for the addresses that clients dial"`
	ServerKey      string `key:"tls.server.keyPath" unset:"the file of the certificate" doc:"the file (PEM) of its key, without a password"`
	NeedClientAuth string `key:"tls.server.need.client.auth" default:"none" oneof:"none optional require" doc:"whether clients have to show a certificate"`
	AuthClient     bool   `key:"tls.server.authClient" default:"true" doc:"false takes any certificate of a client; Apache's default is false"`
	ClientTrust    string `key:"tls.server.trustCertPath" doc:"the file (PEM) of the authorities that have signed the certificates of clients"`
	TestMode       bool   `key:"tls.test.mode.enable" default:"true" doc:"false demands tls.server.certPath, unless the mode is disabled; Apache's true ignores certificates that are set"`
}

// TLS is both, for nodes.
type TLS struct {
	ServerTLS
	ClientTLS
}

// validate finds keys that do not go together.
func (t ServerTLS) validate() error {
	var mistakes []error
	if t.Mode != "disabled" && !t.TestMode && t.ServerCert == "" {
		mistakes = append(mistakes, fmt.Errorf("tls.server.certPath: name a certificate, because tls.test.mode.enable is false, or set tls.server.mode to disabled"))
	}
	if t.ServerKey != "" && t.ServerCert == "" {
		mistakes = append(mistakes, errors.New("tls.server.certPath: name the certificate of the key that tls.server.keyPath names"))
	}
	if t.NeedClientAuth != "none" && t.AuthClient && t.ClientTrust == "" {
		mistakes = append(mistakes, fmt.Errorf("tls.server.trustCertPath: name who has signed the certificates of clients, because tls.server.need.client.auth is %s", t.NeedClientAuth))
	}
	return errors.Join(mistakes...)
}

func (t ClientTLS) validate() error {
	if t.KeyPath != "" && t.CertPath == "" {
		return errors.New("tls.client.certPath: name the certificate of the key that tls.client.keyPath names")
	}
	return nil
}

func (t TLS) validate() error { return errors.Join(t.ServerTLS.validate(), t.ClientTLS.validate()) }

// tlsRules are the keys that Apache knows of encryption and that are not honoured.
var tlsRules = rules{
	idle: []idleKeys{
		{"tls.ciphers tls.protocols tls.provider", "it speaks TLS 1.2 and 1.3 with what Go holds to be secure, and no version before"},
	},
	promises: []promise{
		{"tls.server.keyPassword", "", noKeyPasswords}, {"tls.client.keyPassword", "", noKeyPasswords},
	},
}

const noKeyPasswords = "keys are read without passwords ('openssl pkey -in KEY -out NEW' writes one without; let only the node's user read it)"

// with are both rules.
func (r rules) with(other rules) rules {
	r.idle = append(r.idle[:len(r.idle):len(r.idle)], other.idle...)
	r.promises = append(r.promises[:len(r.promises):len(r.promises)], other.promises...)
	return r
}

// LoadTLS applies sources to the defaults, in their order, and checks the result.
func LoadTLS(sources ...Source) (TLS, []string, error) {
	var t TLS
	warnings, err := read(&t, tlsRules, sources)
	if err == nil {
		err = t.validate()
	}
	return t, warnings, err
}

// LoadClientTLS is LoadTLS for tools. Keys of servers are not checked: one file may serve all.
func LoadClientTLS(sources ...Source) (ClientTLS, []string, error) {
	var t TLS
	warnings, err := read(&t, tlsRules, sources)
	if err == nil {
		err = t.ClientTLS.validate()
	}
	return t.ClientTLS, warnings, err
}

// TLSFile reads the file that the last of the sources to set tls.config.file names. If none does, the one at TLSFileDefault is read if
// it is there. Its place is before the sources: they win over it.
func TLSFile(sources ...Source) ([]Source, error) {
	named := ""
	for _, source := range sources {
		if path := source.Keys["tls.config.file"]; path != "" {
			named = path
		}
	}
	path := named
	if path == "" {
		path = TLSFileDefault
	}
	file, err := ReadFile(path)
	switch {
	case err == nil:
		return append([]Source{file}, sources...), nil
	case named == "" && isAbsent(err):
		return sources, nil
	}
	return nil, fmt.Errorf("tls.config.file: %w", err)
}
