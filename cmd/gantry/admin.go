package main

import (
	"context"
	"errors"
	"os"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/commandline"
	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/spf13/cobra"
)

// adminFlags are the flags that all admin commands have.
type adminFlags struct {
	console *console
	names   string
	asJSON  bool
	log     logOptions
}

func newAdmin(c *console) *cobra.Command {
	flags := &adminFlags{console: c}
	root := &cobra.Command{
		Use:   "admin",
		Short: "Look at a cluster, and change it",
		Long: `Looks at a cluster, and changes it. Commands and options are those of RocketMQ's mqadmin; options may
be written as there (-t T, -tT, -topic T, --topic=T) and commands in any case. Name servers that -n does not
name are taken from NAMESRV_ADDR. With --json the answer is JSON.`,
		Example: `  gantry admin clusterList -n localhost:9876
  gantry admin help updateTopic`,
	}
	setUsage(root, "")
	root.PersistentFlags().StringVarP(&flags.names, "namesrvAddr", "n", "", "name `servers`, host:port;host:port; default NAMESRV_ADDR")
	root.PersistentFlags().BoolVar(&flags.asJSON, "json", false, "print JSON")
	for _, cmd := range []*cobra.Command{
		newUpdateTopic(flags), newTopicList(flags), newTopicRoute(flags), newTopicStatus(flags),
		newClusterList(flags), newSendMessage(flags), newConsumeMessage(flags),
		newQueryByID(flags), newQueryByKey(flags), newQueryByUniqueKey(flags),
		newDeleteExpiredCommitLog(flags), newCleanExpiredQueues(flags),
	} {
		cmd.Args = noArguments
		setUsage(cmd, "")
		root.AddCommand(cmd)
	}
	flags.log.addFlags(root.PersistentFlags(), "error")
	return root
}

// with runs an admin command in a session.
func (f *adminFlags) with(cmd *cobra.Command, run func(ctx context.Context, s *session) error) error {
	names, err := f.nameServers()
	if err != nil {
		return err
	}
	log, err := f.log.logger(f.console)
	if err != nil {
		return err
	}
	s, err := newSession(names, log)
	if err != nil {
		return err
	}
	return explainAdmin(errors.Join(run(cmd.Context(), s), s.close()), names)
}

// nameServers checks what -n or NAMESRV_ADDR says.
func (f *adminFlags) nameServers() (string, error) {
	names := f.names
	if names == "" {
		names = os.Getenv("NAMESRV_ADDR")
	}
	list, err := config.NameServers(names)
	switch {
	case err != nil:
		return "", wrongUsage("-n: %w", err)
	case len(list) == 0:
		return "", wrongUsage("no name server is given: write -n host:9876, or set NAMESRV_ADDR")
	}
	return names, nil
}

func (f *adminFlags) show(v view) error { return show(f.console, v, f.asJSON) }

// explainAdmin adds the fix and the exit code to an error of an admin command.
func explainAdmin(err error, names string) error {
	var failed *failure
	var usage *commandline.UsageError
	switch {
	case err == nil, errors.As(err, &failed), errors.As(err, &usage):
		return err
	case errors.Is(err, client.ErrTopicNotFound):
		return &failure{cause: err, code: exitFailed, advice: "see the topics there are with topicList, or make it with updateTopic"}
	case errors.Is(err, client.ErrNoNameServer), errors.Is(err, client.ErrNotSent), isUnreachable(err):
		return &failure{cause: err, code: exitUnreachable, advice: "see that name servers run at " + names + " and that the brokers they know can be reached from here"}
	case errors.Is(err, client.ErrOption), errors.Is(err, client.ErrMessage):
		return &failure{cause: err, code: exitUsage}
	}
	return &failure{cause: err, code: exitFailed}
}

// required refuses an empty option.
func required(cmd *cobra.Command, long string) error {
	flag := cmd.Flags().Lookup(long)
	if flag.Value.String() != "" {
		return nil
	}
	return &commandline.UsageError{Path: cmd.CommandPath(), Problem: "option -" + flag.Shorthand + " (--" + long + ") is missing"}
}

// oneOf refuses none or both of two options.
func oneOf(cmd *cobra.Command, first, second string) error {
	a, b := cmd.Flags().Lookup(first), cmd.Flags().Lookup(second)
	if (a.Value.String() == "") != (b.Value.String() == "") {
		return nil
	}
	return &commandline.UsageError{Path: cmd.CommandPath(),
		Problem: "give either -" + a.Shorthand + " (--" + first + ") or -" + b.Shorthand + " (--" + second + ")"}
}

// needsValue makes a flag of true or false want the word, as RocketMQ's options do.
func needsValue(cmd *cobra.Command, longs ...string) {
	for _, long := range longs {
		cmd.Flags().Lookup(long).NoOptDefVal = ""
	}
}
