package gantry

import (
	"fmt"
	"os"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
)

// TLS says whom to trust and which certificate to show. The zero value verifies servers against the authorities of this machine. A
// *tls.Config of the application's own goes into its field Config.
type TLS = osenv.ClientTLS

// WithTLS encrypts all connections: gantry.WithTLS(gantry.TLS{Authorities: "ca.pem"}). The constructor fails if a file cannot be
// used; files that change later are read again.
func WithTLS(tls TLS) client.Option { return client.WithTLS(tls) }

// Environment variables that encrypt the connections of applications that do not call WithTLS, named after RocketMQ's system properties.
const (
	// EnvironmentTLS switches it on: true or false (tls.enable).
	EnvironmentTLS = "ROCKETMQ_TLS_ENABLE"
	// EnvironmentTLSAuthorities is the file of certificates that servers' are signed by (tls.client.trustCertPath).
	EnvironmentTLSAuthorities = "ROCKETMQ_TLS_CLIENT_TRUST_CERT_PATH"
	// EnvironmentTLSVerify is false to trust any server; without it, servers are verified (tls.client.authServer).
	EnvironmentTLSVerify = "ROCKETMQ_TLS_CLIENT_AUTH_SERVER"
	// EnvironmentTLSServerName is what certificates have to name instead of the host that is dialled.
	EnvironmentTLSServerName = "ROCKETMQ_TLS_CLIENT_SERVER_NAME"
	// EnvironmentTLSCertificate is the file of the certificate to show (tls.client.certPath).
	EnvironmentTLSCertificate = "ROCKETMQ_TLS_CLIENT_CERT_PATH"
	// EnvironmentTLSKey is the file of its key (tls.client.keyPath).
	EnvironmentTLSKey = "ROCKETMQ_TLS_CLIENT_KEY_PATH"
)

// environmentTLS encrypts as the environment says.
type environmentTLS struct{}

// Encrypt fails if a variable says something else than true or false: to send in the clear what should be secret is no answer to a
// mistake.
func (environmentTLS) Encrypt(plain env.Network) (env.Network, error) {
	wanted, err := environmentBool(EnvironmentTLS)
	if err != nil || !wanted {
		return plain, err
	}
	verify := true
	if os.Getenv(EnvironmentTLSVerify) != "" {
		if verify, err = environmentBool(EnvironmentTLSVerify); err != nil {
			return nil, err
		}
	}
	tls := TLS{
		Authorities: os.Getenv(EnvironmentTLSAuthorities), AnyServer: !verify, ServerName: os.Getenv(EnvironmentTLSServerName),
		Certificate: os.Getenv(EnvironmentTLSCertificate), Key: os.Getenv(EnvironmentTLSKey),
	}
	return tls.Encrypt(plain)
}

func environmentBool(variable string) (bool, error) {
	switch value := os.Getenv(variable); value {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, fmt.Errorf("the environment variable %s is %q: want true or false", variable, value)
	}
}
