package replica

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
)

// Position is how far one copy of the log and of the tables is.
type Position struct {
	End     message.LogOffset // of what is in its operating system
	Flushed message.LogOffset // of what is on its medium; Flushed <= End
	Table   uint64            // number of the last change of the tables that is on its medium
}

// String tells all three.
func (p Position) String() string {
	return fmt.Sprintf("end %d, flushed %d, table %d", p.End, p.Flushed, p.Table)
}

// LeaderOptions are settings of a Leader.
type LeaderOptions struct {
	Self  BrokerID
	Epoch Epoch
	// Set is the in-sync set that the controller has given with the election, and SetEpoch its number.
	Set      Set
	SetEpoch int32
	// Elected is the end of the log at the election. Until all of it is confirmed nobody may read or write.
	Elected message.LogOffset
	// Table is the number of the last change of the tables at the election.
	Table uint64
	// MinInSync (minInSyncReplicas) is how many copies the set must have for anything to be confirmed, this one included.
	MinInSync int
	// Written says that a copy counts as soon as its operating system has it (ASYNC_FLUSH).
	Written bool
	// BehindFor (haMaxTimeSlaveNotCatchup) is how long a member may stay behind before it is to leave the set.
	BehindFor time.Duration
}

// Leader is what the master of one epoch knows of the copies of its log, and what follows from that. It decides, and does nothing: whoever
// owns it tells it what has happened, and carries out what Change wants.
//
// What is confirmed is at every member of the in-sync set. While a change of the set is under way the members of both sets must have it: whichever the
// controller takes for the set then, each of its members has all that was confirmed. So any member may be the next master.
type Leader struct {
	options   LeaderOptions
	own       Position
	confirmed message.LogOffset // never goes back
	table     uint64            // the last change of the tables that every member has; never goes back
	set       Set
	setEpoch  int32
	asked     []Set // that the controller was asked for since the set is known, and may still take
	followers map[BrokerID]*follower
	proven    env.Instant // until then nobody else can be elected
}

// comeWithin is how long a new master waits for members of the set to connect.
const comeWithin = 500 * time.Millisecond

// follower is one connected copy.
type follower struct {
	at          Position
	connected   bool
	came        bool // it was connected in this epoch
	incarnation int64
	learner     bool
	reports     int
	target      message.LogOffset // the end of the log at its last report
	current     env.Instant       // when it last had all that the log had had at the report before
	heard       env.Instant
	// joining says that nothing is confirmed any more that it does not have. It keeps up, and is to enter the set as soon as it has all that was
	// confirmed before: without this it would be late for ever while the master alone confirms what comes.
	joining bool
}

// Errors of a Leader.
var (
	// ErrOldEpoch: a report speaks of another epoch than this master's.
	ErrOldEpoch = errors.New("the report is of another epoch")
	// ErrReport: a report says what cannot be.
	ErrReport = errors.New("the report cannot be")
)

// NewLeader begins an epoch. Nothing is confirmed yet but what everybody knows to be.
func NewLeader(o LeaderOptions, confirmed message.LogOffset, now env.Instant) *Leader {
	l := &Leader{
		options: o, confirmed: confirmed, set: NewSet(o.Set...).With(o.Self), setEpoch: o.SetEpoch, followers: map[BrokerID]*follower{}, proven: now,
		own: Position{End: o.Elected, Table: o.Table},
	}
	for _, id := range l.set {
		// The master before is among them, and mostly gone: who does not come soon leaves the set.
		l.followers[id] = &follower{current: now.Add(min(o.BehindFor, comeWithin) - o.BehindFor), heard: now}
	}
	return l
}

// Own notes how far this broker's own log and tables are.
func (l *Leader) Own(p Position, now env.Instant) {
	l.own = Position{End: max(l.own.End, p.End), Flushed: max(l.own.Flushed, p.Flushed), Table: max(l.own.Table, p.Table)}
	l.settle(now)
}

