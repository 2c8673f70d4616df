package client_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// newPopLoopback is a loopback whose broker serves pops, and has the topic popped whole.
func newPopLoopback(t testing.TB, messages int) *loopback {
	t.Helper()
	r := newGroupLoopback(t, messages)
	r.world.Run(func(env.Env) {
		r.a.pops = newPops()
		r.a.pops.assignment = func(q *proto.QueryAssignment) *proto.Assignment {
			one := proto.AssignedQueue{Queue: client.Queue{Topic: q.Topic, BrokerName: "a"}}
			if q.Topic == "orders" {
				one.Queue.QueueID, one.Mode = -1, proto.ModePop
			}
			return &proto.Assignment{Queues: proto.Some([]proto.AssignedQueue{one})}
		}
	})
	return r
}

func (r *loopback) popper(t testing.TB) *client.PopConsumer {
	t.Helper()
	w, err := osenv.New(osenv.Options{Node: "app"})
	require.NoError(t, err)
	p, err := client.NewPopConsumer(w.Env, client.WithGroup("consumers"), client.WithNameServers(r.names.address),
		client.WithSubscription("orders", client.Tags("*")), client.WithConsumeFrom(client.FromFirst))
	require.NoError(t, err)
	return p
}

func TestManyGoroutinesPopAndNothingRunsAfterClose(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newPopLoopback(t, 400)
	got := newTally(400)
	p := r.popper(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for {
				messages, err := p.Pop(background, 5)
				if errors.Is(err, client.ErrClosed) {
					return
				}
				if err == nil && i%2 == 0 {
					err = p.AckAll(background, messages)
				}
				for _, m := range messages {
					got.add(m.Received)
					if err == nil && i%2 == 1 {
						err = p.Ack(background, m)
					}
				}
				if err != nil && !errors.Is(err, client.ErrClosed) {
					t.Error(err)
					return
				}
			}
		})
	}
	got.wait(t)
	require.NoError(t, p.Close(background))
	group.Wait()
	for body, times := range got.seen {
		require.Equal(t, 1, times, body)
	}
}

func TestCancelEndsAPopAndAConsumerThatIsClosedAtOnceLeavesNothing(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newPopLoopback(t, 0)
	p := r.popper(t)
	ctx, cancel := context.WithCancel(background)
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := p.Pop(ctx, 1)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, p.Close(background))
	for range 10 {
		require.NoError(t, r.popper(t).Close(background))
	}
}

func TestHandlersGetPoppedMessagesAndNothingRunsAfterClose(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newPopLoopback(t, 400)
	got := newTally(400)
	p := r.push(t, client.WithBrokerRebalance(), client.WithHandler(func(_ context.Context, messages []*client.Received) error {
		got.add(messages[0])
		return nil
	}))
	got.wait(t)
	require.NoError(t, p.Close(background))
	held := 0
	r.world.Run(func(env.Env) { held = r.a.pops.holding() })
	require.Zero(t, held, "Close waits for acknowledgements")
}
