package broker

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// isHalf reports whether a message is the first half of a transaction.
func isHalf(properties []byte) bool {
	value, found := message.PropertyBytes(properties, message.PropertyHalfMessage)
	return found && bytes.EqualFold(value, []byte("true"))
}

// admitHalf tells why a half message is not taken.
func (b *Broker) admitHalf(properties []byte, level int, due int64) refusal {
	_, group := message.PropertyBytes(properties, message.PropertyProducerGroup)
	switch {
	case b.options.TransactionsOff:
		return refused(proto.RespNoPermission, "the broker[%s] sending transaction message is forbidden", b.address)
	case level > 0 || due > 0:
		return refused(proto.RespMessageIllegal, "the message of a transaction cannot wait: send it without %s and without a timer", message.PropertyDelayLevel)
	case !group:
		return refused(proto.RespMessageIllegal, "property %s: the message of a transaction needs the group of its producer, which is asked what became of it", message.PropertyProducerGroup)
	case len(b.transactions.open) >= b.options.TransactionsMax:
		return refused(proto.RespSystemError, "%d transactions are open, more are not begun: end some, or send again later", len(b.transactions.open))
	}
	return refusal{}
}

// retarget puts the first half of a transaction where nobody consumes it.
func (t *transactions) retarget(r *message.Record, properties message.Properties) {
	properties.Set(message.PropertyRealTopic, string(r.Topic))
	properties.Set(message.PropertyRealQueueID, strconv.Itoa(int(r.QueueID)))
	properties.Set(message.PropertyTransactionID, properties.Get(message.PropertyUniqueID))
	r.SysFlags = r.SysFlags.WithTransaction(message.TransactionNone)
	r.Topic, r.QueueID = []byte(halfQueue.Topic), halfQueue.ID
	r.Properties = encodeProperties(properties)
}

// endTransaction handles END_TRANSACTION. The answer is success if the transaction has ended so, now or before; illegal operation if it has ended the
// other way, or so long ago that nobody knows; system error if there is no such half message, or the outcome could not be stored: then the
// transaction is open yet; no permission. The outcome "unknown" is not answered.
func (b *Broker) endTransaction(in *transport.Incoming) {
	var h proto.EndTransaction
	if !decode(in, &h) {
		return
	}
	reply := in.Reply()
	switch h.Outcome {
	case proto.OutcomeCommit, proto.OutcomeRollback:
	default:
		return
	}
	if !b.transactions.ready {
		reply.Error(proto.RespServiceNotAvailable, "transactions are being read: try again")
		return
	}
	half, r := b.halfMessage(in, &h)
	if r.code == 0 {
		// Only now it is known whose message it is.
		if !b.mayEnd(in, half) {
			return
		}
		r = refuseOther(half, &h)
	}
	if r.code == 0 {
		r = b.transactions.end(half, &h, reply)
	}
	if r.code != 0 {
		reply.Error(r.code, r.remark)
	}
}

// halfMessage reads the half message of a transaction. It waits for the disk.
func (b *Broker) halfMessage(in *transport.Incoming, h *proto.EndTransaction) (*message.Record, refusal) {
	var raw []byte
	var err error
	b.await(in, func() { raw, err = b.store.RecordBytes(message.LogOffset(h.LogOffset)) })
	half := &message.Record{}
	if err == nil {
		_, err = message.DecodeRecord(raw, half, false)
	}
	if err != nil {
		return nil, refused(proto.RespSystemError, "commitLogOffset: no half message is at %d: %v", h.LogOffset, err)
	}
	if string(half.Topic) != proto.HalfTopic {
		return nil, refused(proto.RespSystemError, "commitLogOffset: no half message is at %d, but one of topic %s", h.LogOffset, half.Topic)
	}
	return half, refusal{}
}

// refuseOther answers who means another half message.
func refuseOther(half *message.Record, h *proto.EndTransaction) refusal {
	group, _ := message.PropertyBytes(half.Properties, message.PropertyProducerGroup)
	switch {
	case string(group) != h.ProducerGroup:
		return refused(proto.RespSystemError, "producerGroup: the transaction is of group %s, not %s", group, h.ProducerGroup)
	case int64(half.QueueOffset) != h.HalfOffset:
		return refused(proto.RespSystemError, "tranStateTableOffset: the half message is number %d, not %d", half.QueueOffset, h.HalfOffset)
	}
	return refusal{}
}

