package transport

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// Request is a call to make.
type Request struct {
	Code     int32
	Header   FieldEncoder  // typed header, or nil
	Fields   wire.Fields   // further fields
	Body     []byte        // copied
	Encoding wire.Encoding // of the header; JSON unless stated
	Version  int32         // 0 means this program's own
}

// Completion takes the outcome of a call: a response, which it may borrow until
// Complete returns, or an error. It runs with the baton and must not wait.
type Completion interface {
	Complete(response *wire.Command, err error)
}

// pendingCall is a call without a response yet.
type pendingCall struct {
	done     Completion
	code     int32
	deadline env.Instant // Never: the caller itself watches the time
}

// Start sends a request and returns; done gets the outcome. It does not wait for the network. If it
// returns an error, which is ErrNotSent or ErrBusy, done is not called.
func (c *Conn) Start(request *Request, deadline env.Instant, done Completion) error {
	if err := c.enqueue(request, deadline, done); err != nil {
		return err
	}
	c.sweepLater()
	c.changed()
	return nil
}

// Oneway sends a request that gets no answer. It does not wait for the network.
func (c *Conn) Oneway(request *Request) error {
	if c.closed {
		return c.notSent(request)
	}
	c.lastOpaque++
	if err := c.appendRequest(request, c.lastOpaque, wire.FlagOneway); err != nil {
		return err
	}
	c.changed()
	return nil
}

// Call sends a request and waits for the response, which the caller owns. A response with
// an error code is returned as it is; see Check.
func (c *Conn) Call(call *env.Call, request *Request, deadline env.Instant) (*wire.Command, error) {
	w := &waitingCall{answered: c.env.Tasks.NewCond()}
	if err := c.enqueue(request, env.Never, w); err != nil {
		return nil, err
	}
	opaque := c.lastOpaque
	c.changed()
	for !w.over && call.Wait(w.answered, deadline) {
	}
	if w.over {
		return w.response, w.err
	}
	delete(c.pending, opaque)
	c.closeIfRetired()
	if err := call.Err(); err != nil {
		return nil, fmt.Errorf("%s to %s: %w: %w", proto.RequestName(request.Code), c.address, ErrCancelled, err)
	}
	return nil, fmt.Errorf("%s to %s: %w", proto.RequestName(request.Code), c.address, ErrTimeout)
}

// waitingCall is a caller that waits.
type waitingCall struct {
	answered env.Cond
	response *wire.Command
	err      error
	over     bool
}

// Complete keeps a copy of the response and wakes the caller.
func (w *waitingCall) Complete(response *wire.Command, err error) {
	w.over, w.err = true, err
	if response != nil {
		w.response = response.Clone()
	}
	w.answered.Broadcast()
}

func (c *Conn) notSent(request *Request) error {
	return fmt.Errorf("%s to %s: %w: %w", proto.RequestName(request.Code), c.address, ErrNotSent, c.cause)
}

// enqueue registers a call and adds its frame to the output.
func (c *Conn) enqueue(request *Request, deadline env.Instant, done Completion) error {
	if c.closed {
		return c.notSent(request)
	}
	if len(c.pending) >= c.limits.Pending {
		return fmt.Errorf("%s to %s: %w: %d", proto.RequestName(request.Code), c.address, ErrBusy, len(c.pending))
	}
	c.lastOpaque++
	for _, taken := c.pending[c.lastOpaque]; taken; _, taken = c.pending[c.lastOpaque] {
		c.lastOpaque++
	}
	if err := c.appendRequest(request, c.lastOpaque, 0); err != nil {
		return err
	}
	c.pending[c.lastOpaque] = pendingCall{done: done, code: request.Code, deadline: deadline}
	return nil
}

