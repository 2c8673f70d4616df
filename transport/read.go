package transport

import (
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// Incoming is a request of the peer.
type Incoming struct {
	// Command borrows from the read buffer until Serve returns.
	Command *wire.Command
	Conn    *Conn
	Arrived env.Instant
}

// readLoop is the life of a connection: read what has arrived, handle all of it, write all the answers at once.
func (c *Conn) readLoop() {
	for !c.closed {
		if _, err := c.raw.Read(c.room(), c.decode); err != nil {
			c.end(err)
			return
		}
		c.handleBurst()
	}
}

// room is where the next bytes go. A frame that does not fit makes the buffer grow towards
// its size, which decodeArrived has checked against the limits. Until much of it has arrived the peer is not
// believed: a few bytes must not cost as many MiB.
func (c *Conn) room() []byte {
	want := max(readBufferMin, c.inEnd+1)
	if c.inEnd >= 4 {
		if size, err := c.limits.Wire.FrameSize(c.in[:c.inEnd]); err == nil {
			want = max(want, min(size, max(readBufferMax, 4*c.inEnd)))
		}
	}
	// However small the parts that arrive, a large buffer grows a few times only: when half of it is used.
	mayGrow := len(c.in) < readBufferMax || 2*c.inEnd >= len(c.in)
	switch {
	case len(c.in) < want && mayGrow:
		c.in = append(make([]byte, 0, want), c.in[:c.inEnd]...)[:want]
	case len(c.in) > readBufferMax && want <= readBufferMax:
		c.in = append(make([]byte, 0, readBufferMax), c.in[:c.inEnd]...)[:readBufferMax]
	}
	return c.in[c.inEnd:]
}

// decodeArrived decodes every whole frame. It runs without the baton and touches
// only what the reader owns.
func (c *Conn) decodeArrived(n int) {
	c.inEnd += n
	c.count, c.decoded = 0, 0
	for c.broken == nil {
		rest := c.in[c.decoded:c.inEnd]
		size, err := c.limits.Wire.FrameSize(rest)
		if err != nil {
			c.broken = err
			return
		}
		if size == 0 || size > len(rest) {
			return
		}
		if c.count == len(c.commands) {
			c.commands = append(c.commands, wire.Command{})
		}
		if err := c.limits.Wire.Decode(rest[:size:size], &c.commands[c.count]); err != nil {
			c.broken = err
			return
		}
		c.count++
		c.decoded += size
	}
}

// burstOutput is how many bytes of answers the reader lets gather before it writes them, and how many it leaves to
// another task without waiting.
const burstOutput = 1 << 20

// handleBurst handles the decoded frames and writes what they asked to be written.
func (c *Conn) handleBurst() {
	c.lastActive = c.env.Clock.Now()
	filled := c.inEnd == len(c.in)
	for next := 0; next < c.count && !c.closed; {
		next = c.handleSome(next)
	}
	if c.broken != nil {
		c.end(fmt.Errorf("the peer broke the protocol: %w", c.broken))
		return
	}
	// A large frame arrives in many parts, and most of them leave nothing to move.
	if c.decoded > 0 {
		c.inEnd = copy(c.in, c.in[c.decoded:c.inEnd])
	}
	if filled && len(c.in) < readBufferMax {
		c.in = append(make([]byte, 0, 2*len(c.in)), c.in[:c.inEnd]...)[:2*len(c.in)]
	}
}

// handleSome handles at least one command, from number next on, until all are handled or much waits to be written, and has
// that written. It returns the number of the next command.
func (c *Conn) handleSome(next int) int {
	c.bursts++
	c.burst, c.bursting = c.bursts, true
	for more := true; more; more = next < c.count && !c.closed && c.out.bytes <= burstOutput {
		c.handle(&c.commands[next])
		next++
	}
	// Also if the connection has ended: what was gathered must be carried out.
	if c.hooks.afterBurst != nil {
		c.hooks.afterBurst()
	}
	c.burst, c.bursting = 0, false
	c.flush()
	return next
}

// handle takes one command: a response to a call of ours, or a request.
func (c *Conn) handle(command *wire.Command) {
	if command.IsResponse() {
		c.complete(command)
		return
	}
	c.incoming = Incoming{Command: command, Conn: c, Arrived: c.lastActive}
	if !command.IsOneway() {
		if c.unanswered == 0 {
			c.waitedSince = c.lastActive
		}
		c.unanswered++
	}
	switch {
	case c.goingAway && understandsGoAway(command.Version):
		c.countRefused()
		c.incoming.Reply().Error(proto.RespGoAway, "this server is shutting down: use another connection")
	case c.unanswered > c.limits.Unanswered:
		c.countRefused()
		c.incoming.Reply().Error(proto.RespSystemBusy, fmt.Sprintf(
			"[OVERLOAD]%d requests of this connection wait for an answer, and some have for %s, the limit is %d: send less at once",
			c.unanswered, c.lastActive.Sub(c.waitedSince).Round(time.Millisecond), c.limits.Unanswered))
	case c.handler == nil:
		c.incoming.Reply().Error(proto.RespRequestCodeNotSupported, fmt.Sprintf("request code %d is not served here", command.Code))
	default:
		c.handler.Serve(&c.incoming)
	}
}

// countRefused tells the owner of a request that no handler sees. One without an answer would vanish without a trace otherwise.
func (c *Conn) countRefused() {
	if c.hooks.refused != nil {
		c.hooks.refused()
	}
}

// understandsGoAway is the version gate of clients that reconnect on GO_AWAY.
func understandsGoAway(version int32) bool { return version > wire.V5_3_1 }
