package inflight

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
)

// Event is something that has happened to messages in flight.
type Event interface {
	fmt.Stringer
	// applyTo changes a state as the event says.
	applyTo(s *State, now Now)
	// append writes the event, with what tells its kind.
	append(out []byte) []byte
}

// Popped: a group was handed messages, of one queue or of several (class PopCheckPoint).
type Popped struct {
	Group           string
	At              int64 // wall milliseconds (popTime); later than that of any event before
	InvisibleMillis int64
	Attempt         string // name of an ordered pop (attemptId), or ""
	Parts           []Part // of different queues
}

// Part is what was handed out of one queue.
type Part struct {
	Topic string
	ID    int32
	// Of the messages in [From, To) those in Held are held now, and the others settled: they did not match. From is Next.
	From, To message.QueueOffset
	// Held are the messages that were handed out, those before From once more. They are in the order of the queue.
	Held []Delivery
}

// Delivery is a message that was handed out, and how often it has been by now.
type Delivery struct {
	Offset     message.QueueOffset
	Deliveries int32
}

// Settled: messages of one pop of a queue were acknowledged, became dead letters, or cannot be read any more (classes AckMsg and BatchAckMsg).
type Settled struct {
	Queue    Queue
	PoppedAt int64                 // of their holds
	Offsets  []message.QueueOffset // ascending
}

// Hidden: the receipt of a message was replaced by one that is good from now on for so long (CHANGE_MESSAGE_INVISIBLETIME).
type Hidden struct {
	Queue           Queue
	Offset          message.QueueOffset
	PoppedAt        int64 // of its hold
	At              int64 // PoppedAt from now on
	InvisibleMillis int64
}

// Moved: the group goes on elsewhere in a queue: a tool has set its offset, it begins with the queue, or has consumed from it by pulls meanwhile.
type Moved struct {
	Queue Queue
	To    message.QueueOffset
	// Forward: what is in flight behind To stays so, and nothing that was handed out is so once more. Otherwise nothing is in flight any more.
	Forward bool
}

// Forgotten: the topic or the group was deleted; the other one is "".
type Forgotten struct{ Group, Topic string }

// Apply changes the state as an event says.
func (s *State) Apply(e Event, now Now) { e.applyTo(s, now) }

func (s *State) queue(q Queue) *queue {
	known := s.queues[q]
	if known == nil {
		known = &queue{}
		s.queues[q] = known
	}
	return known
}

// queueOf names the queue of a part.
func (e *Popped) queueOf(p *Part) Queue { return Queue{e.Group, p.Topic, p.ID} }

func (e *Popped) applyTo(s *State, now Now) {
	s.latest = max(s.latest, e.At)
	visible := now.visibleAt(e.At, e.InvisibleMillis)
	for i := range e.Parts {
		p := &e.Parts[i]
		known := s.queue(e.queueOf(p))
		s.cut(known, p.From)
		known.next, known.attempt = p.To, e.Attempt
		for _, d := range p.Held {
			s.put(known, Hold{Offset: d.Offset, PoppedAt: e.At, InvisibleMillis: e.InvisibleMillis, Deliveries: d.Deliveries, VisibleAt: visible})
		}
	}
}

// cut drops the holds from an offset on.
func (s *State) cut(k *queue, from message.QueueOffset) {
	i, _ := k.find(from)
	s.holds -= len(k.holds) - i
	k.holds = k.holds[:i]
}

// put adds a hold, in the place of one that the message may have.
func (s *State) put(k *queue, h Hold) {
	k.soonest = k.soonest.Sooner(h.VisibleAt)
	i, found := k.find(h.Offset)
	if found {
		k.holds[i] = h
		return
	}
	k.holds = slices.Insert(k.holds, i, h)
	s.holds++
}

func (s *State) remove(k *queue, offset message.QueueOffset) {
	if i, found := k.find(offset); found {
		k.holds = slices.Delete(k.holds, i, i+1)
		s.holds--
	}
}

