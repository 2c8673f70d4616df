package client

import (
	"net/netip"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
)

// ProducerOption configures a producer.
type ProducerOption interface{ applyProducer(*config) }

// ConsumerOption configures any consumer.
type ConsumerOption interface {
	QueueOption
	PopOption
	applyConsumer(*config)
}

// AdminOption configures an Admin.
type AdminOption interface{ applyAdmin(*config) }

// Option configures any role.
type Option interface {
	ProducerOption
	ConsumerOption
	AdminOption
}

// GroupOption configures what belongs to a group: producers and consumers.
type GroupOption interface {
	ProducerOption
	ConsumerOption
}

type (
	option         func(*config)
	groupOption    func(*config)
	producerOption func(*config)
	adminOption    func(*config)
	consumerOption func(*config)
)

func (o option) applyProducer(c *config)         { o(c) }
func (o option) applyConsumer(c *config)         { o(c) }
func (o option) applyAdmin(c *config)            { o(c) }
func (o option) applyLitePull(c *config)         { o(c) }
func (o groupOption) applyLitePull(c *config)    { o(c) }
func (o consumerOption) applyLitePull(c *config) { o(c) }
func (o groupOption) applyProducer(c *config)    { o(c) }
func (o groupOption) applyConsumer(c *config)    { o(c) }
func (o producerOption) applyProducer(c *config) { o(c) }
func (o consumerOption) applyConsumer(c *config) { o(c) }
func (o adminOption) applyAdmin(c *config)       { o(c) }

// config is all that options set.
type config struct {
	// All roles.
	resolver                Resolver
	encryption              Encryption // nil: connections are plain
	credentials             signature.Credentials
	address                 netip.Addr // "clientIP"; not valid: that of the first connection
	instance                string     // "instanceName"; "": made up
	unit                    string     // "unitName"
	process                 int        // 0: made up
	stream                  bool       // a consumer that is polled ("enableStreamRequestType")
	requestTimeout          time.Duration
	dialTimeout             time.Duration
	routeRefreshEvery       time.Duration
	nameServerRefreshEvery  time.Duration
	heartbeatEvery          time.Duration
	space                   namespace // in names
	spaceV2                 string    // in a field of each request
	group                   string
	sendTimeout             time.Duration
	tryTimeout              time.Duration // 0: what is left of sendTimeout
	retries                 int
	asyncRetries            int
	retryCodes              map[int32]bool
	retryUnlessSafelyStored bool
	sequencesOff            bool
	bodyMax                 int
	compressFrom            int // bytes; 0: never
	compression             message.Compression
	compressionLevel        int
	createFrom              string // "createTopicKey"
	createQueues            int    // "defaultTopicQueueNums"
	selector                Selector
	rooms                   []string    // machine rooms to prefer
	faultSteps              []FaultStep // none: no fault tolerance
	detectEvery             time.Duration
	detectTimeout           time.Duration
	detects                 bool
	backOff                 backOff
	sendHooks               []SendHook
	forbiddenChecks         []forbiddenCheck
	outputMax               int           // bytes
	trace                   *TraceOptions // nil: off
	unpackedMax             int           // bytes
	windowMessages          int
	windowBytes             int
	requestsMax             int
	listener                TransactionListener // nil: none
	listens                 bool                // a listener was given
	listenerTopics          []string
	checksAtOnce            int
	checksWaiting           int
	transactionHooks        []TransactionHook
	subscriptions           []subscription
	holdFor                 time.Duration
	pullTimeout             time.Duration
	push                    pushConfig
	lite                    liteConfig
	pop                     popConfig
}

type subscription struct {
	topic  string
	filter Filter
}

