package monitor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/node/measure"
)

var buildMetric = &measure.Metric{Name: "gantry_build_info", Kind: measure.Gauge, Labels: []string{"version", "revision", "goversion"},
	Help: "Always 1; the labels tell what runs"}

// Process lists the metrics of the process besides those that the Prometheus library has of the Go runtime (go_) and the process (process_).
func Process() []*measure.Metric { return []*measure.Metric{buildMetric} }

// Section is a part of the page of metrics.
type Section struct {
	Title   string
	Metrics []*measure.Metric
}

// Document is the text of METRICS.md. What several sections have is told in the first of them only.
func Document(sections ...Section) string {
	var text strings.Builder
	text.WriteString(`# Metrics

Made from the lists in node/broker, node/namesrv, node/controller and cmd/gantry/monitor by ` + "`make rewrite`" + `; do not edit.

` + "`--metricsExporterType PROM`" + ` serves them at ` + "`/metrics`" + `. Those that begin with ` + "`rocketmq_`" + ` have the names, units and labels of RocketMQ 5; the others are
Gantry's own. A histogram ` + "`x`" + ` is ` + "`x_bucket`, `x_sum` and `x_count`" + `. Besides its own labels each metric of a node has ` + "`cluster`, `node_type`" + ` (broker, namesrv, controller) and
` + "`node_id`" + ` (the name of the broker, the address of the name server, the id of the controller), and those of the key metricsLabel.
`)
	told := map[*measure.Metric]bool{}
	for _, section := range sections {
		fmt.Fprintf(&text, "\n## %s\n\n| metric | kind | unit | labels | meaning |\n| --- | --- | --- | --- | --- |\n", section.Title)
		for _, m := range section.Metrics {
			if !told[m] {
				told[m] = true
				fmt.Fprintf(&text, "| `%s` | %v | %s | %s | %s |\n", m.Name, m.Kind, m.Unit, strings.Join(m.Labels, ", "), m.Help)
			}
		}
	}
	return text.String()
}

// Names lists the metrics of sections by name, sorted.
func Names(sections ...Section) (names []string) {
	for _, section := range sections {
		for _, m := range section.Metrics {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
