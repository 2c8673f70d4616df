//go:build interop

package interop_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// soon makes members of a group notice one another within a second, not twenty.
const soon = "-Drocketmq.client.rebalance.waitInterval=1000"

func TestJavaClient(t *testing.T) {
	t.Parallel()
	javaClient.need(t)
	takeJavaTurn(t)
	b := &bench{startGantry(t), startJava(t, soon), startJava(t, soon)}
	b.run(t, "java", []part{
		{"sends", testJavaSends, []row{rowSync, rowAsync, rowOneway}},
		{"batch", testJavaBatch, []row{rowBatch}},
		{"ordered-send", testJavaOrderedSend, []row{rowOrderedSend}},
		{"zlib", testJavaCompression("ZLIB"), []row{rowZlib}},
		{"lz4", testJavaCompression("LZ4"), []row{rowLZ4}},
		{"zstd", testJavaCompression("ZSTD"), []row{rowZstd}},
		{"properties", testJavaProperties, []row{rowProperties}},
		{"greatest", testJavaGreatest, []row{rowGreatest}},
		{"delay", testJavaDelay, []row{rowDelay}},
		{"push", testJavaPush, []row{rowPush, rowShare}},
		{"orderly", testJavaOrderly, []row{rowOrderly}},
		{"retry", testJavaRetry, []row{rowRetry, rowDead}},
		{"orderly-retry", testJavaOrderlyRetry, []row{rowOrderly, rowDead}},
		{"broadcast", testJavaBroadcast, []row{rowBroadcast}},
		{"tags", testJavaTags, []row{rowTags}},
		{"sql", testJavaSQL, []row{rowSQL}},
		{"request", testJavaRequest, []row{rowRequest}},
		{"pull", testJavaPull, []row{rowPull}},
		{"lite", testJavaLite, []row{rowLite}},
		{"assign", testJavaAssign, []row{rowAssign}},
		{"reset", testJavaReset, []row{rowReset}},
		{"trace", testJavaTrace, []row{rowTrace}},
		{"query", testJavaQuery, []row{rowByID, rowByUnique, rowByKey}},
		{"namespace", testJavaNamespace, []row{rowNamespace}},
	})
	b.one.finish(t)
	b.other.finish(t)
	t.Run("tls", func(t *testing.T) {
		covers(t, "java", rowTLS)
		testJavaTLS(t)
	})
	t.Run("access", func(t *testing.T) {
		covers(t, "java", rowAccess)
		testJavaAccess(t)
	})
}

// sendWords are the arguments of a send.
func sendWords(topic, mode string, messages ...callWords) callWords {
	return callWords{"group": "java-senders", "topic": topic, "mode": mode, "messages": messages}
}

// numbered are messages with the bodies "PREFIX 000", "PREFIX 001", …
func numbered(prefix string, count int) []callWords {
	all := make([]callWords, count)
	for i := range all {
		all[i] = callWords{"body": fmt.Appendf(nil, "%s %03d", prefix, i)}
	}
	return all
}

// texts are the bodies of messages.
func texts(messages []callWords) []string {
	var all []string
	for _, m := range messages {
		all = append(all, string(m["body"].([]byte)))
	}
	slices.Sort(all)
	return all
}

// send makes the first virtual machine send, and returns what became of each message.
func (b *bench) send(t *testing.T, words callWords) []outcome {
	t.Helper()
	var all []outcome
	b.one.do(t, b.servers, "send", words).into(t, &all)
	return all
}

// mustSend demands that no send fails.
func (b *bench) mustSend(t *testing.T, words callWords) []outcome {
	t.Helper()
	all := b.send(t, words)
	for i := range all {
		require.Empty(t, all[i].Error)
		require.Equal(t, "SEND_OK", all[i].Status)
	}
	return all
}

func testJavaSends(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "sends", 4)
	var want []string
	for _, mode := range []string{"sync", "async", "oneway"} {
		messages := numbered(mode, 20)
		want = append(want, texts(messages)...)
		said := b.mustSend(t, sendWords(topic, mode, messages...))
		require.Len(t, said, map[string]int{"sync": 20, "async": 20}[mode])
	}
	slices.Sort(want)
	require.Equal(t, want, bodies(b.awaitStored(t, topic, len(want))))
}

