package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

func newBroker(c *console) *cobra.Command {
	var settings config.Broker
	var flags nodeFlags
	cmd := &cobra.Command{
		Use:   "broker",
		Short: "Run a broker",
		Long: `Runs a broker: it stores messages and hands them to consumers. Keys are taken from the file,
then from the command line; name servers that neither names from NAMESRV_ADDR.

` + signalHelp,
		Example: `  gantry broker -n localhost:9876
  gantry broker -n 'host1:9876;host2:9876' -c broker.conf
  gantry broker --brokerName broker-b --listenPort 10921 --storePathRootDir /data/store
  gantry broker -n localhost:9876 --brokerName broker-a --brokerRole SYNC_MASTER
  gantry broker -n localhost:9876 --brokerName broker-a --brokerRole SLAVE --brokerId 1
  gantry broker -c broker.conf -m`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sources, err := flags.sources(cmd, &settings)
			if err != nil {
				return err
			}
			settings, warnings, err := config.LoadBroker(thisMachine(), sources...)
			if err != nil {
				return wrongUsage("%w", err)
			}
			if done, err := flags.printed(c, &settings); done {
				return err
			}
			return flags.untilStopped(cmd, c, warnings, func(ctx context.Context, out Output) error {
				return runBroker(ctx, settings, out, flags.keeper(cmd, &settings).save)
			})
		},
	}
	flags.add(cmd, &settings)
	return cmd
}

// RunBroker runs a broker until ctx ends, and then stops it in order. The error of a start that
// failed says what to do.
func RunBroker(ctx context.Context, settings config.Broker, out Output) error {
	return runBroker(ctx, settings, out, nil)
}

// runBroker is RunBroker with a place for changes of settings.
func runBroker(ctx context.Context, settings config.Broker, out Output, save broker.SaveSettings) error {
	var err error
	if out.watch, err = watch(settings.Metrics, settings.MetricsPort, out, watchedBroker(settings.BrokerClusterName, settings.BrokerName)); err != nil {
		return err
	}
	node, err := startBroker(settings, out, place{listenOption: "--listenPort", directoryOption: "--storePathRootDir"}, save)
	if err != nil {
		return errors.Join(err, out.watch.Close())
	}
	announceBroker(settings, node.node.Address(), out)
	announceWatch(out.watch, out)
	<-ctx.Done()
	out.watch.Subject(brokerNode).Stops()
	err = errors.Join(stopBroker(node), out.watch.Close())
	out.say("The broker[" + settings.BrokerName + "] has stopped.")
	return err
}

func stopBroker(node *running[anyBroker]) error { return node.stop(anyBroker.Close) }

// startBroker starts the node; at holds the names of options for its advice, and save, which may be nil, keeps changes of settings.
func startBroker(settings config.Broker, out Output, at place, save broker.SaveSettings) (*running[anyBroker], error) {
	options, err := brokerOptions(settings)
	if err != nil {
		return nil, wrongUsage("%w", err)
	}
	var recovering recovery
	out.watch.Subject(brokerNode).Starting(recovering.String)
	options.Store.Progress, options.SaveSettings = recovering.watched(recoveryProgress(out.Log)), save
	at.listen, at.directory = options.Listen, settings.StorePathRootDir
	node, err := start(world(osenv.Options{Node: settings.BrokerName, Root: at.directory, Log: out.Log}, settings.TLS), func(e env.Env) (anyBroker, error) {
		return makeBroker(e, options)
	})
	if err == nil {
		out.watch.Subject(brokerNode).Serves(brokerSource{node})
	}
	return node, at.explainStart(err)
}

