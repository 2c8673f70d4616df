package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file keeps what handlers were given and what they made of it, and every copy in retry topics and dead letters, and says what of that
// must not be.

// retryGroup is a group whose handlers fail.
type retryGroup struct {
	name     string
	most     int // redeliveries
	queues   int32
	plans    *sim.Stream
	forced   map[linearizability.Hash]retryPlan
	messages map[linearizability.Hash]*retried
	places   map[retryPlace]*handedOut
	copies   map[client.Queue][]*client.Received // retry topic and dead letters, as far as they were read
}

// retried is a message as a group has seen it.
type retried struct {
	origins   []string // where it stands in its topic: more than once, if its producer has tried again
	uniqueID  string
	succeeded int
	failures  []retryFailure
	dead      int // copies among the dead letters
}

// retryFailure is a call of a handler that failed.
type retryFailure struct {
	stored, seen int // redeliveries, of the record and as the handler was told
	level        int // that it asked for
	ended        env.Instant
}

// retryPlace is where a record stands.
type retryPlace struct {
	queue  client.Queue
	offset client.QueueOffset
}

// handedOut is a record that was given to handlers.
type handedOut struct {
	stored int // redeliveries of the record: clients only ever count on
	done   int // calls that have ended
	// failed counts calls of one consumer that failed.
	failed map[string]int
}

func (s *retryGroup) message(hash linearizability.Hash) *retried {
	if s.messages[hash] == nil {
		s.messages[hash] = &retried{}
	}
	return s.messages[hash]
}

// given checks a message that a handler gets.
func (y *retry) given(m *fleetMember, life int, group *retryGroup, r *client.Received) {
	y.whole(r)
	hash, place := linearizability.HashOf(r.Body), retryPlace{r.Queue, r.Offset}
	y.asSent(r, r.Topic)
	at := group.places[place]
	if at == nil {
		at = &handedOut{stored: int(r.Redeliveries), failed: map[string]int{}}
		group.places[place] = at
	} else if at.done > 0 {
		y.kernel.Mark("one delivery twice")
	}
	if again := int(r.Redeliveries) - at.stored; again != 0 {
		y.kernel.Mark("came again without a redelivery")
		if again < 0 || again > at.failed[fmt.Sprint(m.number, life)] {
			y.failSafety("%s was told that %v was redelivered %d times, and its record says %d", m, r, r.Redeliveries, at.stored)
		}
	}
	if isRetry(r.Queue) {
		y.redelivered(m, group, r, at)
		return
	}
	if at.stored != 0 {
		y.failSafety("%s was given %v, which was never redelivered, as redelivered %d times", m, r, at.stored)
	}
	group.message(hash).origin(r)
}

func (t *retried) origin(r *client.Received) {
	t.uniqueID = r.UniqueID()
	if id := r.OffsetID.String(); !slices.Contains(t.origins, id) {
		t.origins = append(t.origins, id)
	}
}

// redelivered checks a message of a retry topic.
func (y *retry) redelivered(m *fleetMember, group *retryGroup, r *client.Received, at *handedOut) {
	y.kernel.Mark("redelivered")
	if r.Queue.Topic != proto.RetryTopic(group.name) {
		y.failSafety("%s of group %s was given %v", m, group.name, r)
	}
	due, failed := y.due(group.message(linearizability.HashOf(r.Body)), at.stored)
	if !failed {
		y.failSafety("%s was given %v as redelivered %d times, and no handler has failed with it after %d", m, r, at.stored, at.stored-1)
	}
	// Records keep whole milliseconds.
	if now := y.kernel.Now(); y.strict && now.Add(time.Millisecond) < due {
		y.failSafety("%s was given %v, redelivered %d times, %s too early", m, r, at.stored, due.Sub(now))
	}
}

// due is the earliest moment at which a message may come that was redelivered so many times; false if it must not at all.
func (y *retry) due(t *retried, times int) (due env.Instant, failed bool) {
	due = env.Never
	for _, f := range t.failures {
		// Brokers count by the record, consumers that send by themselves by what they have given to the handler.
		if f.level == rejected || f.stored > times-1 || f.seen < times-1 {
			continue
		}
		level := f.level
		if level == 0 {
			level = 3 + f.stored
		}
		due, failed = due.Sooner(f.ended.Add(y.delay(level))), true
	}
	return due, failed
}

