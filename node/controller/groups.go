package controller

import (
	"slices"
	"strings"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// Requests about groups: changes of the in-sync set, what tools and brokers look at, and what is to be forgotten.

// alterSet serves ReqControllerAlterSyncStateSet.
func (s *Server) alterSet(q *inquiry) answer {
	var h proto.AlterSyncStateSet
	r := firstOf(fields(q, &h), s.checkText("brokerName", h.BrokerName), checkID("masterBrokerId", h.MasterID), checkNotNegative("gantryConfirmOffset", h.Confirmed.Value))
	if r != nil {
		return refuseAs(r)
	}
	set, err := proto.UnmarshalSyncStateSet(q.in.Command.Body)
	if err != nil {
		return refuse(proto.RespControllerInvalidRequest, err)
	}
	cmd := &command{
		Kind: kindAlterSet, Name: h.BrokerName, ID: h.MasterID, MasterEpoch: h.MasterEpoch, SetEpoch: set.Epoch, NewSet: set.BrokerIDs,
		Confirmed: h.Confirmed.Value, Incarnations: h.Incarnations,
	}
	if err := s.mayActFor(q.in, h.BrokerName, access.ActionUpdate); err != nil {
		return denied(err)
	}
	if r := s.checkAlter(q, cmd); r != nil {
		return refuseAs(r)
	}
	return later(func() answer {
		return s.change(cmd, func(g *group) answer {
			return succeedWith(&proto.AlterSyncStateSetResponse{NewSetEpoch: g.SetEpoch}, setOf(g))
		})
	})
}

// checkAlter checks in the order of the protocol. Only who joins must be alive: who stays may be about to be taken out, one after the other.
func (s *Server) checkAlter(q *inquiry, cmd *command) *refusal {
	if len(cmd.NewSet) > s.options.Limits.MembersPerGroup {
		return refused(proto.RespControllerInvalidRequest, "syncStateSet: it has %d members, the limit is %d", len(cmd.NewSet), s.options.Limits.MembersPerGroup)
	}
	if n := len(cmd.Incarnations); n > s.options.Limits.MembersPerGroup {
		return refused(proto.RespControllerInvalidRequest, "gantryIncarnations: it has %d members, the limit is %d", n, s.options.Limits.MembersPerGroup)
	}
	g, again, r := s.state.checkAlterSet(cmd)
	if r != nil || again {
		return r
	}
	w := q.reign.watch.of(g, s.options.BrokerTimeout)
	for _, id := range cmd.NewSet {
		m := g.member(id)
		if m == nil {
			break // checkNewSet tells
		}
		if !g.isInSync(id) && !w.isAlive(m, q.now) {
			return refused(proto.RespControllerBrokerNotAlive, "syncStateSet: %s id %d is not alive", g.Name, id)
		}
	}
	return g.checkNewSet(cmd)
}

// getReplicaInfo serves ReqControllerGetReplicaInfo.
func (s *Server) getReplicaInfo(q *inquiry) answer {
	var h proto.GetReplicaInfo
	if r := firstOf(fields(q, &h), s.checkText("brokerName", h.BrokerName)); r != nil {
		return refuseAs(r)
	}
	if err := s.mayActFor(q.in, h.BrokerName, access.ActionGet); err != nil {
		return denied(err)
	}
	g, r := s.state.find(h.BrokerName)
	if r != nil {
		return refuseAs(r)
	}
	m := masterInfo(g)
	return succeedWith(&proto.GetReplicaInfoResponse{MasterID: m.BrokerID, MasterAddress: m.Address, MasterHAAddress: m.HAAddress, MasterEpoch: m.Epoch}, setOf(g))
}

// getSyncStateData serves ReqControllerGetSyncStateData. Names that nobody has are left out.
func (s *Server) getSyncStateData(q *inquiry) answer {
	names, err := proto.UnmarshalBrokerNames(q.in.Command.Body)
	if err != nil {
		return refuse(proto.RespControllerInvalidRequest, err)
	}
	if len(names) > s.options.Limits.Groups {
		return refuseAs(refused(proto.RespControllerInvalidRequest, "the body names %d broker names, the limit is %d", len(names), s.options.Limits.Groups))
	}
	var info proto.BrokerReplicasInfo
	seen := map[string]bool{}
	for _, name := range names {
		g := s.state.groups[name]
		if g == nil || len(g.Members) == 0 || seen[name] {
			continue
		}
		if err := s.mayActFor(q.in, name, access.ActionGet); err != nil {
			return denied(err)
		}
		seen[name] = true
		info.Groups = append(info.Groups, s.replicasInfo(q, g))
	}
	return succeed(info.Marshal())
}

func (s *Server) replicasInfo(q *inquiry, g *group) proto.ReplicasInfo {
	w := q.reign.watch.of(g, s.options.BrokerTimeout)
	master := masterInfo(g)
	info := proto.ReplicasInfo{BrokerName: g.Name, MasterID: master.BrokerID, MasterAddress: master.Address, MasterEpoch: g.Epoch, SetEpoch: g.SetEpoch}
	for i := range g.Members {
		m := &g.Members[i]
		replica := proto.Replica{Alive: w.isAlive(m, q.now), Address: m.Address, BrokerID: m.ID, BrokerName: g.Name}
		if g.isInSync(m.ID) {
			info.InSync = append(info.InSync, replica)
		} else {
			info.NotInSync = append(info.NotInSync, replica)
		}
	}
	return info
}

// cleanBrokerData serves ReqCleanBrokerData.
func (s *Server) cleanBrokerData(q *inquiry) answer {
	var h proto.CleanBrokerData
	if r := firstOf(fields(q, &h), s.checkText("brokerName", h.BrokerName), s.checkOptional("clusterName", h.ClusterName)); r != nil {
		return refuseAs(r)
	}
	cmd := &command{Kind: kindClean, Name: h.BrokerName, Cluster: h.ClusterName, IDs: sortedIDs(h.IDs)}
	if err := s.mayActFor(q.in, h.BrokerName, access.ActionUpdate); err != nil {
		return denied(err)
	}
	g, whole, r := s.state.checkClean(cmd)
	if r != nil {
		return refuseAs(r)
	}
	w := q.reign.watch.of(g, s.options.BrokerTimeout)
	living := func(g *group, now env.Instant) *answer { return nil }
	if !h.LivingToo {
		if r := s.tooEarly(q, g); r != nil {
			return refuseAs(r)
		}
		living = func(g *group, now env.Instant) *answer {
			for i := range g.Members {
				m := &g.Members[i]
				if w.isAlive(m, now) && (whole || slices.Contains(cmd.IDs, m.ID)) {
					a := refuseAs(refused(proto.RespControllerInvalidCleanBrokerMetadata, "isCleanLivingBroker: %s id %d is alive: stop it first, or set -l", g.Name, m.ID))
					return &a
				}
			}
			return nil
		}
	}
	if a := living(g, q.now); a != nil {
		return *a
	}
	done := func(*group) answer { return answer{} }
	if !whole {
		return later(func() answer { return s.change(cmd, done) })
	}
	return s.hold(q.reign, w, holding{cmd: cmd, show: done, refuse: living})
}

// leader is who leads as far as this controller knows, or nil.
func (s *Server) leader() *Peer {
	c := s.consensus
	if c.node == nil || c.over() {
		return nil
	}
	lead := c.node.BasicStatus().Lead
	if lead == 0 || lead == c.self && !c.reignsAt(s.env.Clock.Now()) {
		return nil
	}
	return &s.options.Peers[lead-1]
}

// getMetadata serves ReqControllerGetMetadataInfo.
func (s *Server) getMetadata(*transport.Incoming) answer {
	peers := make([]string, len(s.options.Peers))
	for i, p := range s.options.Peers {
		peers[i] = p.ID + ":" + p.Address
	}
	h := &proto.GetMetadataInfoResponse{Group: s.options.Group, Peers: strings.Join(peers, ";")}
	if leader := s.leader(); leader != nil {
		h.LeaderID, h.LeaderAddress, h.IsLeader = leader.ID, leader.Address, leader.ID == s.options.Self
	}
	return succeedWith(h, nil)
}
