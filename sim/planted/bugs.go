package planted

// Bug is one wrong behaviour.
type Bug struct {
	Name     string
	Edits    []Edit
	Scenario string
	Seeds    int // a hunt over that many seeds must fail
}

// Edit replaces the only occurrence of Find in a file.
type Edit struct {
	File    string // below the module's root
	Find    string
	Replace string
}

// Bugs lists all planted bugs. Seeds is at least three times what was needed when the bug was planted.
var Bugs = []Bug{
	{
		Name: "acknowledge before sync",
		Edits: []Edit{
			{"store/store.go", "\treturn s.flushed\n}\n\n// Start is", "\treturn s.written\n}\n\n// Start is"},
			{"store/write.go", "if s.options.Flush == AsyncFlush {", "if true {"},
		},
		Scenario: "pubsub", Seeds: 60,
	},
	{
		Name:     "show what is not flushed",
		Edits:    []Edit{{"store/write.go", "\ts.unflushed.Signal()\n", "\ts.unflushed.Signal()\n\tfor s.arrivals.len() > 0 && s.arrivals.peek().end <= s.written {\n\t\ta := s.arrivals.pop()\n\t\ts.show(a)\n\t\ts.options.Arrived(a.queue.key, a.at.Queue, a.tagHash)\n\t}\n"}},
		Scenario: "pubsub", Seeds: 100,
	},
	{
		Name:     "reuse a queue offset after recovery",
		Edits:    []Edit{{"store/recover.go", "\ts.appended, s.written, s.flushed = end, end, end\n", "\ts.appended, s.written, s.flushed = end, end, end\n\tfor _, q := range s.order {\n\t\tif q.max > 1 {\n\t\t\tq.cut(q.max - 1)\n\t\t}\n\t}\n"}},
		Scenario: "pubsub", Seeds: 30,
	},
	{
		Name: "keep a torn record",
		Edits: []Edit{
			{"store/scan.go", "err = verifySeal(raw, l.record.Properties)", "err = nil"},
			{"store/scan.go", "message.DecodeRecord(raw, &l.record, true)", "message.DecodeRecord(raw, &l.record, false)"},
		},
		Scenario: "pubsub", Seeds: 600,
	},
	{
		Name:     "ignore a failed sync",
		Edits:    []Edit{{"store/flush.go", "\t\ts.fail(\"a sync of the log\", err)\n\t\treturn\n", ""}},
		Scenario: "pubsub", Seeds: 200,
	},
	{
		Name:     "retry a failed sync as if the data were still there",
		Edits:    []Edit{{"store/flush.go", "\t\ts.fail(\"a sync of the log\", err)\n\t\treturn\n", "\t\ts.stop.WaitUntil(s.env.Clock.Now().Add(1000000))\n\t\treturn\n"}},
		Scenario: "pubsub", Seeds: 200,
	},
	{
		Name:     "trust the cache after a failed sync and a restart",
		Edits:    []Edit{{"store/replay.go", "if err := s.log.Rewrite(at, int(n)); err != nil {", "if err := error(nil); err != nil {"}},
		Scenario: "pubsub", Seeds: 400,
	},
	{
		Name:     "checkpoint ahead of the queues",
		Edits:    []Edit{{"store/checkpoint.go", "\tif err := s.syncQueues(); err != nil {\n\t\treturn err\n\t}\n", ""}},
		Scenario: "pubsub", Seeds: 200,
	},
	{
		Name:     "skip the directory sync after a roll",
		Edits:    []Edit{{"store/segment/file.go", "\tif err == nil {\n\t\terr = h.disk.SyncDir(dir)\n\t}\n", ""}},
		Scenario: "pubsub", Seeds: 200,
	},
	{
		Name:     "answer with another call's opaque",
		Edits:    []Edit{{"transport/pending.go", "\tp, ok := c.pending[response.Opaque]\n", "\tif len(c.pending) > 1 {\n\t\tall := c.opaques(func(pendingCall) bool { return true })\n\t\tresponse.Opaque = all[len(all)-1]\n\t}\n\tp, ok := c.pending[response.Opaque]\n"}},
		Scenario: "pubsub", Seeds: 30,
	},
	{
		Name:     "miss the wake-up of a held pull",
		Edits:    []Edit{{"node/broker/waiting.go", "case offset >= h.from && (", "case offset > h.from && ("}},
		Scenario: "pubsub", Seeds: 10,
	},
	{
		Name:     "lose an offset commit",
		Edits:    []Edit{{"node/broker/journal.go", "\t\terr = j.file.Sync(j.end, j.end+int64(len(p)))\n", ""}},
		Scenario: "pubsub", Seeds: 200,
	},
	{
		Name:     "show a committed offset before it is durable",
		Edits:    []Edit{{"node/broker/offsets.go", "\tt.pending = append(t.pending, c)\n", "\tt.pending = append(t.pending, c)\n\tt.put(c.entry.key, c.entry.queue, c.entry.offset)\n"}},
		Scenario: "pubsub", Seeds: 1000,
	},
	{
		Name: "route to a dead broker for ever",
		Edits: []Edit{
			{"node/namesrv/liveness.go", "left := s.table.expire(now)", "left := s.table.expire(0)"},
			{"transport/server.go", "if now.Sub(c.lastActive) > s.options.IdleTimeout {", "if now.Sub(c.lastActive) > 1000*s.options.IdleTimeout {"},
		},
		Scenario: "pubsub", Seeds: 30,
	},
	{
		Name:     "say that a send surely failed when it may have worked",
		Edits:    []Edit{{"client/errors.go", "return verdict{again: true, maybeStored: true}", "return verdict{again: true}"}},
		Scenario: "pubsub", Seeds: 60,
	},
}
