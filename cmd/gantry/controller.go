package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/cmd/gantry/monitor"
	"github.com/gantrymq/gantry/node/controller"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/node/measure"
	"github.com/spf13/cobra"
)

func newController(c *console) *cobra.Command {
	var settings config.Controller
	var flags nodeFlags
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Run a controller",
		Long: `Runs a controller: brokers that are started with enableControllerMode=true register with it, and controllers decide which broker of a group is
master. One controller is enough to try it out; three let one of them fail, five two. Each is told of all of them by the same
controllerDLegerPeers, and of its own id by controllerDLegerSelfId. It listens on the port that it has there. Keys are taken from the file, then
from the command line. A name server runs a controller in its own process with enableControllerInNamesrv=true.

` + signalHelp,
		Example: `  gantry controller --controllerDLegerPeers n0-localhost:9878 --controllerDLegerSelfId n0
  gantry controller -c controller.conf --controllerDLegerSelfId n1
  gantry namesrv --enableControllerInNamesrv=true --controllerDLegerPeers n0-localhost:9878 --controllerDLegerSelfId n0`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sources, err := flags.sources(cmd, &settings)
			if err != nil {
				return err
			}
			settings, warnings, err := config.LoadController(thisMachine(), sources...)
			if err != nil {
				return wrongUsage("%w", err)
			}
			if done, err := flags.printed(c, &settings); done {
				return err
			}
			return flags.untilStopped(cmd, c, warnings, func(ctx context.Context, out Output) error {
				return RunController(ctx, settings, out)
			})
		},
	}
	flags.add(cmd, &settings)
	return cmd
}

// RunController runs a controller until ctx ends, and then stops it in order. The error of a start that failed says what to do.
func RunController(ctx context.Context, settings config.Controller, out Output) error {
	options, err := controllerOptions(&settings.ControllerKeys, settings.BindAddress)
	if err != nil {
		return err
	}
	options.ProtectedKeys = strings.Split(settings.ConfigurationBlackList, ";")
	if out.watch, err = watch(settings.Metrics, settings.MetricsPort, out, watchedController(options.Self)); err != nil {
		return err
	}
	node, err := startController(options, &settings.ControllerKeys, settings.TLS, settings.Access, out)
	if err != nil {
		return errors.Join(err, out.watch.Close())
	}
	warnIfOpen(settings.Access, settings.BindAddress, out)
	announceController("The Controller Server boot success. serializeType=JSON, address ", node, &settings.ControllerKeys, out)
	out.say(accessFact(settings.Access, settings.BindAddress))
	announceWatch(out.watch, out)
	<-ctx.Done()
	out.watch.Subject(controllerNode).Stops()
	err = errors.Join(stopController(node), out.watch.Close())
	out.say("The Controller Server has stopped.")
	return err
}

func stopController(node *running[*controller.Server]) error {
	return node.stop(func(s *controller.Server) error { s.Close(); return nil })
}

// announceController tells where a controller is.
func announceController(line string, node *running[*controller.Server], keys *config.ControllerKeys, out Output) {
	address := node.node.Addr().String()
	out.say(line+address, fact("listens on", address), fact("id", keys.Self+" of "+keys.Peers), fact("data", keys.StorePath),
		fact("next", "gantry admin getControllerMetaData -a "+reachable(node.node.Addr())))
}

// controllerOptions are the settings in the node's own words.
func controllerOptions(k *config.ControllerKeys, bind string) (controller.Options, error) {
	peers, err := controller.ParsePeers(k.Peers)
	if err != nil {
		return controller.Options{}, wrongUsage("controllerDLegerPeers: %w", err)
	}
	options := controller.Options{
		Group: k.Group, Peers: peers, Self: k.Self, Directory: filepath.Base(k.StorePath),
		Settings:  controller.Settings{ElectUnclean: k.ElectUnclean, NoNotify: !k.NotifyRoles},
		Heartbeat: k.HeartbeatInterval, Election: k.ElectionTimeout, BrokerTimeout: k.BrokerTimeout,
	}
	for _, p := range peers {
		if p.ID == k.Self {
			_, port, _ := net.SplitHostPort(p.Address)
			options.Listen = net.JoinHostPort(bind, port)
		}
	}
	if _, err := options.Validate(); err != nil {
		return options, wrongUsage("%w", err)
	}
	return options, nil
}

// startController starts the node in a world of its own, which is what makes it another one than the name server in whose process it may run.
func startController(options controller.Options, keys *config.ControllerKeys, tls config.TLS, access config.Access, out Output) (*running[*controller.Server], error) {
	var err error
	if options.Access, err = accessOptions(access); err == nil {
		err = options.Access.Validate()
	}
	if err != nil {
		return nil, wrongUsage("%w", err)
	}
	at := place{listen: options.Listen, listenOption: "--controllerDLegerPeers", directory: keys.StorePath, directoryOption: "--controllerStorePath"}
	node, err := start(world(osenv.Options{Node: "controller", Root: filepath.Dir(keys.StorePath), Log: out.Log}, tls), func(e env.Env) (*controller.Server, error) {
		return controller.New(e, options)
	})
	if err == nil {
		out.watch.Subject(controllerNode).Serves(controllerSource{node})
	}
	return node, at.explainStart(err)
}

// watchedController is a controller by the labels of its metrics.
func watchedController(self string) monitor.Node {
	return monitor.Node{Name: controllerNode, Labels: []measure.Label{{Name: "node_type", Value: "controller"}, {Name: "node_id", Value: self}}}
}

// controllerSource is a controller that has started.
type controllerSource struct{ *running[*controller.Server] }

// Snapshot formats outside the node what was gathered in it.
func (s controllerSource) Snapshot() *measure.Snapshot {
	var m *controller.Measurement
	enter(s.world, func() { m = s.node.Measure() })
	snapshot := m.Snapshot()
	snapshot.Add(measure.Tasks, float64(s.world.Tasking()))
	return snapshot
}

// NotReady asks the node.
func (s controllerSource) NotReady() (why string) {
	enter(s.world, func() { why = s.node.NotReady() })
	return why
}

// Broken tells of a disk that has failed.
func (s controllerSource) Broken() (err error) {
	enter(s.world, func() { err = s.node.Failed() })
	return err
}

// startOwnController starts the controller of a name server's process, if it is to have one.
func startOwnController(settings *config.NameServer, out Output) (*running[*controller.Server], error) {
	if !settings.ControllerInNameServer {
		return nil, nil
	}
	options, err := controllerOptions(&settings.ControllerKeys, settings.BindAddress)
	if err != nil {
		return nil, err
	}
	options.ProtectedKeys = strings.Split(settings.ConfigurationBlackList, ";")
	node, err := startController(options, &settings.ControllerKeys, settings.TLS, settings.Access, out)
	if err != nil {
		return nil, fmt.Errorf("the controller in the name server (enableControllerInNamesrv): %w", err)
	}
	return node, nil
}

// stopOwnController stops it, if there is one.
func stopOwnController(node *running[*controller.Server]) error {
	if node == nil {
		return nil
	}
	return stopController(node)
}

// watchedNodes are those of a name server's process.
func watchedNodes(settings *config.NameServer) []monitor.Node {
	nodes := []monitor.Node{watchedNameServer(settings.BindAddress, settings.ListenPort)}
	if settings.ControllerInNameServer {
		nodes = append(nodes, watchedController(settings.Self))
	}
	return nodes
}
