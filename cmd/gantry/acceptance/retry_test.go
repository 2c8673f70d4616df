package acceptance_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

var errRefused = errors.New("the handler does not want it")

// letter is a message with all that a consumer may look at.
func letter(topic string) *client.Message {
	return client.NewMessage(topic, []byte("тело"), client.Tag("paid"), client.Keys("order-17", "customer-3"), client.Property("region", "north"), client.UserFlags(42))
}

// requireLetter requires that a delivery is the letter that was sent, the first one or again.
func requireLetter(t *testing.T, sent client.SendResult, d delivery, redeliveries int32) {
	t.Helper()
	require.Equal(t, "тело", string(d.Body))
	require.Equal(t, "paid", d.Tags())
	require.Equal(t, []string{"order-17", "customer-3"}, d.Keys())
	require.Equal(t, "north", d.Properties.Get("region"))
	require.Equal(t, int32(42), d.UserFlags)
	require.Equal(t, sent.UniqueID, d.ID())
	require.Equal(t, redeliveries, d.Redeliveries)
}

// The usual delays: 10 s until a message comes again, then 30 s.
func TestEndToEndAFailedMessageComesAgainAfter10And30Seconds(t *testing.T) {
	endToEnd(t)
	slow(t)
	c := shared(t)
	topic := c.topic(t, "usual", 1)
	sent := send(t, c.producer(t), letter(topic))
	consumer := c.consumeWith(t, "usual", topic, func(m *client.Received) error {
		if m.Redeliveries < 2 {
			return errRefused
		}
		return nil
	})
	time.Sleep(40 * time.Second)
	soon(t, func() bool { return len(consumer.deliveries()) == 3 }, "the message does not come again twice")
	got := consumer.deliveries()
	for i, d := range got {
		requireLetter(t, sent, d, int32(i))
		require.Equal(t, topic, d.Topic, "it comes with the name of its own topic")
	}
	for i, pause := range []time.Duration{10 * time.Second, 30 * time.Second} {
		took := got[i+1].at.Sub(got[i].at)
		require.InDelta(t, pause.Seconds(), took.Seconds(), 4, "redelivery %d came after %s", i+1, took)
		require.GreaterOrEqual(t, took, pause-100*time.Millisecond)
	}
	time.Sleep(3 * time.Second)
	require.Len(t, consumer.deliveries(), 3, "it was consumed")
}

// Handlers may ask for a delay of their own, so this takes a second for each time.
func TestEndToEndAMessageThatFailsTooOftenIsADeadLetter(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "deadly", 1)
	sent := send(t, c.producer(t), letter(topic))
	consumer := c.consumeWith(t, "deadly", topic, func(*client.Received) error { return client.RetryAfter(1) }, client.WithMaxRedeliveries(2))
	soon(t, func() bool { return len(consumer.deliveries()) == 3 }, "the message does not come again twice")
	for i, d := range consumer.deliveries() {
		requireLetter(t, sent, d, int32(i))
	}
	dead := deadLetters(t, c, "deadly", 1)[0]
	requireLetter(t, sent, dead, dead.Redeliveries)
	require.Equal(t, topic, dead.Properties.Get("DLQ_ORIGIN_TOPIC"))
	time.Sleep(2 * time.Second)
	require.Len(t, consumer.deliveries(), 3)
}

// deadLetters waits for the dead letters of a group, and reads them as any other topic.
func deadLetters(t *testing.T, c *cluster, group string, count int) []delivery {
	t.Helper()
	topic := proto.DeadLetterTopic(group)
	a := c.newAdmin(t)
	soon(t, func() bool { _, err := a.Route(background, topic); return err == nil }, "%s is not there", topic)
	reader := c.consume(t, group+"-reader", topic)
	soon(t, func() bool { return len(reader.deliveries()) >= count }, "%s does not have %d messages", topic, count)
	return reader.deliveries()
}

func TestEndToEndARejectedMessageIsADeadLetterAtOnce(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "rejected", 1)
	p := c.producer(t)
	sent := send(t, p, letter(topic))
	consumer := c.consumeWith(t, "rejected", topic, func(*client.Received) error { return fmt.Errorf("no such order: %w", client.Reject) })
	requireLetter(t, sent, deadLetters(t, c, "rejected", 1)[0], 1)
	require.Len(t, consumer.deliveries(), 1)

	// The tool shows it, too.
	require.Contains(t, c.tool(t, "consumeMessage", "-t", "%DLQ%rejected"), "тело")
}

// Whoever fails, only the messages that failed come again, and only to the group that failed.
func TestEndToEndOnlyTheGroupThatFailedGetsAMessageAgain(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "bystander", 2)
	sendNumbered(t, c.producer(t), topic, 10)
	failing := c.consumeWith(t, "failing", topic, func(m *client.Received) error {
		if m.Redeliveries == 0 && m.Body[0] == '3' {
			return client.RetryAfter(1)
		}
		return nil
	})
	other := c.consume(t, "bystander", topic)
	gets(t, append(numbers(10), "3"), failing)
	gets(t, numbers(10), other)
	require.Eventually(t, func() bool {
		return c.lag(t, "failing", topic) == 0
	}, patience, glance, "what failed was passed over, because it comes again")
}

// lag is how many messages of a topic a group has still to consume.
func (c *cluster) lag(t *testing.T, group, topic string) int64 {
	t.Helper()
	a := c.newAdmin(t)
	var lag int64
	for _, address := range c.addresses {
		stats, err := a.ConsumeStats(background, address, group, topic)
		require.NoError(t, err)
		for _, q := range stats.Queues {
			lag += q.BrokerOffset - q.ConsumerOffset
		}
	}
	return lag
}

func TestEndToEndAPanicOfAHandlerCountsAsAFailure(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "panic", 1)
	send(t, c.producer(t), letter(topic))
	consumer := c.consumeWith(t, "panic", topic, func(m *client.Received) error {
		if m.Redeliveries == 0 {
			panic("no such order")
		}
		return nil
	}, client.WithMaxRedeliveries(0))
	// Without any redelivery it is a dead letter after the first time.
	deadLetters(t, c, "panic", 1)
	require.Len(t, consumer.deliveries(), 1)
}
