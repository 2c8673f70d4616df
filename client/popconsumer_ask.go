package client

import (
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/assign"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// popTarget is a topic at a broker name, and how its pops go. There is never more than one under way.
type popTarget struct {
	queue    Queue // id assign.WholeBroker
	busy     bool
	rest     env.Instant // not to be asked before
	err      error       // of the last pop that ended; nil: it was answered
	failedAt env.Instant // when that was
}

// askAll begins a pop at each broker of each topic, unless one is under way there. It returns when to look again, and an error if none
// of them could be asked since the caller began.
func (c *PopConsumer) askAll(call *env.Call, most int, began env.Instant) (next env.Instant, err error) {
	targets, failures := c.current(call)
	if c.core.state != open {
		return 0, ErrClosed
	}
	hopeful := false
	for _, t := range targets {
		if !t.busy && t.err != nil && t.failedAt > began {
			failures = append(failures, t.err)
			continue
		}
		hopeful = true
	}
	if !hopeful {
		return 0, join(failures)
	}
	now := c.core.env.Clock.Now()
	next = env.Never
	for _, t := range targets {
		if !t.busy && t.rest <= now {
			c.ask(t, most)
		}
		if !t.busy {
			next = next.Sooner(t.rest)
		}
	}
	return next, nil
}

// current are the targets of all topics, in order, and the errors of topics that have none.
func (c *PopConsumer) current(call *env.Call) (targets []*popTarget, failures []error) {
	deadline := c.core.deadline(call, c.config.requestTimeout)
	known := map[Queue]*popTarget{}
	for _, topic := range slices.Sorted(maps.Keys(c.reader.subscriptions)) {
		route, err := c.core.routes.forConsumer(call, topic, deadline)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		for _, name := range brokerNamesOf(route.subscribe) {
			queue := Queue{Topic: topic, BrokerName: name, QueueID: assign.WholeBroker}
			t := c.targets[queue]
			if t == nil {
				t = &popTarget{queue: queue}
				c.targets[queue] = t
			}
			known[queue] = t
			targets = append(targets, t)
		}
	}
	if len(failures) == 0 {
		// What no route names any more need not be remembered.
		maps.DeleteFunc(c.targets, func(q Queue, t *popTarget) bool { return known[q] == nil && !t.busy })
	}
	return targets, failures
}

// ask begins a pop. Its task outlives the call that began it, so that no message is lost which comes a little late.
func (c *PopConsumer) ask(t *popTarget, most int) {
	wanted := c.reader.subscriptions[t.queue.Topic]
	if wanted == nil {
		return
	}
	t.busy = c.core.start("pop "+t.queue.String(), func() {
		began := c.core.env.Clock.Now()
		answer, err := c.popper.pop(nil, popRequest{queue: t.queue, wanted: wanted, most: most, hold: c.config.holdFor})
		now := c.core.env.Clock.Now()
		t.rest = now.Add(restAfter(answer, err, now.Sub(began)))
		if hasCode(err, proto.RespFlowControl) {
			// It will serve soon.
			err = nil
		}
		t.busy, t.err, t.failedAt = false, err, now
		if err != nil && c.core.state == open {
			c.core.env.Log.Warn("a pop failed", zap.Stringer("queue", t.queue), zap.Error(err))
		}
		c.ready = append(c.ready, answer.messages...)
		c.arrived.Broadcast()
		for _, m := range answer.unwanted {
			c.dismiss(m)
		}
	})
}

// restAfter is how long a broker is left alone after a pop.
func restAfter(answer popAnswer, err error, took time.Duration) time.Duration {
	switch {
	case hasCode(err, proto.RespFlowControl):
		return afterFlowControl
	case err != nil, answer.full:
		return afterError
	case len(answer.messages)+len(answer.unwanted) == 0 && took < emptyAnswerMin:
		return emptyAnswerMin
	}
	return 0
}

// dismiss acknowledges a message that the filter leaves out. If that does not work, it comes again, and is dismissed again.
func (c *PopConsumer) dismiss(m *PoppedMessage) {
	c.core.start("dismiss", func() {
		if err := c.popper.acknowledge(nil, m, c.core.env.Clock.Now().Add(ackTimeout)); err != nil {
			c.core.env.Log.Info("a message that the filter leaves out was not acknowledged", zap.Stringer("message", m), zap.Error(err))
		}
	})
}
