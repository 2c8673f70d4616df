package client

import "time"

// WithMachineRooms makes messages whose queue nobody chose go to brokers in certain machine rooms, as long as one of them
// serves. The room is what stands before the @ in a broker name, such as "north@broker-a".
func WithMachineRooms(rooms ...string) ProducerOption {
	return producerOption(func(c *config) { c.rooms = rooms })
}

// WithFaultTolerance passes over brokers that were slow or failed ("sendLatencyFaultEnable"), for as long as the steps say; a
// failed try counts as one of 10 s. Steps must ascend; none means DefaultFaultSteps. If all brokers rest, those that
// can be reached are used, and else any. Without this option every send begins with whatever broker is next.
func WithFaultTolerance(steps ...FaultStep) ProducerOption {
	return producerOption(func(c *config) {
		if c.faultSteps = steps; len(steps) == 0 {
			c.faultSteps = DefaultFaultSteps()
		}
	})
}

// WithDetector is WithFaultTolerance, unless that is given too, with a task that asks brokers that could not be reached whether
// they are back ("startDetectorEnable"): each at most so often ("detectInterval", usually 2 s), and waits so long for the
// answer ("detectTimeout", usually 200 ms).
func WithDetector(interval, timeout time.Duration) ProducerOption {
	return producerOption(func(c *config) {
		c.detectEvery, c.detectTimeout, c.detects = interval, timeout, true
		if len(c.faultSteps) == 0 {
			c.faultSteps = DefaultFaultSteps()
		}
	})
}

// WithBusyBackOff sets how long Send and SendBatch wait after a broker answered that it is busy (SYSTEM_BUSY, and FLOW_CONTROL
// if WithRetryCodes names it), before they try the next one: up to first, twice as long each time, but no longer than max; about
// half of it is drawn. There is no wait that would reach the end of the send timeout: the send fails at once. The
// defaults are 20 ms and 1 s; 0 and 0 switch waiting off.
func WithBusyBackOff(first, max time.Duration) ProducerOption {
	return producerOption(func(c *config) { c.backOff = backOff{first, max} })
}

// WithSendHook adds a hook around each try to send. Hooks run in the order in which they were added.
func WithSendHook(hook SendHook) ProducerOption {
	return producerOption(func(c *config) { c.sendHooks = append(c.sendHooks, hook) })
}

// WithForbiddenCheck adds a check that runs before each try. If it returns an error, the send ends with ErrForbidden and that
// error, without any further try. It runs like a SendHook; a panic in it forbids the send.
func WithForbiddenCheck(name string, check func(SendAttempt) error) ProducerOption {
	return producerOption(func(c *config) {
		c.forbiddenChecks = append(c.forbiddenChecks, forbiddenCheck{name, check})
	})
}

// WithRequestLimit bounds the requests under way (Request and RequestAsync), from 1; further ones are refused with ErrBusy. The
// default is 10000.
func WithRequestLimit(requests int) ProducerOption {
	return producerOption(func(c *config) { c.requestsMax = requests })
}

// WithOutputLimit bounds the bytes that wait to be written to one broker; that is what bounds SendOneway. It must be 64 KiB
// more than WithMaxMessageSize at least. The default is 64 MiB.
func WithOutputLimit(bytes int) ProducerOption {
	return producerOption(func(c *config) { c.outputMax = bytes })
}

// WithTrace records every message that a producer stored, or that the handler of a push consumer got and what became of it, or that a lite pull
// consumer handed out, or that a pop consumer handed out and acknowledged, in a topic for message traces ("enableTrace"). It costs little: a producer of its own sends the records, a few at a
// time, in the background.
func WithTrace(options TraceOptions) TraceOption {
	return traceOption(func(c *config) { c.trace = &options })
}

// TraceOption configures producers, push consumers, lite pull consumers and pop consumers.
type TraceOption interface {
	ProducerOption
	QueueOption
	PopOption
}

type traceOption func(*config)

func (o traceOption) applyProducer(c *config) { o(c) }
func (o traceOption) applyPush(c *config)     { o(c) }
func (o traceOption) applyLitePull(c *config) { o(c) }

// WithDecompressionLimit bounds what a compressed body of a message that comes in may unpack to, in bytes; a longer one is an error. The
// default is 64 MiB.
func WithDecompressionLimit(bytes int) Option {
	return option(func(c *config) { c.unpackedMax = bytes })
}
