package client

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// sending is a message, or a batch, on its way: what stays the same from try to try. It is
// used again for later messages.
type sending struct {
	request    transport.Request
	header     proto.SendMessage
	properties []byte // scratch
	body       []byte // scratch: the compressed body, or that of a batch
	attempts   []Attempt

	mode     SendMode
	patience env.Instant // the deadline of the caller's context, if the send goes on without the caller
	message  *Message    // of a batch, the first
	batch    []*Message  // nil unless it is a batch
	batchIDs []string    // unique ids of the batch
	uniqueID string
	prefer   string // a broker name to begin with; "": any
	asks     bool   // it is a request: brokers must know this client before
	sequence int64  // of the message, or of the first one of a batch; 0: none
	bound    bool   // it was perhaps stored by a broker that knows repeats: further tries go there
	waits    bool   // the last try does not count: its broker is away, and no other one will do
	chosen   bool   // it must go to queue
	queue    Queue
	began    env.Instant
}

func (p *Producer) take() *sending {
	if n := len(p.idle); n > 0 {
		s := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return s
	}
	s := &sending{}
	s.request.Header, s.request.Fields = s.header.Short(), p.core.fields
	return s
}

// scratchMax is the largest scratch memory that is kept, in bytes.
const scratchMax = 64 << 10

func (p *Producer) give(s *sending) {
	if len(p.idle) >= exchangesMax {
		return
	}
	clear(s.attempts)
	s.attempts, s.message, s.chosen, s.request.Body = s.attempts[:0], nil, false, nil
	s.mode, s.patience, s.batch, s.batchIDs = Synchronous, env.Never, nil, nil
	s.prefer, s.asks, s.sequence, s.bound = "", false, 0, false
	if cap(s.body) > scratchMax {
		s.body = nil
	}
	p.idle = append(p.idle, s)
}

