package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// This file is what all state that is derived from the log has in common: delays, timers, transactions.

// readLog gives all records up to the end of the log to use, over damaged parts and however often the disk must be asked. It reports false if stop
// says so before. When it returns true nothing was waited for since the last record was read.
func (b *Broker) readLog(follower *store.Follower, waits string, stop func() bool, use func(r *message.Record)) bool {
	for !stop() && follower.Behind() > 0 {
		records, err := follower.Next()
		var damage *store.DamageError
		switch {
		case errors.As(err, &damage):
			follower.Skip(damage)
		case err != nil:
			b.env.Log.Error(waits+" wait: the log cannot be read; it is tried again", zap.Error(err))
			b.pauseFor(tryDeliveryAfter)
		}
		for i := range records {
			use(&records[i].Record)
		}
	}
	return !stop()
}

// readQueue gives the messages of a queue from a number on to use, as far as there are any, and moves the number behind them. What cannot be read
// for ever goes to lose.
func (b *Broker) readQueue(queue store.QueueKey, next *message.QueueOffset, stop func() bool, lose func(err error), use func(r *message.Record)) error {
	for !stop() {
		first, end := b.store.Bounds(queue)
		if *next = max(*next, first); *next >= end {
			return nil
		}
		result, err := b.store.Read(store.ReadRequest{Queue: queue, From: *next, CountMax: deliveriesMax, BytesMax: deliveryBytes}, nil)
		switch {
		case errors.Is(err, store.ErrDamaged):
			lose(fmt.Errorf("message %d of %s: %w", *next, queue, err))
			*next++
			continue
		case err != nil:
			return err
		case result.Next <= *next:
			return fmt.Errorf("message %d of %s: a read does not get on: %v", *next, queue, result.Status)
		}
		for r, err := range message.DecodeRecords(result.Bytes, false) {
			if err != nil {
				break // the store has verified them
			}
			use(r)
		}
		*next = result.Next
	}
	return nil
}

// pauseFor lets some time pass, but not much if the broker stops, or has begun to while the caller did something else.
func (b *Broker) pauseFor(time time.Duration) {
	if b.closing {
		b.env.Tasks.Sleep(min(time, closingPause))
		return
	}
	b.stop.WaitUntil(b.env.Clock.Now().Add(time))
}

// closingPause is for tasks that go on until their owner stops them.
const closingPause = 10 * time.Millisecond

// saveEvery is the task that saves something now and then, until the broker stops. The last time is for who closes it.
func (b *Broker) saveEvery(every time.Duration, what string, save func() error) {
	for {
		b.pauseFor(every)
		if b.closing {
			return
		}
		if err := save(); err != nil {
			b.env.Log.Warn(what+" could not be saved; it will be tried again", zap.Error(err))
		}
	}
}
