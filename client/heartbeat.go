package client

import (
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"go.uber.org/zap"
)

// heartbeats tell brokers which groups live in this client: a new broker at once, all of
// them every 30 s, and again after a connection was lost.
type heartbeats struct {
	core          *core
	producerGroup string                     // "" if there is none
	consumerGroup string                     // "" if there is none
	consumer      func() *proto.ConsumerData // set with consumerGroup
	peers         map[string]*peer           // by address
	changed       env.Cond                   // wakes run
	urgent        func() bool                // somebody waits for what brokers send by themselves; nil: nobody
}

// peer is one broker address.
type peer struct {
	address   string
	due       env.Instant // when to send next
	sending   bool
	losses    int    // connections that have ended
	heard     bool   // it answered the last heartbeat, over a connection that still stands
	version   int32  // of the broker, from its answer
	told      bool   // it has answered once, and so said
	window    int    // how many sends of each producer it knows again
	complaint string // the failure that was logged last, "" once a heartbeat has succeeded
	failures  int    // heartbeats that have failed since one succeeded
	settled   env.Cond
}

func newHeartbeats(k *core) *heartbeats {
	return &heartbeats{core: k, peers: map[string]*peer{}, changed: k.env.Tasks.NewCond()}
}

// run is the task that sends them.
func (h *heartbeats) run() {
	for h.core.state < closing {
		h.changed.WaitUntil(h.round())
	}
}

// round starts a heartbeat to each broker whose time has come, and returns when the next one
// is due.
func (h *heartbeats) round() env.Instant {
	now := h.core.env.Clock.Now()
	next := env.Never
	addresses := h.addresses()
	h.forget(addresses)
	for _, address := range addresses {
		p := h.peer(address)
		if p.sending {
			continue
		}
		if p.due <= now {
			h.begin(p)
			continue
		}
		next = next.Sooner(p.due)
	}
	return next
}

// addresses are the brokers to be told, in order. Producers are of no interest to slaves.
func (h *heartbeats) addresses() []string {
	var addresses []string
	if !h.belongs() {
		return nil
	}
	for _, b := range h.core.brokers.sorted {
		for _, a := range b.addresses {
			if a.ID == proto.MasterID || h.consumerGroup != "" {
				addresses = append(addresses, a.Address)
			}
		}
	}
	return addresses
}

// belongs reports whether the client is a member of any group.
func (h *heartbeats) belongs() bool { return h.producerGroup != "" || h.consumerGroup != "" }

// forget drops what is known of brokers that no route names any more.
func (h *heartbeats) forget(wanted []string) {
	// order does not matter: each entry is looked at alone
	for address, p := range h.peers {
		if !p.sending && !slices.Contains(wanted, address) {
			delete(h.peers, address)
		}
	}
}

func (h *heartbeats) peer(address string) *peer {
	p := h.peers[address]
	if p == nil {
		p = &peer{address: address, settled: h.core.env.Tasks.NewCond()}
		h.peers[address] = p
	}
	return p
}

func (h *heartbeats) begin(p *peer) {
	p.due = h.core.env.Clock.Now().Add(h.core.config.heartbeatEvery)
	p.sending = h.core.start("heartbeat to "+p.address, func() { h.send(p) })
}

func (h *heartbeats) send(p *peer) {
	request := &transport.Request{Code: proto.ReqHeartbeat, Body: h.data().Marshal()}
	losses := p.losses
	response, err := h.core.ask(nil, p.address, request, h.core.env.Clock.Now().Add(h.core.config.requestTimeout))
	// The connection may have ended since the answer came; what the broker knows has ended with it.
	heard := err == nil && p.losses == losses
	first := heard && !p.heard
	p.sending, p.heard = false, heard
	if err == nil {
		p.version, p.complaint, p.failures = response.Version, "", 0
		p.learn(response)
	} else if h.core.state < closing {
		h.complain(p, err)
		h.againSoon(p)
	}
	p.settled.Broadcast()
	h.changed.Broadcast()
	if first && h.core.met != nil {
		h.core.met(p.address)
	}
}

