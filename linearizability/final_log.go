package linearizability

// Log is a queue as it was read, whole and in order, when the run was over and
// everything had come to rest.
type Log struct {
	// Start is where the queue ended when the history began. Messages below it need no
	// sender and may be left out of Entries; nothing from Start on may be left out.
	Start   int64
	Entries []Entry
}

// Entry is one message of a final log.
type Entry struct {
	Offset int64
	Hash   Hash
}

// end returns one past the last entry, or Start if there is none.
func (l *Log) end() int64 {
	if len(l.Entries) == 0 {
		return l.Start
	}
	return l.Entries[len(l.Entries)-1].Offset + 1
}

// fromStart returns the entries that belong to the history. The log has no holes.
func (l *Log) fromStart() []Entry {
	for i, entry := range l.Entries {
		if entry.Offset >= l.Start {
			return l.Entries[i:]
		}
	}
	return nil
}

// gap returns the index of the first entry that is not one further than its
// predecessor, or -1. The first one must not stand behind Start.
func (l *Log) gap() int {
	for i, entry := range l.Entries {
		if i == 0 && entry.Offset > l.Start || i > 0 && entry.Offset != l.Entries[i-1].Offset+1 {
			return i
		}
	}
	return -1
}
