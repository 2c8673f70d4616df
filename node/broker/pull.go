package broker

import (
	"fmt"
	"strings"
	"time"

	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
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
	tags, r := b.admitPull(in, &header)
	if r.code != 0 {
		in.Reply().Error(r.code, r.remark)
		return
	}
	b.progress.pulled(in.Conn, &header)
	p := pullRequest{
		reply: in.Reply(), tags: tags, group: header.ConsumerGroup,
		queue: store.QueueKey{Topic: header.Topic, ID: header.QueueID},
		from:  message.QueueOffset(header.QueueOffset),
		count: min(max(int(header.MaxMessages), 1), b.options.PullMessagesMax),
		bytes: b.options.PullBytesMax,
	}
	if header.MaxBytes > 0 {
		p.bytes = min(p.bytes, int(header.MaxBytes))
	}
	if header.Flags.Has(proto.PullHold) {
		p.holdFor = time.Duration(min(header.HoldForMillis, holdMax.Milliseconds())) * time.Millisecond
		if b.options.NoLongPolling {
			p.holdFor = b.options.ShortPollingFor
		}
	}
	b.answerPull(&p)
}

// admitPull checks a pull in the order of the reference and finds what it filters by. It may wait.
func (b *Broker) admitPull(in *transport.Incoming, header *proto.PullMessage) (tagFilter, refusal) {
	if b.closing {
		return nil, refused(proto.RespServiceNotAvailable, "the broker is shutting down: pull from another one")
	}
	if !b.options.Perm.Readable() {
		return nil, refused(proto.RespNoPermission, "the broker[%s] pulling message is forbidden", b.address)
	}
	group, err := b.findGroup(in, header.ConsumerGroup)
	if err != nil {
		return nil, refused(proto.RespSubscriptionGroupNotExist, "subscription group [%s] does not exist: %v", header.ConsumerGroup, err)
	}
	if !group.ConsumeEnable {
		return nil, refused(proto.RespNoPermission, "subscription group no permission, %s", header.ConsumerGroup)
	}
	topic := b.topics.byName[header.Topic]
	if topic == nil {
		return nil, refused(proto.RespTopicNotExist, "topic[%s] not exist, apply first please!", header.Topic)
	}
	if !topic.Perm.Readable() {
		return nil, refused(proto.RespNoPermission, "the topic[%s] pulling message is forbidden", header.Topic)
	}
	if header.QueueID < 0 || header.QueueID >= topic.ReadQueues {
		return nil, refused(proto.RespInvalidParameter, "queueId[%d] is illegal, topic:[%s] topicConfig.readQueueNums:[%d]", header.QueueID, header.Topic, topic.ReadQueues)
	}
	return b.filterOf(header)
}

// filterOf takes the subscription from the request or from the group's heartbeats.
func (b *Broker) filterOf(header *proto.PullMessage) (tagFilter, refusal) {
	expression, kind := header.Expression, header.ExpressionType
	if !header.Flags.Has(proto.PullSubscription) {
		subscription := b.clients.subscription(header.ConsumerGroup, header.Topic)
		if subscription == nil {
			return nil, refused(proto.RespSubscriptionNotExist, "the consumer's subscription not exist: group %s has no heartbeat that subscribes %s", header.ConsumerGroup, header.Topic)
		}
		if r := b.refuseGroup(header); r.code != 0 {
			return nil, r
		}
		if subscription.Version < header.Version {
			return nil, refused(proto.RespSubscriptionNotLatest, "the consumer's subscription not latest")
		}
		expression, kind = subscription.Expression, subscription.ExpressionType
	}
	if kind != proto.ExpressionTag {
		return nil, refused(proto.RespSystemError, "the broker does not support consumer to filter message by %s", kind)
	}
	return parseTags(expression), refusal{}
}

// refuseGroup answers groups that their settings keep from what their heartbeats say.
func (b *Broker) refuseGroup(header *proto.PullMessage) refusal {
	name := header.ConsumerGroup
	if b.clients.consumers[name].model == proto.Broadcasting && !b.groups.byName[name].ConsumeBroadcastEnable {
		return refused(proto.RespNoPermission, "the consumer group[%s] can not consume by broadcast way", name)
	}
	if !b.groups.mayRead(name, header.Topic) {
		return refused(proto.RespNoPermission, "the consumer group[%s] is forbidden for topic[%s]", name, header.Topic)
	}
	return refusal{}
}

// tagFilter is the set of tag hashes that a consumer wants; nil wants all. The broker compares hashes only: the client compares the tags
// themselves.
type tagFilter map[int64]struct{}

// parseTags reads "*", "", or tags joined by "||".
func parseTags(expression string) tagFilter {
	expression = strings.TrimSpace(expression)
	if expression == "" || expression == proto.SubscribeAll {
		return nil
	}
	filter := tagFilter{}
	for _, tag := range strings.Split(expression, "||") {
		if tag = strings.TrimSpace(tag); tag != "" {
			filter[message.TagHash([]byte(tag))] = struct{}{}
		}
	}
	return filter
}

func (f tagFilter) matches(hash int64) bool {
	_, ok := f[hash]
	return ok
}

// pullRequest is a pull that was admitted.
type pullRequest struct {
	reply   transport.Reply
	queue   store.QueueKey
	from    message.QueueOffset
	count   int
	bytes   int
	tags    tagFilter
	group   string
	holdFor time.Duration // 0: answer at once
}

// answerPull reads and answers, or holds the pull. It waits for the disk.
func (b *Broker) answerPull(p *pullRequest) {
	if b.progress.redirect(p) {
		return
	}
	request := store.ReadRequest{Queue: p.queue, From: p.from, CountMax: p.count, BytesMax: p.bytes}
	if p.tags != nil {
		request.Matches = p.tags.matches
	}
	buffer := b.takeBuffer()
	resume := p.reply.Conn().BeginWait()
	result, err := b.store.Read(request, buffer)
	p.reply.Conn().EndWait(resume)
	if err != nil {
		b.giveBuffer(buffer)
		p.reply.Error(proto.RespSystemError, fmt.Sprintf("queue %s at %d: %v", p.queue, p.from, err))
		return
	}
	code := pullCode(result.Status, p.from)
	if mayHold(result.Status, code) && p.holdFor > 0 && b.waiting.hold(p) {
		b.giveBuffer(buffer)
		return
	}
	header := &proto.PullMessageResponse{
		SuggestedBrokerID: b.suggestBroker(p.group, result.Cold),
		Next:              int64(result.Next), Min: int64(result.Min), Max: int64(result.Max),
	}
	if result.Status != store.ReadFound {
		b.giveBuffer(buffer)
		p.reply.SendFields(code, result.Status.String(), header, nil, nil)
		return
	}
	b.stats.pulled += int64(result.Count)
	b.stats.pulledBytes += int64(len(result.Bytes))
	body := result.Bytes
	p.reply.SendDetached(code, result.Status.String(), header, body, func() { b.giveBuffer(body) })
}

// suggestBroker is whom a group should pull from next: this broker, unless it reads what is not in memory any more and there may be
// slaves that serve it. A client that knows no such slave stays.
func (b *Broker) suggestBroker(name string, cold bool) int64 {
	group := b.groups.byName[name]
	if !cold || !b.options.SlaveRead || group == nil {
		return proto.MasterID
	}
	return group.WhichBrokerWhenConsumeSlowly
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
