package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

func TestALoopGetsMessagesAndGoingOnMeansConsumed(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 4)
	var bodies []string
	var last error
	closed := false
	c.run(time.Minute, func() {
		p := c.push()
		for m, err := range p.Messages(background) {
			if err != nil {
				last = err
				break
			}
			bodies = append(bodies, string(m.Body))
			if len(bodies) == 3 {
				break
			}
		}
		c.app.Tasks.Sleep(6 * time.Second)
		if stored := c.a.committedAt(orders(0)); stored != 2 {
			panic(stored)
		}
		// The message that the first loop ended with is the first of the second one.
		for m, err := range p.Messages(background) {
			if err != nil {
				last = err
				break
			}
			bodies = append(bodies, string(m.Body))
			if len(bodies) == 5 {
				c.app.Tasks.Go("close", func() {
					must(p.Close(background))
					closed = true
				})
				c.app.Tasks.Sleep(time.Second)
			}
		}
		c.eventually("closed", func() bool { return closed })
	})
	all := bodiesOf(orders(0), 4)
	require.Equal(t, []string{all[0], all[1], all[2], all[2], all[3]}, bodies)
	require.ErrorIs(t, last, client.ErrClosed)
	require.Equal(t, int64(4), c.a.committedAt(orders(0)), "the last message of the loop was consumed before the end")
}

func TestAMessageThatALoopFailsComesAgain(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 2)
	var redeliveries []int32
	c.run(time.Minute, func() {
		p := c.push()
		for m, err := range p.Messages(background) {
			must(err)
			redeliveries = append(redeliveries, m.Redeliveries)
			if len(redeliveries) == 1 {
				m.Fail(errors.New("not now"))
			}
			if len(redeliveries) == 3 {
				m.Fail(nil)
				break
			}
		}
		must(p.Close(background))
	})
	require.Equal(t, []int32{0, 0, 1}, redeliveries)
	require.Len(t, c.a.groups.back, 1)
	require.Equal(t, int64(2), c.a.committedAt(orders(0)))
}

func TestAPanicInALoopDoesNotConsumeTheMessage(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 1)
	panicked := false
	c.run(time.Minute, func() {
		p := c.push()
		func() {
			defer func() { panicked = recover() == "oh" }()
			for _, err := range p.Messages(background) {
				must(err)
				panic("oh")
			}
		}()
		must(p.Close(background))
	})
	require.True(t, panicked)
	require.LessOrEqual(t, c.a.committedAt(orders(0)), int64(0))
	require.Empty(t, c.machine.TaskNames())
}

func TestALoopEndsWithItsContextOrTellsThatItCannotBegin(t *testing.T) {
	c := newGroupCluster(t, 1)
	var ended, handled, early, closed error
	c.run(time.Minute, func() {
		p := c.push()
		for _, err := range p.Messages(within(c, 3*time.Second)) {
			ended = err
		}
		must(p.Close(background))
		for _, err := range p.Messages(background) {
			closed = err
		}
		p = c.push(client.WithHandler((&inbox{}).handle))
		for _, err := range p.Messages(background) {
			handled = err
		}
		must(p.Close(background))
		p = must1(client.NewPushConsumer(c.app, client.WithGroup("consumers"), c.nameServers()))
		for _, err := range p.Messages(background) {
			early = err
		}
		must(p.Close(background))
	})
	require.ErrorIs(t, ended, context.DeadlineExceeded)
	require.ErrorIs(t, closed, client.ErrClosed)
	require.ErrorIs(t, handled, client.ErrOption)
	require.ErrorIs(t, early, client.ErrOption)
}
