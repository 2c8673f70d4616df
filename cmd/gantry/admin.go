package main

import (
	"cmp"
	"context"
	"errors"
	"os"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/commandline"
	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// adminFlags are the flags that all admin commands have.
type adminFlags struct {
	console *console
	names   string
	who     string // the file of credentials
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
name are taken from NAMESRV_ADDR. With --json the answer is JSON. --tls.enable true encrypts connections; all commands
take the keys below.`,
		Example: `  gantry admin clusterList -n localhost:9876
  gantry admin clusterList -n localhost:9876 --tls.enable true --tls.client.trustCertPath ca.pem
  gantry admin help updateTopic`,
	}
	setUsage(root, config.Help(new(config.ClientTLS)))
	addKeyFlags(root.PersistentFlags(), new(config.ClientTLS))
	root.PersistentFlags().StringVarP(&flags.names, "namesrvAddr", "n", "", "name `servers`, host:port;host:port; default NAMESRV_ADDR")
	root.PersistentFlags().StringVar(&flags.who, "credentials", "", "YAML `file` with accessKey and secretKey; default ROCKETMQ_ACCESS_KEY and ROCKETMQ_SECRET_KEY, or $ROCKETMQ_HOME/conf/tools.yml")
	root.PersistentFlags().BoolVar(&flags.asJSON, "json", false, "print JSON")
	for _, cmd := range []*cobra.Command{
		newUpdateTopic(flags), newUpdateTopicList(flags), newDeleteTopic(flags), newUpdateTopicPerm(flags), newUpdateOrderConf(flags),
		newTopicList(flags), newTopicRoute(flags), newTopicStatus(flags), newTopicClusterList(flags),
		newClusterList(flags), newBrokerStatus(flags), newHAStatus(flags), newGetBrokerConfig(flags), newUpdateBrokerConfig(flags),
		newWipeWritePerm(flags), newAddWritePerm(flags), newSendMsgStatus(flags), newClusterRT(flags), newStatsAll(flags), newBrokerConsumeStats(flags),
		newUpdateSubGroup(flags), newUpdateSubGroupList(flags), newSetConsumeMode(flags), newDeleteSubGroup(flags), newGetConsumerConfig(flags), newConsumerProgress(flags),
		newConsumerStatus(flags), newConsumerConnection(flags), newProducerConnection(flags), newProducer(flags),
		newResetOffsetByTime(flags), newSkipAccumulatedMessage(flags), newCloneGroupOffset(flags),
		newSendMessage(flags), newConsumeMessage(flags), newCheckMsgSendRT(flags), newPrintMsg(flags), newPrintMsgByQueue(flags),
		newQueryByID(flags), newQueryByKey(flags), newQueryByUniqueKey(flags), newQueryByOffset(flags), newQueryCq(flags),
		newGetNamesrvConfig(flags), newUpdateNamesrvConfig(flags), newUpdateKvConfig(flags), newDeleteKvConfig(flags),
		newGetControllerMetaData(flags), newGetSyncStateSet(flags), newElectMaster(flags), newDrain(flags), newGetBrokerEpoch(flags), newCleanBrokerMetadata(flags), newGetControllerConfig(flags), newUpdateControllerConfig(flags),
		newCreateUser(flags), newUpdateUser(flags), newDeleteUser(flags), newGetUser(flags), newListUser(flags), newCopyUser(flags),
		newCreateACL(flags), newUpdateACL(flags), newDeleteACL(flags), newGetACL(flags), newListACL(flags), newCopyACL(flags),
		newUpdateACLConfig(flags), newDeleteACLConfig(flags), newGetACLConfig(flags), newClusterACLConfigVersion(flags), newUpdateGlobalWhiteAddr(flags),
		newDeleteExpiredCommitLog(flags), newCleanExpiredQueues(flags), newCleanUnusedTopic(flags), newDoctor(flags),
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
	return f.withNames(cmd, names, run)
}

// withBroker is with for commands that may be given the address of a broker. That one is asked itself, so it needs no name server.
func (f *adminFlags) withBroker(cmd *cobra.Command, broker string, run func(ctx context.Context, s *session) error) error {
	names := cmp.Or(f.names, os.Getenv("NAMESRV_ADDR"))
	if broker == "" || names != "" {
		var err error
		if names, err = f.nameServers(); err != nil {
			return err
		}
	} else if _, err := config.NameServers(broker); err != nil {
		return wrongUsage("-b: %w", err)
	}
	return f.withNames(cmd, cmp.Or(names, broker), func(ctx context.Context, s *session) error {
		err := run(ctx, s)
		var failed *failure
		if broker != "" && !errors.As(err, &failed) && (errors.Is(err, client.ErrNotSent) || isUnreachable(err)) {
			return &failure{cause: err, code: exitUnreachable, advice: "see that a broker runs at " + broker + " and that it can be reached from here"}
		}
		return err
	})
}

// withNames is with for commands that may do without name servers.
func (f *adminFlags) withNames(cmd *cobra.Command, names string, run func(ctx context.Context, s *session) error) error {
	log, err := f.log.logger(f.console)
	if err != nil {
		return err
	}
	secrets, err := toolTLS(cmd)
	if err != nil {
		return err
	}
	who, err := f.credentials()
	if err != nil {
		return err
	}
	s, err := newSessionOver(secrets, who, names, log)
	if err != nil {
		return explainAdmin(err, names)
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
	case errors.Is(err, osenv.ErrCertificates):
		return &failure{cause: err, code: exitUsage, advice: "name PEM files that this user can read, with the options that begin with --tls"}
	case errors.Is(err, osenv.ErrTLS):
		return &failure{cause: err, code: exitUnreachable, advice: "see what is said above, and the options that begin with --tls (gantry admin -h)"}
	case errors.Is(err, client.ErrNoNameServer), errors.Is(err, client.ErrNotSent), isUnreachable(err):
		return &failure{cause: err, code: exitUnreachable, advice: "see that name servers run at " + names + " and that the brokers they know can be reached from here"}
	case errors.Is(err, client.ErrOption), errors.Is(err, client.ErrMessage):
		return &failure{cause: err, code: exitUsage}
	case errors.Is(err, client.ErrNoBroker):
		return &failure{cause: err, code: exitFailed, advice: "see clusters and their brokers with clusterList"}
	}
	return &failure{cause: err, code: exitFailed, advice: adviceAbout(err)}
}

// adviceAbout says what to do about an answer of a broker; "" if only its remark can tell.
func adviceAbout(err error) string {
	var answer *client.ResponseError
	if !errors.As(err, &answer) {
		return ""
	}
	switch answer.Code {
	case proto.RespTopicNotExist:
		return "see where the topic is with topicRoute, or make it with updateTopic"
	case proto.RespSubscriptionGroupNotExist:
		return "see the groups there are with consumerProgress, or make it with updateSubGroup"
	case proto.RespRequestCodeNotSupported:
		return "it is not offered there; see versions with clusterList and consumerConnection"
	case proto.RespNoPermission:
		return "see what is permitted with topicRoute and getBrokerConfig (brokerPermission); where only users are let in, say who you are with --credentials, " +
			"and see your rights with getAcl"
	case proto.RespConsumeMessageTimeout:
		return "the client did not answer in time; see whether it hangs with consumerStatus -s"
	}
	return ""
}

// required refuses an empty option.
func required(cmd *cobra.Command, long string) error {
	flag := cmd.Flags().Lookup(long)
	if flag.Value.String() != "" {
		return nil
	}
	return &commandline.UsageError{Path: cmd.CommandPath(), Problem: optionName(flag) + " is missing"}
}

// given refuses an option that was not typed; it may be typed as empty.
func given(cmd *cobra.Command, long string) error {
	flag := cmd.Flags().Lookup(long)
	if flag.Changed {
		return nil
	}
	return &commandline.UsageError{Path: cmd.CommandPath(), Problem: optionName(flag) + " is missing"}
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
