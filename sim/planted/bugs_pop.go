package planted

// Bugs of pops.
func init() { Bugs = append(Bugs, popBugs...) }

var popBugs = []Bug{
	{
		Name:     "take the receipt of an older pop",
		Edits:    []Edit{{"node/inflight/state.go", "if !found || known.holds[i].PoppedAt != poppedAt {", "if !found {"}},
		Scenario: "pop", Seeds: 30,
	},
	{
		Name:     "hand a popped message out again before its time is over",
		Edits:    []Edit{{"node/inflight/state.go", "left := min(max(poppedAt+invisibleMillis-int64(n.Wall), 0), invisibleMillis)", "left := min(max(poppedAt+invisibleMillis/2-int64(n.Wall), 0), invisibleMillis)"}},
		Scenario: "pop", Seeds: 30,
	},
	{
		Name:     "answer an acknowledgement before it is stored",
		Edits:    []Edit{{"node/broker/pop_ack.go", "\tt.store(&inflight.Settled{Queue: q, PoppedAt: poppedAt, Offsets: offsets}, nil, func(stored bool, r refusal) {\n\t\tdone(stored, r)\n", "\tdone(true, refusal{})\n\tt.store(&inflight.Settled{Queue: q, PoppedAt: poppedAt, Offsets: offsets}, nil, func(stored bool, r refusal) {\n"}},
		Scenario: "pop", Seeds: 300,
	},
	{
		Name:     "hand popped messages out before that is stored",
		Edits:    []Edit{{"node/broker/pop.go", "\t\tdone = func(stored bool, r refusal) {", "\t\tp.reply.SendDetached(proto.RespSuccess, \"FOUND\", header, body, func() {})\n\t\tdone = func(stored bool, r refusal) {\n\t\t\tif true {\n\t\t\t\treturn\n\t\t\t}"}},
		Scenario: "pop", Seeds: 300,
	},
	{
		Name:     "forget at a start what is in flight since it was saved",
		Edits:    []Edit{{"node/broker/pops.go", "\terr = b.readQueue(popQueue, &t.next,", "\tif t.next > 0 {\n\t\t_, t.next = b.store.Bounds(popQueue)\n\t}\n\terr = b.readQueue(popQueue, &t.next,"}},
		Scenario: "pop", Seeds: 300,
	},
	{
		Name:     "settle at a start what was popped and not acknowledged",
		Edits:    []Edit{{"node/broker/pops.go", "\tt.saved = t.next\n\tfor _, q := range t.state.Queues() {\n", "\tt.saved = t.next\n\tfor _, q := range t.state.Queues() {\n\t\tif at, _ := t.state.Next(q); true {\n\t\t\tt.state.Apply(&inflight.Moved{Queue: q, To: at}, t.now())\n\t\t}\n"}},
		Scenario: "pop", Seeds: 30,
	},
	{
		Name:     "let the offset of a group run ahead of what it has acknowledged",
		Edits:    []Edit{{"node/broker/pops.go", "\tfloor := int64(t.state.Floor(q))\n", "\tat, _ := t.state.Next(q)\n\tfloor := int64(at)\n"}},
		Scenario: "pop", Seeds: 30,
	},
	{
		Name:     "deliver a popped message once more than its group allows",
		Edits:    []Edit{{"node/broker/pop_dead.go", "return count, count > most, nil", "return count, count > most+1, nil"}},
		Scenario: "pop", Seeds: 30,
	},
	{
		Name:     "drop a message that was delivered too often",
		Edits:    []Edit{{"node/broker/pop_dead.go", "\t\terr = b.appendAndWait(&copied)\n", ""}},
		Scenario: "pop", Seeds: 30,
	},
	{
		Name:     "pop in order beside what is in flight",
		Edits:    []Edit{{"node/broker/pop_take.go", "if p.ordered && t.state.Blocked(q, now, p.attempt) {", "if false {"}, {"node/broker/pop_take.go", "\t\treturn false // the rest of what came before comes first\n", ""}, {"node/broker/pop_take.go", "if p.ordered && p.attempt != \"\" {", "if false {"}},
		Scenario: "pop", Seeds: 100,
	},
	{
		Name:     "acknowledge what a handler failed on",
		Edits:    []Edit{{"client/push_pop.go", "\t\tcase i < consumed:\n", "\t\tcase i < consumed || err != nil:\n"}},
		Scenario: "pop-push", Seeds: 20,
	},
	{
		Name:     "acknowledge a message that was given up, without a dead letter",
		Edits:    []Edit{{"client/push_pop.go", "if c.sendBack(m.Queue, m.Received, levelDeadLetter) {", "if true {"}},
		Scenario: "pop-push", Seeds: 30,
	},
	{
		Name:     "show the old receipt after a message was hidden for longer",
		Edits:    []Edit{{"client/pop.go", "\tm.hold(r, p.core.env.Clock.Now())\n", ""}},
		Scenario: "pop", Seeds: 30,
	},
	{
		Name:     "acknowledge the neighbour of a message in a batch",
		Edits:    []Edit{{"client/pop_batch.go", "offset - entry.StartOffset", "offset - entry.StartOffset + 1"}},
		Scenario: "pop", Seeds: 30,
	},
	{
		Name:     "take a refused acknowledgement for a success",
		Edits:    []Edit{{"client/pop_message.go", "\treturn &HoldError{", "\tif true {\n\t\treturn nil\n\t}\n\treturn &HoldError{"}},
		Scenario: "pop", Seeds: 100,
	},
	{
		Name:     "give two pops the same time",
		Edits:    []Edit{{"node/broker/pop.go", "At: max(int64(b.env.Clock.Wall()), t.state.Latest()+1), InvisibleMillis", "At: int64(b.env.Clock.Wall()), InvisibleMillis"}},
		Scenario: "pop", Seeds: 30,
	},
	{
		Name:     "count every delivery of a popped message as the first",
		Edits:    []Edit{{"node/broker/pop_take.go", "Deliveries: m.before.Deliveries + 1}", "Deliveries: 1}"}},
		Scenario: "pop", Seeds: 30,
	},
	{
		Name:     "pass over one message in eight of those that are acknowledged together",
		Edits:    []Edit{{"node/broker/pop_ack.go", "\t\tif !a.Has(a.StartOffset + i) {", "\t\tif !a.Has(a.StartOffset+i) || i%8 == 7 {"}},
		Scenario: "pop", Seeds: 30,
	},
	{
		Name:     "answer success when only some of the messages are acknowledged",
		Edits:    []Edit{{"node/broker/pop_ack.go", "\tcase g.failed == 0:\n", "\tcase g.failed <= g.total:\n"}},
		Scenario: "pop", Seeds: 30,
	},
	{
		Name:     "leave the old receipt in force when it is replaced",
		Edits:    []Edit{{"node/inflight/event.go", "changed.PoppedAt, changed.InvisibleMillis, changed.Settling = e.At, e.InvisibleMillis, false", "changed.InvisibleMillis, changed.Settling = e.InvisibleMillis, false"}},
		Scenario: "pop", Seeds: 30,
	},
}
