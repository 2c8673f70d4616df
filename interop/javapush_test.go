//go:build interop

package interop_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/stretchr/testify/require"
)

func testJavaDelay(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "delay", 2)
	consumer := b.other.begin(t, b.servers, "push", callWords{"group": "delay", "topic": topic}).ready(t)
	b.mustSend(t, sendWords(topic, "sync", callWords{"body": []byte("1"), "delay": 1}, callWords{"body": []byte("2"), "delay": 2}, callWords{"body": []byte("0")}))
	for _, d := range consumer.await(t, 3) {
		var seconds int64
		_, err := fmt.Sscan(string(d.Body), &seconds)
		require.NoError(t, err)
		// The broker and the sender read the same clock. The delivery may be late when the machine is busy.
		require.GreaterOrEqual(t, d.From-d.BornAt, seconds*1000-50)
		require.Less(t, d.From-d.BornAt, seconds*1000+15_000)
	}
	consumer.stop(t)
}

func testJavaPush(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "push", 4)
	words := func() callWords { return callWords{"group": "push", "topic": topic} }
	consumer := b.other.begin(t, b.servers, "push", words()).ready(t)
	messages := numbered("push", 200)
	b.mustSend(t, sendWords(topic, "async", messages...))
	consumer.await(t, len(messages))
	second := b.one.begin(t, b.servers, "push", words()).ready(t)
	sent := len(messages)
	eventually(t, "the second member gets messages too", func() bool {
		b.mustSend(t, sendWords(topic, "async", numbered("shared", 16)...))
		sent += 16
		return len(second.deliveries(t)) > 0
	})
	eventually(t, "all messages are delivered", func() bool {
		return len(uniqueIDs(consumer.deliveries(t), second.deliveries(t))) == sent
	})
	require.Equal(t, texts(messages), bodiesSeen(consumer.deliveries(t))[:len(messages)])
	consumer.stop(t)
	second.stop(t)
}

// uniqueIDs are those of all deliveries, each once.
func uniqueIDs(lists ...[]received) map[string]int {
	ids := map[string]int{}
	for _, d := range slices.Concat(lists...) {
		ids[d.UniqueID]++
	}
	return ids
}

func testJavaOrderly(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "orderly", 4)
	words := func() callWords {
		return callWords{"group": "orderly", "topic": topic, "orderly": true, "sleep": 5}
	}
	first := b.one.begin(t, b.servers, "push", words()).ready(t)
	b.mustSend(t, sendWords(topic, "ordered", keyed(8, 20)...))
	first.await(t, 20)
	// The other joins while the first is at work.
	second := b.other.begin(t, b.servers, "push", words()).ready(t)
	sent := 8 * 20
	eventually(t, "the second member gets messages too", func() bool {
		b.mustSend(t, sendWords(topic, "ordered", keyed(8, 5)...))
		sent += 8 * 5
		return len(second.deliveries(t)) > 0
	})
	eventually(t, "all messages are delivered", func() bool {
		return len(uniqueIDs(first.deliveries(t), second.deliveries(t))) == sent
	})
	first.stop(t)
	second.stop(t)
	requireOneAtATime(t, slices.Concat(first.deliveries(t), second.deliveries(t)))
}

// requireOneAtATime demands of each queue that no two messages of it were consumed at the same time, in whatever
// process, and that each new message came after those before it.
func requireOneAtATime(t *testing.T, all []received) {
	t.Helper()
	slices.SortStableFunc(all, func(a, b received) int { return int(a.From - b.From) })
	last := map[gantry.Queue]received{}
	for _, d := range all {
		queue := gantry.Queue{Topic: d.Topic, BrokerName: d.Broker, QueueID: d.Queue}
		before, found := last[queue]
		if found {
			require.GreaterOrEqual(t, d.From, before.Until, "%s: %d began before %d ended", queue, d.Offset, before.Offset)
			require.LessOrEqual(t, d.Offset, before.Offset+1, "%s leaves messages out", queue)
		} else {
			require.Zero(t, d.Offset, "%s leaves messages out", queue)
		}
		last[queue] = d
	}
}

