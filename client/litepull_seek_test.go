package client_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// pollOffsets are the offsets of what one poll brings.
func pollOffsets(p *client.LitePullConsumer, most int) (offsets []int) {
	for _, m := range must1(p.Poll(background, most)) {
		offsets = append(offsets, int(m.Offset))
	}
	return offsets
}

func TestSeekGoesOnElsewhereAndForgetsWhatWasPulled(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 20)
	c.a.minOffset = 2
	var got [][]int
	var below, above, foreign error
	var position client.QueueOffset
	c.run(time.Minute, func() {
		p := c.lite()
		must(p.Assign(background, orders(0)))
		next := func(err error) {
			must(err)
			got = append(got, pollOffsets(p, 2))
		}
		next(p.SeekToBegin(background, orders(0)))
		next(p.Seek(background, orders(0), 9))
		next(p.Seek(background, orders(0), 3))
		position = must1(p.Position(background, orders(0)))
		must(p.SeekToEnd(background, orders(0)))
		c.a.put(orders(0), 1)
		next(nil)
		below = p.Seek(background, orders(0), 1)
		above = p.Seek(background, orders(0), 22)
		foreign = p.Seek(background, orders(1), 0)
		must(p.Close(background))
	})
	require.Equal(t, [][]int{{2, 3}, {9, 10}, {3, 4}, {20}}, got)
	require.Equal(t, client.QueueOffset(5), position)
	require.ErrorIs(t, below, client.ErrOffsetRange)
	require.ErrorContains(t, above, "from 2 to 21, not 22")
	require.ErrorIs(t, foreign, client.ErrNotAssigned)
}

func TestWhatAPullBringsThatBeganBeforeASeekIsDropped(t *testing.T) {
	for name, seek := range map[string]struct{ from, to client.QueueOffset }{"forward": {0, 15}, "back": {12, 3}} {
		t.Run(name, func(t *testing.T) {
			c := newGroupCluster(t, 1)
			c.a.put(orders(0), 20)
			c.a.committed["consumers@orders@0"] = int64(seek.from)
			var release func()
			var got []int
			c.run(time.Minute, func() {
				// The broker keeps its first two answers back until the test lets the first one go.
				pulls := 0
				c.a.intercept = func(in *transport.Incoming) bool {
					if in.Command.Code != proto.ReqLitePullMessage || pulls == 2 {
						return false
					}
					pulls++
					reply, h := in.Reply(), c.a.pulls[len(c.a.pulls)-1]
					if pulls == 1 {
						release = func() { c.a.answerPull(reply, h) }
						return true
					}
					c.a.env.Tasks.Go("answer late", func() {
						release()
						c.a.env.Tasks.Sleep(time.Second)
						c.a.answerPull(reply, h)
					})
					return true
				}
				p := c.lite()
				must(p.Assign(background, orders(0)))
				c.eventually("a pull is under way", func() bool { return release != nil })
				must(p.Seek(background, orders(0), seek.to))
				for len(got) < 5 {
					got = append(got, pollOffsets(p, 5-len(got))...)
				}
				must(p.Close(background))
			})
			first := int(seek.to)
			require.Equal(t, []int{first, first + 1, first + 2, first + 3, first + 4}, got)
			require.Equal(t, int64(seek.from), c.a.pulls[0].QueueOffset)
		})
	}
}

func TestASeekDoesNotWaitForAPullThatTheBrokerHolds(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 5)
	var took time.Duration
	c.run(time.Minute, func() {
		p := c.lite()
		must(p.Assign(background, orders(0)))
		c.pollAll(p, 32)
		began := c.app.Clock.Now()
		must(p.Seek(background, orders(0), 1))
		must1(p.Poll(background, 1))
		took = c.app.Clock.Now().Sub(began)
		must(p.Close(background))
	})
	require.Less(t, took, time.Second)
}

func TestAPausedQueueHandsOutNothingNotEvenWhatWasPulled(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 5)
	c.a.put(orders(1), 5)
	var paused, resumed []string
	var foreign error
	pulls := 0
	c.run(time.Minute, func() {
		p := c.lite()
		must(p.Assign(background, orders(0), orders(1)))
		c.app.Tasks.Sleep(time.Second)
		must(p.Pause(background, orders(0)))
		paused = c.pollAll(p, 2)
		pulls = c.a.count(proto.ReqLitePullMessage)
		must(p.Resume(background, orders(0)))
		resumed = c.pollAll(p, 2)
		foreign = p.Pause(background, orders(0), orders(7))
		must(p.Close(background))
	})
	require.Equal(t, bodiesOf(orders(1), 5), paused)
	require.Equal(t, bodiesOf(orders(0), 5), resumed)
	require.ErrorIs(t, foreign, client.ErrNotAssigned)
	require.NotZero(t, pulls)
}

