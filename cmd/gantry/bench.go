package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"time"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/spf13/cobra"
)

// benchOptions are what gantry bench measures.
type benchOptions struct {
	NameServers string
	Topic       string
	Size        int
	Connections int
	InFlight    int
	Messages    int
	Queues      int
	Flush       string
	Data        string
	SkipConsume bool
	JSON        bool
	Profile     string
	secrets     *osenv.ClientTLS // nil: connections are plain
}

func newBench(c *console) *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast messages are sent and consumed",
		Long: `Sends messages over TCP and consumes them again, and prints rates, latencies and the CPU time that a
message costs. Unless -n names name servers, it starts a name server and a broker of its own in
this process, in a directory that it removes afterwards; CPU time then covers both sides.`,
		Example: `  gantry bench
  gantry bench --size 100 --connections 8 --inFlight 32 --flush ASYNC_FLUSH
  gantry bench -n localhost:9876 --messages 1000000 --skipConsume`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return wrongUsage("%w", err)
			}
			secrets, err := toolTLS(cmd)
			if err != nil {
				return err
			}
			o.secrets = secrets
			return runBench(cmd.Context(), o, c)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.NameServers, "namesrvAddr", "n", "", "name `servers` of the brokers to measure; none starts own ones")
	flags.StringVarP(&o.Topic, "topic", "t", "gantry-bench", "`topic` to use")
	flags.IntVar(&o.Size, "size", 1024, "`bytes` of a body")
	flags.IntVar(&o.Connections, "connections", 1, "`number` of producers and of consumers, with a connection each")
	flags.IntVar(&o.InFlight, "inFlight", 32, "`sends` under way at once on each connection")
	flags.IntVar(&o.Messages, "messages", 200_000, "`number` of messages")
	flags.IntVar(&o.Queues, "queues", 8, "`queues` of the topic")
	flags.StringVar(&o.Flush, "flush", "SYNC_FLUSH", "flush `mode` of the own broker: SYNC_FLUSH or ASYNC_FLUSH")
	flags.StringVar(&o.Data, "data", "", "`directory` of the own broker; a temporary one unless stated")
	flags.BoolVar(&o.SkipConsume, "skipConsume", false, "only send")
	flags.StringVar(&o.Profile, "profile", "", "`file` for a CPU profile of the measurement, to be read with go tool pprof")
	flags.BoolVar(&o.JSON, "json", false, "print the result as JSON")
	addKeyFlags(flags, new(config.ClientTLS))
	setUsage(cmd, config.Help(new(config.ClientTLS)))
	return cmd
}

// validate names the first option that cannot be.
func (o benchOptions) validate() error {
	for _, check := range []struct {
		name  string
		value int
		least int
	}{{"size", o.Size, 1}, {"connections", o.Connections, 1}, {"inFlight", o.InFlight, 1}, {"messages", o.Messages, 1}, {"queues", o.Queues, 1}} {
		if check.value < check.least {
			return fmt.Errorf("--%s %d: want at least %d", check.name, check.value, check.least)
		}
	}
	if o.Flush != "SYNC_FLUSH" && o.Flush != "ASYNC_FLUSH" {
		return fmt.Errorf("--flush %s: want SYNC_FLUSH or ASYNC_FLUSH", o.Flush)
	}
	return nil
}

func runBench(ctx context.Context, o benchOptions, c *console) (err error) {
	if o.NameServers == "" {
		own, failed := startBenchNodes(o, c)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, own.close()) }()
		o.NameServers = own.names.node.Addr().String()
		if o.secrets != nil {
			// The own nodes make their certificates themselves.
			o.secrets.AnyServer = true
		}
	} else {
		// It is theirs, and not asked for.
		o.Flush = ""
	}
	b, err := newBenchmark(ctx, o, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	stop, err := startProfile(o.Profile)
	if err != nil {
		return err
	}
	result, err := b.run(ctx)
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	return show(c, result, o.JSON)
}

// startProfile profiles this process into a file, if one is named, until stop.
func startProfile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}

// benchNodes are the own name server and broker.
type benchNodes struct {
	*standalone
	remove string // directory, or ""
}

func startBenchNodes(o benchOptions, c *console) (*benchNodes, error) {
	out, err := nodeOutput(c, &logOptions{level: "warn", format: "console"})
	if err != nil {
		return nil, err
	}
	n := &benchNodes{}
	data := o.Data
	if data == "" {
		if data, err = os.MkdirTemp("", "gantry-bench"); err != nil {
			return nil, err
		}
		n.remove = data
	}
	options := StandaloneOptions{Data: data, Address: loopback}
	if o.secrets != nil {
		options.TLS.Mode = string(osenv.TLSEnforcing)
	}
	n.standalone, err = startStandaloneWith(options, out, func(settings *config.Broker) { settings.FlushDiskType = o.Flush })
	if err != nil {
		return nil, errors.Join(err, n.removeData())
	}
	return n, nil
}

func (n *benchNodes) removeData() error {
	if n.remove == "" {
		return nil
	}
	return os.RemoveAll(n.remove)
}

func (n *benchNodes) close() error { return errors.Join(n.stop(), n.removeData()) }

// benchTimeout bounds a single send or pull.
const benchTimeout = 30 * time.Second
