package scenario

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
)

// brief is the topic that is removed and made again.
var brief = store.QueueKey{Topic: "brief", ID: 0}

// workTopics are those that producers send to. The second one takes records that hold several messages.
var workTopics = [3]string{"topic0", "batch1", "topic2"}

// startWork starts the tasks that use the open store.
func (c *storeRun) startWork() {
	e, s, mine := c.machine.Node("store", "."), c.store, c.incarnation
	goOn := func() bool { return c.incarnation == mine && c.kernel.Failure() == nil }
	for n := range c.work.producers {
		own := c.random.Derive(fmt.Sprint("producer ", n, " of ", mine))
		e.Tasks.Go("produce", func() { c.produce(e, s, own, goOn) })
	}
	for n := range c.work.readers {
		own := c.random.Derive(fmt.Sprint("reader ", n, " of ", mine))
		e.Tasks.Go("read", func() { c.read(e, s, own, goOn) })
	}
	if c.work.drops > 0 {
		own := c.random.Derive(fmt.Sprint("remover of ", mine))
		e.Tasks.Go("remove", func() { c.remove(e, s, own, goOn) })
	}
}

// produce sends until the store takes no more.
func (c *storeRun) produce(e env.Env, s *store.Store, own *sim.Stream, goOn func() bool) {
	for goOn() {
		key := store.QueueKey{Topic: workTopics[own.IntN(int(c.work.topics))], ID: int32(own.IntN(int(c.work.queues)))}
		sizes := []int{int(own.Between(14, c.work.bodyMax))}
		for own.Chance(c.work.batches) && len(sizes) < 5 {
			sizes = append(sizes, int(own.Between(14, c.work.bodyMax)))
		}
		switch c.ledger.Send(e, s, key, sizes...) {
		case store.AppendOK:
			c.answered++
			c.kernel.Mark("send acknowledged")
		case store.AppendUnavailable:
			return
		case store.AppendNoSpace, store.AppendBusy, store.AppendNoFile:
			c.kernel.Mark("send refused")
			e.Tasks.Sleep(time.Millisecond)
		}
		e.Tasks.Sleep(time.Duration(own.Between(0, int64(c.work.think))))
	}
}

// read follows the queues as consumers do, and looks for messages by key.
func (c *storeRun) read(e env.Env, s *store.Store, own *sim.Stream, goOn func() bool) {
	next := map[store.QueueKey]message.QueueOffset{}
	for goOn() {
		keys := s.Queues()
		if len(keys) > 0 {
			key := keys[own.IntN(len(keys))]
			if err := c.readSome(s, key, next); err != nil && !c.forgiven(err) && goOn() {
				c.failSafety("reading %v: %v", key, err)
			}
		}
		if err := c.searchSome(s, own); err != nil && !c.forgiven(err) && goOn() {
			c.failSafety("searching: %v", err)
		}
		e.Tasks.Sleep(time.Duration(own.Between(0, int64(2*time.Millisecond))))
	}
}

// forgiven reports whether an error is the fault of a disk that the driver has made sick.
func (c *storeRun) forgiven(err error) bool {
	if errors.Is(err, store.ErrClosed) || c.sick() && errors.Is(err, env.ErrIO) {
		return true
	}
	return len(c.harmed) > 0
}

// readSome reads on in a queue.
func (c *storeRun) readSome(s *store.Store, key store.QueueKey, next map[store.QueueKey]message.QueueOffset) error {
	result, err := s.Read(store.ReadRequest{Queue: key, From: next[key], CountMax: 8, BytesMax: 32 << 10}, nil)
	if err != nil {
		return err
	}
	at := next[key]
	next[key] = result.Next
	switch result.Status {
	case store.ReadFound:
	case store.ReadOffsetOverflowBadly, store.ReadNoMatchedLogicQueue:
		if key.Topic != brief.Topic {
			return fmt.Errorf("message %d is behind the end: %v, [%d, %d)", at, result.Status, result.Min, result.Max)
		}
		return nil
	default:
		return nil
	}
	if key.Topic == brief.Topic {
		return nil // it may have been removed meanwhile
	}
	for r, err := range message.DecodeRecords(result.Bytes, true) {
		if err != nil {
			return err
		}
		if err := c.ledger.Saw(r, key); err != nil {
			return err
		}
	}
	return nil
}

// searchSome looks for one message that was seen or acknowledged.
func (c *storeRun) searchSome(s *store.Store, own *sim.Stream) error {
	if len(c.ledger.Messages) == 0 || !own.Chance(0.2) {
		return nil
	}
	m := c.ledger.Messages[own.IntN(len(c.ledger.Messages))]
	owed := m.Owed() && m.Key.Topic != brief.Topic
	result, err := s.FindByKey(store.KeyQuery{Topic: m.Key.Topic, Key: m.SearchKey(), To: math.MaxInt64, CountMax: 2, BytesMax: 1 << 20})
	switch {
	case err != nil:
		return err
	case result.Count > 1:
		return fmt.Errorf("%d messages have the key of %v", result.Count, m)
	case result.Count == 1:
		c.kernel.Mark("found by key")
	case owed && result.Complete && m.Place.Log >= s.Start():
		return fmt.Errorf("%v is not found by its key", m)
	}
	return nil
}

// remove uses a topic for a while, removes it and makes it again.
func (c *storeRun) remove(e env.Env, s *store.Store, own *sim.Stream, goOn func() bool) {
	for goOn() {
		if status := c.ledger.Send(e, s, brief, int(own.Between(14, 500))); status == store.AppendUnavailable {
			return
		}
		if own.Chance(c.work.drops) {
			if err := c.ledger.Drop(s, brief.Topic); err == nil {
				c.kernel.Mark("topic removed")
			} else if s.Fenced() == nil && !c.sick() && len(c.harmed) == 0 && !errors.Is(err, store.ErrClosed) && goOn() {
				c.failSafety("removing a topic: %v", err)
			}
		}
		e.Tasks.Sleep(time.Duration(own.Between(0, int64(4*time.Millisecond))))
	}
}
