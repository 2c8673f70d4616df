package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"

	"github.com/gantrymq/gantry/transport/message"
)

// A bridge is a record over a damaged part of the log: behind it the log goes on. It is a rollback, which belongs to no queue and
// has no keys. The messages that stood there have fillers in their queues: entries that lead to the bridge.
//
// A Java broker takes a filler for a message and hands out the bridge. So the bridge looks like an inner batch that holds
// nothing: its body is compressed, and unpacked there is nothing in it. A consumer unpacks no message from it.

// bridgeTopic names the topic of bridges. It is short: they must fit where a small record stood.
const bridgeTopic = "DAMAGED"

// bridgeFlags are the system flags: a rollback, compressed with zlib, an inner batch that is to be unpacked.
const bridgeFlags = message.FlagCompressed | message.FlagNeedsUnwrap | message.FlagInnerBatch

// nothingCompressed is a whole zlib stream of no bytes. What stands behind it in the body, unpacking ignores.
var nothingCompressed = []byte{0x78, 0x9C, 0x03, 0, 0, 0, 0, 0x01}

// nobody is the host that a bridge comes from. No broker has it, so no producer can have a record made that looks like a bridge.
var nobody = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)

func isBridge(r *message.Record) bool {
	return r.SysFlags.Transaction() == message.TransactionRolledBack && string(r.Topic) == bridgeTopic && r.StoreHost == nobody
}

// bridgeOverhead is the size of the smallest bridge: it names no messages, keeps no bytes, and has no checksum.
var bridgeOverhead = recordHead + len(bridgeTopic) + len(nothingCompressed) + 1

// lostMessages are neighbours in one queue that a bridge stands for.
type lostMessages struct {
	key   QueueKey
	first message.QueueOffset
	count int32
}

// String names them.
func (l lostMessages) String() string {
	return fmt.Sprintf("%s [%d, %d)", l.key, l.first, l.first+message.QueueOffset(l.count))
}

// appendLost appends topic length u8, topic, queue i32, number i64, count i32.
func appendLost(dst []byte, l lostMessages) []byte {
	dst = append(dst, byte(len(l.key.Topic)))
	dst = append(dst, l.key.Topic...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(l.key.ID))
	dst = binary.BigEndian.AppendUint64(dst, uint64(l.first))
	return binary.BigEndian.AppendUint32(dst, uint32(l.count))
}

// lostIn lists the messages that a bridge names.
func lostIn(bridge *message.Record) (lost []lostMessages) {
	p, ok := bytes.CutPrefix(bridge.Body, nothingCompressed)
	for ok && len(p) > 0 && p[0] > 0 && len(p) >= 1+int(p[0])+16 {
		topic, rest := p[1:1+p[0]], p[1+p[0]:]
		l := lostMessages{
			key:   QueueKey{string(topic), int32(binary.BigEndian.Uint32(rest))},
			first: message.QueueOffset(binary.BigEndian.Uint64(rest[4:])), count: int32(binary.BigEndian.Uint32(rest[12:])),
		}
		if l.count > 0 && l.key.cannotHold(l.first) == "" {
			lost = append(lost, l)
		}
		p = rest[16:]
	}
	return lost
}

// addLost appends lost messages, to the last ones if they follow them.
func addLost(lost []lostMessages, l lostMessages) []lostMessages {
	if n := len(lost); n > 0 {
		last := &lost[n-1]
		if last.key == l.key && last.first+message.QueueOffset(last.count) == l.first && int64(last.count)+int64(l.count) <= math.MaxInt32 {
			last.count += l.count
			return lost
		}
	}
	return append(lost, l)
}

