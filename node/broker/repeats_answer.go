package broker

import (
	"strconv"

	"github.com/gantrymq/gantry/node/repeat"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// answer answers a send whose messages are all stored with where the first ones stand: confirmed, so as durable as the flush mode promises. It reads the
// first record, for what the table does not have. If that is gone, the identifiers are those of the repeat, which are the same if it is one.
func (p *repeats) answer(in *transport.Incoming, header *proto.SendMessage, c *claim) {
	b, place := p.broker, c.stored[0]
	d := b.newSendDone(in.Reply(), place.QueueID)
	d.fill(c.stored, nil)
	unique, _ := message.PropertyBytes([]byte(header.Properties), message.PropertyUniqueID)
	d.unique, d.recall, d.inner = append(d.unique[:0], unique...), d.recall[:0], false
	var raw []byte
	var err error
	b.await(in, func() { raw, err = b.store.RecordBytes(place.Log) })
	var first message.Record
	if err == nil {
		_, err = message.DecodeRecord(raw, &first, false)
	}
	if id, sent := isClientSend(&first); err == nil && sent && id == c.first {
		unique, _ := message.PropertyBytes(first.Properties, message.PropertyUniqueID)
		d.unique, d.recall, d.inner = append(d.unique[:0], unique...), b.recallHandleOf(d.recall[:0], &first), first.SysFlags.InnerBatch()
	}
	d.stored, d.claim.code, d.claim.remark = true, proto.RespSuccess, ""
	d.tell(d.reply, true)
	d.free()
}

// join lets a repeat of a send that is under way wait for the same answer, or gives the one that was given.
func (d *sendDone) join(in *transport.Incoming, c *claim) refusal {
	first := &d.claim
	switch {
	case c.first != first.first || c.count != first.count:
		return overlap(c.first)
	case first.answered:
		d.broker.repeats.known++
		d.tell(in.Reply(), true)
	case len(first.waiting) >= repeatsWaitingMax:
		return refused(proto.RespSystemBusy, "gantrySequence: %v is being stored, and %d repeats wait for that already: send again later", c.first, len(first.waiting))
	default:
		d.broker.repeats.known++
		first.waiting = append(first.waiting, in.Reply())
	}
	return refusal{}
}

// fill notes where the messages of a send stand: those that a crash has left, and those that were stored now.
func (d *sendDone) fill(before []repeat.Place, now []store.Place) {
	d.ids, d.offsets = d.ids[:0], d.offsets[:0]
	last, apart := message.QueueOffset(0), false
	add := func(i int, log message.LogOffset, offset message.QueueOffset) {
		if i == 0 {
			d.first = offset
		} else {
			d.ids, d.offsets = append(d.ids, ','), append(d.offsets, ',')
			apart = apart || offset != last+1
		}
		last = offset
		d.ids = message.OffsetID{StoreHost: d.broker.address, LogOffset: log}.Append(d.ids)
		d.offsets = strconv.AppendInt(d.offsets, int64(offset), 10)
	}
	for i, place := range before {
		add(i, place.Log, place.Offset)
	}
	for i, place := range now {
		add(len(before)+i, place.Log, place.Queue)
	}
	if !apart {
		d.offsets = d.offsets[:0]
	}
}
