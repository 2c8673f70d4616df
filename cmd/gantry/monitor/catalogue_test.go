package monitor_test

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/cmd/gantry/monitor"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/controller"
	"github.com/gantrymq/gantry/node/measure"
	"github.com/gantrymq/gantry/node/namesrv"
	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "write METRICS.md anew")

var metricSections = []monitor.Section{
	{Title: "Every node", Metrics: append(measure.Shared(), monitor.Process()...)},
	{Title: "Brokers", Metrics: broker.Metrics()},
	{Title: "Name servers", Metrics: namesrv.Metrics()},
	{Title: "Controllers", Metrics: controller.Metrics()},
}

func TestThePageOfMetricsIsThatOfTheLists(t *testing.T) {
	const path = "../METRICS.md"
	text := monitor.Document(metricSections...)
	if *rewrite {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, text, string(written), "the metrics have changed: run make rewrite")
}

func TestMetricsAreNamedAsPrometheusWants(t *testing.T) {
	name, seen := regexp.MustCompile(`^(rocketmq|gantry)_[a-z0-9_]+$`), map[string]*measure.Metric{}
	for _, section := range metricSections {
		for _, m := range section.Metrics {
			require.Regexp(t, name, m.Name)
			require.True(t, seen[m.Name] == nil || seen[m.Name] == m, "%s is there twice", m.Name)
			seen[m.Name] = m
			require.NotEmpty(t, m.Help, m.Name)
			require.NotRegexp(t, `\.$|\|`, m.Help, m.Name)
			require.Equal(t, m.Kind == measure.Counter, strings.HasSuffix(m.Name, "_total"), m.Name)
			require.Equal(t, m.Kind == measure.Distribution, m.Scale != nil, m.Name)
			if strings.HasPrefix(m.Name, "gantry_") && m.Unit == "s" {
				require.Regexp(t, `_seconds$`, m.Name)
			}
		}
	}
}
