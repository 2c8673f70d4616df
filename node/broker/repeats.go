package broker

import (
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/repeat"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// repeats knows sends that come again because their sender got no answer, and answers them with the place of the first. That is Gantry's own: a
// sender that gives no identity in the header of its send is served as by other brokers.
//
// A record says which message of which producer it is (message.PropertySent), so the log itself tells after any crash what was stored;
// repeatsFile only saves reading more of it. The property is only ever made here, out of the header: consumers send on what they have got with all
// its properties, and that is another message.
//
// A send that is under way is in the map under, the table has those that are confirmed. So the table is a function of the log below
// Confirmed, and no send is in neither.
type repeats struct {
	broker  *Broker
	table   *repeat.Table
	under   map[repeat.Identity]*sendDone
	ready   bool // the log was read
	whole   env.Cond
	covered message.LogOffset // the file counts all sends that stand before it
	changed bool              // the table, since it was saved
	tasks   *env.Group

	// Counted for monitoring.
	known, below, refused int64
}

func newRepeats(b *Broker) *repeats {
	return &repeats{
		broker: b, table: repeat.NewTable(b.repeatLimits()), under: map[repeat.Identity]*sendDone{},
		whole: b.env.Tasks.NewCond(), tasks: env.NewGroup(b.env.Tasks),
	}
}

func (b *Broker) repeatLimits() repeat.Limits {
	o := &b.options
	return repeat.Limits{Window: o.RepeatWindow, Producers: o.RepeatProducersMax, Sends: max(o.RepeatSendsMax, o.RepeatWindow), Forget: o.RepeatsFor}
}

// window is what clients are told: 0 if repeats are not looked for.
func (p *repeats) window() int32 {
	if p.broker.options.RepeatsOff {
		return 0
	}
	return int32(p.table.Window())
}

// claim is what a send says of itself, and what became of it.
type claim struct {
	first  repeat.Identity // of the first message
	count  int             // messages, each with the next sequence; 0: the send has no identity
	stored []repeat.Place  // where the first of them stand already, if a crash has parted a batch
	as     repeat.Place    // topic and queue of all, without places
	at     int64           // wall milliseconds

	waiting  []transport.Reply // repeats that came meanwhile
	answered bool              // but the outcome is not known, or never will be
	code     int32             // then what was answered
	remark   string
}

// repeatsWaitingMax bounds the repeats of one send that wait for its outcome.
const repeatsWaitingMax = 16

// claimOf reads which message of which producer a send brings.
func (p *repeats) claimOf(header *proto.SendMessage, messages int) (c claim, r refusal) {
	if header.Sequence == 0 || p.broker.options.RepeatsOff {
		return c, refusal{}
	}
	id := repeat.Producer(header.Producer)
	switch {
	case id == repeat.Producer{} || header.Sequence < 0 || header.Sequence > sequenceMax:
		return c, refused(proto.RespInvalidParameter, "gantryProducer, gantrySequence: send 32 hexadecimal digits that are not all 0, and a number from 1 to %d", int64(sequenceMax))
	case messages > p.table.Window():
		return c, refused(proto.RespMessageIllegal, "a batch of %d messages is more than the broker knows again (repeatWindow %d): send smaller batches, or without gantrySequence", messages, p.table.Window())
	case !p.ready:
		// Nothing of it is stored by this try; whether it was by an earlier one is just being read.
		return c, refused(proto.RespSystemBusy, "recent sends are being read from the log: send again later")
	}
	return claim{first: repeat.Identity{Producer: id, Sequence: header.Sequence}, count: messages}, refusal{}
}

// sequenceMax leaves room for the messages of a batch.
const sequenceMax = 1 << 62

// admit looks whether a send has come before. If over, it was refused, or is answered as the first one was, perhaps later. Otherwise it is to
// be stored, but for what claim says is stored. It waits only if over.
func (p *repeats) admit(in *transport.Incoming, header *proto.SendMessage, messages int) (c claim, over bool) {
	c, r := p.claimOf(header, messages)
	if c.count > 0 {
		var first *sendDone
		if first, r = p.find(&c, header); first != nil {
			r = first.join(in, &c)
			over = true
		} else if r.code == 0 && len(c.stored) == c.count {
			p.known++
			p.answer(in, header, &c)
			over = true
		}
	}
	if r.code != 0 {
		p.refused++
		p.broker.refuse(in, r)
		return claim{}, true
	}
	return c, over
}

// find looks for all messages of a claim: they are stored, or under way, or neither, or a crash has left the first ones of a batch.
func (p *repeats) find(c *claim, header *proto.SendMessage) (first *sendDone, r refusal) {
	for i := range c.count {
		id := c.first.After(i)
		if done := p.under[id]; done != nil {
			return done, refusal{}
		}
		place, verdict := p.table.Find(id)
		switch {
		case verdict == repeat.Below:
			p.below++
			return nil, refused(proto.RespIllegalOperation, "gantrySequence: %v is below the window of %d sends that this broker knows again, so nobody knows "+
				"whether it was stored, and it is not stored now: look for it by its unique id", id, p.table.Window())
		case verdict == repeat.Known && place.Topic != repeat.TopicHash([]byte(topicOfSend(header.Topic))):
			return nil, refused(proto.RespIllegalOperation, "gantrySequence: %v was sent to another topic than %s: give each message a sequence of its own", id, header.Topic)
		case verdict == repeat.Known && len(c.stored) == i:
			c.stored = append(c.stored, place)
		case verdict == repeat.Known:
			return nil, overlap(id)
		}
	}
	return nil, refusal{}
}

func overlap(id repeat.Identity) refusal {
	return refused(proto.RespIllegalOperation, "gantrySequence: %v was sent before, but not as the same one of the same batch: give each message a sequence of its own", id)
}

// topicOfSend is what dead letters are told apart by: they were sent to the retry topic of their group.
func topicOfSend(topic string) string {
	if proto.IsDeadLetterTopic(topic) {
		return proto.RetryTopic(topic[len(proto.DeadLetterPrefix):])
	}
	return topic
}

// begin notes that a send is under way. Nothing may be waited for between admit and the append.
func (p *repeats) begin(d *sendDone, c *claim, records []message.Record) {
	if c.count == 0 {
		return
	}
	c.waiting = d.claim.waiting[:0]
	d.claim = *c
	d.claim.as, d.claim.at = sentTo(&records[0]), int64(p.broker.env.Clock.Wall())
	for i := len(c.stored); i < c.count; i++ {
		p.under[c.first.After(i)] = d
	}
}

// settle notes what became of a send, now that it is known. It reports whether nobody needs it any more.
func (p *repeats) settle(d *sendDone, result store.AppendResult) bool {
	c := &d.claim
	if c.count == 0 {
		return true
	}
	if result.Status == store.AppendFailed {
		// It may be in the log or not, which the next start reads. Until then the store takes nothing.
		return false
	}
	for i := len(c.stored); i < c.count; i++ {
		delete(p.under, c.first.After(i))
	}
	if !result.Status.Stored() {
		return true
	}
	for i, place := range result.Places {
		at := c.as
		at.Log, at.Offset = place.Log, place.Queue
		p.table.Add(c.first.After(len(c.stored)+i), at, c.at)
	}
	p.changed = true
	return true
}

// isClientSend reports whether a record is what a client has sent with an identity, not a copy that the broker has made of it.
func isClientSend(r *message.Record) (repeat.Identity, bool) {
	text, found := message.PropertyBytes(r.Properties, message.PropertySent)
	if !found || r.PreparedAt != 0 {
		return repeat.Identity{}, false
	}
	return repeat.ParseIdentity(text)
}

// sentTo tells whereto the sender of a record wanted it.
func sentTo(r *message.Record) repeat.Place {
	topic, queue := r.Topic, r.QueueID
	if proto.IsWaitingTopic(string(topic)) {
		topic, _ = message.PropertyBytes(r.Properties, message.PropertyRealTopic)
		id, _ := message.PropertyBytes(r.Properties, message.PropertyRealQueueID)
		queue = max(queueIDFrom(id), 0)
	}
	if proto.IsDeadLetterTopic(string(topic)) {
		topic = []byte(topicOfSend(string(topic)))
	}
	return repeat.Place{Topic: repeat.TopicHash(topic), QueueID: queue}
}

// queueIDFrom reads a queue id that this broker has written.
func queueIDFrom(text []byte) (n int32) {
	for _, digit := range text {
		n = n*10 + int32(digit-'0')
	}
	return n
}

// String tells what is known.
func (p *repeats) String() string {
	return fmt.Sprintf("recent sends: %v, %d under way", p.table, len(p.under))
}
