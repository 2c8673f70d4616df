package client_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// journal is a hook that writes down what it sees.
type journal struct{ lines []string }

func (j *journal) hook(name string) client.SendHook {
	return client.SendHook{
		Name: name,
		Before: func(a client.SendAttempt) {
			j.lines = append(j.lines, fmt.Sprintf("%s before: %s %d of %d messages to %s", name, a.Mode, a.Try, a.Messages, a.Queue.BrokerName))
		},
		After: func(a client.SendAttempt, r client.SendResult, err error) {
			var answer *client.ResponseError
			how := r.Status.String()
			if errors.As(err, &answer) {
				how = proto.ResponseName(answer.Code)
			}
			j.lines = append(j.lines, fmt.Sprintf("%s after: %s", name, how))
		},
	}
}

func TestHooksSeeEveryTry(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = refusing(proto.ReqSendMessageV2, proto.RespSystemError)
	j := &journal{}
	seen := map[string]bool{}
	c.run(time.Minute, func() {
		p := c.producer(client.WithSendHook(j.hook("outer")), client.WithSendHook(j.hook("inner")),
			client.WithSendHook(client.SendHook{Name: "ids", Before: func(a client.SendAttempt) {
				seen[a.UniqueID+" "+string(a.Message.Body)+" "+a.Group] = true
			}}))
		for len(c.a.sends) == 0 {
			j.lines = nil
			result, err := p.Send(background, hello())
			must(err)
			if !seen[result.UniqueID+" hello producers"] {
				panic("the hook was told something else")
			}
		}
	})
	require.Equal(t, []string{
		"outer before: SYNC 1 of 1 messages to a", "inner before: SYNC 1 of 1 messages to a",
		"outer after: SYSTEM_ERROR", "inner after: SYSTEM_ERROR",
		"outer before: SYNC 2 of 1 messages to b", "inner before: SYNC 2 of 1 messages to b",
		"outer after: SEND_OK", "inner after: SEND_OK",
	}, j.lines)
}

func TestHooksSeeAllWaysToSend(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	j := &journal{}
	c.run(time.Minute, func() {
		p := c.producer(client.WithSendHook(j.hook("h")))
		must(p.SendOneway(background, hello()))
		_, err := p.SendBatch(background, []*client.Message{hello(), hello(), hello()})
		must(err)
		must(p.SendAsync(background, hello(), nil))
		must(p.Close(background))
	})
	require.Equal(t, []string{
		"h before: ONEWAY 1 of 1 messages to a", "h after: SEND_OK",
		"h before: SYNC 1 of 3 messages to a", "h after: SEND_OK",
		"h before: ASYNC 1 of 1 messages to a", "h after: SEND_OK",
	}, j.lines)
}

func TestAPanicInAHookDoesNotHarmTheSend(t *testing.T) {
	c := newCluster(t, 1)
	j := &journal{}
	core, logs := observer.New(zap.ErrorLevel)
	c.app.Log = zap.New(core)
	c.run(time.Minute, func() {
		p := c.producer(client.WithSendHook(client.SendHook{
			Name: "broken", Before: func(client.SendAttempt) { panic("before") },
			After: func(client.SendAttempt, client.SendResult, error) { panic(errors.New("after")) },
		}), client.WithSendHook(j.hook("next")))
		_, err := p.Send(background, hello())
		must(err)
		must(p.SendOneway(background, hello()))
		must(p.Close(background))
	})
	require.Len(t, c.sends(), 2)
	require.Len(t, j.lines, 4, "the hooks behind it run")
	require.Equal(t, 4, logs.FilterField(zap.String("hook", "broken")).Len(), "every panic is reported")
}

func TestAForbiddenSendIsNotTriedAtAll(t *testing.T) {
	reason := errors.New("not on Sundays")
	for name, check := range map[string]func(client.SendAttempt) error{
		"refused":  func(client.SendAttempt) error { return reason },
		"panicked": func(client.SendAttempt) error { panic(reason) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			var errs []error
			var asynchronous error
			c.run(time.Minute, func() {
				p := c.producer(client.WithForbiddenCheck("calendar", check), client.WithSendHook(client.SendHook{
					Name: "late", Before: func(client.SendAttempt) { panic("no hook runs for it") },
				}), client.WithFaultTolerance())
				_, err := p.Send(background, hello())
				errs = append(errs, err, p.SendOneway(background, hello()))
				_, err = p.SendBatch(background, []*client.Message{hello()})
				errs = append(errs, err)
				must(p.SendAsync(background, hello(), func(_ client.SendResult, err error) { asynchronous = err }))
				must(p.Close(background))
			})
			for _, err := range append(errs, asynchronous) {
				require.ErrorIs(t, err, client.ErrForbidden)
				require.ErrorContains(t, err, "check calendar")
				require.ErrorContains(t, err, "not on Sundays")
			}
			var failed *client.SendError
			require.ErrorAs(t, errs[0], &failed)
			require.Len(t, failed.Attempts, 1)
			require.False(t, failed.MaybeStored)
			require.Empty(t, c.sends())
		})
	}
}

func TestACheckThatAllowsIsNotNoticed(t *testing.T) {
	c := newCluster(t, 1)
	c.run(time.Minute, func() {
		_, err := c.producer(client.WithForbiddenCheck("lenient", func(client.SendAttempt) error { return nil })).Send(background, hello())
		must(err)
	})
	require.Len(t, c.sends(), 1)
}

func TestAHookMaySendWithItsProducer(t *testing.T) {
	c := newCluster(t, 1)
	c.run(time.Minute, func() {
		var p *client.Producer
		inner := false
		p = c.producer(client.WithSendHook(client.SendHook{Name: "copy", After: func(client.SendAttempt, client.SendResult, error) {
			if !inner {
				inner = true
				_, err := p.Send(background, hello())
				must(err)
			}
		}}))
		_, err := p.Send(background, hello())
		must(err)
	})
	require.Len(t, c.sends(), 2)
}

func TestASendWhoseHooksTookAllTheTimeIsNotSent(t *testing.T) {
	c := newCluster(t, 1)
	var errs, seen []error
	c.run(time.Minute, func() {
		p := c.producer(client.WithSendTimeout(time.Second), client.WithFaultTolerance(), client.WithSendHook(client.SendHook{
			Name: "slow", Before: func(client.SendAttempt) { c.app.Tasks.Sleep(2 * time.Second) },
			After: func(_ client.SendAttempt, _ client.SendResult, err error) { seen = append(seen, err) },
		}))
		_, err := p.Send(background, hello())
		errs = append(errs, err, p.SendOneway(background, hello()))
	})
	require.Len(t, seen, 2, "whoever was told of the beginning hears of the end")
	for _, err := range append(errs, seen...) {
		require.ErrorIs(t, err, client.ErrNotSent)
	}
	var failed *client.SendError
	require.ErrorAs(t, errs[0], &failed)
	require.False(t, failed.MaybeStored)
	require.Empty(t, c.sends())
}
