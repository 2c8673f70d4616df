//go:build interop

package interop_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// callWords are the arguments of a call to the Java client; the classes in javaclient/ say which there are.
type callWords map[string]any

// javaProcess is a virtual machine that takes calls.
type javaProcess struct {
	*process
	calls int
}

// javaCall is one that was begun.
type javaCall struct {
	process *javaProcess
	id      int
	read    int // lines
	events  []json.RawMessage
	result  json.RawMessage // nil until it has ended
	trouble string          // why it failed; "" if it has not
}

func startJava(t *testing.T, options ...string) *javaProcess {
	t.Helper()
	offsets := "-Drocketmq.client.localOffsetStoreDir=" + t.TempDir()
	p := launch(t, javaClient.command(append(options, offsets, "interop.Main", "calls", "{}")...))
	p.announced(t, `(\{"ready":true\})`)
	return &javaProcess{process: p}
}

// begin begins a call at the given servers.
func (p *javaProcess) begin(t *testing.T, s servers, call string, words callWords) *javaCall {
	t.Helper()
	words["nameServers"] = s.nameServer
	begun := &javaCall{process: p, id: p.calls, read: len(p.Out.Lines(0))}
	p.calls++
	p.say(t, map[string]any{"id": begun.id, "call": call, "arguments": words})
	return begun
}

func (p *javaProcess) say(t *testing.T, words any) {
	t.Helper()
	text, err := json.Marshal(words)
	require.NoError(t, err)
	_, err = p.in.Write(append(text, '\n'))
	require.NoError(t, err)
}

// do makes a call and demands that it succeeds.
func (p *javaProcess) do(t *testing.T, s servers, call string, words callWords) *javaCall {
	t.Helper()
	begun := p.begin(t, s, call, words)
	begun.wait(t)
	return begun
}

// look takes in what the call has said since.
func (c *javaCall) look(t *testing.T) {
	t.Helper()
	for _, line := range c.process.Out.Lines(c.read) {
		c.read++
		var said struct {
			ID     int             `json:"id"`
			Event  json.RawMessage `json:"event"`
			Result json.RawMessage `json:"result"`
			Error  string          `json:"error"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &said), line)
		switch {
		case said.ID != c.id:
		case said.Event != nil:
			c.events = append(c.events, said.Event)
		default:
			c.result, c.trouble = said.Result, said.Error
		}
	}
}

// wait waits for the end of the call.
func (c *javaCall) wait(t *testing.T) {
	t.Helper()
	eventually(t, "the end of the call", func() bool {
		c.look(t)
		return c.result != nil || c.trouble != "" || c.process.Ended()
	})
	require.Empty(t, c.trouble)
	require.NotNil(t, c.result, "the virtual machine has ended")
}

// stop ends a call that waits to be stopped.
func (c *javaCall) stop(t *testing.T) {
	t.Helper()
	c.process.say(t, map[string]any{"id": c.id, "stop": true})
	c.wait(t)
}

// into decodes the result.
func (c *javaCall) into(t *testing.T, result any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(c.result, result), string(c.result))
}

// shown are the words of an event.
type shown struct {
	Ready    bool      `json:"ready"`
	Replied  string    `json:"replied"`
	Failed   string    `json:"failed"`
	Delivery *received `json:"delivery"`
}

// received is a delivery with what a peer's does not have.
type received struct {
	delivery
	BodyHash string `json:"bodyHash"` // SHA-256, hexadecimal; a long body has only this
	UniqueID string `json:"uniqueId"`
	BornAt   int64  `json:"bornAt"` // ms
	StoredAt int64  `json:"storedAt"`
	From     int64  `json:"from"` // ms: when the listener began and ended
	Until    int64  `json:"until"`
}

func (c *javaCall) shown(t *testing.T) []shown {
	t.Helper()
	c.look(t)
	require.Empty(t, c.trouble)
	all := make([]shown, len(c.events))
	for i, e := range c.events {
		require.NoError(t, json.Unmarshal(e, &all[i]), string(e))
	}
	return all
}

// deliveries are all so far.
func (c *javaCall) deliveries(t *testing.T) []received {
	t.Helper()
	var all []received
	for _, e := range c.shown(t) {
		if e.Delivery != nil {
			all = append(all, *e.Delivery)
		}
	}
	return all
}

// await waits for so many deliveries in all. More may follow.
func (c *javaCall) await(t *testing.T, count int) []received {
	t.Helper()
	var all []received
	eventually(t, "deliveries", func() bool {
		all = c.deliveries(t)
		return len(all) >= count
	})
	return all
}

// ready waits until the call says that it has begun to wait.
func (c *javaCall) ready(t *testing.T) *javaCall {
	t.Helper()
	eventually(t, "the call is ready", func() bool {
		all := c.shown(t)
		return len(all) > 0 && all[0].Ready
	})
	return c
}
