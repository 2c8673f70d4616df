package broker

import (
	"testing"

	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// One that nobody decides must not make a broker remember all that end behind it.
func TestTransactionsThatEndedLongAgoAreForgottenThoughAnOlderOneIsOpen(t *testing.T) {
	s := transactions{open: map[message.QueueOffset]*transaction{0: {}}, ended: map[message.QueueOffset]proto.TransactionOutcome{}, filed: 1000}
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