func testJavaRetry(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "retry", 2)
	consumer := b.other.begin(t, b.servers, "push", callWords{"group": "retry", "topic": topic, "failures": 9, "maxReconsume": 2}).ready(t)
	messages := numbered("retry", 3)
	said := b.mustSend(t, sendWords(topic, "sync", messages...))
	dead := b.awaitStored(t, "%DLQ%retry", 3)
	require.Equal(t, texts(messages), bodies(dead))
	for _, m := range dead {
		require.Equal(t, topic, m.Properties.Get("RETRY_TOPIC"))
		require.True(t, slices.ContainsFunc(said, func(o outcome) bool { return o.UniqueID == m.UniqueID() }))
	}
	consumer.stop(t)
	tries := map[string][]int32{}
	for _, d := range consumer.deliveries(t) {
		require.Equal(t, topic, d.Topic, "the client shows the topic that it was sent to")
		tries[d.UniqueID] = append(tries[d.UniqueID], d.Redeliveries)
	}
	for id, redeliveries := range tries {
		require.Equal(t, []int32{0, 1, 2}, redeliveries, id)
	}
}

// testJavaOrderlyRetry: an orderly consumer tries again by itself, and sends the message to the dead letters at last.
func testJavaOrderlyRetry(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "orderly-retry", 1)
	consumer := b.other.begin(t, b.servers, "push", callWords{"group": "orderly-retry", "topic": topic, "orderly": true, "failures": 9, "maxReconsume": 2}).ready(t)
	b.mustSend(t, sendWords(topic, "ordered", keyed(1, 1)...))
	require.Equal(t, []string{"0 0"}, bodies(b.awaitStored(t, "%DLQ%orderly-retry", 1)))
	consumer.stop(t)
	require.Len(t, consumer.deliveries(t), 3)
}

func testJavaBroadcast(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "broadcast", 4)
	words := func() callWords { return callWords{"group": "broadcast", "topic": topic, "broadcast": true} }
	one, other := b.one.begin(t, b.servers, "push", words()).ready(t), b.other.begin(t, b.servers, "push", words()).ready(t)
	messages := numbered("broadcast", 40)
	b.mustSend(t, sendWords(topic, "sync", messages...))
	require.Equal(t, texts(messages), bodiesSeen(one.await(t, 40)))
	require.Equal(t, texts(messages), bodiesSeen(other.await(t, 40)))
	one.stop(t)
	other.stop(t)
}

func testJavaTags(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "tags", 2)
	messages := numbered("tags", 60)
	for i := range messages {
		// "Aa" and "BB" have the same hash.
		messages[i]["tag"] = []string{"red", "Aa", "BB", "blue", "größe", ""}[i%6]
	}
	b.mustSend(t, sendWords(topic, "sync", messages...))
	consumer := b.other.begin(t, b.servers, "push", callWords{"group": "tags", "topic": topic, "expression": "red || Aa||größe"})
	consumer.await(t, 30)
	consumer.stop(t)
	count := map[string]int{}
	for _, d := range consumer.deliveries(t) {
		count[d.Tag]++
	}
	require.Equal(t, map[string]int{"red": 10, "Aa": 10, "größe": 10}, count)
}

func testJavaSQL(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "sql", 2)
	messages := numbered("sql", 40)
	for i := range messages {
		messages[i]["tag"] = []string{"a", "b"}[i%2]
		messages[i]["properties"] = map[string]string{"n": fmt.Sprint(i), "colour": []string{"red", "blue"}[i/20]}
	}
	b.mustSend(t, sendWords(topic, "sync", messages...))
	consumer := b.other.begin(t, b.servers, "push", callWords{"group": "sql", "topic": topic, "sql": sqlFilter})
	seen := consumer.await(t, 5)
	consumer.stop(t)
	require.Equal(t, sqlPassed, bodiesSeen(seen))
	require.Len(t, consumer.deliveries(t), 5)
	// What cannot be parsed is refused, and the client says so.
	broken := b.other.begin(t, b.servers, "push", callWords{"group": "sql-broken", "topic": topic, "sql": "n >"})
	eventually(t, "the refusal", func() bool { broken.look(t); return broken.trouble != "" || len(broken.events) > 0 })
	require.Contains(t, broken.trouble, "CODE: 23", "SUBSCRIPTION_PARSE_FAILED")
}

func testJavaReset(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "reset", 2)
	consumer := b.other.begin(t, b.servers, "push", callWords{"group": "reset", "topic": topic}).ready(t)
	messages := numbered("reset", 24)
	b.mustSend(t, sendWords(topic, "sync", messages...))
	consumer.await(t, 24)
	b.resetToFirst(t, "reset", topic)
	consumer.await(t, 48)
	consumer.stop(t)
	for id, times := range uniqueIDs(consumer.deliveries(t)) {
		require.GreaterOrEqual(t, times, 2, id)
	}
}
