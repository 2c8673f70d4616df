package broker

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/replica"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// askAgainAfter is the pause after a controller did not change the in-sync set.
const askAgainAfter = 200 * time.Millisecond

// electedCopy is the connection of a copy to an elected master. One task reads its reports, another one sends the tables, the log, and what changes.
//
// The log is sent as soon as it is written, while it is being made durable here: what the master loses in a crash the copy cuts off when it follows the
// next one.
type electedCopy struct {
	copies  *copies
	conn    env.Conn
	id      replica.BrokerID
	input   frameReader
	feed    *store.Feed
	changes *tableListener
	acked   message.LogOffset // of its last report
	sent    message.LogOffset
	speed   meter
	room    env.Cond // somebody waits for it
	rate    speedometer
	ended   bool
}

func newElectedCopy(c *copies, conn env.Conn, begun []byte) *electedCopy {
	return &electedCopy{copies: c, conn: conn, input: frameReader{conn: conn, buffer: begun}, room: c.broker.env.Tasks.NewCond()}
}

// serve answers the copy's hello and reads its reports until the connection ends.
func (e *electedCopy) serve() {
	c := e.copies
	b := c.broker
	defer e.end(nil)
	e.conn.SetReadDeadline(b.env.Clock.Now().Add(b.options.Replication.SilenceMax))
	epoch, frame, err := e.input.next()
	hello, ok := frame.(*replica.Hello)
	switch {
	case err != nil:
		e.end(err)
		return
	case !ok:
		c.refuse(e.conn.Remote(), fmt.Errorf("%w: it does not begin with a hello", replica.ErrFrame))
		return
	}
	welcome, err := e.answer(epoch, hello)
	if err != nil {
		c.refuse(e.conn.Remote(), err)
		e.write(replica.AppendFrame(nil, c.leader.Epoch(), &replica.Refusal{Reason: err.Error()}))
		return
	}
	if c.closing {
		return
	}
	e.begin(hello, welcome)
	defer e.leave()
	for !e.ended {
		e.conn.SetReadDeadline(b.env.Clock.Now().Add(b.options.Replication.SilenceMax))
		epoch, frame, err := e.input.next()
		if err != nil {
			e.end(err)
			return
		}
		report, ok := frame.(*replica.Report)
		if !ok {
			c.refuse(e.conn.Remote(), fmt.Errorf("%w: it sends something else than a report", replica.ErrFrame))
			return
		}
		// All that is known counts for what the report says: it may be newer than what was noted of the own log.
		c.leader.Own(c.own(), b.env.Clock.Now())
		if err := c.leader.Report(e.id, epoch, report.Position, b.env.Clock.Now()); err != nil {
			c.refuse(e.conn.Remote(), err)
			return
		}
		e.acked = report.Flushed
		if b.store.AsyncFlush() {
			e.acked = report.End
		}
		e.feed.Keep(report.Flushed)
		c.confirm()
	}
}

// answer decides where the copy goes on.
func (e *electedCopy) answer(epoch replica.Epoch, h *replica.Hello) (*replica.Welcome, error) {
	c := e.copies
	b := c.broker
	switch {
	case c.leader == nil:
		return nil, fmt.Errorf("%w: this broker was not elected", replica.ErrNotMaster)
	case epoch != c.leader.Epoch():
		return nil, fmt.Errorf("%w: the copy follows the master of epoch %d, this is that of %d", replica.ErrNotMaster, epoch, c.leader.Epoch())
	case h.ID < 1 || h.ID == b.options.Election.ID:
		return nil, fmt.Errorf("%w: the copy says that it is broker %d", replica.ErrFrame, h.ID)
	}
	b.store.Kick()
	w, err := replica.Answer(h, &b.epochs, b.store.Start(), b.store.Written(), c.leader.Confirmed(), b.store.SegmentSize())
	if err != nil {
		return nil, err
	}
	w.Check, err = b.checksum(w.CheckFrom, w.Point)
	return w, err
}

// checksum is that of a part of the log, all of one file.
func (b *Broker) checksum(from, to message.LogOffset) (sum uint32, err error) {
	p := make([]byte, to-from)
	if err := b.store.LogBytes(p, from); err != nil {
		return 0, err
	}
	b.env.Tasks.Offload(func() { sum = replica.Checksum(p) })
	return sum, nil
}

