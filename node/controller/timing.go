package controller

import (
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// Raft has timeouts of its own, counted in ticks and drawn from a generator that all of the process shares. They are not used, because a run of
// the simulator must depend on its seed alone: only leaders are ticked, whose ticks send heartbeats and read no random number. Everybody else is
// told to campaign when a time is over that this controller draws from env.Rand. With that, what raft calls CheckQuorum is done here as well,
// by time that is measured and not counted:
//
//   - Who has heard of a leader within Options.Election votes for nobody, not even in a vote about a vote. After a start it is the same, because one
//     that was heard before is forgotten.
//   - A leader notes when each message was sent that a peer has heard. While for most controllers that is less than Options.Election ago, a
//     little less for clocks that do not run alike, nobody else can have been elected: the leader is proven. Only a proven leader that has
//     applied an entry of its own term reigns.
//   - A leader that could not prove itself for long steps down, or others who hear it, and whom it does not hear, would wait for ever.
type timing struct {
	campaignAt  env.Instant // when to campaign, if nobody is heard before
	beatAt      env.Instant // of a leader: the next tick
	lastPulse   env.Instant // when time was looked at last
	ledSince    env.Instant // since when raft thinks so; Never: it does not
	ledTerm     uint64
	provenAt    env.Instant // when it was proven last, in this term
	leaderHeard env.Instant // when a leader was heard, or the start
	// heardFrom and heardTerm are the leader of the last message, stamp is when it has sent it, by its own clock.
	heardFrom, heardTerm uint64
	stamp                int64
	retired              bool // leadership is being handed over: never proven again in this term
	reign                *reign
	reigns               uint64 // how many there were
}

// reign is a time without a break for which this controller was proven to lead.
type reign struct {
	term  uint64
	watch *watch
}

// begin is called once, at the start.
func (c *consensus) begin(now env.Instant) {
	c.lastPulse, c.leaderHeard = now, now
	c.waitBeforeCampaign(now)
	if c.alone() {
		// There is nobody to have heard of.
		c.campaignAt = now
	}
}

func (c *consensus) alone() bool { return len(c.peers) == 1 }

// waitBeforeCampaign draws the time for which nobody may be heard: from once to twice Options.Election.
func (c *consensus) waitBeforeCampaign(now env.Instant) {
	c.campaignAt = now.Add(c.options.Election + time.Duration(c.random.Uint64()%uint64(c.options.Election)))
}

// runClock is the task that moves time on.
func (c *consensus) runClock() {
	for !c.over() {
		c.clock.WaitUntil(c.nextPulse())
		if !c.over() {
			c.pulse(c.env.Clock.Now())
		}
	}
}

func (c *consensus) nextPulse() env.Instant {
	if c.leads() {
		return c.beatAt
	}
	return c.campaignAt.Sooner(c.lastPulse.Add(c.options.Election / 2))
}

// pulse does what is due.
func (c *consensus) pulse(now env.Instant) {
	if now.Sub(c.lastPulse) > c.options.Election {
		// The process stood still, and what others have told it meanwhile is unread.
		c.env.Log.Warn("the controller stood still", zap.Duration("for", now.Sub(c.lastPulse)))
		c.endReign()
	}
	c.lastPulse = now
	c.notice()
	switch {
	case c.leads() && c.beatAt.Reached(now):
		c.beatAt = now.Add(c.options.Heartbeat)
		c.stepDownIfAlone(now)
		_ = c.do(func() error { c.node.Tick(); return nil })
	case !c.leads() && c.campaignAt.Reached(now):
		c.waitBeforeCampaign(now)
		// It is tried again when the next time is over.
		_ = c.do(func() error { return c.node.Campaign() })
	}
	c.rule(now)
}

// do lets raft do something in memory, and wakes who carries it out. The error is raft's, and then nothing was done, or errStopped.
func (c *consensus) do(step func() error) (err error) {
	func() {
		defer c.stopOnPanic(&err)
		err = step()
	}()
	if err != nil && c.failure == nil {
		c.env.Log.Debug("raft refused", zap.Error(err))
	}
	c.notice()
	c.work.Signal()
	return err
}

// notice follows changes of leadership.
func (c *consensus) notice() {
	if c.failure != nil {
		return
	}
	leads, term := c.leads(), c.term()
	if c.ledSince != env.Never && (!leads || term != c.ledTerm) {
		c.ledSince = env.Never
		c.endReign()
		c.dropPending()
		c.env.Log.Info("this controller does not lead any more", zap.Uint64("term", c.ledTerm))
	}
	if leads && c.ledSince == env.Never {
		now := c.env.Clock.Now()
		c.ledSince, c.ledTerm, c.provenAt, c.retired = now, term, now, false
		c.beatAt = now
		for _, l := range c.peers {
			if l != nil {
				l.proof = env.Never
			}
		}
		c.env.Log.Info("this controller was elected", zap.Uint64("term", term))
		c.clock.Broadcast()
	}
}

// isProven reports whether no other controller can have been elected up to now.
func (c *consensus) isProven(now env.Instant) bool {
	if c.ledSince == env.Never || c.retired || !c.leads() {
		return false
	}
	times := []env.Instant{now} // this controller hears itself
	for _, l := range c.peers {
		if l != nil {
			times = append(times, l.proof)
		}
	}
	slices.Sort(times)
	// Most of them have heard what was sent then, or later.
	quorum := times[len(times)-1-len(times)/2]
	return quorum != env.Never && now.Sub(quorum) < c.options.Election-c.options.Election/5
}

// rule begins a reign or ends it, and returns it: nil if this controller may not speak for all.
func (c *consensus) rule(now env.Instant) *reign {
	if c.over() {
		return nil
	}
	if !c.isProven(now) || now.Sub(c.lastPulse) > c.options.Election {
		c.endReign()
		return nil
	}
	c.provenAt = now
	// What it has proposed before it lost its proof may still happen. It must have happened before anything is promised.
	if c.reign == nil && c.appliedTerm == c.ledTerm && len(c.pending) == 0 {
		c.reigns++
		c.reign = &reign{term: c.ledTerm, watch: newWatch(now)}
		c.env.Log.Info("this controller leads", zap.Uint64("term", c.ledTerm), zap.Uint64("applied", c.applied))
	}
	return c.reign
}

// reignsAt reports whether this controller may speak for all, and changes nothing.
func (c *consensus) reignsAt(now env.Instant) bool {
	return c.reign != nil && !c.over() && c.isProven(now) && now.Sub(c.lastPulse) <= c.options.Election
}

func (c *consensus) endReign() {
	if c.reign == nil {
		return
	}
	c.reign = nil
	c.env.Log.Info("this controller cannot prove that it leads", zap.Uint64("term", c.ledTerm))
}

// stepDownIfAlone gives leadership up if most of the others have not been heard for long.
func (c *consensus) stepDownIfAlone(now env.Instant) {
	if c.isProven(now) || c.alone() || now.Sub(max(c.provenAt, c.ledSince)) < 2*c.options.Election {
		return
	}
	// Raft has no word for it. An answer from a later term, whoever it comes from, does just that.
	other := voterID(0)
	if other == c.self {
		other = voterID(1)
	}
	term := c.term() + 1
	c.env.Log.Info("most controllers do not answer: leadership is given up", zap.Uint64("term", term-1))
	_ = c.do(func() error {
		return c.node.Step(&raftpb.Message{Type: raftpb.MsgHeartbeatResp.Enum(), From: &other, To: &c.self, Term: &term})
	})
	c.waitBeforeCampaign(now)
}

// mayVote reports whether a request for a vote is listened to.
func (c *consensus) mayVote(m *raftpb.Message, now env.Instant) bool {
	if string(m.GetContext()) == campaignTransfer {
		return true // the leader wants it
	}
	if c.leads() {
		return !c.isProven(now)
	}
	return now.Sub(c.leaderHeard) >= c.options.Election
}

// campaignTransfer is what raft writes into requests for votes after the leader has handed over.
const campaignTransfer = "CampaignTransfer"

// heard notes a message of a leader that was taken, and what a follower says it has heard of this one.
func (c *consensus) heard(m *raftpb.Message, stamp, echo int64, now env.Instant) {
	status := c.node.BasicStatus()
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap:
		if m.GetTerm() == status.GetTerm() && status.Lead == m.GetFrom() {
			c.leaderHeard = now
			if c.heardTerm != m.GetTerm() || c.heardFrom != m.GetFrom() {
				c.stamp = 0
			}
			c.heardFrom, c.heardTerm, c.stamp = m.GetFrom(), m.GetTerm(), max(c.stamp, stamp)
			c.waitBeforeCampaign(now)
		}
	case raftpb.MsgVote:
		if status.GetVote() == m.GetFrom() && status.GetTerm() == m.GetTerm() {
			c.waitBeforeCampaign(now)
		}
	}
	if echo != 0 && status.RaftState == raft.StateLeader && m.GetTerm() == status.GetTerm() && c.ledTerm == m.GetTerm() {
		l := c.peers[m.GetFrom()-1]
		l.proof = max(l.proof, min(env.Instant(echo), now))
	}
}

// handOver asks the peer that was heard last to lead, and waits a little until it does.
func (c *consensus) handOver() {
	if c.failure != nil || !c.leads() || c.alone() {
		return
	}
	best := 0
	for i, l := range c.peers {
		if l != nil && (c.peers[best] == nil || l.proof > c.peers[best].proof) {
			best = i
		}
	}
	// From here on another one may be elected although most have heard of this one.
	c.retired = true
	c.endReign()
	_ = c.do(func() error { c.node.TransferLeader(voterID(best)); return nil })
	deadline := c.env.Clock.Now().Add(3 * c.options.Heartbeat)
	for !c.over() && c.leads() && !deadline.Reached(c.env.Clock.Now()) {
		c.env.Tasks.Sleep(c.options.Heartbeat / 10)
	}
}
