package broker

import (
	"fmt"
	"maps"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
)

// statistics counts what goes through the broker (classes BrokerStatsManager and StoreStatsService), in memory only. It has no task and
// no clock: now is an argument, which must not go back.
//
// A request costs one look-up, for its queue; what else it counts for hangs on that. Each table is bounded, and forgets what has not been used for
// so long that it has nothing to show.
type statistics struct {
	isSystem func(topic string) bool

	sends       map[string]*flow             // by topic
	queueSends  map[store.QueueKey]sendFlows //
	pulls       map[groupTopic]*flow         // by group and topic
	queuePulls  map[groupQueue]pullFlows     //
	sentBack    map[groupTopic]*flow         // messages that consumers could not consume
	deadLetters map[groupTopic]*flow         // of these, those that were given up
	acks        map[groupTopic]*flow         // messages that were popped and acknowledged
	checkpoints map[groupTopic]*flow         // pops of a queue that had messages

	all, ordinary           struct{ sent, pulled *flow } // ordinary ones are those of topics that are not the broker's own
	allAcks, allCheckpoints *flow
	missed                  *flow // pulls that found nothing
	sendFailed              int64
	onewayFailed            int64 // of these, those whose senders do not hear of it
	sendTimes               latencies
	pullTimes               latencies
	dead                    int64 // messages that were given up, in all
	uncounted               int64 // flows that were not made because a table was full

	day       int // on the calendar
	mornings  [2]dayTotals
	nextSweep env.Instant
}

// groupTopic is what a group has of a topic.
type groupTopic struct{ group, topic string }

// sendFlows are what a send to a queue counts for.
type sendFlows struct {
	queue, topic *flow
	ordinary     bool
}

// pullFlows are what a pull of a group from a queue counts for.
type pullFlows struct {
	queue, group *flow
	ordinary     bool
}

// dayTotals are what ordinary topics had seen when a day began, since the start of the broker.
type dayTotals struct{ sent, pulled int64 }

const (
	// flowsMax bounds each table: a flow takes 1.5 KiB.
	flowsMax = 10_000
	// flowIdle is how long a flow must be unused to be forgotten: its day is empty then.
	flowIdle   = 25 * time.Hour
	sweepFlows = 10 * time.Minute
)

func newStatistics(now env.Instant, isSystem func(topic string) bool) *statistics {
	s := &statistics{
		isSystem: isSystem,
		sends:    map[string]*flow{}, queueSends: map[store.QueueKey]sendFlows{},
		pulls: map[groupTopic]*flow{}, queuePulls: map[groupQueue]pullFlows{},
		sentBack: map[groupTopic]*flow{}, deadLetters: map[groupTopic]*flow{},
		acks: map[groupTopic]*flow{}, checkpoints: map[groupTopic]*flow{}, allAcks: newFlow(now), allCheckpoints: newFlow(now),
		missed: newFlow(now), sendTimes: newLatencies(), pullTimes: newLatencies(),
	}
	s.all.sent, s.all.pulled = newFlow(now), newFlow(now)
	s.ordinary.sent, s.ordinary.pulled = newFlow(now), newFlow(now)
	return s
}

// flowOf finds or makes a flow. It is nil, which counts nothing, if the table is full.
func flowOf[K comparable](s *statistics, table map[K]*flow, key K, now env.Instant) *flow {
	f := table[key]
	if f == nil && len(table) < flowsMax {
		f = newFlow(now)
		table[key] = f
	} else if f == nil {
		s.uncounted++
	}
	return f
}

// sendsTo finds what sends to a queue count for.
func (s *statistics) sendsTo(key store.QueueKey, now env.Instant) sendFlows {
	flows, ok := s.queueSends[key]
	if ok {
		return flows
	}
	flows = sendFlows{topic: flowOf(s, s.sends, key.Topic, now), ordinary: !s.isSystem(key.Topic)}
	if len(s.queueSends) < flowsMax {
		flows.queue = newFlow(now)
		s.queueSends[key] = flows
	} else {
		s.uncounted++
	}
	return flows
}

// sent counts a send that was stored.
func (s *statistics) sent(to sendFlows, now env.Instant, messages, bytes int64, took time.Duration) {
	a := amounts{messages, bytes, took.Milliseconds(), 1}
	to.queue.add(now, a)
	to.topic.add(now, a)
	s.all.sent.add(now, a)
	if to.ordinary {
		s.ordinary.sent.add(now, a)
	}
	s.sendTimes.add(now, took)
}

// sendRefused counts a send that was not stored. One without an answer leaves no other trace.
func (s *statistics) sendRefused(reply transport.Reply) {
	s.sendFailed++
	if reply.Oneway() {
		s.onewayFailed++
	}
}

