package broker

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// send handles SEND_MESSAGE, SEND_MESSAGE_V2 and SEND_BATCH_MESSAGE (class SendMessageProcessor).
//
// Answers: success; flush timed out (the message is stored); system busy and service not
// available (nothing is stored: send again, elsewhere); message illegal; no permission; topic not
// exist; invalid parameter; system error (the message may be stored).
func (b *Broker) send(in *transport.Incoming) {
	var header proto.SendMessage
	if err := proto.DecodeSendMessage(in.Command.Code, in.Command.Fields, &header); err != nil {
		b.refuse(in, refused(proto.RespInvalidParameter, "%v", err))
		return
	}
	topic, refusal := b.admitSend(in, &header)
	if topic == nil || refusal.code != 0 {
		b.refuse(in, refusal)
		return
	}
	// admitSend may have waited; from here to Append nothing does.
	batch := header.Batch || in.Command.Code == proto.ReqSendBatchMessage
	claim, over := b.repeats.admit(in, &header, recordsOf(in.Command.Body, &header, topic, batch))
	if over {
		return
	}
	if len(claim.stored) > 0 {
		// What a crash has left of a batch stays together, wherever this try was sent.
		header.QueueID = claim.stored[0].QueueID
	}
	b.stamp = claim.first
	records, refusal := b.buildRecords(in, &header, topic, batch)
	b.stamp.Sequence = 0
	if refusal.code != 0 {
		b.refuse(in, refusal)
		return
	}
	done := b.newSendDone(in.Reply(), header.QueueID)
	unique, _ := message.PropertyBytes(records[0].Properties, message.PropertyUniqueID)
	done.unique = append(done.unique[:0], unique...)
	records = records[len(claim.stored):]
	done.inner = records[0].SysFlags.InnerBatch()
	done.recall = b.recallHandleOf(done.recall[:0], &records[0])
	key := store.QueueKey{Topic: string(records[0].Topic), ID: records[0].QueueID}
	done.flows, done.arrived, done.bytes = b.stats.sendsTo(key, in.Arrived), in.Arrived, recordBytes(records)
	done.counts, done.retried = b.measures.sends(&header, records), proto.IsRetryTopic(header.Topic)
	b.repeats.begin(done, &claim, records)
	b.store.Append(key, records, done)
}

// checksumBytes is what the store adds to the properties of a record: a name, ten digits and their ends.
const checksumBytes = len(message.PropertyRecordChecksum) + 12

// recordBytes is what records take in the log. The store refuses those that have no size.
func recordBytes(records []message.Record) (bytes int64) {
	for i := range records {
		size, _ := records[i].Size()
		bytes += int64(size + checksumBytes)
	}
	return bytes
}

// refusal is an answer that is not success.
type refusal struct {
	code      int32
	remark    string
	forbidden int32 // of pulls without a permission, one of the Forbidden constants
}

func refused(code int32, format string, args ...any) refusal {
	return refusal{code: code, remark: fmt.Sprintf(format, args...)}
}

func (b *Broker) refuse(in *transport.Incoming, r refusal) {
	b.stats.sendRefused(in.Reply())
	in.Reply().Error(r.code, r.remark)
}

// admitSend checks the topic in the order of the reference, makes it where that is allowed, and settles the
// queue. It may wait.
func (b *Broker) admitSend(in *transport.Incoming, header *proto.SendMessage) (*proto.TopicConfig, refusal) {
	if b.closing || b.leaving {
		return nil, refused(proto.RespServiceNotAvailable, "the broker is shutting down: send to another one")
	}
	if err := b.copies.enough(); err != nil {
		return nil, refused(proto.RespSystemError, "%v", err)
	}
	topic := b.topics.byName[header.Topic]
	if !b.options.Perm.Writable() && topic != nil && topic.Ordered {
		return nil, refused(proto.RespNoPermission, "the broker[%s] sending message is forbidden", b.address)
	}
	if err := proto.ValidateTopic(header.Topic); err != nil {
		return nil, refused(proto.RespInvalidParameter, "%v", err)
	}
	if !proto.MaySendTo(header.Topic) {
		return nil, refused(proto.RespNoPermission, "Sending message to topic[%s] is forbidden.", header.Topic)
	}
	if topic == nil {
		var made *proto.TopicConfig
		var err error
		b.await(in, func() {
			made, err = b.topics.create(header.Topic, header.DefaultTopic, header.DefaultQueues, header.UnitMode)
		})
		if err != nil {
			return nil, refused(proto.RespSystemError, "%v", err)
		}
		if made == nil {
			return nil, refused(proto.RespTopicNotExist, "topic[%s] not exist, apply first please!", header.Topic)
		}
		topic = made
	}
	return b.admitQueue(in, topic, header)
}

