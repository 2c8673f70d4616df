package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/transport/signature"
)

// Options of a guard, with the protocol's words for them. The zero value lets everybody do everything.
type Options struct {
	Plain                    bool // aclEnable: accounts of ACL 1.0 decide
	Authentication           bool // authenticationEnabled
	Authorization            bool // authorizationEnabled
	ExemptFromAuthentication map[int32]bool
	ExemptFromAuthorization  map[int32]bool
	// InitialUser is made a super user at the start if there is no user of that name (initAuthenticationUser). Without a name there is none.
	InitialUser access.User
	// Inner are the credentials of servers among themselves (innerClientAuthenticationCredentials). Their user is made as the initial one is.
	Inner signature.Credentials
	// Migrate makes users of the accounts in the files of ACL 1.0 at the start (migrateAuthFromV1Enabled).
	Migrate bool
	// ReloadEvery is how often files are looked at; 0 means 5 s.
	ReloadEvery time.Duration
}

// Place tells a guard where it stands.
type Place struct {
	// Directory is that of the files, below the node's own: auth/accounts.json, auth/accounts.key, plain_acl.yml, acl/*.yml.
	Directory string
	Cluster   string        // of the node
	Name      string        // of the broker, for tools
	Address   func() string // of the broker, for tools
	// Changed is called after rules have changed: what was allowed before may have to be asked again. It must not wait.
	Changed func()
	// Await runs what waits on behalf of a request; nil runs it as it is.
	Await Await
}

// Validate names the first option that cannot be.
func (o Options) Validate() error {
	switch {
	case o.Plain && (o.Authentication || o.Authorization):
		return errors.New("aclEnable: it cannot be on together with authenticationEnabled; migrateAuthFromV1Enabled=true makes users of its accounts")
	case o.Authorization && !o.Authentication:
		return errors.New("authorizationEnabled: it needs authenticationEnabled=true, because rights belong to users")
	case o.Migrate && o.Plain:
		return errors.New("migrateAuthFromV1Enabled: it needs aclEnable=false")
	case o.InitialUser.Name != "" && o.InitialUser.Password == "":
		return errors.New("initAuthenticationUser: it has no password")
	case o.Inner.AccessKey != "" && o.Inner.SecretKey == "":
		return errors.New("innerClientAuthenticationCredentials: they have no secretKey")
	}
	return nil
}

// ParseInitialUser reads initAuthenticationUser: {"username":"root","password":"…"}. Errors repeat nothing of the text.
func ParseInitialUser(text string) (access.User, error) {
	if text == "" {
		return access.User{}, nil
	}
	var in struct{ Username, Password string }
	if json.Unmarshal([]byte(text), &in) != nil || in.Username == "" || in.Password == "" {
		return access.User{}, fmt.Errorf(`want JSON such as {"username":"root","password":"a long one"}`)
	}
	return access.User{Name: in.Username, Password: in.Password, Super: true}, nil
}

// ParseCredentials reads innerClientAuthenticationCredentials: {"accessKey":"inner","secretKey":"…"}. Errors repeat nothing of the text.
func ParseCredentials(text string) (signature.Credentials, error) {
	if text == "" {
		return signature.Credentials{}, nil
	}
	var in struct{ AccessKey, SecretKey, SecurityToken string }
	if json.Unmarshal([]byte(text), &in) != nil || in.AccessKey == "" || in.SecretKey == "" {
		return signature.Credentials{}, fmt.Errorf(`want JSON such as {"accessKey":"inner","secretKey":"a long one"}`)
	}
	return signature.Credentials{AccessKey: in.AccessKey, SecretKey: in.SecretKey, SecurityToken: in.SecurityToken}, nil
}

// reloadEvery is the default of Options.ReloadEvery.
const reloadEvery = 5 * time.Second

// Names of files below Place.Directory.
const (
	accountsFile = "auth/accounts.json"
	keyFile      = "auth/accounts.key"
	plainFile    = "plain_acl.yml"
	plainDir     = "acl"
)

func (p Place) path(name string) string { return path.Join(p.Directory, name) }
