package inflight

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
)

// Queue names a queue as a group sees it.
type Queue struct {
	Group, Topic string
	ID           int32
}

// String shows all three.
func (q Queue) String() string { return fmt.Sprintf("%s-%d of group %s", q.Topic, q.ID, q.Group) }

func (q Queue) compare(other Queue) int {
	return cmp.Or(strings.Compare(q.Group, other.Group), strings.Compare(q.Topic, other.Topic), cmp.Compare(q.ID, other.ID))
}

// Hold is a message that was handed out and is not settled.
type Hold struct {
	Offset          message.QueueOffset
	PoppedAt        int64 // wall milliseconds, as the receipt says; no other hold of the message has or had the same
	InvisibleMillis int64
	Deliveries      int32 // how often it was handed out; >= 1
	// VisibleAt is when the message may be handed out again.
	VisibleAt env.Instant
	// Settling: an event that ends or prolongs the hold is being stored. Until that is done the receipt is of no use.
	Settling bool
}

// String shows which message is held until when.
func (h Hold) String() string {
	return fmt.Sprintf("message %d, popped at %d for %d ms, delivery %d", h.Offset, h.PoppedAt, h.InvisibleMillis, h.Deliveries)
}

// State is what is in flight at one broker. It is not safe for concurrent use.
type State struct {
	queues map[Queue]*queue
	latest int64 // of PoppedAt of all events
	holds  int   // in all queues
}

// queue is a queue of which messages were popped.
type queue struct {
	next    message.QueueOffset
	holds   []Hold      // by offset; each is before next
	soonest env.Instant // no hold is visible before it
	attempt string      // of the ordered pop that was the last one, if it had a name
}

// New returns a state that knows no queue.
func New() *State { return &State{queues: map[Queue]*queue{}} }

// Now is both kinds of time. Wall only counts for what was popped before the node was started.
type Now struct {
	Instant env.Instant
	Wall    env.WallMillis
}

// visibleAt is when a hold ends, which began or begins at a wall time. The wall clock may have been set since: nothing is hidden for longer than was asked.
func (n Now) visibleAt(poppedAt, invisibleMillis int64) env.Instant {
	left := min(max(poppedAt+invisibleMillis-int64(n.Wall), 0), invisibleMillis)
	return n.Instant.Add(time.Duration(left) * time.Millisecond)
}

// Next is the first message of a queue that was not handed out yet. It reports false for a queue of which nothing was popped.
func (s *State) Next(q Queue) (message.QueueOffset, bool) {
	if known := s.queues[q]; known != nil {
		return known.next, true
	}
	return 0, false
}

// Floor is the first message of a queue that is not settled; Next if all are.
func (s *State) Floor(q Queue) message.QueueOffset {
	known := s.queues[q]
	switch {
	case known == nil:
		return 0
	case len(known.holds) > 0:
		return known.holds[0].Offset
	}
	return known.next
}

// Held returns the hold of a message.
func (s *State) Held(q Queue, offset message.QueueOffset) (Hold, bool) {
	if known := s.queues[q]; known != nil {
		if i, found := known.find(offset); found {
			return known.holds[i], true
		}
	}
	return Hold{}, false
}

// Holds is how many messages are held: of a queue, and of all.
func (s *State) Holds(q Queue) (ofQueue, all int) {
	if known := s.queues[q]; known != nil {
		ofQueue = len(known.holds)
	}
	return ofQueue, s.holds
}

// Latest is the newest PoppedAt of all events. The next one must be later: it tells the receipts of a message apart.
func (s *State) Latest() int64 { return s.latest }

// Queues lists the queues of which something was popped, in order.
func (s *State) Queues() []Queue {
	return slices.SortedFunc(maps.Keys(s.queues), Queue.compare)
}

// Visible lists the first messages of a queue, at most count, whose holds are over.
func (s *State) Visible(q Queue, now env.Instant, count int) (holds []Hold) {
	known := s.queues[q]
	if known == nil || !known.soonest.Reached(now) {
		return nil
	}
	soonest := env.Never
	for _, h := range known.holds {
		switch {
		case len(holds) == count:
			return holds
		case !h.VisibleAt.Reached(now):
			soonest = soonest.Sooner(h.VisibleAt)
		case h.Settling:
			// Unlock counts it again.
		default:
			soonest = now
			holds = append(holds, h)
		}
	}
	known.soonest = soonest
	return holds
}

// Soonest is a time before which no hold of a queue ends; env.Never if there is none.
func (s *State) Soonest(q Queue) env.Instant {
	if known := s.queues[q]; known != nil {
		return known.soonest
	}
	return env.Never
}

// Blocked reports whether an ordered pop of a queue must wait: something before is in flight. One that repeats the last ordered pop, by its name, may have the
// same messages once more.
func (s *State) Blocked(q Queue, now env.Instant, attempt string) bool {
	known := s.queues[q]
	if known == nil {
		return false
	}
	repeats := attempt != "" && attempt == known.attempt
	for _, h := range known.holds {
		if h.Settling || !repeats && !h.VisibleAt.Reached(now) {
			return true
		}
	}
	return false
}

// All lists all holds of a queue.
func (s *State) All(q Queue) []Hold {
	if known := s.queues[q]; known != nil {
		return slices.Clone(known.holds)
	}
	return nil
}

// Lock notes that an event which ends or prolongs a hold is being stored. It reports whether the receipt is that of the hold, and there is no such event
// yet.
func (s *State) Lock(q Queue, offset message.QueueOffset, poppedAt int64) bool {
	h := s.hold(q, offset, poppedAt)
	if h == nil || h.Settling {
		return false
	}
	h.Settling = true
	return true
}

// Unlock takes Lock back: the event was not stored.
func (s *State) Unlock(q Queue, offset message.QueueOffset, poppedAt int64) {
	if h := s.hold(q, offset, poppedAt); h != nil {
		h.Settling = false
		k := s.queues[q]
		k.soonest = k.soonest.Sooner(h.VisibleAt)
	}
}

// hold finds the hold that a receipt is for.
func (s *State) hold(q Queue, offset message.QueueOffset, poppedAt int64) *Hold {
	known := s.queues[q]
	if known == nil {
		return nil
	}
	i, found := known.find(offset)
	if !found || known.holds[i].PoppedAt != poppedAt {
		return nil
	}
	return &known.holds[i]
}

func (k *queue) find(offset message.QueueOffset) (int, bool) {
	return slices.BinarySearchFunc(k.holds, offset, func(h Hold, o message.QueueOffset) int { return cmp.Compare(h.Offset, o) })
}

// Trim drops what is behind the end of a queue, and reports whether there was something: other messages will have those numbers.
func (s *State) Trim(q Queue, end message.QueueOffset) bool {
	k := s.queues[q]
	if k == nil || k.next <= end {
		return false
	}
	s.cut(k, end)
	k.next = end
	return true
}

// String tells how much is in flight.
func (s *State) String() string {
	return fmt.Sprintf("%d messages of %d queues are in flight", s.holds, len(s.queues))
}