func (b *Broker) admitQueue(in *transport.Incoming, topic *proto.TopicConfig, header *proto.SendMessage) (*proto.TopicConfig, refusal) {
	queues := max(topic.WriteQueues, topic.ReadQueues)
	if header.QueueID >= queues {
		return nil, refused(proto.RespInvalidParameter, "request queueId[%d] is illegal, topic %s has %d queues (0 to %d)", header.QueueID, topic.Name, queues, queues-1)
	}
	if header.QueueID < 0 {
		if topic.WriteQueues < 1 {
			return nil, refused(proto.RespNoPermission, "topic %s has no write queue", topic.Name)
		}
		header.QueueID = int32(env.IntN(b.env.Rand, int(topic.WriteQueues)))
	}
	if !proto.IsRetryTopic(topic.Name) {
		return topic, refusal{}
	}
	name := topic.Name[len(proto.RetryPrefix):]
	group := b.groups.byName[name]
	if group == nil {
		return nil, refused(proto.RespSubscriptionGroupNotExist, "subscription group not exist, %s", name)
	}
	if !b.isDead(name, in, header) {
		return topic, refusal{}
	}
	r := b.prepareRedelivery(in, group, true)
	if b.groups.byName[name] == nil {
		return nil, refused(proto.RespSubscriptionGroupNotExist, "subscription group not exist, %s: it was deleted meanwhile", name)
	}
	return topic, r
}

// buildRecords makes the records of a single message or a batch. They borrow from the request and from the broker, so they
// must be appended before anything waits.
func (b *Broker) buildRecords(in *transport.Incoming, header *proto.SendMessage, topic *proto.TopicConfig, batch bool) ([]message.Record, refusal) {
	base := message.Record{
		QueueID: header.QueueID, UserFlags: header.UserFlags, SysFlags: message.SysFlags(header.SysFlags),
		BornAt: header.BornAt, BornHost: in.Conn.Remote(), StoreHost: b.address,
		Redeliveries: header.Redeliveries,
	}
	name, _ := in.Command.Fields.Get(topicField(in.Command.Code))
	properties, _ := in.Command.Fields.Get(propertiesField(in.Command.Code))
	base.Topic = name
	if topic.FilterType == proto.MultiTag {
		base.SysFlags |= message.FlagMultiTags
	}
	half := !batch && isHalf(properties)
	if half {
		base.SysFlags = base.SysFlags.WithTransaction(message.TransactionNone)
	}
	if r := b.refuseFlags(base.SysFlags); r.code != 0 {
		return nil, r
	}
	b.properties = b.properties[:0]
	b.pending = b.pending[:0]
	if batch {
		if r := b.refuseInBatch(properties); r.code != 0 {
			return nil, r
		}
		if r := b.admitBatch(in.Command.Body, topic); r.code != 0 {
			return nil, r
		}
		if inOneRecord(properties, topic) {
			base.Body = in.Command.Body
			return b.buildInnerBatch(base, properties)
		}
		return b.buildBatch(in.Command.Body, base)
	}
	base.Body = in.Command.Body
	level, r := delayLevel(properties)
	if r.code != 0 {
		return nil, r
	}
	due := int64(0)
	if level == 0 {
		if due, r = b.dueAt(properties); r.code != 0 {
			return nil, r
		}
	}
	if half {
		if r := b.admitHalf(properties, level, due); r.code != 0 {
			return nil, r
		}
	}
	records, r := b.addRecord(base, b.stamped(properties))
	switch {
	case r.code != 0:
	case half:
		b.transactions.retarget(&records[0], message.ParseProperties(records[0].Properties))
	default:
		b.redirect(&records[0], in, header, level, due)
	}
	return records, r
}

