package client

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
)

// This file tells message traces what handlers do: a record for each message before the call, and one after it.

// consumption is one message that a handler gets (classes TraceContext and TraceBean, types SubBefore and SubAfter).
type consumption struct {
	begunAt      env.WallMillis
	region       string
	group        string
	requestID    string // made up; the same for all messages of a call, and for both records
	topic        string
	uniqueID     string
	redeliveries int32
	keys         string
}

func (c *consumption) subject() (topic, uniqueID, keys string) { return c.topic, c.uniqueID, c.keys }

// keysField is what stands for the keys. Java writes "null" if there are none, and its tools cannot read a record of type SubBefore
// whose last field is empty.
func (c *consumption) keysField() string { return cmp.Or(c.keys, "null") }

// append appends the 8 fields of SubBefore.
func (c *consumption) append(dst []byte) []byte {
	return appendTrace(dst,
		"SubBefore", strconv.FormatInt(int64(c.begunAt), 10), c.region, c.group, c.requestID, c.uniqueID,
		strconv.Itoa(int(c.redeliveries)), c.keysField())
}

// consumed is the end of a consumption.
type consumed struct {
	consumption
	endedAt env.WallMillis
	cost    time.Duration // of the call, shared by its messages
	failed  bool
	outcome traceOutcome
}

// traceOutcome is the "contextCode" of a record (enum ConsumeReturnType). RETURNNULL, 3, cannot happen here.
type traceOutcome int

const (
	traceSuccess traceOutcome = 0
	traceTimeout traceOutcome = 1 // TIME_OUT: it took longer than WithConsumeTimeout, whatever came of it
	tracePanic   traceOutcome = 2 // EXCEPTION
	traceFailed  traceOutcome = 4
)

// append appends the 9 fields of SubAfter.
func (c *consumed) append(dst []byte) []byte {
	return appendTrace(dst,
		"SubAfter", c.requestID, c.uniqueID, strconv.FormatInt(c.cost.Milliseconds(), 10), strconv.FormatBool(!c.failed),
		c.keysField(), strconv.Itoa(int(c.outcome)), strconv.FormatInt(int64(c.endedAt), 10), c.group)
}

// tracedCall is a call of the handler that traces tell of.
type tracedCall struct {
	messages []*consumption // nil for those that are not to be traced
	began    env.Instant
}

// traceBegin notes messages that are going to a handler or a loop. It returns nil if there is nothing to be told, as without a tracer.
func traceBegin(k *core, t *tracer, messages []*Received) *tracedCall {
	if t == nil || len(messages) == 0 {
		return nil
	}
	call := &tracedCall{began: k.env.Clock.Now()}
	requestID := k.ids.uniqueID()
	for _, m := range messages {
		// A trace of the consumption of traces would be consumed as well, and so on.
		if m.Properties.Get(message.PropertyTraceOn) == "false" || m.Topic == t.options.Topic {
			call.messages = append(call.messages, nil)
			continue
		}
		one := &consumption{
			begunAt: k.env.Clock.Wall(), region: m.Properties.Get(message.PropertyRegion), group: k.config.space.bare(k.config.group), requestID: requestID,
			topic: m.Topic, uniqueID: m.ID(), redeliveries: m.Redeliveries, keys: strings.Join(m.Keys(), " "),
		}
		call.messages = append(call.messages, one)
		t.note(one)
	}
	return call
}

func (c *PushConsumer) traceBegin(messages []*Received) *tracedCall {
	return traceBegin(c.core, c.tracer, messages)
}

func (c *PushConsumer) traceEnd(call *tracedCall, err error) {
	patience := c.push.consumeTimeout
	if c.push.inOrder {
		patience = 1<<63 - 1
	}
	traceEnd(c.core, c.tracer, call, err, patience)
}

// traceEnd notes what became of them, and whether it took longer than it may.
func traceEnd(k *core, t *tracer, call *tracedCall, err error, patience time.Duration) {
	if call == nil {
		return
	}
	took := k.env.Clock.Now().Sub(call.began)
	good := consumedOf(err, len(call.messages))
	for i, one := range call.messages {
		if one == nil {
			continue
		}
		end := &consumed{consumption: *one, endedAt: k.env.Clock.Wall(), cost: took / time.Duration(len(call.messages))}
		if i >= good {
			end.failed, end.outcome = true, failureOf(err)
		}
		if took >= patience {
			end.outcome = traceTimeout
		}
		t.note(end)
	}
}

func failureOf(err error) traceOutcome {
	var panicked *handlerPanic
	if errors.As(err, &panicked) {
		return tracePanic
	}
	return traceFailed
}
