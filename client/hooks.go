package client

import (
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
)

// SendMode is how a message is sent (class CommunicationMode).
type SendMode int

// The modes.
const (
	// Synchronous: the caller waits (SYNC).
	Synchronous SendMode = iota
	// Asynchronous: the caller is called back (ASYNC).
	Asynchronous
	// Oneway: nobody is told (ONEWAY).
	Oneway
)

// String returns the protocol's name, such as SYNC.
func (m SendMode) String() string {
	switch m {
	case Synchronous:
		return "SYNC"
	case Asynchronous:
		return "ASYNC"
	case Oneway:
		return "ONEWAY"
	}
	return fmt.Sprintf("send mode %d", int(m))
}

// SendAttempt describes one try to hooks (class SendMessageContext).
type SendAttempt struct {
	Group    string
	Message  *Message // of a batch, the first; it must not be changed, nor kept
	Messages int      // more than 1 in a batch
	UniqueID string   // of Message
	Mode     SendMode
	Try      int // from 1
	Queue    Queue
	Address  string // of the broker
}

// String tells what goes where.
func (a SendAttempt) String() string {
	return fmt.Sprintf("%s try %d of %s to %s (%s)", a.Mode, a.Try, a.UniqueID, a.Queue, a.Address)
}

// SendHook watches each try to send (interface SendMessageHook). Its functions run on the goroutine of the send, without
// the node's baton, so they may use this package; several goroutines may run them at once. They delay the send. If one
// panics, that is logged under the hook's name and the send goes on.
type SendHook struct {
	Name   string
	Before func(SendAttempt) // may be nil
	// After is told how the try ended. The result is empty with an error, and for Oneway. It may be nil.
	After func(SendAttempt, SendResult, error)
}

// forbiddenCheck may refuse a try (interface CheckForbiddenHook).
type forbiddenCheck struct {
	name  string
	check func(SendAttempt) error
}

// runHooks runs the checks and the hooks before a try, which must be followed by done. The errors are ErrForbidden, and
// ErrNotSent if the time of the try is over after that; there is no try then, and no done.
func (p *Producer) runHooks(call *env.Call, s *sending, queue Queue, address string, deadline env.Instant) (done func(SendResult, error), err error) {
	if len(p.config.sendHooks) == 0 && len(p.config.forbiddenChecks) == 0 {
		return noHooks, nil
	}
	return p.surround(call, SendAttempt{
		Group: p.config.space.bare(p.config.group), Message: s.message, Messages: max(1, len(s.batch)), UniqueID: s.uniqueID, Mode: s.mode,
		Try: len(s.attempts) + 1, Queue: p.config.space.bareQueue(queue), Address: address,
	}, deadline)
}

// surround is apart from runHooks because what it hands to other goroutines costs memory.
func (p *Producer) surround(call *env.Call, a SendAttempt, deadline env.Instant) (done func(SendResult, error), err error) {
	p.core.env.Tasks.Offload(func() { err = p.before(a) })
	if err != nil {
		return nil, err
	}
	done = func(result SendResult, err error) {
		p.core.env.Tasks.Offload(func() { p.after(a, result, err) })
	}
	if p.isOver(call, deadline) {
		err = p.core.explain(call, fmt.Errorf("%w: it was too late for that when the hooks had run", ErrNotSent))
		done(SendResult{}, err)
		return nil, err
	}
	return done, nil
}

func noHooks(SendResult, error) {}

// before runs without the baton. A check that panics refuses: what it guards is not to be passed by accident.
func (p *Producer) before(a SendAttempt) error {
	for _, c := range p.config.forbiddenChecks {
		var refusal error
		if err := contained(func() { refusal = c.check(a) }); err != nil {
			p.report(c.name, "check", err)
			refusal = err
		}
		if refusal != nil {
			return fmt.Errorf("%w: check %s: %w", ErrForbidden, c.name, refusal)
		}
	}
	for _, h := range p.config.sendHooks {
		if h.Before == nil {
			continue
		}
		if err := contained(func() { h.Before(a) }); err != nil {
			p.report(h.Name, "before", err)
		}
	}
	return nil
}

// after runs without the baton.
func (p *Producer) after(a SendAttempt, result SendResult, failure error) {
	for _, h := range p.config.sendHooks {
		if h.After == nil {
			continue
		}
		if err := contained(func() { h.After(a, result, failure) }); err != nil {
			p.report(h.Name, "after", err)
		}
	}
}

func (p *Producer) report(hook, where string, err error) {
	p.core.env.Log.Error("a hook of the application panicked", zap.String("hook", hook), zap.String("where", where), zap.Error(err))
}

// contained runs code of the application and makes an error of its panic.
func contained(fn func()) (err error) {
	defer func() {
		recovered := recover()
		if env.IsCrash(recovered) {
			panic(recovered)
		}
		if recovered != nil {
			err = fmt.Errorf("panic: %v", recovered)
		}
	}()
	fn()
	return nil
}
