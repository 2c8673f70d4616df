package planted

// Bugs of messages that wait for a delay level.
func init() { Bugs = append(Bugs, delayBugs...) }

var delayBugs = []Bug{
	{
		Name:     "save cursors of delay levels one message ahead of the deliveries",
		Edits:    []Edit{{"node/broker/delay_cursors.go", "\t\tout.Cursors[int32(level+1)] = cursor\n", "\t\t_, end := d.broker.store.Bounds(d.queue(level + 1))\n\t\tout.Cursors[int32(level+1)] = min(cursor+1, end)\n"}},
		Scenario: "delay", Seeds: 30,
	},
	{
		Name:     "deliver delayed messages a tick early once the calendar has been set",
		Edits:    []Edit{{"node/broker/delay.go", "\tleft := d.waits(level, r)\n", "\tleft := d.waits(level, r)\n\tskew := int64(d.broker.env.Clock.Wall()) - int64(d.broker.env.Clock.Now())/1_000_000\n\tif d.lost == 0 {\n\t\td.lost = skew\n\t} else if d.lost-skew > 1000 || skew-d.lost > 1000 {\n\t\tleft -= 100 * time.Millisecond\n\t}\n"}},
		Scenario: "delay", Seeds: 30,
	},
	{
		Name:     "drop a delayed message that could not be stored three times",
		Edits:    []Edit{{"node/broker/delay.go", "\tif !batch.wait() {\n", "\tif !batch.wait() {\n\t\tif d.lost++; d.lost%3 == 0 {\n\t\t\td.pass(level, 1)\n\t\t}\n"}},
		Scenario: "delay", Seeds: 300,
	},
	{
		Name:     "forget messages of levels that the table has lost",
		Edits:    []Edit{{"node/broker/broker.go", "\tb.delays.admitQueues(b.store.Queues())\n", ""}},
		Scenario: "delay", Seeds: 30,
	},
	{
		Name: "look for deliveries only behind the place that was saved, though some in front of it are of messages that wait yet",
		Edits: []Edit{
			{"node/broker/delay.go", "if left > d.ofLevel(level) || d.wasDelivered(r) {", "if left > d.ofLevel(level) {"},
			{"node/broker/delay_cursors.go", "Delivered: slices.Sorted(maps.Keys(d.delivered))}", "Delivered: slices.Sorted(maps.Keys(map[message.LogOffset]struct{}{}))}"},
		},
		Scenario: "delay", Seeds: 100,
	},
	{
		Name:     "put a delayed message into the first queue of its topic",
		Edits:    []Edit{{"node/broker/delay.go", "\tr.Topic, r.QueueID, r.Properties = []byte(topic), int32(queue), encodeProperties(properties)\n", "\tr.Topic, r.QueueID, r.Properties = []byte(topic), int32(queue*0), encodeProperties(properties)\n"}},
		Scenario: "delay", Seeds: 10,
	},
}
