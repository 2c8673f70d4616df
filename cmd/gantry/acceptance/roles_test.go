package acceptance_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/stretchr/testify/require"
)

// producer is a producer that is closed when the test ends.
func (c *cluster) producer(t *testing.T, options ...client.ProducerOption) *client.Producer {
	t.Helper()
	world, err := osenv.New(osenv.Options{Node: "producer"})
	require.NoError(t, err)
	// A busy machine may take longer for a flush than the usual 3 s.
	usual := []client.ProducerOption{client.WithNameServers(c.names), client.WithGroup("acceptance"), client.WithSendTimeout(patience)}
	p, err := client.NewProducer(world.Env, append(usual, options...)...)
	require.NoError(t, err)
	t.Cleanup(func() { leave(t, p) })
	return p
}

// send sends a message and requires that it is stored as safely as the broker promises.
func send(t *testing.T, p *client.Producer, m *client.Message) client.SendResult {
	t.Helper()
	result, err := p.Send(background, m)
	require.NoError(t, err)
	require.Equal(t, client.SendOK, result.Status)
	return result
}

// sendNumbered sends so many messages with the bodies "0", "1" and so on.
func sendNumbered(t *testing.T, p *client.Producer, topic string, count int) {
	t.Helper()
	for i := range count {
		send(t, p, client.NewMessage(topic, fmt.Append(nil, i)))
	}
}

// numbers are the bodies of sendNumbered, sorted.
func numbers(count int) []string {
	var bodies []string
	for i := range count {
		bodies = append(bodies, fmt.Sprint(i))
	}
	slices.Sort(bodies)
	return bodies
}

// delivery is a call of a handler with one message.
type delivery struct {
	*client.Received
	at time.Time
}

// member is a push consumer and what it got.
type member struct {
	*client.PushConsumer
	root   string // of its files
	closed bool

	mutex sync.Mutex
	got   []delivery
}

// consume starts a consumer that consumes all that comes and remembers it.
func (c *cluster) consume(t *testing.T, group, topic string, options ...client.PushOption) *member {
	t.Helper()
	return c.consumeWith(t, group, topic, func(*client.Received) error { return nil }, options...)
}

// consumeWith starts a consumer that remembers each message and then does with it what the function says. It begins with the first
// message unless the options say otherwise.
func (c *cluster) consumeWith(t *testing.T, group, topic string, do func(*client.Received) error, options ...client.PushOption) *member {
	t.Helper()
	m := &member{}
	handler := client.WithHandler(m.handler(do))
	usual := []client.PushOption{client.WithSubscription(topic, client.Tags("*")), client.WithConsumeFrom(client.FromFirst), handler}
	m.start(t, c, group, append(usual, options...)...)
	return m
}

// consumeInOrder is consumeWith one message of a queue at a time.
func (c *cluster) consumeInOrder(t *testing.T, group, topic string, do func(*client.Received) error, options ...client.PushOption) *member {
	t.Helper()
	m := &member{}
	handler := client.WithOrderlyHandler(m.handler(do))
	usual := []client.PushOption{client.WithSubscription(topic, client.Tags("*")), client.WithConsumeFrom(client.FromFirst), handler}
	m.start(t, c, group, append(usual, options...)...)
	return m
}

// consumeIn is consume with a directory for what the consumer keeps in files.
func (c *cluster) consumeIn(t *testing.T, root, group, topic string, options ...client.PushOption) *member {
	t.Helper()
	m := &member{root: root}
	handler := client.WithHandler(m.handler(func(*client.Received) error { return nil }))
	usual := []client.PushOption{client.WithSubscription(topic, client.Tags("*")), client.WithConsumeFrom(client.FromFirst), handler}
	m.start(t, c, group, append(usual, options...)...)
	return m
}

func (m *member) start(t *testing.T, c *cluster, group string, options ...client.PushOption) {
	t.Helper()
	if m.root == "" {
		m.root = t.TempDir()
	}
	world, err := osenv.New(osenv.Options{Node: "consumer", Root: m.root})
	require.NoError(t, err)
	usual := []client.PushOption{client.WithNameServers(c.names), client.WithGroup(group), client.WithOffsetStoring(200 * time.Millisecond)}
	m.PushConsumer, err = client.NewPushConsumer(world.Env, append(usual, options...)...)
	require.NoError(t, err)
	t.Cleanup(func() { m.leave(t) })
	require.NoError(t, m.Start(background))
}

// handler remembers messages before it does anything with them.
func (m *member) handler(do func(*client.Received) error) client.Handler {
	return func(_ context.Context, messages []*client.Received) error {
		for _, message := range messages {
			m.mutex.Lock()
			m.got = append(m.got, delivery{message, time.Now()})
			m.mutex.Unlock()
			if err := do(message); err != nil {
				return err
			}
		}
		return nil
	}
}

// leave closes the consumer once.
func (m *member) leave(t *testing.T) {
	t.Helper()
	if !m.closed {
		m.closed = true
		leave(t, m.PushConsumer)
	}
}

// deliveries are all calls of the handler so far.
func (m *member) deliveries() []delivery {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.got)
}

// bodies are those of all deliveries to some members, sorted.
func bodies(members ...*member) []string {
	var all []string
	for _, m := range members {
		for _, d := range m.deliveries() {
			all = append(all, string(d.Body))
		}
	}
	slices.Sort(all)
	return all
}

// different is bodies without repetitions.
func different(members ...*member) []string { return slices.Compact(bodies(members...)) }

// gets waits until the members have got exactly these bodies, each once, and then makes sure that no more come.
func gets(t *testing.T, want []string, members ...*member) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	soon(t, func() bool { return len(bodies(members...)) >= len(want) }, "messages do not come")
	time.Sleep(100 * time.Millisecond)
	require.Equal(t, want, bodies(members...))
}

// one waits for the first delivery.
func (m *member) one(t *testing.T) delivery {
	t.Helper()
	soon(t, func() bool { return len(m.deliveries()) > 0 }, "no message comes")
	return m.deliveries()[0]
}

// holds are the queues of a topic that the member holds now.
func (m *member) holds(t *testing.T, topic string) []client.Queue {
	t.Helper()
	all, err := m.Assigned(background)
	require.NoError(t, err)
	return slices.DeleteFunc(all, func(q client.Queue) bool { return q.Topic != topic })
}