// end lets a transaction end.
func (t *transactions) end(half *message.Record, h *proto.EndTransaction, reply transport.Reply) refusal {
	open := t.open[half.QueueOffset]
	outcome, ended := t.ended[half.QueueOffset]
	switch {
	case ended && outcome == h.Outcome:
		reply.Success(nil)
		return refusal{}
	case ended:
		return refused(proto.RespIllegalOperation, "the transaction has ended with a %v, it cannot be ended with a %v", outcome, h.Outcome)
	case open == nil && half.QueueOffset < t.next:
		return refused(proto.RespIllegalOperation, "the transaction has ended so long ago that nobody knows how")
	case open == nil:
		open = t.begin(half)
	}
	age := time.Duration(int64(t.broker.env.Clock.Wall())-half.StoredAt) * time.Millisecond
	switch {
	case open.ending == h.Outcome:
		open.waiters = append(open.waiters, reply)
		return refusal{}
	case open.ending != proto.OutcomeUnknown:
		return refused(proto.RespIllegalOperation, "the transaction is just ending with a %v", open.ending)
	case open.own && !h.AnswersCheck && age > open.immunity:
		return refused(proto.RespIllegalOperation, "property %s: the transaction is %s old: only the answer to a check ends it now", message.PropertyCheckImmunitySeconds, age)
	}
	open.waiters = append(open.waiters, reply)
	if h.Outcome == proto.OutcomeCommit {
		t.commit(open, half)
	} else {
		t.rollback(open)
	}
	return refusal{}
}

// commit stores the message where its sender wants it.
func (t *transactions) commit(open *transaction, half *message.Record) {
	r, err := t.whole(half)
	if err != nil {
		open.answer(refused(proto.RespSystemError, "%v", err))
		return
	}
	r.SysFlags = r.SysFlags.WithTransaction(message.TransactionCommitted)
	r.PreparedAt = half.LogOffset
	open.ending = proto.OutcomeCommit
	t.broker.store.AppendUntilKnown(store.QueueKey{Topic: string(r.Topic), ID: r.QueueID}, []message.Record{r}, &endDone{t, open, true})
	t.broker.store.Kick()
}

// rollback marks the half message as ended.
func (t *transactions) rollback(open *transaction) {
	open.ending = proto.OutcomeRollback
	t.mark(open.number, &endDone{t, open, false})
}

// mark stores that a half message has ended, in the form of Java brokers.
func (t *transactions) mark(number message.QueueOffset, done store.Completion) {
	b := t.broker
	properties := message.Properties{}
	properties.Set(message.PropertyTags, "d")
	properties.Set(message.PropertyUniqueID, string(b.appendUniqueID(nil)))
	r := message.Record{
		Topic: []byte(proto.OpTopic), Body: fmt.Appendf(nil, "%d,", number), Properties: encodeProperties(properties),
		BornAt: int64(b.env.Clock.Wall()), BornHost: b.address, StoreHost: b.address,
	}
	b.store.AppendUntilKnown(opQueue, []message.Record{r}, done)
	b.store.Kick()
}

// whole is a half message as consumers get it.
func (t *transactions) whole(half *message.Record) (message.Record, error) {
	properties := message.ParseProperties(half.Properties)
	topic := properties.Get(message.PropertyRealTopic)
	queue, err := strconv.ParseInt(properties.Get(message.PropertyRealQueueID), 10, 32)
	switch {
	case err != nil:
		return message.Record{}, fmt.Errorf("property %s: %w", message.PropertyRealQueueID, err)
	case t.broker.topics.byName[topic] == nil:
		return message.Record{}, fmt.Errorf("topic %s was deleted since the transaction began: make it again, or roll back", topic)
	}
	for _, name := range []string{message.PropertyHalfMessage, message.PropertyRealTopic, message.PropertyRealQueueID, message.PropertySent} {
		properties.Delete(name)
	}
	r := *half
	r.Topic, r.QueueID, r.Properties, r.StoreHost = []byte(topic), int32(queue), encodeProperties(properties), t.broker.address
	return r, nil
}

// endDone is told whether the outcome of a transaction is stored.
type endDone struct {
	transactions *transactions
	open         *transaction
	commit       bool
}

// Appended answers who waits.
func (d *endDone) Appended(result store.AppendResult) {
	t, open := d.transactions, d.open
	outcome := open.ending
	if result.Status != store.AppendOK {
		open.ending = proto.OutcomeUnknown
		open.answer(refused(sendCode(result.Status), "the outcome is not stored, the transaction is open yet: %s", result.Reason))
		return
	}
	t.over(open.number, outcome)
	if t.broker.topics.byName[open.topic] != nil {
		t.broker.measures.ended(open.topic, open.bornAt, d.commit)
	}
	if d.commit {
		// The log tells already; a Java broker looks for the mark.
		t.mark(open.number, ignored{})
	}
	open.answer(refusal{})
}

// ignored is for what is of no consequence.
type ignored struct{}

// Appended does nothing.
func (ignored) Appended(store.AppendResult) {}

// answer answers all who wait.
func (o *transaction) answer(r refusal) {
	for _, reply := range o.waiters {
		if r.code == 0 {
			reply.Success(nil)
		} else {
			reply.Error(r.code, r.remark)
		}
	}
	o.waiters = nil
}
