package controller

import (
	"time"

	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
)

// Elections that nobody asks for: whoever reigns looks at a group when something happens to it, and at all of them now and then, because
// silence is nothing that happens.

// watchGroups is the task that looks for silence.
func (s *Server) watchGroups() {
	for !s.closing {
		s.wake.WaitUntil(s.env.Clock.Now().Add(s.options.Heartbeat))
		now := s.env.Clock.Now()
		reign := s.consensus.rule(now)
		if s.closing || reign == nil {
			continue
		}
		for _, name := range s.state.names() {
			g := s.state.groups[name]
			s.countSilent(reign.watch.of(g, s.options.BrokerTimeout), g, now)
			s.look(reign, g)
		}
	}
}

// countSilent notes who was heard and is silent now.
func (s *Server) countSilent(w *watched, g *group, now env.Instant) {
	for i := range g.Members {
		m := &g.Members[i]
		l := w.lives[m.ID]
		if l == nil || l.lost || w.isAlive(m, now) {
			continue
		}
		l.lost = true
		s.counts.Timeouts++
		s.env.Log.Warn("a broker is silent", zap.String("brokerName", g.Name), zap.Int64("id", m.ID), zap.Duration("for", now.Sub(l.heard)))
	}
}

func (s *Server) rules() rules {
	return rules{timeout: s.options.BrokerTimeout, unclean: s.settings.ElectUnclean}
}

// look begins an election if a group needs one. It does not wait.
func (s *Server) look(reign *reign, g *group) {
	w := reign.watch.of(g, s.options.BrokerTimeout)
	d := w.decide(g, reign.watch.since, s.env.Clock.Now(), s.rules())
	switch {
	case d.candidate != nil && !s.closing:
		w.electing = true
		cmd := electionOf(g, &d)
		s.tasks.Go("elect for "+g.Name, func() { s.elect(reign, w, cmd) })
	case d.trouble != "" && w.complained != g.Epoch:
		w.complained = g.Epoch
		s.env.Log.Error(d.trouble)
	}
}

func electionOf(g *group, d *decision) *command {
	return &command{
		Kind: kindElect, Name: g.Name, ID: d.candidate.ID, Incarnation: d.candidate.Incarnation, MasterEpoch: g.Epoch, Why: d.why, LogEnd: d.logEnd,
	}
}

// elect proposes an election and waits until it is decided, however long that takes: until then the old master is promised nothing, and no
// other election of the group is proposed.
func (s *Server) elect(reign *reign, w *watched, cmd *command) {
	r, _, err := s.consensus.propose(cmd, env.Never)
	w.electing = false
	if err != nil || r != nil {
		s.env.Log.Info("election failed", zap.Stringer("command", cmd), zap.NamedError("refusal", refusalOrNil(r)), zap.Error(err))
	}
	if g := s.state.groups[cmd.Name]; g != nil && s.consensus.reign == reign && r != nil {
		// What was refused was decided by a state that has changed since.
		s.look(reign, g)
	}
}

// refusalOrNil makes an error that is nil if there is none.
func refusalOrNil(r *refusal) error {
	if r == nil {
		return nil
	}
	return r
}

// holding is a change that waits until what the master was promised is over.
type holding struct {
	cmd    *command
	show   func(g *group) answer
	atOnce bool                                    // the master has given up what it was promised
	refuse func(g *group, now env.Instant) *answer // why the change may not be made after all, or nil
}

// hold is for changes that somebody asks for while the master may live. From here on the master is promised nothing; what was promised before is
// waited for, unless the master has given it up; then the change is proposed. It is the only election of the group under way.
func (s *Server) hold(reign *reign, w *watched, h holding) answer {
	// It counts now, and not when the task begins: a heartbeat may be read before that.
	w.held++
	return later(func() answer {
		defer func() { w.held-- }()
		for s.consensus.reign == reign && !s.closing && (w.electing || !h.atOnce && !w.leaseUntil.Reached(s.env.Clock.Now()) && w.leaseUntil != env.Never) {
			s.env.Tasks.Sleep(holdStep)
		}
		if s.consensus.reign != reign || s.closing {
			return s.notLeader()
		}
		if g := s.state.groups[h.cmd.Name]; g != nil && h.refuse != nil {
			// Somebody may have been heard meanwhile.
			if a := h.refuse(g, s.env.Clock.Now()); a != nil {
				return *a
			}
		}
		w.electing = true
		r, g, err := s.consensus.propose(h.cmd, env.Never)
		w.electing = false
		return s.changed(r, g, err, h.show)
	})
}

// holdStep is how often a change that is held looks whether its time has come.
const holdStep = 10 * time.Millisecond