// announceBroker prints the line that RocketMQ's scripts wait for, and what an operator wants to know.
func announceBroker(settings config.Broker, address netip.AddrPort, out Output) {
	boot := fmt.Sprintf("The broker[%s, %s] boot success. serializeType=JSON", settings.BrokerName, address)
	next := "gantry admin clusterList -n " + settings.NamesrvAddr
	if strings.Contains(settings.NamesrvAddr, ";") {
		next = "gantry admin clusterList -n '" + settings.NamesrvAddr + "'"
	}
	if settings.NamesrvAddr == "" {
		out.Log.Warn("no name server is known, so clients cannot find this broker: name them with -n host:port")
		next = "start it again with -n host:9876, once there is a name server"
	} else {
		boot += " and name server is " + settings.NamesrvAddr
	}
	if address.Addr().IsLoopback() && settings.BindAddress != address.Addr().String() {
		out.Log.Warn("clients are told a loopback address, which only this machine reaches: set brokerIP1 to let others in")
	}
	warnIfOpen(settings.Access, settings.BindAddress, out)
	warnOfOpenCopies(settings, out)
	out.say(boot,
		fact("listens on", net.JoinHostPort(settings.BindAddress, strconv.Itoa(int(address.Port())))),
		fact("data", settings.StorePathRootDir),
		fact("flush", flushPromise(settings.FlushDiskType)),
		fact("copies", copiesPromise(settings)),
		accessFact(settings.Access, settings.BindAddress),
		fact("next", next))
}

// flushPromise says what an acknowledgement means.
func flushPromise(mode string) string {
	if mode == store.AsyncFlush.String() {
		return mode + ": an acknowledged message survives a crash of the broker, but not always one of the machine"
	}
	return mode + ": an acknowledged message is on the medium"
}

// requestModes are the values of defaultMessageRequestMode.
var requestModes = map[string]proto.MessageRequestMode{proto.ModePull.String(): proto.ModePull, proto.ModePop.String(): proto.ModePop}

// brokerOptions are the settings in the node's own words.
func brokerOptions(s config.Broker) (broker.Options, error) {
	servers, err := config.NameServers(s.NamesrvAddr)
	if err != nil {
		return broker.Options{}, fmt.Errorf("namesrvAddr: %w", err)
	}
	advertised, err := netip.ParseAddr(s.BrokerIP1)
	if err != nil {
		return broker.Options{}, fmt.Errorf("brokerIP1: %w", err)
	}
	perm, err := strconv.Atoi(s.BrokerPermission)
	if err != nil {
		return broker.Options{}, fmt.Errorf("brokerPermission: %w", err)
	}
	stored, err := storeOptions(s, osenv.Memory())
	if err != nil {
		return broker.Options{}, err
	}
	options := broker.Options{
		Name: s.BrokerName, Cluster: s.BrokerClusterName, ID: s.BrokerID,
		Listen:       net.JoinHostPort(s.BindAddress, strconv.Itoa(s.ListenPort)),
		FastListen:   fastListen(s),
		AdvertisedIP: advertised, NameServers: servers,
		Store:                 stored,
		Perm:                  proto.Perm(perm),
		NoAutoTopics:          !s.AutoCreateTopicEnable,
		NoAutoGroups:          !s.AutoCreateSubscriptionGroup,
		DefaultTopicQueues:    int32(s.DefaultTopicQueueNums),
		NoLongPolling:         !s.LongPollingEnable,
		NoPropertyFilter:      !s.PropertyFilter,
		TransactionsOff:       s.RejectTransactions,
		TransactionTimeout:    s.TransactionTimeout,
		TransactionCheckEvery: s.TransactionInterval,
		TransactionChecksMax:  s.TransactionChecks,
		RepeatsOff:            !s.Repeats,
		RepeatWindow:          s.RepeatWindow,
		RepeatsFor:            s.RepeatTime,
		RepeatProducersMax:    s.RepeatProducersMax,
		RepeatSendsMax:        s.RepeatSendsMax,
		TimersOff:             !s.TimerWheel,
		NoRecalls:             !s.RecallMessage,
		TimerMax:              s.TimerMaxDelay,
		NoReplyStore:          !s.StoreReply,
		ShortPollingFor:       s.ShortPollingTime,
		HeldPopsMax:           s.PopsHeld,
		HeldPopsOfLineMax:     s.PopsOfOneGroup,
		InFlightMax:           s.InFlightMax,
		DefaultMode:           requestModes[s.DefaultMode],
		DefaultPopShare:       int32(s.DefaultPopShare),
		PullMessagesMax:       s.PullMessagesMax,
		PullBytesMax:          s.PullBytesMax,
		SlaveRead:             s.SlaveReadEnable,
		RegisterEvery:         s.RegisterPeriod,
		RegisterTimeout:       s.RegisterTimeout,
		NoServerBalance:       !s.ServerBalance,
		RoutesFor:             s.RoutesFor,
		SaveOffsetsEvery:      s.OffsetsInterval,
		ClientTimeout:         s.ChannelExpired,
		QueueLockFor:          s.LockMaxLiveTime,
		Region:                s.RegionID,
		Measuring:             broker.DefaultMeasureLimits(),
	}
	options.Measuring.Series = s.SeriesMax
	if options.Membership, err = membership(s); err != nil {
		return options, fmt.Errorf("controllerAddr: %w", err)
	}
	return withPeers(options, s)
}

