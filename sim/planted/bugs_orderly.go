package planted

// Bugs of consumption in order, of filters and of broadcasting.
func init() { Bugs = append(Bugs, consumerBugs...) }

var consumerBugs = []Bug{
	{
		Name:     "grant a lock while another member holds it",
		Edits:    []Edit{{"node/broker/locks.go", "\tif owner != \"\" && owner != clientID {\n\t\treturn false", "\tif false {\n\t\treturn false"}},
		Scenario: "orderly", Seeds: 30,
	},
	{
		Name:     "let a lock expire too early, so that there are two owners",
		Edits:    []Edit{{"node/broker/locks.go", "until: t.broker.env.Clock.Now().Add(t.broker.options.QueueLockFor)}\n\treturn true", "until: t.broker.env.Clock.Now().Add(t.broker.options.QueueLockFor / 4)}\n\treturn true"}},
		Scenario: "orderly", Seeds: 30,
	},
	{
		Name:     "forget locks at a restart",
		Edits:    []Edit{{"node/broker/locks.go", "\t\t\tt.byQueue[l.groupQueue] = &queueLock{clientID: l.ClientID, until: until}\n", "\t\t\t_, _ = l, until\n"}},
		Scenario: "orderly", Seeds: 30,
	},
	{
		Name:     "grant a lock before it is durable",
		Edits:    []Edit{{"node/broker/locks.go", "if b.locks.saved < b.locks.version {", "if false {"}},
		Scenario: "orderly", Seeds: 30,
	},
	{
		Name:     "let anybody commit though a member holds the lock",
		Edits:    []Edit{{"node/broker/progress.go", "owner != \"\" && owner != by.clientID {", "false && owner != by.clientID {"}},
		Scenario: "orderly", Seeds: 30,
	},
	{
		Name:     "sort the queues differently on two clients",
		Edits:    []Edit{{"client/rebalance.go", "\tassign.SortQueues(queues)\n", "\tassign.SortQueues(queues)\n\tif id := c.core.ids.clientID(); id[len(id)-1]%2 == 0 {\n\t\tslices.Reverse(queues)\n\t}\n"}},
		Scenario: "orderly", Seeds: 30,
	},
	{
		Name: "give a queue up while its handler is at work",
		Edits: []Edit{
			{"client/push_orderly.go", "if !a.dropped && (!c.locks() || a.calls == 0) {", "if !a.dropped {"},
			{"client/push_orderly.go", "patienceForCalls = 500 * time.Millisecond", "patienceForCalls = 0 * time.Millisecond"},
		},
		Scenario: "orderly", Seeds: 45,
	},
	{
		Name:     "go on behind the first message that does not match when a held pull is woken",
		Edits:    []Edit{{"node/broker/pull.go", "\t\tp.from = result.Next\n", "\t\tp.from = result.Next + 1\n"}},
		Scenario: "filters", Seeds: 30,
	},
	{
		Name:     "lose the wake-up when the first message does not match",
		Edits:    []Edit{{"node/broker/pull.go", "case p.held && result.Status == store.ReadNoMatchedMessage && result.Next == end:\n", "case p.held && result.Status == store.ReadNoMatchedMessage && result.Next == end:\n\t\tp.queue.ID += 1000\n"}},
		Scenario: "filters", Seeds: 30,
	},
	{
		Name:     "take NOT of what is unknown for true",
		Edits:    []Edit{{"node/filter/evaluate.go", "\t\tresult := n.operands[0].evaluateCondition(lookup)\n\t\tresult.truth = !result.truth\n", "\t\tresult := n.operands[0].evaluateCondition(lookup)\n\t\tif result.kind == kindAbsent {\n\t\t\tresult = truthValue(false)\n\t\t}\n\t\tresult.truth = !result.truth\n"}},
		Scenario: "filters", Seeds: 30,
	},
	{
		Name: "take tags of the same hash for equal",
		Edits: []Edit{
			{"client/received.go", "if r.Offset >= d.from && d.filter.wants(r.Tags()) {", "if r.Offset >= d.from {"},
			{"node/filter/filter.go", "truthValue(ok && f.tags.contains(tag))", "truthValue(ok && f.MatchesTagHash(int64(message.HashCode([]byte(tag)))))"},
		},
		Scenario: "filters", Seeds: 30,
	},
	{
		Name:     "store local offsets before the handler is done",
		Edits:    []Edit{{"client/processqueue.go", "\tif len(q.entries) == 0 {\n\t\treturn q.next\n", "\tif true {\n\t\treturn q.next\n"}},
		Scenario: "broadcast", Seeds: 90,
	},
	{
		Name: "store local offsets without a sync",
		Edits: []Edit{
			{"client/localoffsets.go", "\t\terr = file.Sync(0, int64(len(text)))\n", "\t\terr = nil\n"},
			{"client/localoffsets.go", "\treturn disk.SyncDir(s.dir)\n", "\treturn nil\n"},
		},
		Scenario: "broadcast", Seeds: 51,
	},
	{
		Name:     "do not store local offsets at the end",
		Edits:    []Edit{{"client/push_close.go", "\tc.giveUpAll(deadline)\n", ""}},
		Scenario: "broadcast", Seeds: 30,
	},
	{
		Name:     "answer an unlock before it is durable",
		Edits:    []Edit{{"node/broker/locks.go", "\tb.answerLocks(in, nil)\n", "\tin.Reply().Success(nil)\n"}},
		Scenario: "orderly", Seeds: 100,
	},
}