// begin starts to send. A connection that the same broker had before is of no use any more.
func (e *electedCopy) begin(h *replica.Hello, w *replica.Welcome) {
	c := e.copies
	for _, other := range slices.Clone(c.elected) {
		if other.id == h.ID {
			other.end(errors.New("the broker has connected once more"))
			other.leave()
		}
	}
	e.id, e.acked, e.sent = h.ID, w.Point, w.Point
	c.elected = append(c.elected, e)
	c.settle(e.conn)
	// What it lacks now it lacks from now on, for all that is known.
	c.grew()
	c.leader.Connect(h.ID, h.Incarnation, h.Learner, c.broker.env.Clock.Now())
	e.feed = c.broker.store.Feed(fmt.Sprintf("broker %d", h.ID), w.Point, false)
	e.changes, _ = c.broker.shared.listen(e.wake)
	c.broker.env.Log.Info("a copy follows", zap.Int64("id", int64(h.ID)), zap.Stringer("address", e.conn.Remote()), zap.Int64("from", int64(w.Point)), zap.Bool("anew", w.Anew))
	c.tasks.Go("send the log to a copy", func() { e.send(w) })
}

// leave forgets the connection, once.
func (e *electedCopy) leave() {
	c := e.copies
	if !slices.Contains(c.elected, e) {
		return
	}
	c.elected = slices.DeleteFunc(c.elected, func(other *electedCopy) bool { return other == e })
	if len(c.elected) == 0 {
		c.growth = growth{}
	}
	c.leader.Disconnect(e.id)
	e.feed.Close()
	c.broker.shared.leave(e.changes)
}

// send sends the answer, the tables, and then the log and the changes as they come.
func (e *electedCopy) send(w *replica.Welcome) {
	epoch := e.copies.leader.Epoch()
	if !e.write(replica.AppendFrame(nil, epoch, w)) {
		return
	}
	if err := e.sendTables(epoch); err != nil {
		e.end(fmt.Errorf("sending the tables: %w", err))
		return
	}
	body := make([]byte, e.copies.broker.options.Replication.BatchBytes)
	for told := message.LogOffset(-1); !e.ended; {
		confirmed, err := e.sendOnce(epoch, body, told)
		if err != nil {
			e.end(err)
			return
		}
		told = confirmed
	}
}

// wake ends the wait for something to send.
func (e *electedCopy) wake() {
	e.feed.Wake()
	e.room.Signal()
}

// await waits for something to send, at most until a sign of life is due, or until there may be more of the log. It reports whether that sign is due.
func (e *electedCopy) await(hasRoom bool, again env.Instant) bool {
	clock := e.copies.broker.env.Clock
	if !hasRoom {
		e.room.WaitUntil(again)
		return false
	}
	silent := clock.Now().Add(e.copies.broker.signOfLife())
	e.feed.Wait(silent)
	return silent.Reached(clock.Now())
}

// sendOnce sends what there is, or waits. told is which watermark the copy knows. The limit is for the log only: changes of tables and watermarks are small,
// and others wait for them.
func (e *electedCopy) sendOnce(epoch replica.Epoch, body []byte, told message.LogOffset) (message.LogOffset, error) {
	b := e.copies.broker
	if e.changes.overrun {
		return told, errors.New("it takes changes of tables too slowly")
	}
	changes := e.changes.take()
	at := e.feed.At()
	era, until := b.epochs.At(at, b.store.Written())
	limit := b.options.Replication.BytesPerSecond
	room, again := e.speed.room(b.env.Clock.Now(), limit, len(body))
	at, n, err := e.feed.Next(body[:room], until)
	if err != nil {
		return told, fmt.Errorf("the log at %d: %w", at, err)
	}
	confirmed := e.copies.leader.Confirmed()
	if n == 0 && len(changes) == 0 && confirmed == told && !e.await(room > 0, again) {
		return told, nil
	}
	// The log comes first: a change may speak of messages that are confirmed.
	p := replica.AppendFrame(nil, epoch, &replica.Bytes{At: at, Era: era, Confirmed: confirmed, End: b.store.Written(), Bytes: body[:n]})
	for _, c := range changes {
		p = appendChange(p, epoch, c)
	}
	e.sent = at + message.LogOffset(n)
	if !e.write(p) {
		return told, io.EOF
	}
	e.speed.add(b.env.Clock.Now(), limit, n)
	e.rate.add(b.env.Clock.Now(), n)
	return confirmed, nil
}

