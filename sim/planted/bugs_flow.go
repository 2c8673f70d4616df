package planted

// Bugs of held pulls and of flow control.
func init() { Bugs = append(Bugs, flowBugs...) }

var flowBugs = []Bug{
	{
		Name:     "lose the message that comes between the read of a pull and its hold",
		Edits:    []Edit{{"node/broker/pull.go", "\treturn b.waiting.hold(p)\n", "\tb.env.Tasks.Sleep(3000000)\n\treturn b.waiting.hold(p)\n"}},
		Scenario: "longpoll", Seeds: 60,
	},
	{
		Name:     "let a message that does not match hide the next one from a held pull",
		Edits:    []Edit{{"node/broker/waiting.go", "\t\tdefault:\n\t\t\tkept = append(kept, h)\n", "\t\tdefault:\n\t\t\th.from = max(h.from, offset+2)\n\t\t\tkept = append(kept, h)\n"}},
		Scenario: "longpoll", Seeds: 30,
	},
	{
		Name:     "never end a hold whose time is over",
		Edits:    []Edit{{"node/broker/waiting.go", "end: slot(p.holdUntil) + 1}", "end: slot(p.holdUntil) + 1 + 1<<30}"}},
		Scenario: "longpoll", Seeds: 30,
	},
	{
		Name:     "keep counting the held pulls of connections that have ended",
		Edits:    []Edit{{"node/broker/waiting.go", "\tif h.reply.Conn().Closed() {\n\t\tw.count--\n\t\treturn\n", "\tif h.reply.Conn().Closed() {\n\t\treturn\n"}},
		Scenario: "longpoll", Seeds: 30,
	},
	{
		Name:     "answer a held pull in the name of another one",
		Edits:    []Edit{{"node/broker/waiting.go", "\t\t\tw.leaveTime(h)\n\t\t\tw.wake(h)\n\t\tdefault:", "\t\t\tw.leaveTime(h)\n\t\t\th.reply = held[0].reply\n\t\t\tw.wake(h)\n\t\tdefault:"}},
		Scenario: "longpoll", Seeds: 30,
	},
	{
		Name:     "hold a pull on although its topic was deleted",
		Edits:    []Edit{{"node/broker/admin.go", "\tb.waiting.releaseAll(func(h *heldPull) bool { return h.queue.Topic == name })\n", ""}},
		Scenario: "longpoll", Seeds: 30,
	},
	{
		Name:     "tell a held pull that there is nothing where nothing matched",
		Edits:    []Edit{{"node/broker/pull.go", "\tif result.Status == store.ReadOffsetOverflowOne && p.from > p.asked {", "\tif result.Status == store.ReadNoMatchedMessage {\n\t\tresult.Next++\n\t}\n\tif result.Status == store.ReadOffsetOverflowOne && p.from > p.asked {"}},
		Scenario: "longpoll", Seeds: 30,
	},
	{
		Name:     "take a negative time to hold a pull for a very long one",
		Edits:    []Edit{{"node/broker/pull.go", "min(max(header.HoldForMillis, 0), holdMax.Milliseconds())", "min(uint64(header.HoldForMillis), uint64(holdMax.Milliseconds()))"}},
		Scenario: "longpoll", Seeds: 30,
	},
	{
		Name:     "hold more pulls than the limit says",
		Edits:    []Edit{{"node/broker/waiting.go", "if w.closing || w.count >= w.broker.options.HeldPullsMax {", "if w.closing {"}},
		Scenario: "longpoll", Seeds: 90,
	},
	{
		Name:     "let as much wait for the disk as comes",
		Edits:    []Edit{{"store/append.go", "\tcase s.unconfirmed() >= s.options.WaitingMax:\n", "\tcase s.unconfirmed() < 0:\n"}},
		Scenario: "flow-control", Seeds: 30,
	},
	{
		Name: "store what was refused as busy",
		Edits: []Edit{
			{"store/append.go", "\tif result, ok := s.admit(); !ok {\n\t\tdone.Appended(result)\n\t\treturn\n\t}\n", "\tif result, ok := s.admit(); !ok {\n\t\tdone.Appended(result)\n\t\tif result.Status != AppendBusy {\n\t\t\treturn\n\t\t}\n\t\tdone = nil\n\t}\n"},
			{"store/append.go", "\tif result.Status != AppendOK {\n\t\tdone.Appended(result)\n", "\tif result.Status != AppendOK {\n\t\tif done != nil {\n\t\t\tdone.Appended(result)\n\t\t}\n"},
		},
		Scenario: "flow-control", Seeds: 30,
	},
	{
		Name:     "swallow one-way sends under pressure",
		Edits:    []Edit{{"node/broker/statistics.go", "\t\ts.onewayFailed++\n", ""}},
		Scenario: "flow-control", Seeds: 30,
	},
	{
		Name:     "refuse as busy without a word about how much there is to do",
		Edits:    []Edit{{"store/append.go", "fmt.Sprintf(\"%s; now %v: send again later\", why, s.Backlog())", "why"}},
		Scenario: "flow-control", Seeds: 30,
	},
	{
		Name:     "cut a batch behind the message that passes the limit",
		Edits:    []Edit{{"client/batch_split.go", "case m != nil && total <= limit && i < batchMessagesMax:", "case m != nil && total-size <= limit && i < batchMessagesMax:"}},
		Scenario: "flow-control", Seeds: 30,
	},
	{
		Name:     "lose the message at which a batch is cut",
		Edits:    []Edit{{"client/batch_split.go", "\t\t\trest = rest[count:]\n", "\t\t\trest = rest[min(count+1, len(rest)):]\n"}},
		Scenario: "flow-control", Seeds: 30,
	},
	{
		Name:     "pull on however much a consumer holds",
		Edits:    []Edit{{"client/push_queue.go", "\treturn a.unfinished >= messages || a.bytes >= bytes || !p.inOrder && int(a.span()) > p.queueSpan\n", "\treturn a.unfinished >= 4*messages && a.bytes >= 4*bytes\n"}},
		Scenario: "flow-control", Seeds: 60,
	},
	{
		Name: "do not pull a full queue again when it has room",
		Edits: []Edit{
			{"client/push_pull.go", "!c.full(a) && c.mayConsume(a)", "!c.staysFull(a) && c.mayConsume(a)"},
			{"client/push_queue.go", "// full reports", "func (c *PushConsumer) staysFull(a *assignment) bool {\n\ta.stuck = a.stuck || c.full(a) && a.unfinished > c.push.queueMessages+3\n\treturn a.stuck || c.full(a)\n}\n\n// full reports"},
			{"client/push_queue.go", "\tdropped bool // given up", "\tstuck   bool\n\tdropped bool // given up"},
		},
		Scenario: "flow-control", Seeds: 60,
	},
	{
		Name:     "do not call back for an asynchronous send that was refused as busy",
		Edits:    []Edit{{"client/async.go", "\tif done != nil {\n", "\tif done != nil && !isBusy(err) {\n"}},
		Scenario: "flow-control", Seeds: 60,
	},
	{
		Name:     "stay with a broker that is busy",
		Edits:    []Edit{{"client/errors.go", "\t\tproto.RespSystemBusy: true, proto.RespNoPermission", "\t\tproto.RespNoPermission"}},
		Scenario: "flow-control", Seeds: 30,
	},
	{
		Name:     "let any number of requests of one connection wait for an answer",
		Edits:    []Edit{{"transport/read.go", "\tcase c.unanswered > c.limits.Unanswered:\n", "\tcase c.unanswered > 100*c.limits.Unanswered:\n"}},
		Scenario: "flow-control", Seeds: 30,
	},
}
