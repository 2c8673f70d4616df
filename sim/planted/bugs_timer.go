package planted

// Bugs of messages that wait.
func init() { Bugs = append(Bugs, timerBugs...) }

var timerBugs = []Bug{
	{
		Name:     "deliver timed messages a little early",
		Edits:    []Edit{{"store/timer/calendar.go", "if e = c.ready[0]; e.Due > now {", "if e = c.ready[0]; e.Due > now+50 {"}},
		Scenario: "timer", Seeds: 30,
	},
	{
		Name:     "round the time when a message is due down to the second",
		Edits:    []Edit{{"node/broker/timers_send.go", "\t\treturn due, refusal{}\n\t}\n\treturn 0, refusal{}\n", "\t\treturn due / 1000 * 1000, refusal{}\n\t}\n\treturn 0, refusal{}\n"}},
		Scenario: "timer", Seeds: 30,
	},
	{
		Name:     "take delay levels from the table one place too early",
		Edits:    []Edit{{"node/broker/delay.go", "*time.Millisecond + d.ofLevel(level)\n", "*time.Millisecond + d.ofLevel(max(level-1, 1))\n"}},
		Scenario: "timer", Seeds: 30,
	},
	{
		Name:     "forget at a start what was delivered since the calendar was saved",
		Edits:    []Edit{{"node/broker/timers.go", "case isTimedDelivery(r) && r.LogOffset >= mark.Covered:", "case false:"}},
		Scenario: "timer", Seeds: 60,
	},
	{
		Name:     "drop a timed message that could not be stored when it was due",
		Edits:    []Edit{{"node/broker/timers_deliver.go", "\tcase result.Status == store.AppendOK:\n\t\td.outcomes", "\tcase true:\n\t\td.outcomes"}},
		Scenario: "timer", Seeds: 900,
	},
	{
		Name:     "forget recalls at a start",
		Edits:    []Edit{{"node/broker/recall.go", "if err == nil && r.StoredAt < due {", "if err == nil && r.StoredAt > due {"}},
		Scenario: "timer", Seeds: 300,
	},
	{
		Name:     "promise a recall though the message was taken",
		Edits:    []Edit{{"node/broker/recall.go", "case t.calendar.Taken(d.handle.due) || int64(d.broker.env.Clock.Wall()) >= d.handle.due:", "case false:"}, {"node/broker/recall.go", "case handle.due <= now:", "case false:"}},
		Scenario: "timer", Seeds: 60,
	},
	{
		Name:     "take messages for the topic of timers from anybody",
		Edits:    []Edit{{"transport/proto/names.go", "forbiddenTopics = []string{DelayTopic, TimerTopic, PopTopic, HalfTopic,", "forbiddenTopics = []string{DelayTopic, PopTopic, HalfTopic,"}},
		Scenario: "timer", Seeds: 10,
	},
	{
		Name:     "redeliver a message that waits for its time",
		Edits:    []Edit{{"node/broker/redeliver.go", "if proto.IsWaitingTopic(string(original.Topic)) {", "if false {"}},
		Scenario: "timer", Seeds: 10,
	},
}
