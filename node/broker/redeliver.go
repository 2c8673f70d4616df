package broker

import (
	"strconv"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// retryLevelMin is the delay level of a first redelivery for which nobody has asked for another one.
const retryLevelMin = 3

// deadLetterQueues is the number of queues of a dead-letter topic (DLQ_NUMS_PER_GROUP).
const deadLetterQueues = 1

// sendBack handles CONSUMER_SEND_MSG_BACK: a consumer could not consume a message. A copy waits for its delay level and then goes to the retry
// topic of the group, or at once to the group's dead letters if it was delivered too often.
//
// Answers: success if the copy is as durable as the store's flush mode promises; group not exist; no permission; system error, after which
// the copy may be stored.
func (b *Broker) sendBack(in *transport.Incoming) {
	var header proto.ConsumerSendMessageBack
	if !decode(in, &header) {
		return
	}
	group, r := b.admitSendBack(in, &header)
	if group == nil {
		in.Reply().Error(r.code, r.remark)
		return
	}
	if group.RetryQueues <= 0 {
		in.Reply().Success(nil)
		return
	}
	original, r := b.original(in, header.LogOffset)
	if r.code != 0 {
		in.Reply().Error(r.code, r.remark)
		return
	}
	if !b.mayConsume(in, original) {
		return
	}
	copied := b.redelivery(original)
	dead := header.DelayLevel < 0 || original.Redeliveries >= redeliveriesMax(group, in.Command.Version, header.RedeliveriesMax)
	if r := b.prepareRedelivery(in, group, dead); r.code != 0 {
		in.Reply().Error(r.code, r.remark)
		return
	}
	b.place(&copied, original, group, dead, int(header.DelayLevel))
	done := &redeliveryDone{b, in.Reply(), group.Name, originalTopic(original, message.ParseProperties(original.Properties)), dead}
	b.store.Append(store.QueueKey{Topic: string(copied.Topic), ID: copied.QueueID}, []message.Record{copied}, done)
}

// redeliveryDone answers a send-back. Only what is stored for sure is a success: after anything else the client sends a copy itself.
type redeliveryDone struct {
	broker       *Broker
	reply        transport.Reply
	group, topic string
	dead         bool
}

// Appended answers.
func (d *redeliveryDone) Appended(result store.AppendResult) {
	if result.Status == store.AppendOK {
		d.broker.stats.cameBack(d.group, d.topic, d.broker.env.Clock.Now(), d.dead)
		d.reply.Success(nil)
		return
	}
	d.reply.Error(proto.RespSystemError, result.Status.String()+": "+result.Reason)
}

func (b *Broker) admitSendBack(in *transport.Incoming, header *proto.ConsumerSendMessageBack) (*groupConfig, refusal) {
	if b.closing {
		return nil, refused(proto.RespServiceNotAvailable, "the broker is shutting down")
	}
	group, err := b.findGroup(in, header.Group)
	if err != nil {
		return nil, refused(proto.RespSubscriptionGroupNotExist, "subscription group not exist, %s: %v", header.Group, err)
	}
	if !b.options.Perm.Writable() {
		return nil, refused(proto.RespNoPermission, "the broker[%s] sending message is forbidden", b.address)
	}
	return group, refusal{}
}

// original reads the message that comes back. It waits for the disk.
func (b *Broker) original(in *transport.Incoming, at int64) (original *message.Record, r refusal) {
	var raw []byte
	var err error
	b.await(in, func() { raw, err = b.store.RecordBytes(message.LogOffset(at)) })
	if err != nil {
		return nil, refused(proto.RespSystemError, "look message by offset failed, %d: %v", at, err)
	}
	original = &message.Record{}
	if _, err := message.DecodeRecord(raw, original, false); err != nil {
		return nil, refused(proto.RespSystemError, "look message by offset failed, %d: %v", at, err)
	}
	if proto.IsWaitingTopic(string(original.Topic)) {
		return nil, refused(proto.RespMessageIllegal, "the message at %d waits in %s, where nobody has consumed it: only what was consumed can come back", at, original.Topic)
	}
	if original.SysFlags.InnerBatch() {
		return nil, refused(proto.RespMessageIllegal, "the message at %d is one of a batch that is stored as one record (queue.type=BatchCQ): such messages cannot come back one by one", at)
	}
	return original, refusal{}
}

// redeliveriesMax is how often a message may be redelivered: newer clients say it themselves.
func redeliveriesMax(group *groupConfig, version int32, asked proto.Maybe[int32]) int32 {
	if asked.Set && version >= wire.V3_4_9 {
		return asked.Value
	}
	return group.RetryMaxTimes
}

// prepareRedelivery makes the topic that takes the copy, if it does not exist. It may wait.
func (b *Broker) prepareRedelivery(in *transport.Incoming, group *groupConfig, dead bool) refusal {
	topic := proto.NewTopicConfig(proto.RetryTopic(group.Name))
	topic.ReadQueues, topic.WriteQueues = group.RetryQueues, group.RetryQueues
	if dead {
		topic = proto.NewTopicConfig(proto.DeadLetterTopic(group.Name))
		topic.ReadQueues, topic.WriteQueues = deadLetterQueues, deadLetterQueues
	}
	known := b.topics.byName[topic.Name]
	if known == nil {
		var err error
		b.await(in, func() { err = b.topics.add(topic) })
		if err != nil {
			return refused(proto.RespSystemError, "topic[%s] not exist and cannot be made: %v", topic.Name, err)
		}
		known = &topic
	}
	if !known.Perm.Writable() {
		return refused(proto.RespNoPermission, "the topic[%s] sending message is forbidden", topic.Name)
	}
	return refusal{}
}

// redelivery is the copy, without a place.
func (b *Broker) redelivery(original *message.Record) message.Record {
	r := *original
	r.Redeliveries++
	r.StoreHost, r.PreparedAt = b.address, 0
	r.SysFlags = r.SysFlags.WithTransaction(message.TransactionNone)
	return r
}

// place says where the copy goes.
func (b *Broker) place(r, original *message.Record, group *groupConfig, dead bool, level int) {
	properties := message.ParseProperties(original.Properties)
	// The copy is nothing that a producer has sent.
	properties.Delete(message.PropertySent)
	if _, known := properties.Lookup(message.PropertyRetryTopic); !known {
		properties.Set(message.PropertyRetryTopic, string(original.Topic))
	}
	if _, known := properties.Lookup(message.PropertyOriginOffsetID); !known {
		properties.Set(message.PropertyOriginOffsetID, original.OffsetID().String())
	}
	for _, name := range delayProperties {
		properties.Delete(name)
	}
	if dead {
		b.toDeadLetters(r, &properties, group.Name)
		return
	}
	name := proto.RetryTopic(group.Name)
	queues := group.RetryQueues
	if topic := b.topics.byName[name]; topic != nil {
		// A client or a tool may have made it, with fewer queues.
		queues = min(queues, max(topic.ReadQueues, 1))
	}
	r.Topic, r.QueueID = []byte(name), int32(env.IntN(b.env.Rand, int(queues)))
	if level == 0 {
		level = retryLevelMin + int(original.Redeliveries)
	}
	b.delays.retarget(r, properties, level)
}

// toDeadLetters makes a record a dead letter of a group.
func (b *Broker) toDeadLetters(r *message.Record, properties *message.Properties, group string) {
	properties.Set(message.PropertyDeadLetterOriginTopic, originalTopic(r, *properties))
	properties.Set(message.PropertyDeadLetterOriginOffsetID, properties.Get(message.PropertyOriginOffsetID))
	r.Topic, r.QueueID = []byte(proto.DeadLetterTopic(group)), 0
	r.Properties = encodeProperties(*properties)
}

func originalTopic(r *message.Record, properties message.Properties) string {
	if topic, known := properties.Lookup(message.PropertyRetryTopic); known {
		return topic
	}
	return string(r.Topic)
}

// encodeProperties encodes properties of a record for another one, which gets a checksum of its own. Those that were added may make them
// too long, which the store refuses.
func encodeProperties(properties message.Properties) []byte {
	var encoded []byte
	for _, p := range properties {
		if p.Name == message.PropertyRecordChecksum {
			continue
		}
		encoded = append(encoded, p.Name...)
		encoded = append(encoded, 1)
		encoded = append(encoded, p.Value...)
		encoded = append(encoded, 2)
	}
	return encoded
}

// retarget makes a record wait: in the queue of its level, with the place where it is meant to go in its properties. A level
// beyond the last one counts as the last one.
func (d *delays) retarget(r *message.Record, properties message.Properties, level int) {
	level = min(level, len(d.broker.options.Store.DelayLevels))
	properties.Set(message.PropertyDelayLevel, strconv.Itoa(level))
	properties.Set(message.PropertyRealTopic, string(r.Topic))
	properties.Set(message.PropertyRealQueueID, strconv.Itoa(int(r.QueueID)))
	r.Topic, r.QueueID = []byte(proto.DelayTopic), int32(level-1)
	r.Properties = encodeProperties(properties)
}
