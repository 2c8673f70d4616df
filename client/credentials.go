package client

import (
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/signature"
)

// WithCredentials signs all requests, so that name servers and brokers know who sends them (class AclClientRPCHook). The access key is the name of an account
// or user, the secret key is what it has for a password, which never leaves this process. A security token comes with temporary accounts; most have none.
//
// Servers that do not look at signatures ignore them. Signatures do not hide anything: see WithTLS.
func WithCredentials(accessKey, secretKey string, securityToken ...string) Option {
	return option(func(c *config) {
		c.credentials = signature.Credentials{AccessKey: accessKey, SecretKey: secretKey}
		for _, token := range securityToken {
			c.credentials.SecurityToken = token
		}
	})
}

// signer signs requests; nil leaves them as they are.
func (c *config) signer() transport.Signer {
	if !c.credentials.Valid() {
		return nil
	}
	return c.credentials
}
