package broker

import (
	"slices"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// newGuard makes the guard that stands before both ports.
func (b *Broker) newGuard() (err error) {
	b.guard, err = guard.New(b.env, b.options.Access, guard.Place{
		Directory: configDir, Cluster: b.options.Cluster, Name: b.options.Name,
		Address: func() string { return b.address.String() }, Changed: b.rightsChanged, Await: b.await,
	})
	return err
}

// innerSigner is who this broker is for name servers and other brokers; nil: nobody in particular.
func innerSigner(options Options) transport.Signer {
	if !options.Access.Inner.Valid() {
		return nil
	}
	return options.Access.Inner
}

// rightsChanged answers all held pulls.
func (b *Broker) rightsChanged() {
	b.pops.held.release(func(*popRequest) bool { return true })
	for _, h := range b.waiting.takeAll() {
		b.mustAskAgain(&h.pullRequest)
	}
}

// mustAskAgain reports whether the rights of accounts have changed since a pull was admitted. Then it is answered without a message, however far it has
// come: who still may asks again.
func (b *Broker) mustAskAgain(p *pullRequest) bool {
	if p.rights == b.guard.Generation() {
		return false
	}
	first, end := b.store.Bounds(p.queue)
	header := &proto.PullMessageResponse{SuggestedBrokerID: proto.MasterID, Next: int64(p.from), Min: int64(first), Max: int64(end)}
	header.TopicSysFlags, header.GroupSysFlags = b.sysFlags(p)
	p.reply.SendFields(proto.RespPullRetryImmediately, "the rights of accounts have changed meanwhile", header, nil, nil)
	return true
}

// takeAll takes all held pulls out of the lists, to be answered by the caller.
func (w *waitingPulls) takeAll() []*heldPull {
	var all []*heldPull
	for _, end := range w.ends() {
		for _, h := range slices.Clone(w.byTime[end]) {
			w.leaveTime(h)
			w.leaveQueue(h)
			w.count--
			all = append(all, h)
		}
	}
	return all
}

// mayHandOut reports whether who asked for a place of the log may have the message there. Otherwise the request is answered.
func (b *Broker) mayHandOut(in *transport.Incoming, raw []byte) bool {
	if b.guard.Open() {
		return true
	}
	var r message.Record
	if _, err := message.DecodeRecord(raw, &r, false); err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return false
	}
	return b.guard.Touches(in, access.Need{Resource: access.TopicResource(string(r.Topic)), Actions: access.ActionGet})
}

// mayConsume reports whether who names a message by its place in the log, to send it back or have it consumed, may consume it. Otherwise the request is
// answered.
func (b *Broker) mayConsume(in *transport.Incoming, original *message.Record) bool {
	return b.guard.Open() || b.guard.Touches(in, access.Need{Resource: access.TopicResource(string(original.Topic)), Actions: access.ActionSub})
}

// mayReset reports whether who changes the offsets of a group may do so in all of some topics, which the request did not name. Otherwise it is answered.
func (b *Broker) mayReset(in *transport.Incoming, topics []string) bool {
	for _, topic := range topics {
		if !b.guard.Touches(in, access.Need{Resource: access.TopicResource(topic), Actions: access.ActionUpdate}) {
			return false
		}
	}
	return true
}

// mayEnd reports whether who ends a transaction may send to the topic of its message. Otherwise the request is answered.
func (b *Broker) mayEnd(in *transport.Incoming, half *message.Record) bool {
	return b.guard.Open() || b.guard.Touches(in, access.SendNeed(string(realTopic(half))))
}

// mayDecide reports whether a producer may be asked what became of a transaction, and thereby see its message: if it could answer.
func (b *Broker) mayDecide(m *member, half *message.Record) bool {
	return b.guard.Open() || b.guard.Allows(m.account, m.conn, proto.ReqEndTransaction, access.SendNeed(string(realTopic(half))))
}
