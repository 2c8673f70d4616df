package client

import (
	"context"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// Ack says that a message was consumed: it does not come again. The error is a *HoldError, which is an ErrNotHeld, if the receipt holds nothing
// any more: the message was acknowledged before, or its time was over and another member may have it. With others, ErrClosed, that of
// ctx, ErrNoBroker, ErrTimeout, ErrNotSent or *ResponseError, the message may come again; Ack may be tried again, and if the first try
// went well after all, the answer to the second is ErrNotHeld.
func (c *PopConsumer) Ack(ctx context.Context, m *PoppedMessage) error {
	call, err := c.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	return c.ack(call, m)
}

func (c *PopConsumer) ack(call *env.Call, m *PoppedMessage) error {
	err := c.popper.acknowledge(call, m, c.core.deadline(call, ackTimeout))
	if err == nil {
		c.consumed(m)
	}
	return err
}

// consumed tells traces what became of a message.
func (c *PopConsumer) consumed(m *PoppedMessage) {
	traceEnd(c.core, c.tracer, m.trace, nil, c.config.pop.invisible)
	m.trace = nil
}

// AckError says which messages AckAll could not acknowledge, and why.
type AckError struct {
	Messages []*PoppedMessage // in the order of their brokers; some of those of one broker may have been acknowledged all the same
	Err      error
}

// Error tells how many and why.
func (e *AckError) Error() string {
	return fmt.Sprintf("%d messages were not acknowledged, or not for sure: %v", len(e.Messages), e.Err)
}

// Unwrap returns the reason; of several brokers, all of them.
func (e *AckError) Unwrap() error { return e.Err }

// AckAll acknowledges any number of messages with one request to each broker (BATCH_ACK_MESSAGE), all at once. The error is an *AckError
// with the messages of the brokers that refused, or did not answer. It is an ErrNotHeld if a broker says that receipts hold nothing any more; a
// batch does not tell which, so who must know uses Ack.
func (c *PopConsumer) AckAll(ctx context.Context, messages []*PoppedMessage) error {
	call, err := c.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	batches := batchAcks(c.config.group, messages)
	outcomes := make([]AckError, len(batches))
	deadline := c.core.deadline(call, ackTimeout)
	pending := len(batches)
	ended := c.core.env.Tasks.NewCond()
	for i := range batches {
		begun := c.core.start("acknowledge at "+batches[i].body.BrokerName, func() {
			outcomes[i] = c.ackBatch(&batches[i], deadline)
			pending--
			ended.Broadcast()
		})
		if !begun {
			return ErrClosed
		}
	}
	for pending > 0 {
		if !call.Wait(ended, env.Never) {
			if err := contextOf(call, c.core.env.Clock.Now()); err != nil {
				return &AckError{Messages: messages, Err: err}
			}
		}
	}
	return ackErrorOf(outcomes)
}

// ackErrorOf is the error of AckAll.
func ackErrorOf(outcomes []AckError) error {
	var all AckError
	var reasons []error
	for _, o := range outcomes {
		all.Messages = append(all.Messages, o.Messages...)
		if o.Err != nil {
			reasons = append(reasons, o.Err)
		}
	}
	if all.Err = join(reasons); all.Err == nil {
		return nil
	}
	return &all
}

// ackBatch acknowledges what was consumed at one broker name.
func (c *PopConsumer) ackBatch(b *brokerBatch, deadline env.Instant) (failed AckError) {
	var reasons []error
	if len(b.messages) > 0 {
		if err := c.sendBatch(b, deadline); err != nil {
			failed.Messages, reasons = append(failed.Messages, b.messages...), append(reasons, err)
		} else {
			for _, m := range b.messages {
				c.consumed(m)
			}
		}
	}
	for _, m := range b.apart {
		if err := c.popper.acknowledge(nil, m, deadline); err != nil {
			failed.Messages, reasons = append(failed.Messages, m), append(reasons, err)
			continue
		}
		c.consumed(m)
	}
	failed.Err = join(reasons)
	return failed
}

func (c *PopConsumer) sendBatch(b *brokerBatch, deadline env.Instant) error {
	first := b.messages[0]
	address, err := c.popper.master(nil, Queue{Topic: first.topic, BrokerName: b.body.BrokerName}, deadline)
	if err != nil {
		return err
	}
	_, err = c.core.ask(nil, address, &transport.Request{Code: proto.ReqBatchAckMessage, Body: b.body.Marshal()}, deadline)
	return notHeld(err, first)
}

// ChangeInvisible hides a message for so long from now on, from 1 ms on: longer, if the work takes its time, or shorter, if another member should
// try. Brokers may have bounds of their own. The message gets a new receipt. Errors are those of Ack; with ErrTimeout it is not known which
// receipt holds.
func (c *PopConsumer) ChangeInvisible(ctx context.Context, m *PoppedMessage, invisible time.Duration) error {
	call, err := c.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	if invisible < time.Millisecond {
		return fmt.Errorf("%w: a message cannot be hidden for %s: give at least 1ms", ErrOption, invisible)
	}
	err = c.popper.hide(call, m, invisible, c.core.deadline(call, ackTimeout))
	if err == nil {
		m.showReceipt()
	}
	return err
}

// Close leaves the group, ends all connections, and returns when nothing of the consumer is left running. Calls under way fail with
// ErrClosed. Closing again does nothing. A ctx that ends only shortens the farewell. Messages that were popped and not acknowledged come
// again when their time is over.
func (c *PopConsumer) Close(ctx context.Context) error {
	call, patience, err := c.core.lastVisit(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	c.core.state = max(c.core.state, draining)
	c.arrived.Broadcast()
	if c.tracer != nil {
		c.tracer.close(call, patience.Sooner(c.core.env.Clock.Now().Add(c.config.requestTimeout)))
	}
	c.core.close(call, patience)
	return nil
}
