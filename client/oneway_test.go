package client_test

import (
	"context"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

const onewayBody = 1 << 20

func largeOneway() *client.Message { return client.NewMessage("orders", make([]byte, onewayBody)) }

// onewayCluster has one broker and a producer that lets about four large messages wait to be written.
func onewayCluster(t *testing.T) (*cluster, []client.ProducerOption) {
	t.Helper()
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	return c, []client.ProducerOption{
		client.WithMaxMessageSize(onewayBody), client.WithOutputLimit(4*onewayBody + onewayBody/2),
		client.WithCompression(0, message.CompressionZlib, 0), client.WithSendTimeout(10 * time.Second),
	}
}

func TestOnewaySendsBeyondTheOutputLimitAreBusyOrWait(t *testing.T) {
	c, options := onewayCluster(t)
	var busy error
	accepted := 0
	c.run(time.Minute, func() {
		p := c.producer(options...)
		must(p.SendOneway(background, hello()))
		for busy == nil && accepted < 100 {
			if busy = p.TrySendOneway(background, largeOneway()); busy == nil {
				accepted++
			}
		}
		for range 10 {
			must(p.SendOneway(background, largeOneway()))
		}
		must(p.Close(background))
	})
	require.ErrorIs(t, busy, client.ErrBusy)
	require.ErrorContains(t, busy, "the limit is 4718592")
	require.Equal(t, 4, accepted)
	require.Len(t, c.a.sends, 1+accepted+10, "whoever waited was sent")
}

func TestWaitingForRoomEndsWithTheContextOrTheSendTimeout(t *testing.T) {
	c, options := onewayCluster(t)
	var patient, hasty error
	var patience, haste time.Duration
	c.run(time.Hour, func() {
		p := c.producer(append(options, client.WithSendTimeout(2*time.Second))...)
		must(p.SendOneway(background, hello()))
		c.app.Tasks.Sleep(time.Second)
		for _, other := range c.kernel.Machines() {
			c.kernel.Network().Block(c.machine, other)
		}
		for p.TrySendOneway(background, largeOneway()) == nil {
			c.app.Tasks.Sleep(10 * time.Millisecond)
		}
		began := c.app.Clock.Now()
		patient = p.SendOneway(background, largeOneway())
		patience = c.app.Clock.Now().Sub(began)
		began = c.app.Clock.Now()
		hasty = p.SendOneway(within(c, time.Second), largeOneway())
		haste = c.app.Clock.Now().Sub(began)
	})
	require.ErrorIs(t, patient, client.ErrBusy)
	require.ErrorContains(t, patient, "the send timeout is over")
	require.InDelta(t, 2*time.Second, patience, float64(100*time.Millisecond))
	require.ErrorIs(t, hasty, context.DeadlineExceeded)
	require.ErrorIs(t, hasty, client.ErrBusy)
	require.InDelta(t, time.Second, haste, float64(100*time.Millisecond))
}

func TestCloseEndsTheWaitForRoom(t *testing.T) {
	c, options := onewayCluster(t)
	var outcome error
	c.run(time.Hour, func() {
		p := c.producer(append(options, client.WithSendTimeout(time.Hour))...)
		must(p.SendOneway(background, hello()))
		c.app.Tasks.Sleep(time.Second)
		for _, other := range c.kernel.Machines() {
			c.kernel.Network().Block(c.machine, other)
		}
		for p.TrySendOneway(background, largeOneway()) == nil {
			c.app.Tasks.Sleep(10 * time.Millisecond)
		}
		c.app.Tasks.Go("sender", func() { outcome = p.SendOneway(background, largeOneway()) })
		c.app.Tasks.Sleep(100 * time.Millisecond)
		_ = p.Close(within(c, time.Second))
		c.app.Tasks.Sleep(time.Second)
	})
	require.ErrorIs(t, outcome, client.ErrClosed)
	require.Empty(t, c.machine.TaskNames())
}

func TestAFullWindowRefusesWhoDoesNotWait(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept, c.b.intercept = silent, silent
	var byNumber, byBytes, wrong error
	c.run(time.Minute, func() {
		p := c.producer(client.WithWindow(10, 1<<20), client.WithRetries(0, 0))
		began := c.app.Clock.Now()
		for range 10 {
			must(p.TrySendAsync(background, hello(), nil))
		}
		byNumber = p.TrySendAsync(background, hello(), nil)
		wrong = p.TrySendAsync(background, client.NewMessage("orders", nil), nil)
		must(p.Close(background))

		p = c.producer(client.WithWindow(10, 1<<20), client.WithRetries(0, 0))
		must(p.TrySendAsync(background, client.NewMessage("orders", make([]byte, 1<<20-4)), nil))
		byBytes = p.TrySendAsync(background, hello(), nil)
		must(p.Close(background))
		if c.app.Clock.Now().Sub(began) > 7*time.Second {
			panic("somebody waited for room")
		}
	})
	for _, err := range []error{byNumber, byBytes} {
		require.ErrorIs(t, err, client.ErrWindow)
		require.ErrorIs(t, err, client.ErrBusy)
	}
	require.ErrorContains(t, byBytes, "1 messages with 1048572 bytes, allowed are 10 and 1048576")
	require.ErrorIs(t, wrong, client.ErrMessage, "even with a full window")
}

// A message that is refused after it got its room gives the room back.
func TestAMessageThatCannotBeEncodedTakesNoRoom(t *testing.T) {
	c := newCluster(t, 1)
	c.run(time.Minute, func() {
		p := c.producer(client.WithWindow(10, 1<<20))
		for range 30 {
			if p.SendAsync(background, client.NewMessage("orders", []byte("x"), client.Property("a", "")), nil) == nil {
				panic("it was taken")
			}
		}
		must(p.TrySendAsync(background, hello(), nil))
		must(p.Close(background))
	})
	require.Len(t, c.sends(), 1)
}
