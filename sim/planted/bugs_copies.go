package planted

// Bugs of copies, and of fail-over.
func init() { Bugs = append(Bugs, copiesBugs...) }

var copiesBugs = []Bug{
	{
		Name:     "let a master wait for one copy less than it promises",
		Edits:    []Edit{{"node/replica/quorum.go", "\tothers := q.needed - 1\n", "\tothers := q.needed - 2\n"}},
		Scenario: "replication", Seeds: 60,
	},
	{
		Name:     "show what copies have not confirmed",
		Edits:    []Edit{{"store/confirm.go", "\tif s.options.Replicated {\n\t\treturn min(s.Durable(), s.allowed)\n\t}\n", ""}},
		Scenario: "failover", Seeds: 40,
	},
	{
		Name:     "say that there is nothing new as a master that may be one no more",
		Edits:    []Edit{{"node/broker/ready.go", "\treturn b.copies.leader == nil || b.copies.leader.Proven(b.env.Clock.Now())\n", "\treturn true\n"}},
		Scenario: "split-brain", Seeds: 200,
	},
	{
		Name: "take logs for the same as far as both reach",
		Edits: []Edit{
			{"node/replica/epochs.go", "\tfor i := len(one.eras) - 1; i >= 0; i-- {\n\t\tera := one.eras[i]\n\t\tend, known", "\tfor i := -1; i >= 0; i-- {\n\t\tera := one.eras[i]\n\t\tend, known"},
			{"node/replica/epochs.go", "\treturn min(a, b), false, nil", "\t_, _ = a, b\n\treturn min(oneEnd, otherEnd), true, nil"},
		},
		Scenario: "failover", Seeds: 100,
	},
	{
		Name: "acknowledge with those copies that follow, whoever is master by now",
		Edits: []Edit{
			{"node/replica/leader.go", "\t\tif f == nil || !f.connected {\n\t\t\treturn\n\t\t}\n", "\t\tif f == nil || !f.connected {\n\t\t\tcontinue\n\t\t}\n"},
			{"node/broker/member.go", "\t\tif m.wanted == m.role && !m.reopen && m.broker != nil {\n",
				"\t\tif m.broker != nil && !m.reopen && (m.wanted == m.role || !m.wanted.master && m.broker.slave != nil && m.broker.slave.connected) {\n"},
		},
		Scenario: "split-brain", Seeds: 20,
	},
	{
		Name: "keep commits of offsets from copies",
		Edits: []Edit{{"node/broker/share.go", "\treturn b.shared.share(&replica.Change{Operation: replica.OperationAppend, Name: name, At: at, Bytes: slices.Clone(p)})",
			"\t_ = slices.Clone(p)\n\treturn nil"}},
		Scenario: "failover", Seeds: 40,
	},
	{
		Name: "let two processes use one directory",
		Edits: []Edit{
			{"store/store.go", "e.Disk.Lock(lockPath)", "e.Disk.Lock(fmt.Sprintf(\"%s%d\", lockPath, e.Clock.Now()))"},
			{"node/broker/member.go", "m.env.Disk.Lock(memberLock)", "m.env.Disk.Lock(fmt.Sprintf(\"%s%d\", memberLock, m.env.Clock.Now()))"},
		},
		Scenario: "rolling-restart", Seeds: 20,
	},
	{
		Name: "let a copy report what is only in its memory",
		Edits: []Edit{
			{"node/broker/slave_elected.go", "\t\tat := replica.Position{End: b.store.Written(), Flushed: b.store.Flushed(), Table: l.tables.durable}\n",
				"\t\tat := replica.Position{End: b.store.Written(), Flushed: b.store.Written(), Table: l.tables.durable}\n"},
		},
		Scenario: "replace-disk", Seeds: 100,
	},
	{
		Name: "confirm alone while a copy enters the in-sync set",
		Edits: []Edit{{"node/replica/leader.go", "\tfor _, s := range l.asked {\n\t\tm = m.Union(s)\n\t}\n\t// order does not matter: sets are sorted\n" +
			"\tfor id, f := range l.followers {\n\t\tif f.joining && !m.Has(id) {\n\t\t\tm = m.With(id)\n\t\t}\n\t}\n", ""}},
		Scenario: "split-brain", Seeds: 300,
	},
	{
		Name: "count a copy that is ahead of its master, and leave it ahead",
		Edits: []Edit{
			{"node/broker/slave_elected.go", "\tif end := b.store.End(); plan.CutAt < end {", "\tif end := b.store.End(); false && plan.CutAt < end {"},
			{"node/broker/slave_elected.go", "\t\tl.intake.Add(f.Bytes)\n",
				"\t\tif have := int(l.intake.Next() - f.At); have > 0 {\n\t\t\tf.Bytes = f.Bytes[min(have, len(f.Bytes)):]\n\t\t}\n\t\tl.intake.Add(f.Bytes)\n"},
			{"node/replica/leader.go", "\tcase at.End > l.own.End || at.Flushed > at.End || at.Table > l.own.Table:", "\tcase at.Flushed > at.End || at.Table > l.own.Table:"},
		},
		Scenario: "failover", Seeds: 40,
	},
	{
		Name:     "elect a broker that lacks messages though nobody asks for it",
		Edits:    []Edit{{"node/controller/decide.go", "\tif d.candidate == nil && r.unclean {\n", "\tif d.candidate == nil {\n"}},
		Scenario: "unclean-election", Seeds: 10,
	},
	{
		Name:     "let an elected copy wait for its dial to the master that is dead",
		Edits:    []Edit{{"node/broker/slave.go", "\tfor d == nil && !s.closing {\n", "\tfor d == nil {\n"}},
		Scenario: "unclean-election", Seeds: 20,
	},
	{
		Name:     "leave in the files of queues what a new master does not have",
		Edits:    []Edit{{"store/confirm.go", "\tif err := s.eraseArrivals(); err != nil {\n", "\tif err := error(nil); err != nil {\n"}},
		Scenario: "unclean-election", Seeds: 200,
	},
	{
		Name:     "cut off what consumers have seen as if nobody had",
		Edits:    []Edit{{"store/confirm.go", "\tcase at < s.Confirmed():\n", "\tcase at < 0:\n"}},
		Scenario: "unclean-election", Seeds: 60,
	},
	{
		Name:     "wait for peers that may never answer when a client is closed",
		Edits:    []Edit{{"transport/client.go", "\t\tc.env.Tasks.Go(\"dial \"+address", "\t\tc.tasks.Go(\"dial \"+address"}},
		Scenario: "failover", Seeds: 60,
	},
	{
		Name:     "drain a master, and leave it master",
		Edits:    []Edit{{"node/broker/drain.go", "\tif !on || !m.role.master && !m.wanted.master {\n", "\tif m.drained = on; true {\n"}},
		Scenario: "rolling-restart", Seeds: 20,
	},
	{
		Name:     "keep the role of master with a full disk",
		Edits:    []Edit{{"node/broker/member_space.go", "\tif b == nil || !m.role.master || !b.ready", "\tif b == nil || m.role.master || !b.ready"}},
		Scenario: "failover", Seeds: 20,
	},
	{
		Name:     "give a send up though its only broker is soon back",
		Edits:    []Edit{{"client/away.go", "\treturn o.retries > 0 && p.isAlone(s, to.BrokerName)\n", "\treturn o.retries < 0 && p.isAlone(s, to.BrokerName)\n"}},
		Scenario: "rolling-restart", Seeds: 40,
	},
	{
		Name:     "give a batch up at once if there is no master",
		Edits:    []Edit{{"client/batch.go", "\tif _, err := p.route(call, s, o); err != nil {\n", "\tif _, err := p.core.routes.forProducer(call, s.header.Topic, o.deadline); err != nil {\n"}},
		Scenario: "replication", Seeds: 100,
	},
	{
		Name:     "put the next report off whenever something might be new",
		Edits:    []Edit{{"node/broker/slave_elected.go", "\t\t\tl.slave.move.WaitUntil(until)\n", "\t\t\tl.slave.move.WaitUntil(until)\n\t\t\tif !until.Reached(b.env.Clock.Now()) {\n\t\t\t\tuntil = b.env.Clock.Now().Add(b.signOfLife())\n\t\t\t}\n"}},
		Scenario: "failover", Seeds: 1000,
	},
	{
		Name:     "look for the next master once",
		Edits:    []Edit{{"client/seek.go", "\tfor s.step < len(seekPauses) {\n", "\tfor s.step < 1 {\n"}},
		Scenario: "groups-failover", Seeds: 60,
	},
	{
		Name:     "let requests wait for a master that is gone without a word",
		Edits:    []Edit{{"client/seek.go", "\t\t\tk.hangUp(old)\n", ""}},
		Scenario: "orderly-failover", Seeds: 60,
	},
	{
		Name:     "forget at a new master which messages wait",
		Edits:    []Edit{{"node/broker/timers_table.go", "t.numberAt(mark.Oldest)", "t.numberAt(mark.Added)"}},
		Scenario: "timer-failover", Seeds: 100,
	},
	{
		Name:     "forget at a new master which timed messages were delivered out of their order, or since they were counted",
		Edits:    []Edit{{"node/broker/timers_table.go", "\tcalendar, err := timer.Restore(b.env.Disk, t.recallLater, mark)\n", "\tmark.Gone, mark.Covered = nil, b.store.Confirmed()\n\tcalendar, err := timer.Restore(b.env.Disk, t.recallLater, mark)\n"}},
		Scenario: "timer-failover", Seeds: 200,
	},
	{
		Name:     "let a broker that stops wait for copies for ever",
		Edits:    []Edit{{"node/broker/copies.go", "\t\tif !p.ended {\n\t\t\tc.abandon()\n\t\t}\n", ""}},
		Scenario: "pop-push-failover", Seeds: 100,
	},
}