// inOneRecord reports whether a batch is stored as it came.
func inOneRecord[T string | []byte](properties T, topic *proto.TopicConfig) bool {
	if topic.Attributes[attributeQueueType] != batchQueueType {
		return false
	}
	_, identified := message.PropertyBytes([]byte(properties), message.PropertyUniqueID)
	return identified
}

// recordsOf is how many records a send becomes. A batch that cannot be read is refused later.
func recordsOf(body []byte, header *proto.SendMessage, topic *proto.TopicConfig, batch bool) int {
	if header.Sequence == 0 || !batch || inOneRecord(header.Properties, topic) {
		return 1
	}
	count, err := message.CountBatch(body, batchMax)
	if err != nil {
		return 1
	}
	return count
}

// redirect sends a record elsewhere than its sender says: what a group has failed on too often becomes a dead letter, and what
// has a delay waits.
func (b *Broker) redirect(r *message.Record, in *transport.Incoming, header *proto.SendMessage, level int, due int64) {
	if group, retried := strings.CutPrefix(header.Topic, proto.RetryPrefix); retried && b.isDead(group, in, header) {
		properties := message.ParseProperties(r.Properties)
		properties.Delete(message.PropertyDelayLevel)
		b.stats.cameBack(group, originalTopic(r, properties), b.env.Clock.Now(), true)
		b.toDeadLetters(r, &properties, group)
		return
	}
	switch {
	case level > 0:
		b.delays.retarget(r, message.ParseProperties(r.Properties), level)
	case due > 0:
		b.timers.retarget(r, message.ParseProperties(r.Properties), due)
	}
}

// isDead reports whether what a consumer sends to the retry topic of its group is not to be delivered again. Who consumes in order gives up a
// message for good: its followers are consumed already.
func (b *Broker) isDead(name string, in *transport.Incoming, header *proto.SendMessage) bool {
	group := b.groups.byName[name]
	return header.Redeliveries > redeliveriesMax(group, in.Command.Version, header.RedeliveriesMax) || b.locks.held(name)
}

func topicField(code int32) string {
	if hasWholeNames(code) {
		return "topic"
	}
	return "b"
}

func propertiesField(code int32) string {
	if hasWholeNames(code) {
		return "properties"
	}
	return "i"
}

// hasWholeNames reports whether the header of a send has whole names, not letters.
func hasWholeNames(code int32) bool {
	return code == proto.ReqSendMessage || code == proto.ReqSendReplyMessage
}

// batchMax bounds the messages of one batch.
const batchMax = 65_536

func (b *Broker) admitBatch(body []byte, topic *proto.TopicConfig) refusal {
	if len(topic.Name) > message.TopicLengthMaxV1 || proto.IsRetryTopic(topic.Name) {
		return refused(proto.RespMessageIllegal, "topic %s takes no batches", topic.Name)
	}
	if limit := b.bodyMax(); len(body) > limit {
		return refused(proto.RespMessageIllegal, "the batch has %d bytes, the limit (maxMessageSize) is %d: send smaller batches", len(body), limit)
	}
	if _, err := message.CountBatch(body, batchMax); err != nil {
		return refused(proto.RespMessageIllegal, "batch: %v", err)
	}
	return refusal{}
}

// bodyMax bounds the body of a message, and of a whole batch, in bytes.
func (b *Broker) bodyMax() int {
	return cmp.Or(b.options.Store.BodySizeMax, store.DefaultOptions().BodySizeMax)
}

