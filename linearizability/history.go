package linearizability

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is what an operation asks for.
type Kind uint8

// The kinds. Those of one line share a state; each line is judged apart.
const (
	KindSend, KindRead                      Kind = 1, 2    // the log of a queue
	KindCommitOffset, KindFetchOffset       Kind = 3, 4    // a consumer group's offset in a queue
	KindLock, KindUnlock, KindForgetLocking Kind = 5, 6, 7 // the lock of a queue
)

// String names the kind as a verb.
func (k Kind) String() string {
	names := [...]string{"nothing", "send", "read", "commit offset", "fetch offset", "lock", "unlock", "forget lock"}
	if int(k) < len(names) {
		return names[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// Outcome is what the client knows of an operation's end.
type Outcome uint8

// The outcomes.
const (
	OutcomeUnknown Outcome = iota // no answer: it may have happened, may happen yet, or never
	OutcomeDone                   // answered: it happened between call and return
	OutcomeRefused                // answered: it did not happen and never will
)

// String names the outcome.
func (o Outcome) String() string {
	switch o {
	case OutcomeUnknown:
		return "unknown"
	case OutcomeDone:
		return "done"
	case OutcomeRefused:
		return "refused"
	}
	return "outcome " + strconv.Itoa(int(o))
}

// Hash stands for a message. Two messages of a queue must have different ones, so
// what is hashed must hold something that occurs once, such as a sequence number.
type Hash uint64

// String writes the hash in hexadecimal.
func (h Hash) String() string { return strconv.FormatUint(uint64(h), 16) }

// HashOf returns the hash of a message's body: FNV-1a, 64 bits.
func HashOf(body []byte) Hash {
	h := uint64(14695981039346656037)
	for _, b := range body {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return Hash(h)
}

// OffsetNone says that there is no offset: nothing was committed, or a read was not
// told where the queue ends.
const OffsetNone int64 = -1

// Operation is one request of one client. Times are nanoseconds, 0 or later, on one clock; an
// operation that returns at the instant another is called counts as overlapping it.
type Operation struct {
	Client  int
	Queue   string // the key: a queue; for offsets, group and queue
	Kind    Kind
	Outcome Outcome
	Call    int64
	Return  int64 // ≥ Call; means nothing if the outcome is unknown

	// Send, done: the offset it was given. Read: the offset asked for. Commit: the
	// offset to be kept. Fetch, done: the offset told, or OffsetNone.
	Offset int64

	Hash    Hash   // Send: the message
	Hashes  []Hash // Read: the messages at Offset, Offset+1, …; may be empty
	End     int64  // Read: one past the last message of the queue as the answer says it, or OffsetNone
	Replica bool   // Read: answered by a replica, which may lag behind
	Granted bool   // Lock, done: whether the client has the lock now
	// Send: the client may have tried more than once. Each further copy in the final
	// log then counts as a send of its own. Refused then means that every try was.
	Repeats bool

	found bool // Send: the offset is where the final log has the message; no answer told it
}

// History is all that was asked during a run, in any order.
type History []Operation

// String tells the operation in one line.
func (o *Operation) String() string {
	return fmt.Sprintf("client %d %s [%s]", o.Client, o.deed(), o.span())
}

func (o *Operation) span() string {
	if o.found {
		return strconv.FormatInt(o.Call, 10) + ", no answer, there by " + strconv.FormatInt(o.Return, 10)
	}
	if o.Outcome == OutcomeUnknown {
		return strconv.FormatInt(o.Call, 10) + ", no answer"
	}
	return strconv.FormatInt(o.Call, 10) + ", " + strconv.FormatInt(o.Return, 10)
}

// deed tells what was asked and answered.
func (o *Operation) deed() string {
	switch o.Kind {
	case KindSend:
		if o.found {
			return "send " + o.Hash.String() + ", found at offset " + strconv.FormatInt(o.Offset, 10)
		}
		return "send " + o.Hash.String() + o.answer(" → offset ", o.Offset)
	case KindRead:
		return o.describeRead()
	case KindCommitOffset:
		return "commit offset " + strconv.FormatInt(o.Offset, 10) + o.answer("", 0)
	case KindFetchOffset:
		return "fetch offset" + o.answer(" → ", o.Offset)
	case KindLock:
		if o.Outcome == OutcomeDone {
			return "lock → " + map[bool]string{true: "granted", false: "denied"}[o.Granted]
		}
		return "lock" + o.answer("", 0)
	}
	return o.Kind.String() + o.answer("", 0)
}

func (o *Operation) answer(arrow string, value int64) string {
	switch {
	case o.Outcome != OutcomeDone:
		return " → " + o.Outcome.String()
	case arrow == "":
		return ""
	}
	return arrow + strconv.FormatInt(value, 10)
}

func (o *Operation) describeRead() string {
	var text strings.Builder
	if o.Replica {
		text.WriteString("replica ")
	}
	fmt.Fprintf(&text, "read at %d", o.Offset)
	if o.Outcome != OutcomeDone {
		return text.String() + " → " + o.Outcome.String()
	}
	fmt.Fprintf(&text, " → %d messages", len(o.Hashes))
	if len(o.Hashes) > 0 {
		fmt.Fprintf(&text, " from %v", o.Hashes[0])
	}
	if o.End != OffsetNone {
		fmt.Fprintf(&text, ", end %d", o.End)
	}
	return text.String()
}

// seen returns one past the highest offset that the answer of a read proves to exist.
func (o *Operation) seen() int64 {
	shown := OffsetNone
	if len(o.Hashes) > 0 {
		shown = o.Offset + int64(len(o.Hashes))
	}
	return max(shown, o.End)
}
