package broker

import (
	"container/heap"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// One that nobody decides must not make a broker remember all that end behind it.
func TestTransactionsThatEndedLongAgoAreForgottenThoughAnOlderOneIsOpen(t *testing.T) {
	s := transactions{open: map[message.QueueOffset]*transaction{}, ended: map[message.QueueOffset]proto.TransactionOutcome{}, filed: 1000}
	const more = endedMax + 5000
	for number := range message.QueueOffset(more) {
		s.over(number+1, proto.OutcomeCommit)
	}
	require.Len(t, s.ended, more-999, "the file does not know the others yet")
	s.filed = more
	s.over(more+1, proto.OutcomeRollback)
	require.Len(t, s.ended, endedMax)
	require.Len(t, s.order, endedMax)
	require.Contains(t, s.ended, message.QueueOffset(more+1))
	require.NotContains(t, s.ended, message.QueueOffset(1000))
}

func TestTheFirstOutcomeOfATransactionCounts(t *testing.T) {
	s := transactions{ended: map[message.QueueOffset]proto.TransactionOutcome{}}
	s.remember(7, proto.OutcomeRollback)
	s.remember(7, proto.OutcomeCommit)
	require.Equal(t, proto.OutcomeRollback, s.ended[7])
	require.Len(t, s.order, 1)
}

func TestAFileOfTransactionsThatCannotBeIsNotBelieved(t *testing.T) {
	next := message.QueueOffset(9)
	for name, d := range map[string]transactionsDocument{
		"ahead of the log":      {Covered: 101},
		"open before the first": {Half: 5, Next: &next, Open: []message.QueueOffset{4}},
		"open behind the last":  {Half: 5, Next: &next, Open: []message.QueueOffset{9}},
		"ends before it begins": {Half: 10, Next: &next},
	} {
		require.Error(t, d.fault(100), name)
	}
	require.NoError(t, (&transactionsDocument{Half: 5, Next: &next, Open: []message.QueueOffset{5, 8}, Covered: 100}).fault(100))
	require.NoError(t, (&transactionsDocument{Half: 5, Open: []message.QueueOffset{99}}).fault(100), "without the last, nothing is said of them")
}

func TestPropTransactionsAreCheckedInTheOrderOfTheirTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := transactions{open: map[message.QueueOffset]*transaction{}, ended: map[message.QueueOffset]proto.TransactionOutcome{}}
		next := message.QueueOffset(0)
		due := rapid.Map(rapid.IntRange(0, 20), func(at int) env.Instant { return env.Instant(at) })
		some := func(t *rapid.T) *transaction {
			if len(s.due) == 0 {
				t.Skip("none is open")
			}
			return s.due[rapid.IntRange(0, len(s.due)-1).Draw(t, "which")]
		}
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) {
				s.open[next] = &transaction{number: next, due: due.Draw(t, "due")}
				heap.Push(&s.due, s.open[next])
				next++
			},
			"end": func(t *rapid.T) { s.over(some(t).number, proto.OutcomeCommit) },
			"check": func(t *rapid.T) {
				open := some(t)
				open.due = due.Draw(t, "due")
				heap.Fix(&s.due, open.place)
			},
			"": func(t *rapid.T) {
				require.Len(t, s.due, len(s.open))
				for place, open := range s.due {
					require.Equal(t, place, open.place)
					require.Same(t, open, s.open[open.number])
				}
				if len(s.due) > 0 {
					least := slices.MinFunc(s.due, func(a, b *transaction) int { return int(a.due - b.due) })
					require.Equal(t, least.due, s.due[0].due)
				}
			},
		})
	})
}

// What one transaction costs that begins, is not due, and ends, beside others that are open.
func BenchmarkTransactionBesideOthers(b *testing.B) {
	for _, others := range []message.QueueOffset{0, 100_000} {
		b.Run(fmt.Sprint("open=", int(others)), func(b *testing.B) {
			k := sim.New(1, sim.Options{})
			defer k.Close()
			s := newTransactions(&Broker{env: k.AddMachine("a", netip.MustParseAddr("10.0.0.1")).Boot("broker"), options: Options{TransactionTimeout: time.Hour}})
			s.broker.topics = &topicTable{}
			half := message.Record{StoredAt: int64(s.broker.env.Clock.Wall())}
			for half.QueueOffset = range others {
				s.begin(&half)
			}
			b.ReportAllocs()
			for b.Loop() {
				half.QueueOffset++
				s.begin(&half)
				s.checkDue()
				s.over(half.QueueOffset, proto.OutcomeCommit)
				s.filed = half.QueueOffset
			}
		})
	}
}
