package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/transport/message"
)

// KeyQuery asks for messages by key.
type KeyQuery struct {
	Topic    string
	Key      string // one of its business keys, or its unique id
	UniqueID bool   // only a unique id matches
	From, To int64  // wall milliseconds when it was stored, both included
	CountMax int
	BytesMax int // of all records; the first one is returned whatever its size
}

// KeyResult is what a query found.
type KeyResult struct {
	Bytes []byte // whole records, in the order of the log
	Count int
	// IndexedTo is how far the index is: all messages before it were found. IndexedAt is the store time of the
	// newest record with keys, wall milliseconds.
	IndexedTo message.LogOffset
	IndexedAt int64
	Complete  bool // nothing that was confirmed before the query is missing
}

// queryPatience is how long a query waits for an index that is behind. It may be behind for long after it was lost.
const queryPatience = time.Second

// ErrNoIndex: the index is switched off.
var ErrNoIndex = errors.New("messages cannot be found by key: the key index is switched off (messageIndexEnable)")

// FindByKey returns the newest messages of a topic with a key. Keys are compared exactly, so no other message with the same hash is
// among them. It waits for the index to be as far as the log is now, and for the disk.
func (s *Store) FindByKey(q KeyQuery) (KeyResult, error) {
	k := &s.keys
	if k.files == nil {
		return KeyResult{}, ErrNoIndex
	}
	complete := k.reach(s.Confirmed())
	var found [][]byte
	size, seen := 0, map[message.LogOffset]bool{}
	hash := message.IndexKeyHash([]byte(q.Topic), []byte(q.Key))
	err := k.files.Search(hash, q.From, q.To, func(at message.LogOffset) (bool, error) {
		if seen[at] {
			return true, nil // a message may have one key twice, and a Java broker may have added it twice
		}
		raw, err := s.matching(at, &q)
		if err != nil || raw == nil {
			return err == nil, err
		}
		if len(found) > 0 && size+len(raw) > q.BytesMax {
			return false, nil
		}
		seen[at], size, found = true, size+len(raw), append(found, raw)
		return len(found) < max(q.CountMax, 1), nil
	})
	if s.released {
		// What was removed for good and what was closed look the same from within.
		err = ErrClosed
	}
	if err != nil {
		return KeyResult{}, err
	}
	slices.SortFunc(found, func(a, b []byte) int {
		first, _ := message.PeekLogOffset(a)
		second, _ := message.PeekLogOffset(b)
		return cmp.Compare(first, second)
	})
	return KeyResult{Bytes: slices.Concat(found...), Count: len(found), IndexedTo: k.files.Next(), IndexedAt: k.files.EndAt(), Complete: complete}, nil
}

// reach waits until the index is as far as the log. It reports false if that takes too long.
func (k *keyIndex) reach(target message.LogOffset) bool {
	deadline := k.store.env.Clock.Now().Add(queryPatience)
	for k.files.Next() < target && !k.ended {
		k.hurry.Signal()
		if !k.moved.WaitUntil(deadline) {
			break
		}
	}
	return k.files.Next() >= target && k.skipped == 0
}

// matching reads a record that may have the key. It returns nil if it has not, or is gone.
func (s *Store) matching(at message.LogOffset, q *KeyQuery) ([]byte, error) {
	if at < s.Start() || at >= s.Confirmed() {
		return nil, nil
	}
	raw, err := s.RecordBytes(at)
	if errors.Is(err, ErrNoRecord) || at < s.Start() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r message.Record
	if _, err := message.DecodeRecord(raw, &r, false); err != nil {
		return nil, fmt.Errorf("%v: %w", at, err)
	}
	if string(r.Topic) != q.Topic || r.StoredAt < q.From || r.StoredAt > q.To || s.isDropped(&r) || s.isHidden(&r) || !hasKey(&r, q) {
		return nil, nil
	}
	return raw, nil
}

func hasKey(r *message.Record, q *KeyQuery) bool {
	if q.UniqueID {
		id, ok := message.PropertyBytes(r.Properties, message.PropertyUniqueID)
		return ok && string(id) == q.Key
	}
	for key := range message.IndexKeys(r.Properties) {
		if string(key) == q.Key {
			return true
		}
	}
	return false
}
