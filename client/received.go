package client

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
)

// Received is a message as a consumer gets it (class MessageExt). It belongs to the
// consumer. Messages of one pull share memory: keeping one keeps all of them.
type Received struct {
	Message
	Queue        Queue
	Offset       QueueOffset       // in the queue
	LogOffset    message.LogOffset // in the broker's log
	OffsetID     message.OffsetID  // where it is stored
	SysFlags     message.SysFlags
	BornAt       time.Time // by the sender's calendar
	BornHost     netip.AddrPort
	StoredAt     time.Time // by the broker's calendar
	StoreHost    netip.AddrPort
	Redeliveries int32 // "reconsumeTimes"
}

// ID is the unique id that the sender gave the message or, if it has none, where it is stored.
func (r *Received) ID() string {
	if id := r.UniqueID(); id != "" {
		return id
	}
	return r.OffsetID.String()
}

// String shows where the message stands.
func (r *Received) String() string {
	return fmt.Sprintf("message %s of %s at %d: %d body bytes", r.ID(), r.Queue, r.Offset, len(r.Body))
}

// bodyMax is what a compressed body may unpack to unless an option says otherwise, in bytes.
const bodyMax = 64 << 20

// decoder turns the body of a pull into messages. It runs outside the node.
type decoder struct {
	message.Decompressor
	limit  int // what a compressed body may unpack to, in bytes; 0: bodyMax
	space  namespace
	queue  Queue
	filter Filter
	from   QueueOffset // a batch comes whole, and what stands in it before this was consumed already
	delta  int64       // to be added to queue offsets (static topics)
}

// decode returns the messages that pass the filter.
func (d *decoder) decode(body []byte) (wanted []*Received, err error) {
	for record, err := range message.DecodeRecords(body, false) {
		if err != nil {
			return nil, err
		}
		unpacked, err := d.Body(record.Body, record.SysFlags, cmp.Or(d.limit, bodyMax))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", record, err)
		}
		all, err := d.unwrap(record, unpacked)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", record, err)
		}
		for _, r := range all {
			if r.Offset >= d.from && d.filter.wants(r.Tags()) {
				wanted = append(wanted, r)
			}
		}
	}
	return wanted, nil
}

// unwrap makes messages of a record: one, or all of an inner batch.
func (d *decoder) unwrap(record *message.Record, body []byte) ([]*Received, error) {
	whole := d.received(record, body)
	if !record.SysFlags.InnerBatch() || !record.SysFlags.NeedsUnwrap() {
		return []*Received{whole}, nil
	}
	base, err := strconv.ParseInt(whole.Properties.Get(message.PropertyInnerBase), 10, 64)
	if err != nil {
		base = int64(record.QueueOffset)
	}
	var all []*Received
	for element, err := range message.DecodeBatch(body) {
		if err != nil {
			return nil, err
		}
		r := *whole
		r.Offset = QueueOffset(base + d.delta + int64(len(all)))
		r.UserFlags, r.Body = element.UserFlags, element.Body
		r.Properties = message.ParseProperties(element.Properties)
		all = append(all, &r)
	}
	return all, nil
}

func (d *decoder) received(r *message.Record, body []byte) *Received {
	queue := d.queue
	if queue.Topic == "" {
		// The message was asked for by its place in the log: the record itself knows its queue, but not its broker's name.
		queue = Queue{Topic: string(r.Topic), QueueID: r.QueueID}
	}
	return &Received{
		Message: Message{
			Topic: d.space.bare(string(r.Topic)), UserFlags: r.UserFlags, Body: body,
			Properties:    message.ParseProperties(r.Properties),
			TransactionID: message.PropertyString(r.Properties, message.PropertyTransactionID),
		},
		Queue: d.space.bareQueue(queue), Offset: r.QueueOffset + QueueOffset(d.delta), LogOffset: r.LogOffset, OffsetID: r.OffsetID(),
		SysFlags: r.SysFlags, BornAt: env.WallMillis(r.BornAt).Time(), BornHost: r.BornHost,
		StoredAt: env.WallMillis(r.StoredAt).Time(), StoreHost: r.StoreHost, Redeliveries: r.Redeliveries,
	}
}
