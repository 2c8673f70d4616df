package broker

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// Options of a broker, with the broker's own words for them. Zero fields take the defaults of DefaultOptions.
type Options struct {
	Name    string // brokerName
	Cluster string // brokerClusterName
	ID      int64  // brokerId; 0 is the master
	// Listen is the address of the main port (listenPort).
	Listen string
	// FastListen is the address of a second port that serves all but pulls (Java's broker opens the main port less 2). "" is none.
	FastListen string
	// AdvertisedIP is the address that clients are told (brokerIP1). It must be one they can reach.
	AdvertisedIP netip.Addr
	// NameServers are asked to route clients here (namesrvAddr), host:port each.
	NameServers []string
	// Role says whether this broker is a master, and which, or a slave (brokerRole).
	Role        Role
	Replication Replication
	// Election is what a controller has decided, for the roles that it gives; see Member.
	Election *Election
	// Membership is about controllers, for brokers that NewMember makes.
	Membership Membership
	Store      store.Options
	Limits     transport.Limits

	Perm                  proto.Perm    // brokerPermission
	NoAutoTopics          bool          // autoCreateTopicEnable=false
	NoAutoGroups          bool          // autoCreateSubscriptionGroup=false
	DefaultTopicQueues    int32         // defaultTopicQueueNums
	NoLongPolling         bool          // longPollingEnable=false
	NoPropertyFilter      bool          // enablePropertyFilter=false: subscriptions of SQL92 are refused
	TransactionsOff       bool          // rejectTransactionMessage=true
	TransactionsMax       int           // open at once
	TransactionTimeout    time.Duration // transactionTimeOut: age of the first check of a transaction
	TransactionCheckEvery time.Duration // transactionCheckInterval
	TransactionChecksMax  int           // transactionCheckMax: then it is given up
	TimersOff             bool          // timerWheelEnable=false: no messages that wait for a time of their own
	NoRecalls             bool          // recallMessageEnable=false: such messages cannot be withdrawn
	TimersMax             int           // messages that wait so at once
	TimerMax              time.Duration // timerMaxDelaySec: for how long
	// Of sends that carry an id of their producer and a sequence, the broker knows these again when they are repeated (Gantry's own).
	RepeatsOff         bool          // repeatsEnable=false: none
	RepeatWindow       int           // repeatWindow: the last ones of each producer
	RepeatsFor         time.Duration // repeatTimeSec: of producers that have sent something in this time
	RepeatProducersMax int           // repeatProducersMax: producers at once; who is silent longest is forgotten
	RepeatSendsMax     int           // repeatSendsMax: sends of all producers together, 32 bytes each or somewhat more
	NoReplyStore       bool          // storeReplyMessageEnable=false: replies are handed to who asked, but not stored
	ShortPollingFor    time.Duration
	HeldPopsMax        int  // maxPopPollingSize; further ones are answered "polling full" at once
	HeldPopsOfLineMax  int  // popPollingSize: of them, those of one group at one topic
	InFlightMax        int  // popInflightMessageThreshold: messages of one queue that a group has popped and not acknowledged; then no new ones are handed out
	HeldPullsMax       int  // further ones are answered "nothing found" at once
	PullMessagesMax    int  // messages of one pull (maxTransferCountOnMessageInMemory)
	PullBytesMax       int  // bytes of one pull (maxTransferBytesOnMessageInMemory)
	SlaveRead          bool // slaveReadEnable: who reads old messages is sent to the slave that its group names
	RegisterEvery      time.Duration
	RegisterTimeout    time.Duration
	RoutesFor          time.Duration // loadBalancePollNameServerInterval: how long the broker takes a route for right by which it shares out queues
	NoServerBalance    bool          // serverLoadBalancerEnable=false: who asks the broker for its queues gets all
	// DefaultMode (defaultMessageRequestMode) is how groups get messages that ask the broker for their queues, if no tool has said more;
	// DefaultPopShare (defaultPopShareQueueNum) of how many others a member that pops also takes: 0 or less is all.
	DefaultMode          proto.MessageRequestMode
	DefaultPopShare      int32
	SaveOffsetsEvery     time.Duration // flushConsumerOffsetInterval
	ClientTimeout        time.Duration // a client without a heartbeat for that long has left
	QueueLockFor         time.Duration // a lock that is not renewed lasts so long (rocketmq.broker.rebalance.lockMaxLiveTime)
	Region               string        // regionId
	TopicsMax, GroupsMax int           // automatic creation stops there
	ShutdownGrace        time.Duration
	Measuring            MeasureLimits // what monitoring may cost
	// Settings are all that the operator can set, with the values in force. The broker only shows them to tools (GET_BROKER_CONFIG), beside
	// what it knows itself, such as the port that it got.
	Settings proto.ConfigText
	// Access says who may do what. The zero value lets everybody do everything.
	Access guard.Options
	// SaveSettings keeps what tools change of them (UPDATE_BROKER_CONFIG). Without it changes are in force until the broker stops.
	SaveSettings SaveSettings
}

// DefaultOptions are those of a broker called as it stands.
func DefaultOptions() Options {
	return Options{
		Name: "broker-a", Cluster: "DefaultCluster", Listen: ":10911",
		Perm: proto.PermReadWrite, DefaultTopicQueues: 8,
		ShortPollingFor: time.Second, HeldPullsMax: 100_000, HeldPopsMax: 100_000, HeldPopsOfLineMax: 1024, InFlightMax: 100_000, PullMessagesMax: 32, PullBytesMax: 256 << 10,
		RegisterEvery: 30 * time.Second, RegisterTimeout: 6 * time.Second, RoutesFor: 30 * time.Second, SaveOffsetsEvery: 5 * time.Second, DefaultPopShare: -1,
		ClientTimeout: 120 * time.Second, Region: "DefaultRegion", TopicsMax: 100_000, GroupsMax: 100_000,
		ShutdownGrace: 3 * time.Second, QueueLockFor: time.Minute, TimersMax: 20_000_000, TimerMax: 72 * time.Hour,
		TransactionsMax: 1_000_000, TransactionTimeout: 6 * time.Second, TransactionCheckEvery: 30 * time.Second, TransactionChecksMax: 15,
		RepeatWindow: 4096, RepeatsFor: 10 * time.Minute, RepeatProducersMax: 10_000, RepeatSendsMax: 1_000_000,
		Measuring: DefaultMeasureLimits(),
	}
}

