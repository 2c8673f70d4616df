package linearizability

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Options bound a check and tell it what the history does not. The zero value takes the
// defaults and has no final logs.
type Options struct {
	// Logs are the final logs by queue. If it is nil there are none: then sends without an
	// answer stay open, the interval check is left out, and the search alone judges. If it is
	// not nil a queue that is missing from it was empty.
	Logs map[string]Log
	// Starts are the offsets at which queues ended when the history began, for a check without
	// final logs. A queue that is missing began at 0.
	Starts map[string]int64
	// Committed are the offsets that had been committed when the history began. A key
	// that is missing had none.
	Committed map[string]int64

	// SearchLimit is how much a search for one key may spend: one for each step it tries and one
	// more for each 64 operations of the piece if the step succeeds. Memory is at most 8 bytes for
	// each. 0 means SearchLimitDefault.
	SearchLimit int
	// TimeLimit is how long, on the wall, the search of one piece may take; 0 means as long as
	// SearchLimit allows. With it a verdict depends on the machine.
	TimeLimit time.Duration
	// SkipSearch leaves the queues that have a final log to the interval check alone. It
	// is for long runs with many clients a queue.
	SkipSearch bool

	// LeastLease and MostLease bound, in nanoseconds, how long a lock lasts after it was granted or
	// renewed: at most LeastLease later it is surely held, more than MostLease later it is surely
	// gone. 0 means LeaseDefault, and a millisecond more for MostLease.
	LeastLease, MostLease int64
}

// Defaults of Options.
const (
	SearchLimitDefault = 32 << 20
	// LeaseDefault is how long a broker keeps the lock of a queue (rebalance.lockMaxLiveTime).
	// Brokers count whole milliseconds.
	LeaseDefault = int64(60 * time.Second)
)

func (o *Options) fillDefaults() {
	o.SearchLimit = cmp.Or(o.SearchLimit, SearchLimitDefault)
	o.LeastLease = cmp.Or(o.LeastLease, LeaseDefault)
	o.MostLease = cmp.Or(o.MostLease, o.LeastLease+int64(time.Millisecond))
}

func (o *Options) effort() *effort { return &effort{left: o.SearchLimit, until: o.TimeLimit} }

// Check judges a history. Keys are judged apart, in their order, all by the quick checks before
// any by the search. The first one that is illegal gives the verdict; Unknown is returned
// only if none is illegal and a search gave up.
func Check(history History, options Options) Verdict {
	options.fillDefaults()
	groups := group(history, &options)
	for i := range groups {
		if v := groups[i].checkQuickly(&options); v != nil {
			return *v
		}
	}
	verdict := Verdict{Result: OK}
	for i := range groups {
		switch v := groups[i].search(&options); {
		case v == nil:
		case v.Result == Illegal:
			return *v
		case verdict.Result == OK:
			verdict = *v
		}
	}
	return verdict
}

// family is the kinds of operations that share a state.
type family uint8

const (
	familyLog family = iota
	familyOffset
	familyLock
)

func (k Kind) family() family {
	switch k {
	case KindSend, KindRead:
		return familyLog
	case KindCommitOffset, KindFetchOffset:
		return familyOffset
	}
	return familyLock
}

type groupKey struct {
	queue  string
	family family
}

// keyGroup is the operations that share a state.
type keyGroup struct {
	groupKey
	operations []*Operation
}

// group divides a history by state. Queues with a final log and no operations are judged too,
// since nothing may stand in them.
func group(history History, options *Options) []keyGroup {
	index := map[groupKey]int{}
	var groups []keyGroup
	place := func(key groupKey) int {
		i, found := index[key]
		if !found {
			i = len(groups)
			index[key] = i
			groups = append(groups, keyGroup{groupKey: key})
		}
		return i
	}
	for i := range history {
		o := &history[i]
		g := &groups[place(groupKey{o.Queue, o.Kind.family()})]
		g.operations = append(g.operations, o)
	}
	// order does not matter: the groups are sorted below
	for queue := range options.Logs {
		place(groupKey{queue, familyLog})
	}
	slices.SortFunc(groups, func(a, b keyGroup) int {
		return cmp.Or(cmp.Compare(a.queue, b.queue), cmp.Compare(a.family, b.family))
	})
	return groups
}

// checkQuickly runs the checks that always answer. It leaves the operations of a queue
// without those that had no effect, and resolved if there is a sound final log, as the
// search wants them.
func (g *keyGroup) checkQuickly(options *Options) *Verdict {
	if v := g.checkSound(); v != nil || g.family != familyLog {
		return v
	}
	log := options.Logs[g.queue]
	broken := checkLog(g.queue, &log)
	if options.Logs == nil || broken != nil {
		g.operations = dropAnswerless(g.operations)
		return cmp.Or(broken, checkReplicas(g.queue, g.operations))
	}
	g.operations = resolve(g.operations, &log)
	return cmp.Or(checkInterval(g.queue, g.operations, &log), checkReplicas(g.queue, g.operations))
}

// checkSound refuses operations that no recorder can have made, on whose fields the checks rely.
func (g *keyGroup) checkSound() *Verdict {
	for _, o := range g.operations {
		if fault := o.fault(); fault != "" {
			return illegal(g.queue, RuleNonsense, fmt.Sprintf("%v %s", o, fault), o)
		}
	}
	return nil
}

// offsetMax leaves room to add the length of any slice to an offset.
const offsetMax = 1 << 62

func (o *Operation) fault() string {
	switch {
	case o.Kind < KindSend || o.Kind > KindForgetLocking:
		return "is of no known kind"
	case o.Call < 0:
		return "was called before time began"
	case o.Outcome != OutcomeDone:
		return ""
	case o.Return < o.Call:
		return "returned before it was called"
	case o.Kind.family() == familyLog && (o.Offset < 0 || o.Offset > offsetMax || o.End < OffsetNone || o.End > offsetMax):
		return "has an offset out of range"
	}
	return ""
}

// dropAnswerless drops what has no effect in a queue: refused sends and reads without an answer.
func dropAnswerless(operations []*Operation) (kept []*Operation) {
	for _, o := range operations {
		if o.Outcome == OutcomeDone || o.Outcome == OutcomeUnknown && o.Kind == KindSend {
			kept = append(kept, o)
		}
	}
	return kept
}

// search runs the search that belongs to the kinds of the group.
func (g *keyGroup) search(options *Options) *Verdict {
	switch g.family {
	case familyLog:
		if options.SkipSearch && options.Logs != nil {
			return nil
		}
		return queueModel(options.start(g.queue)).search(g.queue, dropReplicas(g.operations), options.effort())
	case familyOffset:
		return offsetModel(options.committed(g.queue)).search(g.queue, dropUnseenCommits(g.operations), options.effort())
	}
	return lockModel(options.LeastLease, options.MostLease).search(g.queue, dropRefused(g.operations), options.effort())
}

// start returns where a queue ended when the history began.
func (o *Options) start(queue string) int64 {
	if o.Logs != nil {
		return o.Logs[queue].Start
	}
	return o.Starts[queue]
}

func (o *Options) committed(key string) int64 {
	if offset, found := o.Committed[key]; found {
		return offset
	}
	return OffsetNone
}

// dropReplicas drops reads that need not see the latest state.
func dropReplicas(operations []*Operation) (kept []*Operation) {
	for _, o := range operations {
		if !o.Replica {
			kept = append(kept, o)
		}
	}
	return kept
}
