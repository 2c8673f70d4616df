package linearizability

import (
	"fmt"
	"math/bits"
)

// A queue's state is its length and a chain of the hashes of all its messages: two logs
// with the same chain are the same log. What stands at an offset is found by going back from the newest
// cell; cells are shared by all states, so a state costs one word.
type cell struct {
	length   int64  // of the queue, this message included: its offset plus one
	chain    uint64 // of all messages up to this one
	hash     Hash
	previous *cell
	// jump leads further back, so that going back n messages takes about log n steps. The
	// distances are those of the numbers whose digits in skew binary are all zero but one.
	jump *cell
}

// emptyQueue is the state of a queue whose next message gets the given offset. What
// stands below is not known.
func emptyQueue(start int64) *cell {
	root := &cell{length: start}
	root.jump = root
	return root
}

// push returns the state behind one more message.
func (c *cell) push(hash Hash) *cell {
	next := &cell{length: c.length + 1, chain: mix(c.chain, hash), hash: hash, previous: c, jump: c}
	if c.length-c.jump.length == c.jump.length-c.jump.jump.length {
		next.jump = c.jump.jump
	}
	return next
}

// at returns the cell of a message, or nil if it stands below what is known. The offset is
// below c.length.
func (c *cell) at(offset int64) *cell {
	for c.previous != nil && c.length > offset+1 {
		if c.jump.length > offset {
			c = c.jump
		} else {
			c = c.previous
		}
	}
	if c.previous == nil {
		return nil
	}
	return c
}

// mix joins a hash to a chain so that order counts.
func mix(chain uint64, hash Hash) uint64 {
	high, low := bits.Mul64(chain^0x9E3779B97F4A7C15, uint64(hash)^0xD1B54A32D192ED03)
	return bits.RotateLeft64(chain, 23) ^ high ^ low
}

// queueModel is an append-only log whose first message gets offset start. A send is
// given the length as its offset. A read shows what stands at its offsets, and if it tells the
// end, the length. A send without an answer may come at any time after its call, or last
// of all.
func queueModel(start int64) model[*cell] {
	return model[*cell]{
		start:    emptyQueue(start),
		step:     stepQueue,
		equal:    func(a, b *cell) bool { return a.length == b.length && a.chain == b.chain },
		hash:     func(c *cell) uint64 { return c.chain },
		describe: func(c *cell) string { return fmt.Sprintf("length %d, newest %v", c.length, c.hash) },
		carry:    carryQueue,
	}
}

func stepQueue(c *cell, o *Operation) (*cell, bool) {
	switch {
	case o.Kind == KindRead:
		return c, c.shows(o)
	case o.Outcome == OutcomeUnknown:
		return c.push(o.Hash), true
	case o.Offset != c.length:
		return c, false
	}
	return c.push(o.Hash), true
}

// shows reports whether a read could have had its answer in this state.
func (c *cell) shows(o *Operation) bool {
	if o.End != OffsetNone && o.End != c.length || o.seen() > c.length {
		return false
	}
	// From the newest one back, because that is the way the cells lead.
	var here *cell
	for i := len(o.Hashes) - 1; i >= 0; i-- {
		offset := o.Offset + int64(i)
		if here == nil {
			here = c.at(offset)
		} else {
			here = here.previous
		}
		if here == nil || here.previous == nil {
			return true // below what is known
		}
		if here.hash != o.Hashes[i] {
			return false
		}
	}
	return true
}

// carryQueue replays the sends of a piece. At a quiet point each has been answered, and in a
// legal piece their offsets continue the state.
func carryQueue(c *cell, piece []*Operation) *cell {
	sent := make([]*Operation, len(piece))
	for _, o := range piece {
		if i := o.Offset - c.length; o.Kind == KindSend && i >= 0 && i < int64(len(sent)) {
			sent[i] = o
		}
	}
	for _, o := range sent {
		if o == nil {
			break
		}
		c = c.push(o.Hash)
	}
	return c
}
