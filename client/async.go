package client

import (
	"context"
	"fmt"

	"github.com/gantrymq/gantry/node/env"
)

// window bounds what is under way at once.
type window struct {
	messages, bytes       int // under way
	messagesMax, bytesMax int
	closed                bool
	changed               env.Cond
}

func newWindow(tasks env.Tasks, messagesMax, bytesMax int) window {
	return window{messagesMax: messagesMax, bytesMax: bytesMax, changed: tasks.NewCond()}
}

// hasRoom lets a message that is larger than the window through when it is alone.
func (w *window) hasRoom(bytes int) bool {
	return w.messages < w.messagesMax && (w.bytes+bytes <= w.bytesMax || w.messages == 0)
}

// enter waits for room. It reports whether there is some.
func (w *window) enter(call *env.Call, deadline env.Instant, bytes int) bool {
	for !w.closed && !w.hasRoom(bytes) {
		if !call.Wait(w.changed, deadline) {
			break
		}
	}
	if w.closed || !w.hasRoom(bytes) {
		return false
	}
	w.messages++
	w.bytes += bytes
	return true
}

func (w *window) leave(bytes int) {
	w.messages--
	w.bytes -= bytes
	w.changed.Broadcast()
}

func (w *window) close() {
	w.closed = true
	w.changed.Broadcast()
}

// SendAsync sends a message in the background and calls done once with the outcome, which is as that of Send. done
// may be nil. It runs on a goroutine of its own, may block, and may use this producer. The message must not change until
// then.
//
// SendAsync itself waits only while the window is full (see WithWindow). It returns an error, and done is not
// called, if the message is wrong, the producer is closed, ctx ends, or there is no room within the send timeout
// (ErrWindow). Afterwards the deadline of ctx still counts, its cancellation does not.
func (p *Producer) SendAsync(ctx context.Context, m *Message, done func(SendResult, error)) error {
	return p.sendAsync(ctx, m, done, true)
}

// TrySendAsync is SendAsync, but does not wait while the window is full: it returns ErrWindow at once.
func (p *Producer) TrySendAsync(ctx context.Context, m *Message, done func(SendResult, error)) error {
	return p.sendAsync(ctx, m, done, false)
}

func (p *Producer) sendAsync(ctx context.Context, m *Message, done func(SendResult, error), waits bool) error {
	call, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer p.end(call)
	// Brokers that answered are not asked again: so do all clients.
	o := p.order(call, p.config.asyncRetries, nil)
	o.fixedOnce = false
	// Before the room is asked for: what nobody will send is not worth waiting. Compressing comes after, for the same reason.
	if err := checkMessage(m, p.config.bodyMax); err != nil {
		return err
	}
	bytes := len(m.Body)
	if err := p.enterWindow(call, o.deadline, bytes, waits); err != nil {
		return err
	}
	s := p.take()
	s.mode, s.patience = Asynchronous, call.Deadline()
	if err := p.prepare(s, m); err != nil {
		p.give(s)
		p.window.leave(bytes)
		return err
	}
	p.running++
	p.core.env.Tasks.Go("send in the background", func() { p.finish(s, o, bytes, done) })
	return nil
}

func (p *Producer) enterWindow(call *env.Call, deadline env.Instant, bytes int, waits bool) error {
	if (waits || p.window.hasRoom(bytes)) && p.window.enter(call, deadline, bytes) {
		return nil
	}
	if p.window.closed {
		return ErrClosed
	}
	full := fmt.Errorf("%w: %d messages with %d bytes, allowed are %d and %d (WithWindow)",
		ErrWindow, p.window.messages, p.window.bytes, p.window.messagesMax, p.window.bytesMax)
	if over := contextOf(call, p.core.env.Clock.Now()); over != nil {
		return fmt.Errorf("%w: %w", over, full)
	}
	return full
}

// finish is the task of an asynchronous send. It leaves the window before the callback, so that
// a callback may send the next message even if the window is full of callbacks.
func (p *Producer) finish(s *sending, o order, bytes int, done func(SendResult, error)) {
	result, err := p.deliver(nil, s, o)
	p.give(s)
	p.window.leave(bytes)
	if done != nil {
		p.core.env.Tasks.Offload(func() { done(result, err) })
	}
	p.ended()
}
