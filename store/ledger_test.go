package store_test

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
)

// ledger is what a test knows of the messages it sent. Every body is unique.
type ledger struct {
	messages []*sentMessage
	byBody   map[string]*sentMessage
	round    int // number of the verification
}

type sentMessage struct {
	key      store.QueueKey
	body     string
	tag      string
	answered bool
	status   store.AppendStatus
	place    store.Place
	lost     bool // gone in a crash that allows it, or its topic was removed; it must stay away
	dropping bool // its topic was being removed when the machine crashed
	found    int  // the verification that found it last
	sentAt   env.WallMillis
}

// searchKey is the key by which only this message can be found.
func (m *sentMessage) searchKey() string { return "key" + m.body[min(len("message "), len(m.body)):min(14, len(m.body))] }

// forbidden reports whether the message must not be in the store.
func (m *sentMessage) forbidden() bool {
	switch m.status {
	case store.AppendOK, store.AppendFlushTimeout, store.AppendFailed:
		return m.lost
	}
	return m.answered
}

// owed reports whether the message must be in the store.
func (m *sentMessage) owed() bool { return m.answered && m.status == store.AppendOK && !m.lost }

func newLedger() *ledger { return &ledger{byBody: map[string]*sentMessage{}} }

// sending is one call of Append.
type sending struct {
	messages []*sentMessage
	answered bool
	status   store.AppendStatus
	reason   string
	changed  env.Cond
}

// Appended notes the outcome.
func (s *sending) Appended(result store.AppendResult) {
	s.answered, s.status, s.reason = true, result.Status, result.Reason
	for i, m := range s.messages {
		m.answered, m.status = true, result.Status
		if len(result.Places) > 0 {
			m.place = result.Places[i]
		}
	}
	s.changed.Broadcast()
}

// wait returns once the append is answered.
func (s *sending) wait() store.AppendStatus {
	for !s.answered {
		s.changed.Wait()
	}
	return s.status
}

var testHost = netip.MustParseAddrPort("10.0.0.1:10911")

// append hands messages of the given body sizes to the store, without waiting. Sizes are at least 12.
func (l *ledger) append(e env.Env, s *store.Store, key store.QueueKey, sizes ...int) *sending {
	a := &sending{changed: e.Tasks.NewCond()}
	records := make([]message.Record, len(sizes))
	for i, size := range sizes {
		n := len(l.messages)
		m := &sentMessage{sentAt: e.Clock.Wall(), key: key, body: fmt.Sprintf("message %06d%s", n, strings.Repeat("x", max(size-14, 0))), tag: fmt.Sprint("tag", n%3)}
		l.messages = append(l.messages, m)
		l.byBody[m.body] = m
		a.messages = append(a.messages, m)
		records[i] = recordOf(m)
	}
	s.Append(key, records, a)
	return a
}

// send appends, kicks and waits.
func (l *ledger) send(e env.Env, s *store.Store, key store.QueueKey, sizes ...int) store.AppendStatus {
	a := l.append(e, s, key, sizes...)
	s.Kick()
	return a.wait()
}

func recordOf(m *sentMessage) message.Record {
	return message.Record{
		Topic: []byte(m.key.Topic), QueueID: m.key.ID, Body: []byte(m.body), BornHost: testHost, StoreHost: testHost,
		Properties: []byte("TAGS\x01" + m.tag + "\x02KEYS\x01k " + m.searchKey()),
	}
}

// verify reads the whole store and compares it with the ledger. With lossy set, the newest messages may be
// gone; they are then forgotten, and must stay away.
func (l *ledger) verify(e env.Env, s *store.Store, options store.Options, lossy bool) error {
	l.round++
	newest := message.LogOffset(-1)
	for _, key := range s.Queues() {
		err := readQueue(s, key, func(r *message.Record) error {
			newest = max(newest, r.LogOffset)
			return l.found(r, key)
		})
		if err != nil {
			return fmt.Errorf("%v: %w", key, err)
		}
	}
	for _, m := range l.messages {
		if m.found != l.round && m.owed() {
			if err := l.missing(m, e, s, options, lossy && m.place.Log > newest); err != nil {
				return err
			}
		}
	}
	return l.search(s)
}

