package client

import (
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// offsetStore keeps how far the group has come (interface OffsetStore).
type offsetStore interface {
	// load prepares the store before its first use.
	load() error
	// read returns the stored offset of a queue, if there is one.
	read(queue Queue) (offset QueueOffset, found bool, err error)
	// write stores the offset of a queue, once flush was called. Deadline bounds the wait.
	write(queue Queue, offset QueueOffset, deadline env.Instant) error
	// flush makes what was written durable.
	flush() error
}

// brokerOffsets asks the broker of each queue (class RemoteBrokerOffsetStore).
type brokerOffsets struct {
	consumer *PushConsumer
	asking   asker
}

func (*brokerOffsets) load() error { return nil }

// flush has nothing to do: brokers have answered.
func (*brokerOffsets) flush() error { return nil }

func (s *brokerOffsets) read(queue Queue) (QueueOffset, bool, error) {
	var h proto.OffsetResponse
	// Without a word about it, brokers answer 0 for a new group and a young topic.
	header := &proto.QueryConsumerOffset{ConsumerGroup: s.consumer.config.group, Topic: queue.Topic, QueueID: queue.QueueID}
	if s.consumer.push.from == proto.FromTimestamp && !s.consumer.isRetryTopic(queue.Topic) {
		// The application has named a time, and means it.
		header.ZeroIfUnknown = proto.Some(false)
	}
	atMaster, err := s.asking.ask(queue, proto.ReqQueryConsumerOffset, header, &h)
	if hasCode(err, proto.RespQueryNotFound) {
		if !atMaster {
			// A copy may only not know it yet.
			return 0, false, fmt.Errorf("%w: %s has no master now, and only a master knows that group %s has no offset of %s", ErrNoBroker, queue.BrokerName, header.ConsumerGroup, queue)
		}
		return 0, false, nil
	}
	// Some clients commit -1 where they mean nothing.
	return max(QueueOffset(h.Offset), 0), err == nil && h.Offset >= 0, err
}

// write waits for the answer, other than Java's: a commit that comes late, after the queue went to another member, would set that
// one back.
func (s *brokerOffsets) write(queue Queue, offset QueueOffset, deadline env.Instant) error {
	address, _, err := s.asking.member(queue, deadline)
	if err != nil {
		return err
	}
	k := s.consumer.core
	header := s.consumer.reader.commit(queue, offset)
	// A broker that has heard no heartbeat over a new connection would take this for the word of a tool.
	header.ClientID = k.ids.clientID()
	_, err = k.ask(nil, address, &transport.Request{Code: proto.ReqUpdateConsumerOffset, Header: header}, deadline)
	return err
}

// asker asks brokers about queues, from tasks.
type asker struct{ consumer *PushConsumer }

func newAsker(c *PushConsumer) asker { return asker{c} }

// member is where to ask about a queue: the master, or any member if there is none.
func (r asker) member(queue Queue, deadline env.Instant) (address string, isMaster bool, err error) {
	b, err := r.consumer.reader.broker(nil, queue, deadline)
	if err != nil {
		return "", false, err
	}
	if address, ok := b.master(); ok {
		return address, true, nil
	}
	address, ok := b.reader(proto.MasterID)
	if !ok {
		return "", false, fmt.Errorf("%w: no member of %s is known", ErrNoBroker, queue.BrokerName)
	}
	return address, false, nil
}

// ask sends a request about a queue and reads the header of the answer. It tells whether the master was asked.
func (r asker) ask(queue Queue, code int32, header proto.HeaderEncoder, into proto.HeaderDecoder) (atMaster bool, err error) {
	k := r.consumer.core
	deadline := k.env.Clock.Now().Add(r.consumer.config.requestTimeout)
	address, atMaster, err := r.member(queue, deadline)
	if err != nil {
		return false, err
	}
	response, err := k.ask(nil, address, &transport.Request{Code: code, Header: header}, deadline)
	if err != nil {
		return atMaster, err
	}
	if err := into.DecodeFields(response.Fields); err != nil {
		return atMaster, fmt.Errorf("%s about %s: the answer cannot be read: %w", proto.RequestName(code), queue, err)
	}
	return atMaster, nil
}

// mayCommit reports whether an offset may go to the store: the queue is ours beyond doubt, and the store was not set to a later
// place from outside.
func (c *PushConsumer) mayCommit(a *assignment, offset QueueOffset) bool {
	return offset >= a.floor && c.mayConsume(a) && !a.storedOff
}

// persistLoop is the task that stores offsets every 5 s.
func (c *PushConsumer) persistLoop() {
	for c.core.pause(c.push.persistEvery) {
		_ = c.persist(c.order, c.core.env.Clock.Now().Add(c.config.requestTimeout))
	}
}

// persist stores the offsets of some queues, those of different brokers at once, and returns when that is done or the deadline
// has come. What goes wrong is logged, and returned.
func (c *PushConsumer) persist(list []*assignment, deadline env.Instant) error {
	var failures []error
	byBroker := map[string][]*assignment{}
	var names []string
	for _, a := range list {
		name := a.queue.BrokerName
		if byBroker[name] == nil {
			names = append(names, name)
		}
		byBroker[name] = append(byBroker[name], a)
	}
	group := env.NewGroup(c.core.env.Tasks)
	for _, name := range names {
		group.Go("store offsets of "+name, func() {
			if err := c.persistEach(byBroker[name], deadline); err != nil {
				failures = append(failures, err)
			}
		})
	}
	group.Wait()
	if err := c.store.flush(); err != nil {
		c.core.env.Log.Warn("offsets could not be stored", zap.Error(err))
		failures = append(failures, err)
	}
	return join(failures)
}

// persistEach stores one offset after the other until one fails: the others would, too.
func (c *PushConsumer) persistEach(list []*assignment, deadline env.Instant) error {
	for _, a := range list {
		if err := c.persistOne(a, deadline); err != nil {
			if c.core.state < closing {
				c.core.env.Log.Warn("an offset could not be stored", zap.Stringer("queue", a.queue), zap.Error(err))
			}
			return err
		}
	}
	return nil
}

// tellAgainAfter is how long a broker may have another offset than a lite pull consumer believes.
const tellAgainAfter = 30 * time.Second

// tellsAgain reports whether an offset is stored though the store should have it. Who polls may go back, so a broker cannot tell that from what a member
// says that believes a queue still to be its own, and takes an older offset of it.
func (c *PushConsumer) tellsAgain(a *assignment) bool {
	return a.polled && a.stored != offsetUnknown && c.core.env.Clock.Now().Sub(a.storedAt) >= tellAgainAfter
}

// persistOne stores the offset of a queue if the store has another one.
func (c *PushConsumer) persistOne(a *assignment, deadline env.Instant) error {
	if a.popped != nil {
		// Brokers commit what is acknowledged.
		return nil
	}
	for a.storing {
		a.changed.Wait()
	}
	epoch, offset := a.epoch, a.committed()
	if offset == a.stored && !c.tellsAgain(a) || !c.mayCommit(a, offset) {
		return nil
	}
	if deadline.Reached(c.core.env.Clock.Now()) {
		return fmt.Errorf("%w: the offset of %s was not sent", ErrTimeout, a.queue)
	}
	a.storing = true
	err := c.store.write(a.queue, offset, deadline)
	a.storing = false
	// A broker that did not answer may have stored it, and a queue that was moved meanwhile may have to go back.
	a.stored = offsetUnknown
	if err == nil && a.epoch == epoch {
		a.stored, a.storedAt = offset, c.core.env.Clock.Now()
	}
	a.changed.Broadcast()
	return err
}
