package linearizability

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// simulated is a history of a log that really is linearizable: each operation is given
// an instant, and in the order of the instants a slice is read and appended to.
type simulated struct {
	history History
	log     []Hash
}

type instantaneous struct {
	instant int64
	index   int // in the history
	limit   int
}

// drawDice draws the seed of a history's details. Numbers drawn one by one would be mostly
// small, and most histories would look alike.
func drawDice(t *rapid.T) *rand.Rand {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
}

// simulate makes such a history. Unknown is how many of ten sends get no answer.
func simulate(dice *rand.Rand, clients, operations, unknown int) *simulated {
	s := &simulated{}
	var effects []instantaneous
	free := make([]int64, clients)
	small := func() int64 { return dice.Int64N(7) }
	for i := range operations {
		client := dice.IntN(clients)
		call := free[client] + small()
		instant := call + small()
		o := Operation{Client: client, Queue: q, Outcome: OutcomeDone, Call: call, Return: instant + small(), End: OffsetNone}
		free[client] = o.Return
		o.Kind, o.Hash = KindRead, 0
		if dice.IntN(2) == 0 {
			o.Kind, o.Hash = KindSend, Hash(1000+i)
			if dice.IntN(10) < unknown {
				// The client waits in vain; the message comes much later, or never.
				o.Outcome, o.Offset = OutcomeUnknown, OffsetNone
				instant += 10 * small()
				if dice.IntN(2) == 0 {
					instant = -1
				}
			}
		}
		s.history = append(s.history, o)
		if instant >= 0 {
			effects = append(effects, instantaneous{instant, i, dice.IntN(4)})
		}
	}
	slices.SortStableFunc(effects, func(a, b instantaneous) int { return compare(a.instant, b.instant) })
	for _, effect := range effects {
		s.happen(dice, &s.history[effect.index], effect.limit)
	}
	return s
}

// happen carries out an operation at its instant.
func (s *simulated) happen(dice *rand.Rand, o *Operation, limit int) {
	if o.Kind == KindSend {
		if o.Outcome == OutcomeDone {
			o.Offset = int64(len(s.log))
		}
		s.log = append(s.log, o.Hash)
		return
	}
	o.Offset = dice.Int64N(int64(len(s.log)) + 1)
	shown := s.log[o.Offset:]
	o.Hashes = slices.Clone(shown[:min(limit, len(shown))])
	if dice.IntN(2) == 0 {
		o.End = int64(len(s.log))
	}
}

func (s *simulated) finalLog() Log {
	log := Log{}
	for i, hash := range s.log {
		log.Entries = append(log.Entries, Entry{int64(i), hash})
	}
	return log
}

func TestPropALinearizableLogIsAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dice := drawDice(t)
		s := simulate(dice, 1+dice.IntN(6), dice.IntN(80), 3)
		require.Equal(t, "ok", Check(s.history, withLog(s.finalLog())).String())
	})
}

func TestPropALinearizableLogIsAcceptedWithoutItsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dice := drawDice(t)
		s := simulate(dice, 3, dice.IntN(20), 2)
		require.NotEqual(t, Illegal, Check(s.history, Options{SearchLimit: 1 << 20}).Result)
	})
}

// A mutation makes a history certainly wrong. It reports false if it finds nothing to change.
type mutation struct {
	name string
	do   func(dice *rand.Rand, s *simulated, log *Log) bool
}

var mutations = []mutation{
	{"the end of the log is lost", func(dice *rand.Rand, s *simulated, log *Log) bool {
		o := s.pick(dice, func(o *Operation) bool { return o.Kind == KindSend && o.Outcome == OutcomeDone })
		if o != nil {
			log.Entries = log.Entries[:o.Offset]
		}
		return o != nil
	}},
	{"an entry is overwritten", func(dice *rand.Rand, s *simulated, log *Log) bool {
		o := s.pick(dice, func(o *Operation) bool { return o.Kind == KindSend && o.Outcome == OutcomeDone })
		if o != nil {
			log.Entries[o.Offset].Hash = 7
		}
		return o != nil
	}},
	{"an entry is left out", func(dice *rand.Rand, s *simulated, log *Log) bool {
		if len(log.Entries) < 2 {
			return false
		}
		i := dice.IntN(len(log.Entries) - 1)
		log.Entries = slices.Delete(log.Entries, i, i+1)
		return true
	}},
	{"a phantom is at the end", func(_ *rand.Rand, s *simulated, log *Log) bool {
		log.Entries = append(log.Entries, Entry{int64(len(log.Entries)), 7})
		return true
	}},
	{"an offset is given twice", func(dice *rand.Rand, s *simulated, log *Log) bool {
		o := s.pick(dice, func(o *Operation) bool { return o.Kind == KindSend && o.Outcome == OutcomeDone && o.Offset > 0 })
		if o != nil {
			o.Offset = dice.Int64N(o.Offset)
		}
		return o != nil
	}},
	{"a read shows a phantom", func(dice *rand.Rand, s *simulated, log *Log) bool {
		o := s.pick(dice, func(o *Operation) bool { return len(o.Hashes) > 0 })
		if o != nil {
			o.Hashes[dice.IntN(len(o.Hashes))] = 7
		}
		return o != nil
	}},
	{"a read is stale", func(dice *rand.Rand, s *simulated, log *Log) bool {
		a, b := s.pickInOrder(dice, func(a, b *Operation) bool {
			return a.Kind == KindSend && a.Outcome == OutcomeDone && b.Kind == KindRead
		})
		if a != nil {
			b.Offset, b.Hashes, b.End = a.Offset, nil, a.Offset
		}
		return a != nil
	}},
	{"a read comes before the write", func(dice *rand.Rand, s *simulated, log *Log) bool {
		a, b := s.pickInOrder(dice, func(a, b *Operation) bool {
			return a.Kind == KindRead && b.Kind == KindSend && b.Outcome == OutcomeDone
		})
		if a != nil {
			a.Offset, a.Hashes, a.End = b.Offset, []Hash{b.Hash}, OffsetNone
		}
		return a != nil
	}},
	{"two sends change places everywhere", func(dice *rand.Rand, s *simulated, log *Log) bool {
		a, b := s.pickInOrder(dice, func(a, b *Operation) bool {
			return a.Kind == KindSend && b.Kind == KindSend && a.Outcome == OutcomeDone && b.Outcome == OutcomeDone
		})
		if a == nil {
			return false
		}
		log.Entries[a.Offset].Hash, log.Entries[b.Offset].Hash = b.Hash, a.Hash
		a.Offset, b.Offset = b.Offset, a.Offset
		for i := range s.history {
			for j, hash := range s.history[i].Hashes {
				switch hash {
				case a.Hash:
					s.history[i].Hashes[j] = b.Hash
				case b.Hash:
					s.history[i].Hashes[j] = a.Hash
				}
			}
		}
		return true
	}},
}

