package linearizability

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPropACellFindsWhatStandsAtAnOffset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.Int64Range(0, 20).Draw(t, "start")
		length := rapid.IntRange(0, 300).Draw(t, "length")
		c := emptyQueue(start)
		for i := range length {
			c = c.push(Hash(i))
		}
		require.Equal(t, start+int64(length), c.length)
		for i := range length {
			require.Equal(t, Hash(i), c.at(start+int64(i)).hash)
		}
		for offset := range start {
			require.Nil(t, c.at(offset), "below what is known")
		}
	})
}

func TestGoingBackTakesFewSteps(t *testing.T) {
	c := emptyQueue(0)
	for i := range 100_000 {
		c = c.push(Hash(i))
	}
	steps := 0
	for here := c; here.length > 1; steps++ {
		if here.jump.length >= 1 {
			here = here.jump
		} else {
			here = here.previous
		}
	}
	require.Less(t, steps, 40)
}

func TestTheChainTellsOrdersApart(t *testing.T) {
	seen := map[uint64]bool{}
	for a := range Hash(30) {
		for b := range Hash(30) {
			seen[emptyQueue(0).push(a).push(b).chain] = true
		}
	}
	require.Len(t, seen, 900)
}

func TestTheLogModelForgetsNothingAtAQuietPoint(t *testing.T) {
	// Many pieces; the last read looks back into the first.
	var history History
	at := int64(0)
	for i := range int64(5 * pieceLeast) {
		history = append(history, sent(1, at, at+1, rune(i), i))
		at += 2
	}
	require.Greater(t, len(cut(pointers(history), pieceLeast, false)), 3)
	right := read(2, at, at+1, 0, string([]rune{0, 1, 2}), int64(5*pieceLeast))
	require.Equal(t, OK, Check(append(history, right), Options{}).Result)
	wrong := read(2, at, at+1, 0, string([]rune{0, 1, 3}), int64(5*pieceLeast))
	require.Equal(t, RuleOrder, Check(append(history, wrong), Options{}).Rule)
}

var offsetHistories = []struct {
	name    string
	want    Result
	history History
}{
	{"nothing was committed", OK, History{fetched(1, 1, 2, OffsetNone)}},
	{"a commit is seen", OK, History{committed(1, 1, 2, 5), fetched(2, 3, 4, 5)}},
	{"a commit may go back", OK, History{committed(1, 1, 2, 5), committed(1, 3, 4, 3), fetched(2, 5, 6, 3)}},
	{"a commit that overlaps is seen or not", OK, History{committed(1, 1, 9, 5), fetched(2, 2, 3, OffsetNone), fetched(2, 4, 5, 5)}},
	{"an unanswered commit happened", OK, History{noAnswer(committed(1, 1, 2, 5)), fetched(2, 3, 4, 5)}},
	{"an unanswered commit never happened", OK, History{noAnswer(committed(1, 1, 2, 5)), fetched(2, 3, 4, OffsetNone)}},
	{"an unanswered commit happened late", OK, History{noAnswer(committed(1, 1, 2, 5)), committed(2, 3, 4, 7), fetched(2, 5, 6, 7), fetched(2, 7, 8, 5)}},
	{"a refused commit", OK, History{refused(committed(1, 1, 2, 5)), fetched(2, 3, 4, OffsetNone)}},
	{"an acknowledged commit is lost", Illegal, History{committed(1, 1, 2, 5), fetched(2, 3, 4, OffsetNone)}},
	{"an offset nobody committed", Illegal, History{committed(1, 1, 2, 5), fetched(2, 3, 4, 6)}},
	{"a commit seen, then not", Illegal, History{committed(1, 1, 9, 5), fetched(2, 2, 3, 5), fetched(2, 4, 5, OffsetNone)}},
	{"a commit seen before its call", Illegal, History{fetched(2, 1, 2, 5), committed(1, 3, 4, 5)}},
	{"an unanswered commit happened twice", Illegal, History{noAnswer(committed(1, 1, 2, 5)), fetched(2, 3, 4, 5), committed(2, 5, 6, 7), fetched(2, 7, 8, 5)}},
	{"a refused commit is seen", Illegal, History{refused(committed(1, 1, 2, 5)), fetched(2, 3, 4, 5)}},
}

func TestTheOffsetModelJudgesARegister(t *testing.T) {
	for _, c := range offsetHistories {
		got := Check(c.history, Options{})
		require.Equal(t, c.want, got.Result, "%s: %v", c.name, got)
	}
	before := Options{Committed: map[string]int64{q: 3}}
	require.Equal(t, OK, Check(History{fetched(1, 1, 2, 3)}, before).Result)
	require.Equal(t, Illegal, Check(History{fetched(1, 1, 2, OffsetNone)}, before).Result)
}

