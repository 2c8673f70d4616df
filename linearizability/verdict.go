package linearizability

import "strconv"

// Result is what a check came to.
type Result uint8

// The results.
const (
	OK      Result = iota // an order exists
	Illegal               // no order exists
	Unknown               // the search gave up; this is no pass
)

// String names the result.
func (r Result) String() string {
	switch r {
	case OK:
		return "ok"
	case Illegal:
		return "illegal"
	case Unknown:
		return "unknown"
	}
	return "result " + strconv.Itoa(int(r))
}

// Rule is what a history broke.
type Rule uint8

// The rules. All but the last three are those of the interval check.
const (
	RuleNone      Rule = iota
	RuleHole           // the final log's offsets are not contiguous
	RuleLost           // an acknowledged message is not where the acknowledgement says
	RuleDuplicate      // two messages were given one offset
	RulePhantom        // the final log holds a message nobody sent
	RuleVanished       // a read showed something the final log does not have
	RuleDifferent      // a read showed another message at an offset than the final log has
	RuleReorder        // a send returned before another was called and was given the higher offset
	RuleEarlyRead      // a read that returned before a send was called showed its message
	RuleStaleRead      // a read saw an end of the queue below a message that was there before its call
	RuleBackwards      // a read saw less than one that had returned before its call
	RuleReplica        // a reader of replicas saw the queue shrink
	RuleOrder          // the search found no order
	RuleNonsense       // an operation contradicts itself: the fault is the recorder's
)

// String names the rule by what went wrong.
func (r Rule) String() string {
	names := [...]string{"no rule broken", "hole", "lost", "duplicate", "phantom", "vanished", "different", "reorder",
		"early read", "stale read", "read went backwards", "replica went backwards", "no order", "nonsense"}
	if int(r) < len(names) {
		return names[r]
	}
	return "rule " + strconv.Itoa(int(r))
}

// Verdict is the answer of a check.
type Verdict struct {
	Result     Result
	Queue      string      // the key judged illegal or unknown
	Rule       Rule        // what it broke, if illegal
	Sentence   string      // for a reader: what is wrong, or why there is no answer
	Operations []Operation // those the sentence speaks of
}

// String tells the verdict in one line.
func (v Verdict) String() string {
	if v.Result == OK {
		return "ok"
	}
	text := v.Result.String() + ": " + v.Queue + ": "
	if v.Rule != RuleNone {
		text += v.Rule.String() + ": "
	}
	return text + v.Sentence
}

// illegal makes a verdict about a key.
func illegal(queue string, rule Rule, sentence string, about ...*Operation) *Verdict {
	v := &Verdict{Result: Illegal, Queue: queue, Rule: rule, Sentence: sentence}
	for _, o := range about {
		v.Operations = append(v.Operations, *o)
	}
	return v
}
