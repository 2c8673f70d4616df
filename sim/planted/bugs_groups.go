package planted

// Bugs of groups that share queues and of redeliveries.
func init() { Bugs = append(Bugs, groupBugs...) }

var groupBugs = []Bug{
	{
		Name:     "count the commits of a former owner",
		Edits:    []Edit{{"node/broker/progress.go", "\treturn \"another client has pulled the queue since: only its commits count\"\n", "\treturn \"\"\n"}},
		Scenario: "groups", Seeds: 60,
	},
	{
		Name:     "let who takes a queue over move its offset back",
		Edits:    []Edit{{"node/broker/progress.go", "case last.same(by.conn, by.clientID) && offset < last.floor:", "case false:"}},
		Scenario: "groups", Seeds: 60,
	},
	{
		Name:     "do not tell members that another one has expired",
		Edits:    []Edit{{"node/broker/clients.go", "\t\tt.leaveAll(func(m *member) bool { return now.Sub(m.seen) > b.options.ClientTimeout })\n", "\t\tfor _, g := range t.consumers {\n\t\t\tg.members = slices.DeleteFunc(g.members, func(m *member) bool { return now.Sub(m.seen) > b.options.ClientTimeout })\n\t\t}\n"}},
		Scenario: "groups", Seeds: 200,
	},
	{
		Name:     "do not tell members that the connection of another one has ended",
		Edits:    []Edit{{"node/broker/clients.go", "\tt.leaveAll(func(m *member) bool { return m.conn == conn })\n", "\tfor _, g := range t.consumers {\n\t\tg.members = slices.DeleteFunc(g.members, func(m *member) bool { return m.conn == conn })\n\t}\n"}},
		Scenario: "groups", Seeds: 60,
	},
	{
		Name:     "leave pulls held that wait where the group was before a reset",
		Edits:    []Edit{{"node/broker/reset.go", "\t\t\tt.broker.waiting.release(q.Group, q.key())\n", ""}},
		Scenario: "groups", Seeds: 60,
	},
	{
		Name:     "let a commit that comes after a reset overwrite it",
		Edits:    []Edit{{"node/broker/reset.go", "return r.taken() && by.tool || slices.Contains(r.Told, by.name())", "return true"}},
		Scenario: "groups", Seeds: 300,
	},
	{
		Name:     "tell one member only of a reset",
		Edits:    []Edit{{"node/broker/reset.go", "case offset != int64(t.target(r, q)):", "case !r.taken() && offset != int64(t.target(r, q)):"}},
		Scenario: "groups", Seeds: 900,
	},
	{
		Name:     "answer a reset before it is durable",
		Edits:    []Edit{{"node/broker/reset.go", "\terr := t.save()\n\tif err == nil {\n", "\terr := error(nil)\n\tfor q, at := range offsets {\n\t\tt.broker.offsets.set(q.Group, q.Topic, q.Queue, at)\n\t}\n\tif false {\n"}},
		Scenario: "groups", Seeds: 60,
	},
	{
		Name:     "commit beyond what is handled",
		Edits:    []Edit{{"client/processqueue.go", "\tif len(q.entries) == 0 {\n\t\treturn q.next\n", "\tif true {\n\t\treturn q.next\n"}},
		Scenario: "groups", Seeds: 30,
	},
	{
		Name:     "leave a group without storing its offsets",
		Edits:    []Edit{{"client/push_close.go", "\tc.giveUpAll(deadline)\n", ""}},
		Scenario: "groups", Seeds: 60,
	},
	{
		Name:     "share out by another strategy on some members",
		Edits:    []Edit{{"client/rebalance.go", "share, err = c.push.strategy.Assign(", "strategy := c.push.strategy\n\t\t\tif own[len(own)-1]%2 == 0 {\n\t\t\t\tstrategy = assign.AverageByCircle{}\n\t\t\t}\n\t\t\tshare, err = strategy.Assign("}},
		Scenario: "groups", Seeds: 30,
	},
	{
		Name:     "take a level too short for a redelivery",
		Edits:    []Edit{{"node/broker/redeliver.go", "level = retryLevelMin + int(original.Redeliveries)", "level = retryLevelMin - 1 + int(original.Redeliveries)"}},
		Scenario: "retry", Seeds: 30,
	},
	{
		Name:     "take a level too long for a redelivery",
		Edits:    []Edit{{"node/broker/redeliver.go", "level = retryLevelMin + int(original.Redeliveries)", "level = retryLevelMin + 1 + int(original.Redeliveries)"}},
		Scenario: "retry", Seeds: 30,
	},
	{
		Name:     "make two dead letters of one message",
		Edits:    []Edit{{"node/broker/redeliver.go", "[]message.Record{copied}, done)", "append([]message.Record{copied}, map[bool][]message.Record{true: {copied}}[dead]...), done)"}},
		Scenario: "retry", Seeds: 30,
	},
	{
		Name:     "redeliver for ever",
		Edits:    []Edit{{"node/broker/redeliver.go", "dead := header.DelayLevel < 0 || original.Redeliveries >= redeliveriesMax(group, in.Command.Version, header.RedeliveriesMax)", "dead := header.DelayLevel < 0"}},
		Scenario: "retry", Seeds: 30,
	},
	{
		Name:     "redeliver at once",
		Edits:    []Edit{{"node/broker/redeliver.go", "\tb.delays.retarget(r, properties, level)\n", "\tr.Properties = encodeProperties(properties)\n"}},
		Scenario: "retry", Seeds: 30,
	},
	{
		Name:     "lose the count of redeliveries",
		Edits:    []Edit{{"node/broker/redeliver.go", "\tr.Redeliveries++\n", ""}},
		Scenario: "retry", Seeds: 30,
	},
	{
		Name:     "forget where a message stood first",
		Edits:    []Edit{{"node/broker/redeliver.go", "properties.Lookup(message.PropertyOriginOffsetID); !known {", "properties.Lookup(message.PropertyOriginOffsetID); true || known {"}},
		Scenario: "retry", Seeds: 30,
	},
	{
		Name:     "deliver delayed messages again after a crash",
		Edits:    []Edit{{"node/broker/delay.go", "_, done := d.delivered[endOf(waiting)]", "_, done := d.delivered[-1]"}},
		Scenario: "retry", Seeds: 60,
	},
	{
		Name:     "forget delayed messages at a crash",
		Edits:    []Edit{{"node/broker/delay.go", "d.cursors[i] = min(max(d.cursors[i], first), end)", "_, d.cursors[i] = first, end"}},
		Scenario: "retry", Seeds: 60,
	},
	{
		Name:     "drop a message that its broker does not take back",
		Edits:    []Edit{{"client/push_back.go", "\treturn c.sendToRetryTopic(m, level)\n", "\treturn true\n"}},
		Scenario: "retry", Seeds: 60,
	},
}
