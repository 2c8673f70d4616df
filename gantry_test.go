package gantry

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestNameServersComeFromTheEnvironmentIfNoOptionNamesThem(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	t.Setenv(EnvironmentNameServers, "one:1;two:2")
	ctx := context.Background()
	a, err := NewAdmin()
	require.NoError(t, err)
	list, err := a.NameServers(ctx)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"one:1", "two:2"}, list)
	require.NoError(t, a.Close(ctx))

	a, err = NewAdmin(client.WithNameServers("three:3"))
	require.NoError(t, err)
	list, err = a.NameServers(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"three:3"}, list)
	require.NoError(t, a.Close(ctx))
}

func TestWithoutNameServersNothingStarts(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	t.Setenv(EnvironmentNameServers, "")
	_, err := NewProducer(client.WithGroup("g"))
	require.ErrorIs(t, err, client.ErrOption)
	_, err = NewPullConsumer(client.WithGroup("g"))
	require.ErrorContains(t, err, EnvironmentNameServers)
	_, err = NewAdmin()
	require.ErrorIs(t, err, client.ErrOption)
}

func TestProducersAndConsumersStartAndStopWithoutAServer(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	t.Setenv(EnvironmentNameServers, "127.0.0.1:1")
	ctx := context.Background()
	p, err := NewProducer(client.WithGroup("g"))
	require.NoError(t, err)
	_, err = p.Send(ctx, NewMessage("t", []byte("x")))
	require.ErrorIs(t, err, client.ErrNoNameServer)
	require.NoError(t, p.Close(ctx))
	c, err := NewPullConsumer(client.WithGroup("g"))
	require.NoError(t, err)
	_, err = c.Queues(ctx, "t")
	require.ErrorIs(t, err, client.ErrNoNameServer)
	require.NoError(t, c.Close(ctx))
}

func TestAnEndpointIsAskedForNameServers(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	answer := func(status int, text string) (list []string, err error) {
		endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		}))
		defer endpoint.Close()
		return HTTPResolver{URL: endpoint.URL}.Resolve()
	}
	list, err := answer(200, "\n one:1;two:2 \r\nthree:3\n")
	require.NoError(t, err)
	require.Equal(t, []string{"one:1;two:2"}, list, "only the first line counts")
	_, err = answer(404, "one:1")
	require.ErrorContains(t, err, "404")
	_, err = HTTPResolver{URL: "http://127.0.0.1:1/"}.Resolve()
	require.ErrorContains(t, err, "ask for name servers")
}

func TestASlowEndpointIsGivenUp(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	release := make(chan bool)
	endpoint := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer endpoint.Close()
	defer close(release)
	_, err := HTTPResolver{URL: endpoint.URL, Timeout: 20 * time.Millisecond}.Resolve()
	require.Error(t, err)
}

func TestTheAddressOthersKnowIsChosen(t *testing.T) {
	for name, choice := range map[string]struct{ addresses, want string }{
		"the first public one":         {"127.0.0.1 10.0.0.5 8.8.8.8 9.9.9.9", "8.8.8.8"},
		"else the last private one":    {"127.0.0.1 10.0.0.5 192.168.1.7 2001:db8::1", "192.168.1.7"},
		"else IPv6, public ones first": {"::1 fe80::1 fd00::1 2001:db8::1 2001:db8::2", "2001:db8::1"},
		"else any IPv6":                {"::1 fd00::1 fd00::2", "fd00::1"},
	} {
		require.Equal(t, choice.want, chooseAddress(parse(choice.addresses)).String(), name)
	}
	require.False(t, chooseAddress(parse("127.0.0.1 ::1")).IsValid())
}

func parse(list string) []netip.Addr {
	var addresses []netip.Addr
	for text := range strings.FieldsSeq(list) {
		addresses = append(addresses, netip.MustParseAddr(text))
	}
	return addresses
}

func TestOffsetsOfBroadcastingHaveADirectory(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	t.Setenv(EnvironmentNameServers, "127.0.0.1:1")
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "offsets")
	t.Setenv(EnvironmentOffsets, dir)
	c, err := NewPushConsumer(client.WithGroup("g"), client.WithSubscription("t", client.Tags("*")))
	require.NoError(t, err)
	require.NoDirExists(t, dir, "only for broadcasting")
	require.ErrorIs(t, c.Start(ctx), client.ErrNoNameServer)
	require.NoError(t, c.Close(ctx))
	c, err = NewPushConsumer(client.WithGroup("g"), client.WithModel(client.Broadcasting))
	require.NoError(t, err)
	require.DirExists(t, dir)
	require.NoError(t, c.Close(ctx))

	t.Setenv(EnvironmentOffsets, "")
	t.Setenv("HOME", dir)
	c, err = NewPushConsumer(client.WithGroup("g"), client.WithModel(client.Broadcasting))
	require.NoError(t, err)
	require.DirExists(t, filepath.Join(dir, ".rocketmq_offsets"))
	require.NoError(t, c.Close(ctx))
}

func TestALitePullConsumerHasADirectoryForOffsetsOfBroadcastingToo(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	t.Setenv(EnvironmentNameServers, "127.0.0.1:1")
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "offsets")
	t.Setenv(EnvironmentOffsets, dir)
	c, err := NewLitePullConsumer(client.WithGroup("g"))
	require.NoError(t, err)
	require.NoDirExists(t, dir)
	require.ErrorIs(t, c.Assign(ctx, Queue{Topic: "t", BrokerName: "b"}), client.ErrNoNameServer)
	require.NoError(t, c.Close(ctx))
	c, err = NewLitePullConsumer(client.WithGroup("g"), client.WithModel(client.Broadcasting))
	require.NoError(t, err)
	require.DirExists(t, dir)
	require.NoError(t, c.Close(ctx))
}
