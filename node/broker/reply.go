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
	"go.uber.org/zap"
)

// Answers to messages. Who asks sends an ordinary message that says which client it is; who answers sends a reply, and the broker hands that
// over the connection by which the client who asked has sent its heartbeats. Nobody waits for the client: the connection of who answers, which
// may be the same one, goes on meanwhile.

// pushReplyFor is how long the client who asked has to take a reply.
const pushReplyFor = 10 * time.Second

// sendReply handles SEND_REPLY_MESSAGE and SEND_REPLY_MESSAGE_V2 (class ReplyMessageProcessor).
//
// Answers: success, if the client who asked has taken the reply, whether or not it is stored too; system error, if it is not connected here or
// has not taken it, even if the reply is stored; those of a send, if the message cannot be.
func (b *Broker) sendReply(in *transport.Incoming) {
	var header proto.SendMessage
	if err := proto.DecodeSendMessage(in.Command.Code, in.Command.Fields, &header); err != nil {
		in.Reply().Error(proto.RespInvalidParameter, err.Error())
		return
	}
	topic, r := b.admitSend(in, &header)
	if topic == nil || r.code != 0 {
		b.refuse(in, r)
		return
	}
	// admitSend may have waited; from here on nothing does.
	records, r := b.buildReply(in, &header, topic)
	if r.code != 0 {
		b.refuse(in, r)
		return
	}
	unique, _ := message.PropertyBytes(records[0].Properties, message.PropertyUniqueID)
	done := &replyDone{broker: b, reply: in.Reply(), left: 1, arrived: in.Arrived, header: proto.SendMessageResponse{
		OffsetID: "0", QueueID: header.QueueID, TransactionID: string(unique), Region: b.options.Region,
	}}
	if !b.options.NoReplyStore {
		done.left++
	}
	b.pushReply(in, &header, done)
	if b.options.NoReplyStore {
		return
	}
	key := store.QueueKey{Topic: string(records[0].Topic), ID: records[0].QueueID}
	done.flows, done.bytes = b.stats.sendsTo(key, in.Arrived), recordBytes(records)
	b.store.Append(key, records, done)
}

// buildReply makes the record of a reply. It is one message that goes at once: it can be neither a batch nor late.
func (b *Broker) buildReply(in *transport.Incoming, header *proto.SendMessage, topic *proto.TopicConfig) ([]message.Record, refusal) {
	level, r := delayLevel([]byte(header.Properties))
	switch {
	case r.code != 0:
		return nil, r
	case header.Batch:
		return nil, refused(proto.RespMessageIllegal, "batch: replies are sent one by one")
	case isHalf([]byte(header.Properties)):
		return nil, refused(proto.RespMessageIllegal, "property %s: a reply cannot be part of a transaction", message.PropertyHalfMessage)
	case level > 0:
		return nil, refused(proto.RespMessageIllegal, "property %s: a reply cannot be delayed", message.PropertyDelayLevel)
	}
	return b.buildRecords(in, header, topic, false)
}

// pushReply hands a reply to the client that it is for.
func (b *Broker) pushReply(in *transport.Incoming, header *proto.SendMessage, done *replyDone) {
	properties := message.ParseProperties([]byte(header.Properties))
	done.client = properties.Get(message.PropertyReplyToClient)
	conn := b.clients.producerConn(done.client)
	switch {
	case done.client == "":
		done.Complete(nil, fmt.Errorf("the property %s is missing: it is the client id of who asked", message.PropertyReplyToClient))
		return
	case conn == nil:
		done.Complete(nil, fmt.Errorf("the client <%s> is not connected to the broker %s as a producer", done.client, b.options.Name))
		return
	}
	request := &transport.Request{
		Code: proto.ReqPushReplyMessageToClient, Header: b.pushHeader(in, header, properties), Body: in.Command.Body,
	}
	if err := conn.Start(request, b.env.Clock.Now().Add(pushReplyFor), done); err != nil {
		done.Complete(nil, err)
	}
}

func (b *Broker) pushHeader(in *transport.Incoming, header *proto.SendMessage, properties message.Properties) *proto.PushReplyMessage {
	now := int64(b.env.Clock.Wall())
	properties.Set(message.PropertyReplyPushedAtMillis, strconv.FormatInt(now, 10))
	return &proto.PushReplyMessage{
		ProducerGroup: header.ProducerGroup, Topic: header.Topic, DefaultTopic: header.DefaultTopic, DefaultQueues: header.DefaultQueues,
		QueueID: header.QueueID, SysFlags: header.SysFlags, BornAt: header.BornAt, UserFlags: header.UserFlags,
		Properties: string(encodeProperties(properties)), Redeliveries: header.Redeliveries, UnitMode: header.UnitMode,
		BornHost: in.Conn.Remote().String(), StoreHost: b.address.String(), StoredAt: now,
	}
}

// replyDone answers who has sent a reply, when the client who asked has taken it and, if it is to be, it is stored. The client is what
// counts: a reply that it has taken must not be sent again.
type replyDone struct {
	broker *Broker
	reply  transport.Reply
	client string
	left   int // outcomes to come
	header proto.SendMessageResponse
	pushed error // nil: the client has taken it

	// For statistics.
	flows   sendFlows
	arrived env.Instant
	bytes   int64
}

// Complete takes the outcome of the push.
func (d *replyDone) Complete(response *wire.Command, err error) {
	if err == nil && response.Code != proto.RespSuccess {
		err = fmt.Errorf("%s: %s", proto.ResponseName(response.Code), response.Remark)
	}
	d.pushed = err
	d.oneMore()
}

// Appended takes the outcome of storing.
func (d *replyDone) Appended(result store.AppendResult) {
	b := d.broker
	if result.Status.Stored() {
		now, place := b.env.Clock.Now(), result.Places[0]
		b.stats.sent(d.flows, now, 1, d.bytes, now.Sub(d.arrived))
		d.header.OffsetID = message.OffsetID{StoreHost: b.address, LogOffset: place.Log}.String()
		d.header.QueueOffset = int64(place.Queue)
	} else {
		b.stats.sendFailed++
		b.env.Log.Warn("a reply is not stored", zap.String("client", d.client), zap.Stringer("status", result.Status), zap.String("reason", result.Reason))
	}
	d.oneMore()
}

func (d *replyDone) oneMore() {
	if d.left--; d.left > 0 {
		return
	}
	if d.pushed == nil {
		d.reply.Send(proto.RespSuccess, &d.header, nil)
		return
	}
	remark := fmt.Sprintf("push reply message to %s failed: %v", d.client, d.pushed)
	d.reply.SendFields(proto.RespSystemError, remark, &d.header, nil, nil)
}
