package controller

import (
	"time"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/transport/proto"
)

// What brokers ask: an id, once; to be registered, at each start; and heartbeats.

// getNextID serves ReqControllerGetNextBrokerID. Nothing is kept: two brokers may be told the same id, and one of them gets it.
func (s *Server) getNextID(q *inquiry) answer {
	var h proto.GetNextBrokerID
	if r := firstOf(fields(q, &h), s.checkText("clusterName", h.ClusterName), s.checkText("brokerName", h.BrokerName)); r != nil {
		return refuseAs(r)
	}
	if err := s.mayActFor(q.in, h.BrokerName, access.ActionGet); err != nil {
		return denied(err)
	}
	return succeedWith(&proto.GetNextBrokerIDResponse{ClusterName: h.ClusterName, BrokerName: h.BrokerName, NextBrokerID: s.state.nextID(h.BrokerName)}, nil)
}

// applyForID serves ReqControllerApplyBrokerID.
func (s *Server) applyForID(q *inquiry) answer {
	var h proto.ApplyBrokerID
	r := firstOf(fields(q, &h), s.checkText("clusterName", h.ClusterName), s.checkText("brokerName", h.BrokerName),
		checkID("appliedBrokerId", h.BrokerID), s.checkText("registerCheckCode", h.CheckCode))
	if r != nil {
		return refuseAs(r)
	}
	if err := s.mayActFor(q.in, h.BrokerName, access.ActionUpdate); err != nil {
		return denied(err)
	}
	cmd := &command{Kind: kindApplyID, Name: h.BrokerName, Cluster: h.ClusterName, ID: h.BrokerID, CheckCode: h.CheckCode}
	if r = firstOf(s.state.checkID(cmd), s.checkRoom(cmd)); r != nil {
		return refuseAs(r)
	}
	return later(func() answer {
		return s.change(cmd, func(*group) answer {
			return succeedWith(&proto.ApplyBrokerIDResponse{ClusterName: h.ClusterName, BrokerName: h.BrokerName}, nil)
		})
	})
}

// checkRoom holds the limits. They are looked at here and not when the command is applied, because controllers may differ in them.
func (s *Server) checkRoom(c *command) *refusal {
	g, l := s.state.groups[c.Name], s.options.Limits
	const code = proto.RespControllerInvalidRequest
	switch {
	case g != nil && g.member(c.ID) != nil:
		return nil
	case g == nil && len(s.state.groups) >= l.Groups:
		return refused(code, "brokerName: there are %d broker names, which is the limit", l.Groups)
	case g != nil && len(g.Members) >= l.MembersPerGroup:
		return refused(code, "appliedBrokerId: %s has %d brokers, which is the limit: clean those that are gone", c.Name, l.MembersPerGroup)
	case s.state.members() >= l.Members:
		return refused(code, "appliedBrokerId: there are %d brokers, which is the limit: clean those that are gone", l.Members)
	}
	return nil
}

// register serves ReqControllerRegisterBroker.
func (s *Server) register(q *inquiry) answer {
	var h proto.RegisterToController
	r := firstOf(fields(q, &h), s.checkText("clusterName", h.ClusterName), s.checkText("brokerName", h.BrokerName), checkID("brokerId", h.BrokerID),
		s.checkText("brokerAddress", h.BrokerAddress), s.checkOptional("gantryHaAddress", h.HAAddress),
		checkNotNegative("gantryIncarnation", h.Incarnation.Value), checkNotNegative("gantryEpoch", int64(h.LastEpoch)), checkNotNegative("gantryLogEnd", h.LogEnd))
	if r != nil {
		return refuseAs(r)
	}
	if err := s.mayActFor(q.in, h.BrokerName, access.ActionUpdate); err != nil {
		return denied(err)
	}
	cmd := &command{
		Kind: kindRegister, Name: h.BrokerName, Cluster: h.ClusterName, ID: h.BrokerID, Address: h.BrokerAddress, HAAddress: h.HAAddress,
		Incarnation: h.Incarnation.Or(nextIncarnation), Whole: h.Whole, LastEpoch: h.LastEpoch, LogEnd: h.LogEnd,
		TimeoutMillis: s.timeout(h.LiveForMillis).Milliseconds(),
	}
	if _, _, r = s.state.checkRegister(cmd); r != nil {
		return refuseAs(r)
	}
	return later(func() answer {
		return s.change(cmd, func(g *group) answer {
			return succeedWith(&proto.RegisterToControllerResponse{ClusterName: g.Cluster, BrokerName: g.Name, MasterInfo: masterInfo(g)}, setOf(g))
		})
	})
}

