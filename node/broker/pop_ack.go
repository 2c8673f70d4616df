package broker

import (
	"fmt"

	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// held is a message that somebody shows a receipt for.
type heldMessage struct {
	queue    inflight.Queue
	offset   message.QueueOffset
	poppedAt int64
}

// acknowledge handles ACK_MESSAGE (class AckMessageProcessor): a message was consumed.
//
// Answers: success if that is as durable as a message, and the message is not delivered any more; no message if the receipt is of no use any more: the
// message was acknowledged, or its time was over and it was handed out again, or the group goes on elsewhere since.
func (b *Broker) acknowledge(in *transport.Incoming) {
	var h proto.AckMessage
	if !decode(in, &h) {
		return
	}
	reply := in.Reply()
	m, r := b.popped(h.ConsumerGroup, h.Topic, h.QueueID, h.QueueOffset, h.CheckPoint)
	if r.code == 0 {
		r = b.pops.settle(m, func(stored bool, r refusal) {
			if !stored {
				reply.Error(r.code, r.remark)
				return
			}
			reply.Success(nil)
		})
	}
	if r.code != 0 {
		reply.Error(r.code, r.remark)
	}
}

// popped checks a receipt, and that it is for the message that the request names.
func (b *Broker) popped(group, topic string, queueID int32, offset int64, text string) (m heldMessage, r refusal) {
	receipt, err := proto.ParsePopReceipt(text)
	switch {
	case b.closing:
		return m, refused(proto.RespServiceNotAvailable, "the broker is shutting down")
	case err != nil:
		return m, refused(proto.RespInvalidParameter, "extraInfo: %v", err)
	case receipt.BrokerName != b.options.Name:
		return m, refused(proto.RespInvalidParameter, "extraInfo: the message was popped from broker %s: send this to it", receipt.BrokerName)
	case receipt.QueueID != queueID || receipt.QueueOffset != offset:
		return m, refused(proto.RespInvalidParameter, "extraInfo: the receipt is for message %d of queue %d, not for %d of %d", receipt.QueueOffset, receipt.QueueID, offset, queueID)
	}
	// Some clients name the topic that they want, and some the one that the message was read from.
	if receipt.Retry != proto.PopNormal && !proto.IsRetryTopic(topic) {
		topic = proto.PopRetryTopic(group, topic, receipt.Retry)
	}
	return b.poppedFrom(heldMessage{inflight.Queue{Group: group, Topic: topic, ID: queueID}, message.QueueOffset(offset), receipt.PoppedAt})
}

// poppedFrom checks that there is such a message.
func (b *Broker) poppedFrom(m heldMessage) (heldMessage, refusal) {
	topic := b.topics.byName[m.queue.Topic]
	switch {
	case topic == nil:
		return m, refused(proto.RespTopicNotExist, "topic[%s] not exist, apply first please!", m.queue.Topic)
	case m.queue.ID < 0 || m.queue.ID >= topic.ReadQueues:
		return m, refused(proto.RespMessageIllegal, "queueId[%d] is illegal, topic:[%s] topicConfig.readQueueNums:[%d]", m.queue.ID, m.queue.Topic, topic.ReadQueues)
	}
	first, end := b.store.Bounds(store.QueueKey{Topic: m.queue.Topic, ID: m.queue.ID})
	if m.offset < first || m.offset >= end {
		return m, refused(proto.RespNoMessage, "offset is illegal: %d, the queue has [%d, %d)", m.offset, first, end)
	}
	return m, refusal{}
}

// settle stores that a message was consumed. If it is not refused, done is told whether that is stored.
func (t *pops) settle(m heldMessage, done func(stored bool, r refusal)) refusal {
	if !t.state.Lock(m.queue, m.offset, m.poppedAt) {
		return t.useless(m)
	}
	t.settleAll(m.queue, m.poppedAt, []message.QueueOffset{m.offset}, done)
	return refusal{}
}

// settleAll stores that messages of one pop, which are locked, were consumed.
func (t *pops) settleAll(q inflight.Queue, poppedAt int64, offsets []message.QueueOffset, done func(stored bool, r refusal)) {
	t.store(&inflight.Settled{Queue: q, PoppedAt: poppedAt, Offsets: offsets}, nil, func(stored bool, r refusal) {
		done(stored, r)
		if stored {
			t.broker.stats.acknowledged(q.Group, q.Topic, t.broker.env.Clock.Now(), len(offsets))
			// The next message of an ordered queue may be waited for.
			t.held.wakeLine(q.Group, q.Topic)
		}
	})
}

// useless tells why a receipt is of no use.
func (t *pops) useless(m heldMessage) refusal {
	h, held := t.state.Held(m.queue, m.offset)
	switch {
	case !held:
		return refused(proto.RespNoMessage, "message %d of %v is not in flight: it was acknowledged, or became a dead letter, or the group has moved", m.offset, m.queue)
	case h.PoppedAt != m.poppedAt:
		return refused(proto.RespNoMessage, "message %d of %v was handed out again since, or its receipt replaced: only the newest receipt counts", m.offset, m.queue)
	}
	return refused(proto.RespNoMessage, "message %d of %v is just being acknowledged, or hidden for longer, by the same receipt", m.offset, m.queue)
}

// changeInvisible handles CHANGE_MESSAGE_INVISIBLETIME (class ChangeInvisibleTimeProcessor): a message is hidden for so long from now on; 0 means that it
// may be handed out at once. The receipt is of no use any more, and the answer has what the new one is made of.
func (b *Broker) changeInvisible(in *transport.Incoming) {
	var h proto.ChangeMessageInvisibleTime
	if !decode(in, &h) {
		return
	}
	reply := in.Reply()
	if h.InvisibleMillis < 0 || h.InvisibleMillis > invisibleMax.Milliseconds() {
		reply.Error(proto.RespInvalidParameter, fmt.Sprintf("invisibleTime: %d ms: it must be 0 to %d", h.InvisibleMillis, invisibleMax.Milliseconds()))
		return
	}
	m, r := b.popped(h.ConsumerGroup, h.Topic, h.QueueID, h.QueueOffset, h.CheckPoint)
	if r.code == 0 {
		r = b.pops.hide(m, h.InvisibleMillis, reply)
	}
	if r.code != 0 {
		reply.Error(r.code, r.remark)
	}
}

func (t *pops) hide(m heldMessage, invisibleMillis int64, reply transport.Reply) refusal {
	if !t.state.Lock(m.queue, m.offset, m.poppedAt) {
		return t.useless(m)
	}
	e := &inflight.Hidden{
		Queue: m.queue, Offset: m.offset, PoppedAt: m.poppedAt, At: max(int64(t.broker.env.Clock.Wall()), t.state.Latest()+1), InvisibleMillis: invisibleMillis,
	}
	t.store(e, nil, func(stored bool, r refusal) {
		if !stored {
			reply.Error(r.code, r.remark)
			return
		}
		reply.Send(proto.RespSuccess, &proto.ChangeMessageInvisibleTimeResponse{PoppedAt: e.At, InvisibleMillis: e.InvisibleMillis}, nil)
		if invisibleMillis == 0 {
			t.held.wakeLine(m.queue.Group, m.queue.Topic)
		}
	})
	return refusal{}
}

// acksMax bounds the messages that are looked at together: meanwhile nobody else is served.
const acksMax = 128 << 10

// acknowledgeMany handles BATCH_ACK_MESSAGE: many messages were consumed. Each is settled or refused for itself.
//
// Answers: success if all of them are settled, otherwise no message, with how many are not, and why the first of these is not.
func (b *Broker) acknowledgeMany(in *transport.Incoming) {
	body, err := proto.UnmarshalBatchAckMessage(in.Command.Body)
	switch {
	case err != nil:
		in.Reply().Error(proto.RespInvalidParameter, err.Error())
		return
	case body.BrokerName != "" && body.BrokerName != b.options.Name:
		in.Reply().Error(proto.RespInvalidParameter, fmt.Sprintf("brokerName: the messages were popped from broker %s: send this to it", body.BrokerName))
		return
	case b.closing:
		in.Reply().Error(proto.RespServiceNotAvailable, "the broker is shutting down")
		return
	}
	if size := bitsOf(body); size > acksMax/8 {
		in.Reply().Error(proto.RespInvalidParameter, fmt.Sprintf("bitSet: %d bytes in all, %d may be at once: send the acknowledgements in parts", size, acksMax/8))
		return
	}
	g := &manyAcks{reply: in.Reply(), open: 1}
	for i := range body.Acks {
		b.acknowledgeSome(&body.Acks[i], g)
	}
	g.over(0, refusal{})
}

// bitsOf is how many bytes all bit sets have together.
func bitsOf(body *proto.BatchAckMessage) (size int) {
	for i := range body.Acks {
		size += len(body.Acks[i].Bits)
	}
	return size
}

// acknowledgeSome settles the messages of one pop of one queue, with one event.
func (b *Broker) acknowledgeSome(a *proto.BatchAck, g *manyAcks) {
	topic := a.Topic
	if retry := proto.PopRetry(a.Retry); retry != proto.PopNormal && a.Retry != "" && !proto.IsRetryTopic(topic) {
		topic = proto.PopRetryTopic(a.ConsumerGroup, topic, retry)
	}
	queue := inflight.Queue{Group: a.ConsumerGroup, Topic: topic, ID: a.QueueID}
	var offsets []message.QueueOffset
	for i := range int64(len(a.Bits)) * 8 {
		if !a.Has(a.StartOffset + i) {
			continue
		}
		g.total++
		m, r := b.poppedFrom(heldMessage{queue, message.QueueOffset(a.StartOffset + i), a.PoppedAt})
		switch {
		case r.code != 0:
			g.fail(1, r)
		case !b.pops.state.Lock(queue, m.offset, a.PoppedAt):
			g.fail(1, b.pops.useless(m))
		default:
			offsets = append(offsets, m.offset)
		}
	}
	if len(offsets) > 0 {
		g.open++
		b.pops.settleAll(queue, a.PoppedAt, offsets, func(_ bool, r refusal) { g.over(len(offsets), r) })
	}
}

// manyAcks answers when the outcome of all is known.
type manyAcks struct {
	reply         transport.Reply
	open          int     // events of which it is not known, and one until all are counted
	total, failed int     // messages
	first         refusal // of those that failed
}

func (g *manyAcks) fail(messages int, r refusal) {
	if g.failed == 0 {
		g.first = r
	}
	g.failed += messages
}

// over is told the outcome of one event.
func (g *manyAcks) over(messages int, r refusal) {
	g.open--
	if r.code != 0 {
		g.fail(messages, r)
	}
	switch {
	case g.open > 0:
	case g.failed == 0:
		g.reply.Success(nil)
	default:
		g.reply.Error(g.first.code, fmt.Sprintf("%d of %d messages are not settled, the others are: %s", g.failed, g.total, g.first.remark))
	}
}
