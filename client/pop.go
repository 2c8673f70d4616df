package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"go.uber.org/zap"
)

// popper takes messages from brokers that hide them from the rest of the group for a while, and tells what becomes of them. A PopConsumer has
// one, and a PushConsumer for the queues that brokers have it pop.
type popper struct {
	core   *core
	config *config
	reader *PullConsumer // the same core: decoders, brokers of queues
}

// popSpare is how much longer a pop may take than the broker may hold it.
const popSpare = 10 * time.Second

// ackTimeout bounds one try to acknowledge or hide a message.
const ackTimeout = 3 * time.Second

// popRequest is what one pop asks for.
type popRequest struct {
	queue  Queue // with the full name of the topic; id assign.WholeBroker: all of the broker
	wanted *subscribed
	most   int
	hold   time.Duration
}

// popAnswer is what one pop brought.
type popAnswer struct {
	messages []*PoppedMessage
	unwanted []*PoppedMessage // the filter leaves them out; brokers compare hashes only
	full     bool             // the broker holds too many pops already
}

// pop takes messages from the master of a broker name. The error is ErrNoBroker, that of the route, or of the transport, or a *ResponseError.
func (p *popper) pop(call *env.Call, r popRequest) (popAnswer, error) {
	k := p.core
	deadline := k.deadline(call, r.hold+popSpare)
	address, err := p.master(call, r.queue, deadline)
	if err != nil {
		return popAnswer{}, err
	}
	k.beats.ensure(call, address, deadline)
	response, err := k.ask(call, address, &transport.Request{Code: proto.ReqPopMessage, Header: p.popHeader(r)}, deadline)
	if response == nil {
		return popAnswer{}, err
	}
	switch response.Code {
	case proto.RespSuccess:
		return p.answer(r, response)
	case proto.RespPollingFull:
		return popAnswer{full: true}, nil
	case proto.RespPollingTimeout, proto.RespPullNotFound:
		return popAnswer{}, nil
	}
	return popAnswer{}, err
}

func (p *popper) popHeader(r popRequest) *proto.PopMessage {
	h := &proto.PopMessage{
		ConsumerGroup: p.config.group, Topic: r.queue.Topic, QueueID: r.queue.QueueID, MaxMessages: int32(r.most),
		InvisibleMillis: p.config.pop.invisible.Milliseconds(), HoldForMillis: r.hold.Milliseconds(), BornAt: int64(p.core.env.Clock.Wall()),
		From: proto.PopFromMax, ExpressionType: r.wanted.data.ExpressionType, Expression: r.wanted.data.Expression,
	}
	if p.config.push.from == proto.FromFirstOffset {
		h.From = proto.PopFromMin
	}
	return h
}

// answer reads a successful answer.
func (p *popper) answer(r popRequest, response *wire.Command) (popAnswer, error) {
	var h proto.PopMessageResponse
	err := h.DecodeFields(response.Fields)
	starts, unreadable := proto.ParsePopStarts(h.StartOffsets)
	if err := errors.Join(err, unreadable); err != nil {
		return popAnswer{}, fmt.Errorf("pop %s: the answer cannot be read: %w", r.queue, err)
	}
	// Names are needed as the broker has them: the topic tells where a message was read from.
	all, err := p.reader.decodeWith(response.Body, func(d *decoder) { d.queue, d.filter, d.from, d.delta, d.space = Queue{}, Filter{}, 0, 0, "" })
	if err != nil {
		return popAnswer{}, fmt.Errorf("pop %s: the messages cannot be read: %w", r.queue, err)
	}
	writing := newReceipts(p.config.group, r.queue, h, starts)
	var answer popAnswer
	for _, m := range all {
		popped, err := p.popped(r.queue, m, writing)
		switch {
		case err != nil:
			// Nobody can say anything about it. It comes again when it becomes visible.
			p.core.env.Log.Warn("a popped message is left out", zap.Stringer("message", m), zap.Error(err))
		case r.wanted.filter.wants(m.Tags()):
			answer.messages = append(answer.messages, popped)
		default:
			answer.unwanted = append(answer.unwanted, popped)
		}
	}
	return answer, nil
}

