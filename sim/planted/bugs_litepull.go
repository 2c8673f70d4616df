package planted

// Bugs of groups whose members poll.
func init() { Bugs = append(Bugs, litePullBugs...) }

var litePullBugs = []Bug{
	{
		Name:     "count what a poll hands out as consumed at once",
		Edits:    []Edit{{"client/litepull_poll.go", "\t\ta.finish(m.Offset)\n", "\t\ta.finish(m.Offset)\n\t\ta.marked = a.position()\n"}},
		Scenario: "lite-pull", Seeds: 60,
	},
	{
		Name:     "hand out after a seek what was pulled before",
		Edits:    []Edit{{"client/litepull_seek.go", "\t\ta.restart(offset)\n", "\t\ta.processQueue.next = offset\n"}},
		Scenario: "lite-pull", Seeds: 60,
	},
	{
		Name:     "let a pull that was under way answer a seek",
		Edits:    []Edit{{"client/push_queue.go", "\ta.processQueue = newProcessQueue(from)\n\ta.epoch++\n", "\ta.processQueue = newProcessQueue(from)\n"}},
		Scenario: "lite-pull", Seeds: 60,
	},
	{
		Name:     "hand out messages of queues that are paused",
		Edits:    []Edit{{"client/litepull_seek.go", "\t\ta.paused = true\n", ""}},
		Scenario: "lite-pull", Seeds: 60,
	},
	{
		Name:     "commit the messages of the last poll when a consumer is closed",
		Edits:    []Edit{{"client/litepull.go", "Close(ctx context.Context) error { return c.engine.Close(ctx) }", "Close(ctx context.Context) error {\n\tfor _, a := range c.engine.order {\n\t\ta.marked = a.position()\n\t}\n\treturn c.engine.Close(ctx)\n}"}},
		Scenario: "lite-pull", Seeds: 200,
	},
	{
		Name:     "let an application commit what it had before a reset",
		Edits:    []Edit{{"client/litepull_commit.go", "if a.sentTo == offsetUnknown || ", "if true || "}},
		Scenario: "lite-pull", Seeds: 900,
	},
}
