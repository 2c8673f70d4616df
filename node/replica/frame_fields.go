package replica

import (
	"encoding/binary"

	"github.com/gantrymq/gantry/transport/message"
)

func appendPlace(p []byte, at message.LogOffset) []byte {
	return binary.BigEndian.AppendUint64(p, uint64(at))
}

func appendFlag(p []byte, flags ...bool) []byte {
	bits := byte(0)
	for i, flag := range flags {
		if flag {
			bits |= 1 << i
		}
	}
	return append(p, bits)
}

func appendEra(p []byte, e Era) []byte {
	return appendPlace(binary.BigEndian.AppendUint32(p, uint32(e.Epoch)), e.Start)
}

func appendEras(p []byte, eras []Era) []byte {
	p = binary.BigEndian.AppendUint32(p, uint32(len(eras)))
	for _, e := range eras {
		p = appendEra(p, e)
	}
	return p
}

func (h *Hello) append(p []byte) []byte {
	p = appendPlace(appendPlace(p, message.LogOffset(h.ID)), message.LogOffset(h.Incarnation))
	p = appendPlace(appendFlag(p, h.Learner), message.LogOffset(h.SegmentSize))
	return appendEras(appendPlace(appendPlace(p, h.Start), h.End), h.Eras)
}

func (w *Welcome) append(p []byte) []byte {
	p = appendPlace(appendFlag(appendPlace(p, w.Point), w.Anew), w.CheckFrom)
	p = appendPlace(binary.BigEndian.AppendUint32(p, w.Check), w.Confirmed)
	return appendEras(appendPlace(p, w.End), w.Eras)
}

func (r *Refusal) append(p []byte) []byte { return append(p, r.Reason...) }

func (b *Bytes) append(p []byte) []byte {
	p = b.appendHead(p)
	return append(p, b.Bytes...)
}

func (b *Bytes) appendHead(p []byte) []byte {
	p = appendEra(appendPlace(p, b.At), b.Era)
	return appendPlace(appendPlace(p, b.Confirmed), b.End)
}

func (c *Change) append(p []byte) []byte {
	p = binary.BigEndian.AppendUint64(p, c.Number)
	p = append(appendFlag(p, c.First, c.LastOfFirst), byte(c.Operation), byte(len(c.Name)))
	return append(appendPlace(append(p, c.Name...), message.LogOffset(c.At)), c.Bytes...)
}

func (r *Report) append(p []byte) []byte {
	return binary.BigEndian.AppendUint64(appendPlace(appendPlace(p, r.End), r.Flushed), r.Table)
}

// fields reads the fields of a frame one after the other. Behind the end all are zero, and failed is set.
type fields struct {
	rest   []byte
	failed bool
}

func (r *fields) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.failed, r.rest = true, nil
		return make([]byte, max(n, 0)&0xFF)
	}
	p := r.rest[:n:n]
	r.rest = r.rest[n:]
	return p
}

func (r *fields) byte() byte               { return r.take(1)[0] }
func (r *fields) u32() uint32              { return binary.BigEndian.Uint32(r.take(4)) }
func (r *fields) u64() uint64              { return binary.BigEndian.Uint64(r.take(8)) }
func (r *fields) place() message.LogOffset { return message.LogOffset(r.u64()) }
func (r *fields) all() []byte              { return r.take(len(r.rest)) }
func (r *fields) era() Era                 { return Era{Epoch(r.u32()), r.place()} }

// eras allocates no more than what the frame can hold.
func (r *fields) eras() []Era {
	n := int64(r.u32())
	if n*12 > int64(len(r.rest)) {
		r.failed = true
		return nil
	}
	var eras []Era
	for range n {
		eras = append(eras, r.era())
	}
	return eras
}

// frame reads the fields of a kind; nil if there is no such kind.
func (r *fields) frame(kind Kind) Frame {
	switch kind {
	case KindHello:
		h := &Hello{ID: BrokerID(r.u64()), Incarnation: int64(r.u64()), Learner: r.byte()&1 != 0, SegmentSize: int64(r.u64())}
		h.Start, h.End, h.Eras = r.place(), r.place(), r.eras()
		return h
	case KindWelcome:
		w := &Welcome{Point: r.place(), Anew: r.byte()&1 != 0, CheckFrom: r.place(), Check: r.u32(), Confirmed: r.place(), End: r.place()}
		w.Eras = r.eras()
		return w
	case KindRefusal:
		return &Refusal{string(r.all())}
	case KindBytes:
		return &Bytes{At: r.place(), Era: r.era(), Confirmed: r.place(), End: r.place(), Bytes: r.all()}
	case KindChange:
		c := &Change{Number: r.u64()}
		flags := r.byte()
		c.First, c.LastOfFirst, c.Operation = flags&1 != 0, flags&2 != 0, Operation(r.byte())
		c.Name = string(r.take(int(r.byte())))
		c.At, c.Bytes = int64(r.u64()), r.all()
		return c
	case KindReport:
		return &Report{Position{End: r.place(), Flushed: r.place(), Table: r.u64()}}
	}
	return nil
}
