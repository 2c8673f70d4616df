package signature

import "github.com/gantrymq/gantry/transport/wire"

// Credentials are what a client has to prove who it is (class SessionCredentials). They are only read.
type Credentials struct {
	AccessKey     string // the name of the account
	SecretKey     string // never sent
	SecurityToken string // of a temporary account ("STS"); "" for none
}

// Valid reports whether there is enough to sign with.
func (c Credentials) Valid() bool { return c.AccessKey != "" && c.SecretKey != "" }

// String names the account and nothing that is secret.
func (c Credentials) String() string {
	if c.AccessKey == "" {
		return "no credentials"
	}
	return "credentials of " + c.AccessKey
}

// GoString keeps secrets out of what %#v prints.
func (c Credentials) GoString() string { return c.String() }

// Sign returns the fields that a request needs beside those it has, so that its receiver knows who sends it.
func (c Credentials) Sign(fields wire.Fields, body []byte) wire.Fields {
	all := make(wire.Fields, 0, len(fields)+3)
	all = append(all, fields...)
	all.Add(FieldAccessKey, c.AccessKey)
	if c.SecurityToken != "" {
		all.Add(FieldSecurityToken, c.SecurityToken)
	}
	all = append(all, wire.Field{Key: []byte(FieldSignature), Value: contentOf(all, body).sum(c.SecretKey)})
	return all[len(fields):]
}
