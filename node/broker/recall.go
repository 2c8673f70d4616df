package broker

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// recall handles RECALL_MESSAGE: a timed message is not to be delivered. A record that says so is stored, and waits for the same time.
//
// Success means that the message is not delivered, unless it was before under the same unique key. Refusals: illegal operation for a handle that is
// not of this broker, or whose time has come; no permission if recalls are switched off; topic not exist. After any other answer the message may be
// delivered or not.
func (b *Broker) recall(in *transport.Incoming) {
	var h proto.RecallMessage
	if !decode(in, &h) {
		return
	}
	handle, r := b.admitRecall(&h)
	if r.code != 0 {
		in.Reply().Error(r.code, r.remark)
		return
	}
	now := int64(b.env.Clock.Wall())
	properties := message.Properties{}
	properties.Set(message.PropertyUniqueID, string(b.appendUniqueID(nil)))
	properties.Set(message.PropertyTimerDeleteUniqueID, handle.unique)
	properties.Set(message.PropertyTimerDueAtMillis, strconv.FormatInt(handle.due, 10))
	properties.Set(message.PropertyRealTopic, h.Topic)
	properties.Set(message.PropertyRealQueueID, "0")
	record := message.Record{
		Topic: []byte(proto.TimerTopic), Body: []byte{0}, Properties: encodeProperties(properties),
		BornAt: now, BornHost: in.Conn.Remote(), StoreHost: b.address,
	}
	b.store.Append(timerQueue, []message.Record{record}, &recallDone{b, in.Reply(), handle})
}

func (b *Broker) admitRecall(h *proto.RecallMessage) (handle recallHandle, r refusal) {
	switch {
	case b.closing:
		return handle, refused(proto.RespServiceNotAvailable, "the broker is shutting down")
	case b.options.NoRecalls:
		return handle, refused(proto.RespNoPermission, "messages cannot be recalled here: recallMessageEnable is false")
	case b.options.TimersOff:
		return handle, timersOff
	case !b.options.Perm.Writable():
		return handle, refused(proto.RespServiceNotAvailable, "the broker[%s] takes no messages: brokerPermission", b.address)
	case b.topics.byName[h.Topic] == nil:
		return handle, refused(proto.RespTopicNotExist, "topic %s does not exist", h.Topic)
	}
	handle, err := parseRecallHandle(h.Handle)
	switch now := int64(b.env.Clock.Wall()); {
	case err != nil:
		return handle, refused(proto.RespIllegalOperation, "recallHandle: %v: give the handle that the send was answered with", err)
	case handle.topic != h.Topic:
		return handle, refused(proto.RespIllegalOperation, "recallHandle: it is of a message of topic %s, not %s", handle.topic, h.Topic)
	case handle.broker != b.options.Name:
		return handle, refused(proto.RespIllegalOperation, "recallHandle: it is of a message of broker %s, not %s", handle.broker, b.options.Name)
	case handle.due <= now:
		return handle, refused(proto.RespIllegalOperation, "recallHandle: the message was due at %d, now it is %d: it is too late", handle.due, now)
	case handle.due-now > b.options.TimerMax.Milliseconds():
		return handle, refused(proto.RespIllegalOperation, "recallHandle: a message due at %d cannot wait here", handle.due)
	}
	return handle, refusal{}
}

// recallDone answers.
type recallDone struct {
	broker *Broker
	reply  transport.Reply
	handle recallHandle
}

// Appended withdraws the message, unless its time has come meanwhile.
func (d *recallDone) Appended(result store.AppendResult) {
	t := d.broker.timers
	switch {
	case result.Status != store.AppendOK:
		d.reply.Error(sendCode(result.Status), result.Reason)
	case t.calendar == nil:
		d.reply.Error(proto.RespServiceNotAvailable, "timers are being read: the message may be withdrawn or not")
	case t.calendar.Taken(d.handle.due) || int64(d.broker.env.Clock.Wall()) >= d.handle.due:
		d.reply.Error(proto.RespSystemError, fmt.Sprintf("the message was due at %d, which has come: it may be delivered or not", d.handle.due))
	default:
		t.withdrawn[d.handle.key()] = d.handle.due
		d.reply.Send(proto.RespSuccess, &proto.RecallMessageResponse{UniqueID: d.handle.unique}, nil)
	}
}

// recallHandle names a timed message (class RecallMessageHandle.HandleV1).
type recallHandle struct {
	topic, broker string
	due           int64
	unique        string
}

// String is the handle as clients know it: URL-safe base64 of "v1 TOPIC BROKER DUE UNIQUE".
func (h recallHandle) String() string {
	return base64.URLEncoding.EncodeToString(fmt.Appendf(nil, "v1 %s %s %d %s", h.topic, h.broker, h.due, h.unique))
}

func (h recallHandle) key() string { return h.topic + " " + h.unique }

func parseRecallHandle(text string) (h recallHandle, err error) {
	raw, err := base64.URLEncoding.DecodeString(text)
	if err != nil {
		// Some libraries leave the padding out.
		if raw, err = base64.RawURLEncoding.DecodeString(text); err != nil {
			return h, fmt.Errorf("%q is no handle: %w", text, err)
		}
	}
	words := strings.Split(string(raw), " ")
	if len(words) != 5 || words[0] != "v1" {
		return h, fmt.Errorf("%q is no handle of version 1", text)
	}
	due, err := strconv.ParseInt(words[3], 10, 64)
	if err != nil || words[1] == "" || words[4] == "" {
		return h, fmt.Errorf("%q is no handle of version 1", text)
	}
	return recallHandle{words[1], words[2], due, words[4]}, nil
}

// withdrawalKey names a message that waits.
func withdrawalKey(r *message.Record) string {
	topic, _ := message.PropertyBytes(r.Properties, message.PropertyRealTopic)
	unique, _ := message.PropertyBytes(r.Properties, message.PropertyUniqueID)
	return string(topic) + " " + string(unique)
}

// readRecalls reads which messages are withdrawn by the recalls that were met. One that was stored when its message was due already came too
// late, and whoever asked for it knows that.
func (t *timers) readRecalls() error {
	for len(t.recalled) > 0 {
		e := t.recalled[0]
		r, err := t.record(e)
		if _, lost := err.(*undeliverable); lost {
			t.lose(1, err)
		} else if err != nil {
			return err
		}
		t.recalled = t.recalled[1:]
		if r == nil {
			continue
		}
		properties := message.ParseProperties(r.Properties)
		due, err := strconv.ParseInt(properties.Get(message.PropertyTimerDueAtMillis), 10, 64)
		if err == nil && r.StoredAt < due {
			t.withdrawn[properties.Get(message.PropertyRealTopic)+" "+properties.Get(message.PropertyTimerDeleteUniqueID)] = due
		}
	}
	return nil
}

// forgetWithdrawn forgets messages whose time is over.
func (t *timers) forgetWithdrawn() {
	over := t.calendar.LeftBefore()
	// order does not matter: each is looked at alone
	maps.DeleteFunc(t.withdrawn, func(_ string, due int64) bool { return due < over })
}
