package client

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// Reply makes the reply to a request that a consumer got (class MessageUtil). Send it with a producer; any way of sending will do, except in a
// batch. Producer.Reply and PushConsumer.Reply do both. Options are those of NewMessage; the topic and the properties that tie the reply to its
// request cannot be changed.
//
// The error is ErrNoRequest (code 10007) if the message does not want a reply.
func Reply(request *Received, body []byte, options ...MessageOption) (*Message, error) {
	if request == nil {
		return nil, fmt.Errorf("%w: it is nil", ErrNoRequest)
	}
	for _, name := range []string{message.PropertyCluster, message.PropertyCorrelation, message.PropertyReplyToClient} {
		if request.Properties.Get(name) == "" {
			return nil, fmt.Errorf("%w: message %s has no property %s", ErrNoRequest, request.ID(), name)
		}
	}
	topic := proto.ReplyTopic(request.Properties.Get(message.PropertyCluster))
	m := NewMessage(topic, body, options...)
	m.Topic = topic
	m.Properties.Set(message.PropertyMessageType, message.MessageTypeReply)
	for _, name := range []string{message.PropertyCorrelation, message.PropertyReplyToClient, message.PropertyTimeToLiveMillis} {
		// The unit of TTL differs among clients: it goes back as it came.
		if value, ok := request.Properties.Lookup(name); ok {
			m.Properties.Set(name, value)
		}
	}
	return m, nil
}

// isReply reports whether brokers are to hand a message to the client that it is for.
func isReply(m *Message) bool {
	return m.Properties.Get(message.PropertyMessageType) == message.MessageTypeReply
}

// Reply answers a request: it sends what the function Reply makes, first to the broker that has stored the request, where who asked is
// known. A result means that the client who asked has the reply. Errors are ErrNoRequest and those of Send; a *ResponseError with
// the code RespSystemError usually means that the client is gone, or does not wait any more.
func (p *Producer) Reply(ctx context.Context, request *Received, body []byte, options ...MessageOption) (SendResult, error) {
	m, err := Reply(request, body, options...)
	if err != nil {
		return SendResult{}, err
	}
	call, err := p.begin(ctx)
	if err != nil {
		return SendResult{}, err
	}
	defer p.end(call)
	s := p.take()
	defer p.give(s)
	if err := p.prepare(s, m); err != nil {
		return SendResult{}, err
	}
	s.prefer = request.Queue.BrokerName
	return p.deliver(call, s, p.order(call, p.config.retries, p.config.retryCodes))
}

// Reply answers a request that this consumer got, as Producer.Reply does, over the connections of the consumer. A handler may end with
//
//	_, err := consumer.Reply(ctx, messages[0], body)
//	return err
//
// and then gets the request again if the reply could not be handed over.
func (c *PushConsumer) Reply(ctx context.Context, request *Received, body []byte, options ...MessageOption) (SendResult, error) {
	return c.inner.Reply(ctx, request, body, options...)
}

// at finds a target at a broker name.
func (t *topic) at(brokerName string) (target, bool) {
	i := slices.IndexFunc(t.publish, func(at target) bool { return at.BrokerName == brokerName })
	if i < 0 {
		return target{}, false
	}
	return t.publish[i], true
}

// serve takes what brokers ask a producer. It runs as the reader of a connection: what takes time becomes a task.
func (p *Producer) serve(in *transport.Incoming) bool {
	switch in.Command.Code {
	case proto.ReqPushReplyMessageToClient:
		p.serveReply(in)
	case proto.ReqCheckTransactionState:
		p.serveCheck(in)
	default:
		return false
	}
	return true
}

// serveReply takes a reply (PUSH_REPLY_MESSAGE_TO_CLIENT).
func (p *Producer) serveReply(in *transport.Incoming) {
	var h proto.PushReplyMessage
	if err := h.DecodeFields(in.Command.Fields); err != nil {
		p.core.env.Log.Warn("a reply cannot be read", zap.Error(err))
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	r := receivedReply(&h, slices.Clone(in.Command.Body))
	w := p.requests.take(r.Properties.Get(message.PropertyCorrelation))
	if w == nil {
		// Not an error for the broker: who has sent the reply would send it again.
		p.core.env.Log.Warn("a reply is dropped: nobody waits for it, or not any more", zap.Stringer("reply", &h),
			zap.String("correlation", r.Properties.Get(message.PropertyCorrelation)))
		in.Reply().Success(nil)
		return
	}
	r.Properties.Set(message.PropertyArrivedAtMillis, strconv.FormatInt(int64(p.core.env.Clock.Wall()), 10))
	if !r.SysFlags.Compressed() {
		w.outcome.Set(answer{reply: r})
		in.Reply().Success(nil)
		return
	}
	reply := in.Reply()
	if !p.core.start("unpack a reply", func() { p.unpack(w, r, reply) }) {
		reply.Error(proto.RespSystemError, "this client is closing")
	}
}

// take finds who waits for a reply; nil if nobody does. The first reply counts.
func (r *requests) take(correlation string) *waiting {
	w := r.waiting[correlation]
	delete(r.waiting, correlation)
	return w
}

// unpack hands over a reply whose body is compressed.
func (p *Producer) unpack(w *waiting, r *Received, reply transport.Reply) {
	var d message.Decompressor
	var err error
	p.core.env.Tasks.Offload(func() {
		r.Body, err = d.Body(r.Body, r.SysFlags, cmp.Or(p.config.unpackedMax, bodyMax))
	})
	if err != nil {
		err = fmt.Errorf("%w: what came to request %s cannot be unpacked: %w", ErrNoReply, w.correlation, err)
		w.outcome.Set(answer{err: err})
		reply.Error(proto.RespSystemError, err.Error())
		return
	}
	w.outcome.Set(answer{reply: r})
	reply.Success(nil)
}

// receivedReply is a reply as consumers get messages. It has no place in a queue: Queue tells what the broker was told.
func receivedReply(h *proto.PushReplyMessage, body []byte) *Received {
	properties := message.ParseProperties([]byte(h.Properties))
	return &Received{
		Message: Message{
			Topic: h.Topic, UserFlags: h.UserFlags, Body: body, Properties: properties,
			TransactionID: properties.Get(message.PropertyTransactionID),
		},
		Queue: Queue{Topic: h.Topic, QueueID: h.QueueID}, SysFlags: message.SysFlags(h.SysFlags),
		BornAt: env.WallMillis(h.BornAt).Time(), BornHost: parseHost(h.BornHost),
		StoredAt: env.WallMillis(h.StoredAt).Time(), StoreHost: parseHost(h.StoreHost), Redeliveries: h.Redeliveries,
	}
}

// parseHost reads an address as brokers write it: some put a slash before it. What is no address is not valid.
func parseHost(text string) netip.AddrPort {
	host, err := netip.ParseAddrPort(strings.TrimPrefix(text, "/"))
	if err != nil {
		return netip.AddrPort{}
	}
	return host
}