func TestUnseenCommitsCostNothing(t *testing.T) {
	var history History
	for i := range int64(200) {
		history = append(history, noAnswer(committed(1, i, i, 1000+i)), committed(2, i, i, i))
	}
	history = append(history, fetched(3, 300, 301, 199))
	require.Equal(t, OK, Check(history, Options{SearchLimit: 10_000}).Result)
	history = append(history, fetched(3, 302, 303, 198))
	require.Equal(t, Illegal, Check(history, Options{SearchLimit: 10_000}).Result)
}

func TestTheOffsetModelIsCutOnlyWhereTheStateIsCertain(t *testing.T) {
	// Two commits overlap, then comes a quiet point: either may have been the last.
	var history History
	for i := range int64(pieceLeast) {
		history = append(history, committed(1, 10*i, 10*i+5, 1), committed(2, 10*i, 10*i+5, 2))
	}
	last := history[len(history)-1].Return
	for _, offset := range []int64{1, 2} {
		require.Equal(t, OK, Check(append(history, fetched(3, last+1, last+2, offset)), Options{}).Result, offset)
	}
	// One alone settles it, and then it is cut.
	history = append(history, committed(1, last+1, last+2, 7))
	tail := append(history, fetched(3, last+3, last+4, 7))
	require.Len(t, cut(pointers(tail), pieceLeast, true), 2)
	require.Equal(t, OK, Check(tail, Options{}).Result)
	require.Equal(t, Illegal, Check(append(history, fetched(3, last+3, last+4, 2)), Options{}).Result)
}

const (
	second = int64(1e9)
	lease  = 60 * second
)

var lockHistories = []struct {
	name    string
	want    Result
	history History
}{
	{"granted, denied, given back, granted", OK, History{locked(1, 1, 2, true), locked(2, 3, 4, false), operation(1, KindUnlock, 5, 6), locked(2, 7, 8, true)}},
	{"renewed by its owner", OK, History{locked(1, 1, 2, true), locked(1, 20*second, 21*second, true), locked(2, 70*second, 71*second, false)}},
	{"taken after it expired", OK, History{locked(1, 0, 1, true), locked(2, lease+2, lease+3, true)}},
	{"taken when it may just have expired", OK, History{locked(1, 0, 5, true), locked(2, lease, lease+1, true)}},
	{"denied when it may just not have expired", OK, History{locked(1, 0, 5, true), locked(2, lease+5, lease+6, false)}},
	{"two at once, one wins", OK, History{locked(1, 1, 5, true), locked(2, 1, 5, false)}},
	{"an unanswered lock was granted", OK, History{noAnswer(locked(1, 1, 2, false)), locked(2, 3, 4, false)}},
	{"an unanswered lock was denied", OK, History{noAnswer(locked(1, 1, 2, false)), locked(2, 3, 4, true)}},
	{"an unanswered lock was granted late", OK, History{noAnswer(locked(1, 1, 2, false)), locked(2, 3, 4, true), operation(2, KindUnlock, 5, 6), locked(2, 7, 8, false)}},
	{"an unanswered unlock", OK, History{locked(1, 1, 2, true), noAnswer(operation(1, KindUnlock, 3, 4)), locked(2, 5, 6, false), locked(2, 7, 8, true)}},
	{"forgotten", OK, History{locked(1, 1, 2, true), operation(-1, KindForgetLocking, 3, 9), locked(2, 10, 11, true)}},
	{"a refused lock", OK, History{refused(locked(1, 1, 2, false)), locked(2, 3, 4, true)}},
	{"two owners", Illegal, History{locked(1, 1, 2, true), locked(2, 3, 4, true)}},
	{"two owners at once", Illegal, History{locked(1, 1, 5, true), locked(2, 1, 5, true)}},
	{"taken too early", Illegal, History{locked(1, 2, 3, true), locked(2, lease, lease+2, true)}},
	{"taken in spite of a renewal", Illegal, History{locked(1, 0, 1, true), locked(1, 20*second, 21*second, true), locked(2, 70*second, 71*second, true)}},
	{"denied though free", Illegal, History{locked(1, 1, 2, false)}},
	{"denied though given back", Illegal, History{locked(1, 1, 2, true), operation(1, KindUnlock, 3, 4), locked(2, 5, 6, false)}},
	{"denied though long expired", Illegal, History{locked(1, 0, 1, true), locked(2, lease+second, lease+2*second, false)}},
	{"given back by another", Illegal, History{locked(1, 1, 2, true), operation(2, KindUnlock, 3, 4), locked(2, 5, 6, true)}},
	{"the old owner renews after another took it", Illegal, History{locked(1, 0, 1, true), locked(2, lease+2, lease+3, true), locked(1, lease+4, lease+5, true)}},
	{"denied to its owner", Illegal, History{locked(1, 1, 2, true), locked(1, 3, 4, false)}},
}

