package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// script is an orderly handler that answers calls in turn, and then with nil.
type script struct {
	answers []error
	offsets []int
}

func (s *script) handle(_ context.Context, messages []*client.Received) error {
	s.offsets = append(s.offsets, int(messages[0].Offset))
	if n := len(s.offsets); n <= len(s.answers) {
		return s.answers[n-1]
	}
	return nil
}

func TestOfManualCommits(t *testing.T) {
	again := errors.New("again")
	for name, play := range map[string]struct {
		answers []error
		offsets []int // that the handler got
		stored  int64 // at the end; -1: nothing, or the start
	}{
		"nothing is committed by itself":  {nil, []int{0, 1, 2, 3, 4, 5}, 0},
		"a commit takes all before it":    {[]error{nil, nil, client.CommitNow}, []int{0, 1, 2, 3, 4, 5}, 3},
		"the last commit counts":          {[]error{client.CommitNow, nil, client.CommitNow, client.CommitNow}, []int{0, 1, 2, 3, 4, 5}, 4},
		"a rollback brings all again":     {[]error{nil, client.CommitNow, nil, client.RollbackNow, nil, client.CommitNow}, []int{0, 1, 2, 3, 2, 3, 4, 5}, 4},
		"an error brings only its own":    {[]error{nil, again, client.CommitNow}, []int{0, 1, 1, 2, 3, 4, 5}, 2},
		"a wrapped answer is one as well": {[]error{errors.Join(errors.New("done"), client.CommitNow)}, []int{0, 1, 2, 3, 4, 5}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := newGroupCluster(t, 1)
			c.a.put(orders(0), 6)
			s := &script{answers: play.answers}
			c.run(time.Minute, func() {
				p := c.push(client.WithOrderlyHandler(s.handle), client.WithManualCommit(), client.WithSuspendTime(20*time.Millisecond))
				c.eventually("all is consumed", func() bool { return len(s.offsets) == len(play.offsets) })
				c.app.Tasks.Sleep(time.Second)
				must(p.Close(background))
			})
			require.Equal(t, play.offsets, s.offsets)
			require.Equal(t, play.stored, max(c.a.committedAt(orders(0)), 0))
		})
	}
}

func TestWhatWasNotCommittedByHandComesAgainAtTheNextMember(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 3)
	first, second := &script{answers: []error{client.CommitNow}}, &script{}
	c.run(time.Minute, func() {
		for _, s := range []*script{first, second} {
			p := c.push(client.WithOrderlyHandler(s.handle), client.WithManualCommit())
			c.eventually("all is consumed", func() bool { return len(s.offsets) > 0 && s.offsets[len(s.offsets)-1] == 2 })
			must(p.Close(background))
		}
	})
	require.Equal(t, []int{0, 1, 2}, first.offsets)
	require.Equal(t, []int{1, 2}, second.offsets)
}

func TestWithoutManualCommitItsAnswersAreSuccessAndFailure(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 2)
	s := &script{answers: []error{client.CommitNow, client.RollbackNow}}
	c.run(time.Minute, func() {
		p := c.push(client.WithOrderlyHandler(s.handle), client.WithSuspendTime(20*time.Millisecond))
		c.eventually("all is consumed", func() bool { return len(s.offsets) == 3 })
		must(p.Close(background))
	})
	require.Equal(t, []int{0, 1, 1}, s.offsets)
	require.Equal(t, int64(2), c.a.committedAt(orders(0)))
	_, err := client.NewPushConsumer(c.app, client.WithGroup("g"), c.nameServers(), client.WithHandler(s.handle), client.WithManualCommit())
	require.ErrorContains(t, err, "WithManualCommit")
}

func TestACommitOfTheFirstMessagesOfACallLeavesTheOthersToComeAgain(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 3)
	s := &script{answers: []error{client.ConsumedFirst(1, client.CommitNow)}}
	c.run(time.Minute, func() {
		p := c.push(client.WithOrderlyHandler(s.handle), client.WithManualCommit(), client.WithBatchSize(3), client.WithSuspendTime(20*time.Millisecond))
		c.eventually("it is called again", func() bool { return len(s.offsets) == 2 })
		must(p.Close(background))
	})
	require.Equal(t, []int{0, 1}, s.offsets)
	require.Equal(t, int64(1), c.a.committedAt(orders(0)))
}
