package namesrv

import (
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/measure"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// Metrics of a name server. RocketMQ has none, so the names are Gantry's own.
var (
	metricBrokers       = gauge("gantry_namesrv_brokers", "Living brokers, by cluster", "broker_cluster")
	metricSilent        = gauge("gantry_namesrv_broker_silent_seconds", "Time since the last sign of life of a broker", "broker_cluster", "broker_name", "broker_id")
	metricTopics        = gauge("gantry_namesrv_topics", "Topics that some broker has")
	metricEntries       = gauge("gantry_namesrv_config_entries", "Keys of the key-value config")
	metricRequests      = counter("gantry_namesrv_requests_total", "Requests")
	metricFailures      = counter("gantry_namesrv_failures_total", "Requests that were answered with an error")
	metricRoutes        = counter("gantry_namesrv_routes_total", "Routes that were asked for and given")
	metricRouteMisses   = counter("gantry_namesrv_route_misses_total", "Routes that were asked for and are not known")
	metricRegistrations = counter("gantry_namesrv_registrations_total", "Registrations of brokers that were accepted")
	metricLeft          = counter("gantry_namesrv_brokers_left_total", "Brokers that left, by how: in order, or lost because their connection ended or they were silent", "reason")
)

func gauge(name, help string, labels ...string) *measure.Metric {
	return &measure.Metric{Name: name, Kind: measure.Gauge, Help: help, Labels: labels}
}

func counter(name, help string, labels ...string) *measure.Metric {
	return &measure.Metric{Name: name, Kind: measure.Counter, Help: help, Labels: labels}
}

// Metrics lists all that Measure may tell of a name server.
func Metrics() []*measure.Metric {
	return append(measure.Shared(), metricBrokers, metricSilent, metricTopics, metricEntries, metricRequests, metricFailures,
		metricRoutes, metricRouteMisses, metricRegistrations, metricLeft)
}

// seriesMax is how many brokers are shown by name.
const seriesMax = 10_000

// Measurement is what Measure has gathered. It shares nothing with the server that changes.
type Measurement struct {
	status              Status
	notReady            string
	unanswered, refused int64
	calls               []measure.CallReading
	took                time.Duration
}

// Measure gathers what monitoring shows. It does not wait, and looks at each broker once, of which there are as many as Limits allow.
func (s *Server) Measure() *Measurement {
	began := s.env.Clock.Now()
	m := &Measurement{
		status: s.Status(), notReady: s.NotReady(), unanswered: int64(s.server.Unanswered()), refused: s.server.Refused(), calls: s.calls.Read(),
	}
	m.took = s.env.Clock.Now().Sub(began)
	return m
}

// NotReady tells why the name server does not serve as it should, or "". It does not wait.
func (s *Server) NotReady() string {
	switch {
	case s.closing:
		return "the name server is shutting down"
	case s.listener == nil:
		return "the name server has not started"
	case s.routesHeldFor() > 0:
		return "the name server answers no routes yet, so that brokers can register first (needWaitForService): " + s.routesHeldFor().Round(time.Second).String() + " are left"
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
	s := &measure.Snapshot{Common: []measure.Label{{Name: "cluster"}, {Name: "node_type", Value: "namesrv"}, {Name: "node_id", Value: m.status.Address.String()}}}
	s.AddFlag(measure.Ready, m.notReady == "")
	s.Add(measure.Connections, float64(m.status.Connections))
	s.Add(measure.Unanswered, float64(m.unanswered))
	s.Add(measure.Refused, float64(m.refused))
	s.AddCalls(m.calls, proto.RequestName, proto.ResponseName)
	m.showBrokers(s)
	m.showCounts(s)
	s.Add(measure.Visit, m.took.Seconds())
	s.Limit(seriesMax)
	return s
}

func (m *Measurement) showBrokers(s *measure.Snapshot) {
	living := map[string]int{}
	for i := range m.status.Brokers {
		b := &m.status.Brokers[i]
		living[b.Cluster]++
		s.AddWeighed(b.SilentFor.Seconds(), metricSilent, b.SilentFor.Seconds(), b.Cluster, b.BrokerName, strconv.FormatInt(b.ID, 10))
	}
	// order does not matter: Limit sorts
	for cluster, count := range living {
		s.Add(metricBrokers, float64(count), cluster)
	}
	s.Add(metricTopics, float64(m.status.Topics))
	s.Add(metricEntries, float64(m.status.KVEntries))
}

func (m *Measurement) showCounts(s *measure.Snapshot) {
	c := &m.status.Counts
	s.Add(metricRequests, float64(c.Requests))
	s.Add(metricFailures, float64(c.Failures))
	s.Add(metricRoutes, float64(c.Routes))
	s.Add(metricRouteMisses, float64(c.RouteMisses))
	s.Add(metricRegistrations, float64(c.Registrations))
	s.Add(metricLeft, float64(c.Unregistrations), "in order")
	s.Add(metricLeft, float64(c.Disconnected), "disconnected")
	s.Add(metricLeft, float64(c.Expired), "silent")
}
