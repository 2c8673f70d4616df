package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

func TestALitePullConsumerThatBroadcastsKeepsItsOffsetsInAFile(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 5)
	c.b.put(client.Queue{Topic: "orders", BrokerName: "b", QueueID: 1}, 2)
	var first, second []string
	var before, after client.QueueOffset
	var found [2]bool
	c.run(time.Minute, func() {
		p := c.lite(client.WithModel(client.Broadcasting))
		_, found[0], _ = p.Committed(background, orders(0))
		must(p.Subscribe(background, "orders", client.Tags("*")))
		first = c.pollAll(p, 3)
		must(p.Close(background))
		c.a.put(orders(0), 1)
		p = c.lite(client.WithModel(client.Broadcasting))
		before, found[1], _ = p.Committed(background, orders(0))
		must(p.Subscribe(background, "orders", client.Tags("*")))
		second = c.pollAll(p, 3)
		must(p.Commit(background))
		after, _, _ = p.Committed(background, orders(0))
		must(p.Close(background))
	})
	require.Len(t, first, 7, "every queue is this member's")
	require.Equal(t, bodiesOf(orders(0), 6)[5:], second)
	require.Equal(t, [2]bool{false, true}, found)
	require.Equal(t, client.QueueOffset(5), before)
	require.Equal(t, client.QueueOffset(6), after)
	require.Empty(t, c.a.committed)
	require.True(t, client.LitePullNeedsDisk(client.WithModel(client.Broadcasting)))
	require.False(t, client.LitePullNeedsDisk())
}

func TestWhereALitePullConsumerBeginsThatHasNoOffset(t *testing.T) {
	for name, start := range map[string]struct {
		option client.LitePullOption
		want   []string
	}{
		"with what is new":   {client.WithConsumeFrom(client.FromLast), bodiesOf(orders(0), 6)[5:]},
		"with the first one": {client.WithConsumeFrom(client.FromFirst), bodiesOf(orders(0), 6)},
		"with those of a time": {
			// The fake's answer is that many seconds.
			client.WithConsumeFromTime(time.Unix(3, 0)), bodiesOf(orders(0), 6)[3:],
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newGroupCluster(t, 1)
			c.a.put(orders(0), 5)
			var bodies []string
			c.run(time.Minute, func() {
				p := c.lite(start.option)
				must(p.Assign(background, orders(0)))
				c.a.put(orders(0), 1)
				bodies = c.pollAll(p, 32)
				must(p.Close(background))
			})
			require.Equal(t, start.want, bodies)
		})
	}
}

func TestOptionsOfLitePullConsumersAreChecked(t *testing.T) {
	c := newGroupCluster(t, 1)
	for option, with := range map[string]client.LitePullOption{
		"WithAutoCommit":    client.WithAutoCommit(time.Millisecond),
		"WithTotalLimit":    client.WithTotalLimit(0),
		"WithWatchInterval": client.WithWatchInterval(0),
		"WithQueueLimits":   client.WithQueueLimits(0, 1, 1),
		"WithPullBatch":     client.WithPullBatch(0, 1),
		"WithPullTimeout":   client.WithPullTimeout(time.Second),
		"WithStrategy":      client.WithStrategy(nil),
	} {
		_, err := client.NewLitePullConsumer(c.app, client.WithGroup("g"), c.nameServers(), with)
		var wrong *client.OptionError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, option, wrong.Option)
	}
	_, err := client.NewLitePullConsumer(c.app, c.nameServers())
	require.ErrorContains(t, err, "WithGroup")
}

func TestALoopOfALitePullConsumerCommitsWhatItWentPast(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 6)
	var last error
	c.run(time.Minute, func() {
		p := c.lite()
		must(p.Assign(background, orders(0)))
		for m, err := range p.Messages(background) {
			must(err)
			if m.Offset == 3 {
				break
			}
		}
		must(p.Close(background))
		for _, err := range p.Messages(background) {
			last = err
		}
	})
	require.Equal(t, int64(3), c.a.committedAt(orders(0)), "the message that the loop ended with is not consumed")
	require.ErrorIs(t, last, client.ErrClosed)
}
