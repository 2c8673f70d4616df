package monitor

import (
	"context"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/measure"
	"github.com/prometheus/client_golang/prometheus"
)

// collector hands the snapshots of all nodes to the library. It is made for one scrape.
type collector struct {
	ctx      context.Context
	subjects []*Subject
	more     []measure.Label
	describe map[*measure.Metric]*prometheus.Desc
}

// Describe says nothing beforehand: which metrics there are differs from node to node.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect visits the nodes, one after the other.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	for _, subject := range c.subjects {
		snapshot, err := subject.snapshot(c.ctx)
		if err != nil {
			out <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), fmt.Errorf("%s: %w", subject, err))
			continue
		}
		c.collect(snapshot, out)
	}
}

func (c *collector) collect(s *measure.Snapshot, out chan<- prometheus.Metric) {
	common := append(slices.Clone(s.Common), c.more...)
	c.describe = map[*measure.Metric]*prometheus.Desc{}
	for i := range s.Samples {
		out <- c.metric(common, &s.Samples[i])
	}
	// order does not matter: the library sorts
	for m, count := range s.LeftOut {
		out <- c.metric(common, &measure.Sample{Metric: measure.LeftOut, Labels: []string{m.Name}, Value: float64(count)})
	}
}

// metric is a sample in the library's form. A value that it does not take makes the scrape fail with a sentence that names it.
func (c *collector) metric(common []measure.Label, s *measure.Sample) prometheus.Metric {
	desc := c.describe[s.Metric]
	if desc == nil {
		desc = description(s.Metric, common)
		c.describe[s.Metric] = desc
	}
	var metric prometheus.Metric
	var err error
	if s.Reading == nil {
		metric, err = prometheus.NewConstMetric(desc, valueTypes[s.Metric.Kind], s.Value, s.Labels...)
	} else {
		buckets := map[float64]uint64{}
		for i, bound := range s.Reading.Bounds {
			buckets[bound] = s.Reading.Cumulative[i]
		}
		metric, err = prometheus.NewConstHistogram(desc, s.Reading.Count, s.Reading.Sum, buckets, s.Labels...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(desc, fmt.Errorf("%v: %w", s, err))
	}
	return metric
}

var valueTypes = map[measure.Kind]prometheus.ValueType{measure.Gauge: prometheus.GaugeValue, measure.Counter: prometheus.CounterValue}

// description leaves out common labels without a value, as Prometheus does anyway.
func description(m *measure.Metric, common []measure.Label) *prometheus.Desc {
	labels := prometheus.Labels{}
	for _, l := range common {
		if l.Value != "" {
			labels[l.Name] = l.Value
		}
	}
	return prometheus.NewDesc(m.Name, m.Help, m.Labels, labels)
}
