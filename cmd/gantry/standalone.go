package main

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"strconv"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/node/namesrv"
	"github.com/spf13/cobra"
)

// StandaloneOptions are what can be set of a name server and a broker in one process.
type StandaloneOptions struct {
	// Data is the directory of both.
	Data string
	// Address is the IP address that both listen on and that clients are told.
	Address string
	// NameServerPort and BrokerPort are TCP ports; 0 is any free one.
	NameServerPort, BrokerPort int
	// SkipSelfTest starts without passing messages through.
	SkipSelfTest bool
	// TLS is what both ports do about encryption. The zero value takes encrypted and plain connections.
	TLS config.TLS
	// Metrics is the port by which the process is watched. The zero value opens none.
	Metrics config.BrokerMetrics
	// Access says who may do what, at both. The zero value lets everybody do everything.
	Access config.Access
}

func newStandalone(c *console) *cobra.Command {
	var options StandaloneOptions
	var log logOptions
	cmd := &cobra.Command{
		Use:   "standalone",
		Short: "Run a name server and a broker in one process, to try things out",
		Long: `Runs a name server and a broker in one process, passes a thousand messages through them
over TCP, says how fast that was, and keeps serving. Messages are kept in ~/gantry-data or the
directory that --data names, and are there again after the next start.

Only this machine can connect. To let others in, name the address by which they
reach this machine: --address 192.168.1.2

` + signalHelp,
		Example: `  gantry standalone
  gantry standalone --data /tmp/gantry --address 192.168.1.2`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := nodeOutput(c, &log)
			if err != nil {
				return err
			}
			if options.TLS, err = standaloneTLS(cmd); err != nil {
				return err
			}
			if options.Metrics, err = config.LoadMetrics(config.FromFlags(cmd.Flags(), new(config.BrokerMetrics))); err != nil {
				return wrongUsage("%w", err)
			}
			if options.Access, err = standaloneAccess(cmd); err != nil {
				return err
			}
			ctx, release := untilSignal(cmd.Context(), c)
			defer release()
			return RunStandalone(ctx, options, out)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&options.Data, "data", filepath.Join(thisMachine().Home, "gantry-data"), "`directory` of messages and tables")
	flags.StringVar(&options.Address, "address", loopback, "`IP` address to listen on and to tell clients")
	flags.IntVar(&options.NameServerPort, "namesrvPort", 9876, "TCP `port` of the name server; 0 is any free one")
	flags.IntVar(&options.BrokerPort, "brokerPort", 10911, "TCP `port` of the broker; 0 is any free one")
	flags.BoolVar(&options.SkipSelfTest, "skipSelfTest", false, "do not pass messages through at the start")
	log.addFlags(flags, "warn")
	addKeyFlags(flags, new(config.ServerTLS))
	addKeyFlags(flags, new(config.ClientTLS))
	addKeyFlags(flags, new(config.BrokerMetrics))
	addKeyFlags(flags, new(config.Access))
	setUsage(cmd, config.Help(new(config.TLS))+config.Help(new(config.BrokerMetrics))+config.Help(new(config.Access)))
	return cmd
}

// standaloneTLS is what flags and the file of encryption say.
func standaloneTLS(cmd *cobra.Command) (config.TLS, error) {
	sources, err := withTLSFile(config.FromFlags(cmd.Flags(), new(config.TLS)))
	if err != nil {
		return config.TLS{}, err
	}
	settings, _, err := config.LoadTLS(sources...)
	if err != nil {
		return settings, wrongUsage("%w", err)
	}
	return settings, nil
}

// ownBroker is the name of the broker.
const ownBroker = "broker-a"

// standalone is the two nodes.
type standalone struct {
	names    *running[*namesrv.Server]
	broker   *running[anyBroker]
	settings config.Broker
}

