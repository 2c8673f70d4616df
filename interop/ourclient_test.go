//go:build interop

package interop_test

import (
	"fmt"
	"slices"
	"strings"
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
	s := startApache(t)
	java := startJava(t, soon)
	for _, c := range []struct {
		name string
		test func(t *testing.T, s servers, java *javaProcess)
		rows []row
	}{
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
	} {
		t.Run(c.name, func(t *testing.T) {
			covers(t, "ours", c.rows...)
			c.test(t, s, java)
		})
	}
	java.finish(t)
	testOurAdmin(t, s)
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

func testOurSends(t *testing.T, s servers, _ *javaProcess) {
	topic := s.makeTopic(t, "sends", 4)
	p := s.producer(t)
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
	require.Equal(t, want, bodies(s.awaitStored(t, topic, len(want))))
}

func testOurBatch(t *testing.T, s servers, java *javaProcess) {
	topic := s.makeTopic(t, "batch", 4)
	var batch []*gantry.Message
	for i := range 30 {
		batch = append(batch, gantry.NewMessage(topic, fmt.Appendf(nil, "batch %03d", i), client.Tag("batched"), client.Keys(fmt.Sprint("k", i))))
	}
	results, err := s.producer(t).SendBatch(t.Context(), batch)
	require.NoError(t, err)
	require.Len(t, results, 30)
	stored := s.stored(t, topic)
	require.Len(t, stored, 30)
	for i, m := range stored {
		require.Equal(t, fmt.Sprintf("batch %03d", i), string(m.Body))
		require.Equal(t, results[i].QueueOffset, m.Offset)
		require.Equal(t, results[i].OffsetID, m.OffsetID.String())
		require.Equal(t, "batched", m.Tags())
	}
	consumer := java.begin(t, s, "push", callWords{"group": "batch", "topic": topic})
	require.Equal(t, bodies(stored), bodiesSeen(consumer.await(t, 30)))
	consumer.stop(t)
}

func testOurOrderedSend(t *testing.T, s servers, _ *javaProcess) {
	topic := s.makeTopic(t, "ordered-send", 4)
	sendKeyed(t, s.producer(t, client.WithSelector(client.SelectByOrderingKey)), topic, 5, 20)
	requireKeyOrder(t, s.stored(t, topic), 5, 20)
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

func testOurCompression(kind message.Compression) func(t *testing.T, s servers, java *javaProcess) {
	return func(t *testing.T, s servers, java *javaProcess) {
		topic := s.makeTopic(t, fmt.Sprint("compressed-", int(kind)), 1)
		body := strings.Repeat("compressible ", 8000)
		_, err := s.producer(t, client.WithCompression(1024, kind, 5)).Send(t.Context(), gantry.NewMessage(topic, []byte(body)))
		require.NoError(t, err)
		stored := s.stored(t, topic)
		require.Len(t, stored, 1)
		require.Equal(t, body, string(stored[0].Body))
		require.NotZero(t, stored[0].SysFlags&message.FlagCompressed)
		consumer := java.begin(t, s, "push", callWords{"group": topic, "topic": topic})
		require.Equal(t, hashOf([]byte(body)), consumer.await(t, 1)[0].BodyHash)
		consumer.stop(t)
	}
}

func testOurProperties(t *testing.T, s servers, java *javaProcess) {
	topic := s.makeTopic(t, "properties", 2)
	m := gantry.NewMessage(topic, []byte("größer als 大 🚀"), client.Tag("größe"), client.Keys("k1", "schlüssel"))
	want := map[string]string{"colour": "red", "größe": "übergroß 大", "emoji": "🚀", "blank": "a b c"}
	for name, value := range want {
		m.Properties.Set(name, value)
	}
	_, err := s.producer(t).Send(t.Context(), m)
	require.NoError(t, err)
	consumer := java.begin(t, s, "push", callWords{"group": "properties", "topic": topic})
	theirs, ours := consumer.await(t, 1)[0], s.stored(t, topic)[0]
	require.Equal(t, string(m.Body), string(theirs.Body))
	require.Equal(t, []string{"größe", "größe"}, []string{theirs.Tag, ours.Tags()})
	require.Equal(t, [][]string{{"k1", "schlüssel"}, {"k1", "schlüssel"}}, [][]string{theirs.Keys, ours.Keys()})
	for name, value := range want {
		require.Equal(t, []string{value, value}, []string{theirs.Properties[name], ours.Properties.Get(name)})
	}
	consumer.stop(t)
}

func testOurGreatest(t *testing.T, s servers, _ *javaProcess) {
	const greatest = 4 << 20
	topic := s.makeTopic(t, "greatest", 1)
	p := s.producer(t, client.WithMaxMessageSize(8<<20))
	_, err := p.Send(t.Context(), gantry.NewMessage(topic, noise(greatest)))
	require.NoError(t, err)
	_, err = p.Send(t.Context(), gantry.NewMessage(topic, noise(greatest+1)))
	require.ErrorContains(t, err, "MESSAGE_ILLEGAL")
	stored := s.stored(t, topic)
	require.Len(t, stored, 1)
	require.Equal(t, noise(greatest), stored[0].Body)
}

func testOurNewTopic(t *testing.T, s servers, _ *javaProcess) {
	want := sendAll(t, s.producer(t), "made-by-sends", "new", 4)
	require.Equal(t, want, bodies(s.awaitStored(t, "made-by-sends", 4)))
}