// complain logs a failure once, however often it happens: somebody who waits tries again and again.
func (h *heartbeats) complain(p *peer, err error) {
	if text := err.Error(); text != p.complaint {
		h.core.env.Log.Warn("a broker did not take a heartbeat", zap.Error(err))
		p.complaint = text
	}
}

// learn takes what a broker says of itself.
func (p *peer) learn(response *wire.Command) {
	var h proto.HeartbeatResponse
	if h.DecodeFields(response.Fields) == nil {
		p.told, p.window = true, int(max(h.SendWindow, 0))
	}
}

// againSoon does not let a broker be without this client until the next round: others would share out queues without it. Pauses grow, unless somebody waits.
func (h *heartbeats) againSoon(p *peer) {
	pause := afterLoss << min(p.failures, 10)
	if p.failures++; h.urgent != nil && h.urgent() {
		pause = afterLoss
	}
	p.due = h.core.env.Clock.Now().Add(min(pause, h.core.config.heartbeatEvery))
}

func (h *heartbeats) data() *proto.HeartbeatData {
	data := &proto.HeartbeatData{ClientID: h.core.ids.clientID()}
	if h.producerGroup != "" {
		data.Producers = []proto.ProducerData{{Group: h.producerGroup}}
	}
	if h.consumerGroup != "" {
		data.Consumers = []proto.ConsumerData{*h.consumer()}
	}
	return data
}

// announce sends to all brokers soon, because something about a group has changed.
func (h *heartbeats) announce() {
	now := h.core.env.Clock.Now()
	// order does not matter: each entry is changed alone
	for _, p := range h.peers {
		p.due = now
	}
	h.changed.Broadcast()
}

// ensure waits until a broker has heard of this client, or failed to: brokers may refuse
// pulls of groups they do not know.
func (h *heartbeats) ensure(call *env.Call, address string, deadline env.Instant) {
	p := h.peer(address)
	if p.heard || !h.belongs() {
		return
	}
	if !p.sending {
		h.begin(p)
	}
	for p.sending && call.Wait(p.settled, deadline) {
	}
}

// afterLoss is how long a lost connection rests before a heartbeat makes a new one.
const afterLoss = time.Second

// connectionEnded makes sure that a broker, which forgets a client with its connection, soon
// hears of it again.
func (h *heartbeats) connectionEnded(address string) {
	p := h.peers[address]
	if p == nil || h.core.state >= closing {
		return
	}
	p.losses++
	p.heard, p.due = false, h.core.env.Clock.Now().Add(afterLoss)
	h.changed.Broadcast()
}

// leaveGroups tells all connected brokers that this client leaves its groups. It waits for their
// answers until the deadline.
func (h *heartbeats) leaveGroups(call *env.Call, deadline env.Instant) {
	running, done := 0, h.core.env.Tasks.NewCond()
	for _, address := range h.core.net.Addresses() {
		if p := h.peers[address]; p == nil || !p.heard {
			continue
		}
		running++
		h.core.tasks.Go("leave groups at "+address, func() {
			h.leave(address, deadline)
			running--
			done.Broadcast()
		})
	}
	for running > 0 && call.Wait(done, deadline) {
	}
}

func (h *heartbeats) leave(address string, deadline env.Instant) {
	header := &proto.UnregisterClient{
		ClientID: h.core.ids.clientID(), ProducerGroup: h.producerGroup, ConsumerGroup: h.consumerGroup,
	}
	request := &transport.Request{Code: proto.ReqUnregisterClient, Header: header}
	if _, err := h.core.ask(nil, address, request, deadline); err != nil {
		h.core.env.Log.Debug("a broker was not told that this client leaves", zap.Error(err))
	}
}
