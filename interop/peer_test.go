//go:build interop

package interop_test

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// peer is somebody else's client.
type peer struct {
	name string
	// install makes it ready to run. If the machine has not what it needs, missing says what.
	install func() (missing string, err error)
	// command runs it as a "producer" or a "consumer".
	command func(role, settings string) *exec.Cmd
	// untagged is the tag that a message sent without one has.
	untagged string
	// createsTopics says that a send to an unknown topic goes to a broker that may make it.
	createsTopics bool
}

var peers = []*peer{
	{name: "ali-ons", install: installAliOns, command: aliOns, untagged: "null"},
	{name: "official", install: installOfficial, command: official, createsTopics: true},
}

// withEachPeer runs a test for every peer, side by side.
func withEachPeer(t *testing.T, test func(t *testing.T, p *peer)) {
	t.Helper()
	t.Parallel()
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			missing, err := p.install()
			require.NoError(t, err)
			if missing != "" {
				t.Skip(missing)
			}
			test(t, p)
		})
	}
}

// settings are the argument of a peer.
type settings struct {
	NameServers []string `json:"nameServers,omitempty"`
	// Endpoint is the URL of a list of name servers, instead of NameServers.
	Endpoint string `json:"endpoint,omitempty"`
	Group    string `json:"group"`
	// The rest is for consumers. A group without offsets begins at the first message.
	Topic      string `json:"topic,omitempty"`
	Expression string `json:"expression,omitempty"` // tags joined by ||; "" is all messages
}

// of adds what a consumer consumes.
func (s settings) of(topic, expression string) settings {
	s.Topic, s.Expression = topic, expression
	return s
}

// order is what a producer is to send.
type order struct {
	Number     int               `json:"number"` // comes back in the outcome
	Topic      string            `json:"topic"`
	Tag        string            `json:"tag,omitempty"`
	Keys       []string          `json:"keys,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
	Body       []byte            `json:"body"` // base64
}

// outcome is what became of an order.
type outcome struct {
	Number   int    `json:"number"`
	Error    string `json:"error"` // "" if it was sent
	Status   string `json:"status"`
	UniqueID string `json:"uniqueId"` // "" if the peer makes none
	OffsetID string `json:"offsetId"`
	Broker   string `json:"broker"`
	Queue    int32  `json:"queue"`
	Offset   int64  `json:"offset"`
}

func (o *outcome) slot() slot { return slot{o.Queue, o.Offset} }

// delivery is a message as a consumer was given it.
type delivery struct {
	Topic        string            `json:"topic"`
	Tag          string            `json:"tag"`
	Keys         []string          `json:"keys"`
	Properties   map[string]string `json:"properties"`
	Body         []byte            `json:"body"`
	OffsetID     string            `json:"offsetId"`
	Broker       string            `json:"broker"`
	Queue        int32             `json:"queue"`
	Offset       int64             `json:"offset"`
	UserFlags    int32             `json:"userFlags"`
	Redeliveries int32             `json:"redeliveries"`
}

func (d *delivery) slot() slot { return slot{d.Queue, d.Offset} }

// report is one line of a peer.
type report struct {
	Ready    bool      `json:"ready"`
	Outcome  *outcome  `json:"outcome"`
	Delivery *delivery `json:"delivery"`
}

// start runs a peer and waits until it is ready.
func (p *peer) start(t *testing.T, role string, s settings) *process {
	t.Helper()
	text, err := json.Marshal(s)
	require.NoError(t, err)
	running := launch(t, p.command(role, string(text)))
	running.announced(t, `(\{"ready":true\})`)
	return running
}

// reports are those from the nth on.
func reports(t *testing.T, p *process, n int) []report {
	t.Helper()
	var all []report
	for _, line := range p.out.lines(n) {
		var r report
		require.NoError(t, json.Unmarshal([]byte(line), &r), line)
		all = append(all, r)
	}
	return all
}

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
