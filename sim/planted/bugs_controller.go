package planted

// Bugs of controllers.
func init() { Bugs = append(Bugs, controllerBugs...) }

var controllerBugs = []Bug{
	{
		Name: "answer a change before it is agreed upon",
		Edits: []Edit{{"node/controller/dispatch.go", "\tr, g, err := s.consensus.propose(cmd, s.env.Clock.Now().Add(s.options.RequestTimeout))\n",
			"\ts.tasks.Go(\"change\", func() { _, _, _ = s.consensus.propose(cmd, s.env.Clock.Now().Add(s.options.RequestTimeout)) })\n\tvar r *refusal\n\tvar err error\n\tg := &group{Name: cmd.Name, Cluster: cmd.Cluster}\n\tif now := s.state.groups[cmd.Name]; now != nil {\n\t\tg = now.clone()\n\t}\n"}},
		Scenario: "controller-chaos", Seeds: 20,
	},
	{
		Name:     "forget votes in a crash",
		Edits:    []Edit{{"node/controller/consensus.go", "\tif state == nil && len(ready.Entries) == 0 {", "\tif len(ready.Entries) == 0 {"}},
		Scenario: "controller-chaos", Seeds: 1000,
	},
	{
		Name:     "elect at once as a new leader",
		Edits:    []Edit{{"node/controller/watch.go", "\t\t\tknown.leaseUntil = w.since.Add(max(longest, time.Duration(m.TimeoutMillis)*time.Millisecond))\n", ""}, {"node/controller/decide.go", "!grace.Reached(now) && (g.Master", "false && (g.Master"}},
		Scenario: "controller-chaos", Seeds: 60,
	},
	{
		Name:     "answer heartbeats as a leader that cannot prove it",
		Edits:    []Edit{{"node/controller/timing.go", "\tif !c.isProven(now) || now.Sub(c.lastPulse) > c.options.Election {\n\t\tc.endReign()", "\tif !c.leads() || c.ledSince == env.Never {\n\t\tc.endReign()"}},
		Scenario: "controller-chaos", Seeds: 500,
	},
	{
		Name:     "reset the in-sync set in an election",
		Edits:    []Edit{{"node/controller/apply.go", "\tdefault:\n\t\tg.SetEpoch++\n", "\tdefault:\n\t\tg.changeSet([]int64{c.ID})\n"}},
		Scenario: "controller-chaos", Seeds: 10,
	},
	{
		Name:     "elect dead members",
		Edits:    []Edit{{"node/controller/decide.go", "if w.isAlive(m, now) && may(m)", "if w.lives[m.ID] != nil && may(m)"}},
		Scenario: "controller-chaos", Seeds: 100,
	},
	{
		Name:     "let a master that has started again be master on",
		Edits:    []Edit{{"node/controller/apply.go", "\tif g.Master == c.ID {\n\t\tg.Master = nobody\n\t}\n", ""}},
		Scenario: "controller-chaos", Seeds: 60,
	},
	{
		Name:     "give an id twice",
		Edits:    []Edit{{"node/controller/apply.go", "m != nil && m.CheckCode == c.CheckCode", "m != nil"}},
		Scenario: "controller-chaos", Seeds: 60,
	},
	{
		Name:     "keep in the set who is not whole",
		Edits:    []Edit{{"node/controller/apply.go", "\tif c.Whole && !short {", "\tif !short {"}},
		Scenario: "controller-chaos", Seeds: 200,
	},
	{
		Name:     "grant leases while an election is under way",
		Edits:    []Edit{{"node/controller/watch.go", "\tif w.held > 0 || w.electing {", "\tif w.held > 0 {"}},
		Scenario: "controller-chaos", Seeds: 1500,
	},
	{
		Name:     "carry out what tools want without waiting for the lease",
		Edits:    []Edit{{"node/controller/elect.go", "!h.atOnce && !w.leaseUntil.Reached(s.env.Clock.Now())", "false && !w.leaseUntil.Reached(s.env.Clock.Now())"}},
		Scenario: "controller-chaos", Seeds: 30,
	},
	{
		Name:     "elect whom a tool names, in sync or not",
		Edits:    []Edit{{"node/controller/apply.go", "case c.Why != whyFirst && c.Why != whyUnclean && !g.isInSync(c.ID):", "case false:"}},
		Scenario: "controller-chaos", Seeds: 30,
	},
	{
		Name:     "promise what the disk has refused",
		Edits:    []Edit{{"node/controller/journal.go", "\tif err := j.file.Sync(j.end, j.end+int64(len(frame))); err != nil {\n\t\treturn fmt.Errorf(\"%s: %w\", j.path(), err)\n\t}\n", "\t_ = j.file.Sync(j.end, j.end+int64(len(frame)))\n"}},
		Scenario: "controller-chaos", Seeds: 300,
	},
	{
		Name:     "speak as a leader before all that was agreed upon is known",
		Edits:    []Edit{{"node/controller/timing.go", "c.appliedTerm == c.ledTerm && len(c.pending) == 0", "len(c.pending) == 0"}},
		Scenario: "controller-chaos", Seeds: 500,
	},
	{
		Name:     "forget the state in a snapshot of the leader",
		Edits:    []Edit{{"node/controller/consensus.go", "\tif err := c.restore(snapshot.GetData()); err != nil {\n\t\treturn err\n\t}\n\tc.applied, c.appliedTerm =", "\tc.applied, c.appliedTerm ="}},
		Scenario: "controller-chaos", Seeds: 100,
	},
	{
		Name:     "take what a master gave up for given up for ever",
		Edits:    []Edit{{"node/controller/watch.go", "return sentAt > 0 && w.leaseSentAt <= sentAt && w.earlierUntil <= now", "return true"}},
		Scenario: "controller-chaos", Seeds: 300,
	},
}