// defaultConfig has the values that Java clients have.
func defaultConfig() *config {
	return &config{
		requestTimeout:         3 * time.Second,
		dialTimeout:            3 * time.Second,
		routeRefreshEvery:      30 * time.Second,
		nameServerRefreshEvery: 2 * time.Minute,
		heartbeatEvery:         30 * time.Second,
		sendTimeout:            3 * time.Second,
		retries:                2,
		asyncRetries:           2,
		retryCodes:             defaultRetryCodes(),
		bodyMax:                4 << 20,
		compressFrom:           message.CompressionThresholdDefault,
		compression:            message.CompressionZlib,
		compressionLevel:       message.CompressionLevelDefault,
		createFrom:             proto.DefaultTopic,
		createQueues:           4,
		backOff:                backOff{first: 20 * time.Millisecond, max: time.Second},
		outputMax:              transport.DefaultLimits().Output,
		unpackedMax:            bodyMax,
		windowMessages:         1024,
		windowBytes:            100 << 20,
		requestsMax:            10_000,
		checksAtOnce:           1,
		checksWaiting:          2000,
		holdFor:                20 * time.Second,
		pullTimeout:            30 * time.Second,
		push:                   defaultPush(),
		lite:                   defaultLite(),
		pop:                    defaultPop(),
	}
}

// WithNameServers names the name servers, each as host:port; one text may hold several, joined
// by semicolons, as in NAMESRV_ADDR ("namesrvAddr").
func WithNameServers(addresses ...string) Option { return WithResolver(Static(addresses)) }

// WithResolver takes the list of name servers from somewhere else. It is asked at first use
// and then every two minutes.
func WithResolver(resolver Resolver) Option {
	return option(func(c *config) { c.resolver = resolver })
}

// WithClientAddress sets the address by which this client is shown to others ("clientIP"). It is part of the
// client id and of unique ids. Without it, the local address of the first connection is taken.
func WithClientAddress(address netip.Addr) Option {
	return option(func(c *config) { c.address = address })
}

// WithInstanceName sets the second part of the client id ("instanceName"). It must differ among the
// clients of one machine; without it, one is made up.
func WithInstanceName(name string) Option { return option(func(c *config) { c.instance = name }) }

// WithUnitName sets the third part of the client id ("unitName").
func WithUnitName(name string) Option { return option(func(c *config) { c.unit = name }) }

// WithProcess sets the process number that is part of unique ids; without it, one is made up.
func WithProcess(id int) Option { return option(func(c *config) { c.process = id }) }

// WithRequestTimeout bounds requests that have no limit of their own, such as those to name
// servers ("mqClientApiTimeout"). The default is 3 s.
func WithRequestTimeout(timeout time.Duration) Option {
	return option(func(c *config) { c.requestTimeout = timeout })
}

// WithDialTimeout bounds the making of a connection. The default is 3 s.
func WithDialTimeout(timeout time.Duration) Option {
	return option(func(c *config) { c.dialTimeout = timeout })
}

// WithRouteRefresh sets how often the routes of topics in use are fetched again
// ("pollNameServerInterval"). The default is 30 s.
func WithRouteRefresh(every time.Duration) Option {
	return option(func(c *config) { c.routeRefreshEvery = every })
}

// WithNameServerRefresh sets how often a Resolver is asked. The default is 2 min.
func WithNameServerRefresh(every time.Duration) Option {
	return option(func(c *config) { c.nameServerRefreshEvery = every })
}

// WithHeartbeat sets how often brokers hear of this client ("heartbeatBrokerInterval"). The
// default is 30 s; brokers forget a client after 120 s.
func WithHeartbeat(every time.Duration) Option {
	return option(func(c *config) { c.heartbeatEvery = every })
}

// WithGroup names the group. It is required.
func WithGroup(group string) GroupOption { return groupOption(func(c *config) { c.group = group }) }

// WithSendTimeout bounds a send with all its tries ("sendMsgTimeout"). The default is 3 s.
func WithSendTimeout(timeout time.Duration) ProducerOption {
	return producerOption(func(c *config) { c.sendTimeout = timeout })
}

