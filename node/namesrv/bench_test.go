package namesrv

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// installation is a table of brokers that all have the same topics.
func installation(b *testing.B, brokers, topics int) (*table, []*registration) {
	b.Helper()
	t := newTable(DefaultLimits())
	var all []*registration
	for i := range brokers {
		r := &registration{
			cluster: "c", brokerName: fmt.Sprintf("broker-%02d", i), address: fmt.Sprintf("10.0.0.%d:10911", i+1),
			liveFor: time.Minute, connection: uint64(i + 1),
		}
		for n := range topics {
			r.table.Topics = append(r.table.Topics, proto.NewTopicConfig(fmt.Sprintf("topic-%05d", n)))
		}
		if _, err := t.register(r, 1); err != nil {
			b.Fatal(err)
		}
		all = append(all, r)
	}
	return t, all
}

func BenchmarkRouteOfEightBrokers(b *testing.B) {
	t, _ := installation(b, 8, 1000)
	b.ReportAllocs()
	for b.Loop() {
		route, _ := t.route("topic-00500", false)
		_ = route.Marshal(proto.FormStrict)
	}
}

func BenchmarkRegisterTenThousandTopicsAgain(b *testing.B) {
	t, all := installation(b, 8, 10_000)
	now := env.Instant(1)
	b.ReportAllocs()
	for b.Loop() {
		now++
		if _, err := t.register(all[3], now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLossOfABrokerWithTenThousandTopics(b *testing.B) {
	t, all := installation(b, 8, 10_000)
	for b.Loop() {
		t.connectionClosed(all[3].connection)
		if _, err := t.register(all[3], 1); err != nil {
			b.Fatal(err)
		}
	}
}