// missing says whether an acknowledged message may have gone, and remembers that it has.
func (l *ledger) missing(m *sentMessage, e env.Env, s *store.Store, options store.Options, mayBeLost bool) error {
	expired := options.KeepFor > 0 && int64(e.Clock.Wall()-m.sentAt) >= options.KeepFor.Milliseconds()
	switch {
	case m.dropping, mayBeLost, m.place.Log < s.Start() && expired:
		m.lost = true
		return nil
	}
	return fmt.Errorf("%v lacks message %d at %d, which was acknowledged: %.14s; the log begins at %d", m.key, m.place.Queue, m.place.Log, m.body, s.Start())
}

// search looks for messages by their keys.
func (l *ledger) search(s *store.Store) error {
	stride := 1 + len(l.messages)/100
	for i := l.round % stride; i < len(l.messages); i += stride {
		m := l.messages[i]
		result, err := s.FindByKey(store.KeyQuery{Topic: m.key.Topic, Key: m.searchKey(), To: math.MaxInt64, CountMax: 4, BytesMax: 1 << 20})
		if err != nil {
			return err
		}
		want := 0
		if m.found == l.round {
			want = 1
		}
		if result.Count != want || !result.Complete {
			return fmt.Errorf("%d messages have the key %s, expected %d; complete %v", result.Count, m.searchKey(), want, result.Complete)
		}
		for r, err := range message.DecodeRecords(result.Bytes, true) {
			if err != nil || string(r.Body) != m.body {
				return fmt.Errorf("the key %s finds %.14q: %w", m.searchKey(), r.Body, err)
			}
		}
	}
	return nil
}

// drop removes a topic.
func (l *ledger) drop(s *store.Store, topic string) error {
	var dropped []*sentMessage
	for _, m := range l.messages {
		if m.key.Topic == topic {
			m.dropping = true
			dropped = append(dropped, m)
		}
	}
	if err := s.DropTopic(topic); err != nil {
		return err
	}
	for _, m := range dropped {
		m.lost = true
	}
	return nil
}

// found compares a record that was read with what was sent.
func (l *ledger) found(r *message.Record, key store.QueueKey) error {
	m := l.byBody[string(r.Body)]
	switch {
	case m == nil:
		return fmt.Errorf("message %d was never sent: %.20q", r.QueueOffset, r.Body)
	case m.key != key || string(r.Topic) != key.Topic || r.QueueID != key.ID:
		return fmt.Errorf("message %d belongs to %v", r.QueueOffset, m.key)
	case m.found == l.round:
		return fmt.Errorf("message %d is there twice", r.QueueOffset)
	case m.forbidden():
		return fmt.Errorf("message %d was refused or lost, and is there: %v, lost %v", r.QueueOffset, m.status, m.lost)
	case m.owed() && m.answered && (m.place != store.Place{Log: r.LogOffset, Queue: r.QueueOffset}):
		return fmt.Errorf("message %d at %d was acknowledged as %v", r.QueueOffset, r.LogOffset, m.place)
	}
	m.found = l.round
	return nil
}

// readQueue reads a queue from its first message to its end, as a consumer does.
func readQueue(s *store.Store, key store.QueueKey, each func(r *message.Record) error) error {
	at, end := s.Bounds(key)
	for at < end {
		result, err := s.Read(store.ReadRequest{Queue: key, From: at, CountMax: 16, BytesMax: 64 << 10}, nil)
		if err != nil {
			return err
		}
		if result.Status != store.ReadFound {
			return fmt.Errorf("message %d: %v", at, result.Status)
		}
		for r, err := range message.DecodeRecords(result.Bytes, true) {
			if err == nil && r.QueueOffset != at {
				err = fmt.Errorf("it says that it is message %d", r.QueueOffset)
			}
			if err == nil {
				err = each(r)
			}
			if err != nil {
				return fmt.Errorf("message %d: %w", at, err)
			}
			at++
		}
		if at != result.Next {
			return fmt.Errorf("the read on is at %d, expected %d", result.Next, at)
		}
	}
	return nil
}
