//go:build interop

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

func testOurRequest(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "request", 2)
	m := &member{}
	replier := b.producer(t)
	b.start(t, m, "replier", topic, client.Tags("*"), client.WithHandler(func(ctx context.Context, messages []*gantry.Received) error {
		for _, r := range messages {
			if _, err := replier.Reply(ctx, r, append(slices.Clone(r.Body), '!')); err != nil {
				return err
			}
		}
		return nil
	}))
	asker := b.producer(t)
	for _, body := range []string{"one", "two", "drei große"} {
		answer, err := asker.Request(t.Context(), gantry.NewMessage(topic, []byte(body)), 15*time.Second)
		require.NoError(t, err)
		require.Equal(t, body+"!", string(answer.Body))
	}
	// The two clients also answer one another.
	var answers []string
	b.one.do(t, b.servers, "request", callWords{"group": "java-asker", "topic": topic, "bodies": []string{"to ours"}}).into(t, &answers)
	require.Equal(t, []string{"to ours!"}, answers)
	theirTopic := b.makeTopic(t, "request-to-them", 1)
	theirs := b.one.begin(t, b.servers, "reply", callWords{"group": "java-replier", "topic": theirTopic}).ready(t)
	answer, err := asker.Request(t.Context(), gantry.NewMessage(theirTopic, []byte("to theirs")), 15*time.Second)
	require.NoError(t, err)
	require.Equal(t, "to theirs!", string(answer.Body))
	theirs.stop(t)
}

func testOurPull(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "pull", 2)
	want := sendAll(t, b.producer(t), topic, "pull", 80)
	require.Equal(t, want, bodies(b.stored(t, topic)))
	p := b.puller(t, "pull")
	queues, err := p.Queues(t.Context(), topic)
	require.NoError(t, err)
	for _, queue := range queues {
		end, err := p.MaxOffset(t.Context(), queue)
		require.NoError(t, err)
		start, err := p.MinOffset(t.Context(), queue)
		require.NoError(t, err)
		require.Zero(t, start)
		byTime, err := p.OffsetAt(t.Context(), queue, time.UnixMilli(1))
		require.NoError(t, err)
		require.Zero(t, byTime)
		require.NoError(t, p.Commit(t.Context(), queue, end-1))
		committed, found, err := p.Committed(t.Context(), queue)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, end-1, committed)
		pulled, err := p.Pull(t.Context(), queue, end+100, 32)
		require.NoError(t, err)
		require.Empty(t, pulled.Messages)
		require.Equal(t, end, pulled.Next, pulled)
	}
}

// lite is a lite pull consumer of ours.
func (s servers) lite(t *testing.T, group string) *gantry.LitePullConsumer {
	t.Helper()
	c, err := gantry.NewLitePullConsumer(client.WithGroup(group), client.WithNameServers(s.nameServer), client.WithConsumeFrom(client.FromFirst), client.WithAutoCommit(0))
	require.NoError(t, err)
	closeAtEnd(t, c)
	return c
}

// poll takes that many messages, or what comes in the given time.
func poll(t *testing.T, c *gantry.LitePullConsumer, count int, patience time.Duration) []*gantry.Received {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all []*gantry.Received
	for len(all) < count {
		some, err := c.Poll(ctx, count-len(all))
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		require.NoError(t, err)
		all = append(all, some...)
	}
	return all
}

func testOurLite(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "lite", 2)
	p := b.producer(t)
	want := sendAll(t, p, topic, "lite", 40)
	c := b.lite(t, "lite")
	require.NoError(t, c.Subscribe(t.Context(), topic, client.Tags("*")))
	require.Equal(t, want, bodies(poll(t, c, 40, patience)))
	require.NoError(t, c.Commit(t.Context()))
	require.NoError(t, c.Close(t.Context()))
	more := sendAll(t, p, topic, "more", 8)
	c = b.lite(t, "lite")
	require.NoError(t, c.Subscribe(t.Context(), topic, client.Tags("*")))
	require.Equal(t, more, bodies(poll(t, c, 8, patience)))
}

