package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// Broker is what an operator can set of a broker: the keys of broker.conf that this version honours.
type Broker struct {
	NamesrvAddr       string `key:"namesrvAddr" short:"n" unset:"NAMESRV_ADDR" important:"yes" doc:"name servers to register with, host:port;host:port"`
	BrokerClusterName string `key:"brokerClusterName" default:"DefaultCluster" important:"yes" doc:"the cluster it belongs to"`
	BrokerName        string `key:"brokerName" unset:"the host's name" important:"yes" doc:"its name, which routes carry"`
	BrokerID          int64  `key:"brokerId" default:"0" range:"0 2147483647" important:"yes" doc:"0 is the master; slaves have greater ones, each its own in its group, the brokers of one brokerName"`
	BrokerRole        string `key:"brokerRole" default:"ASYNC_MASTER" oneof:"ASYNC_MASTER SYNC_MASTER SLAVE" important:"yes" doc:"ASYNC_MASTER acknowledges by itself; SYNC_MASTER what inSyncReplicas copies have; SLAVE takes the log and the tables of its master, and serves reads"`
	BrokerIP1         string `key:"brokerIP1" unset:"bindAddress if it is one address, else one of this machine's" important:"yes" doc:"the IP address that clients are told"`
	ListenPort        int    `key:"listenPort" default:"10911" range:"0 65535" important:"yes" doc:"TCP port; 0 is any free one"`
	BindAddress       string `key:"bindAddress" default:"0.0.0.0" doc:"the IP address to listen on; 0.0.0.0 is all"`
	FastListenEnable  bool   `key:"fastListenEnable" default:"true" doc:"listen on listenPort - 2, too, for all requests but pulls (the VIP channel); the broker does not start if that port is taken, as Apache's; there is none if listenPort is below 3; a key of Gantry's own"`
	TLS
	BrokerMetrics
	Access
	Copies
	Elected

	StorePathRootDir                string        `key:"storePathRootDir" unset:"~/store" important:"yes" doc:"the directory of messages and tables"`
	FlushDiskType                   string        `key:"flushDiskType" default:"SYNC_FLUSH" oneof:"SYNC_FLUSH ASYNC_FLUSH" important:"yes" doc:"SYNC_FLUSH acknowledges a message once it is on the medium; ASYNC_FLUSH before, so that a crash of the machine may lose it"`
	SyncFlushTimeout                time.Duration `key:"syncFlushTimeout" unit:"ms" default:"5000" range:"100 600000" doc:"how long a send waits for the medium"`
	FlushIntervalCommitLog          time.Duration `key:"flushIntervalCommitLog" unit:"ms" default:"500" range:"1 3600000" doc:"pause between flushes with ASYNC_FLUSH"`
	FlushIntervalConsumeQueue       time.Duration `key:"flushIntervalConsumeQueue" unit:"ms" default:"1000" range:"1 3600000" doc:"pause between writes of consume queues"`
	MappedFileSizeCommitLog         int64         `key:"mappedFileSizeCommitLog" alias:"mapedFileSizeCommitLog" default:"1073741824" range:"131072 2147483647" doc:"bytes of a commit log file; must not change once there are files"`
	MappedFileSizeConsumeQueue      int64         `key:"mappedFileSizeConsumeQueue" alias:"mapedFileSizeConsumeQueue" default:"6000000" range:"20 2147483640" doc:"bytes of a consume queue file, a multiple of 20; must not change once there are files"`
	MapperFileSizeBatchConsumeQueue int64         `key:"mapperFileSizeBatchConsumeQueue" default:"13800000" range:"46 2147483640" doc:"bytes of a consume queue file of topics with queue.type=BatchCQ, a multiple of 46; must not change once there are files"`
	MaxMessageSize                  int           `key:"maxMessageSize" default:"4194304" range:"1 16000000" doc:"greatest body of a message, in bytes"`
	CheckpointInterval              time.Duration `key:"checkpointInterval" unit:"ms" default:"10000" range:"100 3600000" doc:"longest pause between checkpoints, which bound what a start after a crash reads again; a key of Gantry's own"`
	CheckpointLogBytes              int64         `key:"checkpointLogBytes" default:"268435456" range:"1048576 1099511627776" doc:"bytes of commit log after which a checkpoint comes early; a key of Gantry's own"`
	OpenQueueFilesMax               int           `key:"openQueueFilesMax" default:"1024" range:"16 1000000" doc:"most consume queue files that are kept open; a key of Gantry's own"`
	BusyTimeout                     time.Duration `key:"osPageCacheBusyTimeOutMills" unit:"ms" default:"1000" range:"10 600000" doc:"a write to the commit log that takes longer makes sends be refused as busy"`

	FileReservedTime     time.Duration `key:"fileReservedTime" unit:"h" default:"72" range:"1 876000" important:"yes" doc:"how long messages are kept; a file goes when its newest message is older"`
	DeleteWhen           string        `key:"deleteWhen" default:"04" important:"yes" doc:"hours of the day, 0 to 23, in which expired files go, with ; between them"`
	DiskMaxUsed          int           `key:"diskMaxUsedSpaceRatio" default:"75" range:"10 95" important:"yes" doc:"percent of the disk above which expired files go at any hour"`
	DiskCleanForcibly    int           `key:"diskSpaceCleanForciblyRatio" default:"85" range:"30 85" doc:"percent above which the oldest files go, expired or not, unread or not; diskSpaceWarningLevelRatio counts too if it is lower"`
	DiskWarning          int           `key:"diskSpaceWarningLevelRatio" default:"90" range:"35 90" doc:"percent above which messages are refused as well"`
	CleanFileForcibly    bool          `key:"cleanFileForciblyEnable" default:"true" doc:"false keeps files until they expire, however full the disk is"`
	CleanInterval        time.Duration `key:"cleanResourceInterval" unit:"ms" default:"10000" range:"100 3600000" doc:"pause between looks at what can go"`
	DeleteFileBatchMax   int           `key:"deleteFileBatchMax" default:"10" range:"1 100000" doc:"most commit log files that go at each look"`
	DeleteCommitLogPause time.Duration `key:"deleteCommitLogFilesInterval" unit:"ms" default:"100" range:"1 3600000" doc:"pause between two files that go"`

	MessageIndexEnable bool `key:"messageIndexEnable" default:"true" doc:"keep an index by which messages are found by key"`
	MaxHashSlotNum     int  `key:"maxHashSlotNum" default:"5000000" range:"1 100000000" doc:"slots of an index file; must not change once there are files"`
	MaxIndexNum        int  `key:"maxIndexNum" default:"20000000" range:"2 80000000" doc:"keys of an index file, and 1; must not change once there are files"`

	AutoCreateTopicEnable       bool   `key:"autoCreateTopicEnable" default:"true" important:"yes" doc:"a send to an unknown topic makes it"`
	AutoCreateSubscriptionGroup bool   `key:"autoCreateSubscriptionGroup" default:"true" important:"yes" doc:"a consumer of an unknown group makes it"`
	DefaultTopicQueueNums       int    `key:"defaultTopicQueueNums" default:"8" range:"1 65536" doc:"most queues of a topic made by a send"`
	BrokerPermission            string `key:"brokerPermission" default:"6" oneof:"6 4 2" doc:"what clients may do: 6 read and write, 4 read, 2 write"`

	LongPollingEnable   bool          `key:"longPollingEnable" default:"true" doc:"hold a pull that finds nothing as long as the consumer allows"`
	ShortPollingTime    time.Duration `key:"shortPollingTimeMills" unit:"ms" default:"1000" range:"1 3600000" doc:"how long to hold it with longPollingEnable=false"`
	StoreReply          bool          `key:"storeReplyMessageEnable" default:"true" doc:"store replies to requests as well, beside handing them to who asked"`
	PropertyFilter      bool          `key:"enablePropertyFilter" default:"true" doc:"let consumers choose messages by expressions over their properties (SQL92), not by tags only; Apache's default is false"`
	PullBytesMax        int           `key:"maxTransferBytesOnMessageInMemory" default:"262144" range:"1024 16000000" doc:"most bytes of one pull"`
	PullMessagesMax     int           `key:"maxTransferCountOnMessageInMemory" default:"32" range:"1 100000" doc:"most messages of one pull"`
	PopsOfOneGroup      int           `key:"popPollingSize" default:"1024" range:"1 1000000" doc:"most pops of a group at a topic that wait for a message"`
	PopsHeld            int           `key:"maxPopPollingSize" default:"100000" range:"1 10000000" doc:"most pops in all that wait for a message"`
	InFlightMax         int           `key:"popInflightMessageThreshold" default:"100000" range:"32 10000000" doc:"most messages of a queue that a group has popped and not acknowledged; Apache's default is no limit"`
	DefaultMode         string        `key:"defaultMessageRequestMode" default:"PULL" oneof:"PULL POP" doc:"how consumers that leave the division of queues to the broker get messages, if setConsumeMode has not said otherwise"`
	DefaultPopShare     int           `key:"defaultPopShareQueueNum" default:"-1" range:"-1 65536" doc:"from the queues of how many other members one that pops also takes; -1 is of all"`
	ColdBytesMax        int           `key:"maxTransferBytesOnMessageInDisk" default:"262144" range:"1024 16000000" doc:"most bytes of one pull of messages that are not in memory"`
	ColdMessagesMax     int           `key:"maxTransferCountOnMessageInDisk" default:"32" range:"1 100000" doc:"most messages of one pull of messages that are not in memory"`
	MemoryRatio         int           `key:"accessMessageInMemoryMaxRatio" default:"40" range:"1 100" doc:"percent of the machine's memory that the newest messages are taken to be in"`
	SlaveReadEnable     bool          `key:"slaveReadEnable" default:"false" doc:"a master advises consumers of older messages to pull from the slave that their group names (whichBrokerWhenConsumeSlowly); a slave serves what consumers ask besides pulls, such as offsets, so that they go on without a master"`
	OffsetsInterval     time.Duration `key:"flushConsumerOffsetInterval" unit:"ms" default:"5000" range:"1 3600000" doc:"pause between writes of consumer offsets"`
	ChannelExpired      time.Duration `key:"channelExpiredTimeout" unit:"ms" default:"120000" range:"1000 86400000" doc:"a client silent for that long has left"`
	LockMaxLiveTime     time.Duration `key:"lockMaxLiveTime" unit:"ms" default:"60000" range:"1000 3600000" doc:"ms that a lock of a queue lasts which its owner does not renew (ordered consumption)"`
	MessageDelayLevel   string        `key:"messageDelayLevel" default:"1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h" doc:"times of the delay levels, from level 1 on, in s, m, h or d; redeliveries begin at level 3"`
	TimerWheel          bool          `key:"timerWheelEnable" default:"true" doc:"take messages that wait for a time of their own"`
	TimerMaxDelay       time.Duration `key:"timerMaxDelaySec" unit:"s" default:"259200" range:"1 31536000" doc:"how long they may wait; keep the log for longer than that (fileReservedTime)"`
	RecallMessage       bool          `key:"recallMessageEnable" default:"true" doc:"let such messages be withdrawn by who has the handle that the send was answered with; Apache's default is false"`
	RejectTransactions  bool          `key:"rejectTransactionMessage" default:"false" doc:"take no messages of transactions"`
	TransactionTimeout  time.Duration `key:"transactionTimeOut" unit:"ms" default:"6000" range:"1 86400000" doc:"age of a transaction at which its producers are asked what became of it"`
	TransactionInterval time.Duration `key:"transactionCheckInterval" unit:"ms" default:"30000" range:"10 86400000" doc:"pause before they are asked again"`
	TransactionChecks   int           `key:"transactionCheckMax" default:"15" range:"1 1000000" doc:"how often they are asked before the transaction is rolled back, and its message kept in TRANS_CHECK_MAX_TIME_TOPIC"`
	Repeats             bool          `key:"repeatsEnable" default:"true" doc:"know sends that come again, if they carry an id of their producer and a sequence, as those of Gantry's own client do, and answer them with the place of the first; a key of Gantry's own"`
	RepeatWindow        int           `key:"repeatWindow" default:"4096" range:"1 1000000" doc:"how many sends of each producer are known again; older ones are refused; a key of Gantry's own"`
	RepeatTime          time.Duration `key:"repeatTimeSec" unit:"s" default:"600" range:"1 86400" doc:"how long a producer is known that sends nothing; a key of Gantry's own"`
	RepeatProducersMax  int           `key:"repeatProducersMax" default:"10000" range:"1 1000000" doc:"how many producers are known at once; beyond that the ones that are silent longest are forgotten; a key of Gantry's own"`
	RepeatSendsMax      int           `key:"repeatSendsMax" default:"1000000" range:"1 100000000" doc:"how many sends of all producers are known, each of which takes 32 bytes of memory or somewhat more; a key of Gantry's own"`
	RegisterPeriod      time.Duration `key:"registerNameServerPeriod" unit:"ms" default:"30000" range:"1 3600000" doc:"pause between registrations, at least 10 s and at most 60 s"`
	RegisterTimeout     time.Duration `key:"registerBrokerTimeoutMills" unit:"ms" default:"6000" range:"100 600000" doc:"how long to wait for a name server's answer"`
	ServerBalance       bool          `key:"serverLoadBalancerEnable" default:"true" doc:"share out the queues among consumers that leave it to the broker; false gives each of them all queues"`
	RoutesFor           time.Duration `key:"loadBalancePollNameServerInterval" unit:"ms" default:"30000" range:"1 3600000" doc:"how old the routes may be by which it shares out queues"`
	RegionID            string        `key:"regionId" default:"DefaultRegion" doc:"the region, which messages and answers carry"`
}

