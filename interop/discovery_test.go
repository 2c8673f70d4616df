//go:build interop

package interop_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireRoundTrip sends a message through a peer's producer and receives it through its consumer.
func requireRoundTrip(t *testing.T, p *peer, s settings, topic string) {
	t.Helper()
	producer := p.producer(t, s)
	said := producer.mustSend(t, order{Topic: topic, Tag: "found", Body: []byte("I found it")})[0]
	consumer := p.consumer(t, s.of(topic, ""))
	eventually(t, "the delivery of what was sent", func() bool {
		return slices.ContainsFunc(consumer.look(t), func(d delivery) bool { return d.OffsetID == said.OffsetID })
	})
	producer.finish(t)
	consumer.finish(t)
}

func TestTheyNeedOneNameServerOfAList(t *testing.T) {
	withEachPeer(t, testNameServerList, rowDiscovery)
}

func testNameServerList(t *testing.T, p *peer) {
	c := startCluster(t, 2)
	c.makeTopic(t, "theirs", 2)
	requireRoundTrip(t, p, c.settings("all"), "theirs")
	c.names[0].Kill()
	requireRoundTrip(t, p, c.settings("second-only"), "theirs")
}

func TestTheyAskAnEndpointForNameServers(t *testing.T) { withEachPeer(t, testEndpoint, rowDiscovery) }

func testEndpoint(t *testing.T, p *peer) {
	c := startCluster(t, 2)
	c.makeTopic(t, "theirs", 2)
	var asked atomic.Int32
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, strings.Join(c.addresses, ";"))
	}))
	t.Cleanup(endpoint.Close)
	s := settings{Endpoint: endpoint.URL + "/rocketmq/nsaddr", Group: "all"}
	requireRoundTrip(t, p, s, "theirs")
	require.Positive(t, asked.Load())
	c.names[0].Kill()
	s.Group = "second-only"
	requireRoundTrip(t, p, s, "theirs")
}
