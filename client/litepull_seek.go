package client

import (
	"context"
	"fmt"
)

// Seek makes a queue that is held go on at an offset: what was pulled before is forgotten, and what a pull under way brings is
// ignored. Nothing is committed by it: the next Poll does that, or Commit. Errors are ErrNotAssigned, ErrOffsetRange unless the offset is
// one of MinOffset to MaxOffset, and those of a request.
func (c *LitePullConsumer) Seek(ctx context.Context, queue Queue, offset QueueOffset) error {
	least, most, err := c.bounds(ctx, queue)
	if err != nil {
		return err
	}
	if offset < least || offset > most {
		return fmt.Errorf("%w: %s has offsets from %d to %d, not %d", ErrOffsetRange, queue, least, most, offset)
	}
	return c.goTo(ctx, queue, offset)
}

// SeekToBegin is Seek to the oldest message that a queue still has.
func (c *LitePullConsumer) SeekToBegin(ctx context.Context, queue Queue) error {
	if err := c.withHeld(ctx, func(*assignment) {}, queue); err != nil {
		return err
	}
	least, err := c.engine.reader.MinOffset(ctx, queue)
	if err != nil {
		return err
	}
	return c.goTo(ctx, queue, least)
}

// SeekToEnd is Seek to the offset that the next message of a queue will get.
func (c *LitePullConsumer) SeekToEnd(ctx context.Context, queue Queue) error {
	if err := c.withHeld(ctx, func(*assignment) {}, queue); err != nil {
		return err
	}
	most, err := c.engine.reader.MaxOffset(ctx, queue)
	if err != nil {
		return err
	}
	return c.goTo(ctx, queue, most)
}

func (c *LitePullConsumer) bounds(ctx context.Context, queue Queue) (least, most QueueOffset, err error) {
	if err := c.withHeld(ctx, func(*assignment) {}, queue); err != nil {
		return 0, 0, err
	}
	if least, err = c.engine.reader.MinOffset(ctx, queue); err != nil {
		return 0, 0, err
	}
	most, err = c.engine.reader.MaxOffset(ctx, queue)
	return least, most, err
}

// goTo restarts a queue, with a task of its own: the one before may be waiting at the broker for a long time.
func (c *LitePullConsumer) goTo(ctx context.Context, queue Queue, offset QueueOffset) error {
	return c.withHeld(ctx, func(a *assignment) {
		a.restart(offset)
		a.sentTo = offsetUnknown
		c.engine.startPulling(a)
		c.engine.wakePulls()
	}, queue)
}

// Pause stops queues that are held: nothing more of them is handed out, not even what was pulled, until Resume. A queue that is given up
// and comes back is not paused any more. The error is ErrNotAssigned if any of them is not held; then nothing has changed.
func (c *LitePullConsumer) Pause(ctx context.Context, queues ...Queue) error {
	return c.withHeld(ctx, func(a *assignment) {
		a.paused = true
		// Others may have room now.
		c.engine.wakePulls()
	}, queues...)
}

// Resume ends Pause. Errors are as there.
func (c *LitePullConsumer) Resume(ctx context.Context, queues ...Queue) error {
	return c.withHeld(ctx, func(a *assignment) {
		a.paused = false
		a.changed.Broadcast()
		c.engine.arrived.Broadcast()
	}, queues...)
}

// Position is the offset of the next message of a queue that Poll will hand out, or a lower one if what lies between does not pass
// the filter.
func (c *LitePullConsumer) Position(ctx context.Context, queue Queue) (at QueueOffset, err error) {
	err = c.withHeld(ctx, func(a *assignment) { at = a.position() }, queue)
	return at, err
}

// withHeld does something with queues, if all of them are held.
func (c *LitePullConsumer) withHeld(ctx context.Context, do func(a *assignment), queues ...Queue) error {
	call, err := c.engine.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	var all []*assignment
	for _, queue := range queues {
		a, err := c.held(queue)
		if err != nil {
			return err
		}
		all = append(all, a)
	}
	for _, a := range all {
		do(a)
	}
	return nil
}