// buildInnerBatch makes one record of a batch, as it came. It needs the unique id of the batch: consumers and tools know it by
// that. An entry of the queue counts its messages in 16 bits, which the store checks.
func (b *Broker) buildInnerBatch(base message.Record, properties []byte) ([]message.Record, refusal) {
	count := 0
	for element, err := range message.DecodeBatch(base.Body) {
		if err != nil {
			return nil, refused(proto.RespMessageIllegal, "batch: %v", err)
		}
		if len(element.Body) == 0 {
			return nil, emptyBody
		}
		if r := b.refuseInBatch(element.Properties); r.code != 0 {
			return nil, r
		}
		count++
	}
	if _, told := message.PropertyBytes(properties, message.PropertyInnerCount); told {
		return nil, refused(proto.RespMessageIllegal, "the property %s is set by the broker", message.PropertyInnerCount)
	}
	base.SysFlags |= message.FlagInnerBatch | message.FlagNeedsUnwrap
	records, r := b.addRecord(base, b.stamped(properties))
	if r.code != 0 {
		return nil, r
	}
	b.properties = fmt.Appendf(b.properties, "%s\x01%d\x02", message.PropertyInnerCount, count)
	records[0].Properties = b.properties
	return records, refusal{}
}

// emptyBody: a message without a body would stop consumers of the 4.x Java client.
var emptyBody = refusal{code: proto.RespMessageIllegal, remark: "the message has no body: put at least one byte into it"}

func (b *Broker) buildBatch(body []byte, base message.Record) ([]message.Record, refusal) {
	for element, err := range message.DecodeBatch(body) {
		if err != nil {
			return nil, refused(proto.RespMessageIllegal, "batch: %v", err)
		}
		if r := b.refuseInBatch(element.Properties); r.code != 0 {
			return nil, r
		}
		record := base
		record.Body, record.UserFlags = element.Body, element.UserFlags
		if _, r := b.addRecord(record, element.Properties); r.code != 0 {
			return nil, r
		}
	}
	return b.pending, refusal{}
}

// stamped are the properties with the region of this broker and the trace switch, as Apache's broker stores them: consumers trace only
// messages that have a region. Messages within a batch have neither.
func (b *Broker) stamped(sent []byte) []byte {
	_, region := message.PropertyBytes(sent, message.PropertyRegion)
	_, switched := message.PropertyBytes(sent, message.PropertyTraceOn)
	if region || switched {
		// A consumer sends on what it has received, perhaps from a broker elsewhere.
		properties := message.ParseProperties(sent)
		properties.Delete(message.PropertyRegion)
		properties.Delete(message.PropertyTraceOn)
		sent = encodeProperties(properties)
	}
	b.scratch = append(b.scratch[:0], sent...)
	if n := len(sent); n > 0 && sent[n-1] != 2 {
		b.scratch = append(b.scratch, 2)
	}
	b.scratch = append(b.scratch, message.PropertyRegion+"\x01"...)
	b.scratch = append(b.scratch, b.options.Region...)
	b.scratch = append(b.scratch, "\x02"+message.PropertyTraceOn+"\x01true\x02"...)
	return b.scratch
}

// addRecord completes a record's properties: a unique key if the sender gave none, and the cluster.
func (b *Broker) addRecord(record message.Record, sent []byte) ([]message.Record, refusal) {
	if len(record.Body) == 0 {
		return nil, emptyBody
	}
	_, popped := message.PropertyBytes(sent, message.PropertyReceipt)
	_, stamped := message.PropertyBytes(sent, message.PropertySent)
	if popped || stamped {
		// A consumer sends on what it has popped or pulled: the receipt and the sequence are not of this message.
		properties := message.ParseProperties(sent)
		properties.Delete(message.PropertyReceipt)
		properties.Delete(message.PropertySent)
		sent = encodeProperties(properties)
	}
	start := len(b.properties)
	b.properties = append(b.properties, sent...)
	if n := len(sent); n > 0 && sent[n-1] != 2 {
		b.properties = append(b.properties, 2)
	}
	if unique, ok := message.PropertyBytes(sent, message.PropertyUniqueID); !ok || len(unique) == 0 {
		b.properties = append(b.properties, message.PropertyUniqueID+"\x01"...)
		b.properties = b.appendUniqueID(b.properties)
		b.properties = append(b.properties, 2)
	}
	b.properties = append(b.properties, message.PropertyCluster+"\x01"...)
	b.properties = append(b.properties, b.options.Cluster...)
	b.properties = append(b.properties, 2)
	if b.stamp.Sequence > 0 {
		b.properties = append(b.properties, message.PropertySent+"\x01"...)
		b.properties = append(b.stamp.AppendText(b.properties), 2)
		b.stamp.Sequence++
	}
	record.Properties = b.properties[start:len(b.properties):len(b.properties)]
	b.pending = append(b.pending, record)
	return b.pending, refusal{}
}

