package inflight_test

import (
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

var orders = inflight.Queue{Group: "payers", Topic: "orders", ID: 3}

// at is a time so many milliseconds after both clocks were 1000 s.
func at(millis int64) inflight.Now {
	return inflight.Now{Instant: env.Instant((1_000_000 + millis) * 1e6), Wall: env.WallMillis(1_000_000 + millis)}
}

// popped is a pop from orders for a minute.
func popped(millis int64, from, to message.QueueOffset, held ...inflight.Delivery) *inflight.Popped {
	return &inflight.Popped{Group: orders.Group, At: 1_000_000 + millis, InvisibleMillis: 60_000, Parts: []inflight.Part{{Topic: orders.Topic, ID: orders.ID, From: from, To: to, Held: held}}}
}

func first(offset message.QueueOffset) inflight.Delivery {
	return inflight.Delivery{Offset: offset, Deliveries: 1}
}

func offsets(holds []inflight.Hold) (list []message.QueueOffset) {
	for _, h := range holds {
		list = append(list, h.Offset)
	}
	return list
}

func TestWhatWasHandedOutIsHiddenUntilItsTimeIsOver(t *testing.T) {
	s := inflight.New()
	s.Apply(popped(0, 0, 3, first(0), first(2)), at(0))
	require.Empty(t, s.Visible(orders, at(59_999).Instant, 10))
	require.Equal(t, []message.QueueOffset{0, 2}, offsets(s.Visible(orders, at(60_000).Instant, 10)))
	require.Equal(t, []message.QueueOffset{0}, offsets(s.Visible(orders, at(60_000).Instant, 1)))
	next, known := s.Next(orders)
	require.True(t, known)
	require.EqualValues(t, 3, next)
}

func TestTheFloorIsTheFirstMessageThatIsNotSettled(t *testing.T) {
	s := inflight.New()
	require.Zero(t, s.Floor(orders))
	s.Apply(popped(0, 5, 9, first(6), first(8)), at(0))
	require.EqualValues(t, 6, s.Floor(orders), "5 did not match")
	s.Apply(&inflight.Settled{Queue: orders, PoppedAt: 1_000_000, Offsets: []message.QueueOffset{6}}, at(1))
	require.EqualValues(t, 8, s.Floor(orders))
	s.Apply(&inflight.Settled{Queue: orders, PoppedAt: 1_000_000, Offsets: []message.QueueOffset{8}}, at(1))
	require.EqualValues(t, 9, s.Floor(orders))
}

func TestAReceiptOfAnOlderPopIsOfNoUse(t *testing.T) {
	s := inflight.New()
	s.Apply(popped(0, 0, 1, first(0)), at(0))
	s.Apply(popped(60_000, 1, 1, inflight.Delivery{Offset: 0, Deliveries: 2}), at(60_000))
	require.False(t, s.Lock(orders, 0, 1_000_000))
	s.Apply(&inflight.Settled{Queue: orders, PoppedAt: 1_000_000, Offsets: []message.QueueOffset{0}}, at(60_001))
	h, held := s.Held(orders, 0)
	require.True(t, held)
	require.EqualValues(t, 2, h.Deliveries)
	require.True(t, s.Lock(orders, 0, 1_060_000))
}

func TestAMessageThatIsBeingSettledIsNeitherSettledTwiceNorHandedOut(t *testing.T) {
	s := inflight.New()
	s.Apply(popped(0, 0, 1, first(0)), at(0))
	require.True(t, s.Lock(orders, 0, 1_000_000))
	require.False(t, s.Lock(orders, 0, 1_000_000))
	require.Empty(t, s.Visible(orders, at(60_000).Instant, 1))
	s.Unlock(orders, 0, 1_000_000)
	require.Len(t, s.Visible(orders, at(60_000).Instant, 1), 1)
}

func TestANewReceiptHidesAMessageFromThenOn(t *testing.T) {
	s := inflight.New()
	s.Apply(popped(0, 0, 1, first(0)), at(0))
	s.Apply(&inflight.Hidden{Queue: orders, Offset: 0, PoppedAt: 1_000_000, At: 1_050_000, InvisibleMillis: 20_000}, at(50_000))
	require.Empty(t, s.Visible(orders, at(69_999).Instant, 1))
	require.Len(t, s.Visible(orders, at(70_000).Instant, 1), 1)
	require.False(t, s.Lock(orders, 0, 1_000_000), "the old receipt")
	require.True(t, s.Lock(orders, 0, 1_050_000))
}

func TestAReceiptThatIsMadeShorterIsOverSooner(t *testing.T) {
	s := inflight.New()
	s.Apply(popped(0, 0, 1, first(0)), at(0))
	require.Empty(t, s.Visible(orders, at(1).Instant, 1), "this looks at when the next hold ends")
	s.Apply(&inflight.Hidden{Queue: orders, Offset: 0, PoppedAt: 1_000_000, At: 1_000_002, InvisibleMillis: 0}, at(2))
	require.Len(t, s.Visible(orders, at(2).Instant, 1), 1)
}

func TestNothingIsHiddenForLongerThanWasAskedWhereverTheWallClockStands(t *testing.T) {
	s := inflight.New()
	s.Apply(popped(0, 0, 1, first(0)), at(0))
	saved := s.Encode()
	for _, c := range []struct {
		wall    int64 // when the node is started again
		visible int64 // so many milliseconds later
	}{{1_000_000, 60_000}, {1_020_000, 40_000}, {1_060_000, 0}, {9_000_000, 0}, {5, 60_000}} {
		restored, err := inflight.Restore(saved, inflight.Now{Instant: 7, Wall: env.WallMillis(c.wall)})
		require.NoError(t, err)
		due := env.Instant(7 + c.visible*1e6)
		require.Empty(t, restored.Visible(orders, due-1, 1), "wall %d", c.wall)
		require.Len(t, restored.Visible(orders, due, 1), 1, "wall %d", c.wall)
	}
}

func TestAnOrderedPopWaitsForWhatIsInFlightUnlessItRepeatsTheLastOne(t *testing.T) {
	s := inflight.New()
	require.False(t, s.Blocked(orders, at(0).Instant, ""))
	e := popped(0, 0, 2, first(0), first(1))
	e.Attempt = "attempt 1"
	s.Apply(e, at(0))
	require.True(t, s.Blocked(orders, at(1).Instant, ""))
	require.True(t, s.Blocked(orders, at(1).Instant, "attempt 2"))
	require.False(t, s.Blocked(orders, at(1).Instant, "attempt 1"))
	require.False(t, s.Blocked(orders, at(60_000).Instant, ""))
	s.Apply(&inflight.Hidden{Queue: orders, Offset: 1, PoppedAt: 1_000_000, At: 1_000_001, InvisibleMillis: 90_000}, at(1))
	require.True(t, s.Blocked(orders, at(60_000).Instant, ""), "1 is in flight yet")
	require.True(t, s.Lock(orders, 0, 1_000_000))
	require.True(t, s.Blocked(orders, at(2).Instant, "attempt 1"), "0 may be settled any moment")
}

func TestAGroupThatIsMovedHasNothingInFlight(t *testing.T) {
	s := inflight.New()
	s.Apply(popped(0, 0, 4, first(1), first(3)), at(0))
	s.Apply(&inflight.Moved{Queue: orders, To: 2, Forward: true}, at(1))
	require.Equal(t, []message.QueueOffset{3}, offsets(s.All(orders)))
	s.Apply(&inflight.Moved{Queue: orders, To: 9, Forward: true}, at(1))
	require.Empty(t, s.All(orders))
	s.Apply(popped(2, 9, 10, first(9)), at(2))
	s.Apply(&inflight.Moved{Queue: orders, To: 0}, at(3))
	require.Empty(t, s.All(orders))
	next, _ := s.Next(orders)
	require.Zero(t, next)
}

func TestATopicOrAGroupThatIsDeletedIsForgotten(t *testing.T) {
	for _, e := range []*inflight.Forgotten{{Topic: orders.Topic}, {Group: orders.Group}} {
		s := inflight.New()
		s.Apply(popped(0, 0, 1, first(0)), at(0))
		s.Apply(&inflight.Forgotten{Topic: "others"}, at(0))
		require.Len(t, s.Queues(), 1)
		s.Apply(e, at(1))
		require.Empty(t, s.Queues())
		_, all := s.Holds(orders)
		require.Zero(t, all)
		_, known := s.Next(orders)
		require.False(t, known)
	}
}

func TestAPopThatCannotBeStoredIsAsIfItHadNotBeen(t *testing.T) {
	s := inflight.New()
	s.Apply(popped(0, 0, 2, first(0), first(1)), at(0))
	one := s.Pop(popped(60_000, 2, 4, inflight.Delivery{Offset: 0, Deliveries: 2}, first(3)), at(60_000))
	two := s.Pop(popped(60_001, 4, 5, inflight.Delivery{Offset: 1, Deliveries: 2}, first(4)), at(60_001))
	s.Undo(one, at(60_002).Instant)
	s.Undo(two, at(60_002).Instant)
	require.Equal(t, []message.QueueOffset{0, 1}, offsets(s.Visible(orders, at(60_002).Instant, 9)))
	for _, h := range s.All(orders) {
		require.EqualValues(t, 1, h.Deliveries)
		require.EqualValues(t, 1_000_000, h.PoppedAt, "its receipt is good")
	}
	next, _ := s.Next(orders)
	require.EqualValues(t, 2, next)
}

func TestWhatACrashHasTakenIsNotInFlight(t *testing.T) {
	s := inflight.New()
	s.Apply(popped(0, 0, 5, first(2), first(4)), at(0))
	require.False(t, s.Trim(orders, 7))
	require.Len(t, s.All(orders), 2)
	require.True(t, s.Trim(orders, 3))
	require.Equal(t, []message.QueueOffset{2}, offsets(s.All(orders)))
	next, _ := s.Next(orders)
	require.EqualValues(t, 3, next)
	ofQueue, all := s.Holds(orders)
	require.Equal(t, []int{1, 1}, []int{ofQueue, all})
}
