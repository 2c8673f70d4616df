package measure

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Call is what a request asked and what became of it.
type Call struct {
	Request  int32 // its code
	Response int32 // the code of the answer
	Held     bool  // it was held until there was something to answer (long polling)
	Outcome  Outcome
}

// Outcome is what became of an answer.
type Outcome uint8

// The outcomes, of which the protocol has two more: "cancelled" and "process_request_failed" do not happen here.
const (
	Answered Outcome = iota // it was given to the connection
	Unwanted                // the request was one-way
	Gone                    // the connection had ended
)

var outcomeNames = [...]string{"success", "oneway", "write_channel_failed"}

// String is the protocol's word.
func (o Outcome) String() string {
	if int(o) >= len(outcomeNames) {
		return fmt.Sprintf("outcome %d", o)
	}
	return outcomeNames[o]
}

// String shows all of it.
func (c Call) String() string {
	return fmt.Sprintf("request %d, response %d, held %v, %v", c.Request, c.Response, c.Held, c.Outcome)
}

func (c Call) compare(other Call) int {
	held := func(c Call) int {
		if c.Held {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(c.Request, other.Request), cmp.Compare(c.Response, other.Response),
		cmp.Compare(held(c), held(other)), cmp.Compare(c.Outcome, other.Outcome))
}

// CallsMax is how many kinds of calls are told apart: clients choose the codes of their requests. Those beyond it count as OtherCall.
const CallsMax = 1000

// OtherCall stands for kinds of calls for which there was no room.
var OtherCall = Call{Request: -1, Response: -1}

// Calls times requests by kind.
type Calls struct {
	scale  *Scale
	byKind map[Call]*Histogram // at most CallsMax, and OtherCall
	// One kind is seldom alone: the last one is often the next one, too.
	last   Call
	ofLast *Histogram // of last; nil at first
}

// NewCalls returns a table without calls.
func NewCalls(scale *Scale) *Calls { return &Calls{scale: scale, byKind: map[Call]*Histogram{}} }

// Observe counts a call. It allocates only for the first one of a kind.
func (c *Calls) Observe(call Call, took int64) {
	if c.ofLast == nil || call != c.last {
		c.last, c.ofLast = call, c.byKind[call]
		if c.ofLast == nil {
			c.ofLast = c.add(call)
		}
	}
	c.ofLast.Observe(took)
}

func (c *Calls) add(call Call) *Histogram {
	if len(c.byKind) >= CallsMax {
		call = OtherCall
	}
	h := c.byKind[call]
	if h == nil {
		h = NewHistogram(c.scale)
		c.byKind[call] = h
	}
	return h
}

// CallReading is one kind of calls.
type CallReading struct {
	Call
	*Reading
}

// Read copies what was counted, in order of the codes.
func (c *Calls) Read() []CallReading {
	all := make([]CallReading, 0, len(c.byKind))
	for _, call := range slices.SortedFunc(maps.Keys(c.byKind), Call.compare) {
		all = append(all, CallReading{call, c.byKind[call].Read()})
	}
	return all
}

// String tells how many kinds there are.
func (c *Calls) String() string { return fmt.Sprintf("%d kinds of calls", len(c.byKind)) }
