//go:build interop

package interop_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// theirProducer is a peer that sends.
type theirProducer struct {
	*process
	read     int // lines
	outcomes []outcome
}

func (p *peer) producer(t *testing.T, s settings) *theirProducer {
	t.Helper()
	return &theirProducer{process: p.start(t, "producer", s)}
}

// give hands over orders without waiting.
func (p *theirProducer) give(t *testing.T, orders ...order) {
	t.Helper()
	for _, o := range orders {
		text, err := json.Marshal(o)
		require.NoError(t, err)
		_, err = p.in.Write(append(text, '\n'))
		require.NoError(t, err)
	}
}

// look takes in the outcomes that have come since.
func (p *theirProducer) look(t *testing.T) {
	t.Helper()
	for _, r := range reports(t, p.process, p.read) {
		p.read++
		if r.Outcome != nil {
			p.outcomes = append(p.outcomes, *r.Outcome)
		}
	}
}

// send gives orders numbered from 0 and returns their outcomes in the same order.
func (p *theirProducer) send(t *testing.T, orders ...order) []outcome {
	t.Helper()
	for i := range orders {
		orders[i].Number = i
	}
	before := len(p.outcomes)
	p.give(t, orders...)
	eventually(t, "an outcome of each send", func() bool {
		p.look(t)
		return len(p.outcomes) == before+len(orders)
	})
	sorted := make([]outcome, len(orders))
	for _, o := range p.outcomes[before:] {
		sorted[o.Number] = o
	}
	return sorted
}

// mustSend is send, where all must succeed.
func (p *theirProducer) mustSend(t *testing.T, orders ...order) []outcome {
	t.Helper()
	outcomes := p.send(t, orders...)
	for i := range outcomes {
		require.Empty(t, outcomes[i].Error)
		require.Equal(t, "SEND_OK", outcomes[i].Status)
		require.Equal(t, brokerName, outcomes[i].Broker)
	}
	return outcomes
}

// theirConsumer is a peer that consumes.
type theirConsumer struct {
	*process
	read       int // lines
	deliveries []delivery
}

func (p *peer) consumer(t *testing.T, s settings) *theirConsumer {
	t.Helper()
	return &theirConsumer{process: p.start(t, "consumer", s)}
}

// look returns all deliveries so far.
func (c *theirConsumer) look(t *testing.T) []delivery {
	t.Helper()
	for _, r := range reports(t, c.process, c.read) {
		c.read++
		if r.Delivery != nil {
			c.deliveries = append(c.deliveries, *r.Delivery)
		}
	}
	return c.deliveries
}

// await waits for so many deliveries in all. More may follow.
func (c *theirConsumer) await(t *testing.T, count int) []delivery {
	t.Helper()
	eventually(t, "deliveries", func() bool { return len(c.look(t)) >= count })
	return c.deliveries
}

// finish makes it leave, and returns all deliveries.
func (c *theirConsumer) finish(t *testing.T) []delivery {
	t.Helper()
	c.process.finish(t)
	return c.look(t)
}