func (o Options) withDefaults() Options {
	d := DefaultOptions()
	fill(&o.Name, d.Name)
	fill(&o.Cluster, d.Cluster)
	fill(&o.Listen, d.Listen)
	fill(&o.Perm, d.Perm)
	fill(&o.DefaultTopicQueues, d.DefaultTopicQueues)
	fill(&o.ShortPollingFor, d.ShortPollingFor)
	fill(&o.HeldPullsMax, d.HeldPullsMax)
	fill(&o.HeldPopsMax, d.HeldPopsMax)
	fill(&o.HeldPopsOfLineMax, d.HeldPopsOfLineMax)
	fill(&o.InFlightMax, d.InFlightMax)
	fill(&o.PullMessagesMax, d.PullMessagesMax)
	fill(&o.PullBytesMax, d.PullBytesMax)
	fill(&o.RegisterEvery, d.RegisterEvery)
	fill(&o.RegisterTimeout, d.RegisterTimeout)
	fill(&o.RoutesFor, d.RoutesFor)
	fill(&o.SaveOffsetsEvery, d.SaveOffsetsEvery)
	fill(&o.ClientTimeout, d.ClientTimeout)
	fill(&o.QueueLockFor, d.QueueLockFor)
	fill(&o.TimersMax, d.TimersMax)
	fill(&o.TransactionsMax, d.TransactionsMax)
	fill(&o.TransactionTimeout, d.TransactionTimeout)
	fill(&o.TransactionCheckEvery, d.TransactionCheckEvery)
	fill(&o.TransactionChecksMax, d.TransactionChecksMax)
	fill(&o.TimerMax, d.TimerMax)
	fill(&o.RepeatWindow, d.RepeatWindow)
	fill(&o.RepeatsFor, d.RepeatsFor)
	fill(&o.RepeatProducersMax, d.RepeatProducersMax)
	fill(&o.RepeatSendsMax, d.RepeatSendsMax)
	fill(&o.Region, d.Region)
	if len(o.Store.DelayLevels) == 0 {
		o.Store.DelayLevels = store.DelayLevels()
	}
	fill(&o.TopicsMax, d.TopicsMax)
	fill(&o.GroupsMax, d.GroupsMax)
	fill(&o.ShutdownGrace, d.ShutdownGrace)
	o.Measuring = o.Measuring.withDefaults()
	o.Replication = o.Replication.withDefaults()
	return o
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate names the first field that cannot be.
func (o Options) Validate() error {
	o = o.withDefaults()
	switch {
	case !o.AdvertisedIP.IsValid() || o.AdvertisedIP.IsUnspecified():
		return errors.New("brokerIP1: set the address by which clients reach this broker")
	case !o.Perm.Valid():
		return fmt.Errorf("brokerPermission %d: want 2 (write), 4 (read) or 6 (both)", o.Perm)
	case o.DefaultTopicQueues < 1 || o.DefaultTopicQueues > queuesMax:
		return fmt.Errorf("defaultTopicQueueNums %d: want 1 to %d", o.DefaultTopicQueues, queuesMax)
	case o.RepeatWindow < 1 || o.RepeatWindow > repeatWindowMax:
		return fmt.Errorf("repeatWindow %d: want 1 to %d", o.RepeatWindow, repeatWindowMax)
	case o.RepeatsFor < 10*time.Millisecond || o.RepeatProducersMax < 1 || o.RepeatSendsMax < 1:
		return fmt.Errorf("repeatTimeSec %v, repeatProducersMax %d, repeatSendsMax %d: want at least 10ms, 1 and 1", o.RepeatsFor, o.RepeatProducersMax, o.RepeatSendsMax)
	case o.HeldPullsMax < 1:
		return fmt.Errorf("HeldPullsMax %d: want at least 1", o.HeldPullsMax)
	case o.HeldPopsMax < 1:
		return fmt.Errorf("maxPopPollingSize %d: want at least 1", o.HeldPopsMax)
	case o.HeldPopsOfLineMax < 1:
		return fmt.Errorf("popPollingSize %d: want at least 1", o.HeldPopsOfLineMax)
	case o.InFlightMax < popMessagesMax:
		return fmt.Errorf("popInflightMessageThreshold %d: want at least %d, which one pop may take", o.InFlightMax, popMessagesMax)
	}
	role, id := o.Role, o.ID
	if len(o.Membership.Controllers) > 0 && o.Election == nil {
		role, id = ElectedCopy, 1 // until controllers say otherwise
	}
	if err := o.Replication.validate(role, id); err != nil {
		return err
	}
	if err := proto.ValidateTopic(o.Name); err != nil {
		return fmt.Errorf("brokerName: %w", err)
	}
	if err := proto.ValidateTopic(o.Cluster); err != nil {
		return fmt.Errorf("brokerClusterName: %w", err)
	}
	return o.Access.Validate()
}

// repeatWindowMax bounds the sends of one producer that are known again.
const repeatWindowMax = 1_000_000

// queuesMax bounds the queues of one topic.
const queuesMax = 65_536
