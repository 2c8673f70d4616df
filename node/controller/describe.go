package controller

import (
	"fmt"
	"maps"
	"net/netip"
	"time"
)

// Counts are totals since the start.
type Counts struct {
	Requests, Unsupported, Failures uint64            // all; of unknown codes; answered with an error
	Heartbeats, Timeouts            uint64            // of brokers that were taken; brokers that fell silent
	Elections                       map[string]uint64 // of masters that were applied, by why: "first", "dead", "designated", "handover", "unclean"
	Notices                         uint64            // ReqNotifyBrokerRoleChanged sent
	BadMessages                     uint64            // of other controllers that were refused
}

// Status is the state of a controller at one moment. It shares nothing with the controller.
type Status struct {
	Self        string
	Address     netip.AddrPort
	State       string // "new", "leader", "follower", "stopped" or "closed"
	Uptime      time.Duration
	Term        uint64
	Leader      string // id of who leads as far as is known; "": nobody
	Applied     uint64 // index of the last command that was carried out
	Reigns      uint64 // how often this controller has begun to speak for all
	Snapshots   uint64 // whole states that were taken over from a leader
	Failure     error  // why it has stopped for good; nil: it has not
	Groups      []GroupStatus
	Forgotten   []GroupStatus // all of their brokers were forgotten; their epochs go on
	Connections int
	Counts      Counts
}

// GroupStatus is one group. What is alive only the leader knows.
type GroupStatus struct {
	Cluster, BrokerName string
	MasterID            int64 // 0: none
	MasterEpoch         int32
	InSync              []int64 // sorted
	SetEpoch            int32
	Confirmed           int64 // log offset
	Members             []MemberStatus
}

// MemberStatus is one broker.
type MemberStatus struct {
	ID          int64
	Address     string // "" before it has registered
	Incarnation int64  // -1 before it has registered
	Alive       bool
}

// String is one line about the whole.
func (s Status) String() string {
	return fmt.Sprintf("controller %s %s %s for %s: term %d, leader %q, applied %d, %d groups, %d connections, %d requests",
		s.Self, s.Address, s.State, s.Uptime.Truncate(time.Second), s.Term, s.Leader, s.Applied, len(s.Groups), s.Connections, s.Counts.Requests)
}

// String is one line about the group.
func (g GroupStatus) String() string {
	return fmt.Sprintf("%s/%s master %d epoch %d, in sync %v set epoch %d, %d members", g.Cluster, g.BrokerName, g.MasterID, g.MasterEpoch, g.InSync, g.SetEpoch, len(g.Members))
}

// Applied is the index of the last change that was carried out here. It does not wait.
func (s *Server) Applied() uint64 { return s.consensus.applied }

// Leads reports whether this controller leads now, and can prove it. It does not wait.
func (s *Server) Leads() bool { return s.consensus.reignsAt(s.env.Clock.Now()) }

// Status describes the controller now. It does not wait.
func (s *Server) Status() Status {
	status := Status{
		Self: s.options.Self, Address: s.Addr(), State: s.stateWord(), Applied: s.consensus.applied, Reigns: s.consensus.reigns, Snapshots: s.consensus.snapshots,
		Failure: s.consensus.failure, Connections: s.server.Open(), Counts: s.counts,
	}
	status.Counts.Elections = maps.Clone(s.counts.Elections)
	if s.consensus.node != nil {
		status.Term = s.consensus.term()
	}
	if leader := s.leader(); leader != nil {
		status.Leader = leader.ID
	}
	if s.startedAt != 0 {
		status.Uptime = s.env.Clock.Now().Sub(s.startedAt)
	}
	for _, name := range s.state.names() {
		if g := s.state.groups[name]; len(g.Members) > 0 {
			status.Groups = append(status.Groups, s.groupStatus(g))
		} else {
			status.Forgotten = append(status.Forgotten, s.groupStatus(g))
		}
	}
	return status
}

func (s *Server) groupStatus(g *group) GroupStatus {
	c := g.clone()
	status := GroupStatus{
		Cluster: g.Cluster, BrokerName: g.Name, MasterID: g.Master, MasterEpoch: g.Epoch, InSync: c.InSync, SetEpoch: g.SetEpoch, Confirmed: g.Confirmed,
	}
	var w *watched
	if s.consensus.reign != nil {
		w = s.consensus.reign.watch.watched[g.Name]
	}
	for i := range c.Members {
		m := &c.Members[i]
		alive := w != nil && w.isAlive(m, s.env.Clock.Now())
		status.Members = append(status.Members, MemberStatus{ID: m.ID, Address: m.Address, Incarnation: m.Incarnation, Alive: alive})
	}
	return status
}

func (s *Server) stateWord() string {
	switch {
	case s.closing:
		return "closed"
	case s.consensus.failure != nil:
		return "stopped"
	case s.listener == nil:
		return "new"
	case s.consensus.reignsAt(s.env.Clock.Now()):
		return "leader"
	}
	return "follower"
}
