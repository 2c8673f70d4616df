package config

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
)

// Metrics is what can be set of the port by which a process is watched.
type Metrics struct {
	Exporter  string `key:"metricsExporterType" default:"DISABLE" oneof:"DISABLE PROM" important:"yes" doc:"PROM serves /metrics for Prometheus, /healthz and /readyz at a port of its own"`
	Host      string `key:"metricsPromExporterHost" default:"127.0.0.1" doc:"the address that this port listens on; Apache's default is brokerIP1"`
	Labels    string `key:"metricsLabel" doc:"labels that all metrics of the node get, name:value,name:value"`
	SeriesMax int    `key:"metricsOtelCardinalityLimit" default:"10000" range:"100 1000000" doc:"most series of one metric; the others are counted in gantry_metrics_series_left_out; Apache's default is 50000"`
	Profiles  bool   `key:"metricsProfilesEnable" default:"false" doc:"serve /debug/pprof there as well, by which everybody who reaches the port can slow the process down; a key of Gantry's own"`
}

// BrokerMetrics is Metrics with the port of a broker.
type BrokerMetrics struct {
	Metrics
	MetricsPort int `key:"metricsPromExporterPort" default:"5557" range:"0 65535" doc:"TCP port of /metrics; 0 is any free one"`
}

// NameServerMetrics is Metrics with the port of a name server, which is another one: both often run on one machine.
type NameServerMetrics struct {
	Metrics
	MetricsPort int `key:"metricsPromExporterPort" default:"5558" range:"0 65535" doc:"TCP port of /metrics; 0 is any free one; a name server of Apache's has none"`
}

// Enabled reports whether the port is to be opened.
func (m Metrics) Enabled() bool { return m.Exporter == "PROM" }

// Label is a pair of metricsLabel.
type Label struct{ Name, Value string }

// labelName is what Prometheus takes for the name of a label.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// MetricsLabels reads metricsLabel.
func MetricsLabels(text string) (labels []Label, err error) {
	seen := map[string]bool{"cluster": true, "node_type": true, "node_id": true}
	for pair := range strings.SplitSeq(text, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, found := strings.Cut(pair, ":")
		switch {
		case !found || value == "":
			return nil, fmt.Errorf("%q is not name:value", pair)
		case !labelName.MatchString(name) || strings.HasPrefix(name, "__"):
			return nil, fmt.Errorf("%q cannot be the name of a label: use letters, digits and underscores, and no digit first", name)
		case seen[name]:
			return nil, fmt.Errorf("the label %s is there already", name)
		}
		seen[name] = true
		labels = append(labels, Label{name, value})
	}
	return labels, nil
}

// validate finds values that cannot be.
func (m Metrics) validate() error {
	var mistakes []error
	if _, err := MetricsLabels(m.Labels); err != nil {
		mistakes = append(mistakes, fmt.Errorf("metricsLabel: %w", err))
	}
	if net.ParseIP(m.Host) == nil {
		mistakes = append(mistakes, fmt.Errorf("metricsPromExporterHost: %q is not an IP address; 0.0.0.0 is all", m.Host))
	}
	return errors.Join(mistakes...)
}

// LoadMetrics applies a source to the defaults of a broker's port, and checks the result.
func LoadMetrics(source Source) (BrokerMetrics, error) {
	var m BrokerMetrics
	if _, err := read(&m, metricsRules, []Source{source}); err != nil {
		return m, err
	}
	return m, m.validate()
}

// metricsRules are the keys that Apache knows of metrics and that are not honoured.
var metricsRules = rules{
	idle: []idleKeys{
		{"metricsGrpc[A-Z]* metricGrpc[A-Z]* metricLogging[A-Z]* enable*Metrics", "it serves all metrics to Prometheus, and pushes none"},
	},
	promises: []promise{{"metricsInDelta", "false", "Prometheus wants totals since the start"}},
}
