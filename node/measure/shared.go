package measure

import "time"

// Metrics that nodes of all kinds have.

// CallScale has the buckets of rocketmq_rpc_latency.
var CallScale = Durations(time.Millisecond, 1, 3, 5, 7, 10, 100, 1000, 2000, 3000)

// The shared metrics.
var (
	Ready = &Metric{Name: "gantry_ready", Kind: Gauge,
		Help: "1 if the node is ready (see /readyz), otherwise 0"}
	RPCLatency = &Metric{Name: "rocketmq_rpc_latency", Kind: Distribution, Unit: "ms", Scale: CallScale,
		Labels: []string{"protocol_type", "request_code", "response_code", "is_long_polling", "result"},
		Help:   "How long requests took from their arrival to their answer"}
	Connections = &Metric{Name: "gantry_connections", Kind: Gauge,
		Help: "Connections of clients, tools and other nodes"}
	Unanswered = &Metric{Name: "gantry_requests_unanswered", Kind: Gauge,
		Help: "Requests that wait for their answer, held pulls among them"}
	Refused = &Metric{Name: "gantry_requests_refused_total", Kind: Counter,
		Help: "Requests that were answered without being looked at, because too many of their connection waited or the node was closing"}
	Visit = &Metric{Name: "gantry_metrics_visit_seconds", Kind: Gauge, Unit: "s",
		Help: "How long the node took to gather these values, with pauses in which it did its work"}
	LeftOut = &Metric{Name: "gantry_metrics_series_left_out", Kind: Gauge, Labels: []string{"metric"},
		Help: "Series of a metric that are not shown, because there are more than metricsOtelCardinalityLimit"}
	Tasks = &Metric{Name: "gantry_tasks", Kind: Gauge,
		Help: "Tasks of the node that have not ended"}
)

// Shared lists them.
func Shared() []*Metric {
	return []*Metric{Ready, RPCLatency, Connections, Unanswered, Refused, Visit, LeftOut, Tasks}
}

// AddCalls adds the calls as rocketmq_rpc_latency. The names of codes are the protocol's.
func (s *Snapshot) AddCalls(calls []CallReading, requestName, responseName func(int32) string) {
	for _, c := range calls {
		request, response := requestName(c.Request), responseName(c.Response)
		if c.Call == OtherCall {
			request, response = "OTHER", "OTHER"
		}
		held := "false"
		if c.Held {
			held = "true"
		}
		s.AddReading(RPCLatency, c.Reading, "remoting", request, response, held, c.Outcome.String())
	}
}
