package linearizability

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each of these is wrong. Search says whether the search finds it without the final log.
var badLogs = []struct {
	name    string
	history History
	log     Log
	rule    Rule
	search  bool
}{
	{"an acknowledged write is lost at the end",
		History{sent(1, 1, 2, 'a', 0), sent(1, 3, 4, 'b', 1)}, logOf("a"), RuleLost, false},
	{"an acknowledged write is lost and its offset used again",
		History{sent(1, 1, 2, 'a', 0), unanswered(2, 1, 'b')}, logOf("b"), RuleLost, false},
	{"all is lost",
		History{sent(1, 1, 2, 'a', 0)}, Log{}, RuleLost, false},
	{"two sends were given one offset",
		History{sent(1, 1, 5, 'a', 0), sent(2, 2, 6, 'b', 0)}, logOf("a"), RuleDuplicate, true},
	{"an offset from before the history is given again",
		History{sent(1, 1, 2, 'c', 1)}, logFrom(2, 0, "ab"), RuleDuplicate, false},
	{"a stale read: a send had returned before",
		History{sent(1, 1, 2, 'a', 0), read(2, 3, 4, 0, "", 0)}, logOf("a"), RuleStaleRead, true},
	{"a stale read: two behind",
		History{sent(1, 1, 2, 'a', 0), sent(1, 3, 4, 'b', 1), sent(1, 5, 6, 'c', 2), read(2, 7, 8, 0, "a", 1)},
		logOf("abc"), RuleStaleRead, true},
	{"a stale read: below where the queue ended at first",
		History{read(2, 3, 4, 0, "", 1)}, logFrom(2, 0, "ab"), RuleStaleRead, false},
	{"a read shows more than the end it tells",
		History{sent(1, 1, 9, 'a', 0), read(2, 3, 4, 0, "a", 0)}, logOf("a"), RuleStaleRead, true},
	{"a read before the write",
		History{read(2, 1, 2, 0, "a", OffsetNone), sent(1, 3, 4, 'a', 0)}, logOf("a"), RuleEarlyRead, true},
	{"a read before a write without an answer",
		History{read(2, 1, 2, 0, "a", 1), unanswered(1, 3, 'a')}, logOf("a"), RuleEarlyRead, true},
	{"a read tells an end before the write",
		History{read(2, 1, 2, 0, "", 1), sent(1, 3, 4, 'a', 0)}, logOf("a"), RuleEarlyRead, true},
	{"a read shows a message before one ahead of it was called",
		History{sent(1, 1, 9, 'b', 1), read(2, 2, 3, 1, "b", OffsetNone), sent(3, 4, 5, 'a', 0)}, logOf("ab"), RuleEarlyRead, true},
	{"two sends against real time",
		History{sent(1, 1, 2, 'a', 1), sent(2, 3, 4, 'b', 0)}, logOf("ba"), RuleReorder, true},
	{"two sends against real time, far apart",
		History{sent(1, 1, 2, 'a', 2), sent(2, 1, 9, 'b', 1), sent(3, 3, 4, 'c', 0)}, logOf("cba"), RuleReorder, true},
	{"a send against real time, found by what was seen",
		History{unanswered(1, 1, 'a'), read(2, 2, 3, 1, "a", OffsetNone), unanswered(3, 4, 'b')}, logOf("ba"), RuleEarlyRead, true},
	{"reads go backwards while the send is open",
		History{sent(1, 1, 9, 'a', 0), read(2, 2, 3, 0, "a", 1), read(3, 4, 5, 0, "", 0)}, logOf("a"), RuleBackwards, true},
	{"a phantom in the log",
		History{sent(1, 1, 2, 'a', 0)}, logOf("ax"), RulePhantom, false},
	{"a refused send in the log",
		History{refused(sent(1, 1, 2, 'a', 0))}, logOf("a"), RulePhantom, false},
	{"a message twice though it was sent once",
		History{sent(1, 1, 2, 'a', 0)}, logOf("aa"), RulePhantom, false},
	{"a read shows a message that is gone",
		History{sent(1, 1, 2, 'a', 0), unanswered(3, 1, 'b'), read(2, 3, 4, 0, "ab", OffsetNone)}, logOf("a"), RuleVanished, false},
	{"a read tells an end that was never reached",
		History{sent(1, 1, 2, 'a', 0), read(2, 3, 4, 0, "a", 2)}, logOf("a"), RuleVanished, true},
	{"a read shows a phantom",
		History{sent(1, 1, 2, 'a', 0), read(2, 3, 4, 0, "x", OffsetNone)}, logOf("a"), RuleDifferent, true},
	{"two reads of one offset differ",
		History{sent(1, 1, 2, 'a', 0), sent(1, 3, 4, 'b', 1), read(2, 5, 6, 0, "a", OffsetNone), read(2, 7, 8, 0, "b", OffsetNone)},
		logOf("ab"), RuleDifferent, true},
	{"a hole in the log",
		History{sent(1, 1, 2, 'a', 0), sent(1, 3, 4, 'b', 2)},
		Log{Entries: []Entry{{0, 'a'}, {2, 'b'}}}, RuleHole, true},
	{"a hole in front of the log",
		History{sent(1, 1, 2, 'a', 1)}, logFrom(0, 1, "a"), RuleHole, true},
	{"an offset twice in the log",
		History{sent(1, 1, 2, 'a', 0), unanswered(1, 3, 'b')},
		Log{Entries: []Entry{{0, 'a'}, {0, 'b'}}}, RuleHole, false},
	{"what stood there at first is gone",
		History{}, logFrom(2, 0, "a"), RuleHole, false},
	{"a replica shows a message before it was sent",
		History{fromReplica(read(2, 1, 2, 0, "a", 1)), sent(1, 3, 4, 'a', 0)}, logOf("a"), RuleEarlyRead, false},
	{"a replica goes backwards for one reader",
		History{sent(1, 1, 2, 'a', 0), fromReplica(read(2, 3, 4, 0, "a", 1)), fromReplica(read(2, 5, 6, 0, "", 0))},
		logOf("a"), RuleReplica, false},
	{"an operation returned before it was called",
		History{sent(1, 2, 1, 'a', 0)}, logOf("a"), RuleNonsense, false},
	{"an offset that no queue reaches",
		History{read(1, 2, 3, never, "a", OffsetNone)}, logOf("a"), RuleNonsense, false},
	{"an operation of no kind",
		History{{Queue: q, Outcome: OutcomeDone}}, logOf(""), RuleNonsense, false},
}

