package broker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/transport/message"
)

// javaPlace says which pop of a Java broker something is about. Acknowledgements name it as check points do.
type javaPlace struct {
	Topic       string `json:"t"`
	Group       string `json:"c"`
	QueueID     int32  `json:"q"`
	StartOffset int64  `json:"so"`
	PoppedAt    int64  `json:"pt"`
}

// javaPop is a pop as a Java broker notes it (class PopCheckPoint, CK): up to 32 messages of one queue, from StartOffset on.
type javaPop struct {
	javaPlace
	InvisibleMillis int64   `json:"it"`
	Count           int     `json:"n"`
	AckedBits       int32   `json:"bm"` // of the messages, the first one's is 1
	Differences     []int64 `json:"d"`  // of the messages from StartOffset; none: they follow one another

	offsets []message.QueueOffset // that are not acknowledged, sorted
}

// javaAck is an acknowledgement of some messages of a pop (classes AckMsg, BatchAckMsg).
type javaAck struct {
	javaPlace
	Offset  int64   `json:"ao"`
	Offsets []int64 `json:"aol"`
}

// The tags of what a Java broker notes (class PopAckConstants).
const (
	javaTagPop      = "ck"
	javaTagAck      = "ack"
	javaTagBatchAck = "bAck"
)

// javaPopMax is how many messages a check point can have: its bits are 32.
const javaPopMax = 32

func (p *javaPop) queue() inflight.Queue {
	return inflight.Queue{Group: p.Group, Topic: p.Topic, ID: p.QueueID}
}

// offsetOf is the offset of one of its messages.
func (p *javaPop) offsetOf(i int) int64 {
	if len(p.Differences) == 0 {
		return p.StartOffset + int64(i)
	}
	return p.StartOffset + p.Differences[i]
}

// javaLog is what a Java broker has noted, in whatever order it was read.
type javaLog struct {
	pops  map[javaPlace]*javaPop
	acked map[javaPlace]map[int64]bool
}

func newJavaLog() *javaLog {
	return &javaLog{pops: map[javaPlace]*javaPop{}, acked: map[javaPlace]map[int64]bool{}}
}

// note takes in a record.
func (l *javaLog) note(r *message.Record) error {
	tag, _ := message.PropertyBytes(r.Properties, message.PropertyTags)
	switch string(tag) {
	case javaTagPop:
		p := &javaPop{}
		if err := json.Unmarshal(r.Body, p); err != nil {
			return fmt.Errorf("check point: %w", err)
		}
		if p.Count < 0 || p.Count > javaPopMax || len(p.Differences) > 0 && len(p.Differences) < p.Count || p.InvisibleMillis < 0 {
			return fmt.Errorf("check point: %s has no sense", r.Body)
		}
		l.pops[p.javaPlace] = p
	case javaTagAck, javaTagBatchAck:
		a := javaAck{}
		if err := json.Unmarshal(r.Body, &a); err != nil {
			return fmt.Errorf("acknowledgement: %w", err)
		}
		if string(tag) == javaTagAck {
			a.Offsets = []int64{a.Offset}
		}
		l.acknowledge(&a)
	default:
		return fmt.Errorf("tag %q is none of %s, %s, %s", tag, javaTagPop, javaTagAck, javaTagBatchAck)
	}
	return nil
}

func (l *javaLog) acknowledge(a *javaAck) {
	acked := l.acked[a.javaPlace]
	if acked == nil {
		acked = map[int64]bool{}
		l.acked[a.javaPlace] = acked
	}
	for _, offset := range a.Offsets {
		acked[offset] = true
	}
}

// open lists the pops of which messages are not acknowledged and may come again, the earliest first.
func (l *javaLog) open(may func(inflight.Queue, message.QueueOffset) bool) (list []*javaPop) {
	// order does not matter: sorted below
	for place, p := range l.pops {
		p.offsets = nil
		for i := range p.Count {
			offset := p.offsetOf(i)
			if p.AckedBits>>i&1 == 0 && !l.acked[place][offset] && may(p.queue(), message.QueueOffset(offset)) {
				p.offsets = append(p.offsets, message.QueueOffset(offset))
			}
		}
		slices.Sort(p.offsets)
		if len(p.offsets) > 0 {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *javaPop) int { return a.compare(&b.javaPlace) })
	return list
}

func (p *javaPlace) compare(other *javaPlace) int {
	return cmp.Or(cmp.Compare(p.PoppedAt, other.PoppedAt), cmp.Compare(p.Group, other.Group), cmp.Compare(p.Topic, other.Topic),
		cmp.Compare(p.QueueID, other.QueueID), cmp.Compare(p.StartOffset, other.StartOffset))
}
