package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// transactionsFile is Gantry's own.
const transactionsFile = "transactions.json"

// transactionsDocument is the file. It grows with the transactions that are open and with those that ended of late, not with all behind one that
// nobody decides.
type transactionsDocument struct {
	// Half: all half messages before this number have ended.
	Half message.QueueOffset `json:"half"`
	// Next: of those from Half up to here, the ones in Open are open and all others have ended. Without it all from Half on are open that are
	// not in Ended.
	Next *message.QueueOffset  `json:"next,omitempty"`
	Open []message.QueueOffset `json:"open,omitempty"`
	// Covered: how others have ended that did so before this place in the log, is in Ended.
	Covered message.LogOffset                                `json:"covered"`
	Ended   map[message.QueueOffset]proto.TransactionOutcome `json:"ended,omitempty"`
	Checks  map[message.QueueOffset]int                      `json:"checks,omitempty"`
}

// fault tells what cannot be.
func (d *transactionsDocument) fault(confirmed message.LogOffset) error {
	switch {
	case d.Covered > confirmed:
		return fmt.Errorf("it knows the log up to %d, which ends at %d", d.Covered, confirmed)
	case d.Next == nil:
		return nil
	case *d.Next < d.Half || slices.ContainsFunc(d.Open, func(n message.QueueOffset) bool { return n < d.Half || n >= *d.Next }):
		return fmt.Errorf("open transactions are from %d up to %d, but it names %v", d.Half, *d.Next, d.Open)
	}
	return nil
}

// readFile reads what was saved. Where that cannot be, all of the log is to be read.
func (t *transactions) readFile() transactionsDocument {
	b := t.broker
	in := transactionsDocument{Half: -1}
	err := loadDocument(b.env, transactionsFile, func(content []byte) error { return json.Unmarshal(content, &in) })
	if err == nil {
		err = in.fault(b.store.Confirmed())
	}
	if err != nil {
		b.env.Log.Warn("which transactions are open is read from all of the log", zap.Error(err))
		in = transactionsDocument{Half: -1}
	}
	if in.Half < 0 {
		// A Java broker may have been here before.
		java, _ := b.offsets.get(transactionsGroup, proto.HalfTopic, halfQueue.ID)
		in.Half = message.QueueOffset(java)
	}
	return in
}

// recover reads which transactions are open. It reports whether that went well.
func (t *transactions) recover() bool {
	in := t.readFile()
	first, _ := t.broker.store.Bounds(halfQueue)
	clear(t.open)
	clear(t.ended)
	t.order, t.next, t.covered, t.due = nil, max(in.Half, first), in.Covered, nil
	if in.Next != nil {
		t.next = max(*in.Next, first)
	}
	t.filed = t.next
	for _, number := range slices.Sorted(maps.Keys(in.Ended)) {
		t.remember(number, in.Ended[number])
	}
	if err := errors.Join(t.reopen(in.Open), t.collect()); err != nil {
		t.broker.env.Log.Error("transactions wait: the disk cannot be read; it is tried again", zap.Error(err))
		t.broker.pauseFor(tryDeliveryAfter)
		return false
	}
	// order does not matter: each is looked at alone
	for number, checks := range in.Checks {
		if open := t.open[number]; open != nil {
			open.checks = checks
		}
	}
	return t.follow()
}

// reopen reads the half messages of transactions that were open.
func (t *transactions) reopen(numbers []message.QueueOffset) error {
	wanted := map[message.QueueOffset]bool{}
	for _, number := range numbers {
		wanted[number] = true
	}
	next := message.QueueOffset(0)
	for _, number := range slices.Sorted(maps.Keys(wanted)) {
		// The last read may have brought it.
		next = max(next, number)
		stop := func() bool { return next > number || t.closing }
		err := t.broker.readQueue(halfQueue, &next, stop, t.lose, func(r *message.Record) {
			if wanted[r.QueueOffset] {
				t.begin(r)
				delete(wanted, r.QueueOffset)
			}
		})
		if err != nil {
			return err
		}
	}
	if len(wanted) > 0 && !t.closing {
		t.lose(fmt.Errorf("%d half messages were removed with the oldest files of the log", len(wanted)))
	}
	return nil
}

// save writes the file. What it says must not be ahead of the log: that is made durable first.
func (t *transactions) save() error {
	b := t.broker
	if !t.ready {
		return nil
	}
	covered := b.store.Confirmed()
	t.keep.MoveTo(t.oldest(covered))
	if !t.changed {
		return nil
	}
	t.changed = false
	out, ended := t.document(covered), slices.Clone(t.order)
	err := b.store.Flush()
	var text []byte
	if err == nil {
		// There may be many, and to encode them would keep everybody waiting.
		b.env.Tasks.Offload(func() { text, err = out.encode(ended) })
	}
	if err == nil {
		err = b.saveTable(transactionsFile, text)
	}
	if err != nil {
		t.changed = true
		return err
	}
	t.covered, t.filed = covered, *out.Next
	b.offsets.set(transactionsGroup, proto.HalfTopic, halfQueue.ID, int64(out.Half))
	return nil
}

// oldest is where the oldest half message stands that is open; without one it is the place that is given.
func (t *transactions) oldest(end message.LogOffset) message.LogOffset {
	// order does not matter: the least counts
	for _, open := range t.open {
		end = min(end, open.log)
	}
	return end
}

// document is all but how transactions have ended.
func (t *transactions) document(covered message.LogOffset) *transactionsDocument {
	next := t.next
	out := &transactionsDocument{Half: next, Next: &next, Covered: covered, Checks: map[message.QueueOffset]int{}}
	// order does not matter: they are sorted later
	for number, open := range t.open {
		if number >= next {
			continue // it is behind what the next start knows
		}
		out.Open, out.Half = append(out.Open, number), min(out.Half, number)
		if open.checks > 0 {
			out.Checks[number] = open.checks
		}
	}
	return out
}

// encode is the text of the file.
func (d *transactionsDocument) encode(ended []endedTransaction) ([]byte, error) {
	slices.Sort(d.Open)
	d.Ended = map[message.QueueOffset]proto.TransactionOutcome{}
	for _, e := range ended {
		d.Ended[e.number] = e.outcome
	}
	return json.Marshal(d)
}
