package main

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/node/namesrv"
	"github.com/spf13/cobra"
)

func newNameServer(c *console) *cobra.Command {
	var settings config.NameServer
	var flags nodeFlags
	var ignored string
	cmd := &cobra.Command{
		Use:   "namesrv",
		Short: "Run a name server",
		Long: `Runs a name server: it knows which brokers there are and which topics they have, and tells
clients. Name servers do not know of each other; brokers register with all of them. Keys are
taken from the file, then from the command line. With enableControllerInNamesrv=true a controller runs in the same
process, see gantry controller.

` + signalHelp,
		Example: `  gantry namesrv
  gantry namesrv --listenPort 9877 --kvConfigPath /data/namesrv/kvConfig.json
  gantry namesrv -c namesrv.properties -p
  gantry namesrv --enableControllerInNamesrv=true --controllerDLegerPeers n0-localhost:9878 --controllerDLegerSelfId n0`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sources, err := flags.sources(cmd, &settings)
			if err != nil {
				return err
			}
			settings, warnings, err := config.LoadNameServer(thisMachine(), sources...)
			if err != nil {
				return wrongUsage("%w", err)
			}
			if done, err := flags.printed(c, &settings); done {
				return err
			}
			if ignored != "" {
				warnings = append(warnings, "-n has no effect: name servers do not know of each other")
			}
			return flags.untilStopped(cmd, c, warnings, func(ctx context.Context, out Output) error {
				return RunNameServer(ctx, settings, out)
			})
		},
	}
	flags.add(cmd, &settings)
	cmd.Flags().StringVarP(&ignored, "namesrvAddr", "n", "", "accepted and ignored, as RocketMQ's scripts pass it")
	return cmd
}

// RunNameServer runs a name server until ctx ends, and then stops it in order. The error of a start that
// failed says what to do.
func RunNameServer(ctx context.Context, settings config.NameServer, out Output) error {
	var err error
	if out.watch, err = watch(settings.Metrics, settings.MetricsPort, out, watchedNodes(&settings)...); err != nil {
		return err
	}
	node, err := startNameServer(settings, out, place{listenOption: "--listenPort", directoryOption: "--kvConfigPath"})
	if err != nil {
		return errors.Join(err, out.watch.Close())
	}
	own, err := startOwnController(&settings, out)
	if err != nil {
		return errors.Join(err, stopNameServer(node), out.watch.Close())
	}
	address := node.node.Addr().String()
	warnIfOpen(settings.Access, settings.BindAddress, out)
	out.say("The Name Server boot success. serializeType=JSON, address "+address,
		fact("listens on", address),
		fact("data", filepath.Dir(settings.KVConfigPath)),
		accessFact(settings.Access, settings.BindAddress),
		fact("next", "gantry broker -n "+reachable(node.node.Addr())))
	if own != nil {
		announceController("The ControllerManager boot success. serializeType=JSON, address ", own, &settings.ControllerKeys, out)
	}
	announceWatch(out.watch, out)
	<-ctx.Done()
	out.watch.Subject(nameServerNode).Stops()
	out.watch.Subject(controllerNode).Stops()
	err = errors.Join(stopOwnController(own), stopNameServer(node), out.watch.Close())
	out.say("The Name Server has stopped.")
	return err
}

func stopNameServer(node *running[*namesrv.Server]) error {
	return node.stop(func(s *namesrv.Server) error { s.Close(); return nil })
}

// startNameServer starts the node; at holds the names of options for its advice.
func startNameServer(settings config.NameServer, out Output, at place) (*running[*namesrv.Server], error) {
	options := nameServerOptions(settings)
	var err error
	if options.Access, err = accessOptions(settings.Access); err == nil {
		err = options.Access.Validate()
	}
	if err != nil {
		return nil, wrongUsage("%w", err)
	}
	at.listen, at.directory = options.Listen, filepath.Dir(settings.KVConfigPath)
	node, err := start(world(osenv.Options{Node: "namesrv", Root: at.directory, Log: out.Log}, settings.TLS), func(e env.Env) (*namesrv.Server, error) {
		return namesrv.New(e, options)
	})
	if err == nil {
		out.watch.Subject(nameServerNode).Serves(nameServerSource{node})
	}
	return node, at.explainStart(err)
}

// nameServerOptions are the settings in the node's own words.
func nameServerOptions(s config.NameServer) namesrv.Options {
	return namesrv.Options{
		Listen:        net.JoinHostPort(s.BindAddress, strconv.Itoa(s.ListenPort)),
		KVConfigPath:  filepath.Base(s.KVConfigPath),
		ConfigPath:    filepath.Base(s.ConfigStorePath),
		ProtectedKeys: strings.Split(s.ConfigurationBlackList, ";"),
		IdleTimeout:   s.MaxIdle,
		Settings: namesrv.Settings{
			OrderInRoutes:     s.OrderMessageEnable,
			NoOrderToBrokers:  !s.ReturnOrderTopic,
			ActingMasters:     s.SupportActingMaster,
			NotifyMinBrokerID: s.NotifyMinBrokerID,
			DropMissingTopics: s.DeleteMissingTopics,
			NoAllTopicList:    !s.EnableAllTopicList,
			NoTopicLists:      !s.EnableTopicList,
			HoldRoutes:        s.NeedWaitForService,
			HoldRoutesFor:     s.WaitForService,
			ScanEvery:         s.ScanInterval,
		},
	}
}
