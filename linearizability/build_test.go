package linearizability

// Short ways to write histories by hand. Times are small numbers; hashes are letters.

const q = "orders/0"

func sent(client int, call, ret int64, hash rune, offset int64) Operation {
	return Operation{Client: client, Queue: q, Kind: KindSend, Outcome: OutcomeDone, Call: call, Return: ret, Hash: Hash(hash), Offset: offset}
}

// unanswered is a send that nobody told anything about.
func unanswered(client int, call int64, hash rune) Operation {
	return Operation{Client: client, Queue: q, Kind: KindSend, Call: call, Hash: Hash(hash), Offset: OffsetNone}
}

// read shows the letters from an offset on. End may be OffsetNone.
func read(client int, call, ret, offset int64, letters string, end int64) Operation {
	o := Operation{Client: client, Queue: q, Kind: KindRead, Outcome: OutcomeDone, Call: call, Return: ret, Offset: offset, End: end}
	for _, letter := range letters {
		o.Hashes = append(o.Hashes, Hash(letter))
	}
	return o
}

func fromReplica(o Operation) Operation { o.Replica = true; return o }
func repeating(o Operation) Operation   { o.Repeats = true; return o }
func refused(o Operation) Operation     { o.Outcome = OutcomeRefused; return o }

// logOf is a final log that holds the letters from offset 0 on.
func logOf(letters string) Log { return logFrom(0, 0, letters) }

func logFrom(start, first int64, letters string) Log {
	log := Log{Start: start}
	for i, letter := range []rune(letters) {
		log.Entries = append(log.Entries, Entry{first + int64(i), Hash(letter)})
	}
	return log
}

func withLog(log Log) Options { return Options{Logs: map[string]Log{q: log}} }

func operation(client int, kind Kind, call, ret int64) Operation {
	return Operation{Client: client, Queue: q, Kind: kind, Outcome: OutcomeDone, Call: call, Return: ret}
}

func committed(client int, call, ret, offset int64) Operation {
	o := operation(client, KindCommitOffset, call, ret)
	o.Offset = offset
	return o
}

func fetched(client int, call, ret, offset int64) Operation {
	o := operation(client, KindFetchOffset, call, ret)
	o.Offset = offset
	return o
}

func locked(client int, call, ret int64, granted bool) Operation {
	o := operation(client, KindLock, call, ret)
	o.Granted = granted
	return o
}

func noAnswer(o Operation) Operation { o.Outcome = OutcomeUnknown; return o }

func pointers(h History) (operations []*Operation) {
	for i := range h {
		operations = append(operations, &h[i])
	}
	return operations
}
