package broker

import (
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// Bounds of pops.
const (
	popMessagesMax  = 32             // of one pop
	invisibleMax    = 12 * time.Hour // of one pop: the time for which the gRPC proxy lets messages be hidden
	popDeliveries   = 16             // redeliveries if the group says nothing of its own (retryMaxTimes)
	popRetryPercent = 20             // of pops try the retry topics first (popFromRetryProbability)
)

// popRequest is a pop that was admitted, or a question whether there is something to pop.
type popRequest struct {
	*compiled // what it filters by
	reply     transport.Reply
	group     *groupConfig
	topic     string
	queueID   int32 // -1: all
	count     int
	invisible int64 // milliseconds
	fromMax   bool  // a group without offsets begins at the newest message
	ordered   bool
	attempt   string
	holdUntil env.Instant
	held      bool   // it was held already
	asks      bool   // NOTIFICATION: it takes nothing
	advanced  bool   // its last attempt has passed over messages
	rights    uint64 // the generation of the rules that have admitted it
}

// String shows who pops what.
func (p *popRequest) String() string { return p.group.Name + " pops " + p.topic }

// pop handles POP_MESSAGE (class PopMessageProcessor): messages for a group, hidden from its other members for a while.
//
// Answers: success with records; polling timeout if there was nothing for as long as the client waits; polling full; and the refusals of a pull. The
// time that the client says it is (bornTime) is not looked at: a clock that is wrong must not keep it from its messages.
func (b *Broker) pop(in *transport.Incoming) {
	var h proto.PopMessage
	if !decode(in, &h) {
		return
	}
	p, r := b.admitPop(in, &h)
	if r.code != 0 {
		refusePull(in.Reply(), r)
		return
	}
	b.pops.answer(p)
}

// admitPop checks a pop. It may wait.
func (b *Broker) admitPop(in *transport.Incoming, h *proto.PopMessage) (*popRequest, refusal) {
	switch {
	case h.MaxMessages < 1 || h.MaxMessages > popMessagesMax:
		return nil, refused(proto.RespInvalidParameter, "maxMsgNums: %d: a pop takes 1 to %d messages", h.MaxMessages, popMessagesMax)
	case h.InvisibleMillis < 1 || h.InvisibleMillis > invisibleMax.Milliseconds():
		return nil, refused(proto.RespInvalidParameter, "invisibleTime: %d ms: it must be 1 to %d", h.InvisibleMillis, invisibleMax.Milliseconds())
	case h.From != proto.PopFromMin && h.From != proto.PopFromMax:
		return nil, refused(proto.RespInvalidParameter, "initMode: %d: it is %d (the oldest message) or %d (the newest)", h.From, proto.PopFromMin, proto.PopFromMax)
	}
	p, r := b.admitPopper(in, h.ConsumerGroup, h.Topic, h.QueueID, h.HoldForMillis)
	if r.code != 0 {
		return nil, r
	}
	p.count, p.invisible, p.fromMax = int(h.MaxMessages), h.InvisibleMillis, h.From == proto.PopFromMax
	p.ordered, p.attempt = h.Ordered, h.AttemptID
	wanted := expression{proto.ExpressionTag, h.Expression}
	if h.ExpressionType != "" {
		wanted.kind = h.ExpressionType
	}
	p.compiled, r = b.refuseFilter(in, wanted)
	return p, r
}

// admitPopper checks who pops, peeks or asks for messages, and where. It may wait.
func (b *Broker) admitPopper(in *transport.Incoming, name, topic string, queueID int32, holdMillis int64) (*popRequest, refusal) {
	rights := b.guard.Generation()
	if b.closing {
		return nil, refused(proto.RespServiceNotAvailable, "the broker is shutting down: pop from another one")
	}
	if !b.options.Perm.Readable() {
		return nil, forbids(proto.ForbiddenBroker, "the broker[%s] pop message is forbidden", b.address)
	}
	group, err := b.findGroup(in, name)
	if err != nil {
		return nil, refused(proto.RespSubscriptionGroupNotExist, "subscription group [%s] does not exist: %v", name, err)
	}
	if queueID < -1 {
		return nil, refused(proto.RespInvalidParameter, "queueId[%d] is illegal: -1 means all queues", queueID)
	}
	hold := time.Duration(min(max(holdMillis, 0), holdMax.Milliseconds())) * time.Millisecond
	if b.options.NoLongPolling {
		hold = min(hold, b.options.ShortPollingFor)
	}
	p := &popRequest{reply: in.Reply(), group: group, topic: topic, queueID: queueID, holdUntil: b.env.Clock.Now().Add(hold), rights: rights}
	return p, b.refusePop(p)
}

// refusePop answers a group that must not have messages of a topic, or a topic or a queue that there is not.
func (b *Broker) refusePop(p *popRequest) refusal {
	group := b.groups.byName[p.group.Name]
	if group == nil {
		return refused(proto.RespSubscriptionGroupNotExist, "subscription group [%s] does not exist", p.group.Name)
	}
	p.group = group
	switch {
	case b.topics.inBatches(p.topic):
		return refused(proto.RespSystemError, "topic[%s] has batches that are stored as one record (queue.type=BatchCQ): its messages cannot be popped one by one, pull them", p.topic)
	case proto.IsWaitingTopic(p.topic):
		return forbids(proto.ForbiddenTopic, "the topic[%s] has what waits, and nobody pops that", p.topic)
	}
	return b.refuseQueue(group, store.QueueKey{Topic: p.topic, ID: max(p.queueID, 0)})
}

// answer takes messages and answers with them, or holds the pop. It waits for the disk.
func (t *pops) answer(p *popRequest) {
	if t.attempt(p) {
		return
	}
	switch {
	case p.holdUntil.Reached(t.broker.env.Clock.Now()), t.broker.closing:
		p.foundNothing()
	case !t.held.hold(p):
		p.tooMany()
	}
}

// foundNothing answers that there was nothing for as long as the client waits.
func (p *popRequest) foundNothing() {
	if p.asks {
		p.reply.Send(proto.RespSuccess, &proto.NotificationResponse{}, nil)
		return
	}
	p.reply.Error(proto.RespPollingTimeout, "no message found")
}

// tooMany answers that the broker holds too many already.
func (p *popRequest) tooMany() {
	if p.asks {
		p.reply.Send(proto.RespSuccess, &proto.NotificationResponse{PollingFull: true}, nil)
		return
	}
	p.reply.Error(proto.RespPollingFull, "polling full: too many pops wait (popPollingSize, maxPopPollingSize)")
}

// attempt answers a pop if there is something for it, or it is refused. Otherwise nobody has been answered. It waits for the disk.
func (t *pops) attempt(p *popRequest) bool {
	if t.turnedAway(p) {
		return true
	}
	if p.asks {
		return t.tell(p)
	}
	resume := p.reply.Conn().BeginWait()
	taken, err := t.take(p)
	p.reply.Conn().EndWait(resume)
	answered := t.handOut(p, taken, err)
	for _, q := range taken.locked {
		t.unlock(q)
	}
	return answered
}

// handOut notes what was taken, and answers once that is stored. It does not wait, from its decision on who has the messages to the append of the
// event that says so.
func (t *pops) handOut(p *popRequest, taken *taking, err error) bool {
	b := t.broker
	if t.turnedAway(p) {
		return true
	}
	taken.settle(t.state)
	if taken.count == 0 && err != nil {
		p.reply.Error(proto.RespSystemError, err.Error())
		return true
	}
	event := &inflight.Popped{
		Group: p.group.Name, At: max(int64(b.env.Clock.Wall()), t.state.Latest()+1), InvisibleMillis: p.invisible, Parts: taken.parts(),
	}
	if p.ordered {
		event.Attempt = p.attempt
	}
	p.advanced = len(event.Parts) > 0
	if !p.advanced {
		return false
	}
	var failed refusal
	done := func(stored bool, r refusal) {
		if failed = r; !stored {
			t.held.cannotPass(popKey{p.group.Name, p.topic})
		}
	}
	if taken.count > 0 {
		body, header := taken.answer(event, p)
		done = func(stored bool, r refusal) {
			if !stored {
				p.reply.Error(r.code, r.remark)
				return
			}
			p.reply.SendDetached(proto.RespSuccess, "FOUND", header, body, func() {})
		}
	}
	t.store(event, t.state.Pop(event, t.now()), done)
	if p.held {
		b.store.Kick()
	}
	taken.counted(b, p)
	if failed.code != 0 {
		// Held, it would try again and again.
		p.reply.Error(failed.code, failed.remark)
	}
	return taken.count > 0 || failed.code != 0
}

// turnedAway answers a pop that may not be answered with messages any more, however far it has come: it was admitted, or held, and has waited since.
func (t *pops) turnedAway(p *popRequest) bool {
	b := t.broker
	r := b.refusePop(p)
	switch {
	case p.reply.Conn().Closed():
		// The messages would be hidden from the others, and nobody has them.
	case r.code != 0:
		refusePull(p.reply, r)
	case p.rights != b.guard.Generation():
		// Who still may pops again.
		p.foundNothing()
	default:
		return false
	}
	return true
}