func TestLimitsStopPullingUntilMessagesAreHandedOut(t *testing.T) {
	for name, option := range map[string]client.LitePullOption{
		"messages of a queue": client.WithQueueLimits(20, 1<<20, 2000),
		"bytes of a queue":    client.WithQueueLimits(1000, 250, 2000),
		"span of a queue":     client.WithQueueLimits(1000, 1<<20, 18),
		"messages of all":     client.WithTotalLimit(20),
	} {
		t.Run(name, func(t *testing.T) {
			c := newGroupCluster(t, 1)
			c.a.put(orders(0), 200)
			var stopped, all int
			c.run(time.Minute, func() {
				p := c.lite(option)
				must(p.Assign(background, orders(0)))
				c.app.Tasks.Sleep(5 * time.Second)
				stopped = len(c.a.pulls)
				all = len(c.pollAll(p, 32))
				must(p.Close(background))
			})
			require.InDelta(t, 2, stopped, 1)
			require.Equal(t, 200, all)
		})
	}
}

func TestOneFullQueueDoesNotKeepOthersFromBeingPolledWhenAllIsFull(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 100)
	c.a.put(orders(1), 100)
	count := 0
	c.run(time.Minute, func() {
		p := c.lite(client.WithTotalLimit(5))
		must(p.Assign(background, orders(0), orders(1)))
		count = len(c.pollAll(p, 1))
		must(p.Close(background))
	})
	require.Equal(t, 200, count)
}

func TestWhatAPausedQueueHasPulledDoesNotKeepOthersFromBeingPulled(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 100)
	var other []string
	c.run(time.Minute, func() {
		p := c.lite(client.WithTotalLimit(5))
		must(p.Assign(background, orders(0), orders(1)))
		c.app.Tasks.Sleep(time.Second)
		must(p.Pause(background, orders(0)))
		// One pull is held by the broker already.
		c.a.put(orders(1), 30)
		other = c.pollAll(p, 10)
		must(p.Close(background))
	})
	require.Equal(t, bodiesOf(orders(1), 30), other)
}

func TestAResetFromOutsideMovesAQueueAndItsOffset(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 10)
	var again []string
	var late, early, lower error
	c.run(time.Minute, func() {
		p := c.lite(client.WithAutoCommit(0))
		must(p.Assign(background, orders(0)))
		c.pollAll(p, 32)
		must(p.Commit(background))
		table := &proto.ResetOffsets{Offsets: []proto.QueueOffset{{Queue: orders(0), Offset: 4}}}
		for id := range c.a.groups.members {
			must(c.a.groups.members[id].Oneway(&transport.Request{
				Code: proto.ReqResetConsumerClientOffset, Header: &proto.ResetOffset{Topic: "orders", Group: "consumers", Timestamp: -1},
				Body: table.Marshal(wire.LanguageGo),
			}))
		}
		c.app.Tasks.Sleep(time.Second)
		if at := c.a.committedAt(orders(0)); at != 4 {
			panic(fmt.Sprintf("committed %d", at))
		}
		late, early = p.CommitOffsets(background, atOffset(orders(0), 10)), p.CommitOffsets(background, atOffset(orders(0), 3))
		again = c.pollAll(p, 32)
		must(p.CommitOffsets(background, atOffset(orders(0), 9)))
		lower = p.CommitOffsets(background, atOffset(orders(0), 2))
		must(p.Seek(background, orders(0), 3))
		must(p.CommitOffsets(background, atOffset(orders(0), 2)))
		must(p.Close(background))
	})
	require.Equal(t, bodiesOf(orders(0), 10)[4:], again)
	require.ErrorIs(t, late, client.ErrSentElsewhere, "of what was polled before")
	require.ErrorContains(t, late, "the group goes on in orders@a:0 at 4: commit 4 to 4, not 10, or Seek")
	require.ErrorIs(t, early, client.ErrSentElsewhere)
	require.ErrorIs(t, lower, client.ErrSentElsewhere)
	require.Equal(t, int64(2), c.a.committedAt(orders(0)), "who seeks knows where the queue is")
}
