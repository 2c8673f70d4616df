package acceptance_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

func TestEndToEndEachWayOfSendingDeliversEveryMessageOnce(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	const count = 40
	for name, way := range map[string]func(t *testing.T, p *client.Producer, m *client.Message){
		"sync":  func(t *testing.T, p *client.Producer, m *client.Message) { send(t, p, m) },
		"async": sendInBackground,
		"oneway": func(t *testing.T, p *client.Producer, m *client.Message) {
			require.NoError(t, p.SendOneway(background, m))
		},
		"batch": func(t *testing.T, p *client.Producer, m *client.Message) {
			results, err := p.SendBatch(background, []*client.Message{m})
			require.NoError(t, err)
			require.Equal(t, client.SendOK, results[0].Status)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := c.topic(t, "way-"+name, 2)
			p := c.producer(t)
			for i := range count {
				way(t, p, client.NewMessage(topic, fmt.Append(nil, i), client.Tag("tag"), client.Keys("k1", "k2"), client.Property("p", "v")))
			}
			consumer := c.consume(t, "way-"+name, topic)
			gets(t, numbers(count), consumer)
			for _, d := range consumer.deliveries() {
				require.Equal(t, []string{"tag", "v"}, []string{d.Tags(), d.Properties.Get("p")})
				require.Equal(t, []string{"k1", "k2"}, d.Keys())
				require.NotEmpty(t, d.UniqueID())
			}
		})
	}
}

// sendInBackground leaves the outcome to the end of the test.
func sendInBackground(t *testing.T, p *client.Producer, m *client.Message) {
	outcome := make(chan error, 1)
	require.NoError(t, p.SendAsync(background, m, func(result client.SendResult, err error) {
		if err == nil && result.Status != client.SendOK {
			err = fmt.Errorf("%s", result)
		}
		outcome <- err
	}))
	t.Cleanup(func() { require.NoError(t, <-outcome) })
}

func TestEndToEndAMessageGoesToTheQueueThatIsNamed(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "named", 3)
	p := c.producer(t)
	queues, err := p.Queues(background, topic)
	require.NoError(t, err)
	require.Len(t, queues, 6)
	var want []string
	for _, queue := range queues {
		result, err := p.SendTo(background, queue, client.NewMessage(topic, []byte(queue.String())))
		require.NoError(t, err)
		require.Equal(t, queue, result.Queue)
		require.Zero(t, result.QueueOffset)
		want = append(want, queue.String())
	}
	consumer := c.consume(t, "named", topic)
	gets(t, want, consumer)
	for _, d := range consumer.deliveries() {
		require.Equal(t, string(d.Body), d.Queue.String())
	}
	for name, queue := range map[string]client.Queue{
		"a queue too many": {Topic: topic, BrokerName: "broker-a", QueueID: 3},
		"another broker":   {Topic: topic, BrokerName: "broker-z"},
		"another topic":    {Topic: "other", BrokerName: "broker-a"},
	} {
		_, err := p.SendTo(background, queue, client.NewMessage(topic, []byte("x")))
		require.Error(t, err, name)
	}
	gets(t, want, consumer)
}

func TestEndToEndMessagesGoRoundAllQueues(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "round", 4)
	p := c.producer(t)
	count := map[client.Queue]int{}
	for range 32 {
		count[send(t, p, client.NewMessage(topic, []byte("x"))).Queue]++
	}
	require.Len(t, count, 8)
	for queue, messages := range count {
		require.Equal(t, 4, messages, queue)
	}
}

// Messages of one order go to one queue, each after the one before, however many are sent at once.
func TestEndToEndASelectorKeepsTheMessagesOfAnOrderInOrder(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	for name, selector := range map[string]client.Selector{
		"by-number": client.SelectByNumber(func(m *client.Message) int64 {
			order, _, _ := strings.Cut(string(m.Body), "/")
			number, _ := strconv.ParseInt(order, 10, 64)
			return number
		}),
		"by-key":      client.SelectByKey(func(m *client.Message) string { return m.Keys()[0] }),
		"by-ordering": client.SelectByOrderingKey,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := c.topic(t, "selected-"+name, 4)
			p := c.producer(t, client.WithSelector(selector))
			sendOrders(t, p, topic, 8, 10)
			consumer := c.consumeInOrder(t, "selected-"+name, topic, func(*client.Received) error { return nil })
			soon(t, func() bool { return len(consumer.deliveries()) == 80 }, "messages do not come")
			requireOrders(t, 10, consumer)
		})
	}
}

// sendOrders sends so many orders at once, each with so many steps, one after the other.
func sendOrders(t *testing.T, p *client.Producer, topic string, orders, steps int) {
	t.Helper()
	var senders sync.WaitGroup
	failures := make([]error, orders)
	for order := range orders {
		senders.Go(func() {
			for step := 0; step < steps && failures[order] == nil; step++ {
				key := fmt.Sprint("order-", order)
				m := client.NewMessage(topic, fmt.Appendf(nil, "%d/%d", order, step), client.Keys(key), client.OrderingKey(key))
				_, failures[order] = p.Send(background, m)
			}
		})
	}
	senders.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
}

// requireOrders requires that all steps of each order came from one queue, first to last without one missing. Members that got some twice
// may have gone back, but never forward.
func requireOrders(t *testing.T, steps int, members ...*member) {
	t.Helper()
	var all []delivery
	for _, m := range members {
		all = append(all, m.deliveries()...)
	}
	slices.SortStableFunc(all, func(a, b delivery) int { return a.at.Compare(b.at) })
	next, queue := map[string]int{}, map[string]client.Queue{}
	for _, d := range all {
		order, text, _ := strings.Cut(string(d.Body), "/")
		step, err := strconv.Atoi(text)
		require.NoError(t, err)
		require.LessOrEqual(t, step, next[order], "order %s: step %d overtook", order, step)
		next[order] = max(next[order], step+1)
		if _, known := queue[order]; known {
			require.Equal(t, queue[order], d.Queue)
		}
		queue[order] = d.Queue
	}
	for order, got := range next {
		require.Equal(t, steps, got, "steps of order %s", order)
	}
}