// WithTryTimeout bounds each try but the last ("sendMsgMaxTimeoutPerRequest"). Without it, the first broker
// that does not answer uses up the whole send timeout.
func WithTryTimeout(timeout time.Duration) ProducerOption {
	return producerOption(func(c *config) { c.tryTimeout = timeout })
}

// WithRetries sets how many further tries Send ("retryTimesWhenSendFailed") and SendAsync
// ("retryTimesWhenSendAsyncFailed") make. The default is 2 for both. If a topic has one broker only, and that is away, tries do not count:
// the send waits until it is back, or another one of its group is master, as long as the send timeout allows. With 0 it fails at once.
func WithRetries(retries, asyncRetries int) ProducerOption {
	return producerOption(func(c *config) { c.retries, c.asyncRetries = retries, asyncRetries })
}

// WithRetryCodes adds response codes after which Send tries another broker.
func WithRetryCodes(codes ...int32) ProducerOption {
	return producerOption(func(c *config) {
		for _, code := range codes {
			c.retryCodes[code] = true
		}
	})
}

// WithRetryUnlessSafelyStored makes Send try another broker if the message was stored with a status other
// than SendOK ("retryAnotherBrokerWhenNotStoreOK"). The message is then stored twice.
func WithRetryUnlessSafelyStored() ProducerOption {
	return producerOption(func(c *config) { c.retryUnlessSafelyStored = true })
}

// WithMaxMessageSize bounds the body of a message, and of a whole batch, in bytes
// ("maxMessageSize"). The default is 4 MiB.
func WithMaxMessageSize(bytes int) ProducerOption {
	return producerOption(func(c *config) { c.bodyMax = bytes })
}

// WithCompression compresses bodies of at least so many bytes ("compressMsgBodyOverHowmuch", "compressType",
// "compressLevel"). The default is zlib at level 5 from 4096 bytes on; only zlib is understood by all clients. Levels
// go from 1 to 9 for zlib and to 22 for zstd; lz4 has none. Bytes 0 switches it off.
func WithCompression(fromBytes int, kind message.Compression, level int) ProducerOption {
	return producerOption(func(c *config) {
		c.compressFrom, c.compression, c.compressionLevel = fromBytes, kind, level
	})
}

// WithTopicCreation sets the topic whose settings a topic gets that is created by sending to it
// ("createTopicKey"), and how many queues it shall have ("defaultTopicQueueNums"). The defaults are TBW102 and 4.
func WithTopicCreation(from string, queues int) ProducerOption {
	return producerOption(func(c *config) { c.createFrom, c.createQueues = from, queues })
}

// WithSelector chooses the queue of each message. Without it, messages go round all queues.
func WithSelector(selector Selector) ProducerOption {
	return producerOption(func(c *config) { c.selector = selector })
}

// WithWindow bounds the asynchronous sends under way, by number and by bytes of their bodies. The
// defaults are 1024 and 100 MiB ("backPressureForAsyncSendNum", "backPressureForAsyncSendSize"). While there is no room,
// SendAsync waits and TrySendAsync refuses.
func WithWindow(messages, bytes int) ProducerOption {
	return producerOption(func(c *config) { c.windowMessages, c.windowBytes = messages, bytes })
}

// WithSubscription filters what is pulled from a topic. Topics without one are not filtered.
func WithSubscription(topic string, filter Filter) ConsumerOption {
	return consumerOption(func(c *config) {
		c.subscriptions = append(c.subscriptions, subscription{topic, filter})
	})
}

// WithHold sets how long a broker may hold a pull while there is nothing new ("brokerSuspendMaxTimeMillis"). The
// default is 20 s; 0 makes brokers answer at once.
func WithHold(hold time.Duration) ConsumerOption {
	return consumerOption(func(c *config) { c.holdFor = hold })
}

// WithPullTimeout bounds a pull ("consumerTimeoutMillisWhenSuspend"). It must be longer than the hold. The
// default is 30 s.
func WithPullTimeout(timeout time.Duration) ConsumerOption {
	return consumerOption(func(c *config) { c.pullTimeout = timeout })
}
