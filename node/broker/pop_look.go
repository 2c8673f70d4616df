package broker

import (
	"fmt"

	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// notify handles NOTIFICATION: wait until there is something to pop. It takes nothing.
func (b *Broker) notify(in *transport.Incoming) {
	var h proto.Notification
	if !decode(in, &h) {
		return
	}
	p, r := b.admitPopper(in, h.ConsumerGroup, h.Topic, h.QueueID, h.HoldForMillis)
	if r.code != 0 {
		refusePull(in.Reply(), r)
		return
	}
	p.asks, p.ordered, p.attempt = true, h.Ordered, h.AttemptID
	b.pops.answer(p)
}

// tell answers who only asks, if there is something.
func (t *pops) tell(p *popRequest) bool {
	if !t.held.news(p) {
		return false
	}
	p.reply.Send(proto.RespSuccess, &proto.NotificationResponse{HasMessage: true}, nil)
	return true
}

// pollingInfo handles POLLING_INFO: how many pops are held.
func (b *Broker) pollingInfo(in *transport.Incoming) {
	var h proto.PollingInfo
	if !decode(in, &h) {
		return
	}
	in.Reply().Send(proto.RespSuccess, &proto.PollingInfoResponse{Polls: b.pops.held.polling(h.ConsumerGroup, h.Topic, h.QueueID)}, nil)
}

// peek handles PEEK_MESSAGE: the next messages of a group, which stay where they are and are hidden from nobody.
//
// Answers: success with records; pull not found; and the refusals of a pop.
func (b *Broker) peek(in *transport.Incoming) {
	var h proto.PeekMessage
	if !decode(in, &h) {
		return
	}
	if h.MaxMessages < 1 || h.MaxMessages > popMessagesMax {
		in.Reply().Error(proto.RespInvalidParameter, fmt.Sprintf("maxMsgNums: %d: a peek shows 1 to %d messages", h.MaxMessages, popMessagesMax))
		return
	}
	p, r := b.admitPopper(in, h.ConsumerGroup, h.Topic, h.QueueID, 0)
	if r.code != 0 {
		refusePull(in.Reply(), r)
		return
	}
	var body []byte
	var left int64
	var err error
	b.await(in, func() { body, left, err = b.pops.look(p, int(h.MaxMessages)) })
	switch {
	case err != nil:
		in.Reply().Error(proto.RespSystemError, err.Error())
	case len(body) == 0, p.rights != b.guard.Generation(): // who still may asks again
		in.Reply().Error(proto.RespPullNotFound, "no message found")
	default:
		in.Reply().Send(proto.RespSuccess, &proto.PopMessageResponse{PoppedAt: int64(b.env.Clock.Wall()), Left: left}, body)
	}
}

// look reads what a group would be handed next that it never was. It waits for the disk.
func (t *pops) look(p *popRequest, count int) (body []byte, left int64, err error) {
	for _, from := range t.sources(p) {
		q := inflight.Queue{Group: p.group.Name, Topic: from.queue.Topic, ID: from.queue.ID}
		_, end := t.broker.store.Bounds(from.queue)
		begin := end - message.QueueOffset(t.behind(q))
		result, err := t.broker.store.Read(store.ReadRequest{Queue: from.queue, From: begin, CountMax: max(count, 1), BytesMax: t.broker.options.PullBytesMax}, nil)
		if err != nil {
			return nil, 0, fmt.Errorf("%v at %d: %w", q, begin, err)
		}
		left += int64(end - begin)
		if result.Status == store.ReadFound && count > 0 {
			body = append(body, result.Bytes...)
			count -= result.Count
			left -= int64(result.Count)
		}
	}
	return body, left, nil
}
