package controller

import (
	"time"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// Elections that somebody asks for (ReqControllerElectMaster): a broker that finds no master, a tool that wants another one, a master that
// hands over.

// electMaster serves ReqControllerElectMaster.
func (s *Server) electMaster(q *inquiry) answer {
	var h proto.ElectMaster
	r := firstOf(fields(q, &h), s.checkText("brokerName", h.BrokerName), s.checkOptional("clusterName", h.ClusterName))
	if r == nil && h.BrokerID != proto.NoBroker {
		r = checkID("brokerId", h.BrokerID)
	}
	if r != nil {
		return refuseAs(r)
	}
	if err := s.mayActFor(q.in, h.BrokerName, access.ActionUpdate); err != nil {
		return denied(err)
	}
	g, r := s.state.find(h.BrokerName)
	switch {
	case r != nil:
		return refuseAs(r)
	case h.ClusterName != "" && h.ClusterName != g.Cluster:
		return refuseAs(refused(proto.RespControllerInvalidRequest, "clusterName: %s belongs to the cluster %s, not to %s", g.Name, g.Cluster, h.ClusterName))
	case h.BrokerID != proto.NoBroker && g.member(h.BrokerID) == nil:
		return refuseAs(refused(proto.RespControllerBrokerNeedToBeRegistered, "brokerId: %s has no broker with id %d", g.Name, h.BrokerID))
	}
	w := q.reign.watch.of(g, s.options.BrokerTimeout)
	switch {
	case h.InsteadOf.Set:
		return s.electInstead(q, &h, g, w)
	case h.Unclean:
		return s.electUnclean(q, &h, g, w)
	case h.Designated:
		return s.electDesignated(q, &h, g, w)
	}
	return s.electAny(q, g, w)
}

// elected shows the group after an election.
func elected(g *group) answer {
	info := masterInfo(g)
	body := proto.ElectedMaster{Group: proto.BrokerMemberGroup{Cluster: g.Cluster, BrokerName: g.Name}, InSyncIDs: g.InSync}
	for i := range g.Members {
		body.Group.Addresses = append(body.Group.Addresses, proto.BrokerAddress{ID: g.Members[i].ID, Address: g.Members[i].Address})
	}
	return succeedWith(&info, body.Marshal())
}

// masterStays tells who is master, to one who wanted an election.
func masterStays(g *group, format string, args ...any) answer {
	a := elected(g)
	r := refused(proto.RespControllerMasterStillExist, format, args...)
	a.code, a.remark = r.code, r.text
	return a
}

// electAny is asked for by brokers that find no master. They could as well wait: the controller looks by itself.
func (s *Server) electAny(q *inquiry, g *group, w *watched) answer {
	d := w.decide(g, q.reign.watch.since, q.now, s.rules())
	switch {
	case g.Master != nobody && w.isAlive(g.member(g.Master), q.now):
		return masterStays(g, "%s id %d is the master and is alive", g.Name, g.Master)
	case d.candidate != nil:
		w.electing = true
		cmd := electionOf(g, &d)
		return later(func() answer {
			r, after, err := s.consensus.propose(cmd, env.Never)
			w.electing = false
			return s.changed(r, after, err, elected)
		})
	case d.trouble != "":
		return refuseAs(refused(proto.RespControllerMasterNotAvailable, "%s", d.trouble))
	}
	return refuseAs(refused(proto.RespControllerElectMasterFailed, "%s: the controller waits before it elects, or elects just now: look again in a second", g.Name))
}

// electDesignated makes a broker master that a tool has named, if it is in sync.
func (s *Server) electDesignated(q *inquiry, h *proto.ElectMaster, g *group, w *watched) answer {
	m, cause := g.member(h.BrokerID), whyDesignated
	if len(g.InSync) == 0 {
		cause = whyFirst
	}
	switch {
	case m == nil:
		return refuseAs(refused(proto.RespControllerInvalidRequest, "brokerId: name the broker that is to be master"))
	case g.Master == m.ID && w.isAlive(m, q.now):
		return masterStays(g, "%s id %d is the master already", g.Name, m.ID)
	case !w.isAlive(m, q.now):
		return refuseAs(refused(proto.RespControllerElectMasterFailed, "brokerId: %s id %d is not alive", g.Name, m.ID))
	}
	cmd := electionOf(g, &decision{candidate: m, why: cause})
	if _, r := s.state.checkElect(cmd); r != nil {
		return refuseAs(r)
	}
	return s.hold(q.reign, w, holding{cmd: cmd, show: elected})
}

// electUnclean makes a broker master that may lack messages: a tool has said that they may be lost.
func (s *Server) electUnclean(q *inquiry, h *proto.ElectMaster, g *group, w *watched) answer {
	if r := s.tooEarly(q, g); r != nil {
		return refuseAs(r)
	}
	inSync := func(g *group, now env.Instant) *answer {
		for _, id := range g.InSync {
			if w.isAlive(g.member(id), now) {
				a := masterStays(g, "gantryUnclean: %s id %d is in sync and alive: no messages need be lost, elect it", g.Name, id)
				return &a
			}
		}
		return nil
	}
	if a := inSync(g, q.now); a != nil {
		return *a
	}
	d := w.choose(g, q.now, whyUnclean, func(m *member) bool { return h.BrokerID == proto.NoBroker || m.ID == h.BrokerID })
	if d.candidate == nil {
		return refuseAs(refused(proto.RespControllerElectMasterFailed, "%s: nobody who could be elected is alive", g.Name))
	}
	if len(g.InSync) == 0 {
		d.why = whyFirst
	}
	return s.hold(q.reign, w, holding{cmd: electionOf(g, &d), show: elected, refuse: inSync})
}

// tooEarly refuses what is only for brokers that are dead while a leader that has just begun may not have heard of those that live: silence means
// nothing yet.
func (s *Server) tooEarly(q *inquiry, g *group) *refusal {
	if heard := q.reign.watch.since.Add(g.silence(s.options.BrokerTimeout)); !heard.Reached(q.now) {
		return refused(proto.RespControllerElectMasterFailed, "this controller leads only since a moment ago, and does not know yet who of %s is alive: try again in %s",
			g.Name, heard.Sub(q.now).Round(time.Millisecond))
	}
	return nil
}

// electInstead lets a master hand over.
func (s *Server) electInstead(q *inquiry, h *proto.ElectMaster, g *group, w *watched) answer {
	if m := g.member(g.Master); g.Master != h.InsteadOf.Value || h.Incarnation.Set && m.Incarnation != h.Incarnation.Value {
		a := elected(g)
		a.code, a.remark = proto.RespControllerInvalidMaster, "gantryInsteadOf: it is not the master any more"
		return a
	}
	d := w.choose(g, q.now, whyHandover, func(m *member) bool {
		return m.ID != g.Master && g.isInSync(m.ID) && (h.BrokerID == proto.NoBroker || h.BrokerID == g.Master || m.ID == h.BrokerID)
	})
	if d.candidate == nil {
		return refuseAs(refused(proto.RespControllerMasterNotAvailable, "gantryInsteadOf: %s has nobody else who is in sync and alive: in sync are %v", g.Name, g.InSync))
	}
	return s.hold(q.reign, w, holding{cmd: electionOf(g, &d), show: elected, atOnce: w.gaveUp(h.SentAt, q.now)})
}
