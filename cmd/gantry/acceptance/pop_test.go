package acceptance_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/stretchr/testify/require"
)

// popper is a pop consumer that begins with the first message, and is closed when the test ends.
func (c *cluster) popper(t *testing.T, group, topic string, options ...client.PopOption) *client.PopConsumer {
	t.Helper()
	world, err := osenv.New(osenv.Options{Node: "popper"})
	require.NoError(t, err)
	usual := []client.PopOption{client.WithNameServers(c.names), client.WithGroup(group), client.WithSubscription(topic, client.Tags("*")), client.WithConsumeFrom(client.FromFirst)}
	p, err := client.NewPopConsumer(world.Env, append(usual, options...)...)
	require.NoError(t, err)
	t.Cleanup(func() { leave(t, p) })
	return p
}

// pops pops until there are so many messages.
func pops(t *testing.T, p *client.PopConsumer, count int) (list []*client.PoppedMessage) {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	for len(list) < count {
		messages, err := p.Pop(ctx, count-len(list))
		require.NoError(t, err, "%d of %d messages", len(list), count)
		list = append(list, messages...)
	}
	return list
}

// popsNothing requires that there is nothing to pop for a moment.
func popsNothing(t *testing.T, p *client.PopConsumer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, time.Second)
	defer cancel()
	messages, err := p.Pop(ctx, 32)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, messages)
}

// bodiesOf are the bodies of popped messages, sorted.
func bodiesOf(lists ...[]*client.PoppedMessage) (all []string) {
	for _, m := range slices.Concat(lists...) {
		all = append(all, string(m.Body))
	}
	slices.Sort(all)
	return all
}

func TestEndToEndAPoppedMessageIsOneMembers(t *testing.T) {
	endToEnd(t)
	// Of several brokers a member asks each for as many as it wants, and keeps for its next call what it did not want at once.
	c := own(t)
	topic := c.topic(t, "popped", 2)
	sendNumbered(t, c.producer(t), topic, 20)
	one, other := c.popper(t, "poppers", topic), c.popper(t, "poppers", topic)
	some, more := pops(t, one, 8), pops(t, other, 12)
	require.Equal(t, numbers(20), bodiesOf(some, more), "nobody gets what another one holds")
	popsNothing(t, one)
	require.EqualValues(t, 20, c.lag(t, "poppers", topic))
	for _, m := range some {
		require.NoError(t, one.Ack(background, m))
	}
	require.NoError(t, other.AckAll(background, more))
	require.Zero(t, c.lag(t, "poppers", topic))
	require.ErrorIs(t, one.Ack(background, some[0]), client.ErrNotHeld)
}

func TestEndToEndAPoppedMessageThatNobodyAcknowledgesComesAgain(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "forgotten", 1)
	sent := send(t, c.producer(t), letter(topic))
	p := c.popper(t, "forgetful", topic, client.WithInvisibleTime(5*time.Second))
	first := pops(t, p, 1)[0]
	requireLetter(t, sent, delivery{Received: first.Received}, 0)
	second := pops(t, p, 1)[0]
	require.False(t, time.Now().Before(first.InvisibleUntil()))
	requireLetter(t, sent, delivery{Received: second.Received}, 1)
	require.ErrorIs(t, p.Ack(background, first), client.ErrNotHeld)

	// Whoever needs more time asks for it, and whoever gives up gives the message back.
	require.NoError(t, p.ChangeInvisible(background, second, time.Minute))
	popsNothing(t, p)
	require.NoError(t, p.ChangeInvisible(background, second, time.Millisecond))
	third := pops(t, p, 1)[0]
	requireLetter(t, sent, delivery{Received: third.Received}, 2)
	require.NoError(t, p.Ack(background, third))
	require.Zero(t, c.lag(t, "forgetful", topic))
}

func TestEndToEndWhatWasPoppedOutlivesAKilledBroker(t *testing.T) {
	endToEnd(t)
	c := own(t)
	topic := c.topic(t, "outlives", 1)
	sendNumbered(t, c.producer(t), topic, 6)
	p := c.popper(t, "survivors", topic)
	list := pops(t, p, 6)
	require.NoError(t, p.AckAll(background, list[:2]))
	c.nodes["broker-a"].Kill()
	require.NoError(t, c.startBroker("broker-a"))
	require.NoError(t, c.connect())

	send(t, c.producer(t), client.NewMessage(topic, []byte("new")))
	after := c.popper(t, "survivors", topic)
	require.Equal(t, []string{"new"}, bodiesOf(pops(t, after, 1)), "the rest is held, or settled")
	popsNothing(t, after)
	// Receipts are as good as before.
	require.NoError(t, p.Ack(background, list[3]))
	for _, m := range []*client.PoppedMessage{list[2], list[4], list[5]} {
		require.NoError(t, p.ChangeInvisible(background, m, time.Millisecond))
	}
	again := pops(t, after, 3)
	require.Equal(t, []string{"2", "4", "5"}, bodiesOf(again))
	for _, m := range again {
		require.EqualValues(t, 1, m.Redeliveries)
	}
}

// Who consumes by a handler may pop, too: an operator says so.
func TestEndToEndMembersShareAQueueIfTheyPop(t *testing.T) {
	endToEnd(t)
	c := own(t)
	topic := c.topic(t, "hello", 1)
	c.tool(t, "updateSubGroup", "-c", "DefaultCluster", "-g", "billing")
	c.tool(t, "setConsumeMode", "-c", "DefaultCluster", "-t", topic, "-g", "billing", "-m", "POP")
	do := func(m *client.Received) error {
		time.Sleep(10 * time.Millisecond)
		if m.Redeliveries == 0 && string(m.Body) == "7" {
			return client.RetryAfter(1)
		}
		return nil
	}
	options := []client.PushOption{client.WithBrokerRebalance(), client.WithPopLimits(4, 8)}
	one, other := c.consumeWith(t, "billing", topic, do, options...), c.consumeWith(t, "billing", topic, do, options...)
	// Each has found out that it is to pop when it holds the one queue.
	soon(t, func() bool { return len(one.holds(t, topic)) == 1 && len(other.holds(t, topic)) == 1 }, "they do not share the queue")
	sendNumbered(t, c.producer(t), topic, 100)
	gets(t, append(numbers(100), "7"), one, other)
	require.NotEmpty(t, one.deliveries())
	require.NotEmpty(t, other.deliveries())
	soon(t, func() bool { return c.lag(t, "billing", topic) == 0 }, "not all is acknowledged")
}