func testOurAssign(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "assign", 1)
	p := b.producer(t)
	sendAll(t, p, topic, "assign", 40)
	c := b.lite(t, "assign")
	queues, err := c.Queues(t.Context(), topic)
	require.NoError(t, err)
	require.Len(t, queues, 1)
	require.NoError(t, c.Assign(t.Context(), queues...))
	require.NoError(t, c.SeekToBegin(t.Context(), queues[0]))
	require.Equal(t, span(0, 40), offsetsOf(poll(t, c, 40, patience)))
	require.NoError(t, c.Seek(t.Context(), queues[0], 20))
	require.Equal(t, span(20, 40), offsetsOf(poll(t, c, 20, patience)))
	require.NoError(t, c.Pause(t.Context(), queues[0]))
	sendAll(t, p, topic, "paused", 4)
	require.Empty(t, poll(t, c, 1, time.Second))
	require.NoError(t, c.Resume(t.Context(), queues[0]))
	require.Equal(t, span(40, 44), offsetsOf(poll(t, c, 4, patience)))
	require.NoError(t, c.CommitOffsets(t.Context(), map[gantry.Queue]client.QueueOffset{queues[0]: 39}))
	committed, found, err := c.Committed(t.Context(), queues[0])
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, client.QueueOffset(39), committed)
	require.NoError(t, c.SeekToEnd(t.Context(), queues[0]))
	require.Empty(t, poll(t, c, 1, time.Second))
}

func offsetsOf(all []*gantry.Received) []int64 {
	offsets := []int64{}
	for _, m := range all {
		offsets = append(offsets, int64(m.Offset))
	}
	return offsets
}

func testOurTrace(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "trace", 1)
	m := b.member(t, "trace", topic, client.Tags("*"), client.WithTrace(client.TraceOptions{}))
	result, err := b.producer(t, client.WithTrace(client.TraceOptions{})).Send(t.Context(), gantry.NewMessage(topic, []byte("traced"), client.Keys("traced-key")))
	require.NoError(t, err)
	m.await(t, 1)
	b.awaitTraces(t, result.UniqueID)
}

func testOurQuery(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "query", 2)
	p := b.producer(t)
	var results []client.SendResult
	for i := range 10 {
		result, err := p.Send(t.Context(), gantry.NewMessage(topic, fmt.Appendf(nil, "query %03d", i), client.Keys(fmt.Sprint("own-", i), "shared")))
		require.NoError(t, err)
		results = append(results, result)
	}
	admin := b.admin(t)
	id, err := message.ParseOffsetID(results[3].OffsetID)
	require.NoError(t, err)
	seen, err := admin.ViewMessage(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "query 003", string(seen.Body))
	find := func(q client.KeyQuery, want int) []string {
		var found []*gantry.Received
		// The broker indexes a little later.
		eventually(t, "the messages with "+q.Key, func() bool {
			found, err = admin.FindByKey(t.Context(), q)
			return err == nil && len(found) == want
		})
		return bodies(found)
	}
	require.Equal(t, []string{"query 004"}, find(client.KeyQuery{Topic: topic, Key: results[4].UniqueID, UniqueID: true}, 1))
	require.Equal(t, []string{"query 007"}, find(client.KeyQuery{Topic: topic, Key: "own-7"}, 1))
	require.Len(t, find(client.KeyQuery{Topic: topic, Key: "shared"}, 10), 10)
}

func testOurNamespace(t *testing.T, b *bench) {
	for field, c := range map[string]struct {
		stored string
		option client.Option
	}{
		"namespace":   {"space%inner", client.WithNamespace("space")},
		"namespaceV2": {"inner2", client.WithNamespaceV2("space")},
	} {
		b.makeTopic(t, c.stored, 2)
		topic := strings.TrimPrefix(c.stored, "space%")
		ours := b.member(t, "spaced", topic, client.Tags("*"), c.option)
		theirs := b.one.begin(t, b.servers, "push", callWords{"group": "their-spaced", "topic": topic, field: "space"}).ready(t)
		want := sendAll(t, b.producer(t, c.option), topic, field, 4)
		require.Equal(t, want, bodies(b.stored(t, c.stored)))
		require.Equal(t, topic, ours.await(t, 4)[0].Topic)
		require.Equal(t, want, ours.bodies())
		require.Equal(t, want, bodiesSeen(theirs.await(t, 4)))
		theirs.stop(t)
	}
}

// testOurTLS: Apache's servers take encrypted connections by default, with a certificate that nobody can verify.
func testOurTLS(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "tls", 1)
	encrypted := gantry.WithTLS(gantry.TLS{AnyServer: true})
	m := b.member(t, "tls", topic, client.Tags("*"), encrypted)
	want := sendAll(t, b.producer(t, encrypted), topic, "encrypted", 10)
	m.await(t, 10)
	require.Equal(t, want, m.bodies())
}