func TestBadHistoriesOfAQueueAreRejected(t *testing.T) {
	for _, bad := range badLogs {
		got := Check(bad.history, withLog(bad.log))
		require.Equal(t, Illegal, got.Result, bad.name)
		require.Equal(t, bad.rule, got.Rule, "%s: %v", bad.name, got)
		require.NotEmpty(t, got.Sentence, bad.name)
		if got.Queue == "" {
			require.Equal(t, RuleNonsense, got.Rule)
		}
	}
}

func TestTheSearchRejectsWhatItCanSeeByItself(t *testing.T) {
	for _, bad := range badLogs {
		if bad.rule == RuleNonsense || bad.rule == RuleReplica {
			continue
		}
		got := Check(bad.history, Options{Starts: map[string]int64{q: bad.log.Start}})
		if !bad.search {
			continue
		}
		require.Equal(t, Illegal, got.Result, bad.name)
		require.Equal(t, RuleOrder, got.Rule, bad.name)
		require.Len(t, got.Operations, 1, bad.name)
	}
}

// Each of these is right, with and without the final log.
var goodLogs = []struct {
	name    string
	history History
	log     Log
}{
	{"nothing at all", History{}, Log{}},
	{"nothing but what was there", History{read(1, 1, 2, 0, "ab", 2)}, logFrom(2, 0, "ab")},
	{"one after the other", History{sent(1, 1, 2, 'a', 0), read(2, 3, 4, 0, "a", 1), sent(1, 5, 6, 'b', 1)}, logOf("ab")},
	{"overlapping sends in the other order", History{sent(1, 1, 5, 'a', 1), sent(2, 2, 6, 'b', 0)}, logOf("ba")},
	{"a send that returns at the instant another is called overlaps it", History{sent(1, 1, 2, 'a', 1), sent(2, 2, 3, 'b', 0)}, logOf("ba")},
	{"a read that overlaps the send may see it", History{sent(1, 1, 9, 'a', 0), read(2, 2, 3, 0, "a", 1)}, logOf("a")},
	{"or not", History{sent(1, 1, 9, 'a', 0), read(2, 2, 3, 0, "", 0)}, logOf("a")},
	{"a read need not tell the end", History{sent(1, 1, 2, 'a', 0), sent(1, 3, 4, 'b', 1), read(2, 5, 6, 0, "a", OffsetNone)}, logOf("ab")},
	{"a read with a limit", History{sent(1, 1, 2, 'a', 0), sent(1, 3, 4, 'b', 1), read(2, 5, 6, 0, "a", 2)}, logOf("ab")},
	{"an unanswered send happened", History{unanswered(1, 1, 'a'), read(2, 5, 6, 0, "a", 1)}, logOf("a")},
	{"an unanswered send never happened", History{unanswered(1, 1, 'a'), read(2, 5, 6, 0, "", 0)}, Log{}},
	{"an unanswered send happened late", History{unanswered(1, 1, 'a'), read(2, 5, 6, 0, "", 0), sent(2, 7, 8, 'b', 0), read(2, 9, 10, 1, "a", 2)}, logOf("ba")},
	{"an unanswered send happened after all else", History{unanswered(1, 1, 'a'), sent(2, 7, 8, 'b', 0)}, logOf("ba")},
	{"unanswered sends in any order", History{unanswered(1, 1, 'a'), unanswered(2, 2, 'b'), unanswered(3, 3, 'c')}, logOf("cab")},
	{"a read without an answer", History{sent(1, 1, 2, 'a', 0), noAnswer(read(2, 3, 4, 0, "", OffsetNone))}, logOf("a")},
	{"a refused send", History{refused(sent(1, 1, 2, 'a', 0)), sent(1, 3, 4, 'b', 0)}, logOf("b")},
	{"a replica lags behind", History{sent(1, 1, 2, 'a', 0), fromReplica(read(2, 3, 4, 0, "", 0)), fromReplica(read(2, 5, 6, 0, "a", 1))}, logOf("a")},
	{"two replicas lag by different amounts", History{sent(1, 1, 2, 'a', 0), fromReplica(read(2, 3, 4, 0, "a", 1)), fromReplica(read(3, 5, 6, 0, "", 0))}, logOf("a")},
	{"overlapping reads of one reader", History{sent(1, 1, 2, 'a', 0), fromReplica(read(2, 3, 9, 0, "a", 1)), fromReplica(read(2, 5, 6, 0, "", 0))}, logOf("a")},
}

