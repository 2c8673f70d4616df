package inflight

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/gantrymq/gantry/transport/message"
)

// A saved state is its version, a byte; Latest; a list of queues: group, topic, number, next, attempt, list of holds: offset, popped at, invisible,
// deliveries; and the CRC-32 of all before it, 4 bytes. The numbers are written as those of events are.
const savedVersion = 1

// ErrSaved: bytes are no saved state. It is wrapped with what is wrong.
var ErrSaved = errors.New("not a saved state of messages in flight")

// Encode writes the state. Of a hold that is being settled or prolonged it says what was before.
func (s *State) Encode() []byte {
	out := binary.AppendVarint([]byte{savedVersion}, s.latest)
	queues := s.Queues()
	out = binary.AppendUvarint(out, uint64(len(queues)))
	for _, q := range queues {
		k := s.queues[q]
		out = binary.AppendUvarint(appendQueue(out, q), uint64(k.next))
		out = appendText(out, k.attempt)
		out = binary.AppendUvarint(out, uint64(len(k.holds)))
		last := message.QueueOffset(0)
		for _, h := range k.holds {
			out = binary.AppendUvarint(out, uint64(h.Offset-last))
			out = binary.AppendVarint(out, h.PoppedAt)
			out = binary.AppendUvarint(out, uint64(h.InvisibleMillis))
			out = binary.AppendUvarint(out, uint64(h.Deliveries))
			last = h.Offset
		}
	}
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}

// Restore reads a state that Encode has written. The error is ErrSaved.
func Restore(saved []byte, now Now) (*State, error) {
	end := len(saved) - 4
	switch {
	case end < 1:
		return nil, fmt.Errorf("%w: %d bytes", ErrSaved, len(saved))
	case crc32.ChecksumIEEE(saved[:end]) != binary.BigEndian.Uint32(saved[end:]):
		return nil, fmt.Errorf("%w: it does not fit its checksum", ErrSaved)
	case saved[0] != savedVersion:
		return nil, fmt.Errorf("%w: version %d, known is %d", ErrSaved, saved[0], savedVersion)
	}
	s, r := New(), reader{rest: saved[1:end]}
	s.latest = r.signed()
	for range r.count() {
		s.restore(&r, now)
	}
	if r.err == nil && len(r.rest) > 0 {
		r.fail("%d bytes follow", len(r.rest))
	}
	if r.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSaved, r.err)
	}
	return s, nil
}

// restore reads one queue.
func (s *State) restore(r *reader, now Now) {
	k := s.queue(r.queue())
	k.next, k.attempt = r.offset(), r.text()
	last := message.QueueOffset(-1)
	for range r.count() {
		h := Hold{Offset: max(last, 0) + r.offset(), PoppedAt: r.signed(), InvisibleMillis: r.number(invisibleMax), Deliveries: int32(r.number(deliveryMax))}
		if r.err == nil && (h.Offset <= last || h.Offset >= k.next || h.Deliveries == 0) {
			r.fail("%v, behind %d in a queue that ends at %d", h, last, k.next)
			return
		}
		h.VisibleAt = now.visibleAt(h.PoppedAt, h.InvisibleMillis)
		s.put(k, h)
		last = h.Offset
	}
}
