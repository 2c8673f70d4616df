package client

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// Suspend stops consuming: nothing is pulled, no handler is called any more. Calls under way go on. Queues stay with this
// consumer.
func (c *PushConsumer) Suspend(ctx context.Context) error { return c.setSuspended(ctx, true) }

// Resume ends Suspend.
func (c *PushConsumer) Resume(ctx context.Context) error { return c.setSuspended(ctx, false) }

func (c *PushConsumer) setSuspended(ctx context.Context, suspended bool) error {
	call, err := c.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	c.suspended = suspended
	c.wakeAll()
	c.rebalanceSoon(0)
	return nil
}

// wakeAll makes everything that waits look again.
func (c *PushConsumer) wakeAll() {
	for _, a := range c.order {
		a.changed.Broadcast()
	}
	c.arrived.Broadcast()
	c.dispatch()
}

// active reports whether messages may be pulled and handed out.
func (c *PushConsumer) active() bool { return c.core.state == open && !c.suspended }

// grace is how long brokers are told that this consumer ends although its time is over.
const grace = time.Second

// Close stops pulling, waits for calls of the handler under way, stores the offsets, unlocks the queues, leaves the group so that
// others take over at once, and ends all connections. If ctx ends first, it does not wait for handlers any longer, but still
// takes up to a second for the rest, and returns the error of ctx; only handlers that do not return outlive it then, and
// their messages come again elsewhere. Closing again does nothing.
func (c *PushConsumer) Close(ctx context.Context) error {
	call, patience, err := c.core.lastVisit(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	c.core.state = max(c.core.state, draining)
	c.wakeAll()
	c.rebalance.changed.Broadcast()
	c.rebalance.over.Broadcast()
	if c.notices != nil {
		c.notices.Close()
	}
	for c.working > 0 && call.Wait(c.finished, patience) {
	}
	cutOff := c.working
	deadline := c.core.env.Clock.Now().Add(grace)
	if contextOf(call, c.core.env.Clock.Now()) == nil && patience == env.Never {
		deadline = c.core.env.Clock.Now().Add(c.config.requestTimeout)
	}
	c.giveUpAll(deadline)
	if c.tracer != nil {
		c.tracer.close(call, deadline)
	}
	c.core.close(nil, deadline)
	if cutOff > 0 {
		return fmt.Errorf("%d calls of the handler, or acknowledgements, were under way: %w", cutOff, cmp.Or(call.Err(), ctx.Err(), context.DeadlineExceeded))
	}
	return nil
}