func TestGoodHistoriesOfAQueueAreAccepted(t *testing.T) {
	for _, good := range goodLogs {
		require.Equal(t, "ok", Check(good.history, withLog(good.log)).String(), good.name)
		require.Equal(t, "ok", Check(good.history, Options{Starts: map[string]int64{q: good.log.Start}}).String(), good.name)
	}
}

func TestCopiesOfASendThatRepeatsAreItsOwnSends(t *testing.T) {
	history := History{repeating(sent(1, 5, 9, 'a', 2)), sent(2, 1, 6, 'b', 1)}
	require.Equal(t, OK, Check(history, withLog(logOf("aba"))).Result)
	require.Equal(t, OK, Check(history, withLog(logFrom(0, 0, "abaa"))).Result, "a late copy after the answer")
	history[1].Return = 4
	require.Equal(t, RuleReorder, Check(history, withLog(logOf("aba"))).Rule, "no copy before the call")
	history = History{repeating(unanswered(1, 5, 'a'))}
	require.Equal(t, OK, Check(history, withLog(logOf("aaa"))).Result)
	require.Equal(t, OK, Check(history, withLog(Log{})).Result)
	history[0].Outcome = OutcomeRefused
	require.Equal(t, RulePhantom, Check(history, withLog(logOf("a"))).Rule)
}

func TestTheVerdictNamesTheFirstQueueInOrder(t *testing.T) {
	bad := History{sent(1, 1, 2, 'a', 1)}
	history := History{}
	for _, queue := range []string{"c", "b", "d"} {
		o := bad[0]
		o.Queue = queue
		history = append(history, o)
	}
	got := Check(history, Options{})
	require.Equal(t, "b", got.Queue)
	require.Equal(t, "illegal: b: no order: client 1 send 61 → offset 1 [1, 2]: its answer fits into no order "+
		"of the 1 operations called by then that is right for all before it", got.String())
	got = Check(history, Options{Logs: map[string]Log{"a": logOf("x")}})
	require.Equal(t, "illegal: a: phantom: the final log has 78 at offset 0, which nobody sent there", got.String())
}

// hard returns a history that is wrong in a way the search needs very long to see: many
// open sends whose order nobody knows, and then a read of something else.
func hard() History {
	var history History
	for i := range 14 {
		history = append(history, noAnswer(sent(i, 1, 1, rune('a'+i), 0)))
	}
	return append(history, read(99, 2, 3, 0, "zy", OffsetNone))
}

