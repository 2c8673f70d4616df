package measure_test

import (
	"testing"

	"github.com/gantrymq/gantry/node/measure"
	"github.com/stretchr/testify/require"
)

var (
	lag   = &measure.Metric{Name: "lag", Labels: []string{"queue"}}
	total = &measure.Metric{Name: "total", Kind: measure.Counter}
)

func TestWhatMattersMostStaysWhenThereIsTooMuch(t *testing.T) {
	var s measure.Snapshot
	for _, queue := range []string{"d", "b", "c", "a"} {
		s.AddWeighed(1, lag, 1, queue)
	}
	s.AddWeighed(7, lag, 7, "z")
	s.Add(total, 11)
	s.Limit(3)
	var kept []string
	for _, sample := range s.Samples {
		kept = append(kept, sample.String())
	}
	require.Equal(t, []string{"lag[z] 7", "lag[a] 1", "lag[b] 1", "total[] 11"}, kept)
	require.Equal(t, map[*measure.Metric]int{lag: 2}, s.LeftOut)
}

func TestAnEmptySnapshotHasRoomForAll(t *testing.T) {
	var s measure.Snapshot
	s.Limit(1)
	require.Empty(t, s.Samples)
	require.Empty(t, s.LeftOut)
}

func TestKindsOfCallsBeyondTheLimitAreCountedTogether(t *testing.T) {
	calls := measure.NewCalls(measure.CallScale)
	for request := range int32(measure.CallsMax + 5) {
		calls.Observe(measure.Call{Request: request}, 1)
	}
	calls.Observe(measure.Call{Request: 3}, 1)
	all := calls.Read()
	require.Len(t, all, measure.CallsMax+1)
	require.Equal(t, measure.OtherCall, all[0].Call)
	require.EqualValues(t, 5, all[0].Count)
	require.EqualValues(t, 2, all[4].Count, "known kinds go on")

	var s measure.Snapshot
	s.AddCalls(all[:2], func(int32) string { return "REQUEST" }, func(int32) string { return "RESPONSE" })
	require.Equal(t, []string{"remoting", "OTHER", "OTHER", "false", "success"}, s.Samples[0].Labels)
	require.Equal(t, []string{"remoting", "REQUEST", "RESPONSE", "false", "success"}, s.Samples[1].Labels)
}
