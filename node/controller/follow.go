package controller

import (
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// What follows from a command that was applied: everywhere the state changes, and where this controller reigns brokers are told and
// elections are looked at.

// restore takes over a whole state.
func (s *Server) restore(text []byte) error {
	next, err := unmarshalState(text)
	if err == nil {
		s.state = next
	}
	return err
}

// apply carries out a command, and tells how the group is then.
func (s *Server) apply(_ uint64, c *command) (*refusal, *group) {
	var before group
	if g := s.state.groups[c.Name]; g != nil {
		before = *g
	}
	r := s.state.apply(c)
	if r != nil {
		s.env.Log.Debug("refused", zap.Stringer("command", c), zap.Error(r))
		return r, nil
	}
	g := s.state.groups[c.Name]
	s.count(c)
	if reign := s.consensus.reign; reign != nil {
		s.follow(reign, c, &before, g)
	}
	return nil, g.clone()
}

func (s *Server) count(c *command) {
	if c.Kind == kindElect {
		if s.counts.Elections == nil {
			s.counts.Elections = map[string]uint64{}
		}
		s.counts.Elections[string(c.Why)]++
	}
}

// follow is for who reigns.
func (s *Server) follow(reign *reign, c *command, before, g *group) {
	w := reign.watch.of(g, s.options.BrokerTimeout)
	switch c.Kind {
	case kindRegister:
		s.followRegistration(w, c, before, g)
	case kindElect:
		// The lease of the master before is over; that of this one has not begun.
		w.forgetLease()
		s.env.Log.Info("master elected", zap.Stringer("group", g), zap.String("why", string(c.Why)))
	case kindClean:
		if len(g.Members) == 0 {
			delete(reign.watch.watched, g.Name)
		}
		for _, id := range c.IDs {
			delete(w.lives, id)
		}
	}
	if g.Epoch != before.Epoch || g.SetEpoch != before.SetEpoch {
		s.notify(g)
	}
	s.look(reign, g)
}

func (s *Server) followRegistration(w *watched, c *command, before, g *group) {
	m := g.member(c.ID)
	if l := w.lives[c.ID]; l != nil && l.incarnation != m.Incarnation || before.Master == c.ID && g.Master == nobody {
		w.forget(c.ID, before.Master == c.ID)
	}
	n := news{
		incarnation: m.Incarnation, timeout: time.Duration(c.TimeoutMillis) * time.Millisecond, lastEpoch: c.LastEpoch, logEnd: c.LogEnd,
	}
	if l := w.lives[c.ID]; l != nil {
		n.priority = l.priority
	}
	if r := w.hear(g, m, n, s.env.Clock.Now()); r != nil {
		s.env.Log.Warn("a registration was applied and is not believed", zap.Error(r))
	}
	s.env.Log.Info("broker registered", zap.Stringer("registration", c), zap.Stringer("group", g))
}

// notifyTimeout bounds the sending of one notice.
const notifyTimeout = 300 * time.Millisecond

// notify tells all members of a group, one-way, who its master is (ReqNotifyBrokerRoleChanged). It does not wait. What is lost, brokers learn
// with their next heartbeat.
func (s *Server) notify(g *group) {
	if s.settings.NoNotify || s.closing || len(g.InSync) == 0 {
		return
	}
	header := &proto.NotifyBrokerRoleChanged{MasterInfo: masterInfo(g), BrokerName: g.Name}
	body := setOf(g)
	for i := range g.Members {
		if address := g.Members[i].Address; address != "" {
			s.tasks.Go("notify "+address, func() { s.sendNotice(address, header, body) })
		}
	}
}

func (s *Server) sendNotice(address string, header *proto.NotifyBrokerRoleChanged, body []byte) {
	request := &transport.Request{Code: proto.ReqNotifyBrokerRoleChanged, Header: header, Body: body}
	if err := s.client.Oneway(nil, address, request, notifyTimeout); err != nil {
		s.env.Log.Debug("a broker was not notified", zap.String("address", address), zap.Error(err))
		return
	}
	s.counts.Notices++
}

// masterInfo is what answers say of the master.
func masterInfo(g *group) proto.MasterInfo {
	info := proto.MasterInfo{Epoch: g.Epoch, SetEpoch: g.SetEpoch}
	if m := g.member(g.Master); m != nil {
		info.BrokerID, info.Address, info.HAAddress = proto.Some(m.ID), m.Address, m.HAAddress
	}
	return info
}

// setOf is the in-sync set as a body.
func setOf(g *group) []byte {
	set := proto.SyncStateSet{BrokerIDs: g.InSync, Epoch: g.SetEpoch}
	return set.Marshal()
}
