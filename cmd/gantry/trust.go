package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/transport/signature"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// accessOptions are the settings of access control in the nodes' own words. Errors name the key and repeat no secret.
func accessOptions(s config.Access) (guard.Options, error) {
	options := guard.Options{Plain: s.ACLEnable, Authentication: s.Authentication, Authorization: s.Authorization, Migrate: s.MigrateFromV1}
	var err error
	if options.ExemptFromAuthentication, err = access.ParseCodes(s.AuthenticationWhitelist); err != nil {
		return options, fmt.Errorf("authenticationWhitelist: %w", err)
	}
	if options.ExemptFromAuthorization, err = access.ParseCodes(s.AuthorizationWhitelist); err != nil {
		return options, fmt.Errorf("authorizationWhitelist: %w", err)
	}
	if options.InitialUser, err = guard.ParseInitialUser(s.InitialUser); err != nil {
		return options, fmt.Errorf("initAuthenticationUser: %w", err)
	}
	if options.Inner, err = guard.ParseCredentials(s.InnerCredentials); err != nil {
		return options, fmt.Errorf("innerClientAuthenticationCredentials: %w", err)
	}
	return options, nil
}

// isOpen reports whether everybody may do everything.
func isOpen(s config.Access) bool { return !s.ACLEnable && !s.Authentication }

// onlyThisMachine reports whether only this machine can connect to an address that a node listens on.
func onlyThisMachine(bind string) bool {
	address, err := netip.ParseAddr(bind)
	return err == nil && address.IsLoopback()
}

// accessFact says who may do what.
func accessFact(s config.Access, bind string) string {
	switch {
	case s.ACLEnable:
		return fact("access", "accounts of plain_acl.yml (aclEnable)")
	case s.Authorization:
		return fact("access", "users and their ACLs")
	case s.Authentication:
		return fact("access", "users, who may do everything (authorizationEnabled=false)")
	case onlyThisMachine(bind):
		return fact("access", "everybody on this machine may do everything")
	}
	return fact("access", "OPEN: whoever reaches this port may do everything; see authenticationEnabled and authorizationEnabled (-h)")
}

// warnIfOpen is loud about a node that strangers can use.
func warnIfOpen(s config.Access, bind string, out Output) {
	if isOpen(s) && !onlyThisMachine(bind) {
		out.Log.Warn("this node is open: whoever reaches its port may read, write and delete everything. Set authenticationEnabled=true and " +
			"authorizationEnabled=true, with initAuthenticationUser and innerClientAuthenticationCredentials, or let it listen on 127.0.0.1 only (bindAddress)")
	}
}

// standaloneAccess is what flags say of access control. The broker signs its registration as the initial user, unless it is told to sign as
// another.
func standaloneAccess(cmd *cobra.Command) (config.Access, error) {
	settings, _, err := config.LoadAccess(config.FromFlags(cmd.Flags(), new(config.Access)))
	if err != nil {
		return settings, wrongUsage("%w", err)
	}
	options, err := accessOptions(settings)
	if err != nil {
		return settings, wrongUsage("%w", err)
	}
	if options.Inner.Valid() || isOpen(settings) {
		return settings, nil
	}
	if options.InitialUser.Name == "" || settings.ACLEnable {
		return settings, wrongUsage("innerClientAuthenticationCredentials: name an account with all rights, by which the broker registers with the name server")
	}
	// Texts can always be written.
	inner, _ := json.Marshal(map[string]string{"accessKey": options.InitialUser.Name, "secretKey": options.InitialUser.Password})
	settings.InnerCredentials = string(inner)
	return settings, nil
}

// Where tools find out who they are.
const (
	environmentAccessKey     = "ROCKETMQ_ACCESS_KEY"
	environmentSecretKey     = "ROCKETMQ_SECRET_KEY"
	environmentSecurityToken = "ROCKETMQ_SECURITY_TOKEN"
)

// credentials are those of the file that was named, else of the environment, else of the file that RocketMQ's tools read. There is no
// flag for a secret: everybody on a machine sees command lines.
func (f *adminFlags) credentials() (signature.Credentials, error) {
	fromEnvironment := signature.Credentials{
		AccessKey: os.Getenv(environmentAccessKey), SecretKey: os.Getenv(environmentSecretKey), SecurityToken: os.Getenv(environmentSecurityToken),
	}
	switch home := os.Getenv("ROCKETMQ_HOME"); {
	case f.who != "":
		return credentialsFile(f.who)
	case fromEnvironment.Valid():
		return fromEnvironment, nil
	case fromEnvironment.AccessKey != "":
		return fromEnvironment, wrongUsage("%s is set and %s is not", environmentAccessKey, environmentSecretKey)
	case home != "":
		found, err := credentialsFile(filepath.Join(home, "conf", "tools.yml"))
		if errors.Is(err, fs.ErrNotExist) {
			return signature.Credentials{}, nil
		}
		return found, err
	}
	return signature.Credentials{}, nil
}

func credentialsFile(path string) (signature.Credentials, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return signature.Credentials{}, wrongUsage("credentials: %w", err)
	}
	var in struct {
		AccessKey     string `yaml:"accessKey"`
		SecretKey     string `yaml:"secretKey"`
		SecurityToken string `yaml:"securityToken"`
	}
	// The error may repeat what stands in the file.
	if yaml.Unmarshal(content, &in) != nil || in.AccessKey == "" || in.SecretKey == "" {
		return signature.Credentials{}, wrongUsage("credentials: %s does not have the lines 'accessKey: NAME' and 'secretKey: SECRET'", path)
	}
	return signature.Credentials{AccessKey: in.AccessKey, SecretKey: in.SecretKey, SecurityToken: in.SecurityToken}, nil
}

// as signs the requests of a role, if there is something to sign with.
func as(who signature.Credentials) client.Option {
	if who.SecurityToken != "" {
		return client.WithCredentials(who.AccessKey, who.SecretKey, who.SecurityToken)
	}
	return client.WithCredentials(who.AccessKey, who.SecretKey)
}
