//go:build interop

package interop_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// The words that peers are spoken to with, as JSON.

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

// reports are those from the nth on.
func reports(t *testing.T, p *process, n int) []report {
	t.Helper()
	var all []report
	for _, line := range p.Out.Lines(n) {
		var r report
		require.NoError(t, json.Unmarshal([]byte(line), &r), line)
		all = append(all, r)
	}
	return all
}
