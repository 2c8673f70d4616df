package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// consensus agrees with the other controllers on the order of commands. Around raft itself, which is a pure state machine, it has a task that
// moves time on, one that makes durable what raft wants to be durable before it tells others and applies what is agreed upon, and one
// for each peer that sends. The methods that tasks and requests call while others work do not wait, propose excepted.
type consensus struct {
	env     env.Env
	options *Options
	node    *raft.RawNode
	journal *journal
	peers   []*link // by place among the sorted ids; nil at the own place
	self    uint64
	random  env.Rand
	work    env.Cond // raft may have something to make durable, to send or to apply
	clock   env.Cond // time to look at has changed
	closing bool
	failure error // what has stopped it for good

	// apply carries out a command that was agreed upon, and returns what the group is like then, which nobody changes any more.
	apply   func(index uint64, c *command) (*refusal, *group)
	restore func(state []byte) error
	capture func() []byte // the state as a snapshot
	applied uint64        // index of the last entry that was applied
	// appliedTerm is the term of that entry. A leader has all that was ever agreed upon once it has applied an entry of its own term.
	appliedTerm uint64
	pending     map[uint64]*proposal // own ones of this term that are not applied yet, by their number
	proposals   uint64               // the last number
	snapshots   uint64               // that were installed
	timing
}

// Errors of proposals.
var (
	// errNotLeader: this controller does not lead, or cannot prove it. Nothing was changed.
	errNotLeader = errors.New("this controller does not lead")
	// errUnknown: this controller led when the change was proposed and does not any more, or it takes too long. It may happen or not.
	errUnknown = errors.New("nobody knows yet whether the change was made: ask again")
	// errStopped: the disk failed, or what raft was told cannot be. Nothing is promised any more.
	errStopped = errors.New("this controller has stopped: what it logged last says why, and what to do")
	// errTooMany: a limit is reached. Nothing was changed.
	errTooMany = errors.New("too many changes wait for the other controllers")
)

// forgotError: this controller has less than the leader was told that it has. To start it again does not help: the leader counts on what was lost until it leads no
// more.
type forgotError struct {
	last uint64 // index of its newest entry
	said any    // by raft
}

// Error says what to do.
func (e *forgotError) Error() string {
	return fmt.Sprintf("its log is empty or shorter than what it acknowledged, it ends with entry %d: restart the controller that leads (getControllerMetaData tells which), then this one: raft: %v", e.last, e.said)
}

// Is says that it is an errStopped, too.
func (e *forgotError) Is(other error) bool { return other == errStopped }

// proposal is a command on its way.
type proposal struct {
	term uint64
	done *env.Future[outcome]
}

// outcome is what became of a proposal.
type outcome struct {
	refusal *refusal
	group   *group // after the change; nil if it was refused
	err     error  // errUnknown
}

// start reads what the disk remembers and begins. It waits for the disk.
func (c *consensus) start(tasks *env.Group) error {
	own := head{Version: headVersion, Group: c.options.Group, Self: c.options.Self}
	for i, p := range c.options.Peers {
		own.Peers = append(own.Peers, p.ID)
		if p.ID == c.options.Self {
			c.self = voterID(i)
		}
	}
	var err error
	if c.journal, err = openJournal(c.env, c.options.Directory, own); err != nil {
		return err
	}
	if c.applied = c.journal.base(); c.applied > 0 {
		if err := c.restore(c.journal.snapshot.GetData()); err != nil {
			return fmt.Errorf("%s: %w", c.journal.path(), err)
		}
	}
	if err := c.makeNode(); err != nil {
		return err
	}
	c.begin(c.env.Clock.Now())
	c.startLinks(tasks)
	tasks.Go("consensus clock", c.runClock)
	tasks.Go("consensus log", c.runLog)
	return nil
}

func (c *consensus) makeNode() (err error) {
	defer c.stopOnPanic(&err)
	c.node, err = raft.NewRawNode(&raft.Config{
		ID: c.self, Storage: c.journal, Applied: c.applied,
		// A tick is a heartbeat. The other number is read only while leadership is handed over: see timing.
		HeartbeatTick: 1, ElectionTick: handoverTicks,
		MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 256, MaxUncommittedEntriesSize: 64 << 20,
		PreVote: true, CheckQuorum: false, DisableProposalForwarding: true,
		Logger: &raftLog{c.env.Log},
	})
	return err
}

// handoverTicks bounds a hand-over of leadership.
const handoverTicks = 10

// fail stops for good.
func (c *consensus) fail(err error) {
	if c.failure != nil {
		return
	}
	c.failure = err
	advice := ": look at its disk, and start it again"
	if forgot := new(forgotError); errors.As(err, &forgot) {
		advice = "" // it has its own
	}
	c.env.Log.Error("the controller has stopped for good"+advice, zap.Error(err))
	c.endReign()
	c.dropPending()
	c.work.Broadcast()
	c.clock.Broadcast()
}

// stopOnPanic turns a panic of raft, which means that what it was told cannot be, into a failure of this controller.
func (c *consensus) stopOnPanic(err *error) {
	recovered := recover()
	if recovered == nil {
		return
	}
	if env.IsCrash(recovered) {
		panic(recovered)
	}
	*err = fmt.Errorf("%w: raft: %v", errStopped, recovered)
	if said, ok := recovered.(string); ok && strings.HasPrefix(said, beyondTheLog) {
		*err = &forgotError{c.journal.last(), said}
	}
	c.fail(*err)
}