// RunStandalone runs a name server and a broker until ctx ends, and then stops both in order. The
// error of a start that failed says what to do.
func RunStandalone(ctx context.Context, options StandaloneOptions, out Output) error {
	var err error
	if out.watch, err = watch(options.Metrics.Metrics, options.Metrics.MetricsPort, out,
		watchedNameServer(options.Address, options.NameServerPort), watchedBroker("DefaultCluster", ownBroker)); err != nil {
		return err
	}
	s, err := startStandalone(options, out)
	if err != nil {
		return errors.Join(err, out.watch.Close())
	}
	names, address := s.names.node.Addr(), s.broker.node.Address()
	out.say("The Name Server boot success. serializeType=JSON, address " + names.String())
	announceBroker(s.settings, address, out)
	announceWatch(out.watch, out)
	if !options.SkipSelfTest {
		err = s.selfTest(ctx, names, out)
	}
	if err == nil {
		encrypted := ""
		if options.TLS.Mode == string(osenv.TLSEnforcing) {
			encrypted = " --tls.enable true --tls.client.authServer false"
		}
		out.say("", "Try it:", tryIt("admin sendMessage", names, "-t hello -p 'first light'"+encrypted),
			tryIt("admin consumeMessage", names, "-t hello"+encrypted), "", "Stop it with Ctrl-C.")
		<-ctx.Done()
	}
	out.watch.Subject(brokerNode).Stops()
	out.watch.Subject(nameServerNode).Stops()
	err = errors.Join(err, s.stop(), out.watch.Close())
	out.say("Stopped. What was stored is in " + options.Data)
	return err
}

func tryIt(command string, names netip.AddrPort, arguments string) string {
	return "  gantry " + command + " -n " + names.String() + " " + arguments
}

// selfTest reports what went wrong as a failure of the start, unless a signal came meanwhile.
func (s *standalone) selfTest(ctx context.Context, names netip.AddrPort, out Output) error {
	who, err := guard.ParseCredentials(s.settings.InnerCredentials)
	if err != nil {
		return err
	}
	result, err := selfTest(ctx, clientTLS(s.settings.ClientTLS), who, names.String(), out.Log)
	switch {
	case err == nil:
		out.say(fact("self-test", result.String()))
		return nil
	case ctx.Err() != nil:
		return nil
	}
	return &failure{cause: err, code: exitFailed,
		advice: "look at the warnings above; with --skipSelfTest the nodes start without the test"}
}

// startStandalone starts both nodes, the name server first.
func startStandalone(options StandaloneOptions, out Output) (*standalone, error) {
	return startStandaloneWith(options, out, func(*config.Broker) {})
}

// startStandaloneWith lets the caller change the broker's settings.
func startStandaloneWith(options StandaloneOptions, out Output, change func(*config.Broker)) (*standalone, error) {
	if _, err := netip.ParseAddr(options.Address); err != nil {
		return nil, wrongUsage("--address: %q is not an IP address, such as 192.168.1.2", options.Address)
	}
	data, err := filepath.Abs(options.Data)
	if err != nil {
		return nil, wrongUsage("--data %s: %w", options.Data, err)
	}
	names, err := startOwnNameServer(options, data, out)
	if err != nil {
		return nil, err
	}
	settings, err := standaloneBroker(options, data, names.node.Addr())
	if err == nil {
		change(&settings)
		var node *running[anyBroker]
		if node, err = startBroker(settings, out, place{listenOption: "--brokerPort", directoryOption: "--data"}, nil); err == nil {
			return &standalone{names, node, settings}, nil
		}
	}
	return nil, errors.Join(err, stopNameServer(names))
}

func startOwnNameServer(options StandaloneOptions, data string, out Output) (*running[*namesrv.Server], error) {
	settings, _, err := config.LoadNameServer(thisMachine(), config.Source{Name: "the command line", Keys: map[string]string{
		"bindAddress": options.Address, "listenPort": strconv.Itoa(options.NameServerPort),
		"kvConfigPath": filepath.Join(data, "namesrv", "kvConfig.json"),
	}})
	if err != nil {
		return nil, wrongUsage("%w", err)
	}
	settings.TLS, settings.Access = options.TLS, options.Access
	return startNameServer(settings, out, place{listenOption: "--namesrvPort", directoryOption: "--data"})
}

func standaloneBroker(options StandaloneOptions, data string, names netip.AddrPort) (config.Broker, error) {
	settings, _, err := config.LoadBroker(thisMachine(), config.Source{Name: "the command line", Keys: map[string]string{
		"bindAddress": options.Address, "listenPort": strconv.Itoa(options.BrokerPort),
		// It keeps one copy: there is nobody else.
		"haListenPort": "0",
		"brokerName":   ownBroker, "namesrvAddr": names.String(), "storePathRootDir": filepath.Join(data, "store"),
	}})
	if err != nil {
		return settings, wrongUsage("%w", err)
	}
	settings.BrokerMetrics = options.Metrics
	settings.Access = options.Access
	settings.TLS = config.TLS{ServerTLS: options.TLS.ServerTLS, ClientTLS: toSelf(options.TLS)}
	return settings, nil
}

// stop stops both, the broker first so that it can take its leave.
func (s *standalone) stop() error {
	return errors.Join(stopBroker(s.broker), stopNameServer(s.names))
}
