package acceptance_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// Two members whose handlers fail every now and then, one of which leaves in the middle: nothing overtakes.
func TestEndToEndInOrderNothingOvertakesWhateverFails(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "orderly", 2)
	flaky := func(*client.Received) error {
		time.Sleep(2 * time.Millisecond)
		if rand.IntN(5) == 0 {
			return client.SuspendFor(20 * time.Millisecond)
		}
		return nil
	}
	first := c.consumeInOrder(t, "orderly", topic, flaky)
	second := c.consumeInOrder(t, "orderly", topic, flaky)
	sharedOut(t, topic, 4, first, second)
	p := c.producer(t, client.WithSelector(client.SelectByOrderingKey))
	sendOrders(t, p, topic, 8, 10)
	soon(t, func() bool { return len(different(first, second)) > 40 }, "messages do not come")
	first.leave(t)
	soon(t, func() bool { return len(different(first, second)) == 80 }, "messages do not come")
	sharedOut(t, topic, 4, second)
	requireOrders(t, 10, first, second)
	require.Greater(t, len(bodies(first, second)), 80, "some have failed")
	soon(t, func() bool { return c.lag(t, "orderly", topic) == 0 }, "offsets are not stored")
}

// A message that never succeeds holds up its own queue and no other, until it was tried often enough.
func TestEndToEndInOrderAMessageThatFailsHoldsUpItsQueueOnly(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "heldup", 1)
	p := c.producer(t)
	queues, err := p.Queues(background, topic)
	require.NoError(t, err)
	for _, queue := range queues {
		for _, body := range []string{"1", "2", "3"} {
			_, err := p.SendTo(background, queue, client.NewMessage(topic, []byte(queue.BrokerName+"/"+body)))
			require.NoError(t, err)
		}
	}
	var mutex sync.Mutex
	healed := false
	m := c.consumeInOrder(t, "heldup", topic, func(m *client.Received) error {
		mutex.Lock()
		defer mutex.Unlock()
		if string(m.Body) == "broker-a/2" && !healed {
			return client.SuspendFor(50 * time.Millisecond)
		}
		return nil
	})
	soon(t, func() bool { return len(different(m)) == 5 && len(bodies(m)) > 8 }, "the other queue does not go on")
	require.NotContains(t, different(m), "broker-a/3")
	mutex.Lock()
	healed = true
	mutex.Unlock()
	soon(t, func() bool { return len(different(m)) == 6 }, "the queue does not go on")
}

// With a limit, a message that fails too often in order is a dead letter, and its queue goes on.
func TestEndToEndInOrderAMessageThatFailsTooOftenIsADeadLetter(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "giveup", 1)
	p := c.producer(t, client.WithSelector(func(*client.Message, []client.Queue) int { return 0 }))
	for _, body := range []string{"1", "2", "3"} {
		send(t, p, client.NewMessage(topic, []byte(body)))
	}
	m := c.consumeInOrder(t, "giveup", topic, func(m *client.Received) error {
		if string(m.Body) == "2" {
			return errRefused
		}
		return nil
	}, client.WithMaxRedeliveries(2), client.WithSuspendTime(50*time.Millisecond))
	soon(t, func() bool { return len(different(m)) == 3 }, "the queue does not go on")
	var got []string
	for _, d := range m.deliveries() {
		got = append(got, string(d.Body))
	}
	require.Equal(t, []string{"1", "2", "2", "2", "3"}, got)
	require.Equal(t, "2", string(deadLetters(t, c, "giveup", 1)[0].Body))
}