// popped makes a message of what was read, with its receipt and names as the application has them.
func (p *popper) popped(from Queue, m *Received, writing *receipts) (*PoppedMessage, error) {
	receipt, err := writing.of(m)
	if err != nil {
		return nil, err
	}
	space, now := p.config.space, p.core.env.Clock.Now()
	popped := &PoppedMessage{Received: m, topic: from.Topic}
	popped.hold(receipt, now)
	popped.showReceipt()
	if m.Properties.Get(message.PropertyFirstPoppedAtMillis) == "" {
		m.Properties.Set(message.PropertyFirstPoppedAtMillis, decimal(writing.header.PoppedAt))
	}
	m.Topic = space.bare(from.Topic)
	m.Queue = space.bareQueue(Queue{
		Topic: proto.PopRetryTopic(p.config.group, from.Topic, receipt.Retry), BrokerName: receipt.BrokerName, QueueID: receipt.QueueID,
	})
	return popped, nil
}

// master is the address that takes pops and what belongs to them: slaves do not.
func (p *popper) master(call *env.Call, queue Queue, deadline env.Instant) (string, error) {
	b, err := p.reader.broker(call, queue, deadline)
	if err != nil {
		return "", err
	}
	address, ok := b.master()
	if !ok {
		return "", fmt.Errorf("%w: %s has no master now", ErrNoBroker, queue.BrokerName)
	}
	return address, nil
}

// acknowledge tells the broker that a message was consumed (ACK_MESSAGE).
func (p *popper) acknowledge(call *env.Call, m *PoppedMessage, deadline env.Instant) error {
	r := m.receipt
	_, err := p.tell(call, m, proto.ReqAckMessage, &proto.AckMessage{
		ConsumerGroup: p.config.group, Topic: m.readFrom(p.config.group), QueueID: r.QueueID, CheckPoint: r.String(), QueueOffset: r.QueueOffset,
	}, deadline)
	return err
}

// hide keeps a message invisible for so long from now on (CHANGE_MESSAGE_INVISIBLETIME), and gives it a new receipt.
func (p *popper) hide(call *env.Call, m *PoppedMessage, d time.Duration, deadline env.Instant) error {
	r := m.receipt
	response, err := p.tell(call, m, proto.ReqChangeMessageInvisibleTime, &proto.ChangeMessageInvisibleTime{
		ConsumerGroup: p.config.group, Topic: m.readFrom(p.config.group), QueueID: r.QueueID, CheckPoint: r.String(), QueueOffset: r.QueueOffset,
		InvisibleMillis: d.Milliseconds(),
	}, deadline)
	if err != nil {
		return err
	}
	var h proto.ChangeMessageInvisibleTimeResponse
	if err := h.DecodeFields(response.Fields); err != nil {
		return fmt.Errorf("hide %s: the answer cannot be read: %w", m, err)
	}
	// The new hold is a check point of its own, of this message alone.
	r.StartOffset, r.PoppedAt, r.InvisibleMillis, r.ReviveQueueID = r.QueueOffset, h.PoppedAt, h.InvisibleMillis, h.ReviveQueueID
	m.hold(r, p.core.env.Clock.Now())
	return nil
}

// tell sends what shows a receipt to the broker that made it.
func (p *popper) tell(call *env.Call, m *PoppedMessage, code int32, header proto.HeaderEncoder, deadline env.Instant) (*wire.Command, error) {
	address, err := p.master(call, Queue{Topic: m.topic, BrokerName: m.receipt.BrokerName}, deadline)
	if err != nil {
		return nil, err
	}
	response, err := p.core.ask(call, address, &transport.Request{Code: code, Header: header}, deadline)
	if err == nil {
		return response, nil
	}
	return nil, notHeld(err, m)
}