func (s *statistics) pullsFrom(q groupQueue, now env.Instant) pullFlows {
	flows, ok := s.queuePulls[q]
	if ok {
		return flows
	}
	flows = pullFlows{group: flowOf(s, s.pulls, groupTopic{q.Group, q.Topic}, now), ordinary: !s.isSystem(q.Topic)}
	if len(s.queuePulls) < flowsMax {
		flows.queue = newFlow(now)
		s.queuePulls[q] = flows
	} else {
		s.uncounted++
	}
	return flows
}

// pulled counts a pull that found messages.
func (s *statistics) pulled(q groupQueue, now env.Instant, messages, bytes int64, took time.Duration) {
	a := amounts{messages, bytes, took.Milliseconds(), 1}
	from := s.pullsFrom(q, now)
	from.queue.add(now, a)
	from.group.add(now, a)
	s.all.pulled.add(now, a)
	if from.ordinary {
		s.ordinary.pulled.add(now, a)
	}
	s.pullTimes.add(now, took)
}

// popped counts a pop of a queue that found messages, beside what pulled counts of it.
func (s *statistics) popped(group, topic string, now env.Instant) {
	one := amounts{messages: 1, calls: 1}
	flowOf(s, s.checkpoints, groupTopic{group, topic}, now).add(now, one)
	s.allCheckpoints.add(now, one)
}

// acknowledged counts messages that were popped and are acknowledged.
func (s *statistics) acknowledged(group, topic string, now env.Instant, messages int) {
	some := amounts{messages: int64(messages), calls: int64(messages)}
	flowOf(s, s.acks, groupTopic{group, topic}, now).add(now, some)
	s.allAcks.add(now, some)
}

// cameBack counts a message that a group could not consume. A dead one is not given to it again.
func (s *statistics) cameBack(group, topic string, now env.Instant, dead bool) {
	flowOf(s, s.sentBack, groupTopic{group, topic}, now).add(now, amounts{messages: 1, calls: 1})
	if dead {
		s.dead++
		flowOf(s, s.deadLetters, groupTopic{group, topic}, now).add(now, amounts{messages: 1, calls: 1})
	}
}

// tick is called now and then: it forgets, and notes how much there was when the day began. day is any number that
// changes when the calendar's day does.
func (s *statistics) tick(now env.Instant, day int) {
	if day != s.day {
		if s.day != 0 {
			s.mornings = [2]dayTotals{s.mornings[1], {s.ordinary.sent.total.messages, s.ordinary.pulled.total.messages}}
		}
		s.day = day
	}
	if now >= s.nextSweep {
		s.nextSweep = now.Add(sweepFlows)
		s.forgetIdle(now)
	}
}

// forgetIdle forgets what has nothing to show. A queue is idle at least as long as its topic or group is.
func (s *statistics) forgetIdle(now env.Instant) {
	idle := func(f *flow) bool { return now.Sub(f.used) > flowIdle }
	forgetIdle(s.sends, idle)
	forgetIdle(s.pulls, idle)
	forgetIdle(s.sentBack, idle)
	forgetIdle(s.deadLetters, idle)
	forgetIdle(s.acks, idle)
	forgetIdle(s.checkpoints, idle)
	maps.DeleteFunc(s.queueSends, func(_ store.QueueKey, f sendFlows) bool { return idle(f.queue) })
	maps.DeleteFunc(s.queuePulls, func(_ groupQueue, f pullFlows) bool { return idle(f.queue) })
}

func forgetIdle[K comparable](table map[K]*flow, idle func(*flow) bool) {
	maps.DeleteFunc(table, func(_ K, f *flow) bool { return idle(f) })
}

// forgetTopic forgets what was counted of a topic that was deleted, forgetGroup likewise (autoDeleteUnusedStats).
func (s *statistics) forgetTopic(topic string) {
	delete(s.sends, topic)
	maps.DeleteFunc(s.queueSends, func(key store.QueueKey, _ sendFlows) bool { return key.Topic == topic })
	s.forgetPulls(func(_, of string) bool { return of == topic })
}

func (s *statistics) forgetGroup(group string) {
	s.forgetPulls(func(of, _ string) bool { return of == group })
}

func (s *statistics) forgetPulls(match func(group, topic string) bool) {
	maps.DeleteFunc(s.queuePulls, func(q groupQueue, _ pullFlows) bool { return match(q.Group, q.Topic) })
	for _, table := range []map[groupTopic]*flow{s.pulls, s.sentBack, s.deadLetters, s.acks, s.checkpoints} {
		maps.DeleteFunc(table, func(k groupTopic, _ *flow) bool { return match(k.group, k.topic) })
	}
}

// String tells what went in and out.
func (s *statistics) String() string {
	return fmt.Sprintf("in %v, out %v", s.all.sent, s.all.pulled)
}
