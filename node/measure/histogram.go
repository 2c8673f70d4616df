package measure

import (
	"fmt"
	"time"
)

// Scale is the division of a histogram: the upper ends of its buckets. All histograms of a metric share one.
type Scale struct {
	bounds []int64 // ascending, in what is observed
	unit   int64   // how much of what is observed is one unit of the metric; > 0
}

// NewScale makes a scale from the upper ends of the buckets, ascending, in what is observed. unit is how much of that is 1 in the metric: for
// durations, which are observed in nanoseconds, int64(time.Second) gives a metric in seconds. A scale is made when a program
// starts: one that cannot be is a mistake in its text, and panics.
func NewScale(unit int64, bounds ...int64) *Scale {
	if unit <= 0 || len(bounds) == 0 {
		panic("measure: a scale needs a unit and a bound")
	}
	for i := 1; i < len(bounds); i++ {
		if bounds[i] <= bounds[i-1] {
			panic(fmt.Sprintf("measure: the bounds of a scale ascend: %v", bounds))
		}
	}
	return &Scale{bounds: bounds, unit: unit}
}

// Durations is a scale of times, whose bounds and metric are in units of unit.
func Durations(unit time.Duration, bounds ...float64) *Scale {
	inNanoseconds := make([]int64, len(bounds))
	for i, b := range bounds {
		inNanoseconds[i] = int64(b * float64(unit))
	}
	return NewScale(int64(unit), inNanoseconds...)
}

// Bounds are the upper ends of the buckets, in units of the metric.
func (s *Scale) Bounds() []float64 {
	inUnits := make([]float64, len(s.bounds))
	for i, b := range s.bounds {
		inUnits[i] = float64(b) / float64(s.unit)
	}
	return inUnits
}

// String lists the bounds.
func (s *Scale) String() string { return fmt.Sprint(s.Bounds()) }

// Histogram counts observations in the buckets of a scale.
type Histogram struct {
	scale  *Scale
	counts []uint64 // one for each bound, and one for what is above all
	sum    int64
}

// NewHistogram returns an empty one.
func NewHistogram(scale *Scale) *Histogram {
	return &Histogram{scale: scale, counts: make([]uint64, len(scale.bounds)+1)}
}

// Observe counts a value, such as a duration in nanoseconds. It allocates nothing. A nil Histogram counts nothing.
func (h *Histogram) Observe(value int64) { h.ObserveTimes(value, 1) }

// ObserveTimes counts a value several times.
func (h *Histogram) ObserveTimes(value int64, times uint64) {
	if h == nil {
		return
	}
	// There are few buckets, and most values fall into the first ones: a walk beats a search.
	i := 0
	for i < len(h.scale.bounds) && value > h.scale.bounds[i] {
		i++
	}
	h.counts[i] += times
	h.sum += value * int64(times)
}

// Reading is what a histogram has counted up to a moment, in the form of Prometheus.
type Reading struct {
	Bounds     []float64 // upper ends of the buckets, in units of the metric
	Cumulative []uint64  // observations up to each of them
	Count      uint64    // all
	Sum        float64   // of all, in units of the metric
}

// Read copies what was counted.
func (h *Histogram) Read() *Reading {
	r := &Reading{Bounds: h.scale.Bounds(), Cumulative: make([]uint64, len(h.scale.bounds)), Sum: float64(h.sum) / float64(h.scale.unit)}
	for i, n := range h.counts {
		r.Count += n
		if i < len(r.Cumulative) {
			r.Cumulative[i] = r.Count
		}
	}
	return r
}

// String tells how many there were, and their mean.
func (r *Reading) String() string {
	return fmt.Sprintf("%d observations, mean %g", r.Count, r.Sum/float64(max(r.Count, 1)))
}