// changePartMax is how much of a file one frame carries.
const changePartMax = 4 << 20

// appendChange encodes a change, a large one in parts.
func appendChange(p []byte, epoch replica.Epoch, c *replica.Change) []byte {
	rest := c.Bytes
	for ; len(rest) > changePartMax; rest = rest[changePartMax:] {
		p = replica.AppendFrame(p, epoch, &replica.Change{Operation: replica.OperationStage, Name: c.Name, Bytes: rest[:changePartMax]})
	}
	last := *c
	last.Bytes = rest
	return replica.AppendFrame(p, epoch, &last)
}

// sendTables sends the files of the tables as they are. What changes meanwhile comes behind.
func (e *electedCopy) sendTables(epoch replica.Epoch) error {
	b := e.copies.broker
	number := b.shared.number - uint64(len(e.changes.changes))
	list, err := b.listTables()
	if err != nil {
		return err
	}
	var p []byte
	for _, file := range list {
		content, _, err := b.tableContent(file.Name)
		if errors.Is(err, env.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		p = appendChange(p, epoch, &replica.Change{First: true, Operation: replica.OperationPut, Name: file.Name, Bytes: content})
		if len(p) > changePartMax {
			if !e.write(p) {
				return io.EOF
			}
			p = p[:0]
		}
	}
	p = replica.AppendFrame(p, epoch, &replica.Change{First: true, LastOfFirst: true, Number: number})
	if !e.write(p) {
		return io.EOF
	}
	return nil
}

func (e *electedCopy) write(p []byte) bool {
	b := e.copies.broker
	e.conn.SetWriteDeadline(b.env.Clock.Now().Add(b.options.Replication.SilenceMax))
	if err := e.conn.Write(p); err != nil {
		e.end(err)
		return false
	}
	return true
}

// end closes the connection, once.
func (e *electedCopy) end(why error) {
	if e.ended {
		return
	}
	e.ended = true
	if why != nil && !errors.Is(why, io.EOF) {
		e.copies.broker.env.Log.Warn("the connection of a copy ends", zap.Stringer("address", e.conn.Remote()), zap.Error(why))
	}
	if err := e.conn.Close(); err != nil {
		e.copies.broker.env.Log.Debug("closing the connection of a copy", zap.Error(err))
	}
	if e.feed != nil {
		e.wake()
	}
}

// frameReader reads frames from a connection.
type frameReader struct {
	conn   env.Conn
	buffer []byte // what was read and not used yet
	used   int
	room   []byte
}

// next waits for a whole frame. Its bytes are valid until the next call.
func (r *frameReader) next() (replica.Epoch, replica.Frame, error) {
	for {
		if epoch, frame, ok, err := r.buffered(); ok || err != nil {
			return epoch, frame, err
		}
		if err := r.read(); err != nil {
			return 0, nil, err
		}
	}
}

// buffered returns a frame that was read already, if there is a whole one.
func (r *frameReader) buffered() (epoch replica.Epoch, frame replica.Frame, ok bool, err error) {
	rest := r.buffer[r.used:]
	n, err := replica.FrameSize(rest)
	if err != nil || n == 0 || n > len(rest) {
		return 0, nil, false, err
	}
	r.used += n
	epoch, frame, err = replica.DecodeFrame(rest[:n])
	return epoch, frame, err == nil, err
}

// readSize is how much is asked for at once.
const readSize = 256 << 10

func (r *frameReader) read() error {
	r.buffer = r.buffer[:copy(r.buffer, r.buffer[r.used:])]
	r.used = 0
	if len(r.room) < readSize {
		r.room = make([]byte, readSize)
	}
	n, err := r.conn.Read(r.room, nil)
	r.buffer = append(r.buffer, r.room[:n]...)
	return err
}
