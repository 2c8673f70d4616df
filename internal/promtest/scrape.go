package promtest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	dto "github.com/prometheus/client_model/go"
)

// Scrape is what a process told.
type Scrape struct{ series []series }

type series struct {
	name   string
	labels map[string]string
	value  float64
}

// And is what both tell.
func (s *Scrape) And(other *Scrape) *Scrape {
	return &Scrape{series: slices.Concat(s.series, other.series)}
}

// ReadScrape reads the text format. Each metric must have a help text.
func ReadScrape(text io.Reader) (*Scrape, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil, err
	}
	s := &Scrape{}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		family := families[name]
		if family.GetHelp() == "" {
			return nil, fmt.Errorf("%s has no help text", name)
		}
		for _, m := range family.GetMetric() {
			s.add(name, family.GetType(), m)
		}
	}
	return s, nil
}

func (s *Scrape) add(name string, kind dto.MetricType, m *dto.Metric) {
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	switch kind {
	case dto.MetricType_HISTOGRAM:
		h := m.GetHistogram()
		s.series = append(s.series, series{name + "_count", labels, float64(h.GetSampleCount())}, series{name + "_sum", labels, h.GetSampleSum()})
		for _, b := range h.GetBucket() {
			withBound := maps.Clone(labels)
			withBound["le"] = fmt.Sprint(b.GetUpperBound())
			s.series = append(s.series, series{name + "_bucket", withBound, float64(b.GetCumulativeCount())})
		}
	case dto.MetricType_SUMMARY:
		s.series = append(s.series, series{name + "_count", labels, float64(m.GetSummary().GetSampleCount())}, series{name + "_sum", labels, m.GetSummary().GetSampleSum()})
	default:
		// Only one of them is there.
		s.series = append(s.series, series{name, labels, m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()})
	}
}

// Names lists the metrics, and the parts of histograms, sorted.
func (s *Scrape) Names() (names []string) {
	for _, one := range s.series {
		names = append(names, one.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Labels lists those that series of a metric have; nil if there is no such metric.
func (s *Scrape) Labels(metric string) []string {
	seen := map[string]bool{}
	for _, one := range s.series {
		if one.name == metric {
			// order does not matter: sorted below
			for label := range one.labels {
				seen[label] = true
			}
			seen["__name__"] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Sum adds up the series of a metric whose labels have these values, name and value in turn. found is how many there are.
func (s *Scrape) Sum(metric string, labels ...string) (sum float64, found int) {
	for _, one := range s.series {
		matches := one.name == metric
		for i := 0; i+1 < len(labels); i += 2 {
			matches = matches && one.labels[labels[i]] == labels[i+1]
		}
		if matches {
			sum += one.value
			found++
		}
	}
	return sum, found
}

// String shows all series, one on a line.
func (s *Scrape) String() string {
	var text strings.Builder
	for _, one := range s.series {
		fmt.Fprintf(&text, "%s%v %g\n", one.name, one.labels, one.value)
	}
	return text.String()
}
