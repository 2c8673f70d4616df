package controller

import (
	"cmp"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// Who is to be master (class DefaultElectPolicy): a function of what is agreed upon, what the leader has heard, and the time.

// rules are the options that decide.
type rules struct {
	timeout time.Duration // of brokers, where they do not say
	unclean bool          // members that may lack messages are elected if nobody else is left
}

// decision is what to do about a group.
type decision struct {
	candidate *member // to be elected; nil: nobody
	why       why
	logEnd    int64       // of the candidate
	again     env.Instant // when to look again if nothing is heard before; Never: not for the sake of time
	trouble   string      // why nobody can be elected although somebody should; "" otherwise
}

func lookAgain(at env.Instant) decision { return decision{again: at} }

// decide tells who is to be elected now, if anybody is.
func (w *watched) decide(g *group, reign env.Instant, now env.Instant, r rules) decision {
	switch {
	case len(g.Members) == 0 || w.electing || w.held > 0:
		return decision{}
	case w.leaseUntil != env.Never && !w.leaseUntil.Reached(now):
		return lookAgain(w.leaseUntil)
	case len(g.InSync) == 0:
		return w.decideFirst(g, reign, now, r)
	case g.Master != nobody && w.isAlive(g.member(g.Master), now):
		l := w.lives[g.Master]
		return lookAgain(l.heard.Add(l.timeout + 1))
	}
	// Whoever leads since a moment ago has heard of few brokers. Silence means nothing yet.
	if grace := reign.Add(g.silence(r.timeout)); !grace.Reached(now) && (g.Master != nobody || !w.allAlive(g, now)) {
		return lookAgain(grace)
	}
	return w.decideAfter(g, now, r)
}

// silence is after how long without a heartbeat every member is dead. least is the timeout of those that do not say.
func (g *group) silence(least time.Duration) time.Duration {
	for i := range g.Members {
		least = max(least, time.Duration(g.Members[i].TimeoutMillis)*time.Millisecond)
	}
	return least
}

// decideFirst waits until brokers that start together have had the time to come, and then takes the one with most messages.
func (w *watched) decideFirst(g *group, reign env.Instant, now env.Instant, r rules) decision {
	if w.since == 0 {
		return decision{}
	}
	if ready := max(reign, w.since).Add(r.timeout); !ready.Reached(now) {
		return lookAgain(ready)
	}
	return w.choose(g, now, whyFirst, func(*member) bool { return true })
}

// decideAfter finds somebody in place of a master that is dead or has started again.
func (w *watched) decideAfter(g *group, now env.Instant, r rules) decision {
	d := w.choose(g, now, whyDead, func(m *member) bool { return g.isInSync(m.ID) && m.ID != g.Master })
	if d.candidate == nil && r.unclean {
		d = w.choose(g, now, whyUnclean, func(m *member) bool { return !g.isInSync(m.ID) })
	}
	if d.candidate == nil {
		d.trouble = fmt.Sprintf("%s has no master, and of its in-sync set %v nobody is alive: start one of them. If they are lost for good, "+
			"electMaster with --unclean makes another member master, and messages are lost", g.Name, g.InSync)
	}
	return d
}

// choose takes the best of those who are alive and may be elected.
func (w *watched) choose(g *group, now env.Instant, cause why, may func(*member) bool) decision {
	d := decision{why: cause}
	for i := range g.Members {
		m := &g.Members[i]
		if w.isAlive(m, now) && may(m) && (d.candidate == nil || w.compare(m, d.candidate, cause) < 0) {
			d.candidate, d.logEnd = m, w.lives[m.ID].logEnd
		}
	}
	return d
}

// compare orders members that are alive, the best first: by the newest epoch in the log, its length, the priority that the operator has
// given, and the id. Of those that are in sync who is about to be stopped comes last: none of them lacks anything.
func (w *watched) compare(a, b *member, cause why) int {
	x, y := w.lives[a.ID], w.lives[b.ID]
	if x.drained != y.drained && cause != whyFirst && cause != whyUnclean {
		if x.drained {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(y.lastEpoch, x.lastEpoch), cmp.Compare(y.logEnd, x.logEnd), cmp.Compare(x.priority, y.priority), cmp.Compare(a.ID, b.ID))
}

// allAlive reports whether the whole in-sync set has been heard.
func (w *watched) allAlive(g *group, now env.Instant) bool {
	for _, id := range g.InSync {
		if !w.isAlive(g.member(id), now) {
			return false
		}
	}
	return true
}
