//go:build interop

package interop_test

import (
	"fmt"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// sendRounds sends so many messages to each of the queues of a topic, and returns their bodies.
func sendRounds(t *testing.T, producer *gantry.Producer, topic, name string, rounds int) map[string]bool {
	t.Helper()
	queues, err := producer.Queues(t.Context(), topic)
	require.NoError(t, err)
	bodies := map[string]bool{}
	for i := range rounds {
		for _, queue := range queues {
			body := fmt.Sprintf("%s %d for queue %d", name, i, queue.QueueID)
			_, err := producer.SendTo(t.Context(), queue, gantry.NewMessage(topic, []byte(body)))
			require.NoError(t, err)
			bodies[body] = true
		}
	}
	return bodies
}

func bodiesOf(all []delivery) map[string]bool {
	bodies := map[string]bool{}
	for _, d := range all {
		bodies[string(d.Body)] = true
	}
	return bodies
}

func TestTheirGroupGoesOnWhereItStopped(t *testing.T) { withEachPeer(t, testGoOn, rowCommitted) }

func testGoOn(t *testing.T, p *peer) {
	c := startCluster(t, 1)
	c.makeTopic(t, "ours", 4)
	producer := c.producer(t)
	group := c.settings("their-group").of("ours", "")

	first := sendRounds(t, producer, "ours", "first", 25)
	consumer := p.consumer(t, group)
	consumer.await(t, len(first))
	require.Equal(t, first, bodiesOf(consumer.finish(t)))
	c.requireCommitted(t, "their-group", "ours")

	second := sendRounds(t, producer, "ours", "second", 25)
	consumer = p.consumer(t, group)
	consumer.await(t, len(second))
	require.Equal(t, second, bodiesOf(consumer.finish(t)))
	require.Len(t, consumer.deliveries, len(second), "nothing is delivered twice")

	// A restart of the broker forgets no offset.
	c.broker.stop(t)
	c.startBroker(t)
	c.makeTopic(t, "ours", 4)
	third := sendRounds(t, c.producer(t), "ours", "third", 1)
	consumer = p.consumer(t, group)
	consumer.await(t, len(third))
	require.Equal(t, third, bodiesOf(consumer.finish(t)))
}

func TestTheirGroupGoesOnWhereOursStopped(t *testing.T) {
	withEachPeer(t, testGoOnAfterOurs, rowCommitted)
}

func testGoOnAfterOurs(t *testing.T, p *peer) {
	c := startCluster(t, 1)
	c.makeTopic(t, "ours", 3)
	sendRounds(t, c.producer(t), "ours", "before", 20)
	commit := map[int32]int64{0: 20, 1: 7, 2: 13}
	consumer := c.consumer(t, "group")
	queues, err := consumer.Queues(t.Context(), "ours")
	require.NoError(t, err)
	for _, queue := range queues {
		require.NoError(t, consumer.Commit(t.Context(), queue, client.QueueOffset(commit[queue.QueueID])))
	}
	require.NoError(t, consumer.Close(t.Context()))

	theirs := p.consumer(t, c.settings("group").of("ours", ""))
	theirs.await(t, 13+7)
	for _, d := range theirs.finish(t) {
		require.GreaterOrEqual(t, d.Offset, commit[d.Queue], "queue %d", d.Queue)
	}
	require.Len(t, theirs.deliveries, 13+7)
	c.requireCommitted(t, "group", "ours")
}

func TestTheirConsumersShareTheQueues(t *testing.T) { withEachPeer(t, testShare, rowShare) }

func testShare(t *testing.T, p *peer) {
	const queues = 6
	c := startCluster(t, 1)
	c.makeTopic(t, "ours", queues)
	producer := c.producer(t)
	group := c.settings("their-group").of("ours", "")
	one, other := p.consumer(t, group), p.consumer(t, group)
	round := 0
	// shares sends a message to each queue, waits until all are delivered, and counts what each consumer got.
	shares := func() (int, int) {
		round++
		bodies := sendRounds(t, producer, "ours", fmt.Sprint("round ", round), 1)
		var ofOne, ofOther int
		eventually(t, "the delivery of every message", func() bool {
			ofOne, ofOther = among(one.look(t), bodies), among(other.look(t), bodies)
			return ofOne+ofOther >= queues
		})
		return ofOne, ofOther
	}
	eventually(t, "an equal share for both", func() bool {
		ofOne, ofOther := shares()
		return ofOne == queues/2 && ofOther == queues/2
	})
	one.finish(t)
	eventually(t, "everything for the one that stays", func() bool {
		_, ofOther := shares()
		return ofOther == queues
	})
	other.finish(t)
}

// among counts which of some bodies were delivered.
func among(all []delivery, bodies map[string]bool) int {
	count := 0
	for body := range bodiesOf(all) {
		if bodies[body] {
			count++
		}
	}
	return count
}
