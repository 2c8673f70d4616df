package planted

// Bugs of queues of batches, of the list of removed topics, of what the checkpoint counts, and of the numbers that bridges keep.
func init() { Bugs = append(Bugs, storeBatchBugs...) }

var storeBatchBugs = []Bug{
	{
		Name:     "tell an inner batch the number of its second message",
		Edits:    []Edit{{"store/append.go", "appendInnerBase(buffer, number)", "appendInnerBase(buffer, number+1)"}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name:     "give a batch two entries after a restart",
		Edits:    []Edit{{"store/replay.go", "\tr.last[q] = e.log\n", "\tr.last[q] = e.log\n\tif q.layout.batch && e.count > 1 {\n\t\tq.tail = q.layout.append(q.tail, e)\n\t\tq.end++\n\t}\n"}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name:     "look for a message one batch too early",
		Edits:    []Edit{{"store/read.go", "return e.next() <= number })", "return e.next() < number })"}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name:     "keep where a topic was removed first when it is removed again",
		Edits:    []Edit{{"store/drop.go", "\tnext[topic] = at\n", "\tif _, again := next[topic]; !again {\n\t\tnext[topic] = at\n\t}\n"}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name:     "leave the list of removed topics ahead of a log that was cut",
		Edits:    []Edit{{"store/recover.go", "if err := s.shortenDropped(end); err != nil {", "if err := error(nil); err != nil {"}},
		Scenario: "damaged-files", Seeds: 348,
	},
	{
		Name:     "remove files of queues that the checkpoint does not count as removed",
		Edits:    []Edit{{"store/clean.go", "if err := s.noteRemoved(entries); err != nil {", "if err := error(nil); err != nil {"}},
		Scenario: "store-crash", Seeds: 225,
	},
	{
		Name:     "take the missing first file of a queue for cleaned",
		Edits:    []Edit{{"store/replay.go", "removed > r.state.removed {", "removed < 0 {"}},
		Scenario: "damaged-files", Seeds: 540,
	},
	{
		Name:     "say that queues are saved as far as the log has come meanwhile",
		Edits:    []Edit{{"store/checkpoint.go", "\tif err := s.putCheckpoint(state); err != nil {\n\t\treturn err\n\t}\n\ts.saved, s.readFrom", "\tstate.saved, state.durable = s.flushed, s.flushed\n\tif err := s.putCheckpoint(state); err != nil {\n\t\treturn err\n\t}\n\ts.saved, s.readFrom"}},
		Scenario: "store-crash", Seeds: 54,
	},
	{
		Name:     "pass over the names of lost messages in a bridge",
		Edits:    []Edit{{"store/replay.go", "\t\treturn r.lost(record)\n", "\t\treturn nil\n"}},
		Scenario: "damaged-files", Seeds: 140,
	},
	{
		Name:     "make bridges that name no lost messages",
		Edits:    []Edit{{"store/bridge.go", "for _, l := range lost {", "for _, l := range lost[:0] {"}},
		Scenario: "damaged-files", Seeds: 540,
	},
}
