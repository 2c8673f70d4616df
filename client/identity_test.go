package client

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// stopped is a clock that the test moves.
type stoppedClock struct {
	now  env.Instant
	wall env.WallMillis
}

func (c *stoppedClock) Now() env.Instant     { return c.now }
func (c *stoppedClock) Wall() env.WallMillis { return c.wall }

func (c *stoppedClock) pass(d time.Duration) {
	c.now = c.now.Add(d)
	c.wall += env.WallMillis(d.Milliseconds())
}

func identityAt(clock env.Clock, seed uint64) *identity {
	return newIdentity(env.Env{Clock: clock, Rand: sim.NewStream(seed)}, &config{address: netip.MustParseAddr("10.0.0.5")})
}

func parsed(t *testing.T, text string) message.UniqueID {
	t.Helper()
	id, err := message.ParseUniqueID(text)
	require.NoError(t, err)
	return id
}

func TestUniqueIDsOfOneMillisecondDiffer(t *testing.T) {
	clock := &stoppedClock{now: 1, wall: sim.Epoch}
	i := identityAt(clock, 1)
	const many = 1<<17 + 5
	seen := make(map[string]bool, many)
	for range many {
		seen[i.uniqueID()] = true
	}
	require.Len(t, seen, many, "the counter came round twice")
}

func TestUniqueIDsStayUniqueWhenTheCalendarStepsBack(t *testing.T) {
	clock := &stoppedClock{now: 1, wall: sim.Epoch + 5000}
	i := identityAt(clock, 1)
	last := parsed(t, i.uniqueID())
	for range 100 {
		clock.pass(10 * time.Millisecond)
		clock.wall -= 1000
		id := parsed(t, i.uniqueID())
		require.Greater(t, id.Elapsed, last.Elapsed)
		last = id
	}
}

func TestUniqueIDsOfTwoMonthsCannotMeet(t *testing.T) {
	clock := &stoppedClock{now: 1, wall: sim.Epoch}
	i := identityAt(clock, 1)
	january := parsed(t, i.uniqueID())
	require.EqualValues(t, 0, january.Elapsed, "the world begins with the month")
	clock.pass(31*24*time.Hour - time.Millisecond)
	require.EqualValues(t, 31*24*3600*1000-1, parsed(t, i.uniqueID()).Elapsed)
	clock.pass(time.Millisecond)
	february := parsed(t, i.uniqueID())
	require.EqualValues(t, 0, february.Elapsed)
	require.NotEqual(t, january.Loader, february.Loader)
	clock.pass(40 * 24 * time.Hour)
	require.EqualValues(t, 12*24*3600*1000, parsed(t, i.uniqueID()).Elapsed, "February has 28 days")
}

func TestTwoClientsOfOneProcessHaveDifferentNames(t *testing.T) {
	clock := &stoppedClock{now: 1, wall: sim.Epoch}
	random := sim.NewStream(7)
	c := &config{address: netip.MustParseAddr("10.0.0.5"), process: 4711}
	e := env.Env{Clock: clock, Rand: random}
	one, two := newIdentity(e, c), newIdentity(e, c)
	require.NotEqual(t, one.clientID(), two.clientID())
	require.Equal(t, one.clientID(), one.clientID())
	a, b := parsed(t, one.uniqueID()), parsed(t, two.uniqueID())
	require.EqualValues(t, 4711, a.Process)
	require.Equal(t, a.Process, b.Process)
	require.NotEqual(t, a.Loader, b.Loader)
}