// withPeers adds what is about others: copies, and who may do what.
func withPeers(options broker.Options, s config.Broker) (broker.Options, error) {
	var err error
	options.Role = roles[s.BrokerRole]
	if options.Replication, err = replication(s); err != nil {
		return options, err
	}
	if options.Access, err = accessOptions(s.Access); err != nil {
		return options, err
	}
	for key, value := range config.Values(&s) {
		options.Settings = append(options.Settings, proto.ConfigEntry{Key: key, Value: value})
	}
	return options, options.Validate()
}

// fastListen is the address of the fast port, or "".
func fastListen(s config.Broker) string {
	if !s.FastListenEnable || s.ListenPort < 3 {
		return ""
	}
	return net.JoinHostPort(s.BindAddress, strconv.Itoa(s.ListenPort-2))
}

// storeOptions are the store's settings in its own words; memory is that of the machine in bytes, 0 if it is not known.
func storeOptions(s config.Broker, memory int64) (store.Options, error) {
	hours, err := config.Hours(s.DeleteWhen)
	if err != nil {
		return store.Options{}, fmt.Errorf("deleteWhen: %w", err)
	}
	levels, err := config.DelayLevels(s.MessageDelayLevel)
	if err != nil {
		return store.Options{}, fmt.Errorf("messageDelayLevel: %w", err)
	}
	options := store.Options{
		DelayLevels:         levels,
		LogSegmentSize:      s.MappedFileSizeCommitLog,
		QueueSegmentEntries: s.MappedFileSizeConsumeQueue / config.QueueEntrySize,
		BatchSegmentEntries: s.MapperFileSizeBatchConsumeQueue / config.BatchQueueEntrySize,
		BodySizeMax:         s.MaxMessageSize,
		FlushTimeout:        s.SyncFlushTimeout,
		FlushEvery:          s.FlushIntervalCommitLog,
		SaveQueuesEvery:     s.FlushIntervalConsumeQueue,
		CheckpointEvery:     s.CheckpointInterval,
		CheckpointBytes:     s.CheckpointLogBytes,
		OpenFilesMax:        s.OpenQueueFilesMax,
		BusyAfter:           s.BusyTimeout,
		ReplicaTimeout:      s.SlaveTimeout,
		Cached:              memory / 100 * int64(s.MemoryRatio),
		ColdCountMax:        s.ColdMessagesMax,
		ColdBytesMax:        s.ColdBytesMax,
		DisableIndex:        !s.MessageIndexEnable,
		Index:               index.Sizes{Slots: int32(s.MaxHashSlotNum), Items: int32(s.MaxIndexNum)},
		Zone:                time.Local,
		KeepFor:             s.FileReservedTime,
		DeleteAt:            hours,
		DiskUse:             diskUse(s),
		NeverForce:          !s.CleanFileForcibly,
		CleanEvery:          s.CleanInterval,
		DeleteMax:           s.DeleteFileBatchMax,
		DeletePause:         s.DeleteCommitLogPause,
	}
	if s.FlushDiskType == store.AsyncFlush.String() {
		options.Flush = store.AsyncFlush
	}
	return options, nil
}

// diskUse lets the oldest files go wherever messages are refused, as Apache's broker does: otherwise they would be refused
// until files expire.
func diskUse(s config.Broker) store.DiskUse {
	share := func(percent int) float64 { return float64(percent) / 100 }
	return store.DiskUse{
		Expire: share(s.DiskMaxUsed), Force: share(min(s.DiskCleanForcibly, s.DiskWarning)), Refuse: share(s.DiskWarning),
	}
}
