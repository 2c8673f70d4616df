package repeat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/gantrymq/gantry/transport/message"
)

// ErrDamaged: bytes are not those of a snapshot.
var ErrDamaged = errors.New("the snapshot of recent sends is damaged")

// Snapshot is a table at one moment. It shares nothing with the table, so it may be encoded without the baton.
type Snapshot struct {
	covered       message.LogOffset
	clock, latest int64
	senders       []sender // those that have been silent longest come first
}

// Snapshot copies the table. Covered is a place in the log: all records before it were added, and none behind it.
func (t *Table) Snapshot(covered message.LogOffset) *Snapshot {
	s := &Snapshot{covered: covered, clock: t.clock, latest: t.latest, senders: make([]sender, 0, len(t.producers))}
	for at := t.ring.next; at != &t.ring; at = at.next {
		s.senders = append(s.senders, sender{id: at.id, sends: slices.Clone(at.sends[at.head:]), floor: at.floor, at: at.at})
	}
	return s
}

// Covered is the place in the log up to which the snapshot knows all records.
func (s *Snapshot) Covered() message.LogOffset { return s.covered }

// Table is what the snapshot was taken of, within other limits perhaps.
func (s *Snapshot) Table(limits Limits) *Table {
	t := NewTable(limits)
	t.clock, t.latest = s.clock, s.latest
	for i := range s.senders {
		own := s.senders[i]
		if extra := len(own.sends) - limits.Window; extra > 0 {
			own.floor, own.head = own.sends[extra-1].sequence, extra
		}
		t.producers[own.id] = &own
		t.link(&own)
		t.sends += len(own.sends) - own.head
	}
	t.forget()
	return t
}

// snapshotMagic begins the bytes of a snapshot; its last byte is the version.
const snapshotMagic = "GANTRYS\x01"

// Encode writes the snapshot: the magic, and as variable-length numbers where it covers the log, both times, how many producers there are, and of each the id,
// its floor, its time, how many sends, and of each how much its numbers are above the last one's. The last four bytes are the CRC-32 of all others.
func (s *Snapshot) Encode() []byte {
	dst := append([]byte(nil), snapshotMagic...)
	for _, n := range []int64{int64(s.covered), s.clock, s.latest, int64(len(s.senders))} {
		dst = binary.AppendVarint(dst, n)
	}
	for i := range s.senders {
		dst = s.senders[i].encode(dst)
	}
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst))
}

func (s *sender) encode(dst []byte) []byte {
	dst = append(dst, s.id[:]...)
	for _, n := range []int64{s.floor, s.at, int64(len(s.sends))} {
		dst = binary.AppendVarint(dst, n)
	}
	last := send{sequence: s.floor}
	for _, e := range s.sends {
		dst = binary.AppendVarint(dst, e.sequence-last.sequence)
		dst = binary.AppendVarint(dst, int64(e.place.Log-last.place.Log))
		dst = binary.AppendVarint(dst, int64(e.place.Offset-last.place.Offset))
		dst = binary.AppendVarint(dst, int64(e.place.QueueID))
		dst = binary.BigEndian.AppendUint32(dst, e.place.Topic)
		last = e
	}
	return dst
}

// Decode reads a snapshot. Errors are ErrDamaged.
func Decode(text []byte) (*Snapshot, error) {
	end := len(text) - 4
	switch {
	case end < len(snapshotMagic) || string(text[:len(snapshotMagic)]) != snapshotMagic:
		return nil, fmt.Errorf("%w: it does not begin like one", ErrDamaged)
	case crc32.ChecksumIEEE(text[:end]) != binary.BigEndian.Uint32(text[end:]):
		return nil, fmt.Errorf("%w: it does not fit its checksum", ErrDamaged)
	}
	d := decoder{rest: text[len(snapshotMagic):end]}
	s := &Snapshot{covered: message.LogOffset(d.number()), clock: d.number(), latest: d.number()}
	seen := map[Producer]bool{}
	for count := d.number(); count > 0 && !d.bad; count-- {
		own := d.sender(int64(s.covered))
		d.require(!seen[own.id] && own.at <= s.clock)
		seen[own.id] = true
		s.senders = append(s.senders, own)
	}
	if d.require(s.covered >= 0 && len(d.rest) == 0); d.bad {
		return nil, fmt.Errorf("%w: its numbers cannot be", ErrDamaged)
	}
	return s, nil
}

// decoder reads numbers until one cannot be.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) require(ok bool) { d.bad = d.bad || !ok }

func (d *decoder) number() int64 {
	n, size := binary.Varint(d.rest)
	if d.require(size > 0); d.bad {
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// bytes returns the next ones, zeros if there are not enough.
func (d *decoder) bytes(size int) []byte {
	if d.require(len(d.rest) >= size); d.bad {
		return make([]byte, size)
	}
	taken := d.rest[:size]
	d.rest = d.rest[size:]
	return taken
}

// sender reads one producer, all of whose sends stand before a place in the log.
func (d *decoder) sender(covered int64) sender {
	s := sender{id: Producer(d.bytes(len(Producer{})))}
	s.floor, s.at = d.number(), d.number()
	last := send{sequence: s.floor}
	d.require(s.floor >= 0)
	for count := d.number(); count > 0 && !d.bad; count-- {
		e := send{sequence: last.sequence + d.number()}
		e.place.Log, e.place.Offset = last.place.Log+message.LogOffset(d.number()), last.place.Offset+message.QueueOffset(d.number())
		queue := d.number()
		e.place.QueueID, e.place.Topic = int32(queue), binary.BigEndian.Uint32(d.bytes(4))
		d.require(e.sequence > last.sequence && e.place.Log >= 0 && int64(e.place.Log) < covered && e.place.Offset >= 0 && queue >= 0 && int64(int32(queue)) == queue)
		s.sends = append(s.sends, e)
		last = e
	}
	return s
}