// heartbeat serves ReqBrokerHeartbeat. It is answered at once, from what this controller knows: that is enough, because a proven leader knows
// all that anybody was ever told.
func (s *Server) heartbeat(q *inquiry) answer {
	var h proto.BrokerHeartbeat
	if r := s.checkHeartbeat(q, &h); r != nil {
		return refuseAs(r)
	}
	if err := s.mayActFor(q.in, h.BrokerName, access.ActionUpdate); err != nil {
		return denied(err)
	}
	g, m, r := s.state.findMember(h.BrokerName, h.BrokerID.Value)
	if r != nil {
		return refuseAs(r)
	}
	w := q.reign.watch.of(g, s.options.BrokerTimeout)
	n := news{
		incarnation: h.Incarnation.Value, anonymous: !h.Incarnation.Set, timeout: s.timeout(h.LiveForMillis.Value),
		lastEpoch: h.Epoch.Value, logEnd: h.MaxOffset.Value, confirmed: h.ConfirmOffset.Value, priority: h.ElectionPriority.Or(priorityDefault), sentAt: h.SentAt,
		drained: h.Drained,
	}
	if r := w.hear(g, m, n, q.now); r != nil {
		return refuseAs(r)
	}
	s.counts.Heartbeats++
	s.askForLonger(g, m, n.timeout)
	a := s.heard(q, w, g, m, &n)
	s.look(q.reign, g)
	return a
}

// priorityDefault is what brokers without an election priority have, as in Java.
const priorityDefault = 1<<31 - 1

func (s *Server) checkHeartbeat(q *inquiry, h *proto.BrokerHeartbeat) *refusal {
	if r := fields(q, h); r != nil {
		return r
	}
	if !h.BrokerID.Set {
		return refused(proto.RespControllerInvalidRequest, "brokerId: heartbeats to a controller need it")
	}
	return firstOf(s.checkText("brokerName", h.BrokerName), checkID("brokerId", h.BrokerID.Value),
		checkNotNegative("epoch", int64(h.Epoch.Value)), checkNotNegative("maxOffset", h.MaxOffset.Value), checkNotNegative("confirmOffset", h.ConfirmOffset.Value))
}

// heard is the answer. Who does not want one is promised nothing.
func (s *Server) heard(q *inquiry, w *watched, g *group, m *member, n *news) answer {
	if q.in.Reply().Oneway() {
		return answer{}
	}
	lease := w.grant(g, m, n.sentAt, q.now)
	return succeedWith(&proto.BrokerHeartbeatResponse{MasterInfo: masterInfo(g), LiveForMillis: lease.Milliseconds()}, setOf(g))
}

// askForLonger lets the controllers agree on a longer lease, before any is granted.
func (s *Server) askForLonger(g *group, m *member, wanted time.Duration) {
	if wanted.Milliseconds() <= m.TimeoutMillis || s.longer[longerLease{g.Name, m.ID}] {
		return
	}
	key := longerLease{g.Name, m.ID}
	s.longer[key] = true
	cmd := &command{Kind: kindTimeout, Name: g.Name, ID: m.ID, Incarnation: m.Incarnation, TimeoutMillis: wanted.Milliseconds()}
	s.tasks.Go("longer lease", func() {
		// If it fails the next heartbeat asks again.
		_, _, _ = s.consensus.propose(cmd, s.env.Clock.Now().Add(s.options.RequestTimeout))
		delete(s.longer, key)
	})
}

// longerLease names a member that waits for one.
type longerLease struct {
	name string
	id   int64
}
