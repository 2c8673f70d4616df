package client

import (
	"errors"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// A broker that is restarted, or whose group elects another master, is back before most send timeouts are over. So a try that has stored nothing because
// the broker is away does not count if no other broker will do, and the send goes on when it is back. Without retries it fails at once.

// awaits reports whether a send waits for the broker that it was just sent to: for the only one of the topic, or the one that has perhaps stored it.
func (p *Producer) awaits(s *sending, to target, v verdict, o order) bool {
	last := s.attempts[len(s.attempts)-1].Err
	away := errors.Is(last, ErrNotSent) || errors.Is(last, ErrNoBroker) || hasCode(last, proto.RespServiceNotAvailable)
	switch {
	case !away || v.maybeStored || errors.Is(last, errCeased):
		return false
	case s.bound:
		return true
	}
	return o.retries > 0 && p.isAlone(s, to.BrokerName)
}

// isAlone reports whether a send can go to one broker only.
func (p *Producer) isAlone(s *sending, brokerName string) bool {
	t := p.core.routes.topics[s.header.Topic]
	if s.chosen || t == nil {
		return s.chosen
	}
	for _, queue := range t.publish {
		if queue.BrokerName != brokerName {
			return false
		}
	}
	return true
}

// route finds the route of the topic. While its brokers have no master it waits for one, also if no name server answers just then, or one, which may have been
// started again, does not know the topic any more.
func (p *Producer) route(call *env.Call, s *sending, o order) (*topic, error) {
	for {
		t, err := p.core.routes.forProducer(call, s.header.Topic, o.deadline)
		known := p.core.routes.topics[s.header.Topic]
		if err == nil || o.retries == 0 || known == nil || known.route == nil || !passes(err) {
			return t, err
		}
		until := p.core.env.Clock.Now().Add(awayFor)
		if o.deadline.Reached(until) || p.isOver(call, o.deadline) {
			return t, err
		}
		p.waitUntil(call, until)
	}
}

// passes reports whether the route of a topic that was there is missing for a while only.
func passes(err error) bool {
	return errors.Is(err, ErrNoBroker) || errors.Is(err, ErrTopicNotFound) || errors.Is(err, ErrNoNameServer)
}
