package promtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAScrapeIsReadAsSeries(t *testing.T) {
	s, err := ReadScrape(strings.NewReader(`# HELP in Messages.
# TYPE in counter
in{topic="a",kind="x"} 3
in{topic="a",kind="y"} 4
in{topic="b",kind="x"} 5
# HELP took Time.
# TYPE took histogram
took_bucket{le="1"} 2
took_bucket{le="+Inf"} 3
took_sum 7
took_count 3
`))
	require.NoError(t, err)
	require.Equal(t, []string{"in", "took_bucket", "took_count", "took_sum"}, s.Names())
	require.Equal(t, []string{"__name__", "kind", "topic"}, s.Labels("in"))
	require.Equal(t, []string{"__name__", "le"}, s.Labels("took_bucket"))
	require.Empty(t, s.Labels("out"))
	sum, found := s.Sum("in", "topic", "a")
	require.InDelta(t, 7, sum, 0)
	require.Equal(t, 2, found)
	require.Contains(t, s.String(), "took_sum")
}

func TestAMetricWithoutHelpIsRefused(t *testing.T) {
	_, err := ReadScrape(strings.NewReader("# TYPE in counter\nin 3\n"))
	require.ErrorContains(t, err, "in has no help text")
}
