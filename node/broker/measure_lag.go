package broker

import (
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
)

// How far groups are. There may be tens of thousands of queues, so they are walked in short steps between which the broker does its work, and
// of the messages at which groups stand only so many are looked at, each of which costs a read of the log.

// MeasureLimits bound what Measure costs. Zero fields take the defaults.
type MeasureLimits struct {
	// Series is how many series of one metric are shown; further ones are counted in gantry_metrics_series_left_out.
	Series int
	// Queues is how many queues of groups are looked at; further ones are counted in gantry_metrics_queues_unseen.
	Queues int
	// Ages is how many messages are looked at for their age, AgesFor for how long that may take. Where a group stands
	// as it did last time, its message need not be looked at again. Queues beyond it are counted in gantry_metrics_ages_unread.
	Ages    int
	AgesFor time.Duration
}

// DefaultMeasureLimits suit a scrape every few seconds.
func DefaultMeasureLimits() MeasureLimits {
	return MeasureLimits{Series: 10_000, Queues: 200_000, Ages: 2000, AgesFor: time.Second}
}

func (l MeasureLimits) withDefaults() MeasureLimits {
	d := DefaultMeasureLimits()
	fill(&l.Series, d.Series)
	fill(&l.Queues, d.Queues)
	fill(&l.Ages, d.Ages)
	fill(&l.AgesFor, d.AgesFor)
	return l
}

// turns gives others their turn during a long walk.
type turns struct {
	tasks env.Tasks
	steps int
}

// stepsPerTurn take some tens of microseconds.
const stepsPerTurn = 128

// pause is called after each step. Now and then it waits.
func (t *turns) pause() {
	if t.steps++; t.steps%stepsPerTurn == 0 {
		t.tasks.Yield()
	}
}

// ageKey names a message of a queue at which a group stands: the first that it has not consumed, or not pulled.
type ageKey struct {
	groupQueue
	pulled bool
}

// agedMessage is a message of which it was looked up when it was stored, wall milliseconds.
type agedMessage struct{ number, storedAt int64 }

// queueLag is how far a group is in one queue.
type queueLag struct {
	groupQueue
	committed, pulled, end int64 // committed <= pulled <= end
	settled                int64 // of those between committed and pulled, by a group that pops
	first                  int64 // the first message there is
	oldest, unpulled       int64 // when the first message not consumed and the first one not pulled were stored, wall milliseconds; 0: there is none, or it is not known
}

func (q *queueLag) behind() int64 { return q.end - q.committed - q.settled }

// inflight is how many messages members have, and have not consumed.
func (q *queueLag) inflight() int64 { return q.pulled - q.committed - q.settled }

// queueLags are many of them, in blocks: to move all of them to a larger place again and again would take long.
type queueLags struct {
	blocks [][]queueLag
	count  int
}

const lagBlock = 256

func (l *queueLags) add(q queueLag) {
	if l.count%lagBlock == 0 {
		l.blocks = append(l.blocks, make([]queueLag, 0, lagBlock))
	}
	last := &l.blocks[len(l.blocks)-1]
	*last = append(*last, q)
	l.count++
}

// each walks all of them.
func (l *queueLags) each(visit func(q *queueLag)) {
	for _, block := range l.blocks {
		for i := range block {
			visit(&block[i])
		}
	}
}

// lags walks all queues that groups have offsets of. It waits.
func (b *Broker) lags(limits MeasureLimits) (all queueLags, unseen int) {
	walk := turns{tasks: b.env.Tasks}
	// order does not matter: whoever shows them sorts them
	for key, offsets := range b.offsets.byKey {
		topic, group, _ := strings.Cut(key, "@")
		config := b.topics.byName[topic]
		if config == nil || b.groups.byName[group] == nil || b.clients.abandoned(group, topic) {
			continue
		}
		queues := max(config.ReadQueues, config.WriteQueues)
		// order does not matter: likewise
		for queue, committed := range offsets {
			switch {
			case queue >= queues:
			case all.count >= limits.Queues:
				unseen++
			default:
				all.add(b.queueLag(groupQueue{group, topic, queue}, committed))
			}
			walk.pause()
		}
	}
	return all, unseen
}

func (b *Broker) queueLag(q groupQueue, committed int64) queueLag {
	first, end := b.store.Bounds(q.key())
	lag := queueLag{groupQueue: q, first: int64(first), end: int64(end), committed: min(committed, int64(end))}
	lag.pulled = min(max(b.progress.pullers[q].at, lag.committed), lag.end)
	b.pops.addLag(&lag)
	return lag
}

// readAges looks up how old the messages are at which groups stand. Unread are those for which there was no time. It waits for the disk.
func (b *Broker) readAges(all *queueLags, limits MeasureLimits) (unread int) {
	r := ageReader{broker: b, left: limits.Ages, until: b.env.Clock.Now().Add(limits.AgesFor), found: map[ageKey]agedMessage{}}
	walk := turns{tasks: b.env.Tasks}
	all.each(func(q *queueLag) {
		walk.pause()
		if q.committed < q.end {
			q.oldest = r.age(ageKey{q.groupQueue, false}, max(q.committed, q.first))
		}
		switch {
		case q.pulled == q.committed:
			q.unpulled = q.oldest
		case q.pulled < q.end:
			q.unpulled = r.age(ageKey{q.groupQueue, true}, max(q.pulled, q.first))
		}
	})
	b.measures.ages = r.found
	return r.unread
}

// ageReader looks messages up.
type ageReader struct {
	broker *Broker
	left   int
	until  env.Instant
	unread int
	found  map[ageKey]agedMessage // what is remembered for the next time
}

// age is when a message was stored. Of one that cannot be looked at now, it is what the last time's was: the message is not older than that.
func (r *ageReader) age(key ageKey, number int64) int64 {
	last, known := r.broker.measures.ages[key]
	switch {
	case known && last.number == number:
	case r.left <= 0 || r.until.Reached(r.broker.env.Clock.Now()):
		r.unread++
		if !known {
			return 0
		}
	default:
		r.left--
		at, found, err := r.broker.store.StoredAt(store.QueueKey{Topic: key.Topic, ID: key.Queue}, message.QueueOffset(number))
		if err != nil || !found {
			r.unread++
			return 0
		}
		last = agedMessage{number, at}
	}
	r.found[key] = last
	return last.storedAt
}

// groupLag is how far a group is in a topic.
type groupLag struct {
	groupTopic
	lag, inflight, ready int64
	oldest, unpulled     int64 // wall milliseconds; 0: there is none
}

// sumLags adds up the queues of each topic of a group.
func sumLags(all *queueLags) map[groupTopic]*groupLag {
	sums := map[groupTopic]*groupLag{}
	all.each(func(q *queueLag) {
		key := groupTopic{q.Group, q.Topic}
		g := sums[key]
		if g == nil {
			g = &groupLag{groupTopic: key}
			sums[key] = g
		}
		g.lag += q.behind()
		g.inflight += q.inflight()
		g.ready += q.end - q.pulled
		g.oldest = earlier(g.oldest, q.oldest)
		g.unpulled = earlier(g.unpulled, q.unpulled)
	})
	return sums
}

// earlier is the earlier of two times, where 0 is none.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
