package measure_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/measure"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAValueAtTheEndOfABucketIsInIt(t *testing.T) {
	h := measure.NewHistogram(measure.Durations(time.Millisecond, 1, 10))
	for _, took := range []time.Duration{0, time.Millisecond, time.Millisecond + 1, 10 * time.Millisecond, time.Second} {
		h.Observe(int64(took))
	}
	r := h.Read()
	require.Equal(t, []float64{1, 10}, r.Bounds, "in units of the metric")
	require.Equal(t, []uint64{2, 4}, r.Cumulative)
	require.EqualValues(t, 5, r.Count)
	require.InDelta(t, 0+1+1.000001+10+1000, r.Sum, 1e-9)
	require.Equal(t, "5 observations, mean 202.4000002", r.String())
}

func TestANilHistogramCountsNothing(t *testing.T) {
	var h *measure.Histogram
	require.NotPanics(t, func() { h.Observe(1) })
}

func TestAReadingDoesNotChangeLater(t *testing.T) {
	h := measure.NewHistogram(measure.NewScale(1, 10))
	before := h.Read()
	h.ObserveTimes(5, 3)
	require.Zero(t, before.Count)
	require.EqualValues(t, 3, h.Read().Count)
	require.InDelta(t, 15, h.Read().Sum, 0)
}

func TestScalesThatCannotBePanic(t *testing.T) {
	for _, make := range []func(){
		func() { measure.NewScale(0, 1) }, func() { measure.NewScale(1) }, func() { measure.NewScale(1, 2, 2) }, func() { measure.NewScale(1, 3, 2) },
	} {
		require.Panics(t, make)
	}
}

// Whatever is observed, each bucket holds the values up to its bound.
func TestBucketsHoldWhatIsUpToTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(rapid.Int64Range(-5, 120)).Draw(t, "values")
		h := measure.NewHistogram(measure.NewScale(1, 0, 1, 10, 100))
		for _, v := range values {
			h.Observe(v)
		}
		r := h.Read()
		require.EqualValues(t, len(values), r.Count)
		for i, bound := range r.Bounds {
			want := 0
			for _, v := range values {
				if float64(v) <= bound {
					want++
				}
			}
			require.EqualValues(t, want, r.Cumulative[i])
		}
	})
}

func TestAnObservationAllocatesNothing(t *testing.T) {
	h, calls := measure.NewHistogram(measure.CallScale), measure.NewCalls(measure.CallScale)
	calls.Observe(measure.Call{Request: 310}, 1)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		h.Observe(int64(5 * time.Millisecond))
		calls.Observe(measure.Call{Request: 310}, 1)
	}))
}

// What it costs to count one send: once for its latency, and once for its answer.
func BenchmarkObserve(b *testing.B) {
	h := measure.NewHistogram(measure.CallScale)
	for i := range b.N {
		h.Observe(int64(i) & (1<<22 - 1))
	}
}

func BenchmarkObserveCall(b *testing.B) {
	calls := measure.NewCalls(measure.CallScale)
	for request := range int32(20) {
		calls.Observe(measure.Call{Request: request}, 1)
	}
	for i := range b.N {
		calls.Observe(measure.Call{Request: int32(i) % 20}, int64(i)&(1<<22-1))
	}
}
