package acceptance_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func batchOf(topic string, count int) []*client.Message {
	var all []*client.Message
	for i := range count {
		all = append(all, client.NewMessage(topic, fmt.Append(nil, i), client.Tag(fmt.Sprint("tag", i%2)), client.Keys(fmt.Sprint("k", i))))
	}
	return all
}

// Both kinds of topics: those that store the messages of a batch one by one, and those that store it as one record.
func TestEndToEndABatchIsStoredInOneQueueInItsOrder(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	for name, attributes := range map[string]string{"batch-simple": "+queue.type=SimpleCQ", "batch-whole": "+queue.type=BatchCQ"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.tool(t, "updateTopic", "-c", "DefaultCluster", "-t", name, "-r", "2", "-w", "2", "-a", attributes)
			c.routed(t, c.newAdmin(t), name, 2)
			results, err := c.producer(t).SendBatch(background, batchOf(name, 100))
			require.NoError(t, err)
			require.Len(t, results, 100)
			ids := map[string]bool{}
			for i, r := range results {
				require.Equal(t, results[0].Queue, r.Queue)
				require.Equal(t, client.QueueOffset(i), r.QueueOffset)
				ids[r.UniqueID] = true
			}
			require.Len(t, ids, 100)
			consumer := c.consumeInOrder(t, name, name, func(*client.Received) error { return nil })
			gets(t, numbers(100), consumer)
			for i, d := range consumer.deliveries() {
				require.Equal(t, fmt.Sprint(i), string(d.Body))
				require.Equal(t, []string{fmt.Sprint("k", i)}, d.Keys())
			}
		})
	}
}

func TestEndToEndWhatIsNoBatchIsNotSentAndTheMessageIsNamed(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "nobatch", 1)
	body := []byte("x")
	first := client.NewMessage(topic, body)
	p := c.producer(t)
	for name, mistake := range map[string]struct {
		batch []*client.Message
		want  string
	}{
		"nothing":                {nil, "the batch is empty"},
		"a nil":                  {[]*client.Message{first, nil}, "message 1 of the batch"},
		"an empty body":          {[]*client.Message{first, client.NewMessage(topic, nil)}, "message 1 of the batch: message cannot be sent: Body is empty"},
		"two topics":             {[]*client.Message{first, client.NewMessage("other", body)}, "topic other differs"},
		"a delay":                {[]*client.Message{first, client.NewMessage(topic, body, client.DelayLevel(1))}, "a delayed message must be sent alone"},
		"one that need not wait": {[]*client.Message{first, client.NewMessage(topic, body, client.NoWait())}, "wait property differs"},
		"a retry topic":          {[]*client.Message{client.NewMessage("%RETRY%g", body)}, "retry topic must be sent alone"},
		"over the limit":         {[]*client.Message{client.NewMessage(topic, make([]byte, bodyMax/2)), client.NewMessage(topic, make([]byte, bodyMax/2))}, "4194304"},
		"properties too large":   {[]*client.Message{first, client.NewMessage(topic, body, client.Property("p", strings.Repeat("v", 33<<10)))}, "properties"},
	} {
		_, err := p.SendBatch(background, mistake.batch)
		require.ErrorIs(t, err, client.ErrMessage, name)
		require.ErrorContains(t, err, mistake.want, name)
	}
	send(t, p, first)
	gets(t, []string{"x"}, c.consume(t, "nobatch", topic))
}

// The broker has limits of its own, whatever the producer lets through.
func TestEndToEndABatchOverTheBrokersLimitIsRefusedWhole(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "largebatch", 1)
	p := c.producer(t, client.WithMaxMessageSize(2*bodyMax))
	half := client.NewMessage(topic, noise(bodyMax/2))
	_, err := p.SendBatch(background, []*client.Message{half, half})
	requireRefusal(t, err, proto.RespMessageIllegal, "4194304")

	// Cut into pieces it goes through.
	var want []string
	for piece, err := range client.SplitBatches([]*client.Message{half, half, client.NewMessage(topic, []byte("x"))}, bodyMax) {
		require.NoError(t, err)
		_, err = p.SendBatch(background, piece)
		require.NoError(t, err)
		for _, m := range piece {
			want = append(want, string(m.Body))
		}
	}
	require.Len(t, want, 3)
	gets(t, want, c.consume(t, "largebatch", topic))
}