func TestASearchThatGivesUpIsUnknownAndNeverAPass(t *testing.T) {
	got := Check(hard(), Options{SearchLimit: 10_000})
	require.Equal(t, Unknown, got.Result)
	require.Equal(t, q, got.Queue)
	require.Equal(t, "unknown: orders/0: the search gave up in a piece of 15 operations, at most 15 of them open at once; "+
		"use fewer clients a queue or a higher limit", got.String())
	require.Equal(t, got, Check(hard(), Options{SearchLimit: 10_000}), "always at the same point")

	got = Check(hard(), Options{SearchLimit: 1 << 60, TimeLimit: 20 * time.Millisecond})
	require.Equal(t, Unknown, got.Result)

	require.Equal(t, RulePhantom, Check(hard(), withLog(logOf("zy"))).Rule, "the interval check always answers")

	other := sent(1, 1, 2, 'a', 5)
	other.Queue = "a queue behind"
	got = Check(append(hard(), other), Options{SearchLimit: 10_000})
	require.Equal(t, Illegal, got.Result, "what is illegal counts for more than what is unknown")
	require.Equal(t, "a queue behind", got.Queue)
}

func TestTheSearchCanBeLeftOut(t *testing.T) {
	options := withLog(logOf("a"))
	options.SkipSearch = true
	options.SearchLimit = 1
	history := History{sent(1, 1, 2, 'a', 0), read(1, 3, 4, 0, "a", 1)}
	require.Equal(t, OK, Check(history, options).Result)
	options.SkipSearch = false
	require.Equal(t, Unknown, Check(history, options).Result)
	options.SkipSearch, options.Logs = true, nil
	require.Equal(t, Unknown, Check(history, options).Result, "without a final log nothing else judges")
}

func TestCheckLeavesTheHistoryAlone(t *testing.T) {
	history := History{sent(1, 7, 8, 'b', 0), unanswered(1, 1, 'a'), read(2, 9, 10, 1, "a", 2)}
	before := append(History{}, history...)
	require.Equal(t, OK, Check(history, withLog(logOf("ba"))).Result)
	require.Equal(t, before, history)
}

func TestTheExplanationNamesTheFirstAnswerThatCannotBeRight(t *testing.T) {
	history := History{
		sent(1, 1, 2, 'a', 0), sent(2, 3, 9, 'b', 1),
		read(3, 4, 5, 0, "ab", 2), read(4, 6, 7, 0, "a", 1), // backwards, while b is open
		sent(1, 10, 11, 'c', 2), read(3, 12, 13, 0, "ab", 2), // and stale
	}
	got := Check(history, Options{})
	require.Equal(t, "client 4 read at 0 → 1 messages from 61, end 1 [6, 7]: its answer fits into no order "+
		"of the 4 operations called by then that is right for all before it", got.Sentence)
}

func TestVerdictsDescribeThemselves(t *testing.T) {
	require.Equal(t, "ok illegal unknown result 9", OK.String()+" "+Illegal.String()+" "+Unknown.String()+" "+Result(9).String())
	require.Equal(t, "no rule broken", RuleNone.String())
	require.Equal(t, "nonsense", RuleNonsense.String())
	require.Equal(t, "rule 99", Rule(99).String())
	require.Equal(t, "send read commit offset fetch offset lock unlock forget lock", func() (all string) {
		for kind := KindSend; kind <= KindForgetLocking; kind++ {
			all += kind.String() + " "
		}
		return all[:len(all)-1]
	}())
	require.Equal(t, "kind 99 outcome 99 done refused unknown", Kind(99).String()+" "+Outcome(99).String()+" "+
		OutcomeDone.String()+" "+OutcomeRefused.String()+" "+OutcomeUnknown.String())
}

func TestOperationsDescribeThemselves(t *testing.T) {
	for _, c := range []struct {
		operation Operation
		want      string
	}{
		{sent(1, 2, 3, 'a', 4), "client 1 send 61 → offset 4 [2, 3]"},
		{unanswered(1, 2, 'a'), "client 1 send 61 → unknown [2, no answer]"},
		{refused(sent(1, 2, 3, 'a', 4)), "client 1 send 61 → refused [2, 3]"},
		{fromReplica(read(1, 2, 3, 4, "ab", 6)), "client 1 replica read at 4 → 2 messages from 61, end 6 [2, 3]"},
		{noAnswer(read(1, 2, 3, 4, "", OffsetNone)), "client 1 read at 4 → unknown [2, no answer]"},
		{committed(1, 2, 3, 4), "client 1 commit offset 4 [2, 3]"},
		{noAnswer(committed(1, 2, 3, 4)), "client 1 commit offset 4 → unknown [2, no answer]"},
		{fetched(1, 2, 3, OffsetNone), "client 1 fetch offset → -1 [2, 3]"},
		{locked(1, 2, 3, true), "client 1 lock → granted [2, 3]"},
		{locked(1, 2, 3, false), "client 1 lock → denied [2, 3]"},
		{noAnswer(locked(1, 2, 3, false)), "client 1 lock → unknown [2, no answer]"},
		{operation(1, KindUnlock, 2, 3), "client 1 unlock [2, 3]"},
	} {
		require.Equal(t, c.want, c.operation.String())
	}
}