func (y *retry) succeeded(group *retryGroup, r *client.Received) {
	t := group.message(linearizability.HashOf(r.Body))
	group.places[retryPlace{r.Queue, r.Offset}].done++
	t.succeeded++
	switch {
	case r.Redeliveries == 0:
		y.kernel.Mark("handled at once")
	case int(r.Redeliveries) == group.most:
		y.kernel.Mark("handled at the last attempt")
		fallthrough
	default:
		y.kernel.Mark("handled after a redelivery")
	}
}

func (y *retry) failed(m *fleetMember, life int, group *retryGroup, r *client.Received, level int) {
	t, at := group.message(linearizability.HashOf(r.Body)), group.places[retryPlace{r.Queue, r.Offset}]
	at.done++
	at.failed[fmt.Sprint(m.number, life)]++
	t.failures = append(t.failures, retryFailure{at.stored, int(r.Redeliveries), level, y.kernel.Now()})
	switch {
	case level == rejected:
		y.kernel.Mark("rejected")
	case level > levels:
		y.kernel.Mark("asked for a level beyond the last one")
	case level > 0:
		y.kernel.Mark("asked for a level")
	default:
		y.kernel.Mark("failed")
	}
}

// asSent checks that a message is as its producer has sent it.
func (y *retry) asSent(r *client.Received, topic string) {
	sent := y.sent[linearizability.HashOf(r.Body)]
	if sent == nil {
		return // the probe's
	}
	if r.Tags() != sent.Tags() || topic != sent.Topic {
		y.failSafety("%v was sent to %s with the tag %q and came as one of %s with %q", r, sent.Topic, sent.Tags(), topic, r.Tags())
	}
}

// queuesOf are those of a group's retry topic and of its dead letters.
func (y *retry) queuesOf(group *retryGroup) (queues []client.Queue) {
	for _, name := range y.cluster.Groups {
		for id := range group.queues {
			queues = append(queues, client.Queue{Topic: proto.RetryTopic(group.name), BrokerName: name, QueueID: id})
		}
		queues = append(queues, client.Queue{Topic: proto.DeadLetterTopic(group.name), BrokerName: name})
	}
	return queues
}

// readCopies is the task that reads retry topics and dead letters as they grow.
func (y *retry) readCopies() {
	reader, err := client.NewPullConsumer(y.observer, client.WithNameServers(y.cluster.NameServerAddresses()...), client.WithGroup("undertaker"),
		client.WithHold(0), client.WithPullTimeout(time.Second), client.WithRequestTimeout(time.Second), client.WithRouteRefresh(time.Second))
	if err != nil {
		y.failSafety("the reader of dead letters could not be made: %v", err)
		return
	}
	for {
		groups := y.list
		if len(y.old.messages) > 0 {
			groups = append(groups[:len(groups):len(groups)], y.old)
		}
		for _, group := range groups {
			for _, queue := range y.queuesOf(group) {
				y.readMore(reader, group, queue)
			}
		}
		y.observer.Tasks.Sleep(2 * time.Second)
	}
}

func (y *retry) readMore(reader *client.PullConsumer, group *retryGroup, queue client.Queue) {
	for {
		next := client.QueueOffset(len(group.copies[queue]))
		result, err := reader.Pull(context.Background(), queue, next, 32)
		if err != nil || len(result.Messages) == 0 {
			return // nobody has made the topic yet, or the broker is down
		}
		for i, r := range result.Messages {
			if r.Offset != next+client.QueueOffset(i) {
				y.failSafety("a pull of %v from %d brought %v", queue, next, r)
			}
			group.copies[queue] = append(group.copies[queue], r)
			y.copied(group, r)
		}
	}
}

