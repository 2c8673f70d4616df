package broker

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func newTestStatistics() *statistics { return newStatistics(at(0), proto.IsSystemTopic) }

func (s *statistics) send(topic string, queue int32, after time.Duration) {
	s.sent(s.sendsTo(queueKey(topic, queue), at(after)), at(after), 2, 200, 3*time.Millisecond)
}

func TestASendCountsForItsQueueItsTopicAndTheBroker(t *testing.T) {
	s := newTestStatistics()
	s.send("orders", 0, 0)
	s.send("orders", 1, 0)
	s.send(proto.BenchmarkTopic, 0, 0)
	require.Equal(t, amounts{2, 200, 3, 1}, s.queueSends[queueKey("orders", 1)].queue.total)
	require.Equal(t, amounts{4, 400, 6, 2}, s.sends["orders"].total)
	require.EqualValues(t, 6, s.all.sent.total.messages)
	require.EqualValues(t, 4, s.ordinary.sent.total.messages)
}

func TestAPullCountsForItsQueueItsGroupAndTheBroker(t *testing.T) {
	s := newTestStatistics()
	s.pulled(groupQueue{"g", "orders", 0}, at(0), 2, 200, 0)
	s.pulled(groupQueue{"g", "orders", 1}, at(0), 3, 300, 0)
	s.pulled(groupQueue{"h", proto.BenchmarkTopic, 1}, at(0), 1, 100, 0)
	require.EqualValues(t, 5, s.pulls[groupTopic{"g", "orders"}].total.messages)
	require.EqualValues(t, 6, s.all.pulled.total.messages)
	require.EqualValues(t, 5, s.ordinary.pulled.total.messages)
}

func TestAFullTableCountsNothingNewAndSaysSo(t *testing.T) {
	s := newTestStatistics()
	for n := range flowsMax + 5 {
		s.send(fmt.Sprint("topic", n), 0, 0)
		s.pulled(groupQueue{"g", "orders", int32(n)}, at(0), 1, 1, 0)
	}
	require.Len(t, s.sends, flowsMax)
	require.Len(t, s.queueSends, flowsMax)
	require.Len(t, s.queuePulls, flowsMax)
	require.EqualValues(t, 15, s.uncounted, "five topics, and as many queues of sends and of pulls")
	require.EqualValues(t, 2*(flowsMax+5), s.all.sent.total.messages, "the broker's own totals go on")
	require.EqualValues(t, flowsMax+5, s.pulls[groupTopic{"g", "orders"}].total.messages, "the group is known")
}

// TestWhatIsIdleForADayIsForgotten: nobody can tell, its day is empty.
func TestWhatIsIdleForADayIsForgotten(t *testing.T) {
	s := newTestStatistics()
	s.send("old", 0, 0)
	s.pulled(groupQueue{"g", "old", 0}, at(0), 1, 1, 0)
	s.cameBack("g", "old", at(0), true)
	s.send("busy", 0, 0)
	s.send("busy", 1, 20*time.Hour)
	s.tick(at(25*time.Hour), 1)
	require.Contains(t, s.sends, "old")
	s.tick(at(25*time.Hour+11*time.Minute), 1)
	require.NotContains(t, s.sends, "old")
	require.Contains(t, s.sends, "busy")
	require.Len(t, s.queueSends, 1)
	require.Empty(t, s.pulls)
	require.Empty(t, s.queuePulls)
	require.Empty(t, s.sentBack)
	require.Empty(t, s.deadLetters)
}

func TestADeletedTopicOrGroupIsForgotten(t *testing.T) {
	s := newTestStatistics()
	fill := func() {
		for _, topic := range []string{"a", "b"} {
			s.send(topic, 0, 0)
			for _, group := range []string{"g", "h"} {
				s.pulled(groupQueue{group, topic, 0}, at(0), 1, 1, 0)
				s.cameBack(group, topic, at(0), true)
			}
		}
	}
	fill()
	s.forgetTopic("a")
	require.Len(t, s.sends, 1)
	require.Len(t, s.queueSends, 1)
	require.Len(t, s.pulls, 2)
	fill()
	s.forgetGroup("g")
	require.Len(t, s.sends, 2, "its topics stay")
	require.Len(t, s.queuePulls, 2)
	require.Len(t, s.sentBack, 2)
	require.Len(t, s.deadLetters, 2)
}

func TestTheMorningsAreThoseOfTheCalendar(t *testing.T) {
	s := newTestStatistics()
	s.send("orders", 0, 0)
	s.tick(at(0), 1)
	require.Equal(t, [2]dayTotals{}, s.mornings, "the day under way began before the broker did")
	s.tick(at(time.Hour), 2)
	s.send("orders", 0, 2*time.Hour)
	s.send(proto.BenchmarkTopic, 0, 2*time.Hour)
	s.pulled(groupQueue{"g", "orders", 0}, at(2*time.Hour), 1, 1, 0)
	s.tick(at(2*time.Hour), 2)
	require.Equal(t, [2]dayTotals{{}, {sent: 2}}, s.mornings)
	s.tick(at(3*time.Hour), 3)
	require.Equal(t, [2]dayTotals{{sent: 2}, {sent: 4, pulled: 1}}, s.mornings)
}

func TestLatenciesAreCountedInBuckets(t *testing.T) {
	l := newLatencies()
	for range 98 {
		l.add(at(0), 500*time.Microsecond)
	}
	l.add(at(0), 37*time.Millisecond)
	l.add(at(0), 12*time.Second)
	require.Equal(t, "[<=0ms]:98 [0~10ms]:0 [10~50ms]:1 [50~100ms]:0 [100~200ms]:0 [200~500ms]:0 [500~1000ms]:0 "+
		"[1000~2000ms]:0 [2000~3000ms]:0 [3000~4000ms]:0 [4000~5000ms]:0 [5000~10000ms]:0 [>10000ms]:1", l.String())
	require.InDelta(t, 1, l.percentile(at(0), 0.5), 0)
	require.InDelta(t, 38, l.percentile(at(0), 0.99), 0, "the upper end of the bucket of two milliseconds")
	require.InDelta(t, 12_000, l.percentile(at(0), 0.999), 0, "what is beyond all buckets is as long as the longest")
	require.InDelta(t, 38, l.percentile(at(time.Minute), 0.99), 0)
	require.Zero(t, l.percentile(at(3*time.Minute), 0.99), "nothing came in the last two minutes")
	require.Equal(t, 12*time.Second, l.longest)
	l.add(at(3*time.Minute), time.Millisecond)
	require.Zero(t, l.percentile(at(5*time.Minute), 0.99), "nor when nobody has looked meanwhile")
}

func TestThePercentileBucketsAreThoseOfTheReference(t *testing.T) {
	require.Len(t, percentileBounds, 20+15+10+10+6+5+9)
	require.EqualValues(t, 1, percentileBounds[0])
	require.EqualValues(t, 10_000, percentileBounds[len(percentileBounds)-1])
	for millis := range int64(12_000) {
		i := fineBucket(millis)
		require.True(t, i == len(percentileBounds) || millis <= percentileBounds[i], millis)
		require.True(t, i == 0 || millis > percentileBounds[i-1], millis)
	}
}
