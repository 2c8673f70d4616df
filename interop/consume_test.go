//go:build interop

package interop_test

import (
	"fmt"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

func TestTheyConsumeWhatOurProducerSends(t *testing.T) {
	withEachPeer(t, testOursToTheirs, rowPush, rowProperties, rowZlib)
}

func testOursToTheirs(t *testing.T, p *peer) {
	c := startCluster(t, 1)
	c.makeTopic(t, "ours", 4)
	producer := c.producer(t)
	sent := map[slot]*gantry.Message{}
	for i, o := range append(assortment("ours"), small("ours", 500)...) {
		m := messageOf(o)
		m.UserFlags = int32(i)
		result, err := producer.Send(t.Context(), m)
		require.NoError(t, err)
		sent[slotOf(result)] = m
	}
	sendBatch(t, producer, "ours", sent)

	consumer := p.consumer(t, c.settings("their-group").of("ours", ""))
	got := consumer.await(t, len(sent))
	for _, d := range got {
		require.Contains(t, sent, d.slot())
		requireAsSent(t, sent[d.slot()], d)
	}
	require.Len(t, bySlot(consumer.finish(t)), len(sent))
	require.Len(t, consumer.deliveries, len(sent), "nothing is delivered twice")
	c.requireCommitted(t, "their-group", "ours")
}

// messageOf is a message of ours as an order describes it.
func messageOf(o order) *gantry.Message {
	m := gantry.NewMessage(o.Topic, o.Body)
	if o.Tag != "" {
		m.SetTags(o.Tag)
	}
	if len(o.Keys) > 0 {
		m.SetKeys(o.Keys...)
	}
	for name, value := range o.Properties {
		m.Properties.Set(name, value)
	}
	return m
}

func slotOf(result gantry.SendResult) slot {
	return slot{result.Queue.QueueID, int64(result.QueueOffset)}
}

// sendBatch sends ten messages as one request and notes where they are.
func sendBatch(t *testing.T, producer *gantry.Producer, topic string, sent map[slot]*gantry.Message) {
	t.Helper()
	var batch []*gantry.Message
	for i := range 10 {
		batch = append(batch, messageOf(order{Topic: topic, Tag: "batch", Keys: []string{fmt.Sprint("b", i)}, Body: fmt.Appendf(nil, "in a batch %d", i)}))
	}
	results, err := producer.SendBatch(t.Context(), batch)
	require.NoError(t, err)
	for i, result := range results {
		sent[slotOf(result)] = batch[i]
	}
}

// requireAsSent compares what a peer was given with what our library sent.
func requireAsSent(t *testing.T, m *gantry.Message, d delivery) {
	t.Helper()
	require.Equal(t, m.Topic, d.Topic)
	require.Equal(t, m.Body, d.Body)
	require.Equal(t, m.Tags(), d.Tag)
	require.Equal(t, m.Keys(), orEmpty(d.Keys))
	require.Equal(t, m.UserFlags, d.UserFlags)
	own := map[string]string{}
	for _, name := range []string{"colour", "größe"} {
		if value := m.Properties.Get(name); value != "" {
			own[name] = value
		}
	}
	require.Equal(t, own, ownProperties(d.Properties))
	require.Equal(t, brokerName, d.Broker)
	require.Zero(t, d.Redeliveries)
	require.NotEmpty(t, d.Properties["UNIQ_KEY"])
}

// orEmpty takes no list for an empty one.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func bySlot(all []delivery) map[slot]delivery {
	m := map[slot]delivery{}
	for _, d := range all {
		m[d.slot()] = d
	}
	return m
}

func TestTheyConsumeWhatIsSentWhileTheyWait(t *testing.T) { withEachPeer(t, testHeldPulls, rowPush) }

// testHeldPulls: a consumer that has nothing to consume is woken by each message.
func testHeldPulls(t *testing.T, p *peer) {
	c := startCluster(t, 1)
	c.makeTopic(t, "ours", 2)
	producer := c.producer(t)
	consumer := p.consumer(t, c.settings("their-group").of("ours", ""))
	for i := range 10 {
		_, err := producer.Send(t.Context(), messageOf(order{Topic: "ours", Body: fmt.Appendf(nil, "message %d", i)}))
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("message ", i), string(consumer.await(t, i+1)[i].Body))
	}
	consumer.finish(t)
}

func TestTheyConsumeOnlyTheTagsTheyWant(t *testing.T) { withEachPeer(t, testTags, rowTags) }

func testTags(t *testing.T, p *peer) {
	c := startCluster(t, 1)
	c.makeTopic(t, "ours", 2)
	producer := c.producer(t)
	// The broker compares hashes, and "Aa" and "BB" have the same: the client must tell them apart.
	tags := []string{"red", "Aa", "BB", "blue", ""}
	for i := range 100 {
		o := order{Topic: "ours", Tag: tags[i%len(tags)], Body: fmt.Append(nil, i)}
		_, err := producer.Send(t.Context(), messageOf(o))
		require.NoError(t, err)
	}
	consumer := p.consumer(t, c.settings("their-group").of("ours", "red || Aa"))
	consumer.await(t, 40)
	count := map[string]int{}
	for _, d := range consumer.finish(t) {
		count[d.Tag]++
	}
	require.Equal(t, map[string]int{"red": 20, "Aa": 20}, count)
}

func TestOursAndTheirsFilterAlike(t *testing.T) { withEachPeer(t, testSameFilter, rowTags) }

// testSameFilter: the peer sends, and the same filter is given to it and to us.
func testSameFilter(t *testing.T, p *peer) {
	c := startCluster(t, 1)
	c.makeTopic(t, "theirs", 1)
	producer := p.producer(t, c.settings("their-producers"))
	var orders []order
	for i := range 60 {
		orders = append(orders, order{Topic: "theirs", Tag: []string{"größe", "red", "BB"}[i%3], Body: fmt.Append(nil, i)})
	}
	producer.mustSend(t, orders...)
	consumer := p.consumer(t, c.settings("their-group").of("theirs", "größe||Aa"))
	consumer.await(t, 20)
	theirs := consumer.finish(t)

	ours, err := gantry.NewPullConsumer(client.WithGroup("our-group"), client.WithNameServers(c.addresses...),
		client.WithHold(0), client.WithSubscription("theirs", client.Tags("größe||Aa")))
	require.NoError(t, err)
	closeAtEnd(t, ours)
	queues, err := ours.Queues(t.Context(), "theirs")
	require.NoError(t, err)
	count := 0
	for pulled := (gantry.PullResult{Max: 1}); pulled.Next < pulled.Max; {
		pulled, err = ours.Pull(t.Context(), queues[0], pulled.Next, 32)
		require.NoError(t, err)
		for _, m := range pulled.Messages {
			require.Contains(t, bySlot(theirs), slot{0, int64(m.Offset)})
			count++
		}
	}
	require.Len(t, theirs, count)
	producer.finish(t)
}
