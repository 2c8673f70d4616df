package client

import (
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// assignment is a queue that this consumer holds. What leads to it from elsewhere (pulls, handlers, commits under way)
// compares the epoch when it comes back: after a change, what it brings is of no use any more.
type assignment struct {
	queue Queue
	processQueue
	epoch   int
	dropped bool // given up: no new pulls and calls, and results are ignored
	leaving bool // to be given up as soon as no handler has some of it

	stored    QueueOffset // what the store has; offsetUnknown if that is not known
	storedAt  env.Instant // when it got that, or told it
	floor     QueueOffset // nothing below is committed: the store was set to it from outside
	storing   bool        // a commit is under way
	storedOff bool        // the last commit there will be has ended

	lock    queueLock
	calls   int         // of the handler under way; in order at most 1
	restsAt env.Instant // in order: until then nothing is handed out
	changed env.Cond    // wakes what waits for any of the above

	pulledAt, consumedAt env.WallMillis // the last time; 0: never
	askedAt              env.Instant    // when the pull or pop under way began; 0: there is none

	popped *popQueue // the queue is popped, and may stand for all of a broker; nil: it is pulled, and the process queue has its messages

	// Of lite pull consumers only. What they hand out leaves the process queue at once.
	polled bool
	paused bool        // neither pulled nor handed out
	marked QueueOffset // what counts as consumed, up to here; offsetUnknown: nothing yet
	run    int         // the number of the task that pulls; a seek starts another one
	sentTo QueueOffset // where it was sent from outside since the last seek; offsetUnknown: nowhere
}

// offsetUnknown is less than any offset.
const offsetUnknown QueueOffset = -1

func (c *PushConsumer) newAssignment(queue Queue, from, stored QueueOffset) *assignment {
	return &assignment{
		queue: queue, processQueue: newProcessQueue(from), stored: stored, changed: c.core.env.Tasks.NewCond(),
		polled: c.lite != nil, marked: stored, sentTo: offsetUnknown, storedAt: c.core.env.Clock.Now(),
	}
}

// committed is the offset that the store should have: all before it is consumed.
func (a *assignment) committed() QueueOffset {
	if a.polled {
		return a.marked
	}
	return a.processQueue.committed()
}

// String shows the queue and what is in work.
func (a *assignment) String() string {
	return fmt.Sprintf("%s: %d unfinished, next %d", a.queue, a.unfinished, a.next)
}

// restart forgets what was pulled and goes on from an offset.
func (a *assignment) restart(from QueueOffset) {
	a.processQueue = newProcessQueue(from)
	a.epoch++
	a.floor = 0
	a.changed.Broadcast()
}

// is reports whether the assignment still is what it was.
func (a *assignment) is(epoch int) bool { return !a.dropped && a.epoch == epoch }

// hold adds an assignment and begins to pull.
func (c *PushConsumer) hold(a *assignment) {
	c.assigned[a.queue] = a
	at, _ := slices.BinarySearchFunc(c.order, a.queue, func(a *assignment, q Queue) int { return a.queue.Compare(q) })
	c.order = slices.Insert(c.order, at, a)
	c.startPulling(a)
}

// startPulling starts the task that pulls a queue; the one that did so before ends, but perhaps only when the broker has answered it.
func (c *PushConsumer) startPulling(a *assignment) {
	a.run++
	run := a.run
	if a.popped != nil {
		c.core.start("pop "+a.queue.String(), func() { c.popLoop(a, run) })
		return
	}
	c.core.start("pull "+a.queue.String(), func() { c.pullLoop(a, run) })
}

// release takes an assignment out.
func (c *PushConsumer) release(a *assignment) {
	delete(c.assigned, a.queue)
	c.order = slices.DeleteFunc(c.order, func(other *assignment) bool { return other == a })
}

// ofTopic counts the queues of a topic that are held.
func (c *PushConsumer) ofTopic(topic string) int {
	n := 0
	for _, a := range c.order {
		if a.queue.Topic == topic {
			n++
		}
	}
	return n
}

// full reports whether a queue has so much in work that it must not be pulled.
func (c *PushConsumer) full(a *assignment) bool {
	p := c.push
	if a.popped != nil {
		a.popped.skip(c.core.env.Clock.Now())
		return a.popped.unsettled > c.config.pop.limit
	}
	if c.lite != nil && c.buffered() >= c.config.lite.totalMessages {
		return true
	}
	messages, bytes := p.queueMessages, p.queueBytes
	if p.topicMessages > 0 || p.topicBytes > 0 {
		held := max(1, c.ofTopic(a.queue.Topic))
		if p.topicMessages > 0 {
			messages = min(messages, max(1, p.topicMessages/held))
		}
		if p.topicBytes > 0 {
			bytes = min(bytes, max(1, p.topicBytes/held))
		}
	}
	return a.unfinished >= messages || a.bytes >= bytes || !p.inOrder && int(a.span()) > p.queueSpan
}

// restore gives messages of the retry topic their original topic, for handlers ("resetRetryAndNamespace").
func (c *PushConsumer) restore(messages []*Received) {
	retry := c.config.space.bare(proto.RetryTopic(c.config.group))
	for _, m := range messages {
		if original := m.Properties.Get(message.PropertyRetryTopic); original != "" && m.Topic == retry {
			m.Topic = c.config.space.bare(original)
			continue
		}
		// What members have popped that pull now.
		if topic, form := proto.SplitPopRetryTopic(c.config.group, c.config.space.full(m.Topic)); form != proto.PopNormal {
			m.Topic = c.config.space.bare(topic)
		}
	}
}
