package broker

import (
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/replica"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// classicCopy is the connection of a slave that speaks as Apache's do (class DefaultHAConnection). One task reads its reports, another one sends the log.
//
// What is sent is durable here by the flush mode: a slave cannot take back what a crash has taken from its master.
type classicCopy struct {
	copies  *copies
	conn    env.Conn
	id      uint64
	machine netip.Addr
	feed    *store.Feed       // nil until the slave has said from where on
	acked   message.LogOffset // of its last report
	sent    message.LogOffset
	speed   meter
	rate    speedometer
	ended   bool
}

func newClassicCopy(c *copies, conn env.Conn, id uint64) *classicCopy {
	return &classicCopy{copies: c, conn: conn, id: id, machine: conn.Remote().Addr()}
}

// serve reads reports until the connection ends, which has begun with some bytes.
func (c *classicCopy) serve(begun []byte) {
	b := c.copies.broker
	defer c.copies.left(c)
	defer func() { c.end(nil) }()
	buffer := make([]byte, 128*replica.ClassicReportSize)
	have := copy(buffer, begun)
	for !c.ended {
		if have < replica.ClassicReportSize {
			c.conn.SetReadDeadline(b.env.Clock.Now().Add(b.options.Replication.SilenceMax))
			n, err := c.conn.Read(buffer[have:], nil)
			if err != nil {
				c.end(err)
				return
			}
			have += n
		}
		end, used, err := replica.ClassicReport(buffer[:have])
		if err == nil && used > 0 {
			err = c.report(end)
		}
		if err != nil {
			c.copies.refuse(c.conn.Remote(), err)
			return
		}
		have = copy(buffer, buffer[used:have])
	}
}

// report takes what the slave says. The first report says from where on it wants the log.
func (c *classicCopy) report(end message.LogOffset) error {
	b := c.copies.broker
	if last := c.copies.reportedEnd(); end > last {
		return fmt.Errorf("the log of the slave ends at %d and that of its master at %d: they are not of one group, or the master has lost messages; make the slave anew with an empty directory, or let it be the master", end, last)
	}
	if c.feed == nil {
		return c.begin(end)
	}
	// Behind the marker of a file's end nothing counts: a slave may be in the next file before it was sent the rest.
	size := message.LogOffset(b.store.SegmentSize())
	if end > c.sent && (end%size != 0 || end-c.sent >= size) {
		return fmt.Errorf("the slave reports %d, and was sent the log up to %d", end, c.sent)
	}
	c.acked = max(c.acked, end)
	c.feed.Keep(c.acked)
	if c.copies.quorum != nil {
		c.copies.quorum.Report(c.machine, c.id, c.acked)
		b.copies.confirm()
	}
	return nil
}

// begin starts to send. A slave that has nothing begins with the newest file, unless it asks otherwise.
func (c *classicCopy) begin(from message.LogOffset) error {
	b := c.copies.broker
	if from == 0 {
		last := b.store.Written()
		from = max(last-last%message.LogOffset(b.store.SegmentSize()), b.store.Start())
	} else {
		c.acked = from
	}
	if from < b.store.Start() {
		return fmt.Errorf("the slave asks for the log from %d on, and it begins at %d: make the slave anew with an empty directory", from, b.store.Start())
	}
	c.sent = from
	// What it lacks now it lacks from now on, for all that is known.
	c.copies.grew()
	c.feed = b.store.Feed("slave "+c.conn.Remote().String(), from, !b.store.AsyncFlush())
	// The slave need not wait for a message to know that its master is there.
	if err := c.conn.Write(replica.AppendClassicHead(nil, from, 0)); err != nil {
		c.feed.Close()
		c.end(err)
		return nil
	}
	b.env.Log.Info("a slave follows", zap.Stringer("address", c.conn.Remote()), zap.Int64("from", int64(from)))
	c.copies.tasks.Go("send the log to a slave", c.send)
	return nil
}

// send sends the log as it grows.
func (c *classicCopy) send() {
	defer c.feed.Close()
	b := c.copies.broker
	o := b.options.Replication
	head, body := make([]byte, 0, replica.ClassicHeadSize), make([]byte, o.BatchBytes)
	for !c.ended {
		now := b.env.Clock.Now()
		room, again := c.speed.room(now, o.BytesPerSecond, len(body))
		if room == 0 {
			b.stop.WaitUntil(again)
			continue
		}
		at, n, err := c.feed.Next(body[:room], 0)
		if err != nil {
			c.end(fmt.Errorf("the log at %d: %w", at, err))
			return
		}
		if n == 0 {
			silent := now.Add(o.SignOfLife)
			c.feed.Wait(silent)
			if c.ended || !silent.Reached(b.env.Clock.Now()) {
				continue
			}
		}
		c.conn.SetWriteDeadline(b.env.Clock.Now().Add(o.SilenceMax))
		c.sent = max(c.sent, at+message.LogOffset(n))
		if err := c.conn.Write(replica.AppendClassicHead(head[:0], at, n), body[:n]); err != nil {
			c.end(err)
			return
		}
		c.speed.add(b.env.Clock.Now(), o.BytesPerSecond, n)
		c.rate.add(b.env.Clock.Now(), n)
	}
}

// end closes the connection, once.
func (c *classicCopy) end(why error) {
	if c.ended {
		return
	}
	c.ended = true
	if why != nil && !errors.Is(why, io.EOF) {
		c.copies.broker.env.Log.Warn("the connection of a slave ends", zap.Stringer("address", c.conn.Remote()), zap.Error(why))
	}
	if err := c.conn.Close(); err != nil {
		c.copies.broker.env.Log.Debug("closing the connection of a slave", zap.Error(err))
	}
	if c.feed != nil {
		c.feed.Wake()
	}
}
