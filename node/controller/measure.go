package controller

import (
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/measure"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// Metrics of a controller. Those of RocketMQ's controller are about threads and libraries that are not here, but for its role, so the names are
// Gantry's own.
var (
	metricRole       = gauge("gantry_controller_leads", "1 if this controller leads and can prove it, else 0")
	metricKnown      = gauge("gantry_controller_leader", "1 for the controller that leads as far as this one knows", "leader_id")
	metricTerm       = gauge("gantry_controller_term", "Term of the last election among controllers that this one has heard of")
	metricApplied    = gauge("gantry_controller_applied", "Index of the last change that was carried out here")
	metricStopped    = gauge("gantry_controller_stopped", "1 if this controller has stopped for good, because its disk has failed")
	metricGroups     = gauge("gantry_controller_groups", "Broker names that have brokers, by cluster", "broker_cluster")
	metricMasterless = gauge("gantry_controller_groups_without_master", "Broker names without a master, or whose master the leading controller does not hear, by cluster", "broker_cluster")
	metricElections  = counter("gantry_controller_elections_total", "Elections of masters that were carried out here, by their cause", "reason")
	metricTimeouts   = counter("gantry_controller_broker_timeouts_total", "Brokers that have fallen silent while this controller led")
	metricHeartbeats = counter("gantry_controller_heartbeats_total", "Heartbeats of brokers that were taken")
	metricReigns     = counter("gantry_controller_reigns_total", "How often this controller has begun to lead")
	metricRequests   = counter("gantry_controller_requests_total", "Requests")
	metricFailures   = counter("gantry_controller_failures_total", "Requests that were answered with an error")
)

func gauge(name, help string, labels ...string) *measure.Metric {
	return &measure.Metric{Name: name, Kind: measure.Gauge, Help: help, Labels: labels}
}

func counter(name, help string, labels ...string) *measure.Metric {
	return &measure.Metric{Name: name, Kind: measure.Counter, Help: help, Labels: labels}
}

// Metrics lists all that Measure may tell of a controller.
func Metrics() []*measure.Metric {
	return append(measure.Shared(), metricRole, metricKnown, metricTerm, metricApplied, metricStopped, metricGroups, metricMasterless,
		metricElections, metricTimeouts, metricHeartbeats, metricReigns, metricRequests, metricFailures)
}

// seriesMax bounds what clusters can make of it.
const seriesMax = 1000

// Measurement is what Measure has gathered. It shares nothing with the controller that changes.
type Measurement struct {
	status              Status
	masterless          map[string]int // groups, by cluster
	notReady            string
	unanswered, refused int64
	calls               []measure.CallReading
	took                time.Duration
}

// Measure gathers what monitoring shows. It does not wait, and looks at each broker once, of which there are as many as Limits allow.
func (s *Server) Measure() *Measurement {
	began := s.env.Clock.Now()
	m := &Measurement{
		status: s.Status(), masterless: s.masterless(), notReady: s.NotReady(), unanswered: int64(s.server.Unanswered()), refused: s.server.Refused(), calls: s.calls.Read(),
	}
	m.took = s.env.Clock.Now().Sub(began)
	return m
}

// masterless counts groups that nobody serves, by cluster. A master that has died stays the master until another one is elected, so who leads looks
// whether it is heard as well.
func (s *Server) masterless() map[string]int {
	count, now := map[string]int{}, s.env.Clock.Now()
	// order does not matter: they are counted
	for _, g := range s.state.groups {
		if len(g.Members) > 0 && (g.Master == nobody || s.isSilent(g, now)) {
			count[g.Cluster]++
		}
	}
	return count
}

// isSilent reports whether the master of a group is dead as far as this controller knows: only who leads hears brokers. Whoever leads since a moment
// ago has heard of few, and silence means nothing yet.
func (s *Server) isSilent(g *group, now env.Instant) bool {
	if !s.consensus.reignsAt(now) {
		return false
	}
	watch := s.consensus.reign.watch
	w := watch.watched[g.Name]
	return watch.since.Add(g.silence(s.options.BrokerTimeout)).Reached(now) && (w == nil || !w.isAlive(g.member(g.Master), now))
}

// NotReady tells why the controller does not serve as it should, or "". It does not wait.
func (s *Server) NotReady() string {
	switch {
	case s.closing:
		return "the controller is shutting down"
	case s.consensus.failure != nil:
		return "the controller has stopped: " + s.consensus.failure.Error()
	case s.listener == nil:
		return "the controller has not started"
	case s.leader() == nil:
		return "no controller is known to lead: most of controllerDLegerPeers must run and reach each other"
	}
	return ""
}

// answered is told of each request that was answered.
func (s *Server) answered(a transport.Answered) {
	call := measure.Call{Request: a.Request, Response: a.Response, Held: a.Held}
	switch {
	case a.Oneway:
		call.Outcome = measure.Unwanted
	case a.Gone:
		call.Outcome = measure.Gone
	}
	s.calls.Observe(call, int64(a.Took))
}

// String tells of whom it is.
func (m *Measurement) String() string { return m.status.String() }

// Snapshot shows what was measured as metrics. It needs no baton.
func (m *Measurement) Snapshot() *measure.Snapshot {
	s := &measure.Snapshot{Common: []measure.Label{{Name: "cluster"}, {Name: "node_type", Value: "controller"}, {Name: "node_id", Value: m.status.Self}}}
	s.AddFlag(measure.Ready, m.notReady == "")
	s.Add(measure.Connections, float64(m.status.Connections))
	s.Add(measure.Unanswered, float64(m.unanswered))
	s.Add(measure.Refused, float64(m.refused))
	s.AddCalls(m.calls, proto.RequestName, proto.ResponseName)
	m.showState(s)
	m.showGroups(s)
	m.showCounts(s)
	s.Add(measure.Visit, m.took.Seconds())
	s.Limit(seriesMax)
	return s
}

func (m *Measurement) showState(s *measure.Snapshot) {
	s.AddFlag(metricRole, m.status.State == "leader")
	if m.status.Leader != "" {
		s.Add(metricKnown, 1, m.status.Leader)
	}
	s.Add(metricTerm, float64(m.status.Term))
	s.Add(metricApplied, float64(m.status.Applied))
	s.AddFlag(metricStopped, m.status.Failure != nil)
}

func (m *Measurement) showGroups(s *measure.Snapshot) {
	groups := map[string]int{}
	for i := range m.status.Groups {
		groups[m.status.Groups[i].Cluster]++
	}
	// order does not matter: Limit sorts
	for cluster, count := range groups {
		s.Add(metricGroups, float64(count), cluster)
		s.Add(metricMasterless, float64(m.masterless[cluster]), cluster)
	}
}

func (m *Measurement) showCounts(s *measure.Snapshot) {
	c := &m.status.Counts
	for _, cause := range causes {
		s.Add(metricElections, float64(c.Elections[string(cause)]), string(cause))
	}
	s.Add(metricTimeouts, float64(c.Timeouts))
	s.Add(metricHeartbeats, float64(c.Heartbeats))
	s.Add(metricReigns, float64(m.status.Reigns))
	s.Add(metricRequests, float64(c.Requests))
	s.Add(metricFailures, float64(c.Failures))
}