// LoadBroker applies sources to the defaults, in their order, and checks the result. The warnings tell
// of keys without effect. The error names every key that is wrong, and what to do.
func LoadBroker(machine Machine, sources ...Source) (Broker, []string, error) {
	var b Broker
	warnings, err := read(&b, brokerRules.with(tlsRules).with(metricsRules).with(accessRules), sources)
	if err != nil {
		return b, warnings, err
	}
	b.complete(machine)
	return b, warnings, errors.Join(b.validate(), checkPaths(sources, b.StorePathRootDir))
}

// complete gives what is not set the value of the machine.
func (b *Broker) complete(machine Machine) {
	fill := func(text *string, value string) {
		if *text == "" {
			*text = value
		}
	}
	fill(&b.BrokerName, machine.HostName)
	if b.BindAddress != "0.0.0.0" && b.BindAddress != "::" {
		fill(&b.BrokerIP1, b.BindAddress)
	}
	fill(&b.BrokerIP1, machine.Address)
	fill(&b.NamesrvAddr, machine.NameServers)
	fill(&b.StorePathRootDir, filepath.Join(machine.Home, "store"))
	b.RegisterPeriod = min(max(b.RegisterPeriod, 10*time.Second), time.Minute)
	b.completeCopies()
}

func (b *Broker) validate() error {
	var mistakes []error
	if _, err := NameServers(b.NamesrvAddr); err != nil {
		mistakes = append(mistakes, fmt.Errorf("namesrvAddr: %w", err))
	}
	if ip, err := netip.ParseAddr(b.BrokerIP1); err != nil || ip.IsUnspecified() {
		mistakes = append(mistakes, fmt.Errorf("brokerIP1: %q is not an IP address that clients can reach", b.BrokerIP1))
	}
	if _, err := netip.ParseAddr(b.BindAddress); err != nil {
		mistakes = append(mistakes, fmt.Errorf("bindAddress: %q is not an IP address", b.BindAddress))
	}
	if _, err := Hours(b.DeleteWhen); err != nil {
		mistakes = append(mistakes, fmt.Errorf("deleteWhen: %w", err))
	}
	if _, err := DelayLevels(b.MessageDelayLevel); err != nil {
		mistakes = append(mistakes, fmt.Errorf("messageDelayLevel: %w", err))
	}
	if b.MappedFileSizeConsumeQueue%QueueEntrySize != 0 {
		mistakes = append(mistakes, fmt.Errorf("mappedFileSizeConsumeQueue: %d is not a multiple of %d, the size of an entry", b.MappedFileSizeConsumeQueue, QueueEntrySize))
	}
	if b.MapperFileSizeBatchConsumeQueue%BatchQueueEntrySize != 0 {
		mistakes = append(mistakes, fmt.Errorf("mapperFileSizeBatchConsumeQueue: %d is not a multiple of %d, the size of an entry", b.MapperFileSizeBatchConsumeQueue, BatchQueueEntrySize))
	}
	if room := b.MappedFileSizeCommitLog - recordRoom; int64(b.MaxMessageSize) > room {
		mistakes = append(mistakes, fmt.Errorf("maxMessageSize: %d does not fit into a commit log file of %d bytes: lower it to %d or less, or raise mappedFileSizeCommitLog", b.MaxMessageSize, b.MappedFileSizeCommitLog, room))
	}
	return errors.Join(append(mistakes, b.validateCopies(), b.TLS.validate(), b.Metrics.validate())...)
}

const (
	// QueueEntrySize is what one message takes in a consume queue, in bytes.
	QueueEntrySize = 20
	// BatchQueueEntrySize is what one record takes in a consume queue of a topic with queue.type=BatchCQ, in bytes.
	BatchQueueEntrySize = 46
	// recordRoom is more than a record in the commit log has beside the body.
	recordRoom = 65 << 10
)

// checkPaths refuses to lay parts of the store elsewhere than below its root.
func checkPaths(sources []Source, root string) error {
	var mistakes []error
	for _, source := range sources {
		for _, key := range source.sorted() {
			name, isPath := brokerRules.paths[key]
			value := strings.TrimSpace(source.Keys[key])
			if want := filepath.Join(root, name); isPath && value != "" && filepath.Clean(value) != want {
				mistakes = append(mistakes, fmt.Errorf("%s: %s=%s is refused, because all of the store lies below storePathRootDir; remove the key or set it to %s", source.Name, key, value, want))
			}
		}
	}
	return errors.Join(mistakes...)
}
