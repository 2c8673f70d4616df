//go:build interop

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// seenMessage is a message as a handler got it.
type seenMessage struct {
	*gantry.Received
	from, until time.Time
}

// member is a push consumer of ours and what it has seen.
type member struct {
	*gantry.PushConsumer
	mutex sync.Mutex
	all   []seenMessage
}

func (m *member) seen() []seenMessage {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.all)
}

func (m *member) bodies() []string {
	var received []*gantry.Received
	for _, s := range m.seen() {
		received = append(received, s.Received)
	}
	return bodies(received)
}

// handle is a handler that notes what it sees, and fails as said.
func (m *member) handle(fail func(r *gantry.Received) error) client.Handler {
	return func(_ context.Context, messages []*gantry.Received) error {
		var err error
		for _, r := range messages {
			from := time.Now()
			time.Sleep(2 * time.Millisecond)
			m.mutex.Lock()
			m.all = append(m.all, seenMessage{r, from, time.Now()})
			m.mutex.Unlock()
			if fail != nil {
				err = errors.Join(err, fail(r))
			}
		}
		return err
	}
}

// await waits until it has seen that many messages.
func (m *member) await(t *testing.T, count int) []seenMessage {
	t.Helper()
	eventually(t, "deliveries", func() bool { return len(m.seen()) >= count })
	return m.seen()
}

// member starts a push consumer of ours. It is closed at the end of the test.
func (s servers) member(t *testing.T, group, topic string, filter client.Filter, options ...client.PushOption) *member {
	t.Helper()
	m := &member{}
	return s.start(t, m, group, topic, filter, append(options, client.WithHandler(m.handle(nil)))...)
}

func (s servers) start(t *testing.T, m *member, group, topic string, filter client.Filter, options ...client.PushOption) *member {
	t.Helper()
	p, err := gantry.NewPushConsumer(append(options, client.WithGroup(group), client.WithNameServers(s.nameServer),
		client.WithConsumeFrom(client.FromFirst), client.WithRouteRefresh(time.Second))...)
	require.NoError(t, err)
	closeAtEnd(t, p)
	require.NoError(t, p.Subscribe(t.Context(), topic, filter))
	require.NoError(t, p.Start(t.Context()))
	m.PushConsumer = p
	return m
}

func testOurDelay(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "delay", 2)
	m := b.member(t, "delay", topic, client.Tags("*"))
	p := b.producer(t)
	for level := range 3 {
		_, err := p.Send(t.Context(), gantry.NewMessage(topic, fmt.Append(nil, level), client.DelayLevel(level)))
		require.NoError(t, err)
	}
	for _, d := range m.await(t, 3) {
		var seconds int
		_, err := fmt.Sscan(string(d.Body), &seconds)
		require.NoError(t, err)
		require.GreaterOrEqual(t, d.from.Sub(d.BornAt), time.Duration(seconds)*time.Second-50*time.Millisecond)
	}
}

func testOurPush(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "push", 4)
	p := b.producer(t)
	first := b.member(t, "push", topic, client.Tags("*"))
	want := sendAll(t, p, topic, "push", 100)
	first.await(t, len(want))
	second := b.member(t, "push", topic, client.Tags("*"))
	eventually(t, "the second member gets messages too", func() bool {
		want = append(want, sendAll(t, p, topic, fmt.Sprint("shared ", len(want)), 8)...)
		time.Sleep(50 * time.Millisecond)
		return len(second.seen()) > 0
	})
	slices.Sort(want)
	eventually(t, "all messages are delivered", func() bool {
		return len(slices.Compact(sortedTexts(first.bodies(), second.bodies()))) == len(want)
	})
	require.NoError(t, first.Close(t.Context()))
	require.NoError(t, second.Close(t.Context()))
	// Who comes later goes on where they stopped.
	third := b.member(t, "push", topic, client.Tags("*"))
	more := sendAll(t, p, topic, "third", 8)
	third.await(t, len(more))
	require.Equal(t, more, third.bodies())
}

func sortedTexts(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return all
}

