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

// rightsChanged answers all held pulls, without a message: who still may asks again.
func (b *Broker) rightsChanged() {
	b.pops.held.release(func(*popRequest) bool { return true })
	for _, h := range b.waiting.takeAll() {
		first, end := b.store.Bounds(h.queue)
		header := &proto.PullMessageResponse{SuggestedBrokerID: proto.MasterID, Next: int64(h.from), Min: int64(first), Max: int64(end)}
		header.TopicSysFlags, header.GroupSysFlags = b.sysFlags(&h.pullRequest)
		h.reply.SendFields(proto.RespPullRetryImmediately, "the rights of accounts have changed meanwhile", header, nil, nil)
	}
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
	return b.guard.Touches(in, access.TopicResource(string(r.Topic)), access.ActionGet)
}

// mayTakeBack reports whether who sends a message back, which is named by its place in the log, may have it. Otherwise the request is answered.
func (b *Broker) mayTakeBack(in *transport.Incoming, original *message.Record) bool {
	return b.guard.Open() || b.guard.Touches(in, access.TopicResource(string(original.Topic)), access.ActionSub)
}
