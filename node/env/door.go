package env

import "context"

// Door is the one way in for goroutines that are not tasks of the node, such as
// the goroutines of an application that uses the client library.
//
//	call, err := e.Door.Enter(ctx)
//	if err != nil {
//		return err
//	}
//	defer call.Leave()
//	// From here the goroutine is a task: it holds the baton.
//
// In the simulator the caller is a task already, and Enter only wraps it.
type Door interface {
	// Enter waits for the baton. It fails only if ctx is already done.
	// A task that holds the baton must not call it; code run by Offload may.
	Enter(ctx context.Context) (*Call, error)
}

// Call is one visit through the Door. It carries the caller's wish to stop
// waiting. Its methods need the baton.
type Call struct {
	deadline Instant
	err      error
	waitsOn  Cond
	leave    func(*Call)
}

// NewCall is for worlds: it makes the visit that Enter returns.
func NewCall(deadline Instant, leave func(*Call)) *Call {
	return &Call{deadline: deadline, leave: leave}
}

// Deadline is the caller's, or Never.
func (c *Call) Deadline() Instant {
	if c == nil {
		return Never
	}
	return c.deadline
}

// Err is nil until the caller's context is done.
func (c *Call) Err() error {
	if c == nil {
		return nil
	}
	return c.err
}

// Wait waits on cond until the earlier of deadline and the call's own, or until
// the caller cancels. It reports false when it need not be called again: a
// deadline has passed, or Err is set. A nil Call waits like a plain task.
func (c *Call) Wait(cond Cond, deadline Instant) bool {
	if c == nil {
		return cond.WaitUntil(deadline)
	}
	if c.err != nil {
		return false
	}
	c.waitsOn = cond
	woken := cond.WaitUntil(c.deadline.Sooner(deadline))
	c.waitsOn = nil
	return woken && c.err == nil
}

// Cancel is for worlds: it records why the caller gave up and wakes the call.
func (c *Call) Cancel(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	if c.waitsOn != nil {
		c.waitsOn.Broadcast()
	}
}

// Leave gives the baton back. The Call must not be used afterwards.
func (c *Call) Leave() {
	if c.leave != nil {
		c.leave(c)
	}
}
