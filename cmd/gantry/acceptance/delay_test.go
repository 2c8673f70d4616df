package acceptance_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// usualDelays are those of the first levels of the table.
var usualDelays = []time.Duration{0, time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second}

func TestEndToEndADelayedMessageComesWhenItsTimeHasCome(t *testing.T) {
	endToEnd(t)
	requireDelays(t, 0, 1)
}

func TestEndToEndEachDelayLevelHasItsTime(t *testing.T) {
	endToEnd(t)
	slow(t)
	requireDelays(t, 2, 3, 4)
}

// requireDelays sends a message with each level and requires that it comes neither early nor much later.
func requireDelays(t *testing.T, levels ...int) {
	t.Helper()
	c := shared(t)
	topic := c.topic(t, fmt.Sprint("delay-", levels[0]), 1)
	consumer := c.consume(t, topic, topic)
	p := c.producer(t)
	sent := map[string]time.Time{}
	longest := time.Duration(0)
	for _, level := range levels {
		body := fmt.Sprint(level)
		sent[body] = time.Now()
		send(t, p, client.NewMessage(topic, []byte(body), client.DelayLevel(level), client.Tag("t"), client.Keys("k")))
		longest = max(longest, usualDelays[level])
	}
	time.Sleep(longest)
	soon(t, func() bool { return len(consumer.deliveries()) == len(levels) }, "messages do not come")
	for i, d := range consumer.deliveries() {
		require.Equal(t, fmt.Sprint(levels[i]), string(d.Body), "the shortest delay first")
		require.Equal(t, topic, d.Topic)
		require.Equal(t, []string{"t", "k"}, []string{d.Tags(), d.Keys()[0]})
		took := d.at.Sub(sent[string(d.Body)])
		require.GreaterOrEqual(t, took, usualDelays[levels[i]], "level %d", levels[i])
		require.Less(t, took, usualDelays[levels[i]]+3*time.Second, "level %d", levels[i])
	}
}

// The last level stands for all above it.
func TestEndToEndALevelBeyondTheTableCountsAsTheLast(t *testing.T) {
	endToEnd(t)
	c := own(t, "--messageDelayLevel", "1s 2s")
	topic := c.topic(t, "beyond", 1)
	began := time.Now()
	send(t, c.producer(t), client.NewMessage(topic, []byte("x"), client.DelayLevel(99)))
	took := c.consume(t, "beyond", topic).one(t).at.Sub(began)
	require.GreaterOrEqual(t, took, 2*time.Second)
	require.Less(t, took, 6*time.Second)
}

// What waits survives a crash of the broker.
func TestEndToEndADelayedMessageSurvivesAKilledBroker(t *testing.T) {
	endToEnd(t)
	c := own(t)
	topic := c.topic(t, "patient", 1)
	began := time.Now()
	send(t, c.producer(t), client.NewMessage(topic, []byte("x"), client.DelayLevel(2)))
	c.nodes["broker-a"].Kill()
	require.NoError(t, c.startBroker("broker-a"))
	require.NoError(t, c.connect())
	d := c.consume(t, "patient", topic).one(t)
	require.GreaterOrEqual(t, d.at.Sub(began), 5*time.Second)
	require.Less(t, d.at.Sub(began), 12*time.Second)
}

// A message may wait for a time of its own, to the millisecond, and be recalled before that.
func TestEndToEndATimedMessageComesAtItsTimeUnlessItIsRecalled(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "timed", 1)
	consumer := c.consume(t, topic, topic)
	p, began := c.producer(t), time.Now()
	send(t, p, client.NewMessage(topic, []byte("second"), client.DelayFor(1700*time.Millisecond)))
	send(t, p, client.NewMessage(topic, []byte("first"), client.DeliverAt(began.Add(1300*time.Millisecond))))
	recalled := send(t, p, client.NewMessage(topic, []byte("never"), client.DelayFor(1500*time.Millisecond)))
	id, err := p.Recall(background, topic, recalled.RecallHandle)
	require.NoError(t, err)
	require.Equal(t, recalled.UniqueID, id)
	soon(t, func() bool { return len(consumer.deliveries()) == 2 }, "messages do not come")
	for i, want := range []struct {
		body string
		wait time.Duration
	}{{"first", 1300 * time.Millisecond}, {"second", 1700 * time.Millisecond}} {
		d := consumer.deliveries()[i]
		require.Equal(t, want.body, string(d.Body))
		require.GreaterOrEqual(t, d.at.Sub(began)+time.Millisecond, want.wait)
		require.Less(t, d.at.Sub(began), want.wait+3*time.Second)
	}
	_, err = p.Recall(background, topic, recalled.RecallHandle)
	require.ErrorContains(t, err, "too late")
	_, err = p.Send(background, client.NewMessage(topic, []byte("x"), client.DelayFor(73*time.Hour)))
	require.ErrorContains(t, err, "timerMaxDelaySec")
}

// What waits for a time of its own survives a crash of the broker, too, and comes once.
func TestEndToEndATimedMessageSurvivesAKilledBroker(t *testing.T) {
	endToEnd(t)
	c := own(t)
	topic := c.topic(t, "punctual", 1)
	began := time.Now()
	send(t, c.producer(t), client.NewMessage(topic, []byte("x"), client.DelayFor(4*time.Second)))
	c.nodes["broker-a"].Kill()
	require.NoError(t, c.startBroker("broker-a"))
	require.NoError(t, c.connect())
	d := c.consume(t, "punctual", topic).one(t)
	require.GreaterOrEqual(t, d.at.Sub(began), 4*time.Second)
	require.Less(t, d.at.Sub(began), 12*time.Second)
}
