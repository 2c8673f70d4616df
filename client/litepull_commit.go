package client

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gantrymq/gantry/node/env"
)

// Commit says that all messages handed out so far are consumed, and stores the offsets. It returns when that is done ("commitSync"). With
// an error some may be stored; the others are tried again in the background.
func (c *LitePullConsumer) Commit(ctx context.Context) error {
	call, err := c.engine.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	for _, a := range c.engine.order {
		a.marked = a.position()
	}
	return c.store(call, slices.Clone(c.engine.order))
}

// CommitOffsets stores the given offsets of queues that are held: the next ones to consume. They may be lower than before. It returns when
// that is done. Nothing is stored if the error is ErrNotAssigned, because any of them is not held, or ErrSentElsewhere, because an operator has
// reset the group's offset since and this one belongs to what was handed out before: Seek to go on elsewhere all the same. With
// another error some may be stored, and the others are tried again in the background.
//
// With automatic commits, the next Poll commits what it thinks right.
func (c *LitePullConsumer) CommitOffsets(ctx context.Context, offsets map[Queue]QueueOffset) error {
	call, err := c.engine.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	queues := slices.SortedFunc(maps.Keys(offsets), Queue.Compare)
	var list []*assignment
	for _, queue := range queues {
		a, err := c.held(queue)
		if err != nil {
			return err
		}
		if offsets[queue] < 0 {
			return fmt.Errorf("%w: %d of %s cannot be committed", ErrOffsetRange, offsets[queue], queue)
		}
		if err := a.mayMark(offsets[queue]); err != nil {
			return err
		}
		list = append(list, a)
	}
	for i, a := range list {
		// The application's word counts more than that of the broker.
		a.marked, a.floor = offsets[queues[i]], 0
	}
	return c.store(call, list)
}

// sentElsewhere notes where a queue was sent from outside. If nothing was handed out of it, nobody knows an offset from before.
func (a *assignment) sentElsewhere(to QueueOffset) {
	if a.consumedAt > 0 {
		a.sentTo = to
	}
}

// mayMark returns an error if a queue was sent elsewhere and an offset lies outside what was handed out since.
func (a *assignment) mayMark(offset QueueOffset) error {
	if a.sentTo == offsetUnknown || offset >= a.sentTo && offset <= a.position() {
		return nil
	}
	return fmt.Errorf("%w: the group goes on in %s at %d: commit %d to %d, not %d, or Seek", ErrSentElsewhere, a.queue, a.sentTo, a.sentTo, a.position(), offset)
}

// store stores what is marked, and waits for that as long as the caller.
func (c *LitePullConsumer) store(call *env.Call, list []*assignment) error {
	p := c.engine
	deadline := p.core.deadline(call, p.config.requestTimeout)
	outcome := env.NewFuture[error](p.core.env.Tasks)
	if !p.core.start("commit", func() { outcome.Set(p.persist(list, deadline)) }) {
		return ErrClosed
	}
	err, done := outcome.Wait(call, deadline)
	switch {
	case !done && contextOf(call, p.core.env.Clock.Now()) != nil:
		return fmt.Errorf("commit: %w", contextOf(call, p.core.env.Clock.Now()))
	case !done:
		return fmt.Errorf("commit: %w", ErrTimeout)
	case err != nil:
		return p.core.explain(call, err)
	}
	return stillOurs(list)
}

// stillOurs returns an error if a queue went elsewhere while its offset was to be stored, and it is not.
func stillOurs(list []*assignment) error {
	for _, a := range list {
		if a.storedOff && a.stored != a.marked {
			return fmt.Errorf("commit: %w any more: %s", ErrNotAssigned, a.queue)
		}
	}
	return nil
}

// Committed is the offset that is stored for a queue: with Clustering that of the group, at the broker, else that of this member.
// found is false if there is none. The queue need not be held.
func (c *LitePullConsumer) Committed(ctx context.Context, queue Queue) (offset QueueOffset, found bool, err error) {
	if c.engine.push.model == Clustering {
		return c.engine.reader.Committed(ctx, queue)
	}
	call, err := c.enter(ctx)
	if err != nil {
		return 0, false, err
	}
	defer call.Leave()
	return c.engine.store.read(c.space().fullQueue(queue))
}