func testOurOrderly(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "orderly", 4)
	p := b.producer(t, client.WithSelector(client.SelectByOrderingKey))
	orderly := func() *member {
		m := &member{}
		return b.start(t, m, "orderly", topic, client.Tags("*"), client.WithOrderlyHandler(m.handle(nil)))
	}
	first := orderly()
	sendKeyed(t, p, topic, 8, 20)
	first.await(t, 20)
	second := orderly()
	sent := 8 * 20
	eventually(t, "the second member gets messages too", func() bool {
		sendKeyed(t, p, topic, 8, 2)
		sent += 8 * 2
		time.Sleep(50 * time.Millisecond)
		return len(second.seen()) > 0
	})
	places := func() (all []received) {
		for _, m := range slices.Concat(first.seen(), second.seen()) {
			d := received{From: m.from.UnixNano(), Until: m.until.UnixNano(), UniqueID: m.UniqueID()}
			d.Topic, d.Broker, d.Queue, d.Offset = m.Topic, m.Queue.BrokerName, m.Queue.QueueID, int64(m.Offset)
			all = append(all, d)
		}
		return all
	}
	eventually(t, "all messages are delivered", func() bool { return len(uniqueIDs(places())) == sent })
	require.NoError(t, first.Close(t.Context()))
	require.NoError(t, second.Close(t.Context()))
	requireOneAtATime(t, places())
}

func testOurRetry(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "retry", 2)
	m := &member{}
	b.start(t, m, "retry", topic, client.Tags("*"), client.WithMaxRedeliveries(2),
		client.WithHandler(m.handle(func(*gantry.Received) error { return errors.New("not today") })))
	want := sendAll(t, b.producer(t), topic, "retry", 3)
	require.Equal(t, want, bodies(b.awaitStored(t, "%DLQ%retry", 3)))
	tries := map[string][]int32{}
	for _, d := range m.seen() {
		require.Equal(t, topic, d.Topic)
		tries[string(d.Body)] = append(tries[string(d.Body)], d.Redeliveries)
	}
	for _, body := range want {
		require.Equal(t, []int32{0, 1, 2}, tries[body])
	}
}

func testOurBroadcast(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "broadcast", 4)
	var members []*member
	for _, name := range []string{"one", "other"} {
		members = append(members, b.member(t, "broadcast", topic, client.Tags("*"), client.WithModel(client.Broadcasting), client.WithInstanceName(name)))
	}
	want := sendAll(t, b.producer(t), topic, "broadcast", 40)
	for _, m := range members {
		m.await(t, len(want))
		require.Equal(t, want, m.bodies())
	}
}

func testOurTags(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "tags", 2)
	p := b.producer(t)
	for i := range 60 {
		// "Aa" and "BB" have the same hash.
		_, err := p.Send(t.Context(), gantry.NewMessage(topic, fmt.Append(nil, i), client.Tag([]string{"red", "Aa", "BB", "blue", "größe", "x"}[i%6])))
		require.NoError(t, err)
	}
	m := b.member(t, "tags", topic, client.Tags("red || Aa||größe"))
	count := map[string]int{}
	for _, d := range m.await(t, 30) {
		count[d.Tags()]++
	}
	require.Equal(t, map[string]int{"red": 10, "Aa": 10, "größe": 10}, count)
}

func testOurSQL(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "sql", 2)
	p := b.producer(t)
	for i := range 40 {
		_, err := p.Send(t.Context(), gantry.NewMessage(topic, fmt.Appendf(nil, "sql %03d", i), client.Tag([]string{"a", "b"}[i%2]),
			client.Property("n", fmt.Sprint(i)), client.Property("colour", []string{"red", "blue"}[i/20])))
		require.NoError(t, err)
	}
	m := b.member(t, "sql", topic, client.SQL(sqlFilter))
	m.await(t, 5)
	require.Equal(t, sqlPassed, m.bodies())
}

func testOurReset(t *testing.T, b *bench) {
	topic := b.makeTopic(t, "reset", 2)
	m := b.member(t, "reset", topic, client.Tags("*"))
	want := sendAll(t, b.producer(t), topic, "reset", 24)
	m.await(t, 24)
	b.resetToFirst(t, "reset", topic)
	m.await(t, 48)
	require.Equal(t, sortedTexts(want, want), m.bodies())
}
