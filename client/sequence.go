package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// Exactly-once sending, which is Gantry's own. Each producer draws an id, and each of its messages gets the next sequence when it is tried first.
// Brokers that announce it in their answers to heartbeats know a message that comes again, and answer with the place of the first. So a try whose
// outcome is not known is followed by tries at the same broker, which alone knows; a refusal lets the next try go elsewhere, as ever. Other
// brokers get no sequences, and are passed over at once.

// WithoutExactlyOnce switches exactly-once sending off: a try that was not answered is followed by one at another broker, which may store the message
// once more. Without this option such a try is made again where the first one went, if that is a broker of Gantry's, until it
// answers or the send timeout is over.
func WithoutExactlyOnce() ProducerOption {
	return producerOption(func(c *config) { c.sequencesOff = true })
}

// sequences number the messages of a producer.
type sequences struct {
	producer [16]byte // its id; zeros: messages get no numbers
	last     int64
}

// newSequences draws an id. It comes from the source that all clients of a process share: a stream of its own would give all of them the same one.
func newSequences(random env.Rand) sequences {
	var q sequences
	binary.BigEndian.PutUint64(q.producer[:8], random.Uint64())
	// Zeros would be none.
	binary.BigEndian.PutUint64(q.producer[8:], random.Uint64()|1)
	return q
}

// give returns the first of the next numbers, one for each message.
func (q *sequences) give(messages int) int64 {
	first := q.last + 1
	q.last += int64(messages)
	return first
}

// messages is how many there are in a send.
func (s *sending) messages() int { return max(len(s.batch), 1) }

// number gives a message its sequence at the first try.
func (p *Producer) number(s *sending) {
	if s.sequence == 0 && p.sequences.producer != [16]byte{} && s.request.Code != proto.ReqSendReplyMessageV2 {
		s.sequence = p.sequences.give(s.messages())
	}
}

// meet waits until a broker has said whether it knows repeats: it is asked when its address is learnt, so that costs the first send a moment. If it says
// nothing, nothing is sent to it, so that the next try may go elsewhere.
func (p *Producer) meet(call *env.Call, s *sending, address string, deadline env.Instant) error {
	if _, told := p.core.beats.sendWindow(address); told || s.sequence == 0 {
		return nil
	}
	p.core.beats.ensure(call, address, deadline)
	if _, told := p.core.beats.sendWindow(address); told {
		return nil
	}
	return p.core.explain(call, fmt.Errorf("%w: %s has answered no heartbeat", ErrNotSent, address))
}

// showSequence puts the sequence into the header of a try, if the broker knows repeats of so many messages.
func (p *Producer) showSequence(s *sending, address string) {
	s.header.Producer, s.header.Sequence = [16]byte{}, 0
	if s.sequence != 0 && s.messages() <= p.core.beats.windowOf(address) {
		s.header.Producer, s.header.Sequence = p.sequences.producer, s.sequence
	}
}

// mayRepeat reports whether a broker says that it knows repeats. It may wait for the answer, no longer than a try may last.
func (p *Producer) mayRepeat(call *env.Call, s *sending, to target, deadline env.Instant) bool {
	address, ok := to.broker.master()
	return ok && s.sequence != 0 && p.meet(call, s, address, p.tryDeadline(deadline, false)) == nil && p.core.beats.windowOf(address) > 0
}

// stay binds a send to a broker that may have stored the message, if it was shown the sequence. There is no way back: nobody else knows.
func (s *sending) stay(v verdict) {
	s.bound = s.bound || v.maybeStored && s.header.Sequence != 0
}

// errCeased: a broker was started again with repeatsEnable=false.
var errCeased = errors.New("has ceased to know repeats")

// sendWindow is how many sends of a producer a broker knows again; told is false until it has said so.
func (h *heartbeats) sendWindow(address string) (window int, told bool) {
	p := h.peers[address]
	if p == nil || !p.told {
		return 0, false
	}
	return p.window, true
}

// windowOf is the same, 0 until it is told.
func (h *heartbeats) windowOf(address string) int {
	window, _ := h.sendWindow(address)
	return window
}

// forgotten makes an error of the answer that a sequence is too old.
func (s *sending) forgotten(refusal *ResponseError) error {
	if s.header.Sequence != 0 && refusal.Code == proto.RespIllegalOperation {
		return fmt.Errorf("%w: %w", ErrSendForgotten, refusal)
	}
	return refusal
}

// offsetsOf reads the offsets of messages of a batch that do not follow one another; nil if they do, or cannot be read.
func offsetsOf(text string, count int) []QueueOffset {
	var offsets []QueueOffset
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return nil
		}
		offsets = append(offsets, QueueOffset(n))
	}
	if len(offsets) != count {
		return nil
	}
	return offsets
}
