package measure

import (
	"cmp"
	"fmt"
	"slices"
)

// Sample is one series at one moment.
type Sample struct {
	Metric  *Metric
	Labels  []string // values, in the order of Metric.Labels
	Value   float64  // unless the metric is a Distribution
	Reading *Reading // if it is
	// Weight says how much the sample matters where not all can be kept.
	Weight float64
}

// String is a line like those of the text format.
func (s Sample) String() string {
	if s.Reading != nil {
		return fmt.Sprintf("%s%v %v", s.Metric.Name, s.Labels, s.Reading)
	}
	return fmt.Sprintf("%s%v %g", s.Metric.Name, s.Labels, s.Value)
}

// Snapshot is what a node measured up to a moment.
type Snapshot struct {
	Common  []Label // labels that all samples have besides their own
	Samples []Sample
	LeftOut map[*Metric]int // samples that Limit dropped
}

// Add adds a value with the values of the metric's labels.
func (s *Snapshot) Add(m *Metric, value float64, labels ...string) {
	s.Samples = append(s.Samples, Sample{Metric: m, Labels: labels, Value: value})
}

// AddWeighed is Add for samples of which those with the greatest weight are kept, if not all can be.
func (s *Snapshot) AddWeighed(weight float64, m *Metric, value float64, labels ...string) {
	s.Samples = append(s.Samples, Sample{Metric: m, Labels: labels, Value: value, Weight: weight})
}

// AddReading adds what a histogram has counted.
func (s *Snapshot) AddReading(m *Metric, r *Reading, labels ...string) {
	s.Samples = append(s.Samples, Sample{Metric: m, Labels: labels, Reading: r})
}

// AddFlag adds 1 for true and 0 for false.
func (s *Snapshot) AddFlag(m *Metric, is bool, labels ...string) {
	value := 0.0
	if is {
		value = 1
	}
	s.Add(m, value, labels...)
}

// Limit sorts the samples by metric and leaves at most so many of each: those of the greatest weight, and among equals those whose labels come
// first, so that the same ones stay from time to time. The rest is counted in LeftOut, which has a zero for metrics of topics and
// groups of which all is there.
func (s *Snapshot) Limit(seriesMax int) {
	slices.SortStableFunc(s.Samples, func(a, b Sample) int {
		return cmp.Or(cmp.Compare(a.Metric.Name, b.Metric.Name), cmp.Compare(b.Weight, a.Weight), slices.Compare(a.Labels, b.Labels))
	})
	s.LeftOut = map[*Metric]int{}
	kept, run := s.Samples[:0], 0
	var metric *Metric
	for _, sample := range s.Samples {
		if sample.Metric != metric {
			metric, run = sample.Metric, 0
			if sample.Metric.grows() {
				s.LeftOut[sample.Metric] = 0
			}
		}
		if run++; run > seriesMax {
			s.LeftOut[sample.Metric]++
			continue
		}
		kept = append(kept, sample)
	}
	s.Samples = kept
}

// String tells how much there is.
func (s *Snapshot) String() string { return fmt.Sprintf("%d samples of %v", len(s.Samples), s.Common) }
