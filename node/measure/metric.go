package measure

import (
	"fmt"
	"slices"
)

// Kind is how the values of a metric are read.
type Kind int

// The kinds.
const (
	Gauge        Kind = iota // what is now; goes up and down
	Counter                  // what has come since the start; only goes up
	Distribution             // a histogram
)

var kindNames = [...]string{"gauge", "counter", "histogram"}

// String is the word of the text format of Prometheus.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return kindNames[k]
}

// Metric is something that is measured. It never changes, and is known by its address.
type Metric struct {
	Name   string
	Kind   Kind
	Unit   string // of its values, for people: "bytes", "ms", "s"; "" for numbers of things
	Labels []string
	Help   string // one sentence without a full stop
	Scale  *Scale // of a Distribution
}

// String is the name with the labels.
func (m *Metric) String() string { return fmt.Sprintf("%s%v", m.Name, m.Labels) }

// grows reports whether the number of its series depends on what users make.
func (m *Metric) grows() bool {
	return slices.ContainsFunc(m.Labels, func(label string) bool { return label == "topic" || label == "consumer_group" })
}

// Label is a name with its value.
type Label struct{ Name, Value string }

// String is name=value.
func (l Label) String() string { return l.Name + "=" + l.Value }
