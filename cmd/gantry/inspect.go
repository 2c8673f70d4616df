package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/spf13/cobra"
)

// inspectFlags are the flags that all commands have that read a store's directory.
type inspectFlags struct {
	console   *console
	directory string
	file      string
	asJSON    bool
}

func newInspect(c *console) *cobra.Command {
	f := &inspectFlags{console: c}
	root := &cobra.Command{
		Use:   "inspect",
		Short: "Look into the files of a broker, and repair them",
		Long: `Looks into the files of a broker: messages, queues, the index of keys, the checkpoint and the tables. All but
check and repair also work while the broker runs, and may then miss what it has just written. Only
repair --apply changes anything.

The directory is the one that --dir names, or else storePathRootDir of the file that -c names, or else ~/store. The sizes of
files are taken from the file that -c names; without it they are read off the files of the directory.

Files that no broker makes, such as the copies of an editor, are passed over and named on standard error.`,
		Example: `  gantry inspect log --dir /data/store
  gantry inspect log --at 4096 --hex
  gantry inspect queue -t orders -q 0 --from 100
  gantry inspect check -c broker.conf`,
	}
	setUsage(root, "")
	root.PersistentFlags().StringVar(&f.directory, "dir", "", "`directory` of the broker, its storePathRootDir")
	root.PersistentFlags().StringVarP(&f.file, "configFile", "c", "", "properties `file` of the broker")
	root.PersistentFlags().BoolVar(&f.asJSON, "json", false, "print JSON")
	for _, cmd := range []*cobra.Command{
		newInspectLog(f), newInspectQueue(f), newInspectIndex(f), newInspectCheckpoint(f), newInspectConfig(f), newInspectCheck(f), newInspectRepair(f),
	} {
		cmd.Args = noArguments
		setUsage(cmd, "")
		root.AddCommand(cmd)
	}
	return root
}

func (f *inspectFlags) show(v view) error { return show(f.console, v, f.asJSON) }

// in runs a command in the world of the directory.
func (f *inspectFlags) in(run func(e env.Env, options store.Options) error) error {
	settings, err := f.settings()
	if err != nil {
		return err
	}
	if err := f.findStore(); err != nil {
		return err
	}
	world, err := osenv.New(osenv.Options{Node: "inspect", Root: f.directory})
	if err != nil {
		return err
	}
	world.Run(func(e env.Env) {
		var options store.Options
		if options, err = f.options(e, settings); err == nil {
			err = run(e, options)
		}
	})
	world.Wait()
	return f.explain(err)
}

// inspection is one look at a directory.
type inspection struct {
	*inspectFlags
	env     env.Env
	options store.Options // with the sizes of files
	store   *store.Inspector
	// warnings tell what could not be shown, beside those of the Inspector.
	warnings []string
}

// with runs a command with an Inspector of the directory.
func (f *inspectFlags) with(run func(x *inspection) error) error {
	return f.in(func(e env.Env, options store.Options) error {
		i, err := store.Inspect(e, options)
		if err != nil {
			return err
		}
		x := &inspection{inspectFlags: f, env: e, options: options, store: i}
		err = run(x)
		for _, warning := range append(i.Warnings(), x.warnings...) {
			// What was asked for is shown; if standard error is gone, nobody misses the rest.
			_, _ = fmt.Fprintln(f.console.err, "warning: "+warning)
		}
		return errors.Join(err, i.Close())
	})
}

// settings are those of the broker, as far as they are known. They settle the directory.
func (f *inspectFlags) settings() (config.Broker, error) {
	var sources []config.Source
	if f.file != "" {
		file, err := config.ReadFile(f.file)
		if err != nil {
			return config.Broker{}, &failure{cause: err, code: exitUsage, advice: "name another file with -c"}
		}
		sources = append(sources, file)
	}
	settings, _, err := config.LoadBroker(thisMachine(), sources...)
	if err != nil {
		return settings, wrongUsage("%w", err)
	}
	if f.directory == "" {
		f.directory = settings.StorePathRootDir
	}
	return settings, nil
}

// findStore refuses a directory that is none of a broker, so that nothing is made there.
func (f *inspectFlags) findStore() error {
	for _, name := range []string{"commitlog", "config"} {
		if info, err := os.Stat(filepath.Join(f.directory, name)); err == nil && info.IsDir() {
			return nil
		} else if errors.Is(err, fs.ErrPermission) {
			return f.explain(err)
		}
	}
	advice := "name the broker's storePathRootDir with --dir (that of a standalone is ~/gantry-data/store), or its configuration file with -c"
	if f.file != "" {
		advice = "name the broker's directory with --dir, or correct storePathRootDir in " + f.file
	}
	return &failure{cause: fmt.Errorf("%s is no directory of a broker: it has neither commitlog nor config in it", f.directory), code: exitUsage, advice: advice}
}

// options are those of the configuration; without one, the sizes are those of the files.
func (f *inspectFlags) options(e env.Env, settings config.Broker) (store.Options, error) {
	options, err := storeOptions(settings, 0)
	if err != nil || f.file != "" {
		return options, err
	}
	return store.WithSizesOf(e, options)
}

// indexFits refuses to work on an index of keys with sizes that it was not made with: what it holds would not be seen.
func indexFits(e env.Env, options store.Options) error {
	if options.DisableIndex {
		return nil
	}
	return index.Fits(e.Disk, options.Index)
}

// explain adds the fix to an error of a directory.
func (f *inspectFlags) explain(err error) error {
	var failed *failure
	if err == nil || errors.As(err, &failed) {
		return err
	}
	failed = &failure{cause: err, code: exitFailed}
	switch {
	case errors.Is(err, env.ErrLocked):
		failed.advice = "stop the broker that uses " + f.directory + " first; log, queue, index, checkpoint and config also work while it runs"
	case errors.Is(err, segment.ErrForeign), errors.Is(err, index.ErrForeign):
		failed.advice = "if the broker is not set as usual, name its configuration file with -c: the sizes of files are in it"
		if f.file != "" {
			failed.advice = "compare the sizes of files in " + f.file + " with those of the files, or leave out -c and name the directory with --dir: then sizes are read off the files"
		}
	case errors.Is(err, fs.ErrPermission):
		failed.advice = "run this as the user that the broker runs as"
	}
	return failed
}
