package monitor

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gantrymq/gantry/internal/promtest"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/measure"
	"github.com/stretchr/testify/require"
)

// fake is a node whose state a test sets.
type fake struct {
	notReady atomic.Pointer[string]
	broken   atomic.Bool
}

var (
	lag  = &measure.Metric{Name: "lag_messages", Labels: []string{"topic"}, Help: "Messages behind"}
	took = &measure.Metric{Name: "took_seconds", Kind: measure.Distribution, Scale: measure.NewScale(1, 1, 2), Help: "Time"}
)

func (f *fake) Snapshot() *measure.Snapshot {
	s := &measure.Snapshot{Common: []measure.Label{{Name: "cluster"}, {Name: "node_id", Value: "a"}}}
	for _, topic := range []string{"x", "y", "z"} {
		s.Add(lag, 3, topic)
	}
	h := measure.NewHistogram(took.Scale)
	h.Observe(2)
	s.AddReading(took, h.Read())
	s.Limit(2)
	return s
}

func (f *fake) NotReady() string {
	if why := f.notReady.Load(); why != nil {
		return *why
	}
	return ""
}

func (f *fake) Broken() error {
	if f.broken.Load() {
		return errors.New("the log is fenced")
	}
	return nil
}

func open(t *testing.T, options Options, nodes ...Node) *Server {
	t.Helper()
	options.Listen = "127.0.0.1:0"
	s, err := New(options, nodes...)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

func get(t *testing.T, s *Server, path string) (code int, text string) {
	t.Helper()
	response, err := http.Get("http://" + s.Addr().String() + path)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func requireAnswer(t *testing.T, s *Server, path string, code int, text string) {
	t.Helper()
	got, said := get(t, s, path)
	require.Equal(t, code, got, said)
	require.Equal(t, text+"\n", said)
}

func TestANodeThatStartsIsHealthyAndNotReady(t *testing.T) {
	s := open(t, Options{}, Node{Name: "broker"}, Node{Name: "name server"})
	requireAnswer(t, s, "/healthz", 200, "ok")
	requireAnswer(t, s, "/readyz", 503, "the broker is starting\nthe name server is starting")
	s.Subject("broker").Starting(func() string { return "1 of 2 bytes" })
	s.Subject("name server").Serves(&fake{})
	requireAnswer(t, s, "/readyz", 503, "1 of 2 bytes")
	s.Subject("broker").Serves(&fake{})
	requireAnswer(t, s, "/readyz", 200, "ok")
	s.Subject("broker").Stops()
	requireAnswer(t, s, "/readyz", 503, "the broker is shutting down")
	requireAnswer(t, s, "/healthz", 200, "ok")
}

func TestANodeSaysWhyItIsNotReadyOrBroken(t *testing.T) {
	s, node := open(t, Options{}, Node{Name: "broker"}), &fake{}
	s.Subject("broker").Serves(node)
	why := "the disk is full"
	node.notReady.Store(&why)
	requireAnswer(t, s, "/readyz", 503, why)
	requireAnswer(t, s, "/healthz", 200, "ok")
	node.broken.Store(true)
	requireAnswer(t, s, "/healthz", 503, "broker: the log is fenced")
}

func TestAScrapeShowsNodesAndTheProcess(t *testing.T) {
	s := open(t, Options{Version: "v1", Labels: []measure.Label{{Name: "room", Value: "7"}}}, Node{"broker", []measure.Label{{Name: "node_id", Value: "a"}}})
	_, text := get(t, s, "/metrics")
	require.NotContains(t, text, "lag_messages", "it does not serve yet")
	require.Contains(t, text, `gantry_ready{node_id="a",room="7"} 0`)
	s.Subject("broker").Serves(&fake{})
	_, text = get(t, s, "/metrics")
	require.Contains(t, text, "# HELP lag_messages Messages behind\n# TYPE lag_messages gauge\nlag_messages{node_id=\"a\",room=\"7\",topic=\"x\"} 3\n")
	require.Contains(t, text, `took_seconds_bucket{node_id="a",room="7",le="1"} 0`+"\n"+`took_seconds_bucket{node_id="a",room="7",le="2"} 1`)
	scrape, err := promtest.ReadScrape(strings.NewReader(text))
	require.NoError(t, err)
	left, found := scrape.Sum("gantry_metrics_series_left_out", "metric", "lag_messages")
	require.Equal(t, 1, found)
	require.InDelta(t, 1, left, 0)
	_, found = scrape.Sum("gantry_build_info", "version", "v1")
	require.Equal(t, 1, found)
	require.Contains(t, scrape.Names(), "go_goroutines")
}

func TestProfilesAreServedOnlyIfAskedFor(t *testing.T) {
	code, _ := get(t, open(t, Options{}), "/debug/pprof/")
	require.Equal(t, 404, code)
	s := open(t, Options{Profiles: true})
	code, text := get(t, s, "/debug/pprof/")
	require.Equal(t, 200, code)
	require.Contains(t, text, "goroutine")
	_, text = get(t, s, "/")
	require.Contains(t, text, "/debug/pprof/")
}

func TestOnlyGetIsServed(t *testing.T) {
	s := open(t, Options{})
	response, err := http.Post("http://"+s.Addr().String()+"/metrics", "", nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 405, response.StatusCode)
	code, _ := get(t, s, "/elsewhere")
	require.Equal(t, 404, code)
}

func TestAPortThatIsTakenIsSaidToBe(t *testing.T) {
	s := open(t, Options{})
	_, err := New(Options{Listen: s.Addr().String()})
	require.ErrorIs(t, err, env.ErrAddressInUse)
	require.ErrorContains(t, err, s.Addr().String())
}

func TestAProcessThatIsNotWatchedHasNothingToTell(t *testing.T) {
	var s *Server
	require.Nil(t, s.Subject("broker"))
	s.Subject("broker").Starting(func() string { return "" })
	s.Subject("broker").Serves(&fake{})
	s.Subject("broker").Stops()
	require.NoError(t, s.Close())
}
