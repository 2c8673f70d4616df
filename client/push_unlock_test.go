package client_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// deafToUnlocks is a cluster whose brokers refuse to unlock queues until they are told otherwise.
func deafToUnlocks(t *testing.T) (c *cluster, listen func()) {
	t.Helper()
	c = newGroupCluster(t, 1)
	set := func(deaf bool) {
		for _, b := range []*broker{c.a, c.b} {
			b.groups.refuse[proto.ReqUnlockBatchQueues] = deaf
		}
	}
	set(true)
	return c, func() { set(false) }
}

var inOrder = client.WithOrderlyHandler(func(context.Context, []*client.Received) error { return nil })

// lockedFor is how many queues are locked for every member.
func lockedFor(c *cluster) map[string]int {
	count := map[string]int{}
	for _, b := range []*broker{c.a, c.b} {
		for _, member := range b.groups.locks {
			count[member]++
		}
	}
	return count
}

func TestABrokerIsToldUntilItHearsThatAQueueIsFree(t *testing.T) {
	c, listen := deafToUnlocks(t)
	other := c.boot("other")
	var took time.Duration
	c.run(time.Minute, func() {
		p := c.push(inOrder)
		c.eventually("all are assigned", func() bool { return len(must1(p.Assigned(background))) == 6 })
		var q *client.PushConsumer
		shares := 0
		other.Tasks.Go("second", func() {
			for q = c.pushAt(other, inOrder); shares != 3; other.Tasks.Sleep(5 * time.Millisecond) {
				shares = len(must1(q.Assigned(background)))
			}
		})
		c.eventually("the first gives up its half", func() bool { return len(must1(p.Assigned(background))) == 3 })
		c.app.Tasks.Sleep(5 * time.Second)
		if shares != 0 {
			panic("a queue has two owners")
		}
		listen()
		from := c.app.Clock.Now()
		c.eventually("the second has the other half", func() bool { return shares == 3 })
		took = c.app.Clock.Now().Sub(from)
		c.closeAt(other, q)
		must(p.Close(background))
	})
	require.Less(t, took, 2*time.Second)
	require.Empty(t, lockedFor(c))
	require.Empty(t, c.machine.TaskNames())
}

func TestAQueueThatIsWantedBackIsNotUnlockedAnyMore(t *testing.T) {
	c, listen := deafToUnlocks(t)
	other := c.boot("other")
	c.run(time.Minute, func() {
		p := c.push(inOrder)
		c.eventually("all are assigned", func() bool { return len(must1(p.Assigned(background))) == 6 })
		gone := false
		other.Tasks.Go("second", func() {
			q := c.pushAt(other, inOrder)
			other.Tasks.Sleep(3 * time.Second)
			must(q.Close(background))
			gone = true
		})
		c.eventually("the first has all again", func() bool { return gone && len(must1(p.Assigned(background))) == 6 })
		listen()
		c.app.Tasks.Sleep(5 * time.Second)
		if counts := slices.Collect(maps.Values(lockedFor(c))); !slices.Equal(counts, []int{6}) {
			panic("a queue that is held was unlocked")
		}
		must(p.Close(background))
	})
	require.Empty(t, lockedFor(c))
}

func TestCloseTellsABrokerForAWhileThatQueuesAreFree(t *testing.T) {
	for _, hears := range []bool{true, false} {
		c, listen := deafToUnlocks(t)
		var took time.Duration
		c.run(time.Minute, func() {
			p := c.push(inOrder)
			c.eventually("all are assigned", func() bool { return len(must1(p.Assigned(background))) == 6 })
			if hears {
				c.app.Tasks.Go("listen", func() {
					c.app.Tasks.Sleep(time.Second)
					listen()
				})
			}
			from := c.app.Clock.Now()
			must(p.Close(background))
			took = c.app.Clock.Now().Sub(from)
		})
		require.Equal(t, hears, len(lockedFor(c)) == 0)
		require.Equal(t, hears, took < 2*time.Second, "%s", took)
		require.Less(t, took, 4*time.Second)
		require.Empty(t, c.machine.TaskNames())
	}
}
