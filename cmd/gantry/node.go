package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/cmd/gantry/monitor"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

// Output is where a node announces itself and logs.
type Output struct {
	Text io.Writer
	Log  *zap.Logger
	// watch is told how its node gets on. It may be nil.
	watch *monitor.Server
}

// say writes lines to Text. A node does not stop because nobody reads them.
func (o Output) say(lines ...string) {
	_, _ = fmt.Fprintln(o.Text, strings.Join(lines, "\n"))
}

// fact is one line below an announcement.
func fact(name, value string) string { return fmt.Sprintf("  %-11s%s", name, value) }

// server is what all kinds of nodes do. The call needs the baton.
type server interface{ Start() error }

// running is a node that has started, with its world.
type running[S server] struct {
	world *osenv.World
	node  S
}

// start makes a world and a node in it.
func start[S server](options osenv.Options, make func(e env.Env) (S, error)) (*running[S], error) {
	world, err := osenv.New(options)
	if err != nil {
		return nil, err
	}
	r := &running[S]{world: world}
	world.Run(func(e env.Env) {
		if r.node, err = make(e); err == nil {
			err = r.node.Start()
		}
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// stop closes the node in order and waits for its tasks.
func (r *running[S]) stop(closeNode func(S) error) error {
	var err error
	r.world.Run(func(env.Env) { err = closeNode(r.node) })
	r.world.Wait()
	return err
}

// nodeFlags are the flags that all nodes have.
type nodeFlags struct {
	file           string
	printAll       bool
	printImportant bool
	log            logOptions
}

// add adds the flags and those of the keys of settings, a settings struct given by pointer.
func (f *nodeFlags) add(cmd *cobra.Command, settings any) {
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "configFile", "c", "", "properties `file` with configuration keys")
	flags.BoolVarP(&f.printAll, "printConfigItem", "p", false, "print all keys as they would be used, and exit")
	flags.BoolVarP(&f.printImportant, "printImportantConfig", "m", false, "print the keys that are set most, and exit")
	f.log.addFlags(flags, "info")
	addKeyFlags(flags, settings)
	setUsage(cmd, config.Help(settings))
}

// sources are the files that there are, that of encryption first, and what was typed.
func (f *nodeFlags) sources(cmd *cobra.Command, settings any) ([]config.Source, error) {
	typed := config.FromFlags(cmd.Flags(), settings)
	if f.file == "" {
		return withTLSFile(typed)
	}
	file, err := config.ReadFile(f.file)
	if err != nil {
		return nil, &failure{cause: err, code: exitUsage, advice: "name another file with -c"}
	}
	return withTLSFile(file, typed)
}

func withTLSFile(sources ...config.Source) ([]config.Source, error) {
	all, err := config.TLSFile(sources...)
	if err != nil {
		return nil, &failure{cause: err, code: exitUsage, advice: "name another file with --tls.config.file"}
	}
	return all, nil
}

// printed prints settings if -p or -m asks for it, and reports whether it did.
func (f *nodeFlags) printed(c *console, settings any) (bool, error) {
	if !f.printAll && !f.printImportant {
		return false, nil
	}
	return true, config.Print(c.out, settings, !f.printAll)
}

// untilStopped runs a node until a signal.
func (f *nodeFlags) untilStopped(cmd *cobra.Command, c *console, warnings []string, run func(ctx context.Context, out Output) error) error {
	out, err := nodeOutput(c, &f.log)
	if err != nil {
		return err
	}
	for _, warning := range warnings {
		out.Log.Warn(warning)
	}
	ctx, release := untilSignal(cmd.Context(), c)
	defer release()
	return run(ctx, out)
}

func nodeOutput(c *console, options *logOptions) (Output, error) {
	log, err := options.logger(c)
	return Output{Text: c.out, Log: log}, err
}
