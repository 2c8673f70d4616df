package client

import (
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// learn takes over what a try tells about its broker, if the producer keeps account of that.
func (p *Producer) learn(call *env.Call, s *sending, brokerName string, began env.Instant, err error) {
	f := p.choice.faults
	if f == nil {
		return
	}
	now := p.core.env.Clock.Now()
	gaveUp := contextOf(call, now) != nil || s.patience.Reached(now)
	o, tells := outcomeOf(now.Sub(began), err, p.config.retryCodes, p.config.detects, gaveUp)
	if !tells {
		return
	}
	wasAvailable := f.available(brokerName, now)
	f.note(brokerName, o, now)
	if wasAvailable && !f.available(brokerName, now) {
		p.core.env.Log.Info("a broker is passed over for a while", zap.String("broker", brokerName),
			zap.Duration("latency", now.Sub(began)), zap.Duration("rest", f.byBroker[brokerName].restsUntil.Sub(now)), zap.Error(err))
	}
}

// detectRound is how often the detector looks for brokers to check.
const detectRound = 3 * time.Second

// detect is a task that finds out when unreachable brokers are back.
func (p *Producer) detect() {
	for p.core.pause(detectRound) {
		for _, name := range p.choice.faults.due(p.config.detectEvery, p.core.env.Clock.Now()) {
			p.check(name)
		}
	}
}

// check asks a broker something that costs it little.
func (p *Producer) check(brokerName string) {
	b := p.core.brokers.byName[brokerName]
	if b == nil {
		p.choice.faults.forget(brokerName)
		return
	}
	address, hasMaster := b.master()
	queue, known := p.core.routes.queueAt(brokerName)
	if !hasMaster || !known {
		return
	}
	request := &transport.Request{Code: proto.ReqGetMaxOffset, Header: &proto.GetMaxOffset{Topic: queue.Topic, QueueID: queue.QueueID}}
	if _, err := p.core.ask(nil, address, request, p.core.env.Clock.Now().Add(p.config.detectTimeout)); err != nil {
		p.core.env.Log.Debug("a broker is still unreachable", zap.String("broker", brokerName), zap.Error(err))
		return
	}
	p.choice.faults.recovered(brokerName)
}

// queueAt returns some queue of a broker that somebody sends to.
func (r *routes) queueAt(brokerName string) (Queue, bool) {
	for _, name := range slices.Sorted(maps.Keys(r.topics)) {
		for _, queue := range r.topics[name].queues {
			if queue.BrokerName == brokerName {
				return queue, true
			}
		}
	}
	return Queue{}, false
}
