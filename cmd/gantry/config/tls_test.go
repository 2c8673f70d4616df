package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The file that RocketMQ's documentation shows, without passwords.
const apachesTLS = `
tls.test.mode.enable=false
tls.server.need.client.auth=require
tls.server.keyPath=/certificates/server.key
tls.server.certPath=/certificates/server.pem
tls.server.authClient=false
tls.server.trustCertPath=/certificates/ca.pem
tls.client.keyPath=/certificates/client.key
tls.client.certPath=/certificates/client.pem
tls.client.authServer=false
tls.client.trustCertPath=/certificates/ca.pem
`

func TestTheFileOfEncryptionIsThatOfApache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tls.properties")
	require.NoError(t, os.WriteFile(path, []byte(apachesTLS), 0o600))
	line := Source{Name: "the command line", Keys: map[string]string{
		"tls.config.file": path, "tls.enable": "true", "tls.server.mode": "enforcing", "tls.server.need.client.auth": "optional",
	}}
	sources, err := TLSFile(line)
	require.NoError(t, err)
	b, warnings, err := LoadBroker(testMachine, sources...)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, TLS{
		ServerTLS{
			Mode: "enforcing", ServerCert: "/certificates/server.pem", ServerKey: "/certificates/server.key",
			NeedClientAuth: "optional", ClientTrust: "/certificates/ca.pem",
		},
		ClientTLS{
			TLSEnable: true, TLSFile: path, TrustCertPath: "/certificates/ca.pem",
			CertPath: "/certificates/client.pem", KeyPath: "/certificates/client.key",
		},
	}, b.TLS)
	n, _, err := LoadNameServer(testMachine, sources...)
	require.NoError(t, err)
	require.Equal(t, b.TLS, n.TLS)
	tool, _, err := LoadClientTLS(sources...)
	require.NoError(t, err)
	require.Equal(t, b.ClientTLS, tool)
}

func TestAFileOfEncryptionThatIsNamedMustBeThere(t *testing.T) {
	absent := Source{Name: "the command line", Keys: map[string]string{"tls.config.file": "/absent.properties"}}
	_, err := TLSFile(absent)
	require.ErrorContains(t, err, "tls.config.file")
	require.ErrorContains(t, err, "/absent.properties")
	sources, err := TLSFile(fromText(t, "brokerName=a"))
	require.NoError(t, err)
	require.NotEmpty(t, sources)
}

func TestEncryptionIsPermissiveAndVerifiesUnlessStated(t *testing.T) {
	b, _ := loadText(t, "useTLS=true")
	require.Equal(t, "permissive", b.Mode)
	require.Equal(t, "none", b.NeedClientAuth)
	require.True(t, b.TLSEnable)
	require.True(t, b.AuthServer)
	require.True(t, b.AuthClient)
	require.True(t, b.FastListenEnable)
}

func TestKeysOfEncryptionThatDoNotGoTogetherAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"tls.server.mode=strict":                `tls.server.mode: "strict" is not one of disabled, permissive, enforcing`,
		"tls.test.mode.enable=false":            "tls.server.certPath: name a certificate",
		"tls.server.keyPath=k":                  "tls.server.certPath: name the certificate of the key",
		"tls.client.keyPath=k":                  "tls.client.certPath: name the certificate of the key",
		"tls.server.need.client.auth=require":   "tls.server.trustCertPath: name who has signed the certificates of clients",
		"tls.server.keyPassword=secret":         "openssl pkey",
		"tls.client.keyPassword=secret":         "openssl pkey",
		"tls.server.certpath=c":                 "did you mean tls.server.certPath?",
		"tls.enable=true\nuseTLS=false":         "are the same key and say different things",
		"tls.enable=on":                         `"on" is neither true nor false`,
		"tls.server.need.client.auth=mandatory": `is not one of none, optional, require`,
	} {
		require.Contains(t, mistakeIn(t, line), want, line)
	}
	_, warnings := loadText(t, "tls.ciphers=x\ntls.server.keyPassword=\ntls.test.mode.enable=false\ntls.server.mode=disabled")
	require.Len(t, warnings, 1)
}
