package namesrv

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/gantrymq/gantry/transport/proto"
)

// Counts are totals since the start.
type Counts struct {
	Requests, Unsupported, Failures        uint64 // all; of unknown codes; answered with an error
	Routes, RouteMisses                    uint64 // route queries answered; of topics without a route
	Registrations, Heartbeats              uint64 // accepted; ReqBrokerHeartbeat of any broker
	Unregistrations, Disconnected, Expired uint64 // brokers that left: in order; with their connection; silently
	Notices                                uint64 // ReqNotifyMinBrokerIDChange sent
}

// Status is the state of a name server at one moment. It shares nothing with the server.
type Status struct {
	Address     netip.AddrPort
	State       string        // "new", "serving" or "closed"
	Uptime      time.Duration // since Start
	Clusters    []string      // sorted
	Brokers     []BrokerStatus
	Topics      int
	KVEntries   int      // keys of the key-value config
	Wiped       []string // broker names without write permission, sorted
	Connections int
	Counts      Counts
}

// BrokerStatus is one living broker.
type BrokerStatus struct {
	Cluster, BrokerName string
	ID                  int64
	Address, HAAddress  string
	Zone                string
	ActingMaster        bool              // its group lets a slave stand in for the master
	Connection          uint64            // id of the connection it lives by
	RegisteredFor       time.Duration     // since it first registered with this id and address
	SilentFor           time.Duration     // since the last sign of life
	LiveFor             time.Duration     // how long it may be silent
	Version             proto.DataVersion // of its last full registration
	Topics              int               // of its broker name
}

// String is one line about the whole.
func (s Status) String() string {
	return fmt.Sprintf("name server %s %s for %s: %d clusters, %d brokers, %d topics, %d keys, %d connections, %d requests",
		s.Address, s.State, s.Uptime.Truncate(time.Second), len(s.Clusters), len(s.Brokers), s.Topics, s.KVEntries, s.Connections, s.Counts.Requests)
}

// String is one line about the broker.
func (b BrokerStatus) String() string {
	return fmt.Sprintf("broker %s/%s id %d at %s, silent for %s of %s, %d topics, %s",
		b.Cluster, b.BrokerName, b.ID, b.Address, b.SilentFor.Truncate(time.Millisecond), b.LiveFor, b.Topics, b.Version)
}

// Status describes the name server now. It does not wait.
func (s *Server) Status() Status {
	status := Status{
		Address: s.Addr(), State: s.state(),
		Clusters: s.table.clusters(), Topics: len(s.table.topics),
		Wiped:       slices.Sorted(maps.Keys(s.table.wiped)),
		Connections: len(s.server.Conns()), Counts: s.counts,
	}
	status.KVEntries, _ = kvSize(s.kv.table)
	now := s.env.Clock.Now()
	if s.startedAt != 0 {
		status.Uptime = now.Sub(s.startedAt)
	}
	for _, name := range s.table.brokerNames(everyGroup) {
		g := s.table.groups[name]
		for i := range g.members {
			m := &g.members[i]
			status.Brokers = append(status.Brokers, BrokerStatus{
				Cluster: g.cluster, BrokerName: g.name, ID: m.id, Address: m.address, HAAddress: m.haAddress,
				Zone: g.zone, ActingMaster: g.actingMaster, Connection: m.connection,
				RegisteredFor: now.Sub(m.registeredAt), SilentFor: now.Sub(m.lastSeen), LiveFor: m.liveFor,
				Version: m.full, Topics: g.topics,
			})
		}
	}
	return status
}

func (s *Server) state() string {
	switch {
	case s.closing:
		return "closed"
	case s.listener == nil:
		return "new"
	}
	return "serving"
}

// String shows who registers.
func (r *registration) String() string {
	return fmt.Sprintf("broker %s/%s id %d at %s, connection %d, %d topics, %s",
		r.cluster, r.brokerName, r.id, r.address, r.connection, len(r.table.Topics), r.table.Version)
}

// String shows who left.
func (d *departure) String() string {
	return fmt.Sprintf("broker %s/%s id %d at %s, connection %d", d.cluster, d.brokerName, d.member.id, d.member.address, d.member.connection)
}