// bridgeOver makes the record over the damaged bytes, which stand at a place. There must be at least bridgeOverhead of them. It names as many of
// the lost messages as fit, and keeps as many of the bytes. without is how many messages it does not name.
func bridgeOver(damaged []byte, lost []lostMessages, at message.LogOffset, storedAt int64) (p []byte, without int64, err error) {
	body, room := bytes.Clone(nothingCompressed), len(damaged)-bridgeOverhead
	for _, l := range lost {
		item := appendLost(nil, l)
		if len(item) > room {
			without += int64(l.count)
			continue
		}
		body, room = append(body, item...), room-len(item)
	}
	body = append(body, 0)
	r := message.Record{
		Topic: []byte(bridgeTopic), SysFlags: bridgeFlags.WithTransaction(message.TransactionRolledBack),
		BornHost: nobody, StoreHost: nobody, BornAt: storedAt,
	}
	if room < checksumSize {
		r.Body = append(body, make([]byte, room)...)
	} else {
		r.Body, r.Properties = append(body, damaged[:room-checksumSize]...), checksumSpace
	}
	if p, err = message.AppendRecord(nil, &r); err != nil {
		return nil, 0, err
	}
	if len(p) != len(damaged) {
		return nil, 0, fmt.Errorf("a bridge of %d bytes cannot stand over %d", len(p), len(damaged))
	}
	message.PatchRecord(p, 0, at, storedAt)
	if len(r.Properties) > 0 {
		sealRecord(p)
	}
	return p, without, nil
}

// bridgeToEnd is what stands over damaged bytes that reach to the end of their file: a marker, and before it, unless nothing but the marker
// was damaged, a bridge: without one, the queues could not go on behind the messages that are lost.
func bridgeToEnd(damaged []byte, lost []lostMessages, at message.LogOffset, storedAt int64) (p []byte, without int64, err error) {
	onlyMarker := len(damaged) <= message.EndOfFileSize || len(bytes.Trim(damaged[message.EndOfFileSize:], "\x00")) == 0
	if onlyMarker || len(damaged) < bridgeOverhead+message.EndOfFileSize {
		return message.AppendEndOfFile(nil, int32(len(damaged))), 0, nil
	}
	p, without, err = bridgeOver(damaged[:len(damaged)-message.EndOfFileSize], lost, at, storedAt)
	return message.AppendEndOfFile(p, message.EndOfFileSize), without, err
}

// bridge is where one stands.
type bridge struct {
	log    message.LogOffset
	size   int32
	stored int64
}

func bridgeOf(r *message.Record) bridge { return bridge{r.LogOffset, r.TotalSize, r.StoredAt} }

// filler is the entry, in the simple layout, of a message that the bridge stands for.
func (b bridge) filler(number message.QueueOffset) entry {
	return entry{number: number, count: 1, log: b.log, size: b.size, tagHash: bridgeTag}
}

// fillerCountMax is how many messages one entry of the batch layout can stand for.
const fillerCountMax = 1<<15 - 1

// fillers are the entries of lost messages: one for each, or, in the batch layout, one for many.
func (b bridge) fillers(l *layout, lost lostMessages) (entries []entry) {
	for lost.count > 0 {
		e := b.filler(lost.first)
		if l.batch {
			e.count, e.stored = min(lost.count, fillerCountMax), b.stored
		}
		entries = append(entries, e)
		lost.first, lost.count = e.next(), lost.count-e.count
	}
	return entries
}

// gap allows the numbers of a queue to go on behind a bridge.
type gap struct{ bridges []bridge }

func (g *gap) note(r *message.Record) { g.bridges = append(g.bridges, bridgeOf(r)) }

// between reports whether a bridge stands between two places.
func (g *gap) between(from, to message.LogOffset) bool {
	_, ok := g.over(simpleLayout, from, to, 1)
	return ok
}

// over returns the last bridge between two places, if those there have room for so many messages of a queue. One record of a queue of
// batches may have held thousands.
func (g *gap) over(l *layout, from, to message.LogOffset, messages int64) (last bridge, ok bool) {
	room := int64(0)
	for _, b := range g.bridges {
		if b.log >= from && b.log <= to {
			records := int64(b.size/recordHead) + 1
			if l.batch {
				records *= fillerCountMax
			}
			last, room = b, room+records
		}
	}
	return last, messages > 0 && messages <= room
}
