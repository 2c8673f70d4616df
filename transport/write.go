package transport

import (
	"fmt"
	"time"

	"github.com/gantrymq/gantry/transport/wire"
)

// output gathers frames until somebody writes them, all with one call. Small frames are
// appended to one buffer; a large body stays where it is and is only pointed at.
type output struct {
	buffer  []byte   // frames and headers
	start   int      // buffer[start:] is not yet in slices
	slices  [][]byte // what to write, in order
	release []func() // called once the slices are written or dropped
	bytes   int      // all that waits
}

func (o *output) empty() bool { return o.bytes == 0 }

// appended notes what was added to buffer since its length was before.
func (o *output) appended(before int) { o.bytes += len(o.buffer) - before }

// attach adds a body that the caller will not change until release is called.
func (o *output) attach(body []byte, release func()) {
	o.cut()
	o.slices = append(o.slices, body)
	o.bytes += len(body)
	if release != nil {
		o.release = append(o.release, release)
	}
}

// cut moves the tail of buffer into slices. Later growth of buffer leaves it valid.
func (o *output) cut() {
	if len(o.buffer) > o.start {
		o.slices = append(o.slices, o.buffer[o.start:len(o.buffer):len(o.buffer)])
		o.start = len(o.buffer)
	}
}

// drop forgets everything.
func (o *output) drop() {
	for _, release := range o.release {
		release()
	}
	*o = output{}
}

// reset makes an output that was written empty and keeps its memory, unless it is large.
func (o *output) reset() {
	for i, release := range o.release {
		release()
		o.release[i] = nil
	}
	clear(o.slices)
	if cap(o.buffer) > readBufferMax {
		o.buffer = nil
	}
	*o = output{buffer: o.buffer[:0], slices: o.slices[:0], release: o.release[:0]}
}

// slowWrite is how long a write may take before callers, who want to notice their own
// deadlines, stop writing themselves.
const slowWrite = 5 * time.Millisecond

// append encodes one frame into the output. A body that comes with a release function is not copied.
func (c *Conn) append(h *wire.Header, fields FieldEncoder, extra wire.Fields, body []byte, release func()) {
	before := len(c.out.buffer)
	c.encoder = wire.Begin(c.out.buffer, h)
	if fields != nil {
		fields.EncodeFields(&c.encoder)
	}
	for _, f := range extra {
		c.encoder.Bytes(string(f.Key), f.Value)
	}
	if release == nil {
		c.out.buffer = c.encoder.End(body)
		c.out.appended(before)
		return
	}
	c.out.buffer = c.encoder.EndDetached(len(body))
	c.out.appended(before)
	c.out.attach(body, release)
}

// FieldEncoder is a typed header: it writes its fields (proto.HeaderEncoder).
type FieldEncoder interface{ EncodeFields(e *wire.Encoder) }

// changed is called after append: it sees to it that somebody writes.
func (c *Conn) changed() {
	if c.out.bytes > c.limits.Output {
		c.end(fmt.Errorf("the peer does not read: %d bytes wait, the limit is %d", c.out.bytes, c.limits.Output))
		return
	}
	if c.writing || c.bursting || c.closed || c.out.empty() {
		return
	}
	c.writing = true
	c.tasks.Go("write", c.writeAll)
}

// BeginWait is for handlers: it says that the reader will wait inside Serve, so that what others have to write on this connection
// is not held up until the burst ends. EndWait takes back what it returned.
func (c *Conn) BeginWait() (resume bool) {
	if !c.bursting {
		return false
	}
	c.bursting = false
	if !c.out.empty() {
		c.changed()
	}
	return true
}

// EndWait says that the wait is over.
func (c *Conn) EndWait(resume bool) { c.bursting = c.bursting || resume }

// flush writes in the calling task, unless another one does.
func (c *Conn) flush() {
	if c.writing || c.closed || c.out.empty() {
		return
	}
	c.writing = true
	c.writeAll()
}

// writeAll writes until nothing is left. Exactly one task is here for a connection.
func (c *Conn) writeAll() {
	var sent output
	for !c.out.empty() && !c.closed {
		c.letOthersJoin()
		c.out.cut()
		sent, c.out = c.out, sent
		began := c.env.Clock.Now()
		c.raw.SetWriteDeadline(began.Add(c.limits.WriteTimeout))
		err := c.raw.Write(sent.slices...)
		c.slow = c.env.Clock.Now().Sub(began) > slowWrite
		sent.reset()
		if err != nil {
			c.end(err)
		}
	}
	if c.out.buffer == nil {
		c.out = sent
	}
	c.writing = false
	c.lastActive = c.env.Clock.Now()
}

// letOthersJoin gives callers that were answered together a turn to add their next requests: that costs less than a
// system call for each. A lone caller does not wait.
func (c *Conn) letOthersJoin() {
	for before := -1; len(c.pending) < c.together && len(c.pending) != before && !c.closed; {
		before = len(c.pending)
		c.env.Tasks.Yield()
	}
	c.together = max(len(c.pending), c.together*7/8)
}

// flushTogether is flush for callers: it lets others that are about to call add their
// requests first, so that one system call carries them all.
func (c *Conn) flushTogether() {
	if c.slow {
		c.changed()
		return
	}
	if c.writing || c.bursting || c.closed {
		return
	}
	c.writing = true
	c.writeAll()
}