func (e *Settled) applyTo(s *State, _ Now) {
	for _, offset := range e.Offsets {
		if s.hold(e.Queue, offset, e.PoppedAt) != nil {
			s.remove(s.queues[e.Queue], offset)
		}
	}
}

func (e *Hidden) applyTo(s *State, now Now) {
	s.latest = max(s.latest, e.At)
	if h := s.hold(e.Queue, e.Offset, e.PoppedAt); h != nil {
		changed := *h
		changed.PoppedAt, changed.InvisibleMillis, changed.Settling = e.At, e.InvisibleMillis, false
		changed.VisibleAt = now.visibleAt(e.At, e.InvisibleMillis)
		s.put(s.queues[e.Queue], changed)
	}
}

func (e *Moved) applyTo(s *State, _ Now) {
	k := s.queue(e.Queue)
	if !e.Forward {
		s.cut(k, 0)
		k.next = e.To
		return
	}
	i, _ := k.find(e.To)
	s.holds -= i
	k.holds = slices.Delete(k.holds, 0, i)
	k.next = max(k.next, e.To)
}

func (e *Forgotten) applyTo(s *State, _ Now) {
	maps.DeleteFunc(s.queues, func(q Queue, k *queue) bool {
		gone := q.Group == e.Group || q.Topic == e.Topic
		if gone {
			s.holds -= len(k.holds)
		}
		return gone
	})
}

// Undo takes a pop back that was applied and could not be stored.
type Undo struct {
	event  *Popped
	before [][]Hold // by part: of the messages that were handed out once more
}

// Pop applies a pop before it is stored, so that nobody else is handed the same messages meanwhile. Its queues are known: by a Moved. If it cannot be stored, it is to be undone, and so is
// every later one, the earlier ones first.
func (s *State) Pop(e *Popped, now Now) *Undo {
	u := &Undo{event: e, before: make([][]Hold, len(e.Parts))}
	for i := range e.Parts {
		p := &e.Parts[i]
		for _, d := range p.Held {
			if h, held := s.Held(e.queueOf(p), d.Offset); held {
				u.before[i] = append(u.before[i], h)
			}
		}
	}
	e.applyTo(s, now)
	return u
}

// Undo takes back what Pop has done. What was held before is as it was, and visible.
func (s *State) Undo(u *Undo, now env.Instant) {
	for i := range u.event.Parts {
		p := &u.event.Parts[i]
		k := s.queues[u.event.queueOf(p)]
		if k == nil {
			continue // forgotten meanwhile
		}
		s.cut(k, p.From)
		// Nothing repeats it, nor what was before.
		k.next, k.attempt = min(k.next, p.From), ""
		for _, before := range u.before[i] {
			if h := s.hold(u.event.queueOf(p), before.Offset, u.event.At); h != nil {
				before.VisibleAt = now
				s.put(k, before)
			}
		}
	}
}

// String shows what was popped.
func (e *Popped) String() string {
	count := 0
	for i := range e.Parts {
		count += len(e.Parts[i].Held)
	}
	return fmt.Sprintf("%s popped %d messages at %d", e.Group, count, e.At)
}

// String shows the messages.
func (e *Settled) String() string {
	return fmt.Sprintf("%d of %v are settled (popped at %d)", e.Offsets, e.Queue, e.PoppedAt)
}

// String shows the message and its new receipt.
func (e *Hidden) String() string {
	return fmt.Sprintf("%d of %v (popped at %d) is hidden at %d for %d ms", e.Offset, e.Queue, e.PoppedAt, e.At, e.InvisibleMillis)
}

// String shows where the group goes on.
func (e *Moved) String() string { return fmt.Sprintf("%v goes on at %d", e.Queue, e.To) }

// String shows what is gone.
func (e *Forgotten) String() string {
	if e.Group == "" {
		return "topic " + e.Topic + " is gone"
	}
	return "group " + e.Group + " is gone"
}
