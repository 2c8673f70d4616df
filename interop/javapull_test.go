//go:build interop

package interop_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

func testJavaRequest(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "request", 2)
	replier := b.other.begin(t, b.servers, "reply", callWords{"group": "replier", "topic": topic}).ready(t)
	var answers []string
	b.one.do(t, b.servers, "request", callWords{"group": "asker", "topic": topic, "bodies": []string{"one", "two", "drei große"}}).into(t, &answers)
	require.Equal(t, []string{"one!", "two!", "drei große!"}, answers)
	replier.stop(t)
	for _, e := range replier.shown(t)[1:] {
		require.Equal(t, shown{Replied: "SEND_OK"}, e)
	}
}

// pulledQueue is what Pull.java says of one queue.
type pulledQueue struct {
	Broker         string
	Queue          int32
	Count          int64
	Max, Committed int64
	ByTime         int64
	Last           string // what a pull said: the last with messages, one at the end, one beyond it
	End, Beyond    string
}

func testJavaPull(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "pull", 2)
	messages := numbered("pull", 80)
	b.mustSend(t, sendWords(topic, "sync", messages...))
	call := b.other.do(t, b.servers, "pull", callWords{"group": "pull", "topic": topic})
	require.Equal(t, texts(messages), bodiesSeen(call.deliveries(t)))
	var queues []pulledQueue
	call.into(t, &queues)
	require.Len(t, queues, 2*len(pairNames))
	for _, q := range queues {
		require.Equal(t, q.Max, q.Count)
		require.Equal(t, q.Max, q.Committed)
		require.Zero(t, q.ByTime)
		require.Equal(t, []string{"FOUND", "NO_NEW_MSG", "OFFSET_ILLEGAL"}, []string{q.Last, q.End, q.Beyond})
	}
}

func testJavaLite(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "lite", 2)
	messages := numbered("lite", 40)
	b.mustSend(t, sendWords(topic, "sync", messages...))
	words := callWords{"group": "lite", "topic": topic, "count": 40}
	call := b.other.do(t, b.servers, "lite", words)
	require.Equal(t, texts(messages), bodiesSeen(call.deliveries(t)))
	// It goes on where it stopped.
	more := numbered("more", 8)
	b.mustSend(t, sendWords(topic, "sync", more...))
	call = b.other.do(t, b.servers, "lite", callWords{"group": "lite", "topic": topic, "count": 8})
	require.Equal(t, texts(more), bodiesSeen(call.deliveries(t)))
	var result struct{ Assigned int }
	call.into(t, &result)
	require.Equal(t, 2*len(pairNames), result.Assigned)
}

func testJavaAssign(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "assign", 1)
	b.mustSend(t, sendWords(topic, "sync", numbered("assign", 40)...))
	var count int64
	for _, m := range b.stored(t, topic) {
		if m.Queue.BrokerName == pairNames[0] {
			count++
		}
	}
	require.Positive(t, count)
	var r struct {
		Queues                           int
		All, Again, Paused, Resumed, End []int64
		Committed, ByTime                int64
	}
	b.other.do(t, b.servers, "assign", callWords{"group": "assign", "topic": topic, "broker": pairNames[0], "count": count}).into(t, &r)
	require.Equal(t, len(pairNames), r.Queues)
	require.Equal(t, span(0, count), r.All)
	require.Equal(t, span(count/2, count), r.Again)
	require.Empty(t, r.Paused)
	require.Equal(t, span(count, count+6), r.Resumed)
	require.Empty(t, r.End)
	require.Equal(t, count-1, r.Committed)
	require.Zero(t, r.ByTime)
}

// span is from, from+1, … to-1.
func span(from, to int64) []int64 {
	all := []int64{}
	for n := from; n < to; n++ {
		all = append(all, n)
	}
	return all
}

func testJavaTrace(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "trace", 1)
	consumer := b.other.begin(t, b.servers, "push", callWords{"group": "trace", "topic": topic, "trace": true}).ready(t)
	words := sendWords(topic, "sync", callWords{"body": []byte("traced"), "keys": []string{"traced-key"}})
	// The client sends traces every five seconds.
	words["trace"], words["linger"] = true, 6000
	said := b.mustSend(t, words)
	consumer.await(t, 1)
	require.Equal(t, 3, strings.Count(b.awaitTraces(t, said[0].UniqueID), said[0].UniqueID))
	consumer.stop(t)
}

func testJavaQuery(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "query", 2)
	messages := numbered("query", 10)
	for i := range messages {
		messages[i]["keys"] = []string{fmt.Sprint("own-", i), "shared"}
	}
	said := b.mustSend(t, sendWords(topic, "sync", messages...))
	var found struct {
		ByOffsetID, ByUniqueID *received
		ByKey                  []received
		None                   string
	}
	ask := func(key string) {
		b.other.do(t, b.servers, "query", callWords{"group": "asker", "topic": topic, "key": key, "offsetId": said[3].OffsetID, "uniqueId": said[4].UniqueID}).into(t, &found)
	}
	ask("shared")
	require.Equal(t, "query 003", string(found.ByOffsetID.Body))
	require.Equal(t, "query 004", string(found.ByUniqueID.Body))
	require.Equal(t, texts(messages), bodiesSeen(found.ByKey))
	ask("own-7")
	require.Equal(t, []string{"query 007"}, bodiesSeen(found.ByKey))
	ask("nobody's")
	require.Empty(t, found.ByKey)
	require.Contains(t, found.None, "no message")
}

func testJavaNamespace(t *testing.T, b *bench) {
	for field, stored := range map[string]string{"namespace": "space%inner", "namespaceV2": "inner2"} {
		b.makeTopic(t, stored, 2)
		topic := strings.TrimPrefix(stored, "space%")
		consumer := b.other.begin(t, b.servers, "push", callWords{"group": "spaced", "topic": topic, field: "space"}).ready(t)
		messages := numbered(field, 4)
		words := sendWords(topic, "sync", messages...)
		words[field] = "space"
		b.mustSend(t, words)
		require.Equal(t, texts(messages), bodies(b.stored(t, stored)))
		require.Equal(t, texts(messages), bodiesSeen(consumer.await(t, 4)))
		require.Equal(t, topic, consumer.deliveries(t)[0].Topic)
		consumer.stop(t)
	}
}

// testJavaTLS: the servers take encrypted connections only, with a certificate that nobody can verify, which is what both sides' test mode is.
func testJavaTLS(t *testing.T) {
	s := startGantry(t, "--tls.server.mode", "enforcing", "--tls.enable", "true", "--tls.client.authServer", "false")
	s.options = []client.Option{gantry.WithTLS(gantry.TLS{AnyServer: true})}
	java := startJava(t, soon, "-Dtls.enable=true", "-Dtls.test.mode.enable=true")
	b := &bench{s, java, java}
	topic := b.makeTopic(t, "encrypted", 2)
	consumer := java.begin(t, s, "push", callWords{"group": "encrypted", "topic": topic}).ready(t)
	messages := numbered("encrypted", 20)
	b.mustSend(t, sendWords(topic, "sync", messages...))
	require.Equal(t, texts(messages), bodies(b.stored(t, topic)))
	require.Equal(t, texts(messages), bodiesSeen(consumer.await(t, 20)))
	consumer.stop(t)
	java.finish(t)
}
