package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLabelsOfMetricsAreReadInTheirOrder(t *testing.T) {
	labels, err := MetricsLabels(" room:7 ,, rack:b:2,")
	require.NoError(t, err)
	require.Equal(t, []Label{{"room", "7"}, {"rack", "b:2"}}, labels)
	labels, err = MetricsLabels("")
	require.NoError(t, err)
	require.Empty(t, labels)
	for _, wrong := range []string{"room", "room:", ":7", "7:7", "a-b:7", "__a:7", "cluster:x", "room:1,room:2"} {
		_, err := MetricsLabels(wrong)
		require.Error(t, err, wrong)
	}
}

func TestMetricsAreOffUnlessAskedFor(t *testing.T) {
	m, err := LoadMetrics(Source{})
	require.NoError(t, err)
	require.False(t, m.Enabled())
	require.Equal(t, 5557, m.MetricsPort)
	m, err = LoadMetrics(Source{Name: "the command line", Keys: map[string]string{"metricsExporterType": "PROM", "metricsPromExporterPort": "1", "enableLagAndDlqMetrics": "false"}})
	require.NoError(t, err)
	require.True(t, m.Enabled())
	require.Equal(t, 1, m.MetricsPort)
	_, err = LoadMetrics(Source{Keys: map[string]string{"metricsPromExporterHost": "here"}})
	require.ErrorContains(t, err, "metricsPromExporterHost")
	n, _, err := LoadNameServer(testMachine, Source{})
	require.NoError(t, err)
	require.Equal(t, 5558, n.MetricsPort, "both are often on one machine")
}
