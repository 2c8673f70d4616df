//go:build interop

package interop_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// popping is what a broker of Apache's needs to serve pops.
var popping = map[string]string{"timerWheelEnable": "true"}

// TestOurPopAtApache lets our pop consumers and push consumers that pop use a broker of Apache's.
func TestOurPopAtApache(t *testing.T) {
	takesMinutes(t)
	t.Parallel()
	javaClient.need(t)
	takeJavaTurn(t)
	b := &bench{servers: servers{names: pairNames[:1], brokers: []string{freeAddress(t)}}}
	_, b.nameServer = startNameServer(t)
	startApacheBroker(t, b.servers, t.TempDir(), popping)
	b.run(t, "ours", []part{
		{"pop", testOurPop, []row{rowPop}},
		{"invisible", testOurInvisible, []row{rowPopAgain}},
		{"forgotten", testOurForgotten, []row{rowPopAgain}},
		{"push-pop", testOurPushPop, []row{rowPop, rowPopAgain}},
	})
}

// popper is a pop consumer of ours.
func (s servers) popper(t *testing.T, topic string, options ...client.PopOption) *gantry.PopConsumer {
	t.Helper()
	c, err := gantry.NewPopConsumer(append(options, client.WithGroup(topic), client.WithNameServers(s.nameServer),
		client.WithSubscription(topic, client.Tags("*")), client.WithConsumeFrom(client.FromFirst))...)
	require.NoError(t, err)
	closeAtEnd(t, c)
	return c
}

// popTopic makes a topic with one queue, and a group of the same name.
func (s servers) popTopic(t *testing.T, name string) string {
	t.Helper()
	s.makeTopic(t, name, 1)
	require.NoError(t, s.admin(t).UpdateGroup(t.Context(), s.brokers[0], proto.NewSubscriptionGroupConfig(name)))
	return name
}

// popAll pops until there are so many messages.
func popAll(t *testing.T, c *gantry.PopConsumer, count int) (all []*client.PoppedMessage) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(all) < count {
		messages, err := c.Pop(ctx, min(32, count-len(all)))
		require.NoError(t, err, "%d of %d", len(all), count)
		all = append(all, messages...)
	}
	return all
}

// popsNothing demands that there is nothing for so long.
func popsNothing(t *testing.T, c *gantry.PopConsumer, during time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	messages, err := c.Pop(ctx, 32)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, messages)
}

func poppedBodies(messages []*client.PoppedMessage) []string {
	var all []*gantry.Received
	for _, m := range messages {
		all = append(all, m.Received)
	}
	return bodies(all)
}

func testOurPop(t *testing.T, b *bench) {
	topic := b.popTopic(t, "our-pop")
	want := sendAll(t, b.producer(t), topic, "pop", 20)
	one, other := b.popper(t, topic, client.WithInvisibleTime(10*time.Second)), b.popper(t, topic)
	some := popAll(t, one, 8)
	more := popAll(t, other, 12)
	require.Equal(t, want, sortedTexts(poppedBodies(some), poppedBodies(more)), "nobody gets what another one holds")
	for _, m := range some {
		require.NoError(t, one.Ack(t.Context(), m))
	}
	require.NoError(t, other.AckAll(t.Context(), more))
	b.requireConsumed(t, topic, len(want))
	popsNothing(t, other, 15*time.Second)
}

func testOurInvisible(t *testing.T, b *bench) {
	topic := b.popTopic(t, "our-invisible")
	sendAll(t, b.producer(t), topic, "invisible", 2)
	c := b.popper(t, topic, client.WithInvisibleTime(10*time.Second))
	messages := popAll(t, c, 2)
	require.NoError(t, c.ChangeInvisible(t.Context(), messages[0], time.Second))
	require.NoError(t, c.ChangeInvisible(t.Context(), messages[1], time.Minute))
	again := popAll(t, c, 1)[0]
	require.Equal(t, messages[0].Body, again.Body, "the other one is hidden for longer")
	require.EqualValues(t, 1, again.Redeliveries)
	require.Equal(t, topic, again.Topic)
	require.WithinDuration(t, messages[0].FirstPoppedAt(), again.FirstPoppedAt(), 30*time.Second)
	require.NoError(t, c.AckAll(t.Context(), []*client.PoppedMessage{again, messages[1]}))
	popsNothing(t, c, 12*time.Second)
}

func testOurForgotten(t *testing.T, b *bench) {
	topic := b.popTopic(t, "our-forgotten")
	want := sendAll(t, b.producer(t), topic, "forgotten", 10)
	c := b.popper(t, topic, client.WithInvisibleTime(5*time.Second))
	first := popAll(t, c, 10)
	for _, m := range first[:4] {
		require.NoError(t, c.Ack(t.Context(), m))
	}
	again := popAll(t, c, 6)
	require.Equal(t, want[4:], poppedBodies(again))
	for _, m := range again {
		require.EqualValues(t, 1, m.Redeliveries)
		require.False(t, time.Now().Before(first[0].InvisibleUntil().Add(-time.Second)), "%s", m.Receipt())
		require.NoError(t, c.Ack(t.Context(), m))
	}
	popsNothing(t, c, 10*time.Second)
	// Ours says that such a receipt holds nothing any more (ErrNotHeld). Apache's does not look.
	require.NoError(t, c.Ack(t.Context(), first[9]))
}

func testOurPushPop(t *testing.T, b *bench) {
	topic := b.popTopic(t, "our-push-pop")
	wanted := client.RequestMode{Topic: topic, ConsumerGroup: topic, Mode: proto.ModePop}
	require.NoError(t, b.admin(t).SetRequestMode(t.Context(), b.brokers[0], wanted))
	want := sendAll(t, b.producer(t), topic, "push", 20)
	fail := func(r *gantry.Received) error {
		if r.Redeliveries == 0 && slices.Contains(want[:2], string(r.Body)) {
			return errors.New("not today")
		}
		return nil
	}
	one, other := &member{}, &member{}
	for _, m := range []*member{one, other} {
		b.start(t, m, topic, topic, client.Tags("*"), client.WithBrokerRebalance(), client.WithHandler(m.handle(fail)))
	}
	eventually(t, "all is delivered, and what failed is so again", func() bool {
		return slices.Equal(sortedTexts(want, want[:2]), sortedTexts(one.bodies(), other.bodies()))
	})
	b.requireConsumed(t, topic, len(want))
}