// pick draws an operation, or returns nil if there is none.
func (s *simulated) pick(dice *rand.Rand, fits func(*Operation) bool) *Operation {
	var found []*Operation
	for i := range s.history {
		if fits(&s.history[i]) {
			found = append(found, &s.history[i])
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found[dice.IntN(len(found))]
}

// pickInOrder draws two operations of which the first had returned before the second was called.
func (s *simulated) pickInOrder(dice *rand.Rand, fits func(a, b *Operation) bool) (*Operation, *Operation) {
	var found [][2]*Operation
	for i := range s.history {
		for j := range s.history {
			a, b := &s.history[i], &s.history[j]
			if a.Outcome == OutcomeDone && a.Return < b.Call && fits(a, b) {
				found = append(found, [2]*Operation{a, b})
			}
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	pair := found[dice.IntN(len(found))]
	return pair[0], pair[1]
}

func TestPropEveryMutationIsRejected(t *testing.T) {
	applied := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		dice := drawDice(t)
		clients, operations := 1+dice.IntN(5), 4+dice.IntN(40)
		for _, m := range mutations {
			s := simulate(dice, clients, operations, 2)
			log := s.finalLog()
			if !m.do(dice, s, &log) {
				continue
			}
			applied[m.name]++
			got := Check(s.history, withLog(log))
			require.Equal(t, Illegal, got.Result, m.name)
			require.NotEqual(t, RuleOrder, got.Rule, "the interval check finds it first: %s", m.name)
		}
	})
	if !t.Failed() {
		require.Len(t, applied, len(mutations), "each was tried: %v", applied)
	}
}

// Disturb changes an operation in a way that may or may not make the history wrong.
func (s *simulated) disturb(dice *rand.Rand) {
	o := &s.history[dice.IntN(len(s.history))]
	shift := dice.Int64N(25) - 12
	switch dice.IntN(4) {
	case 0:
		o.Call = min(max(o.Call+shift, 0), o.Return)
	case 1:
		o.Return = max(o.Return+shift, o.Call)
	case 2:
		length := o.Return - o.Call
		o.Call = max(o.Call+shift, 0)
		o.Return = o.Call + length
	default:
		if o.Kind == KindRead {
			o.End = min(max(o.Offset+shift/4, 0), int64(len(s.log)))
			o.Offset = min(o.Offset, o.End)
			o.Hashes = s.log[o.Offset:o.End]
		}
	}
}

func TestPropTheIntervalCheckAndTheSearchAgree(t *testing.T) {
	verdicts := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		dice := drawDice(t)
		operations := 2 + dice.IntN(13)
		for range 20 {
			s := simulate(dice, 2+dice.IntN(3), operations, 3)
			for range 1 + dice.IntN(4) {
				s.disturb(dice)
			}
			log := s.finalLog()
			settled := resolve(pointers(s.history), &log)
			byInterval := checkInterval(q, settled, &log)
			bySearch := queueModel(0).search(q, settled, &effort{left: 1 << 22})
			if bySearch != nil {
				require.Equal(t, Illegal, bySearch.Result, "the histories are small enough to be judged")
			}
			require.Equal(t, byInterval == nil, bySearch == nil, "interval: %v\nsearch: %v", byInterval, bySearch)
			verdicts[byInterval == nil]++
		}
	})
	if !t.Failed() {
		require.NotZero(t, verdicts[true])
		require.NotZero(t, verdicts[false])
	}
}

// Resolving must not make a right history wrong, nor a wrong one right: where the search can
// judge the unresolved history, together with the final log as a last read, both agree.
func TestPropResolvingChangesNoVerdict(t *testing.T) {
	verdicts := map[Result]int{}
	rapid.Check(t, func(t *rapid.T) {
		dice := drawDice(t)
		operations := 2 + dice.IntN(8)
		for range 10 {
			s := simulate(dice, 3, operations, 4)
			for range dice.IntN(4) {
				s.disturb(dice)
			}
			log := s.finalLog()
			resolved := Check(s.history, withLog(log))

			_, last := span(pointers(s.history))
			reading := Operation{Client: 99, Queue: q, Kind: KindRead, Outcome: OutcomeDone,
				Call: last + 1, Return: last + 1, Hashes: s.log, End: int64(len(s.log))}
			unresolved := Check(append(s.history, reading), Options{})
			require.Equal(t, unresolved.Result, resolved.Result, "unresolved: %v\nresolved: %v", unresolved, resolved)
			verdicts[resolved.Result]++
		}
	})
	if !t.Failed() {
		require.NotZero(t, verdicts[OK])
		require.NotZero(t, verdicts[Illegal])
	}
}
