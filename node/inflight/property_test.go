package inflight_test

import (
	"testing"

	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// node is a broker that stores events: they are decided, wait for the disk, and are stored or not, in order.
type node struct {
	state   *inflight.State
	millis  int64
	pending []*pendingEvent
	stored  []inflight.Event
	// saved is a state that was encoded when so many events were stored. It counts once what was pending then is stored.
	saved     []byte
	savedAt   int
	saving    []byte
	savingAt  int
	savingFor int // events that must be stored before it counts

	settled map[message.QueueOffset]bool // acknowledged with success, or filtered, and not handed out since a move
}

type pendingEvent struct {
	event inflight.Event
	undo  *inflight.Undo
	skips []message.QueueOffset // that do not match
}

func (n *node) now() inflight.Now { return at(n.millis) }

func (n *node) poppedAt() int64 { return max(int64(n.now().Wall), n.state.Latest()+1) }

// pop hands out messages whose time is over and new ones.
func (n *node) pop(t *rapid.T) {
	next, _ := n.state.Next(orders)
	e := &inflight.Popped{Group: orders.Group, At: n.poppedAt(), InvisibleMillis: rapid.Int64Range(1, 50).Draw(t, "invisible")}
	part := inflight.Part{Topic: orders.Topic, ID: orders.ID, From: next, To: next}
	for _, h := range n.state.Visible(orders, n.now().Instant, rapid.IntRange(0, 4).Draw(t, "again")) {
		part.Held = append(part.Held, inflight.Delivery{Offset: h.Offset, Deliveries: h.Deliveries + 1})
	}
	p := &pendingEvent{event: e}
	for range rapid.IntRange(0, 4).Draw(t, "new") {
		if rapid.Bool().Draw(t, "matches") {
			part.Held = append(part.Held, first(part.To))
		} else {
			p.skips = append(p.skips, part.To)
		}
		part.To++
	}
	e.Parts = []inflight.Part{part}
	for _, d := range part.Held {
		require.False(t, n.settled[d.Offset], "%d is handed out, and was settled", d.Offset)
	}
	p.undo = n.state.Pop(e, n.now())
	n.pending = append(n.pending, p)
}

// settle acknowledges, and hide prolongs, a message that is held.
func (n *node) settle(t *rapid.T) {
	if h, ok := n.lock(t); ok {
		n.pending = append(n.pending, &pendingEvent{event: &inflight.Settled{Queue: orders, PoppedAt: h.PoppedAt, Offsets: []message.QueueOffset{h.Offset}}})
	}
}

func (n *node) hide(t *rapid.T) {
	if h, ok := n.lock(t); ok {
		e := &inflight.Hidden{Queue: orders, Offset: h.Offset, PoppedAt: h.PoppedAt, At: n.poppedAt(), InvisibleMillis: rapid.Int64Range(0, 50).Draw(t, "invisible")}
		n.pending = append(n.pending, &pendingEvent{event: e})
	}
}

func (n *node) lock(t *rapid.T) (inflight.Hold, bool) {
	all := n.state.All(orders)
	if len(all) == 0 {
		return inflight.Hold{}, false
	}
	h := rapid.SampledFrom(all).Draw(t, "hold")
	return h, n.state.Lock(orders, h.Offset, h.PoppedAt)
}

// store makes the oldest events durable.
func (n *node) store(count int) {
	for _, p := range n.pending[:count] {
		n.stored = append(n.stored, p.event)
		if p.undo == nil {
			n.state.Apply(p.event, n.now())
		}
		if e, ok := p.event.(*inflight.Settled); ok {
			n.settled[e.Offsets[0]] = true
		}
		for _, skipped := range p.skips {
			n.settled[skipped] = true
		}
	}
	n.pending = n.pending[count:]
	if n.saving != nil && len(n.stored) >= n.savingFor {
		n.saved, n.savedAt, n.saving = n.saving, n.savingAt, nil
	}
}

// fail is a full disk: nothing that waits is stored.
func (n *node) fail() {
	for _, p := range n.pending {
		switch e := p.event.(type) {
		case *inflight.Popped:
			n.state.Undo(p.undo, n.now().Instant)
		case *inflight.Settled:
			n.state.Unlock(orders, e.Offsets[0], e.PoppedAt)
		case *inflight.Hidden:
			n.state.Unlock(orders, e.Offset, e.PoppedAt)
		}
	}
	n.pending, n.saving = nil, nil
}

// move lets the group go on elsewhere. Nothing else is under way then.
func (n *node) move(t *rapid.T) {
	n.store(len(n.pending))
	next, _ := n.state.Next(orders)
	e := &inflight.Moved{Queue: orders, To: message.QueueOffset(rapid.Int64Range(0, int64(next)+3).Draw(t, "to")), Forward: rapid.Bool().Draw(t, "forward")}
	n.pending = append(n.pending, &pendingEvent{event: e})
	n.store(1)
	if !e.Forward {
		clear(n.settled)
	}
}

// save encodes the state beside everything that is under way.
func (n *node) save() {
	n.saving, n.savingAt, n.savingFor = n.state.Encode(), len(n.stored), len(n.stored)+len(n.pending)
	n.store(0)
}

// restart makes the state again from what was saved and what was stored since. What is under way may be stored or not.
func (n *node) restart(t *rapid.T) {
	n.store(rapid.IntRange(0, len(n.pending)).Draw(t, "stored"))
	n.fail()
	want := n.state.Encode()
	restored, err := inflight.Restore(n.saved, n.now())
	require.NoError(t, err)
	for _, e := range n.stored[n.savedAt:] {
		read, err := inflight.Decode(inflight.Encode(nil, e))
		require.NoError(t, err)
		restored.Apply(read, n.now())
	}
	if restored.Latest() < n.state.Latest() {
		// Receipts that were not stored were never handed out.
		restored.Apply(&inflight.Hidden{Queue: inflight.Queue{Group: "nobody"}, At: n.state.Latest()}, n.now())
	}
	require.Equal(t, want, restored.Encode())
	n.state = restored
}

func TestAStateIsReadAgainFromWhatWasSavedAndTheEventsSince(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := &node{state: inflight.New(), settled: map[message.QueueOffset]bool{}}
		n.state.Apply(&inflight.Moved{Queue: orders}, n.now())
		n.saved = n.state.Encode()
		t.Repeat(map[string]func(*rapid.T){
			"pop": n.pop, "settle": n.settle, "hide": n.hide, "move": n.move, "restart": n.restart,
			"wait":  func(t *rapid.T) { n.millis += rapid.Int64Range(0, 40).Draw(t, "millis") },
			"store": func(t *rapid.T) { n.store(rapid.IntRange(0, len(n.pending)).Draw(t, "count")) },
			"fail":  func(*rapid.T) { n.fail() },
			"save":  func(*rapid.T) { n.save() },
			"": func(t *rapid.T) {
				next, _ := n.state.Next(orders)
				require.LessOrEqual(t, n.state.Floor(orders), next)
				ofQueue, all := n.state.Holds(orders)
				require.Equal(t, len(n.state.All(orders)), ofQueue)
				require.Equal(t, all, ofQueue)
				for offset := range n.settled {
					_, held := n.state.Held(orders, offset)
					require.False(t, held, "%d is in flight, and was settled", offset)
				}
			},
		})
	})
}