// Connect notes that a copy, a certain start of its process, follows from now on. A learner is never asked into the set.
func (l *Leader) Connect(id BrokerID, incarnation int64, learner bool, now env.Instant) {
	f := l.follower(id)
	current := f.current
	if !f.came {
		// From its first connection on it has BehindFor to catch up. One that connects again and again gets no more time for that.
		current = now
	}
	*f = follower{current: current, heard: now, learner: learner, connected: true, incarnation: incarnation, came: true, target: l.own.End}
}

// Disconnect notes that a copy follows no more. What it has reported does not count any more: it may come back with less.
func (l *Leader) Disconnect(id BrokerID) {
	f := l.follower(id)
	*f = follower{current: f.current, heard: f.heard, came: f.came}
}

func (l *Leader) follower(id BrokerID) *follower {
	if l.followers[id] == nil {
		l.followers[id] = &follower{}
	}
	return l.followers[id]
}

// Report takes what a copy says of itself. It fails, and nothing counts, if the report is of another epoch, goes back, or is beyond this log.
func (l *Leader) Report(id BrokerID, epoch Epoch, at Position, now env.Instant) error {
	f := l.follower(id)
	switch {
	case epoch != l.options.Epoch:
		return fmt.Errorf("%w: broker %d speaks of epoch %d, this is %d", ErrOldEpoch, id, epoch, l.options.Epoch)
	case !f.connected:
		return fmt.Errorf("%w: broker %d is not connected", ErrReport, id)
	case at.End > l.own.End || at.Flushed > at.End || at.Table > l.own.Table:
		return fmt.Errorf("%w: broker %d says %v, the log of its master has %v", ErrReport, id, at, l.own)
	case at.End < f.at.End || at.Flushed < f.at.Flushed || at.Table < f.at.Table:
		return fmt.Errorf("%w: broker %d says %v, and has said %v", ErrReport, id, at, f.at)
	}
	f.at, f.reports = at, f.reports+1
	if l.counts(at) >= f.target {
		f.current = now
		f.joining = !f.learner && f.reports > 1
	}
	f.target, f.heard = l.own.End, now
	l.settle(now)
	return nil
}

// Prove notes that the controller elects nobody else before a time.
func (l *Leader) Prove(until, now env.Instant) {
	l.proven = max(l.proven, until)
	l.settle(now)
}

// Proven reports whether nobody else can have been elected.
func (l *Leader) Proven(now env.Instant) bool { return !l.proven.Reached(now) }

// Disown says that no answer of the controller counts any more: a master that hands over confirms nothing alone from then on.
func (l *Leader) Disown(now env.Instant) { l.proven = now }

// counts is how much of the log a copy has that the flush mode lets count.
func (l *Leader) counts(p Position) message.LogOffset {
	if l.options.Written {
		return p.End
	}
	return p.Flushed
}

// members are all that must have what is confirmed.
func (l *Leader) members() Set {
	m := l.set
	for _, s := range l.asked {
		m = m.Union(s)
	}
	// order does not matter: sets are sorted
	for id, f := range l.followers {
		if f.joining && !m.Has(id) {
			m = m.With(id)
		}
	}
	return m
}

// settle confirms what has become so.
func (l *Leader) settle(now env.Instant) {
	members := l.members()
	if len(l.set) < l.options.MinInSync || len(l.set) == 1 && l.proven.Reached(now) {
		return
	}
	log, table := l.counts(l.own), l.own.Table
	for _, id := range members {
		if id == l.options.Self {
			continue
		}
		f := l.followers[id]
		if f == nil || !f.connected {
			return
		}
		log, table = min(log, l.counts(f.at)), min(table, f.at.Table)
	}
	l.confirmed, l.table = max(l.confirmed, log), max(l.table, table)
}

// Confirmed is up to where the log is at every member: nobody may see more of it.
func (l *Leader) Confirmed() message.LogOffset { return l.confirmed }

// ConfirmedTable is the number of the last change of the tables that every member has.
func (l *Leader) ConfirmedTable() uint64 { return l.table }

