package broker

import (
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// pull handles PULL_MESSAGE and LITE_PULL_MESSAGE (class PullMessageProcessor).
//
// Answers: success with records; pull not found; pull retry immediately; pull offset moved; and the
// refusals of admitPull.
func (b *Broker) pull(in *transport.Incoming) {
	var header proto.PullMessage
	if !decode(in, &header) {
		return
	}
	rights := b.guard.Generation()
	wanted, r := b.admitPull(in, &header)
	if r.code != 0 {
		refusePull(in.Reply(), r)
		return
	}
	if b.slave == nil {
		b.progress.pulled(in.Conn, &header)
	}
	p := pullRequest{
		rights: rights,
		reply:  in.Reply(), compiled: wanted, group: header.ConsumerGroup,
		queue: store.QueueKey{Topic: header.Topic, ID: header.QueueID},
		from:  message.QueueOffset(header.QueueOffset),
		asked: message.QueueOffset(header.QueueOffset),
		count: min(max(int(header.MaxMessages), 1), b.options.PullMessagesMax),
		bytes: b.options.PullBytesMax,
	}
	if header.MaxBytes > 0 {
		p.bytes = min(p.bytes, int(header.MaxBytes))
	}
	if header.Flags.Has(proto.PullHold) {
		hold := time.Duration(min(max(header.HoldForMillis, 0), holdMax.Milliseconds())) * time.Millisecond
		if b.options.NoLongPolling {
			hold = b.options.ShortPollingFor
		}
		p.holdUntil = b.env.Clock.Now().Add(hold)
	}
	b.answerPull(&p)
}

// admitPull checks a pull in the order of the reference and finds what it filters by. It may wait.
func (b *Broker) admitPull(in *transport.Incoming, header *proto.PullMessage) (*compiled, refusal) {
	if b.closing {
		return nil, refused(proto.RespServiceNotAvailable, "the broker is shutting down: pull from another one")
	}
	if b.slave != nil && !b.options.SlaveRead {
		return nil, refused(proto.RespSystemBusy, "this broker is a slave, and slaveReadEnable is false: pull from the master")
	}
	if !b.options.Perm.Readable() {
		return nil, forbids(proto.ForbiddenBroker, "the broker[%s] pulling message is forbidden", b.address)
	}
	group, err := b.findGroup(in, header.ConsumerGroup)
	if err != nil {
		return nil, refused(proto.RespSubscriptionGroupNotExist, "subscription group [%s] does not exist: %v", header.ConsumerGroup, err)
	}
	if r := b.refuseQueue(group, store.QueueKey{Topic: header.Topic, ID: header.QueueID}); r.code != 0 {
		return nil, r
	}
	return b.wantedBy(in, header)
}

// refuseQueue answers a group that must not pull from a queue, or a queue that there is not.
func (b *Broker) refuseQueue(group *groupConfig, queue store.QueueKey) refusal {
	if !group.ConsumeEnable {
		return forbids(proto.ForbiddenGroup, "subscription group no permission, %s", group.Name)
	}
	switch topic := b.topics.byName[queue.Topic]; {
	case topic == nil:
		return refused(proto.RespTopicNotExist, "topic[%s] not exist, apply first please!", queue.Topic)
	case queue.Topic == proto.HalfTopic:
		return forbids(proto.ForbiddenTopic, "the topic[%s] has messages of transactions that are not committed, and nobody consumes those", queue.Topic)
	case !topic.Perm.Readable():
		return forbids(proto.ForbiddenTopic, "the topic[%s] pulling message is forbidden", queue.Topic)
	case queue.ID < 0 || queue.ID >= topic.ReadQueues:
		return refused(proto.RespInvalidParameter, "queueId[%d] is illegal, topic:[%s] topicConfig.readQueueNums:[%d]", queue.ID, queue.Topic, topic.ReadQueues)
	}
	return b.refuseGroup(group, queue.Topic)
}

// refuseAgain is for a pull that has waited: its group or its topic may be gone meanwhile, or closed to it.
func (b *Broker) refuseAgain(p *pullRequest) refusal {
	group := b.groups.byName[p.group]
	if group == nil {
		return refused(proto.RespSubscriptionGroupNotExist, "subscription group [%s] does not exist: it was deleted while the pull was held", p.group)
	}
	return b.refuseQueue(group, p.queue)
}

// wantedBy takes the subscription from the request, if it carries one, or from what heartbeats have said. It may wait.
func (b *Broker) wantedBy(in *transport.Incoming, header *proto.PullMessage) (*compiled, refusal) {
	wanted := expression{header.ExpressionType, header.Expression}
	subscription := b.clients.subscription(header.ConsumerGroup, header.Topic, in.Conn)
	switch {
	case !header.Flags.Has(proto.PullSubscription):
		if r := b.refuseSubscriber(header, subscription); r.code != 0 {
			return nil, r
		}
		wanted = expressionOf(subscription)
	case subscription != nil && header.ExpressionType == proto.ExpressionTag && subscription.Expression == header.Expression:
		// The Go client calls every expression of a pull TAG. Its heartbeats know better.
		wanted = expressionOf(subscription)
	}
	return b.refuseFilter(in, wanted)
}

// refuseSubscriber checks a pull that relies on heartbeats.
func (b *Broker) refuseSubscriber(header *proto.PullMessage, subscription *proto.SubscriptionData) refusal {
	if subscription == nil {
		return refused(proto.RespSubscriptionNotExist, "the consumer's subscription not exist: group %s has no heartbeat that subscribes %s", header.ConsumerGroup, header.Topic)
	}
	if subscription.Version < header.Version {
		return refused(proto.RespSubscriptionNotLatest, "the consumer's subscription not latest")
	}
	return refusal{}
}

// refuseGroup answers groups that their settings keep from what they want.
func (b *Broker) refuseGroup(group *groupConfig, topic string) refusal {
	members := b.clients.consumers[group.Name]
	if members != nil && members.model == proto.Broadcasting && !group.ConsumeBroadcastEnable {
		return forbids(proto.ForbiddenBroadcast, "the consumer group[%s] can not consume by broadcast way", group.Name)
	}
	if !b.groups.mayRead(group.Name, topic) {
		return forbids(proto.ForbiddenSubscription, "the consumer group[%s] is forbidden for topic[%s]", group.Name, topic)
	}
	return refusal{}
}

// forbids is a refusal for want of a permission; kind, one of the Forbidden constants, says which.
func forbids(kind int32, format string, args ...any) refusal {
	r := refused(proto.RespNoPermission, format, args...)
	r.forbidden = kind
	return r
}

// refusePull answers a pull with what it is refused for.
func refusePull(reply transport.Reply, r refusal) {
	var fields wire.Fields
	if r.forbidden != 0 {
		fields.Add("forbiddenType", strconv.Itoa(int(r.forbidden)))
	}
	reply.SendFields(r.code, r.remark, nil, fields, nil)
}

// pullRequest is a pull that was admitted.
type pullRequest struct {
	*compiled // what it filters by
	reply     transport.Reply
	queue     store.QueueKey
	// from is where to read on. It is behind asked, which is where the client is, when messages came while the pull was held and none
	// of them matched.
	from, asked message.QueueOffset
	count       int
	bytes       int
	group       string
	holdUntil   env.Instant // when it is answered whatever there is; 0: at once
	held        bool        // it was held already
	rights      uint64      // the generation of the rules that have admitted it
}

// answerPull reads and answers, or holds the pull. It waits for the disk.
func (b *Broker) answerPull(p *pullRequest) {
	if p.held {
		if r := b.refuseAgain(p); r.code != 0 {
			refusePull(p.reply, r)
			return
		}
	}
	if b.mustAskAgain(p) || b.progress.redirect(p) {
		return
	}
	buffer, began := b.takeBuffer(), b.env.Clock.Now()
	resume := p.reply.Conn().BeginWait()
	result, err := b.read(p, buffer)
	p.reply.Conn().EndWait(resume)
	if b.mustAskAgain(p) || b.progress.redirect(p) {
		// The group was reset, or rights have changed, while this pull read. Were it held now, it would not hear of that for long.
		b.giveBuffer(buffer)
		return
	}
	if err != nil {
		b.giveBuffer(buffer)
		p.reply.Error(proto.RespSystemError, fmt.Sprintf("queue %s at %d: %v", p.queue, p.from, err))
		return
	}
	b.countPull(p, began, &result)
	if b.holds(p, &result) {
		b.giveBuffer(buffer)
		return
	}
	if result.Status == store.ReadOffsetOverflowOne && p.from > p.asked {
		// The client must hear that it is further than it knows.
		result.Status = store.ReadNoMatchedMessage
	}
	suggested := b.suggestBroker(p.group, result.Cold)
	code := pullCode(result.Status, p.from)
	if b.slave != nil {
		code = b.slaveCode(code, suggested)
	}
	if code != proto.RespSuccess && !b.proven() {
		// There may be more messages, at another master.
		b.giveBuffer(buffer)
		p.reply.Error(proto.RespSystemBusy, errUnproven.Error())
		return
	}
	header := &proto.PullMessageResponse{
		SuggestedBrokerID: suggested,
		Next:              int64(result.Next), Min: int64(result.Min), Max: int64(result.Max),
	}
	if b.slave != nil && result.Status != store.ReadFound {
		header.Next = max(header.Next, int64(p.from))
	}
	header.TopicSysFlags, header.GroupSysFlags = b.sysFlags(p)
	if result.Status != store.ReadFound {
		b.giveBuffer(buffer)
		p.reply.SendFields(code, result.Status.String(), header, nil, nil)
		return
	}
	body := result.Bytes
	p.reply.SendDetached(code, result.Status.String(), header, body, func() { b.giveBuffer(body) })
}

func (b *Broker) countPull(p *pullRequest, began env.Instant, result *store.ReadResult) {
	now := b.env.Clock.Now()
	b.measures.pulls.Observe(int64(now.Sub(began)))
	if result.Status != store.ReadFound {
		b.stats.missed.add(now, amounts{calls: 1})
		return
	}
	b.stats.pulled(groupQueue{p.group, p.queue.Topic, p.queue.ID}, now, int64(result.Count), int64(len(result.Bytes)), now.Sub(began))
}

// holds keeps a pull that found nothing, if it has time left. One that was held before stays so when what woke it does not
// match; at its first try the client is told where to go on.
func (b *Broker) holds(p *pullRequest, result *store.ReadResult) bool {
	if p.holdUntil <= b.env.Clock.Now() || b.refuseAgain(p).code != 0 {
		// In the second case it was refused while this pull read: its next one hears why.
		return false
	}
	switch _, end := b.store.Bounds(p.queue); {
	case b.slave != nil && b.slave.connected && b.suggestBroker(p.group, result.Cold) != b.options.ID:
		return false // it goes to the master
	case b.slave != nil && result.Status == store.ReadOffsetOverflowBadly:
	case mayHold(result.Status, pullCode(result.Status, p.from)):
	case p.held && result.Status == store.ReadNoMatchedMessage && result.Next == end:
		// Otherwise a message has come since, or there was too much to look at.
		p.from = result.Next
	default:
		return false
	}
	return b.waiting.hold(p)
}

// suggestBroker is whom a group should pull from next, if slaves may serve reads: for what is not in memory any more the one that its settings
// name for that, and otherwise the one that they name. A client that knows no such broker stays.
func (b *Broker) suggestBroker(name string, cold bool) int64 {
	group := b.groups.byName[name]
	switch {
	case b.slave != nil && !b.slave.connected:
		return b.options.ID // the master is gone
	case !b.options.SlaveRead || group == nil:
		return proto.MasterID
	case cold:
		return group.WhichBrokerWhenConsumeSlowly
	}
	return group.BrokerID
}

// slaveCode is what a slave answers instead of a code. While its master is there, who is to read from that goes there at once, unless there are messages. A slave may lack
// what a consumer has had from the master: that is no reason to go back.
func (b *Broker) slaveCode(code int32, suggested int64) int32 {
	switch {
	case code == proto.RespSuccess:
	case suggested != b.options.ID:
		return proto.RespPullRetryImmediately
	case code == proto.RespPullOffsetMoved:
		return proto.RespPullNotFound
	}
	return code
}

// sysFlags are those of the topic and the group of a pull, 0 where one is gone meanwhile.
func (b *Broker) sysFlags(p *pullRequest) (topic, group int32) {
	if t := b.topics.byName[p.queue.Topic]; t != nil {
		topic = int32(t.SysFlags)
	}
	if g := b.groups.byName[p.group]; g != nil {
		group = g.SysFlags
	}
	return topic, group
}

// mayHold reports whether a pull waits for the next message. One whose file was removed meanwhile goes on elsewhere at once.
func mayHold(status store.ReadStatus, code int32) bool {
	return code == proto.RespPullNotFound && status != store.ReadOffsetFoundNull
}

// pullCode is the response code of a read's outcome.
func pullCode(status store.ReadStatus, from message.QueueOffset) int32 {
	switch status {
	case store.ReadFound:
		return proto.RespSuccess
	case store.ReadNoMatchedMessage, store.ReadMessageWasRemoving:
		return proto.RespPullRetryImmediately
	case store.ReadOffsetFoundNull, store.ReadOffsetOverflowOne:
		return proto.RespPullNotFound
	case store.ReadNoMatchedLogicQueue, store.ReadNoMessageInQueue:
		if from == 0 {
			return proto.RespPullNotFound
		}
	}
	return proto.RespPullOffsetMoved
}

// Buffers for pull answers are used again once they are written.

const (
	pullBuffersMax = 64
	pullBufferSize = 64 << 10
)

func (b *Broker) takeBuffer() []byte {
	if n := len(b.pullFree); n > 0 {
		buffer := b.pullFree[n-1]
		b.pullFree = b.pullFree[:n-1]
		return buffer
	}
	return make([]byte, 0, pullBufferSize)
}

func (b *Broker) giveBuffer(buffer []byte) {
	if cap(buffer) >= pullBufferSize && cap(buffer) <= 1<<20 && len(b.pullFree) < pullBuffersMax {
		b.pullFree = append(b.pullFree, buffer[:0])
	}
}
