package repeat

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/transport/message"
)

// Limits bound what a Table remembers.
type Limits struct {
	Window    int           // sends of one producer; at least 1
	Producers int           // at least 1
	Sends     int           // of all producers together; at least Window
	Forget    time.Duration // after which a producer that has sent nothing is forgotten; at least 10 ms
}

// Place is where a message was stored, and where its sender wanted it.
type Place struct {
	Log     message.LogOffset
	Offset  message.QueueOffset // in the queue that it was put into
	QueueID int32               // which its sender was told
	Topic   uint32              // TopicHash of the topic that it was sent to
}

// TopicHash is what a Place keeps of a topic: enough to notice that a repeat is sent elsewhere.
func TopicHash(topic []byte) uint32 { return uint32(message.HashCode(topic)) }

// Verdict is what Find says of a send.
type Verdict int

// The verdicts.
const (
	New   Verdict = iota // it was not stored, as far as is known
	Known                // it was stored before
	Below                // so much was sent since that nobody knows
)

var verdictNames = [...]string{"new", "known", "below the window"}

// String names the verdict.
func (v Verdict) String() string {
	if v < 0 || int(v) >= len(verdictNames) {
		return fmt.Sprintf("verdict %d", int(v))
	}
	return verdictNames[v]
}

// Table remembers the sends of late. One task at a time uses it.
type Table struct {
	limits    Limits
	producers map[Producer]*sender
	// The senders in the order of their last sends, in a ring: ring.next has been silent longest.
	ring  sender
	sends int // remembered; <= limits.Sends
	// clock is a time that passes as records are added, and latest the store time of the last one, both in milliseconds.
	clock, latest int64
	// pushed counts producers that were forgotten before their time, because there were too many of them or of their sends.
	pushed int64
}

// sender is one producer.
type sender struct {
	id         Producer
	sends      []send // by sequence; those before head are not remembered
	head       int
	floor      int64 // no sequence up to it is remembered; less than all in sends
	at         int64 // clock of its last send
	prev, next *sender
}

// send is one message that was stored: 32 bytes.
type send struct {
	sequence int64
	place    Place
}

// NewTable returns a table that knows nothing.
func NewTable(limits Limits) *Table {
	t := &Table{limits: limits, producers: map[Producer]*sender{}}
	t.ring.prev, t.ring.next = &t.ring, &t.ring
	return t
}

// Window is how many sends of each producer are remembered.
func (t *Table) Window() int { return t.limits.Window }

// Producers is how many are known, and Sends how many messages of all of them.
func (t *Table) Producers() int { return len(t.producers) }

// Sends is how many messages are remembered.
func (t *Table) Sends() int { return t.sends }

// Pushed counts producers that were forgotten before their time, because there were too many of them or of their sends.
func (t *Table) Pushed() int64 { return t.pushed }

// Find tells whether a message was stored before, and where.
func (t *Table) Find(i Identity) (Place, Verdict) {
	s := t.producers[i.Producer]
	if s == nil {
		return Place{}, New
	}
	if i.Sequence <= s.floor {
		return Place{}, Below
	}
	if at, found := s.find(i.Sequence); found {
		return s.sends[at].place, Known
	}
	return Place{}, New
}

// find is where a sequence is, or belongs. Nearly all are newer than all others.
func (s *sender) find(sequence int64) (at int, found bool) {
	if n := len(s.sends); n == s.head || s.sends[n-1].sequence < sequence {
		return n, false
	}
	at, found = slices.BinarySearchFunc(s.sends[s.head:], sequence, func(e send, sequence int64) int { return cmp.Compare(e.sequence, sequence) })
	return at + s.head, found
}

// Add notes that a message was stored, wall milliseconds being its store time. Messages are added in the order of the log. If one with the same identity
// was added before, that one counts.
func (t *Table) Add(i Identity, place Place, storedAt int64) {
	t.pass(storedAt)
	s := t.sender(i.Producer)
	if i.Sequence > s.floor {
		if at, found := s.find(i.Sequence); !found {
			s.insert(at, send{i.Sequence, place})
			t.sends++
		}
	}
	if len(s.sends)-s.head > t.limits.Window {
		s.floor = s.sends[s.head].sequence
		s.head++
		t.sends--
	}
	t.forget()
}

// sender returns that of a producer, now the last one that has sent.
func (t *Table) sender(p Producer) *sender {
	s := t.producers[p]
	if s == nil {
		s = &sender{id: p}
		t.producers[p] = s
	} else {
		s.unlink()
	}
	s.at = t.clock
	t.link(s)
	return s
}

// insert puts a send where it belongs. Memory is moved together when a third of it is not used: so it stays, and is not allocated again.
func (s *sender) insert(at int, e send) {
	if len(s.sends) == cap(s.sends) && 3*s.head > len(s.sends) {
		s.sends = append(s.sends[:0], s.sends[s.head:]...)
		at -= s.head
		s.head = 0
	}
	s.sends = slices.Insert(s.sends, at, e)
}

// String tells how much is remembered.
func (t *Table) String() string {
	return fmt.Sprintf("%d sends of %d producers", t.sends, len(t.producers))
}