// appendRequest adds a request to the output if there is room for the whole frame and the peer would take it.
func (c *Conn) appendRequest(request *Request, opaque, flags int32) error {
	if waits := c.out.bytes + len(request.Body); waits > c.limits.Output {
		return c.noRoom(request, waits)
	}
	c.header = wire.Header{
		Encoding: request.Encoding, Code: request.Code, Language: wire.LanguageGo,
		Version: request.Version, Opaque: opaque, Flags: flags,
	}
	if c.header.Version == 0 {
		c.header.Version = wire.OwnVersion
	}
	before := len(c.out.buffer)
	fields, err := c.signed(request)
	if err == nil {
		err = c.append(&c.header, request.Header, fields, request.Body, nil)
	}
	if err != nil {
		return fmt.Errorf("%s to %s: %w: %w", proto.RequestName(request.Code), c.address, ErrNotSent, err)
	}
	// How long the header is shows only now. Left there, the frame would make changed end the connection, and drop all that waits.
	if waits := c.out.bytes; waits > c.limits.Output {
		c.out.takeBack(before)
		return c.noRoom(request, waits)
	}
	return nil
}

func (c *Conn) noRoom(request *Request, waits int) error {
	return fmt.Errorf("%s to %s: %w: %d bytes would wait to be written, the limit is %d",
		proto.RequestName(request.Code), c.address, ErrBusy, waits, c.limits.Output)
}

// complete gives a response to the call that waits for it. Nobody waits for a late one.
func (c *Conn) complete(response *wire.Command) {
	p, ok := c.pending[response.Opaque]
	if !ok {
		return
	}
	delete(c.pending, response.Opaque)
	p.done.Complete(response, nil)
	c.closeIfRetired()
}

// giveUp ends one call without a response, unless a completion before it has ended it already.
func (c *Conn) giveUp(opaque int32, cause error) {
	p, ok := c.pending[opaque]
	if !ok {
		return
	}
	delete(c.pending, opaque)
	p.done.Complete(nil, fmt.Errorf("%s to %s: %w", proto.RequestName(p.code), c.address, cause))
}

// failPending ends all calls, in the order they were made.
func (c *Conn) failPending(cause error) {
	for _, opaque := range c.opaques(func(pendingCall) bool { return true }) {
		c.giveUp(opaque, fmt.Errorf("%w: %w", ErrClosed, cause))
	}
}

// opaques lists, in order, the calls that match.
func (c *Conn) opaques(match func(pendingCall) bool) []int32 {
	var found []int32
	// order does not matter: sorted below
	for opaque, p := range c.pending {
		if match(p) {
			found = append(found, opaque)
		}
	}
	slices.Sort(found)
	return found
}

// sweepLater sees to it that a task ends calls whose deadline has come. It runs only while there are calls.
func (c *Conn) sweepLater() {
	if c.expiry != nil {
		return
	}
	c.expiry = c.env.Tasks.NewCond()
	c.tasks.Go("expire calls", c.sweep)
}

// sweepEvery is how late an asynchronous call may notice its deadline.
const sweepEvery = 100 * time.Millisecond

func (c *Conn) sweep() {
	for len(c.pending) > 0 {
		c.expiry.WaitUntil(c.env.Clock.Now().Add(sweepEvery))
		now := c.env.Clock.Now()
		for _, opaque := range c.opaques(func(p pendingCall) bool { return p.deadline.Reached(now) }) {
			c.giveUp(opaque, ErrTimeout)
		}
		c.closeIfRetired()
	}
	c.expiry = nil
}

// Check turns a response with an error code into a *ResponseError.
func Check(request int32, address string, response *wire.Command) error {
	if response.Code == proto.RespSuccess {
		return nil
	}
	return &ResponseError{Request: request, Code: response.Code, Remark: response.Remark, Address: address}
}

// MaybeCarriedOut reports whether the peer may have carried out a request that
// ended with err: it left this process and no response came.
func MaybeCarriedOut(err error) bool {
	return errors.Is(err, ErrTimeout) || errors.Is(err, ErrClosed) || errors.Is(err, ErrCancelled)
}
