package linearizability

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// A replicated group is what controllers say of it: who is master since which election, and who is in sync. It changes by itself, when a master
// dies for example, so an answer is not right because somebody has asked for what it shows. But each change has a number, so answers have an order, and
// what follows what is bound by rules.

// GroupView is a group as one answer shows it.
type GroupView struct {
	Master   int64 // id; 0: none
	Epoch    int32 // of the last election
	SetEpoch int32 // of the last change of the in-sync set, or election
	InSync   []int64
}

// String is one line.
func (v GroupView) String() string {
	return fmt.Sprintf("master %d epoch %d, in sync %v set epoch %d", v.Master, v.Epoch, v.InSync, v.SetEpoch)
}

// GroupOperation is a question that was answered with success. Others tell nothing, and are left out.
type GroupOperation struct {
	Client       int
	Call, Return int64 // nanoseconds
	View         GroupView
	// Alters says that it asked to put View.InSync in place of the set of the epoch Base, and Master was who asked.
	Alters bool
	Base   int32
	Deed   string // for people
}

// String tells what was done and seen.
func (o *GroupOperation) String() string {
	return fmt.Sprintf("client %d, [%d, %d] %s: %s", o.Client, o.Call, o.Return, o.Deed, o.View)
}

// GroupRules say what may happen in a run.
type GroupRules struct {
	// Unclean: members that are not in sync may be elected, and all of a group may be forgotten.
	Unclean bool
	// SearchLimit bounds the search; 0 means SearchLimitDefault.
	SearchLimit int
}

// CheckGroup judges what was answered about one group: there must be one order of all answers, in which each has its place between its call and
// its return, that the rules allow.
func CheckGroup(name string, operations []GroupOperation, rules GroupRules) Verdict {
	if v := checkVersions(name, operations, rules); v != nil {
		return *v
	}
	left := cmp.Or(rules.SearchLimit, SearchLimitDefault)
	history := make([]porcupine.Operation, len(operations))
	for i := range operations {
		o := &operations[i]
		history[i] = porcupine.Operation{ClientId: o.Client, Input: o, Call: o.Call, Return: o.Return}
	}
	model := porcupine.Model{
		Init: func() any { return GroupView{} },
		Step: func(state, input, _ any) (bool, any) {
			left--
			o := input.(*GroupOperation)
			return left >= 0 && o.check(state.(GroupView), rules) == "", o.View
		},
		Equal: func(a, b any) bool { return a.(GroupView).compare(b.(GroupView)) == 0 },
		Hash:  func(state any) uint64 { return mix(uint64(state.(GroupView).SetEpoch), Hash(state.(GroupView).Master)) },
	}
	switch legal := porcupine.CheckOperations(model, history); {
	case legal:
		return Verdict{Result: OK}
	case left < 0:
		return Verdict{Result: Unknown, Queue: name, Sentence: "the search gave up"}
	}
	return Verdict{Result: Illegal, Queue: name, Sentence: "no order of the answers obeys the rules"}
}

// checkVersions finds most of what can be wrong by the numbers, and can say what it is: later answers show no earlier state, and
// equal numbers show the same.
func checkVersions(name string, operations []GroupOperation, rules GroupRules) *Verdict {
	byReturn := make([]*GroupOperation, len(operations))
	for i := range operations {
		byReturn[i] = &operations[i]
	}
	byCall := slices.Clone(byReturn)
	slices.SortStableFunc(byReturn, func(a, b *GroupOperation) int { return cmp.Compare(a.Return, b.Return) })
	slices.SortStableFunc(byCall, func(a, b *GroupOperation) int { return cmp.Compare(a.Call, b.Call) })
	var newest *GroupOperation
	ended := 0
	for _, o := range byCall {
		for ; ended < len(byReturn) && byReturn[ended].Return < o.Call; ended++ {
			if e := byReturn[ended]; newest == nil || newest.View.compare(e.View) < 0 {
				newest = e
			}
		}
		if newest != nil && newest.View.compare(o.View) > 0 {
			return &Verdict{Result: Illegal, Queue: name, Sentence: fmt.Sprintf("%v, although it was called after the end of %v", o, newest)}
		}
	}
	return checkSteps(name, byReturn, rules)
}

// checkSteps puts the answers in the order of their numbers, and looks at each step.
func checkSteps(name string, operations []*GroupOperation, rules GroupRules) *Verdict {
	slices.SortStableFunc(operations, func(a, b *GroupOperation) int { return a.View.compare(b.View) })
	before, seen := GroupView{}, "the beginning"
	for _, o := range operations {
		if fault := before.follow(o.View, rules); fault != "" {
			return &Verdict{Result: Illegal, Queue: name, Sentence: fmt.Sprintf("%v: %s; before, %s", o, fault, seen)}
		}
		before, seen = o.View, o.String()
	}
	return nil
}

// compare orders views: by the number of the change; and a master that has started again is none any more without a number.
func (v GroupView) compare(other GroupView) int {
	deposed := func(v GroupView) int {
		if v.Master == 0 {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(v.SetEpoch, other.SetEpoch), cmp.Compare(deposed(v), deposed(other)))
}

// check tells why an answer cannot follow a state, or "".
func (o *GroupOperation) check(state GroupView, rules GroupRules) string {
	if fault := state.follow(o.View, rules); fault != "" {
		return fault
	}
	if o.Alters && o.View.SetEpoch != o.Base && o.View.SetEpoch != o.Base+1 {
		return fmt.Sprintf("the change of set epoch %d was carried out on another one", o.Base)
	}
	return ""
}

// follow tells why a view cannot come after this one, with whatever happened between, or "".
func (v GroupView) follow(next GroupView, rules GroupRules) string {
	changes, elections := next.SetEpoch-v.SetEpoch, next.Epoch-v.Epoch
	switch {
	case next.Master != 0 && !slices.Contains(next.InSync, next.Master):
		return "the master is not in sync"
	case changes < 0 || elections < 0 || elections > changes:
		return "an epoch fell, or there are more elections than changes"
	case changes == 0 && !slices.Equal(v.InSync, next.InSync):
		return "the in-sync set changed and its epoch did not"
	case elections == 0 && next.Master != v.Master && next.Master != 0:
		return "there is another master in the same epoch"
	case changes > 0 && next.Epoch > 0 && len(next.InSync) == 0 && !rules.Unclean:
		return "the in-sync set is empty"
	case changes == 1 && elections == 1:
		return v.followElection(next, rules)
	}
	return ""
}

// followElection is for one election and nothing else.
func (v GroupView) followElection(next GroupView, rules GroupRules) string {
	alone := len(next.InSync) == 1
	switch {
	case alone && (rules.Unclean || len(v.InSync) == 0):
		return ""
	case !slices.Equal(v.InSync, next.InSync):
		return "an election changed the in-sync set"
	case next.Master != 0 && !slices.Contains(v.InSync, next.Master):
		return "somebody was elected who was not in sync"
	}
	return ""
}
