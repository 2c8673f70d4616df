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
			{"store/confirm.go", "\treturn s.flushed\n}\n\n// settled is", "\treturn s.written\n}\n\n// settled is"},
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
		Edits:    []Edit{{"store/recover.go", "\ts.appended, s.written, s.flushed, s.allowed, s.confirmed = end, end, end, min(end, r.shown), end\n", "\ts.appended, s.written, s.flushed, s.allowed, s.confirmed = end, end, end, min(end, r.shown), end\n\tfor _, q := range s.order {\n\t\tif q.max > 1 {\n\t\t\tq.cut(q.max - 1)\n\t\t}\n\t}\n"}},
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
		Edits:    []Edit{{"node/broker/waiting.go", "case offset >= h.from && ", "case offset > h.from && "}},
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
	{
		Name:     "skip the directory sync after a roll of a queue",
		Edits:    []Edit{{"store/segment/file.go", "\tif err == nil {\n\t\terr = h.disk.SyncDir(dir)\n", "\tif err == nil && dir[:3] != \"con\" {\n\t\terr = h.disk.SyncDir(dir)\n"}},
		Scenario: "store-crash", Seeds: 40,
	},
	{
		Name:     "checkpoint ahead of the queue entries",
		Edits:    []Edit{{"store/checkpoint.go", "\tif err := s.syncQueues(); err != nil {\n\t\treturn err\n\t}\n", ""}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name:     "checkpoint ahead of the key index",
		Edits:    []Edit{{"store/index/save.go", "if err := t.file.Sync(0, t.sizes.FileSize()); err != nil {", "if err := error(nil); err != nil {"}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name: "key index ahead of the log",
		Edits: []Edit{
			{"store/keys.go", "\tfor s.flushed < k.files.Next() {\n", "\tfor false {\n"},
			{"store/keys.go", "next > s.flushed || next > 0 && next < s.Start()", "next > 0 && next < s.Start()"},
			{"store/flush.go", "s.env.Clock.Now().Add(s.options.FlushEvery)", "s.env.Clock.Now().Add(20 * s.options.FlushEvery)"}, // a long time to see it
		},
		Scenario: "store-crash", Seeds: 207,
	},
	{
		Name:     "roll the key index without saving the full file",
		Edits:    []Edit{{"store/index/index.go", "if err := x.last().save(); err != nil {\n\t\t\treturn err\n", "if err := x.last().write(); err != nil {\n\t\t\treturn err\n"}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name:     "close a file to make room without a sync",
		Edits:    []Edit{{"store/segment/handles.go", "\t\tf.leaving = true\n\t\terr := f.syncRange(handle, 0, handle.Size())\n\t\tf.leaving = false\n\t\treturn err\n", "\t\tf.unsynced = span{}\n\t\treturn nil\n"}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name:     "recover a torn record as if it were whole",
		Edits:    []Edit{{"store/scan.go", "err = verifySeal(raw, l.record.Properties)", "err = nil"}, {"store/scan.go", "message.DecodeRecord(raw, &l.record, true)", "message.DecodeRecord(raw, &l.record, false)"}},
		Scenario: "store-crash", Seeds: 63,
	},
	{
		Name:     "deliver a damaged message",
		Edits:    []Edit{{"store/read.go", "\t\t\tif !sealFits(record) {\n\t\t\t\terr = fmt", "\t\t\tif false {\n\t\t\t\terr = fmt"}},
		Scenario: "disk-faults", Seeds: 340,
	},
	{
		Name:     "read the log from where it is durable, not from where the queues are",
		Edits:    []Edit{{"store/recover.go", "\tcase state.own:\n\t\treturn state.saved, nil\n", "\tcase state.own && state.durable >= start:\n\t\treturn state.durable, nil\n"}},
		Scenario: "store-crash", Seeds: 75,
	},
	{
		Name:     "take the entries that a crash left in the cache for synced",
		Edits:    []Edit{{"store/replay.go", "s.loadQueues(from, r.rebuild)", "s.loadQueues(message.LogOffset(s.log.End()), r.rebuild)"}, {"store/replay.go", "q.min, q.first, q.synced = min(q.min, number), min(q.first, at), min(q.synced, at)", "q.min, q.first = min(q.min, number), min(q.first, at)"}},
		Scenario: "store-crash", Seeds: 80,
	},
	{
		Name:     "cut the log at the end of the file only",
		Edits:    []Edit{{"store/segment/row.go", "\treturn r.last().Erase(offset-r.last().start, r.size)\n", "\treturn nil\n"}},
		Scenario: "store-crash", Seeds: 36,
	},
	{
		Name:     "leave what recovery cut off the log",
		Edits:    []Edit{{"store/recover.go", "if err := s.log.Cut(int64(r.at)); err != nil {", "if err := error(nil); err != nil {"}},
		Scenario: "store-crash", Seeds: 36,
	},
	{
		Name:     "leave what a full disk refused",
		Edits:    []Edit{{"store/write.go", "if err := s.log.Cut(int64(s.written)); err != nil {", "if err := error(nil); err != nil {"}},
		Scenario: "disk-faults", Seeds: 300,
	},
	{
		Name:     "leave a watermark behind an end-of-file marker",
		Edits:    []Edit{{"store/write.go", "if i+1 < len(batch.pieces) {", "if false {"}},
		Scenario: "store-crash", Seeds: 300,
	},
	{
		Name:     "leave the slots of the key index torn",
		Edits:    []Edit{{"store/index/repair.go", "\tif err := t.writePages(); err != nil {\n", "\tt.pages = map[int32]*page{}\n\tif err := t.writePages(); err != nil {\n"}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name:     "note more of the log as durable than was flushed",
		Edits:    []Edit{{"store/checkpoint.go", "\tstate.durable = s.flushed\n", "\tstate.durable = s.written\n"}},
		Scenario: "store-crash", Seeds: 294,
	},
	{
		Name:     "save queue entries before their records are flushed",
		Edits:    []Edit{{"store/queue.go", "for until := q.endBefore(flushed); q.saved < until; {", "for until := q.end; q.saved < until; {"}},
		Scenario: "store-crash", Seeds: 1062,
	},
	{
		Name:     "remove a topic without a tombstone",
		Edits:    []Edit{{"store/drop.go", "renamed, err := s.remember(topic, at)", "renamed, err := at < 0, error(nil)"}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name:     "remove the files of a topic before its tombstone is durable",
		Edits:    []Edit{{"store/segment/replace.go", "\treturn true, disk.SyncDir(path.Dir(name))", "\t_ = path.Dir(name)\n\treturn true, nil"}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name:     "remove a topic without moving the checkpoint",
		Edits:    []Edit{{"store/drop.go", "if err := s.moveCheckpoint(topic); err != nil {", "if err := error(nil); err != nil {"}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name:     "leave the files of a topic whose removal a crash interrupted",
		Edits:    []Edit{{"store/load.go", "if err := s.finishDrop(q); err != nil {", "if err := error(nil); err != nil {"}},
		Scenario: "store-crash", Seeds: 726,
	},
	{
		Name:     "remove files of the log that a restart reads",
		Edits:    []Edit{{"store/clean.go", "|| end > s.readFrom {", "{"}},
		Scenario: "store-crash", Seeds: 66,
	},
	{
		Name:     "remove files of the log before their time",
		Edits:    []Edit{{"store/clean.go", ">= s.options.KeepFor.Milliseconds()", ">= s.options.KeepFor.Milliseconds()/2"}},
		Scenario: "store-crash", Seeds: 48,
	},
	{
		Name: "remove the oldest file without syncing the directory",
		Edits: []Edit{
			{"store/segment/row.go", "\tr.files = slices.Delete(r.files, 0, 1)\n\treturn errors.Join(first.Drop(), r.disk.SyncDir(r.dir))", "\tr.files = slices.Delete(r.files, 0, 1)\n\treturn first.Drop()"},
			{"store/clean.go", "\tif err := s.log.SyncNames(); err != nil {\n", "\tif err := error(nil); err != nil {\n"},
		},
		Scenario: "store-crash", Seeds: 60,
	},
	{
		Name:     "move the minimum of a queue too far after cleaning",
		Edits:    []Edit{{"store/clean.go", "q.hideBelow(from)", "q.hideBelow(min(from+1, q.end))"}},
		Scenario: "store-crash", Seeds: 225,
	},
	{
		Name:     "begin a queue too late after a restart",
		Edits:    []Edit{{"store/load.go", "int64(e.log) < s.log.Start()", "int64(e.log) <= s.log.Start()"}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name:     "remove a file of a queue that still has messages",
		Edits:    []Edit{{"store/clean.go", "behind > q.synced || behind > q.first", "behind > q.synced"}, {"store/clean.go", "if err != nil || e.log >= s.Start() {", "if err != nil || e.log > s.Start()+message.LogOffset(s.log.SegmentSize()) {"}},
		Scenario: "store-crash", Seeds: 30,
	},
	{
		Name:     "claim that a search is complete while the key index is behind",
		Edits:    []Edit{{"store/find.go", "\treturn k.files.Next() >= target && k.skipped == 0\n", "\treturn true\n"}},
		Scenario: "disk-faults", Seeds: 60,
	},
	{
		Name:     "lose the crash marker with the power",
		Edits:    []Edit{{"store/recover.go", "\treturn s.env.Disk.SyncDir(\".\")\n}", "\treturn nil\n}"}},
		Scenario: "store-crash", Seeds: 200,
	},
	{
		Name:     "do not sync what recovery read",
		Edits:    []Edit{{"store/replay.go", "if err := s.log.Sync(int64(r.secured), int64(r.at)); err != nil {", "if err := error(nil); err != nil {"}},
		Scenario: "store-crash", Seeds: 783,
	},
	{
		Name:     "take back the places of refused messages and not their numbers",
		Edits:    []Edit{{"store/write.go", "\t\ta.queue.next = a.at.Queue\n", ""}},
		Scenario: "disk-faults", Seeds: 30,
	},
	{
		Name:     "ignore a failed sync of a queue",
		Edits:    []Edit{{"store/checkpoint.go", "\t\t\ts.queuesFailed = fmt.Errorf(\"queue %s could not be synced; the next start will read the log from %v: %w\", q.key, s.saved, err)\n\t\t\treturn s.queuesFailed\n", "\t\t\ts.report(\"queue not synced\", fmt.Errorf(\"%w\", err))\n"}},
		Scenario: "disk-faults", Seeds: 900,
	},
	{
		Name:     "retry a failed sync of a queue",
		Edits:    []Edit{{"store/checkpoint.go", "\t\t\ts.queuesFailed = fmt.Errorf(\"queue %s could not be synced; the next start will read the log from %v: %w\", q.key, s.saved, err)\n\t\t\treturn s.queuesFailed\n", "\t\t\treturn fmt.Errorf(\"queue not synced: %w\", err)\n"}},
		Scenario: "disk-faults", Seeds: 2265,
	},
	{
		Name:     "roll a file of the log eight bytes late",
		Edits:    []Edit{{"store/append.go", "message.FitsFile(size, int(left))", "message.FitsFile(size-24-message.EndOfFileSize, int(left))"}},
		Scenario: "disk-faults", Seeds: 1071,
	},
	{
		Name:     "take damage for the end of the log",
		Edits:    []Edit{{"store/replay.go", "\tif scanner.at < durable {", "\tif scanner.at < durable && s == nil {"}},
		Scenario: "damaged-files", Seeds: 633,
	},
	{
		Name:     "believe what a crash left of the key index",
		Edits:    []Edit{{"store/index/repair.go", "x.options.inDoubt() || name != mark.File || count != mark.Count", "name != mark.File || count < mark.Count"}},
		Scenario: "disk-faults", Seeds: 723,
	},
	{
		Name:     "repair vouches for what is in the cache",
		Edits:    []Edit{{"store/repair.go", "state.saved, state.durable = min(state.saved, end), min(state.durable, end)", "state.saved, state.durable = min(state.saved, end), end"}},
		Scenario: "damaged-files", Seeds: 630,
	},
	{
		Name:     "write each checkpoint over the last one",
		Edits:    []Edit{{"store/checkpoint.go", "slotsAt[c.sequence&1]", "slotsAt[0]"}},
		Scenario: "disk-faults", Seeds: 306,
	},
}