// prepare checks a message and makes the request out of it, but for the unique id. It waits only to
// compress.
func (p *Producer) prepare(s *sending, m *Message) error {
	if err := checkMessage(m, p.config.bodyMax); err != nil {
		return err
	}
	s.message, s.uniqueID, s.began = m, m.UniqueID(), p.core.env.Clock.Now()
	s.request.Code, s.request.Body = proto.ReqSendMessageV2, m.Body
	if isReply(m) {
		s.request.Code = proto.ReqSendReplyMessageV2
	}
	s.fill(p, p.topicOf(m))
	if err := proto.ValidateTopic(s.header.Topic); err != nil {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if err := s.encodeProperties(p.inNamespace(m)); err != nil {
		return err
	}
	return p.compress(s, m.Body)
}

// topicOf is where a message goes. Replies have one topic for all namespaces.
func (p *Producer) topicOf(m *Message) string {
	if isReply(m) {
		return m.Topic
	}
	return p.config.space.full(m.Topic)
}

// inNamespace gives a copy of the message the property that names the namespace, if there is one.
func (p *Producer) inNamespace(m *Message) *Message {
	if p.config.space == "" {
		return m
	}
	named := *m
	named.Properties = m.Properties.Clone()
	named.Properties.Set(message.PropertyInstance, string(p.config.space))
	return &named
}

// fill sets the fields of the header that do not come from the message.
func (s *sending) fill(p *Producer, topic string) {
	s.header = proto.SendMessage{
		ProducerGroup: p.config.group,
		Topic:         topic,
		DefaultTopic:  p.config.createFrom,
		DefaultQueues: int32(p.config.createQueues),
		BornAt:        int64(p.core.env.Clock.Wall()),
		UserFlags:     s.message.UserFlags,
	}
}

// uniqueIDRoom is what the property with the longest unique id takes, in bytes.
const uniqueIDRoom = len(message.PropertyUniqueID) + 56 + 2

// encodeProperties leaves room for a unique id if the message has none.
func (s *sending) encodeProperties(m *Message) error {
	list := m.Properties
	if proto.IsRetryTopic(m.Topic) {
		list = s.takeRedeliveries(list)
	}
	encoded, err := list.Append(s.properties[:0])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	s.properties = encoded
	if m.UniqueID() == "" && len(encoded) > message.PropertiesLengthMax-uniqueIDRoom {
		return fmt.Errorf("%w: %w: %d bytes, at most %d with the unique id", ErrMessage, message.ErrPropertiesLength,
			len(encoded), message.PropertiesLengthMax-uniqueIDRoom)
	}
	return nil
}

// addUniqueID returns the encoded properties with a new unique id, and the id. The route must be known: with it
// came a connection, which tells the address that is part of the id.
func (p *Producer) addUniqueID(s *sending) (string, error) {
	id := p.core.ids.uniqueID()
	encoded, err := message.AppendProperty(s.properties, message.PropertyUniqueID, id)
	s.properties = encoded
	return id, err
}

// identify completes the request of a single message, and gives messages their sequence.
func (p *Producer) identify(s *sending) (err error) {
	p.number(s)
	if s.uniqueID == "" {
		s.uniqueID, err = p.addUniqueID(s)
	}
	if !s.header.Batch {
		s.header.Properties = string(s.properties)
	}
	return err
}

// takeRedeliveries moves two properties of a message that is sent to a retry topic into the
// header, where brokers look for them.
func (s *sending) takeRedeliveries(list message.Properties) message.Properties {
	list = list.Clone()
	if n, err := strconv.ParseInt(list.Get(message.PropertyRedeliveries), 10, 32); err == nil {
		s.header.Redeliveries = int32(n)
	}
	if n, err := strconv.ParseInt(list.Get(message.PropertyRedeliveriesMax), 10, 32); err == nil {
		s.header.RedeliveriesMax = proto.Some(int32(n))
	}
	list.Delete(message.PropertyRedeliveries)
	list.Delete(message.PropertyRedeliveriesMax)
	return list
}

// result puts together what Send returns.
func (s *sending) result(status SendStatus, queue Queue, h *proto.SendMessageResponse) SendResult {
	queue.QueueID = h.QueueID
	return SendResult{
		Status: status, UniqueID: s.uniqueID, OffsetID: h.OffsetID, Queue: queue,
		QueueOffset: QueueOffset(h.QueueOffset), TransactionID: h.TransactionID,
		RecallHandle: h.RecallHandle, Region: h.Region, TraceOff: h.TraceOff, offsets: h.Offsets,
	}
}

// deliver sends until a broker has stored the message, or no further try makes sense.
func (p *Producer) deliver(call *env.Call, s *sending, o order) (SendResult, error) {
	to, err := p.firstTarget(call, s, o)
	if err == nil {
		err = p.identify(s)
	}
	tries, once := 1+o.retries, s.chosen && o.fixedOnce
	var stored SendResult // of the last try that stored the message
	isStored, try := false, 0
	s.waits = false
	for err == nil {
		try++
		began := p.core.env.Clock.Now()
		result, failure := p.attempt(call, s, to, p.tryDeadline(o.deadline, try == tries || once && !p.mayRepeat(call, s, to, o.deadline)))
		if failure == nil {
			stored, isStored = result, true
			if result.Status == SendOK || !p.config.retryUnlessSafelyStored {
				break
			}
		}
		v := p.note(s, to, began, result, failure, o.retryCodes)
		// Also after the last try: the next message is to find another master.
		p.core.routes.suspect(s.header.Topic)
		if s.waits = p.awaits(s, to, v, o); s.waits {
			try-- // it does not count
		}
		again := v.again || s.waits || s.bound && v.maybeStored
		if try == tries || once && !s.bound && !s.waits || !again || p.isOver(call, o.deadline) || !p.rest(call, s, o.deadline) {
			err = p.reason(call, s, o.deadline)
			break
		}
		to, err = p.nextTarget(call, s, to, o)
	}
	if isStored {
		stored.Tries = try
		return stored, nil
	}
	return SendResult{}, p.failed(s, err)
}

// tryDeadline lets no try but the last use up the time of the others.
func (p *Producer) tryDeadline(deadline env.Instant, last bool) env.Instant {
	if last || p.config.tryTimeout == 0 {
		return deadline
	}
	return deadline.Sooner(p.core.env.Clock.Now().Add(p.config.tryTimeout))
}

// note writes down a try that was not good enough and what follows from it.
func (p *Producer) note(s *sending, to target, began env.Instant, result SendResult, err error, codes map[int32]bool) verdict {
	v := verdict{again: true, maybeStored: true}
	if err != nil {
		v = judge(err, codes)
		if v.maybeStored && hasCode(err, proto.RespServiceNotAvailable) && s.header.Sequence != 0 {
			// Other brokers may answer so when they have stored a part.
			v.maybeStored = false
		}
	} else {
		err = fmt.Errorf("stored, but with status %s", result.Status)
	}
	s.stay(v)
	if n := len(s.attempts); s.waits && err.Error() == s.attempts[n-1].Err.Error() {
		// It is one long try to whoever reads of it.
		s.attempts = s.attempts[:n-1]
	}
	address, _ := to.broker.master()
	s.attempts = append(s.attempts, Attempt{
		Queue: p.config.space.bareQueue(to.Queue), Address: address, Took: p.core.env.Clock.Now().Sub(began), Err: err, MaybeStored: v.maybeStored,
	})
	return v
}

func (p *Producer) isOver(call *env.Call, deadline env.Instant) bool {
	return p.core.state >= closing || call.Err() != nil || deadline.Reached(p.core.env.Clock.Now())
}

// reason says why there is no further try. It adds to the last error what that does not say.
func (p *Producer) reason(call *env.Call, s *sending, deadline env.Instant) error {
	err := s.attempts[len(s.attempts)-1].Err
	now := p.core.env.Clock.Now()
	switch over := contextOf(call, now); {
	case p.core.state >= closing && !errors.Is(err, ErrClosed):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	case over != nil && !errors.Is(err, over):
		return fmt.Errorf("%w: %w", over, err)
	case deadline.Reached(now) && !errors.Is(err, ErrTimeout):
		return fmt.Errorf("%w: the send timeout is over: %w", ErrTimeout, err)
	}
	return err
}

// failed makes the error of a send.
func (p *Producer) failed(s *sending, reason error) error {
	e := &SendError{
		Topic: p.config.space.bare(s.header.Topic), UniqueID: s.uniqueID, Took: p.core.env.Clock.Now().Sub(s.began),
		Attempts: slices.Clone(s.attempts), Err: reason,
	}
	for _, attempt := range s.attempts {
		e.MaybeStored = e.MaybeStored || attempt.MaybeStored
	}
	return e
}

// firstTarget finds the route of the topic and chooses a queue.
func (p *Producer) firstTarget(call *env.Call, s *sending, o order) (target, error) {
	t, err := p.route(call, s, o)
	if err != nil {
		return target{}, err
	}
	if at, ok := t.at(s.prefer); ok {
		return at, nil
	}
	if !s.chosen && p.config.selector != nil {
		if err := p.selectQueue(s, t); err != nil {
			return target{}, err
		}
	}
	if s.chosen {
		return p.fixedTarget(s)
	}
	return p.choice.pick(t, "", p.core.env.Clock.Now()), nil
}

// nextTarget passes over the broker that failed, if there is another one and the send is not bound to it.
func (p *Producer) nextTarget(call *env.Call, s *sending, failed target, o order) (target, error) {
	t, err := p.route(call, s, o)
	if err != nil {
		return target{}, err
	}
	switch {
	case s.bound:
		return failed, nil
	case s.chosen:
		return p.fixedTarget(s)
	}
	return p.choice.pick(t, failed.BrokerName, p.core.env.Clock.Now()), nil
}

func (p *Producer) fixedTarget(s *sending) (target, error) {
	b := p.core.brokers.byName[s.queue.BrokerName]
	if b == nil {
		return target{}, fmt.Errorf("%w: no route names broker %q", ErrNoBroker, s.queue.BrokerName)
	}
	return target{Queue: s.queue, broker: b}, nil
}

// selectQueue runs the application's selector, which may block, without the baton.
func (p *Producer) selectQueue(s *sending, t *topic) error {
	chosen, queues := AnyQueue, t.shown
	p.core.env.Tasks.Offload(func() { chosen = p.config.selector(s.message, queues) })
	if chosen >= len(queues) {
		return fmt.Errorf("%w: the selector chose queue %d of %d", ErrMessage, chosen, len(queues))
	}
	switch {
	case chosen >= 0:
		s.chosen, s.queue = true, queues[chosen]
	case chosen == RandomQueue && len(t.publish) > 0:
		t.cursor = env.IntN(p.random, len(t.publish))
	}
	return nil
}