// refuseFlags answers messages that say by their flags that they are not what queues list one by one. They would have numbers in
// their queue now and be left out when a restart builds the queue again.
func (b *Broker) refuseFlags(flags message.SysFlags) refusal {
	switch {
	case flags.Transaction() != message.TransactionNone:
		return refused(proto.RespNoPermission, "sysFlag %d: the message of a transaction has the property %s", uint32(flags), message.PropertyHalfMessage)
	case flags.InnerBatch() || flags.NeedsUnwrap():
		return refused(proto.RespMessageIllegal, "sysFlag %d: this broker keeps no batch as one message", uint32(flags))
	}
	return refusal{}
}

// refuseInBatch answers messages of a batch that cannot wait: they are one request with one place.
func (b *Broker) refuseInBatch(properties []byte) refusal {
	level, r := delayLevel(properties)
	switch {
	case r.code != 0:
		return r
	case level > 0:
		return refused(proto.RespMessageIllegal, "property %s: messages with a delay cannot be sent in a batch; send them one by one", message.PropertyDelayLevel)
	}
	if due, r := b.dueAt(properties); r.code != 0 || due > 0 {
		return refused(proto.RespMessageIllegal, "messages with a time of their own cannot be sent in a batch; send them one by one")
	}
	if isHalf(properties) {
		return refused(proto.RespMessageIllegal, "property %s: messages of transactions cannot be sent in a batch; send them one by one", message.PropertyHalfMessage)
	}
	return refusal{}
}

// delayLevel is the delay level that properties ask for, 0 without one.
func delayLevel(properties []byte) (int, refusal) {
	value, ok := message.PropertyBytes(properties, message.PropertyDelayLevel)
	if !ok {
		return 0, refusal{}
	}
	level, err := strconv.ParseInt(string(value), 10, 32)
	if err != nil {
		return 0, refused(proto.RespMessageIllegal, "property %s: %q is no delay level; send a number from 1 on", message.PropertyDelayLevel, value)
	}
	return int(max(level, 0)), refusal{}
}

var timerProperties = []string{message.PropertyDelaySeconds, message.PropertyDelayMillis, message.PropertyDeliverAtMillis}

// delayProperties say when a message is delivered; one that was delivered has none of them.
var delayProperties = append([]string{message.PropertyDelayLevel}, timerProperties...)

// sendDone answers a send when its append is done. They are used again, so a send allocates none.
type sendDone struct {
	broker *Broker
	reply  transport.Reply
	queue  int32
	unique []byte // UNIQ_KEY of the first message
	ids    []byte // offset ids, joined by commas
	first  message.QueueOffset
	inner  bool   // the batch is one record
	recall []byte // the handle of a message that waits for its time

	claim    claim
	offsets  []byte // in the queue, joined by commas, if they do not follow one another
	stored   bool   // and so the answer tells where
	repeated bool   // the answer is to a repeat
	retried  bool   // a consumer has sent it to the retry topic of its group

	// For statistics.
	flows   sendFlows
	arrived env.Instant
	bytes   int64
	counts  sendCounts
}