// Ready reports whether all that was in the log at the election is confirmed: the master before may have shown it.
func (l *Leader) Ready() bool { return l.confirmed >= l.options.Elected && l.table >= l.options.Table }

// Enough tells why nothing can be confirmed whatever copies report, or nil.
func (l *Leader) Enough() error {
	if n := len(l.set); n < l.options.MinInSync {
		return fmt.Errorf("minInSyncReplicas wants %d copies in sync, and there are %d, the own one included: start the other brokers of the group, or lower it", l.options.MinInSync, n)
	}
	return nil
}

// Set is the in-sync set that the controller has confirmed last, and its number.
func (l *Leader) Set() (Set, int32) { return l.set, l.setEpoch }

// Epoch is the one of this master.
func (l *Leader) Epoch() Epoch { return l.options.Epoch }

// Change is the in-sync set that the controller should be asked for, if there is one: with the copies that have kept up, without those that have
// not. It may be the set that the controller has: then the answer tells that what was asked for before cannot happen any more.
func (l *Leader) Change(now env.Instant) (want Set, ok bool) {
	want = l.set
	for _, id := range slices.Sorted(maps.Keys(l.followers)) {
		f := l.followers[id]
		if f.joining && l.behind(f, now) {
			f.joining = false
		}
		switch {
		case id == l.options.Self:
		case l.set.Has(id) && l.behind(f, now):
			want = want.Without(id)
		case !l.set.Has(id) && l.keepsUp(f):
			want = want.With(id)
		}
	}
	return want, !want.Equal(l.set) || len(l.asked) > 0
}

// behind reports whether a member is to leave: it is gone, or has been behind for too long.
func (l *Leader) behind(f *follower, now env.Instant) bool {
	return now.Sub(f.current) > l.options.BehindFor
}

// keepsUp reports whether a copy may enter: it has all that anybody may have seen.
func (l *Leader) keepsUp(f *follower) bool {
	return f.joining && l.counts(f.at) >= max(l.confirmed, l.options.Elected) && f.at.Table >= max(l.table, l.options.Table)
}

// Ask notes that the controller is asked for a set. It must be called before the question is sent: from then on the controller may have taken it.
func (l *Leader) Ask(set Set) {
	if !slices.ContainsFunc(l.asked, set.Equal) {
		l.asked = append(l.asked, set)
	}
}

// Decided notes which set the controller has. A greater number than the last one says that nothing that was asked for before can happen any more.
func (l *Leader) Decided(set Set, setEpoch int32, now env.Instant) {
	if setEpoch <= l.setEpoch {
		return
	}
	l.set, l.setEpoch, l.asked = NewSet(set...).With(l.options.Self), setEpoch, nil
	for _, id := range l.set {
		if f := l.follower(id); f.current == 0 {
			f.current = now
		}
	}
	l.settle(now)
}

// Copy is what is known of one copy.
type Copy struct {
	ID          BrokerID
	Incarnation int64
	At          Position
	Connected   bool
	InSync      bool
	Heard       env.Instant // when it reported last
}

// Copies lists all copies but the master's own, by their numbers.
func (l *Leader) Copies() []Copy {
	var list []Copy
	for _, id := range slices.Sorted(maps.Keys(l.followers)) {
		if f := l.followers[id]; id != l.options.Self {
			list = append(list, Copy{ID: id, Incarnation: f.incarnation, At: f.at, Connected: f.connected, InSync: l.set.Has(id), Heard: f.heard})
		}
	}
	return list
}

// String tells epoch, set and watermarks in one line.
func (l *Leader) String() string {
	text := fmt.Sprintf("master of epoch %d, in sync %v (%d), %v, confirmed %d/%d", l.options.Epoch, l.set, l.setEpoch, l.own, l.confirmed, l.table)
	if len(l.asked) > 0 {
		text += fmt.Sprintf(", asked for %v", l.asked)
	}
	return text
}
