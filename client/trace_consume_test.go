package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// tracedGroup is a cluster whose topic is at broker a and whose traces go to b.
func tracedGroup(t *testing.T) *cluster {
	t.Helper()
	c := newGroupCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	c.names.routes[traceTopic] = route(1, c.b)
	return c
}

func TestWhatHandlersDoIsTraced(t *testing.T) {
	c := tracedGroup(t)
	c.a.put(orders(0), 1, "UNIQ_KEY", "ID-1", "KEYS", "o-1 o-2", "MSG_REGION", "north", "TRACE_ON", "true")
	c.a.put(orders(0), 1, "UNIQ_KEY", "ID-2")
	c.a.put(orders(0), 1, "UNIQ_KEY", "ID-3", "TRACE_ON", "false")
	c.a.put(orders(0), 1, "UNIQ_KEY", "ID-4")
	done := false
	c.run(time.Minute, func() {
		p := c.push(client.WithTrace(client.TraceOptions{}), client.WithBatchSize(4),
			client.WithHandler(func(_ context.Context, messages []*client.Received) error {
				c.app.Tasks.Sleep(400 * time.Millisecond)
				done = true
				if len(messages) == 4 {
					return client.ConsumedFirst(3, errors.New("the last one is bad"))
				}
				return nil
			}))
		c.eventually("they are consumed", func() bool { return done })
		must(p.Close(background))
	})
	require.Equal(t, "_INNER_TRACE_PRODUCER-consumers-CONSUME-1", c.b.sends[0].header.ProducerGroup)
	require.Subset(t, strings.Fields(c.b.sends[0].property("KEYS")), []string{"ID-1", "o-1", "o-2", "ID-2", "ID-4"})
	var before, after [][]string
	requests := map[string]bool{}
	for _, r := range c.traces() {
		if r[0] == "SubBefore" {
			requests[r[4]] = true
			r[1], r[4] = "time", "request"
			before = append(before, r)
			continue
		}
		requests[r[1]] = true
		r[1], r[7] = "request", "time"
		after = append(after, r)
	}
	require.Equal(t, []string{"SubBefore", "time", "north", "consumers", "request", "ID-1", "0", "o-1 o-2"}, before[0])
	require.Equal(t, []string{"SubBefore", "time", "", "consumers", "request", "ID-2", "0", "null"}, before[1])
	require.Equal(t, "ID-4", before[2][5], "the third one does not want to be traced")
	require.Equal(t, []string{"SubAfter", "request", "ID-1", "100", "true", "o-1 o-2", "0", "time", "consumers"}, after[0])
	require.Equal(t, []string{"SubAfter", "request", "ID-4", "100", "false", "null", "4", "time", "consumers"}, after[2])
	require.LessOrEqual(t, len(requests), 2, "one for each call")
	require.Empty(t, c.machine.TaskNames())
}

func TestPanicsAndSlowHandlersHaveTheirOwnCodes(t *testing.T) {
	for name, handled := range map[string]struct {
		handler client.Handler
		want    []string // success, keys, code
	}{
		"a panic": {func(context.Context, []*client.Received) error { panic("a bug") }, []string{"false", "null", "2"}},
		"slow":    {nil, []string{"true", "null", "1"}},
		"failed":  {func(context.Context, []*client.Received) error { return client.Reject }, []string{"false", "null", "4"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := tracedGroup(t)
			c.a.put(orders(0), 1)
			handler := handled.handler
			if handler == nil {
				handler = func(context.Context, []*client.Received) error {
					c.app.Tasks.Sleep(3 * time.Second)
					return nil
				}
			}
			c.run(time.Minute, func() {
				p := c.push(client.WithTrace(client.TraceOptions{Records: 1}), client.WithConsumeTimeout(2*time.Second), client.WithHandler(handler))
				c.eventually("two traces", func() bool { return len(c.traces()) >= 2 })
				must(p.Close(background))
			})
			ends := slices.DeleteFunc(c.traces(), func(r []string) bool { return r[0] != "SubAfter" })
			require.NotEmpty(t, ends)
			require.Equal(t, handled.want, ends[0][4:7])
		})
	}
}

func TestMessagesOfLoopsAreTraced(t *testing.T) {
	c := tracedGroup(t)
	c.a.put(orders(0), 2)
	c.run(time.Minute, func() {
		p := c.push(client.WithTrace(client.TraceOptions{}))
		for m, err := range p.Messages(background) {
			must(err)
			if m.Offset == 1 {
				break
			}
		}
		must(p.Close(background))
	})
	var told []string
	for _, r := range c.traces() {
		told = append(told, r[0])
		if r[0] == "SubAfter" {
			told = append(told, r[4])
		}
	}
	require.Equal(t, []string{"SubBefore", "SubAfter", "true", "SubBefore", "SubAfter", "false"}, told)
}