func (b *Broker) newSendDone(reply transport.Reply, queue int32) *sendDone {
	var d *sendDone
	if n := len(b.sendFree); n > 0 {
		d = b.sendFree[n-1]
		b.sendFree = b.sendFree[:n-1]
	} else {
		d = &sendDone{broker: b}
	}
	d.reply, d.queue = reply, queue
	return d
}

// Appended answers the sender (handlePutMessageResult), and who has sent the same meanwhile.
func (d *sendDone) Appended(result store.AppendResult) {
	b, c := d.broker, &d.claim
	d.stored, c.code, c.remark = result.Status.Stored(), sendCode(result.Status), result.Reason
	if d.stored {
		now := b.env.Clock.Now()
		b.stats.sent(d.flows, now, int64(len(result.Places)), d.bytes, now.Sub(d.arrived))
		b.measures.stored(d.counts, len(result.Places), d.bytes, now.Sub(d.arrived))
		d.fill(c.stored, result.Places)
		if d.retried && result.Status != store.AppendOK {
			// Consumers forget the message after every status, so only an error makes them keep it.
			d.stored, c.code, c.remark = false, proto.RespSystemError, result.Status.String()+": "+result.Reason
		}
	} else {
		b.stats.sendRefused(d.reply)
		b.measures.refuse(result.Status)
	}
	d.tell(d.reply, false)
	for _, repeat := range c.waiting {
		d.tell(repeat, true)
	}
	c.answered, c.waiting = true, c.waiting[:0]
	if !result.Late {
		d.Settled(result)
	}
}

// Settled is told what has become of the send, at last if the answer was given before.
func (d *sendDone) Settled(result store.AppendResult) {
	if d.broker.repeats.settle(d, result) {
		d.free()
	}
}

// tell answers the sender, or who has sent the same.
func (d *sendDone) tell(reply transport.Reply, repeated bool) {
	d.repeated = repeated
	if d.stored {
		reply.SendFields(d.claim.code, d.claim.remark, d, nil, nil)
		return
	}
	reply.Error(d.claim.code, d.claim.remark)
}

// free keeps the memory for another send.
func (d *sendDone) free() {
	b := d.broker
	d.reply, d.flows, d.counts = transport.Reply{}, sendFlows{}, sendCounts{}
	clear(d.claim.waiting[:cap(d.claim.waiting)])
	d.claim = claim{waiting: d.claim.waiting[:0]}
	if len(b.sendFree) < sendFreeMax {
		b.sendFree = append(b.sendFree, d)
	}
}

// sendFreeMax bounds the memory kept for sends to come.
const sendFreeMax = 4096

// EncodeFields writes the response header (SendMessageResponseHeader).
func (d *sendDone) EncodeFields(e *wire.Encoder) {
	e.Bytes("msgId", d.ids)
	e.Int("queueId", int64(d.queue))
	e.Int("queueOffset", int64(d.first))
	e.Bytes("transactionId", d.unique)
	if d.inner {
		e.Bytes("batchUniqId", d.unique)
	}
	if len(d.recall) > 0 {
		e.Bytes("recallHandle", d.recall)
	}
	e.String("MSG_REGION", d.broker.options.Region)
	e.String("TRACE_ON", "true")
	if len(d.offsets) > 0 {
		e.Bytes("gantryQueueOffsets", d.offsets)
	}
	if d.repeated {
		e.Bool("gantryRepeat", true)
	}
}

// sendCode is the response code of an append's outcome.
func sendCode(status store.AppendStatus) int32 {
	switch status {
	case store.AppendOK:
		return proto.RespSuccess
	case store.AppendFlushTimeout:
		return proto.RespFlushDiskTimeout
	case store.AppendReplicaTimeout:
		return proto.RespFlushSlaveTimeout
	case store.AppendUnavailable, store.AppendNoSpace:
		return proto.RespServiceNotAvailable
	case store.AppendBusy:
		return proto.RespSystemBusy
	case store.AppendIllegal, store.AppendPropertiesTooLarge:
		return proto.RespMessageIllegal
	}
	return proto.RespSystemError
}