func testJavaBatch(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "batch", 4)
	messages := numbered("batch", 30)
	for i := range messages {
		messages[i]["tag"], messages[i]["keys"] = "batched", []string{fmt.Sprint("batched-", i)}
	}
	said := b.mustSend(t, sendWords(topic, "batch", messages...))
	require.Len(t, strings.Split(said[0].UniqueID, ","), 30)
	require.Len(t, strings.Split(said[0].OffsetID, ","), 30)
	stored := b.stored(t, topic)
	require.Equal(t, texts(messages), bodies(stored))
	for i, m := range stored {
		require.Equal(t, client.QueueOffset(i), m.Offset, "one queue, in order")
		require.Equal(t, strings.Split(said[0].OffsetID, ",")[i], m.OffsetID.String())
		require.Equal(t, strings.Split(said[0].UniqueID, ",")[i], m.UniqueID())
		require.Equal(t, "batched", m.Tags())
		require.Equal(t, []string{fmt.Sprint("batched-", i)}, m.Keys())
	}
}

func testJavaOrderedSend(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "ordered-send", 4)
	b.mustSend(t, sendWords(topic, "ordered", keyed(5, 20)...))
	requireKeyOrder(t, b.stored(t, topic), 5, 20)
}

// keyed are messages with keys from 0 on and numbers from 0 on, "KEY NUMBER".
func keyed(keys, each int) []callWords {
	var all []callWords
	for i := range each {
		for key := range keys {
			all = append(all, callWords{"body": fmt.Appendf(nil, "%d %d", key, i), "properties": map[string]string{"key": fmt.Sprint("key-", key)}})
		}
	}
	return all
}

// requireKeyOrder demands that the messages of each key are in one queue, in their order. They come queue by queue.
func requireKeyOrder(t *testing.T, stored []*gantry.Received, keys, each int) {
	t.Helper()
	next, home := map[int]int{}, map[int]gantry.Queue{}
	for _, m := range stored {
		var key, number int
		_, err := fmt.Sscan(string(m.Body), &key, &number)
		require.NoError(t, err)
		if number == 0 {
			home[key] = m.Queue
		}
		require.Equal(t, home[key], m.Queue)
		require.Equal(t, next[key], number)
		next[key]++
	}
	require.Len(t, stored, keys*each)
}

func testJavaCompression(algorithm string) func(t *testing.T, b *bench) {
	return func(t *testing.T, b *bench) {
		topic := b.makeTopic(t, "compressed-"+algorithm, 1)
		words := sendWords(topic, "sync", callWords{"body": compressible})
		words["compress"] = algorithm
		b.mustSend(t, words)
		b.requireCompressible(t, b.other, topic)
	}
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func testJavaProperties(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "properties", 2)
	consumer := b.other.begin(t, b.servers, "push", callWords{"group": "properties", "topic": topic}).ready(t)
	b.mustSend(t, sendWords(topic, "sync", callWords{"body": []byte(unicode.body), "tag": unicode.tag, "keys": unicode.keys, "properties": unicode.properties}))
	requireUnicode(t, consumer.await(t, 1)[0], b.stored(t, topic)[0])
	consumer.stop(t)
}

func testJavaGreatest(t *testing.T, b *bench) {
	const greatest = 4 << 20
	topic := b.makeTopic(t, "greatest", 1)
	// The client would refuse them itself, if it were not told another limit.
	words := sendWords(topic, "sync", callWords{"noise": greatest}, callWords{"noise": greatest + 1}, callWords{"body": []byte("after")})
	words["plain"] = true
	said := b.send(t, words)
	require.Empty(t, said[0].Error)
	require.Contains(t, said[1].Error, "CODE: 13", "MESSAGE_ILLEGAL")
	require.Empty(t, said[2].Error, "a refusal leaves the connection in order")
	stored := b.stored(t, topic)
	require.Len(t, stored, 2)
	slices.SortFunc(stored, func(a, b *gantry.Received) int { return len(b.Body) - len(a.Body) })
	require.Len(t, stored[0].Body, greatest)
	consumer := b.other.begin(t, b.servers, "push", callWords{"group": "greatest", "topic": topic})
	require.True(t, slices.ContainsFunc(consumer.await(t, 2), func(d received) bool { return d.BodyHash == hashOf(stored[0].Body) }))
	consumer.stop(t)
}
