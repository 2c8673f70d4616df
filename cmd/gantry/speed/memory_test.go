package speed_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// What a node's process grows by for each connection of a member of a group that says once that it lives, and then nothing.
func BenchmarkMemoryOf10000IdleConnections(b *testing.B) {
	const connections = 10_000
	for b.Loop() {
		n := start(b)
		before := n.settled(b)
		for i := range connections {
			conn := dial(b, n.broker)
			request := &transport.Request{Code: proto.ReqHeartbeat, Header: noFields{}, Body: (&proto.HeartbeatData{
				ClientID: fmt.Sprintf("10.0.0.1@%d", i), Consumers: []proto.ConsumerData{{Group: fmt.Sprintf("group-%d", i/10), Model: proto.Clustering}},
			}).Marshal()}
			call(b, conn, request)
		}
		b.ReportMetric(float64(n.settled(b)-before)/connections, "B/connection")
		b.ReportMetric(float64(before), "B-at-rest")
	}
}

// noFields is the header of a request without any.
type noFields struct{}

func (noFields) EncodeFields(*wire.Encoder) {}

// What a node's process grows by for each pull that it holds: 50 000 over 100 connections, of 500 queues. Then a message is sent to each
// queue and all of them are answered.
func BenchmarkMemoryOf50000HeldPulls(b *testing.B) {
	const topics, queues, each, connections = 5, 100, 100, 100
	for b.Loop() {
		n := start(b)
		producers := n.producers(b, 1)
		for topic := range topics {
			n.makeTopic(b, fmt.Sprintf("topic-%d", topic), queues)
			sendAll(b, producers, 32, fmt.Sprintf("topic-%d", topic), queues)
		}
		var conns []net.Conn
		for range connections {
			conn := dial(b, n.broker)
			conns = append(conns, conn)
			// Answers are taken, lest the broker waits.
			go func() { _, _ = io.Copy(io.Discard, conn) }()
		}
		before := n.settled(b)
		for i, conn := range conns {
			var all bytes.Buffer
			for q := range topics * queues {
				all.Write(frame(pullRequest(fmt.Sprintf("topic-%d", q/queues), int32(q%queues), 1), int32(i*topics*queues+q)))
			}
			_, err := conn.Write(all.Bytes())
			require.NoError(b, err)
		}
		n.holds(b, topics*queues*each)
		b.ReportMetric(float64(n.settled(b)-before)/(topics*queues*each), "B/pull")
		began := time.Now()
		for topic := range topics {
			sendAll(b, producers, 32, fmt.Sprintf("topic-%d", topic), queues)
		}
		n.holds(b, 0)
		b.ReportMetric(time.Since(began).Seconds()*1000, "ms-to-wake-all")
	}
}
