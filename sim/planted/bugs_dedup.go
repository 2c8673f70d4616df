package planted

// Bugs of sends that come again.
func init() { Bugs = append(Bugs, dedupBugs...) }

var dedupBugs = []Bug{
	{
		Name:     "forget at a start which sends were saved",
		Edits:    []Edit{{"node/broker/repeats_recover.go", "p.table, p.covered = saved.Table(b.repeatLimits()), saved.Covered()", "p.covered = saved.Covered()"}},
		Scenario: "dedup", Seeds: 30,
	},
	{
		Name:     "read no log for recent sends at a start",
		Edits:    []Edit{{"node/broker/repeats_recover.go", "max(from, b.store.Start())", "max(from, b.store.Confirmed())"}},
		Scenario: "dedup", Seeds: 30,
	},
	{
		Name:     "say that recent sends are saved as far as the log is written",
		Edits:    []Edit{{"node/broker/repeats_recover.go", "p.table.Snapshot(b.store.Confirmed())", "p.table.Snapshot(b.store.Written())"}},
		Scenario: "dedup", Seeds: 330,
	},
	{
		Name:     "know a send only when it is stored",
		Edits:    []Edit{{"node/broker/repeats.go", "p.under[c.first.After(i)] = d", "_ = c.first.After(i)"}},
		Scenario: "dedup", Seeds: 30,
	},
	{
		Name:     "answer a repeat with success before the first one is durable",
		Edits:    []Edit{{"node/broker/repeats_answer.go", "\t\td.tell(in.Reply(), true)\n", "\t\tif d.stored {\n\t\t\tfirst.code = proto.RespSuccess\n\t\t}\n\t\td.tell(in.Reply(), true)\n"}},
		Scenario: "dedup", Seeds: 90,
	},
	{
		Name: "keep what was refused as known",
		Edits: []Edit{
			{"node/broker/repeats.go", "\t\tdelete(p.under, c.first.After(i))\n", "\t\tif result.Status.Stored() {\n\t\t\tdelete(p.under, c.first.After(i))\n\t\t}\n"},
			{"node/broker/repeats.go", "\tif !result.Status.Stored() {\n\t\treturn true\n", "\tif !result.Status.Stored() {\n\t\treturn false\n"},
		},
		Scenario: "dedup", Seeds: 150,
	},
	{
		Name:     "take a delayed message for a send when it is delivered",
		Edits:    []Edit{{"node/broker/delay.go", "\tproperties.Delete(message.PropertySent)\n", ""}},
		Scenario: "dedup", Seeds: 30,
	},
	{
		Name:     "take a committed message for a send",
		Edits:    []Edit{{"node/broker/transactions_end.go", ", message.PropertySent} {", "} {"}},
		Scenario: "dedup", Seeds: 30,
	},
	{
		Name: "save sends that are not durable, and trust what is ahead of the log",
		Edits: []Edit{
			{"node/broker/send.go", "\tif !result.Late {\n", "\tif result.Late && d.stored {\n\t\tb.repeats.settle(d, result)\n\t}\n\tif !result.Late {\n"},
			{"node/broker/repeats_recover.go", "p.table.Snapshot(b.store.Confirmed())", "p.table.Snapshot(b.store.Written())"},
			{"node/broker/repeats_recover.go", "\terr := b.store.Flush()\n", "\terr := error(nil)\n"},
			{"node/broker/repeats_recover.go", "if err == nil && saved.Covered() > b.store.Confirmed() {", "if false {"},
		},
		Scenario: "dedup", Seeds: 90,
	},
	{
		Name:     "store a batch that a crash has parted once more",
		Edits:    []Edit{{"node/broker/send.go", "records = records[len(claim.stored):]", "claim.stored = nil"}},
		Scenario: "dedup", Seeds: 330,
	},
	{
		Name:     "store again what is below the window",
		Edits:    []Edit{{"node/repeat/table.go", "\t\treturn Place{}, Below\n", "\t\treturn Place{}, New\n"}},
		Scenario: "dedup", Seeds: 30,
	},
	{
		Name:     "forget producers when the calendar steps",
		Edits:    []Edit{{"node/repeat/forget.go", "min(passed, t.limits.Forget.Milliseconds()/10)", "passed"}},
		Scenario: "dedup", Seeds: 60,
	},
	{
		Name:     "send a message to another queue though the first broker may have it",
		Edits:    []Edit{{"client/sending.go", "\tcase s.bound:\n", "\tcase false:\n"}},
		Scenario: "dedup", Seeds: 30,
	},
	{
		Name:     "give each try a sequence of its own",
		Edits:    []Edit{{"client/sequence.go", "= p.sequences.producer, s.sequence\n", "= p.sequences.producer, p.sequences.give(s.messages())\n"}},
		Scenario: "dedup", Seeds: 30,
	},
}
