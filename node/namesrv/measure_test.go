package namesrv

import (
	"testing"

	"github.com/gantrymq/gantry/node/measure"
	"github.com/stretchr/testify/require"
)

func TestAMeasurementShowsBrokersAndHowTheyLeft(t *testing.T) {
	calls := measure.NewCalls(measure.CallScale)
	calls.Observe(measure.Call{Request: 103}, 1)
	m := &Measurement{calls: calls.Read(), notReady: "it waits", status: Status{
		Brokers: []BrokerStatus{{Cluster: "c", BrokerName: "a", SilentFor: 3e9}, {Cluster: "c", BrokerName: "b", ID: 1, SilentFor: 5e9}},
		Counts:  Counts{Unregistrations: 1, Disconnected: 2, Expired: 3},
	}}
	var lines []string
	for _, s := range m.Snapshot().Samples {
		lines = append(lines, s.String())
	}
	require.Contains(t, lines, "gantry_namesrv_brokers[c] 2")
	require.Contains(t, lines, "gantry_namesrv_broker_silent_seconds[c b 1] 5")
	require.Contains(t, lines, "gantry_namesrv_brokers_left_total[in order] 1")
	require.Contains(t, lines, "gantry_namesrv_brokers_left_total[disconnected] 2")
	require.Contains(t, lines, "gantry_namesrv_brokers_left_total[silent] 3")
	require.Contains(t, lines, "gantry_ready[] 0")
	require.Contains(t, lines, "rocketmq_rpc_latency[remoting REGISTER_BROKER SUCCESS false success] 1 observations, mean 1e-06")
}

// Every sample is of a metric that the list has: the page of metrics is made from it.
func TestAllThatIsMeasuredIsListed(t *testing.T) {
	listed := map[*measure.Metric]bool{}
	for _, m := range Metrics() {
		listed[m] = true
	}
	m := &Measurement{status: Status{Brokers: []BrokerStatus{{Cluster: "c"}}}}
	for _, s := range m.Snapshot().Samples {
		require.True(t, listed[s.Metric], s)
	}
}