func TestTheLockModelAllowsOneOwner(t *testing.T) {
	for _, c := range lockHistories {
		got := Check(c.history, Options{})
		require.Equal(t, c.want, got.Result, "%s: %v", c.name, got)
	}
}

func TestAnUncertainLeaseAllowsEitherAnswerInBetween(t *testing.T) {
	options := Options{LeastLease: 10, MostLease: 20}
	for instant, want := range map[int64][2]Result{ // granted, denied
		9: {Illegal, OK}, 10: {Illegal, OK}, 11: {OK, OK}, 20: {OK, OK}, 21: {OK, Illegal},
	} {
		for i, granted := range []bool{true, false} {
			history := History{locked(1, 0, 0, true), locked(2, instant, instant, granted)}
			require.Equal(t, want[i], Check(history, options).Result, "%d granted %v", instant, granted)
		}
	}
	// The grant may have come as late as 5, so nothing is certain at 25.
	late := History{locked(1, 0, 5, true), locked(2, 25, 25, false)}
	require.Equal(t, OK, Check(late, options).Result)
	late[1].Call, late[1].Return = 26, 26
	require.Equal(t, Illegal, Check(late, options).Result)
	require.Equal(t, "free", lockState{owner: nobody}.String())
	require.Equal(t, "owned by client 3 since 4 at the earliest", lockState{3, 4, 5}.String())
}

func TestTheKindsOfOneKeyAreJudgedApart(t *testing.T) {
	history := History{sent(1, 1, 2, 'a', 0), committed(1, 1, 2, 5), locked(1, 1, 2, true), locked(2, 3, 4, true)}
	got := Check(history, Options{})
	require.Equal(t, "lock", got.Operations[0].Kind.String())
}

func TestCutFindsQuietPoints(t *testing.T) {
	lengths := func(history History, least int, lastAlone bool) (lengths []int) {
		for _, piece := range cut(pointers(history), least, lastAlone) {
			lengths = append(lengths, len(piece))
		}
		return lengths
	}
	at := func(spans ...[2]int64) (history History) {
		for _, span := range spans {
			history = append(history, sent(1, span[0], span[1], 'a', 0))
		}
		return history
	}
	apart := at([2]int64{1, 2}, [2]int64{3, 4}, [2]int64{5, 6})
	require.Equal(t, []int{1, 1, 1}, lengths(apart, 1, false))
	require.Equal(t, []int{2, 1}, lengths(apart, 2, false))
	require.Equal(t, []int{1, 1, 1}, lengths(apart, 1, true))
	require.Equal(t, []int{3}, lengths(at([2]int64{1, 9}, [2]int64{2, 3}, [2]int64{4, 5}), 1, false), "one spans all")
	require.Equal(t, []int{2}, lengths(at([2]int64{1, 2}, [2]int64{2, 3}), 1, false), "the same instant is not quiet")
	require.Equal(t, []int{2, 1}, lengths(at([2]int64{1, 3}, [2]int64{2, 4}, [2]int64{5, 6}), 1, false))
	require.Equal(t, []int{3}, lengths(at([2]int64{1, 3}, [2]int64{2, 4}, [2]int64{5, 6}), 1, true), "two overlapped before the point")
	require.Nil(t, cut(nil, 1, false))
	open := at([2]int64{1, 2}, [2]int64{3, 4}, [2]int64{5, 6})
	open[1].Outcome = OutcomeUnknown
	require.Equal(t, []int{1, 2}, lengths(open, 1, false), "no quiet point behind an unknown outcome")
}

func TestWidestCountsWhatIsOpenAtOnce(t *testing.T) {
	history := History{sent(1, 1, 4, 'a', 0), sent(2, 2, 5, 'b', 0), sent(3, 4, 9, 'c', 0), sent(4, 6, 7, 'd', 0)}
	require.Equal(t, 3, widest(pointers(history)))
	history[0].Outcome = OutcomeUnknown
	require.Equal(t, 3, widest(pointers(history)))
	require.Equal(t, int64(math.MaxInt64), history[0].returns())
}
