package client

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
)

// OptionError says which option of a constructor cannot be used.
type OptionError struct {
	Option string // the function that sets it, such as "WithGroup"
	Value  string
	Want   string // what to give instead
}

// Error names the option and says what it takes.
func (e *OptionError) Error() string {
	return fmt.Sprintf("%s(%s): give %s", e.Option, e.Value, e.Want)
}

// Unwrap returns ErrOption.
func (e *OptionError) Unwrap() error { return ErrOption }

// role is what a core works for.
type role int

const (
	roleAdmin role = iota
	roleProducer
	roleConsumer
	rolePush
	roleLitePull
	rolePop
)

// check is one rule about one option.
type check struct {
	ok                  bool
	option, value, want string
}

// validate returns an *OptionError for the first option that cannot be used.
func (c *config) validate(r role) error {
	checks := c.commonChecks()
	switch r {
	case roleProducer:
		checks = append(append(append(checks, c.groupCheck()), c.producerChecks()...), c.deliveryChecks()...)
		checks = append(append(checks, c.hookChecks()...), c.transactionChecks()...)
	case roleConsumer:
		checks = append(append(checks, c.groupCheck()), c.consumerChecks()...)
	case rolePush:
		checks = append(append(checks, c.groupCheck()), c.pushChecks()...)
	case roleLitePull:
		checks = append(append(checks, c.groupCheck()), c.liteChecks()...)
	case rolePop:
		checks = append(append(checks, c.groupCheck()), c.popConsumerChecks()...)
	}
	for _, k := range checks {
		if !k.ok {
			return &OptionError{Option: k.option, Value: k.value, Want: k.want}
		}
	}
	return nil
}

func (c *config) commonChecks() []check {
	return []check{
		{c.unpackedMax > 0, "WithDecompressionLimit", strconv.Itoa(c.unpackedMax), "a number of bytes above 0"},
		{c.resolver != nil && len(asList(c.resolver)) > 0, "WithNameServers", "",
			"at least one address host:port, or set NAMESRV_ADDR, or use WithResolver"},
		c.addressCheck(),
		{c.space == "" || !strings.Contains(string(c.space), separator) && proto.ValidateGroup(string(c.space)) == nil, "WithNamespace",
			strconv.Quote(string(c.space)), "a name of letters, digits, - and _"},
		atLeast("WithRequestTimeout", c.requestTimeout, time.Millisecond),
		atLeast("WithDialTimeout", c.dialTimeout, time.Millisecond),
		atLeast("WithRouteRefresh", c.routeRefreshEvery, 10*time.Millisecond),
		atLeast("WithNameServerRefresh", c.nameServerRefreshEvery, 10*time.Millisecond),
		atLeast("WithHeartbeat", c.heartbeatEvery, 10*time.Millisecond),
		{c.credentials.Valid() || c.credentials == (signature.Credentials{}), "WithCredentials", strconv.Quote(c.credentials.AccessKey) + ", …",
			"an access key and a secret key"},
		{c.process >= 0, "WithProcess", strconv.Itoa(c.process), "a process number"},
	}
}

// asList gives the addresses of a static resolver; other resolvers have one for all we know.
func asList(r Resolver) []string {
	if static, ok := r.(Static); ok {
		return splitAddresses(static)
	}
	return []string{""}
}

// addressCheck is about the first address of a static resolver that nobody could dial.
func (c *config) addressCheck() check {
	static, _ := c.resolver.(Static)
	for _, address := range splitAddresses(static) {
		if !dialable(address) {
			return check{false, "WithNameServers", strconv.Quote(address), "addresses host:port with a port from 1 to 65535"}
		}
	}
	return check{ok: true}
}

// dialable reports whether an address has a host and a port. The colons of an IPv6 address stand before the last one.
func dialable(address string) bool {
	colon := strings.LastIndexByte(address, ':')
	port, err := strconv.ParseUint(address[colon+1:], 10, 16)
	return colon > 0 && err == nil && port > 0
}

func (c *config) groupCheck() check {
	err := proto.ValidateGroup(c.space.full(c.group))
	if c.group == proto.DefaultProducerGroup || c.group == proto.DefaultConsumerGroup {
		err = errors.New("a name of your own: this one is reserved")
	}
	k := check{ok: err == nil, option: "WithGroup", value: strconv.Quote(c.group)}
	if err != nil {
		k.want = "the name of the group; " + err.Error()
	}
	return k
}

