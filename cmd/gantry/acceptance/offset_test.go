package acceptance_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// sendRange sends messages with the numbers from first to last as bodies.
func sendRange(t *testing.T, p *client.Producer, topic string, first, last int) {
	t.Helper()
	for i := first; i <= last; i++ {
		send(t, p, client.NewMessage(topic, fmt.Append(nil, i)))
	}
}

// between are the bodies of sendRange.
func between(first, last int) []string {
	var all []string
	for i := first; i <= last; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

func TestEndToEndAGroupBeginsWhereItWasTold(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "begin", 2)
	p := c.producer(t)
	sendRange(t, p, topic, 1, 10)
	// Times are compared in milliseconds.
	time.Sleep(20 * time.Millisecond)
	moment := time.Now()
	time.Sleep(20 * time.Millisecond)
	sendRange(t, p, topic, 11, 20)

	began := map[string]*member{}
	for name, begins := range beginnings(moment) {
		began[name] = c.consume(t, name, topic, begins.option)
		soon(t, func() bool { return len(began[name].holds(t, topic)) == 4 }, "no queues")
	}
	// A queue is held before it is known where to begin: this group would begin behind a message that comes too soon.
	gets(t, between(1, 20), began["begin-first"])
	time.Sleep(200 * time.Millisecond)
	sendRange(t, p, topic, 21, 21)
	for name, begins := range beginnings(moment) {
		t.Run(name, func(t *testing.T) { gets(t, between(begins.with, 21), began[name]) })
	}
}

// beginning is where a group begins, and the first message that it is to get.
type beginning struct {
	option client.PushOption
	with   int
}

func beginnings(moment time.Time) map[string]beginning {
	return map[string]beginning{
		"begin-first":   {client.WithConsumeFrom(client.FromFirst), 1},
		"begin-time":    {client.WithConsumeFromTime(moment), 11},
		"begin-ago":     {client.WithConsumeFromTime(time.Time{}), 1},
		"begin-ancient": {client.WithConsumeFromTime(time.UnixMilli(1)), 1},
		"begin-future":  {client.WithConsumeFromTime(time.Now().Add(time.Hour)), 21},
		// The usual exception: as long as the first message of a queue is in memory, its topic is young, and a new group begins with it.
		"begin-last": {client.WithConsumeFrom(client.FromLast), 1},
	}
}

// A group goes on where it was, whoever stopped: the consumer, or the broker in order, or the broker by kill -9.
func TestEndToEndOffsetsAreKeptOverRestartsAndCrashes(t *testing.T) {
	endToEnd(t)
	c := own(t, "--flushConsumerOffsetInterval", "1000")
	topic := c.topic(t, "kept", 3)
	p := c.producer(t, client.WithRouteRefresh(100*time.Millisecond))

	first := c.consume(t, "kept", topic)
	sendRange(t, p, topic, 1, 20)
	gets(t, between(1, 20), first)
	first.leave(t)

	sendRange(t, p, topic, 21, 40)
	second := c.consume(t, "kept", topic)
	gets(t, between(21, 40), second)
	second.leave(t)

	stop(t, c.nodes["broker-a"])
	require.NoError(t, c.startBroker("broker-a"))
	require.NoError(t, c.connect())
	sendRange(t, p, topic, 41, 60)
	third := c.consume(t, "kept", topic)
	gets(t, between(41, 60), third)
	third.leave(t)

	// The broker writes the table of offsets every second.
	time.Sleep(1500 * time.Millisecond)
	c.nodes["broker-a"].Kill()
	require.NoError(t, c.startBroker("broker-a"))
	require.NoError(t, c.connect())
	sendRange(t, p, topic, 61, 80)
	fourth := c.consume(t, "kept", topic)
	gets(t, between(61, 80), fourth)
	soon(t, func() bool { return c.lag(t, "kept", topic) == 0 }, "offsets are not stored")
	require.Contains(t, c.tool(t, "consumerProgress", "-g", "kept"), "Diff Total: 0")
}

// Consumers that live through a crash of the broker go on by themselves. What was acknowledged is not lost, and little comes twice.
func TestEndToEndALiveConsumerOutlivesAKilledBroker(t *testing.T) {
	endToEnd(t)
	c := own(t, "--flushConsumerOffsetInterval", "1000")
	topic := c.topic(t, "outlives", 2)
	p := c.producer(t, client.WithRouteRefresh(100*time.Millisecond))
	m := c.consume(t, "outlives", topic, client.WithRouteRefresh(100*time.Millisecond), client.WithHeartbeat(200*time.Millisecond))
	sendRange(t, p, topic, 1, 20)
	gets(t, between(1, 20), m)
	time.Sleep(1500 * time.Millisecond)
	c.nodes["broker-a"].Kill()
	require.NoError(t, c.startBroker("broker-a"))
	require.NoError(t, c.connect())
	sendRange(t, p, topic, 21, 40)
	soon(t, func() bool { return len(different(m)) == 40 }, "messages do not come any more")
	soon(t, func() bool { return c.lag(t, "outlives", topic) == 0 }, "offsets are not stored any more")
}

// A member of a broadcast goes on from its own file.
func TestEndToEndABroadcastMemberGoesOnFromItsFile(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "file", 2)
	p := c.producer(t)
	options := []client.PushOption{client.WithModel(client.Broadcasting), client.WithInstanceName("one")}
	root := t.TempDir()
	sendRange(t, p, topic, 1, 10)
	first := c.consumeIn(t, root, "file", topic, options...)
	gets(t, between(1, 10), first)
	first.leave(t)
	sendRange(t, p, topic, 11, 20)
	gets(t, between(11, 20), c.consumeIn(t, root, "file", topic, options...))
	// Another member has a file of its own.
	gets(t, between(1, 20), c.consumeIn(t, root, "file", topic, client.WithModel(client.Broadcasting), client.WithInstanceName("two")))
}

// A handler that is at work when its consumer is closed is waited for; what waits behind comes to the next member.
func TestEndToEndClosingAConsumerLosesNothing(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "closing", 2)
	sendRange(t, c.producer(t), topic, 1, 100)
	leaver := c.consumeWith(t, "closing", topic, func(*client.Received) error {
		time.Sleep(20 * time.Millisecond)
		return nil
	}, client.WithConcurrency(2))
	soon(t, func() bool { return len(leaver.deliveries()) > 10 }, "messages do not come")
	leaver.leave(t)
	require.Less(t, len(bodies(leaver)), 100, "there is something left")
	heir := c.consume(t, "closing", topic)
	soon(t, func() bool { return len(different(leaver, heir)) == 100 }, "messages are lost")
}
