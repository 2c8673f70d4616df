package index_test

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
)

// record is one of a log: its place, when it was stored, and the hashes of its keys.
type record struct {
	at       message.LogOffset
	storedAt int64
	hashes   []int32
}

// recordSize is the length of each, so that records end where the next ones begin.
const recordSize = 100

// journal is the log from which an index is made, and the model of what a search finds.
type journal struct {
	records []record
	start   message.LogOffset // records before it are gone
}

func (j *journal) end() message.LogOffset { return message.LogOffset(len(j.records) * recordSize) }

// write adds a record.
func (j *journal) write(storedAt int64, hashes ...int32) {
	j.records = append(j.records, record{j.end(), storedAt, hashes})
}

// items are those of the records [from, to), as the store offers them.
func (j *journal) items(from, to message.LogOffset) []index.Item {
	var items []index.Item
	for _, r := range j.records[from/recordSize : to/recordSize] {
		for _, hash := range r.hashes {
			items = append(items, index.Item{Hash: hash, Log: r.at, StoredAt: r.storedAt})
		}
	}
	return items
}

// feed adds the records that an index lacks, up to a place.
func (j *journal) feed(x *index.Index, to message.LogOffset, wall int64) error {
	from := max(x.Next(), j.start)
	items := j.items(from, to)
	added, err := x.Add(items, to, wall)
	if err == nil && (added != len(items) || x.Next() != to) {
		err = fmt.Errorf("added %d of %d items, next %v", added, len(items), x.Next())
	}
	return err
}

// expect compares a search with the records before a place.
func (j *journal) expect(x *index.Index, before message.LogOffset, hash int32, from, to int64) error {
	var want, found []message.LogOffset
	for _, r := range slices.Backward(j.records[:before/recordSize]) {
		if r.at >= j.start && slices.Contains(r.hashes, hash) && r.storedAt >= from && r.storedAt <= to {
			want = append(want, r.at)
		}
	}
	last := message.LogOffset(math.MaxInt64)
	err := x.Search(hash, from, to, func(at message.LogOffset) (bool, error) {
		if at > last || at%recordSize != 0 || at >= before {
			return false, fmt.Errorf("found %v behind %v, where only records before %v are", at, last, before)
		}
		r := j.records[at/recordSize]
		if !slices.Contains(r.hashes, hash) {
			return false, fmt.Errorf("found %v, which has no key of hash %d", at, hash)
		}
		if at != last && at >= j.start && r.storedAt >= from && r.storedAt <= to {
			found = append(found, at)
		}
		last = at
		return true, nil
	})
	if err == nil && !slices.Equal(want, found) {
		err = fmt.Errorf("hash %d from %d to %d: found %v, want %v", hash, from, to, found, want)
	}
	return err
}

// expectAll compares searches for all hashes.
func (j *journal) expectAll(x *index.Index, before message.LogOffset) error {
	hashes := []int32{math.MaxInt32}
	for _, r := range j.records[:before/recordSize] {
		hashes = append(hashes, r.hashes...)
	}
	slices.Sort(hashes)
	for _, hash := range slices.Compact(hashes) {
		if err := j.expect(x, before, hash, 0, math.MaxInt64); err != nil {
			return err
		}
	}
	return nil
}

// verify inspects the files of a closed index.
func verify(disk env.Disk, sizes index.Sizes) error {
	x, err := index.Inspect(disk, sizes)
	if err != nil {
		return err
	}
	findings, err := x.Verify()
	if len(findings) > 0 {
		err = fmt.Errorf("%v", findings)
	}
	return errors.Join(err, x.Close())
}
