//go:build interop

package interop_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// TestOurClientAtApache runs Gantry's client library against Apache's servers.
func TestOurClientAtApache(t *testing.T) {
	t.Parallel()
	javaClient.need(t)
	javaAdmin.need(t)
	takeJavaTurn(t)
	b := &bench{servers: startApache(t), one: startJava(t, soon)}
	b.run(t, "ours", []part{
		{"sends", testOurSends, []row{rowSync, rowAsync, rowOneway}},
		{"batch", testOurBatch, []row{rowBatch}},
		{"ordered-send", testOurOrderedSend, []row{rowOrderedSend}},
		{"zlib", testOurCompression(message.CompressionZlib), []row{rowZlib}},
		{"lz4", testOurCompression(message.CompressionLZ4), []row{rowLZ4}},
		{"zstd", testOurCompression(message.CompressionZstd), []row{rowZstd}},
		{"properties", testOurProperties, []row{rowProperties}},
		{"greatest", testOurGreatest, []row{rowGreatest}},
		{"new-topic", testOurNewTopic, []row{rowNewTopic}},
		{"delay", testOurDelay, []row{rowDelay}},
		{"push", testOurPush, []row{rowPush, rowShare, rowCommitted}},
		{"orderly", testOurOrderly, []row{rowOrderly}},
		{"retry", testOurRetry, []row{rowRetry, rowDead}},
		{"broadcast", testOurBroadcast, []row{rowBroadcast}},
		{"tags", testOurTags, []row{rowTags}},
		{"sql", testOurSQL, []row{rowSQL}},
		{"request", testOurRequest, []row{rowRequest}},
		{"pull", testOurPull, []row{rowPull}},
		{"lite", testOurLite, []row{rowLite}},
		{"assign", testOurAssign, []row{rowAssign}},
		{"reset", testOurReset, []row{rowReset}},
		{"trace", testOurTrace, []row{rowTrace}},
		{"query", testOurQuery, []row{rowByID, rowByUnique, rowByKey}},
		{"namespace", testOurNamespace, []row{rowNamespace}},
		{"tls", testOurTLS, []row{rowTLS}},
	})
	b.one.finish(t)
	testOurAdmin(t, b.servers)
}

// producer is one of ours. An application's options go first.
func (s servers) producer(t *testing.T, options ...client.ProducerOption) *gantry.Producer {
	t.Helper()
	p, err := gantry.NewProducer(append(options, client.WithGroup("our-senders"), client.WithNameServers(s.nameServer))...)
	require.NoError(t, err)
	closeAtEnd(t, p)
	return p
}

// sendAll sends messages with the bodies "PREFIX 000", …, one after the other, and returns the bodies.
func sendAll(t *testing.T, p *gantry.Producer, topic, prefix string, count int) []string {
	t.Helper()
	var all []string
	for i := range count {
		all = append(all, fmt.Sprintf("%s %03d", prefix, i))
		_, err := p.Send(t.Context(), gantry.NewMessage(topic, []byte(all[i])))
		require.NoError(t, err)
	}
	return all
}

func testOurSends(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "sends", 4)
	p := b.producer(t)
	want := sendAll(t, p, topic, "sync", 20)
	done := make(chan error, 20)
	for i := range 20 {
		want = append(want, fmt.Sprintf("async %03d", i), fmt.Sprintf("oneway %03d", i))
		require.NoError(t, p.SendAsync(t.Context(), gantry.NewMessage(topic, fmt.Appendf(nil, "async %03d", i)), func(_ client.SendResult, err error) { done <- err }))
		require.NoError(t, p.SendOneway(t.Context(), gantry.NewMessage(topic, fmt.Appendf(nil, "oneway %03d", i))))
	}
	for range 20 {
		require.NoError(t, <-done)
	}
	slices.Sort(want)
	require.Equal(t, want, bodies(b.awaitStored(t, topic, len(want))))
}

func testOurBatch(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "batch", 4)
	var batch []*gantry.Message
	for i := range 30 {
		batch = append(batch, gantry.NewMessage(topic, fmt.Appendf(nil, "batch %03d", i), client.Tag("batched"), client.Keys(fmt.Sprint("k", i))))
	}
	results, err := b.producer(t).SendBatch(t.Context(), batch)
	require.NoError(t, err)
	require.Len(t, results, 30)
	stored := b.stored(t, topic)
	require.Len(t, stored, 30)
	for i, m := range stored {
		require.Equal(t, fmt.Sprintf("batch %03d", i), string(m.Body))
		require.Equal(t, results[i].QueueOffset, m.Offset)
		require.Equal(t, results[i].OffsetID, m.OffsetID.String())
		require.Equal(t, "batched", m.Tags())
	}
	consumer := b.one.begin(t, b.servers, "push", callWords{"group": "batch", "topic": topic})
	require.Equal(t, bodies(stored), bodiesSeen(consumer.await(t, 30)))
	consumer.stop(t)
}

func testOurOrderedSend(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "ordered-send", 4)
	sendKeyed(t, b.producer(t, client.WithSelector(client.SelectByOrderingKey)), topic, 5, 20)
	requireKeyOrder(t, b.stored(t, topic), 5, 20)
}

// sendKeyed sends messages with the bodies "KEY NUMBER" and ordering keys.
func sendKeyed(t *testing.T, p *gantry.Producer, topic string, keys, each int) {
	t.Helper()
	for i := range each {
		for key := range keys {
			_, err := p.Send(t.Context(), gantry.NewMessage(topic, fmt.Appendf(nil, "%d %d", key, i), client.OrderingKey(fmt.Sprint("key-", key))))
			require.NoError(t, err)
		}
	}
}

func testOurCompression(kind message.Compression) func(t *testing.T, b *bench) {
	return func(t *testing.T, b *bench) {
		topic := b.makeTopic(t, fmt.Sprint("compressed-", int(kind)), 1)
		_, err := b.producer(t, client.WithCompression(1024, kind, 5)).Send(t.Context(), gantry.NewMessage(topic, compressible))
		require.NoError(t, err)
		require.NotZero(t, b.requireCompressible(t, b.one, topic).SysFlags&message.FlagCompressed)
	}
}

func testOurProperties(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "properties", 2)
	m := gantry.NewMessage(topic, []byte(unicode.body), client.Tag(unicode.tag), client.Keys(unicode.keys...))
	for name, value := range unicode.properties {
		m.Properties.Set(name, value)
	}
	_, err := b.producer(t).Send(t.Context(), m)
	require.NoError(t, err)
	consumer := b.one.begin(t, b.servers, "push", callWords{"group": "properties", "topic": topic})
	requireUnicode(t, consumer.await(t, 1)[0], b.stored(t, topic)[0])
	consumer.stop(t)
}

func testOurGreatest(t *testing.T, b *bench) {
	const greatest = 4 << 20
	topic := b.makeTopic(t, "greatest", 1)
	p := b.producer(t, client.WithMaxMessageSize(8<<20))
	_, err := p.Send(t.Context(), gantry.NewMessage(topic, noise(greatest)))
	require.NoError(t, err)
	_, err = p.Send(t.Context(), gantry.NewMessage(topic, noise(greatest+1)))
	require.ErrorContains(t, err, "MESSAGE_ILLEGAL")
	stored := b.stored(t, topic)
	require.Len(t, stored, 1)
	require.Equal(t, noise(greatest), stored[0].Body)
}

func testOurNewTopic(t *testing.T, b *bench) {
	want := sendAll(t, b.producer(t), "made-by-sends", "new", 4)
	require.Equal(t, want, bodies(b.awaitStored(t, "made-by-sends", 4)))
}
