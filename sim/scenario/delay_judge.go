package scenario

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// waitingMessage is a record of a queue of the delay levels, and what became of it.
type waitingMessage struct {
	*message.Record
	level     int
	delivered int
}

// delayJudge knows what waits, or has, at a broker, by where it ends in the log: a delivery says so.
type delayJudge struct {
	t     *delayRun
	n     *cluster.Node
	byEnd map[message.LogOffset]*waitingMessage
	order []*waitingMessage
}

// judgeDeliveries compares all that was delivered with what waited for it, at each broker: both are in its store. It reports false if a broker cannot
// be asked.
func (t *delayRun) judgeDeliveries() bool {
	for _, w := range t.order {
		w.found = 0
	}
	for _, n := range t.cluster.Brokers {
		j := &delayJudge{t: t, n: n, byEnd: map[message.LogOffset]*waitingMessage{}}
		done, err := false, error(nil)
		n.Machine.Node(n.String(), ".").Tasks.Go("judge deliveries", func() {
			err = j.judge(n.Broker().Store())
			done = true
		})
		if !t.await(serveWithin, func() bool { return done }) {
			t.failLiveness("nothing is broken, and %v cannot read its queues within %v", n, serveWithin)
			return false
		}
		if err != nil {
			t.failSafety("%v: %w", n, err)
			return false
		}
	}
	return t.kernel.Failure() == nil
}

func (j *delayJudge) judge(s *store.Store) error {
	for _, use := range []struct {
		topic string
		each  func(key store.QueueKey, r *message.Record) error
	}{{proto.DelayTopic, j.waits}, {laterTopic, j.came}} {
		for _, key := range s.Queues() {
			if key.Topic != use.topic {
				continue
			}
			if err := oracle.EachMessage(s, key, func(r *message.Record) error { return use.each(key, r) }); err != nil {
				return fmt.Errorf("queue %v: %w", key, err)
			}
		}
	}
	for _, w := range j.order {
		if w.delivered == 0 {
			return fmt.Errorf("the message at %v, stored at %d to wait for level %d, was not delivered", w.LogOffset, w.StoredAt, w.level)
		}
	}
	return nil
}

// waits notes a message that waits, or has, and looks whether its level was kept.
func (j *delayJudge) waits(key store.QueueKey, r *message.Record) error {
	sent := j.t.sent[linearizability.HashOf(r.Body)]
	level, err := strconv.Atoi(message.PropertyString(r.Properties, message.PropertyDelayLevel))
	switch {
	case sent == nil:
		return fmt.Errorf("the message at %v was never sent with a level", r.LogOffset)
	case err != nil || int(key.ID) != level-1:
		return fmt.Errorf("the message at %v says level %d", r.LogOffset, level)
	case level != sent.level && !j.capped(level, sent.level):
		return fmt.Errorf("the message at %v was sent with level %d and waits for level %d", r.LogOffset, sent.level, level)
	case level != sent.level:
		j.t.kernel.Mark("a level beyond the table")
	}
	if level > len(j.t.tableOf(j.n)) {
		j.t.kernel.Mark("waited for a level that is gone")
	}
	sent.found++
	w := &waitingMessage{Record: r.Clone(), level: level}
	j.byEnd[r.LogOffset+message.LogOffset(r.TotalSize)] = w
	j.order = append(j.order, w)
	return nil
}

// capped reports whether a level is the last one of a table that does not have the one that was asked for.
func (j *delayJudge) capped(level, asked int) bool {
	for _, table := range j.t.tables[j.n.String()] {
		if len(table) == level && asked > level {
			return true
		}
	}
	return false
}

// came compares a message that was delivered with the one that waited.
func (j *delayJudge) came(key store.QueueKey, r *message.Record) error {
	w := j.byEnd[message.LogOffset(r.PreparedAt)]
	if w == nil {
		return fmt.Errorf("message %d was delivered, and none waited that ends at %d", r.QueueOffset, r.PreparedAt)
	}
	if w.delivered++; w.delivered > 1 {
		return fmt.Errorf("message %d was delivered before: the one at %v came %d times", r.QueueOffset, w.LogOffset, w.delivered)
	}
	wanted := message.PropertyString(w.Properties, message.PropertyRealTopic) + " " + message.PropertyString(w.Properties, message.PropertyRealQueueID)
	_, level := message.PropertyBytes(r.Properties, message.PropertyDelayLevel)
	switch {
	case wanted != fmt.Sprint(key.Topic, " ", key.ID):
		return fmt.Errorf("message %d was sent to queue %s", r.QueueOffset, wanted)
	case !bytes.Equal(r.Body, w.Body) || r.BornAt != w.BornAt || r.BornHost != w.BornHost || r.Redeliveries != w.Redeliveries:
		return fmt.Errorf("message %d is another one than that which waited for it at %v", r.QueueOffset, w.LogOffset)
	case level:
		return fmt.Errorf("message %d was delivered and would wait again", r.QueueOffset)
	}
	return j.inTime(r, w)
}

// inTime compares times of one calendar: that of the broker, which may have been set, and what it showed when the message was stored and when it was
// delivered. Where it showed less at the end, it was set back, and the message must not wait until it has caught up.
func (j *delayJudge) inTime(r *message.Record, w *waitingMessage) error {
	least, after := j.t.sent[linearizability.HashOf(w.Body)].wait, time.Duration(r.StoredAt-w.StoredAt)*time.Millisecond
	if least == 0 {
		least = j.least(w.level)
	}
	switch {
	case after < 0:
		j.t.kernel.Mark("set back while it waited")
	case after < least:
		return fmt.Errorf("message %d waited for level %d, of %v at least, and came after %v", r.QueueOffset, w.level, least, after)
	}
	return nil
}

// least is the shortest time for which a level ever waited at a broker.
func (j *delayJudge) least(level int) time.Duration {
	least := time.Hour
	for _, table := range j.t.tables[j.n.String()] {
		least = min(least, table[min(level, len(table))-1])
	}
	return least
}
