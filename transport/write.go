package transport

import (
	"fmt"

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

// takeBack removes what was added to buffer since its length was before. Nothing may have been attached meanwhile.
func (o *output) takeBack(before int) {
	o.bytes -= len(o.buffer) - before
	o.buffer = o.buffer[:before]
}

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

// append encodes one frame into the output. A body that comes with a release function is not copied. A frame
// that the peer would refuse is not added: the error says so, and release is not called.
func (c *Conn) append(h *wire.Header, fields FieldEncoder, extra wire.Fields, body []byte, release func()) error {
	before, detached := len(c.out.buffer), 0
	c.encoder = wire.Begin(c.out.buffer, h)
	if fields != nil {
		fields.EncodeFields(&c.encoder)
	}
	for _, f := range extra {
		c.encoder.Bytes(string(f.Key), f.Value)
	}
	if release == nil {
		c.out.buffer = c.encoder.End(body)
	} else {
		detached = len(body)
		c.out.buffer = c.encoder.EndDetached(detached)
	}
	// Else it would keep a buffer alive that has grown too large to be kept.
	c.encoder = wire.Encoder{}
	if err := c.limits.Wire.CheckSize(len(c.out.buffer) - before + detached); err != nil {
		c.out.buffer = c.out.buffer[:before]
		return err
	}
	c.out.appended(before)
	if release != nil {
		c.out.attach(body, release)
	}
	return nil
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
// is not held up until the burst ends. EndWait takes what it returned.
func (c *Conn) BeginWait() (burst uint64) {
	if !c.bursting {
		return 0
	}
	c.bursting = false
	c.changed()
	return c.burst
}

// EndWait says that the wait is over. If it was another task than the reader that waited, the burst may be over as well.
func (c *Conn) EndWait(burst uint64) {
	if burst != 0 && burst == c.burst {
		c.bursting = true
	}
}

// flush is for the reader: it sees to it that what a burst has left is written.
func (c *Conn) flush() {
	switch {
	case c.closed || c.out.empty():
	case c.readsAlways:
		// If both ends stopped reading to write, neither would ever go on: the end that dialled never does.
		c.changed()
	case c.writing:
		c.awaitWriter()
	default:
		c.writing = true
		c.write()
		c.written()
		// What others have added meanwhile must not keep the reader.
		c.changed()
	}
}

// awaitWriter holds the reader while more waits to be written than it may leave behind.
func (c *Conn) awaitWriter() {
	for c.writing && !c.closed && c.out.bytes > burstOutput {
		if c.progress == nil {
			c.progress = c.env.Tasks.NewCond()
		}
		c.progress.Wait()
	}
}

// writeAll is a task of its own that writes until nothing is left.
func (c *Conn) writeAll() {
	for !c.out.empty() && !c.closed {
		c.letOthersJoin()
		c.write()
	}
	c.written()
}

// write sends what waits, with one call unless it is much. Exactly one task is here for a connection.
func (c *Conn) write() {
	if c.closed {
		return
	}
	c.out.cut()
	sent := c.out
	c.out, c.spare = c.spare, output{}
	err := c.writeSlices(sent.slices)
	c.lastActive = c.env.Clock.Now()
	sent.reset()
	c.spare = sent
	if err != nil {
		c.end(err)
	}
	if c.progress != nil {
		c.progress.Broadcast()
	}
}

// writePortion is how many bytes have the whole write timeout for themselves.
const writePortion = 1 << 20

// writeSlices sends slices, which it may change. A peer that takes bytes slowly is not cut off: only
// one that does not take a portion in time.
func (c *Conn) writeSlices(slices [][]byte) error {
	for len(slices) > 0 {
		n, size := 0, 0
		for ; n < len(slices) && size+len(slices[n]) <= writePortion; n++ {
			size += len(slices[n])
		}
		c.raw.SetWriteDeadline(c.env.Clock.Now().Add(c.limits.WriteTimeout))
		var err error
		if n == 0 {
			err = c.raw.Write(slices[0][:writePortion])
			slices[0] = slices[0][writePortion:]
		} else {
			err = c.raw.Write(slices[:n]...)
			slices = slices[n:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// written ends the turn of the task that wrote.
func (c *Conn) written() {
	c.writing = false
	if c.out.buffer == nil {
		c.out = c.spare
	}
	c.spare = output{}
	c.closeIfRetired()
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
