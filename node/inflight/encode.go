package inflight

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/transport/message"
)

// An event is one byte for its kind and then its fields in order. Numbers are varints, those that cannot be negative unsigned ones
// (encoding/binary); a text is its length in bytes, unsigned, and the bytes; a list is its length and its elements. Of a list of offsets each but the
// first is the distance from the one before.
const (
	kindPopped    = 1 // group, at, invisible, attempt, parts: topic, queue, from, to-from, held: offset, deliveries
	kindSettled   = 2 // group, topic, queue, popped at, offsets
	kindHidden    = 3 // group, topic, queue, offset, popped at, at, invisible
	kindMoved     = 4 // group, topic, queue, to
	kindForward   = 5 // likewise, with Forward
	kindForgotten = 6 // group, topic
)

// ErrEvent: bytes are no event. It is wrapped with what is wrong.
var ErrEvent = errors.New("not an event of messages in flight")

// Encode appends an event.
func Encode(out []byte, e Event) []byte { return e.append(out) }

func appendText(out []byte, text string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}

func appendQueue(out []byte, q Queue) []byte {
	out = appendText(appendText(out, q.Group), q.Topic)
	return binary.AppendUvarint(out, uint64(q.ID))
}

func (e *Popped) append(out []byte) []byte {
	out = appendText(append(out, kindPopped), e.Group)
	out = binary.AppendVarint(out, e.At)
	out = binary.AppendUvarint(out, uint64(e.InvisibleMillis))
	out = appendText(out, e.Attempt)
	out = binary.AppendUvarint(out, uint64(len(e.Parts)))
	for i := range e.Parts {
		p := &e.Parts[i]
		out = binary.AppendUvarint(appendText(out, p.Topic), uint64(p.ID))
		out = binary.AppendUvarint(out, uint64(p.From))
		out = binary.AppendUvarint(out, uint64(p.To-p.From))
		out = binary.AppendUvarint(out, uint64(len(p.Held)))
		last := message.QueueOffset(0)
		for _, d := range p.Held {
			out = binary.AppendUvarint(out, uint64(d.Offset-last))
			out = binary.AppendUvarint(out, uint64(d.Deliveries))
			last = d.Offset
		}
	}
	return out
}

func (e *Settled) append(out []byte) []byte {
	out = appendQueue(append(out, kindSettled), e.Queue)
	out = binary.AppendVarint(out, e.PoppedAt)
	out = binary.AppendUvarint(out, uint64(len(e.Offsets)))
	last := message.QueueOffset(0)
	for _, offset := range e.Offsets {
		out = binary.AppendUvarint(out, uint64(offset-last))
		last = offset
	}
	return out
}

func (e *Hidden) append(out []byte) []byte {
	out = appendQueue(append(out, kindHidden), e.Queue)
	out = binary.AppendUvarint(out, uint64(e.Offset))
	out = binary.AppendVarint(out, e.PoppedAt)
	out = binary.AppendVarint(out, e.At)
	return binary.AppendUvarint(out, uint64(e.InvisibleMillis))
}

func (e *Moved) append(out []byte) []byte {
	kind := byte(kindMoved)
	if e.Forward {
		kind = kindForward
	}
	return binary.AppendUvarint(appendQueue(append(out, kind), e.Queue), uint64(e.To))
}

func (e *Forgotten) append(out []byte) []byte {
	return appendText(appendText(append(out, kindForgotten), e.Group), e.Topic)
}

// Decode reads one event, which takes all of the bytes. The error is ErrEvent.
func Decode(body []byte) (Event, error) {
	r := reader{rest: body}
	e := r.event(r.byte())
	switch {
	case r.err != nil:
		return nil, r.err
	case len(r.rest) > 0:
		return nil, fmt.Errorf("%w: %d bytes follow it", ErrEvent, len(r.rest))
	}
	return e, nil
}

// reader takes fields off the front. After an error it returns zeros.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) event(kind byte) Event {
	switch kind {
	case kindPopped:
		return r.popped()
	case kindSettled:
		return &Settled{Queue: r.queue(), PoppedAt: r.signed(), Offsets: r.offsets()}
	case kindHidden:
		return &Hidden{Queue: r.queue(), Offset: r.offset(), PoppedAt: r.signed(), At: r.signed(), InvisibleMillis: r.number(invisibleMax)}
	case kindMoved, kindForward:
		return &Moved{Queue: r.queue(), To: r.offset(), Forward: kind == kindForward}
	case kindForgotten:
		return &Forgotten{Group: r.text(), Topic: r.text()}
	}
	r.fail("kind %d", kind)
	return nil
}

// Bounds of fields.
const (
	invisibleMax = 1 << 40 // milliseconds
	offsetMax    = 1 << 60
	queueIDMax   = 1<<31 - 1
	deliveryMax  = 1<<31 - 1
)

func (r *reader) popped() *Popped {
	e := &Popped{Group: r.text(), At: r.signed(), InvisibleMillis: r.number(invisibleMax), Attempt: r.text()}
	for range r.count() {
		e.Parts = append(e.Parts, r.part())
	}
	return e
}

func (r *reader) part() Part {
	p := Part{Topic: r.text(), ID: int32(r.number(queueIDMax)), From: r.offset()}
	p.To = p.From + r.offset()
	last := message.QueueOffset(-1)
	for i := range r.count() {
		d := Delivery{Offset: max(last, 0) + r.offset(), Deliveries: int32(r.number(deliveryMax))}
		if r.err == nil && (i > 0 && d.Offset <= last || d.Offset >= p.To || d.Deliveries == 0) {
			r.fail("message %d, delivery %d, behind %d in a part that ends at %d", d.Offset, d.Deliveries, last, p.To)
		}
		p.Held, last = append(p.Held, d), d.Offset
	}
	return p
}

// offsets reads a list.
func (r *reader) offsets() (list []message.QueueOffset) {
	last := message.QueueOffset(-1)
	for range r.count() {
		offset := max(last, 0) + r.offset()
		if r.err == nil && offset <= last {
			r.fail("message %d behind %d", offset, last)
		}
		list, last = append(list, offset), offset
	}
	return list
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err, r.rest = fmt.Errorf("%w: "+format, append([]any{ErrEvent}, args...)...), nil
	}
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.fail("it ends too soon")
		return 0
	}
	first := r.rest[0]
	r.rest = r.rest[1:]
	return first
}

func (r *reader) signed() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail("a number is cut off or too large")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) number(most uint64) int64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > most {
		r.fail("a number is cut off or too large")
		return 0
	}
	r.rest = r.rest[n:]
	return int64(v)
}

// count is the length of a list or a text: everything in it takes a byte at least.
func (r *reader) count() int { return int(r.number(uint64(len(r.rest)))) }

func (r *reader) offset() message.QueueOffset { return message.QueueOffset(r.number(offsetMax)) }

func (r *reader) text() string {
	n := r.count()
	text := string(r.rest[:min(n, len(r.rest))])
	if n > len(r.rest) {
		r.fail("a text is cut off")
		return ""
	}
	r.rest = r.rest[n:]
	return text
}

func (r *reader) queue() Queue {
	return Queue{Group: r.text(), Topic: r.text(), ID: int32(r.number(queueIDMax))}
}
