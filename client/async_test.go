package client_test

import (
	"context"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestEachAsynchronousSendCallsBackOnce(t *testing.T) {
	c := newCluster(t, 1)
	calls := map[int]int{}
	ids := map[string]bool{}
	c.run(5*time.Second, func() {
		p := c.producer()
		for i := range 50 {
			must(p.SendAsync(background, hello(), func(result client.SendResult, err error) {
				must(err)
				calls[i]++
				ids[result.UniqueID] = true
			}))
		}
		must(p.SendAsync(background, hello(), nil))
		must(p.Close(background))
	})
	require.Len(t, calls, 50)
	for i, n := range calls {
		require.Equal(t, 1, n, i)
	}
	require.Len(t, ids, 50)
	require.Len(t, c.sends(), 51)
	require.Empty(t, c.machine.TaskNames())
}

func TestTheWindowBoundsAsynchronousSends(t *testing.T) {
	c := newCluster(t, 1)
	var held []transportReply
	hold := func(in *transportIncoming) bool {
		if in.Command.Code != proto.ReqSendMessageV2 {
			return false
		}
		held = append(held, in.Reply())
		return true
	}
	c.a.intercept, c.b.intercept = hold, hold
	started, finished := 0, 0
	c.run(20*time.Second, func() {
		p := c.producer(client.WithWindow(10, 1<<20), client.WithSendTimeout(10*time.Second))
		c.app.Tasks.Go("observer", func() {
			c.app.Tasks.Sleep(time.Second)
			if started != 10 || len(held) != 10 {
				panic("the window does not hold")
			}
			for len(held) > 0 {
				r := held[0]
				held = held[1:]
				r.Send(proto.RespSuccess, &proto.SendMessageResponse{OffsetID: "x"}, nil)
				c.app.Tasks.Sleep(10 * time.Millisecond)
			}
		})
		for range 25 {
			must(p.SendAsync(background, hello(), func(_ client.SendResult, err error) {
				must(err)
				finished++
			}))
			started++
		}
		must(p.Close(background))
	})
	require.Equal(t, 25, finished)
}

func TestAFullWindowIsAnErrorAfterTheSendTimeout(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept, c.b.intercept = silent, silent
	var full, late error
	c.run(20*time.Second, func() {
		p := c.producer(client.WithWindow(10, 1<<20), client.WithSendTimeout(2*time.Second), client.WithRetries(2, 0))
		big := client.NewMessage("orders", make([]byte, 1<<20))
		must(p.SendAsync(background, big, nil))
		full = p.SendAsync(within(c, time.Second), hello(), nil)
		c.app.Tasks.Sleep(2 * time.Second)
		for range 10 {
			must(p.SendAsync(within(c, 500*time.Millisecond), hello(), nil))
		}
		late = p.SendAsync(background, hello(), nil)
	})
	require.ErrorIs(t, full, client.ErrWindow, "1 MiB is under way")
	require.ErrorIs(t, full, context.DeadlineExceeded)
	require.NoError(t, late, "the ten before gave up at their deadlines")
}

func TestACallbackMaySendTheNextMessage(t *testing.T) {
	c := newCluster(t, 1)
	done := 0
	c.run(20*time.Second, func() {
		p := c.producer(client.WithWindow(10, 1<<20))
		var next func(left int) func(client.SendResult, error)
		next = func(left int) func(client.SendResult, error) {
			return func(_ client.SendResult, err error) {
				must(err)
				done++
				if left > 0 {
					must(p.SendAsync(background, hello(), next(left-1)))
				}
			}
		}
		for range 10 {
			must(p.SendAsync(background, hello(), next(4)))
		}
		for done < 50 {
			c.app.Tasks.Sleep(10 * time.Millisecond)
		}
		must(p.Close(background))
	})
	require.Len(t, c.sends(), 50)
}

func TestAsynchronousSendsAreRetriedAfterTimeoutsButNotAfterAnswers(t *testing.T) {
	t.Run("timeout", func(t *testing.T) {
		c := newCluster(t, 1)
		c.a.intercept = silent
		c.run(20*time.Second, func() {
			p := c.producer(client.WithTryTimeout(500 * time.Millisecond))
			for range 4 {
				must(p.SendAsync(background, hello(), func(result client.SendResult, err error) {
					must(err)
					if result.Queue.BrokerName != "b" {
						panic(result.String())
					}
				}))
			}
			must(p.Close(background))
		})
		require.NotEmpty(t, c.a.sends)
		require.Len(t, c.b.sends, 4)
	})
	t.Run("answer", func(t *testing.T) {
		c := newCluster(t, 1)
		c.a.intercept, c.b.intercept = refusing(proto.ReqSendMessageV2, proto.RespSystemBusy), refusing(proto.ReqSendMessageV2, proto.RespSystemBusy)
		var failed *client.SendError
		var outcome error
		c.run(20*time.Second, func() {
			p := c.producer()
			must(p.SendAsync(background, hello(), func(_ client.SendResult, err error) { outcome = err }))
			must(p.Close(background))
		})
		require.ErrorAs(t, outcome, &failed)
		require.Len(t, failed.Attempts, 1)
	})
}
