package linearizability

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// settledLines tells what resolving makes of a history.
func settledLines(history History, log Log) (lines []string) {
	for _, o := range resolve(pointers(history), &log) {
		if o.Outcome != OutcomeDone {
			lines = append(lines, "still without an answer:")
		}
		lines = append(lines, o.String())
	}
	return lines
}

func TestASendWithoutAnAnswerHappenedByTheTimeItWasFirstSeen(t *testing.T) {
	send := unanswered(1, 1, 'a')
	for _, c := range []struct {
		why     string
		history History
		log     Log
		want    string
	}{
		{"a read showed it", History{send, read(2, 5, 7, 0, "a", OffsetNone), read(2, 8, 9, 0, "a", 1)}, logOf("a"), "7"},
		{"a read told an end above it", History{send, read(2, 5, 6, 0, "", 1), read(2, 8, 9, 0, "a", 1)}, logOf("a"), "6"},
		{"a read showed a later one", History{send, unanswered(3, 1, 'b'), read(2, 5, 6, 1, "b", OffsetNone)}, logOf("ab"), "6"},
		{"a later one was acknowledged", History{send, sent(2, 2, 4, 'b', 1), read(2, 8, 9, 0, "a", 1)}, logOf("ab"), "4"},
		{"an earlier one says nothing", History{send, sent(2, 2, 4, 'b', 0), read(2, 8, 9, 0, "ba", 2)}, logOf("ba"), "9"},
		{"nobody saw it before the final log", History{send, sent(2, 2, 4, 'b', 0), sent(2, 5, 8, 'c', 1)}, logOf("bca"), "8"},
		{"it was called last of all", History{sent(2, 0, 0, 'b', 0), send}, logOf("ba"), "1"},
		{"it was seen before its call, which stays wrong", History{read(2, 0, 0, 0, "a", 1), send}, logOf("a"), "1"},
	} {
		lines := settledLines(c.history, c.log)
		require.Len(t, lines, len(c.history), c.why)
		require.Condition(t, func() bool {
			return slices.ContainsFunc(lines, func(line string) bool {
				return strings.HasPrefix(line, "client 1 send 61, found at ") && strings.HasSuffix(line, "there by "+c.want+"]")
			})
		}, "%s: %v", c.why, lines)
	}
}

func TestWhatHadNoEffectIsDropped(t *testing.T) {
	require.Empty(t, settledLines(History{
		unanswered(1, 1, 'a'), refused(sent(2, 1, 2, 'b', 0)), noAnswer(read(3, 1, 2, 0, "", OffsetNone)),
	}, Log{}))
}

func TestOfEqualMessagesTheEarliestCalledGetsTheLowestOffset(t *testing.T) {
	history := History{unanswered(3, 8, 'a'), unanswered(1, 1, 'a'), sent(2, 2, 9, 'a', 1), unanswered(4, 30, 'a')}
	require.Equal(t, []string{
		"client 2 send 61 → offset 1 [2, 9]",
		"client 1 send 61, found at offset 0 [1, no answer, there by 9]",
		"client 3 send 61, found at offset 2 [8, no answer, there by 9]",
	}, settledLines(history, logOf("aaa")))
}

func TestACopyComesFromTheEarliestSendThatRepeats(t *testing.T) {
	history := History{repeating(sent(2, 5, 9, 'a', 1)), repeating(sent(1, 3, 12, 'a', 2)), sent(3, 1, 13, 'a', 3)}
	require.Equal(t, "client 1 send 61, found at offset 0 [3, no answer, there by 9]", settledLines(history, logOf("aaaa"))[3])
}

func TestAReaderOfReplicasIsHeldToTheMostItSaw(t *testing.T) {
	log := logOf("abc")
	sends := History{sent(1, 0, 0, 'a', 0), sent(1, 0, 0, 'b', 1), sent(1, 0, 0, 'c', 2)}
	at := func(call, ret, end int64) Operation { return fromReplica(read(2, call, ret, 0, "", end)) }
	for _, c := range []struct {
		why   string
		want  Result
		reads History
	}{
		{"up and up", OK, History{at(1, 2, 1), at(3, 4, 2), at(5, 6, 3)}},
		{"less than the one before last", Illegal, History{at(1, 2, 3), at(1, 2, 1), at(3, 4, 2)}},
		{"less, at the instant the other returned", OK, History{at(1, 3, 3), at(3, 4, 2)}},
		{"less, just behind", Illegal, History{at(1, 3, 3), at(4, 4, 2)}},
		{"in any order of recording", Illegal, History{at(4, 4, 2), at(1, 3, 3)}},
		{"no end told", OK, History{at(1, 3, 3), at(4, 4, OffsetNone)}},
	} {
		require.Equal(t, c.want, Check(append(sends, c.reads...), withLog(log)).Result, c.why)
	}
}
