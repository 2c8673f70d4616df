package main

import (
	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// serverTLS are the settings of a port in the world's words.
func serverTLS(s config.ServerTLS) *osenv.ServerTLS {
	return &osenv.ServerTLS{
		Mode: osenv.TLSMode(s.Mode), Certificate: s.ServerCert, Key: s.ServerKey,
		ClientAuth: osenv.ClientAuth(s.NeedClientAuth), ClientAuthorities: s.ClientTrust, AnyClient: !s.AuthClient,
	}
}

// clientTLS are the settings of connections to others; nil leaves them plain.
func clientTLS(s config.ClientTLS) *osenv.ClientTLS {
	if !s.TLSEnable {
		return nil
	}
	return &osenv.ClientTLS{
		Authorities: s.TrustCertPath, AnyServer: !s.AuthServer, ServerName: s.ServerName, Certificate: s.CertPath, Key: s.KeyPath,
	}
}

// world adds the settings of encryption to the options of a node's world.
func world(options osenv.Options, s config.TLS) osenv.Options {
	options.ServerTLS, options.ClientTLS = serverTLS(s.ServerTLS), clientTLS(s.ClientTLS)
	return options
}

// toSelf are the connections of a process to its own enforcing port: whom it meets there is itself, and it shows its
// own certificate unless another is set.
func toSelf(s config.TLS) config.ClientTLS {
	if s.Mode != string(osenv.TLSEnforcing) {
		return config.ClientTLS{}
	}
	own := config.ClientTLS{TLSEnable: true, CertPath: s.CertPath, KeyPath: s.KeyPath}
	if own.CertPath == "" {
		own.CertPath, own.KeyPath = s.ServerCert, s.ServerKey
	}
	return own
}

// addKeyFlags adds flags for the keys of settings, a settings struct given by pointer. Help texts list them apart.
func addKeyFlags(flags *pflag.FlagSet, settings any) {
	keys := pflag.NewFlagSet("keys", pflag.ContinueOnError)
	config.AddFlags(keys, settings)
	keys.VisitAll(func(flag *pflag.Flag) {
		flag.Annotations = map[string][]string{configurationKey: {"yes"}}
		flags.AddFlag(flag)
	})
}

// toolTLS is what a tool's flags and the file of encryption say; nil leaves connections plain.
func toolTLS(cmd *cobra.Command) (*osenv.ClientTLS, error) {
	sources, err := config.TLSFile(config.FromFlags(cmd.Flags(), new(config.ClientTLS)))
	if err != nil {
		return nil, wrongUsage("%w", err)
	}
	settings, _, err := config.LoadClientTLS(sources...)
	if err != nil {
		return nil, wrongUsage("%w", err)
	}
	return clientTLS(settings), nil
}
