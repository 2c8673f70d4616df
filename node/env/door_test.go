package env_test

import (
	"errors"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/require"
)

// stubCond is a condition whose waits end at once, as a test has decided.
type stubCond struct {
	woken      bool // what the waits report
	during     func()
	deadlines  []env.Instant // of the waits so far
	broadcasts int
}

func (c *stubCond) Wait() { c.WaitUntil(env.Never) }

func (c *stubCond) WaitUntil(deadline env.Instant) bool {
	c.deadlines = append(c.deadlines, deadline)
	if c.during != nil {
		c.during()
	}
	return c.woken
}

func (c *stubCond) Signal()    {}
func (c *stubCond) Broadcast() { c.broadcasts++ }

var errGaveUp = errors.New("the caller gave up")

func TestANilCallHasNoDeadlineAndNoError(t *testing.T) {
	var call *env.Call
	cond := &stubCond{woken: true}
	require.Equal(t, env.Never, call.Deadline())
	require.NoError(t, call.Err())
	require.True(t, call.Wait(cond, 7))
	require.Equal(t, []env.Instant{7}, cond.deadlines)
}

func TestACallWaitsUntilTheEarlierDeadline(t *testing.T) {
	call, cond := env.NewCall(10, nil), &stubCond{woken: true}
	require.Equal(t, env.Instant(10), call.Deadline())
	for _, given := range []env.Instant{env.Never, 20, 5} {
		require.True(t, call.Wait(cond, given))
	}
	require.Equal(t, []env.Instant{10, 10, 5}, cond.deadlines)
}

func TestACallReportsADeadlineThatPassed(t *testing.T) {
	call := env.NewCall(10, nil)
	require.False(t, call.Wait(&stubCond{woken: false}, env.Never))
	require.NoError(t, call.Err())
}

func TestCancelWakesWhatTheCallWaitsOn(t *testing.T) {
	call, cond := env.NewCall(env.Never, nil), &stubCond{woken: true}
	cond.during = func() { call.Cancel(errGaveUp) }
	require.False(t, call.Wait(cond, env.Never), "a cancelled call need not wait again")
	require.Equal(t, errGaveUp, call.Err())
	require.Equal(t, 1, cond.broadcasts)
}

func TestCancelOutsideAWaitWakesNothing(t *testing.T) {
	call, cond := env.NewCall(env.Never, nil), &stubCond{woken: true}
	require.True(t, call.Wait(cond, env.Never))
	call.Cancel(errGaveUp)
	require.Zero(t, cond.broadcasts)
	require.False(t, call.Wait(cond, env.Never))
	require.Len(t, cond.deadlines, 1, "a cancelled call does not wait")
}

func TestTheFirstReasonToCancelStays(t *testing.T) {
	call := env.NewCall(env.Never, nil)
	call.Cancel(errGaveUp)
	call.Cancel(errors.New("another reason"))
	require.Equal(t, errGaveUp, call.Err())
}

func TestLeaveTellsTheWorldWhichCallLeft(t *testing.T) {
	var left []*env.Call
	call := env.NewCall(env.Never, func(c *env.Call) { left = append(left, c) })
	call.Leave()
	require.Equal(t, []*env.Call{call}, left)
	env.NewCall(env.Never, nil).Leave() // a world that has nothing to do gives no function
}