// copied checks a copy in a retry topic or among the dead letters.
func (y *retry) copied(group *retryGroup, r *client.Received) {
	y.whole(r)
	t := group.message(linearizability.HashOf(r.Body))
	topic, origin := r.Properties.Get(message.PropertyRetryTopic), r.Properties.Get(message.PropertyOriginOffsetID)
	y.asSent(r, topic)
	if !slices.Contains(t.origins, origin) || r.UniqueID() != t.uniqueID {
		y.failSafety("%v: the copy names the origin %s and the id %s, and the message is %s at %v", r, origin, r.UniqueID(), t.uniqueID, t.origins)
	}
	if y.byConsumer(r) {
		y.kernel.Mark("sent to the retry topic by the consumer itself")
	}
	if isRetry(r.Queue) {
		if int(r.Redeliveries) > group.most {
			y.failSafety("%v was redelivered %d times, and group %s allows %d", r, r.Redeliveries, group.name, group.most)
		}
		return
	}
	t.dead++
	y.kernel.Mark("dead letter")
	deadTopic, deadOrigin := r.Properties.Get(message.PropertyDeadLetterOriginTopic), r.Properties.Get(message.PropertyDeadLetterOriginOffsetID)
	if deadTopic != topic || deadOrigin != origin {
		y.failSafety("the dead letter %v is said to come from %s of %s, and does from %s of %s", r, deadOrigin, deadTopic, origin, topic)
	}
}

// byConsumer reports whether a copy was sent by a consumer, because its broker did not take the message back, and not made by a broker.
func (y *retry) byConsumer(r *client.Received) bool {
	return slices.ContainsFunc(y.members, func(m *fleetMember) bool { return m.machine.Address() == r.BornHost.Addr() })
}

// unfinished tells which message is neither consumed nor dead, or "".
func (y *retry) unfinished() string {
	for _, group := range y.list {
		for _, queue := range y.queues {
			for _, entry := range y.Logs[queue.String()].Entries {
				t, plan := group.message(entry.Hash), group.plan(entry.Hash)
				if plan.success >= 0 && t.succeeded == 0 || plan.success < 0 && t.dead == 0 {
					return fmt.Sprintf("%s: the message at %d of %v was consumed %d times, failed %d times, and has %d dead letters",
						group.name, entry.Offset, queue, t.succeeded, len(t.failures), t.dead)
				}
			}
		}
		for _, queue := range y.queuesOf(group) {
			for _, r := range group.copies[queue] {
				if at := group.places[retryPlace{queue, r.Offset}]; isRetry(queue) && (at == nil || at.done == 0) {
					return fmt.Sprintf("%s: nobody has handled %v", group.name, r)
				}
			}
		}
	}
	return ""
}

// judgeCopies counts the copies of each message: a failed call makes one, and nothing else does.
func (y *retry) judgeCopies(group *retryGroup) {
	counts := map[copyKind]int{}
	var kinds []copyKind
	for _, queue := range y.queuesOf(group) {
		for _, r := range group.copies[queue] {
			kind := copyKind{linearizability.HashOf(r.Body), int(r.Redeliveries), !isRetry(queue), y.byConsumer(r)}
			if counts[kind]++; counts[kind] == 1 {
				kinds = append(kinds, kind)
			}
		}
	}
	for _, kind := range kinds {
		t := group.message(kind.hash)
		if kind.dead && group.plan(kind.hash).reject >= 0 {
			y.kernel.Mark("dead letter of a rejected message")
		}
		if most := kind.most(group, t); counts[kind] > most {
			y.failSafety("%s: the message %s at %s has %d copies that were redelivered %d times (dead: %v, sent by the consumer: %v), and failed calls account for %d",
				group.name, t.uniqueID, strings.Join(t.origins, ", "), counts[kind], kind.times, kind.dead, kind.byConsumer, most)
		}
	}
}

// copyKind is a sort of copies that are counted together.
type copyKind struct {
	hash       linearizability.Hash
	times      int // redelivered
	dead       bool
	byConsumer bool
}

// triesOfConsumer is how often a consumer may send a copy, each of which may be stored.
const triesOfConsumer = 3

// most is how many copies of a kind failed calls may have made. Copies that brokers make of what a consumer has sent cannot be told from that.
func (k copyKind) most(group *retryGroup, t *retried) (most int) {
	for _, f := range t.failures {
		if k.fits(group, f.level, f.stored) {
			most++
		}
		if k.byConsumer && k.fits(group, f.level, f.seen) {
			most += triesOfConsumer
		}
	}
	return most
}

// fits reports whether a call that failed after so many redeliveries makes copies of this kind.
func (k copyKind) fits(group *retryGroup, level, times int) bool {
	return times == k.times-1 && k.dead == (level == rejected || times >= group.most)
}
