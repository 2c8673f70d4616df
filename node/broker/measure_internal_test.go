package broker

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// What it costs to count one message on its way in: its type, its counts and its answer. A message takes some microseconds in all.
func BenchmarkMeasureASend(b *testing.B) {
	m := newMeasures(nil, store.DelayLevels())
	header := &proto.SendMessage{Topic: "orders"}
	records := []message.Record{{Topic: []byte("orders"), Properties: []byte("KEYS\x01order-17\x02TAGS\x01paid\x02UNIQ_KEY\x01" +
		"7F0000010A2B18B4AAC2000000000001\x02WAIT\x01true\x02MSG_REGION\x01DefaultRegion\x02TRACE_ON\x01true\x02CLUSTER\x01DefaultCluster\x02")}}
	b.ReportAllocs()
	for range b.N {
		counts := m.sends(header, records)
		m.stored(counts, 1, 300, 100*time.Microsecond)
		m.answered(transport.Answered{Request: proto.ReqSendMessageV2, Took: 100 * time.Microsecond})
	}
}

func TestCountingASendAllocatesNothing(t *testing.T) {
	m := newMeasures(nil, store.DelayLevels())
	header, records := &proto.SendMessage{Topic: "orders"}, []message.Record{{Properties: []byte("KEYS\x01a\x02DELAY\x010\x02")}}
	count := func() {
		m.stored(m.sends(header, records), 1, 300, time.Millisecond)
		m.answered(transport.Answered{Request: proto.ReqSendMessageV2})
		m.synced(time.Millisecond, 300)
	}
	count()
	require.Zero(t, testing.AllocsPerRun(100, count))
	require.EqualValues(t, 102, m.topics["orders"].kinds[normalMessage].messages, "a delay of 0 is none")
}

func TestATopicWithoutRoomIsNotCountedByItself(t *testing.T) {
	m := newMeasures(nil, nil)
	records := make([]message.Record, 1)
	for i := range flowsMax {
		m.sends(&proto.SendMessage{Topic: fmt.Sprint(i)}, records)
	}
	counts := m.sends(&proto.SendMessage{Topic: "more"}, records)
	require.Nil(t, counts.topic)
	m.stored(counts, 1, 1, 0)
	require.EqualValues(t, 1, m.uncounted)
	require.EqualValues(t, 1, m.appends.Read().Count)
	for _, again := range []string{proto.RetryTopic("g"), proto.DeadLetterTopic("g")} {
		require.Nil(t, m.sends(&proto.SendMessage{Topic: again}, records).topic)
	}
	require.EqualValues(t, 1, m.uncounted)
}

// watchedTasks notes for how long a node was held at a time, which is between two turns that Yield gives.
type watchedTasks struct {
	env.Tasks
	since time.Time
	held  []time.Duration
}

func (w *watchedTasks) Yield() {
	w.held = append(w.held, time.Since(w.since))
	w.Tasks.Yield()
	w.since = time.Now()
}

// Groups that have consumed 50 000 queues: how long a visit takes in all, and for how long at a time it holds the node.
func BenchmarkMeasure50000Queues(b *testing.B) {
	world, err := osenv.New(osenv.Options{Node: "broker", Root: b.TempDir()})
	require.NoError(b, err)
	tasks := &watchedTasks{Tasks: world.Tasks}
	e := world.Env
	e.Tasks = tasks
	world.Run(func(env.Env) {
		node := manyQueues(b, e, 50_000)
		node.Measure()
		tasks.held = nil
		for b.Loop() {
			tasks.since = time.Now()
			m := node.Measure()
			require.Equal(b, 50_000, m.lags.count)
		}
		slices.Sort(tasks.held)
		b.ReportMetric(float64(tasks.held[len(tasks.held)/2])/1000, "µs-held")
		b.ReportMetric(float64(tasks.held[len(tasks.held)*999/1000])/1000, "µs-held-99.9%")
		b.ReportMetric(float64(len(tasks.held))/float64(b.N), "turns")
		node.offsets.byKey = map[string]map[int32]int64{}
		require.NoError(b, node.Close())
	})
	world.Wait()
}

// manyQueues starts a broker with a group that has offsets of so many queues. The queues themselves have no messages, so all is in memory.
func manyQueues(b *testing.B, e env.Env, queues int) *Broker {
	b.Helper()
	o := Options{Listen: "127.0.0.1:0", AdvertisedIP: netip.MustParseAddr("127.0.0.1"), Store: store.Options{LogSegmentSize: 8 << 20}}
	node, err := New(e, o)
	require.NoError(b, err)
	require.NoError(b, node.Start())
	node.groups.byName["g"] = newGroupConfig("g")
	for t := range queues / 10 {
		topic := proto.NewTopicConfig(fmt.Sprint("topic-", t))
		topic.ReadQueues, topic.WriteQueues = 10, 10
		node.topics.byName[topic.Name] = &topic
		for q := range int32(10) {
			node.offsets.set("g", topic.Name, q, 0)
		}
	}
	return node
}
