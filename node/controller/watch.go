package controller

import (
	"math"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// What a leader knows of brokers from what they tell it is not agreed upon: it belongs to one leader, and to the time for which it could prove
// without a break that it leads. A leader that begins knows nobody. All of this is pure; the time is an argument.

// watch is what a leader has heard in one reign.
type watch struct {
	since   env.Instant // when the reign began
	watched map[string]*watched
}

// life is what one incarnation of a broker has told last. All of it is replaced by each heartbeat: a broker that has lost the
// end of its log must not keep the score that it had with it.
type life struct {
	heard       env.Instant
	timeout     time.Duration // it is dead if it is silent for longer
	incarnation int64
	lastEpoch   int32 // of its log
	logEnd      int64
	confirmed   int64
	priority    int32 // electionPriority: less is better
	drained     bool  // others are elected rather than this one
	lost        bool  // that it is silent was noted
}

// watched is what is known of the brokers of a group.
type watched struct {
	lives map[int64]*life // by id
	since env.Instant     // when the first of them was heard
	// leaseUntil is until when a broker may count on being the only master. No election is proposed before.
	leaseUntil env.Instant
	// leaseSentAt is the greatest time of the master's own clock at which it has sent a heartbeat that was granted a lease; untold if one did not
	// say. What leaders before this one have granted is over at earlierUntil.
	leaseSentAt  int64
	earlierUntil env.Instant
	// held counts those who wait for the lease to end. While somebody does, or an election is under way, none is granted.
	held     int
	electing bool
	// complained is the master epoch after which it was logged that nobody can be elected.
	complained int32
}

func newWatch(now env.Instant) *watch { return &watch{since: now, watched: map[string]*watched{}} }

// of finds or makes what is known of a group. longest is the default lease.
func (w *watch) of(g *group, longest time.Duration) *watched {
	known := w.watched[g.Name]
	if known == nil {
		known = &watched{lives: map[int64]*life{}, complained: -1}
		w.watched[g.Name] = known
		if m := g.member(g.Master); m != nil {
			// A leader before this one may have granted it a lease until now.
			known.leaseUntil = w.since.Add(max(longest, time.Duration(m.TimeoutMillis)*time.Millisecond))
			known.earlierUntil = known.leaseUntil
		}
	}
	return known
}

// news is what a heartbeat or registration tells.
type news struct {
	incarnation int64
	anonymous   bool // it does not say which incarnation it is of
	timeout     time.Duration
	lastEpoch   int32
	logEnd      int64
	confirmed   int64
	priority    int32
	drained     bool
	sentAt      int64 // by the broker's own clock; 0: not told
}

// hear notes that a member lives. An incarnation that is not the registered one is refused.
func (w *watched) hear(g *group, m *member, n news, now env.Instant) *refusal {
	if m.Incarnation == unregistered || !n.anonymous && n.incarnation != m.Incarnation {
		return refused(proto.RespControllerBrokerNeedToBeRegistered, "%s id %d has to register: incarnation %d is known, not %d", g.Name, m.ID, m.Incarnation, n.incarnation)
	}
	if w.since == 0 {
		w.since = now
	}
	w.lives[m.ID] = &life{
		heard: now, timeout: n.timeout, incarnation: m.Incarnation,
		lastEpoch: n.lastEpoch, logEnd: n.logEnd, confirmed: n.confirmed, priority: n.priority, drained: n.drained,
	}
	return nil
}

// forget drops what an earlier incarnation has told. Its leases are over with it.
func (w *watched) forget(id int64, wasMaster bool) {
	delete(w.lives, id)
	if wasMaster {
		w.forgetLease()
	}
}

func (w *watched) forgetLease() {
	w.leaseUntil, w.leaseSentAt, w.earlierUntil = env.Never, 0, env.Never
}

// gaveUp reports whether a master that counts on no answer to heartbeats that it has sent before an instant of its own clock has thereby given
// up all that it was promised.
func (w *watched) gaveUp(sentAt int64, now env.Instant) bool {
	return sentAt > 0 && w.leaseSentAt <= sentAt && w.earlierUntil <= now
}

// untold is later than every time that a broker tells.
const untold = math.MaxInt64

// isAlive reports whether a member was heard lately, in its present incarnation.
func (w *watched) isAlive(m *member, now env.Instant) bool {
	l := w.lives[m.ID]
	return l != nil && l.incarnation == m.Incarnation && now.Sub(l.heard) <= l.timeout
}

// grant promises the master that no other one is elected before now and the result are over. 0: nothing is promised. For the others
// it tells only after how long they are taken for dead.
func (w *watched) grant(g *group, m *member, sentAt int64, now env.Instant) time.Duration {
	timeout := w.lives[m.ID].timeout
	if g.Master != m.ID {
		return timeout
	}
	if w.held > 0 || w.electing {
		return 0
	}
	timeout = min(timeout, time.Duration(m.TimeoutMillis)*time.Millisecond)
	w.leaseUntil = max(w.leaseUntil, now.Add(timeout))
	if sentAt <= 0 {
		sentAt = untold
	}
	w.leaseSentAt = max(w.leaseSentAt, sentAt)
	return timeout
}
