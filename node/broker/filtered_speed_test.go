package broker_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// loopback is a broker on this machine, with real disk and network, and a client.
type loopback struct {
	client  *osenv.World
	network *transport.Client
	address string
}

func newLoopback(b *testing.B) *loopback {
	b.Helper()
	server, err := osenv.New(osenv.Options{Node: "broker", Root: b.TempDir()})
	require.NoError(b, err)
	l := &loopback{}
	l.client, err = osenv.New(osenv.Options{Node: "client"})
	require.NoError(b, err)
	var node *broker.Broker
	server.Run(func(e env.Env) {
		node, err = broker.New(e, broker.Options{
			AdvertisedIP: netip.MustParseAddr("127.0.0.1"), Listen: "127.0.0.1:0", Store: store.Options{Flush: store.AsyncFlush},
		})
		if err == nil {
			err = node.Start()
		}
	})
	require.NoError(b, err)
	l.address = node.Address().String()
	l.client.Run(func(e env.Env) { l.network = transport.NewClient(e, transport.ClientOptions{}) })
	b.Cleanup(func() {
		l.client.Run(func(env.Env) { l.network.Close() })
		server.Run(func(env.Env) { require.NoError(b, node.Close()) })
		l.client.Wait()
		server.Wait()
	})
	return l
}

// fill sends messages with a property n, which counts up to 99 and begins again, and a body of 1 KiB.
func (l *loopback) fill(b *testing.B, messages int) {
	b.Helper()
	body := string(make([]byte, 1<<10))
	l.client.Run(func(env.Env) {
		for n := range messages {
			request := sendRequest("orders", 0, body, fmt.Sprintf("KEYS\x01order-%d\x02TAGS\x01t%d\x02region\x01north\x02n\x01%d\x02", n, n%100, n%100))
			response, err := l.network.Call(nil, l.address, request, 10*time.Second)
			require.NoError(b, err)
			require.EqualValues(b, proto.RespSuccess, response.Code, response.Remark)
		}
	})
}

// BenchmarkFilteredPull walks through a queue again and again. An operation is a pull; "looked/s" are the messages that were passed or
// brought.
func BenchmarkFilteredPull(b *testing.B) {
	const messages = 5000
	l := newLoopback(b)
	l.fill(b, messages)
	for _, c := range []struct {
		name    string
		request *transport.Request
	}{
		{"everything", pullRequest("orders", 0, 0, 0, "*")},
		{"one tag of 100", pullRequest("orders", 0, 0, 0, "t7")},
		{"SQL, all match", sqlPull("orders", 0, 0, "region = 'north' AND n >= 0")},
		{"SQL, half", sqlPull("orders", 0, 0, "region = 'north' AND n >= 50")},
		{"SQL, one of 100", sqlPull("orders", 0, 0, "region = 'north' AND n = 7")},
	} {
		b.Run(c.name, func(b *testing.B) {
			header := c.request.Header.(*proto.PullMessage)
			header.QueueOffset = 0
			looked := int64(0)
			b.ReportAllocs()
			l.client.Run(func(env.Env) {
				for b.Loop() {
					response, err := l.network.Call(nil, l.address, c.request, 10*time.Second)
					require.NoError(b, err)
					before := header.QueueOffset
					_, err = fmt.Sscan(next(response), &header.QueueOffset)
					require.NoError(b, err)
					looked += header.QueueOffset - before
					if header.QueueOffset >= messages {
						header.QueueOffset = 0
					}
				}
			})
			b.ReportMetric(float64(looked)/b.Elapsed().Seconds(), "looked/s")
		})
	}
}