func (c *config) producerChecks() []check {
	known := c.compression >= message.CompressionLZ4 && c.compression <= message.CompressionZlib
	return []check{
		atLeast("WithSendTimeout", c.sendTimeout, time.Millisecond),
		atLeast("WithTryTimeout", c.tryTimeout, 0),
		{c.retries >= 0 && c.asyncRetries >= 0, "WithRetries", fmt.Sprintf("%d, %d", c.retries, c.asyncRetries), "numbers from 0"},
		{c.requestsMax > 0, "WithRequestLimit", strconv.Itoa(c.requestsMax), "a number from 1"},
		{c.bodyMax > 0, "WithMaxMessageSize", strconv.Itoa(c.bodyMax), "a number of bytes above 0"},
		{c.compressFrom >= 0 && known, "WithCompression", fmt.Sprintf("%d, %v", c.compressFrom, c.compression),
			"a number of bytes from 0, and lz4, zstd or zlib"},
		{proto.ValidateTopic(c.createFrom) == nil && c.createQueues > 0, "WithTopicCreation",
			fmt.Sprintf("%q, %d", c.createFrom, c.createQueues), "the name of a topic and a number of queues above 0"},
		{c.windowMessages >= 10 && c.windowBytes >= 1<<20, "WithWindow",
			fmt.Sprintf("%d, %d", c.windowMessages, c.windowBytes), "at least 10 messages and 1 MiB"},
	}
}

// outputMin is what a request takes besides the body of its message, in bytes, amply.
const outputMin = 64 << 10

// deliveryChecks are about how a producer chooses brokers and when it tries again.
func (c *config) deliveryChecks() []check {
	room := func(name string) bool { return name == "" || strings.Contains(name, "@") }
	return []check{
		{!slices.ContainsFunc(c.rooms, room), "WithMachineRooms", fmt.Sprintf("%q", c.rooms), "names without @"},
		{stepsAscend(c.faultSteps), "WithFaultTolerance", fmt.Sprint(c.faultSteps), "steps with ascending latencies and no negative times"},
		{!c.detects || c.detectEvery >= time.Millisecond && c.detectTimeout >= time.Millisecond, "WithDetector",
			fmt.Sprintf("%s, %s", c.detectEvery, c.detectTimeout), "at least 1ms for both"},
		{c.backOff.first >= 0 && c.backOff.first <= c.backOff.max, "WithBusyBackOff", c.backOff.String(), "a first wait from 0, and a longest one that is not shorter"},
		{c.outputMax >= c.bodyMax+outputMin, "WithOutputLimit", strconv.Itoa(c.outputMax),
			fmt.Sprintf("at least %d bytes, 64 KiB more than WithMaxMessageSize", c.bodyMax+outputMin)},
		c.traceCheck(),
	}
}

func (c *config) traceCheck() check {
	trace := cmp.Or(c.trace, &TraceOptions{}).withDefaults()
	return check{trace.Records >= 1 && trace.Records <= 20 && checkSendTopic(trace.Topic) == nil && !proto.IsRetryTopic(trace.Topic), "WithTrace",
		trace.String(), "from 1 to 20 records, and a topic that clients may send to"}
}

func stepsAscend(steps []FaultStep) bool {
	before := time.Duration(-1)
	for _, s := range steps {
		if s.Latency <= before || s.Rest < 0 {
			return false
		}
		before = s.Latency
	}
	return true
}

func (c *config) hookChecks() []check {
	var checks []check
	for _, h := range c.sendHooks {
		checks = append(checks, check{h.Name != "" && (h.Before != nil || h.After != nil), "WithSendHook", strconv.Quote(h.Name), "a name, and one function at least"})
	}
	for _, f := range c.forbiddenChecks {
		checks = append(checks, check{f.name != "" && f.check != nil, "WithForbiddenCheck", strconv.Quote(f.name), "a name and a function"})
	}
	return checks
}

func (c *config) consumerChecks() []check {
	checks := []check{
		atLeast("WithHold", c.holdFor, 0),
		{c.pullTimeout > c.holdFor, "WithPullTimeout", c.pullTimeout.String(),
			"more than the hold of " + c.holdFor.String()},
	}
	for _, s := range c.subscriptions {
		k := check{ok: true}
		if err := proto.ValidateTopic(c.space.full(s.topic)); err != nil {
			k = check{false, "WithSubscription", strconv.Quote(s.topic), "the name of a topic; " + err.Error()}
		}
		checks = append(checks, k)
	}
	return checks
}

func atLeast(option string, value, least time.Duration) check {
	return check{value >= least, option, value.String(), "at least " + least.String()}
}
