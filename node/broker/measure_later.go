package broker

import (
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/measure"
	"github.com/gantrymq/gantry/transport/message"
)

// What monitoring is told of messages that are stored now and seen later: timers, transactions.

// topicTally counts messages by topic. A topic with none is not in it.
type topicTally map[string]int64

// add counts some more or less; nil is no topic.
func (t *topicTally) add(topic []byte, count int64) {
	if topic == nil {
		return
	}
	if *t == nil {
		*t = topicTally{}
	}
	if sum := (*t)[string(topic)] + count; sum > 0 {
		(*t)[string(topic)] = sum
	} else {
		delete(*t, string(topic))
	}
}

// realTopic is the topic in which a message that waits will be.
func realTopic(waiting *message.Record) []byte {
	topic, _ := message.PropertyBytes(waiting.Properties, message.PropertyRealTopic)
	return topic
}

// topicName is a topic as the table has it, so that no further copy is kept.
func (b *Broker) topicName(topic []byte) string {
	if config := b.topics.byName[string(topic)]; config != nil {
		return config.Name
	}
	return string(topic)
}

// timerBounds are the values of the label timer_bound_s (TimerMetrics.timerDist): until when messages are due, in seconds from now.
var timerBounds = []int64{5, 60, 300, 900, 3600, 14_400, 28_800, 86_400}

// timersReading is what is told of timers.
type timersReading struct {
	behind  int64 // messages that the calendar does not know
	oldest  int64 // when the first of them was stored, wall milliseconds; 0: there is none, or it is not known
	waiting int
	due     int64   // when the first of those in the calendar is or was due, wall milliseconds; 0: there is none
	within  []int64 // by timerBounds; nil: timers are being read
	topics  []topicCount
}

type topicCount struct {
	topic string
	count int64
}

// measure waits.
func (t *timers) measure(walk *turns) (r timersReading) {
	b := t.broker
	calendar := t.calendar
	if calendar == nil {
		return r
	}
	_, end := b.store.Bounds(timerQueue)
	r.behind, r.waiting = max(int64(end-t.next), 0), calendar.Waiting()
	r.due, _ = calendar.DueSince()
	r.topics = t.topics.read(walk)
	now := int64(b.env.Clock.Wall())
	until := make([]int64, 0, len(timerBounds))
	for _, seconds := range timerBounds {
		until = append(until, now+seconds*time.Second.Milliseconds())
	}
	r.within = calendar.DueWithin(until, b.env.Tasks.Yield)
	if r.behind > 0 {
		if at, found, err := b.store.StoredAt(timerQueue, t.next); found && err == nil {
			r.oldest = at
		}
	}
	return r
}

func (t topicTally) read(walk *turns) (all []topicCount) {
	// order does not matter: whoever shows them sorts them
	for topic, count := range t {
		all = append(all, topicCount{topic, count})
		walk.pause()
	}
	return all
}

func (m *Measurement) showTimers(s *measure.Snapshot) {
	t := &m.timers
	s.Add(metricTimers, float64(t.waiting))
	s.Add(metricTimerInLag, float64(t.behind), localStorage, diskStorage)
	s.Add(metricTimerInAge, m.since(t.oldest), localStorage, diskStorage)
	s.Add(metricTimerOutLag, float64(t.waiting), localStorage, diskStorage)
	s.Add(metricTimerLate, m.since(t.due), localStorage, diskStorage)
	for i, count := range t.within {
		s.Add(metricTimerDue, float64(count), strconv.FormatInt(timerBounds[i], 10))
	}
	for _, t := range t.topics {
		s.AddWeighed(float64(t.count), metricTiming, float64(t.count), t.topic)
	}
}

// transactionCounts are counted since the start.
type transactionCounts struct {
	checks  int64 // questions to producers
	unasked int64 // questions that nobody could be asked
	givenUp int64
}

// transactionsReading is what is told of transactions.
type transactionsReading struct {
	transactionCounts
	open   int
	oldest int64 // when the oldest open one was stored, wall milliseconds; 0: there is none
	halves topicTally
}

// measure waits.
func (t *transactions) measure(walk *turns) transactionsReading {
	r := transactionsReading{transactionCounts: t.counts, open: len(t.open), halves: topicTally{}}
	// order does not matter: they are counted
	for _, open := range t.open {
		r.halves[open.topic]++
		r.oldest = earlier(r.oldest, open.storedAt)
		walk.pause()
	}
	return r
}

func (m *Measurement) showTransactions(s *measure.Snapshot) {
	t := &m.transactions
	s.Add(metricOpen, float64(t.open))
	s.Add(metricOldestOpen, m.since(t.oldest)/1000)
	s.Add(metricChecks, float64(t.checks))
	s.Add(metricUnasked, float64(t.unasked))
	s.Add(metricGivenUp, float64(t.givenUp))
	for _, topic := range m.incoming {
		ended := topic.commits+topic.rollbacks > 0
		if ended {
			s.Add(metricCommits, float64(topic.commits), topic.topic)
			s.Add(metricRollbacks, float64(topic.rollbacks), topic.topic)
		}
		if topic.finished != nil {
			s.AddReading(metricFinish, topic.finished, topic.topic)
		}
		if ended && t.halves[topic.topic] == 0 {
			s.Add(metricHalves, 0, topic.topic)
		}
	}
	// order does not matter: Limit sorts
	for topic, count := range t.halves {
		s.AddWeighed(float64(count), metricHalves, float64(count), topic)
	}
}