// beyondTheLog is how raft begins when the leader says that this controller has more than it has.
const beyondTheLog = "tocommit("

func (c *consensus) over() bool { return c.closing || c.failure != nil }

// leads reports whether raft has elected this controller. It may not know yet that another one was elected since: see reignsAt.
func (c *consensus) leads() bool { return c.node.BasicStatus().RaftState == raft.StateLeader }

func (c *consensus) term() uint64 { return c.node.BasicStatus().GetTerm() }

// propose lets the controllers agree on a command, and returns when it has been applied here. With a deadline of Never it waits until
// that is so, or until this controller does not lead any more: an outcome is never left open for less.
func (c *consensus) propose(cmd *command, deadline env.Instant) (*refusal, *group, error) {
	if c.rule(c.env.Clock.Now()) == nil {
		return nil, nil, errNotLeader
	}
	if len(c.pending) >= c.options.Limits.Proposals {
		return nil, nil, errTooMany
	}
	c.proposals++
	p := &proposal{term: c.term(), done: env.NewFuture[outcome](c.env.Tasks)}
	cmd.Proposal = c.proposals
	c.pending[cmd.Proposal] = p
	if err := c.do(func() error { return c.node.Propose(cmd.marshal()) }); err != nil {
		delete(c.pending, cmd.Proposal)
		return nil, nil, fmt.Errorf("%w: %w", errNotLeader, err)
	}
	o, ok := p.done.Wait(nil, deadline)
	if !ok {
		return nil, nil, errUnknown
	}
	return o.refusal, o.group, o.err
}

// dropPending tells who waits that nobody knows.
func (c *consensus) dropPending() {
	numbers := make([]uint64, 0, len(c.pending))
	for number := range c.pending {
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	for _, number := range numbers {
		c.pending[number].done.Set(outcome{err: errUnknown})
	}
	clear(c.pending)
}

// runLog is the task that writes, sends and applies.
func (c *consensus) runLog() {
	for !c.over() {
		if !c.node.HasReady() {
			c.work.Wait()
			continue
		}
		if err := c.round(); err != nil {
			c.fail(err)
		}
	}
}

// round carries out what raft wants. The order is raft's: first what must be durable, then what others are told, then what is agreed upon.
func (c *consensus) round() (err error) {
	defer c.stopOnPanic(&err)
	ready := c.node.Ready()
	if err := c.persist(&ready); err != nil {
		return err
	}
	if c.over() {
		return nil
	}
	c.sendAll(ready.Messages)
	if !raft.IsEmptySnap(ready.Snapshot) {
		if err := c.install(ready.Snapshot); err != nil {
			return err
		}
	}
	for _, e := range ready.CommittedEntries {
		if err := c.applyEntry(e); err != nil {
			return err
		}
	}
	c.node.Advance(ready)
	c.notice()
	return c.compactIfLarge()
}

// persist waits until all is durable that must be before anybody hears of it. What was agreed upon need not be: it is told again.
func (c *consensus) persist(ready *raft.Ready) error {
	state := ready.HardState
	if raft.IsEmptyHardState(state) || state.GetTerm() == c.journal.state.GetTerm() && state.GetVote() == c.journal.state.GetVote() {
		state = nil
	}
	if !raft.IsEmptySnap(ready.Snapshot) {
		if err := c.journal.install(state, ready.Snapshot); err != nil || len(ready.Entries) == 0 {
			return err
		}
		state = nil
	}
	if state == nil && len(ready.Entries) == 0 {
		return nil
	}
	return c.journal.append(state, ready.Entries)
}

// install takes over the state of the leader.
func (c *consensus) install(snapshot *raftpb.Snapshot) error {
	if err := c.restore(snapshot.GetData()); err != nil {
		return err
	}
	c.applied, c.appliedTerm = snapshot.GetMetadata().GetIndex(), snapshot.GetMetadata().GetTerm()
	c.snapshots++
	return nil
}

// applyEntry carries out what was agreed upon, and answers whoever waits for it here.
func (c *consensus) applyEntry(e *raftpb.Entry) error {
	var cmd *command
	var o outcome
	if len(e.GetData()) > 0 {
		var err error
		if cmd, err = unmarshalCommand(e.GetData()); err != nil {
			return fmt.Errorf("entry %d: %w", e.GetIndex(), err)
		}
		o.refusal, o.group = c.apply(e.GetIndex(), cmd)
	}
	c.applied, c.appliedTerm = e.GetIndex(), e.GetTerm()
	if cmd == nil {
		return nil
	}
	// Numbers are those of one leader in one term.
	if p := c.pending[cmd.Proposal]; p != nil && p.term == e.GetTerm() {
		delete(c.pending, cmd.Proposal)
		p.done.Set(o)
	}
	return nil
}

// compactIfLarge bounds the file.
func (c *consensus) compactIfLarge() error {
	if c.journal.end < c.options.CompactAt || c.applied <= c.journal.base() || c.over() {
		return nil
	}
	// If the state itself is that large, it is written again only when as much has come.
	if c.journal.end < 2*int64(len(c.journal.snapshot.GetData())) {
		return nil
	}
	return c.journal.compact(c.applied, c.capture())
}

// close ends the tasks. Who waits for a proposal is told that nobody knows.
func (c *consensus) close() {
	c.closing = true
	c.endReign()
	c.dropPending()
	c.work.Broadcast()
	c.clock.Broadcast()
	c.closeLinks()
}
