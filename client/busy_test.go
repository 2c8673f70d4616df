package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// busyFor answers the first sends as busy.
func busyFor(sends int, code int32) func(*transportIncoming) bool {
	refuse := refusing(proto.ReqSendMessageV2, code)
	return func(in *transportIncoming) bool {
		if in.Command.Code == proto.ReqSendMessageV2 {
			sends--
		}
		return sends >= 0 && refuse(in)
	}
}

func TestSendWaitsLongerAfterEachBusyAnswer(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	var times []time.Duration
	answer := busyFor(5, proto.RespSystemBusy)
	c.a.intercept = func(in *transportIncoming) bool {
		if in.Command.Code == proto.ReqSendMessageV2 {
			times = append(times, time.Duration(c.app.Clock.Now()))
		}
		return answer(in)
	}
	var result client.SendResult
	c.run(time.Minute, func() {
		var err error
		result, err = c.producer(client.WithRetries(9, 0), client.WithBusyBackOff(100*time.Millisecond, 400*time.Millisecond)).Send(background, hello())
		must(err)
	})
	require.Equal(t, 6, result.Tries)
	for i, whole := range []time.Duration{100, 200, 400, 400, 400} {
		pause := times[i+1] - times[i]
		require.GreaterOrEqual(t, pause, whole/2*time.Millisecond, "%d", i)
		require.LessOrEqual(t, pause, (whole+20)*time.Millisecond, "%d", i)
	}
}

func TestSendersThatWereRefusedTogetherDoNotComeBackTogether(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	var second []time.Duration
	tried := map[string]bool{}
	refuse := refusing(proto.ReqSendMessageV2, proto.RespSystemBusy)
	c.a.intercept = func(in *transportIncoming) bool {
		if in.Command.Code != proto.ReqSendMessageV2 {
			return false
		}
		id := c.a.sends[len(c.a.sends)-1].property("UNIQ_KEY")
		if !tried[id] {
			tried[id] = true
			return refuse(in)
		}
		second = append(second, time.Duration(c.app.Clock.Now()))
		return false
	}
	c.run(time.Minute, func() {
		p := c.producer(client.WithBusyBackOff(time.Second, time.Second))
		_, err := p.Queues(background, "orders")
		must(err)
		left := 50
		for range 50 {
			c.app.Tasks.Go("sender", func() {
				_, err := p.Send(background, hello())
				must(err)
				left--
			})
		}
		for left > 0 {
			c.app.Tasks.Sleep(10 * time.Millisecond)
		}
	})
	require.Greater(t, second[len(second)-1]-second[0], 300*time.Millisecond)
}

func TestThereIsNoWaitThatReachesTheEndOfTheSendTimeout(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept, c.b.intercept = refusing(proto.ReqSendMessageV2, proto.RespSystemBusy), refusing(proto.ReqSendMessageV2, proto.RespSystemBusy)
	var err error
	var took time.Duration
	c.run(time.Minute, func() {
		p := c.producer(client.WithSendTimeout(time.Second), client.WithRetries(100, 0), client.WithBusyBackOff(200*time.Millisecond, time.Minute))
		began := c.app.Clock.Now()
		_, err = p.Send(background, hello())
		took = c.app.Clock.Now().Sub(began)
	})
	var failed *client.SendError
	require.ErrorAs(t, err, &failed)
	require.False(t, failed.MaybeStored)
	require.LessOrEqual(t, len(failed.Attempts), 4)
	require.Less(t, took, time.Second)
	var answer *client.ResponseError
	require.ErrorAs(t, err, &answer)
	require.EqualValues(t, proto.RespSystemBusy, answer.Code)
}

func TestOtherFailuresAreNotWaitedFor(t *testing.T) {
	for name, send := range map[string]struct {
		code    int32
		options []client.ProducerOption
		waits   bool
	}{
		"busy":         {proto.RespSystemBusy, nil, true},
		"flow control": {proto.RespFlowControl, []client.ProducerOption{client.WithRetryCodes(proto.RespFlowControl)}, true},
		"an error":     {proto.RespSystemError, nil, false},
		"switched off": {proto.RespSystemBusy, []client.ProducerOption{client.WithBusyBackOff(0, 0)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			c.a.intercept, c.b.intercept = refusing(proto.ReqSendMessageV2, send.code), refusing(proto.ReqSendMessageV2, send.code)
			var took time.Duration
			c.run(time.Minute, func() {
				p := c.producer(append([]client.ProducerOption{client.WithBusyBackOff(400*time.Millisecond, time.Second)}, send.options...)...)
				_, err := p.Queues(background, "orders")
				must(err)
				began := c.app.Clock.Now()
				_, err = p.Send(background, hello())
				if err == nil {
					panic("somebody took it")
				}
				took = c.app.Clock.Now().Sub(began)
			})
			require.Equal(t, send.waits, took > 300*time.Millisecond, "%s", took)
		})
	}
}

func TestCloseEndsAWaitForABusyBroker(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept, c.b.intercept = refusing(proto.ReqSendMessageV2, proto.RespSystemBusy), refusing(proto.ReqSendMessageV2, proto.RespSystemBusy)
	var outcome error
	c.run(time.Minute, func() {
		p := c.producer(client.WithSendTimeout(time.Hour), client.WithBusyBackOff(time.Minute, time.Minute))
		c.app.Tasks.Go("sender", func() { _, outcome = p.Send(background, hello()) })
		c.app.Tasks.Sleep(time.Second)
		_ = p.Close(within(c, time.Second))
		c.app.Tasks.Sleep(time.Second)
	})
	require.ErrorIs(t, outcome, client.ErrClosed)
	require.Empty(t, c.machine.TaskNames())
}
