//go:build interop

package interop_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// storeOptions make files of all kinds roll after some messages.
func storeOptions() store.Options {
	return store.Options{
		LogSegmentSize: 256 << 10, BodySizeMax: 64 << 10, QueueSegmentEntries: 50, BatchSegmentEntries: 50,
		BatchQueues: func(topic string) bool { return topic == batchTopic },
		Index:       index.Sizes{Slots: 100, Items: 300}, Zone: time.Local,
		// What a crash leaves is to be half saved.
		SaveQueuesEvery: 20 * time.Millisecond, CheckpointEvery: 50 * time.Millisecond,
		// How full the machine's disk is must not decide.
		DiskUse: store.DiskUse{Expire: 0.97, Force: 0.98, Refuse: 0.99}, NeverForce: true,
	}
}

// inWorld runs a task in a world of its own over a directory, and waits until nothing of it runs any more.
func inWorld(directory string, task func(e env.Env) error) error {
	world, err := osenv.New(osenv.Options{Node: "store", Root: directory})
	if err != nil {
		return err
	}
	world.Run(func(e env.Env) { err = task(e) })
	world.Wait()
	return err
}

// withOurStore opens a directory with Gantry's store, uses it and closes it.
func withOurStore(t *testing.T, directory string, use func(e env.Env, s *store.Store) error) {
	t.Helper()
	require.NoError(t, inWorld(directory, func(e env.Env) error {
		s, err := store.Open(e, storeOptions())
		if err != nil {
			return err
		}
		return errors.Join(use(e, s), s.Close())
	}))
}

// checkOurs verifies a closed directory.
func checkOurs(t *testing.T, directory string) (report store.CheckReport) {
	t.Helper()
	require.NoError(t, inWorld(directory, func(e env.Env) (err error) {
		report, err = store.Check(e, storeOptions(), nil)
		return err
	}))
	t.Logf("%v\n%s", report, report.Findings())
	return report
}

// takeStock reads every queue to its end.
func takeStock(s *store.Store) (inventory, error) {
	all := inventory{}
	for _, key := range s.Queues() {
		first, end := s.Bounds(key)
		messages, err := readQueue(s, key, first, end)
		if err != nil {
			return nil, err
		}
		all[key] = &stock{int64(first), int64(end), messages}
	}
	return all, nil
}

func readQueue(s *store.Store, key store.QueueKey, first, end message.QueueOffset) (messages []kept, err error) {
	for at := first; at < end; {
		result, err := s.Read(store.ReadRequest{Queue: key, From: at, CountMax: 32, BytesMax: 256 << 10}, nil)
		if err != nil {
			return nil, err
		}
		if result.Status != store.ReadFound || result.Next != at+message.QueueOffset(result.Count) {
			return nil, fmt.Errorf("%s from %d: %v, next %d", key, at, result.Status, result.Next)
		}
		for r, err := range message.DecodeRecords(result.Bytes, true) {
			if err != nil {
				return nil, fmt.Errorf("%s from %d: %w", key, at, err)
			}
			raw := result.Bytes[:r.TotalSize:r.TotalSize]
			result.Bytes = result.Bytes[r.TotalSize:]
			messages = append(messages, kept{log: int64(r.LogOffset), raw: raw, messages: messagesIn(r)})
		}
		at = result.Next
	}
	return messages, nil
}

// findOurs answers queries by key.
func findOurs(s *store.Store, queries []keyQuery) (map[keyQuery][]int64, error) {
	found := map[keyQuery][]int64{}
	for _, query := range queries {
		result, err := s.FindByKey(store.KeyQuery{Topic: query.Topic, Key: query.Key, To: math.MaxInt64, CountMax: 64, BytesMax: 16 << 20})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", query, err)
		}
		if !result.Complete {
			return nil, fmt.Errorf("%s: the index is only up to %v", query, result.IndexedTo)
		}
		found[query] = nil
		for r, err := range message.DecodeRecords(result.Bytes, true) {
			if err != nil {
				return nil, fmt.Errorf("%s: %w", query, err)
			}
			found[query] = append(found[query], int64(r.LogOffset))
		}
	}
	return found, nil
}

// posting is one append that is waited for.
type posting struct {
	result  store.AppendResult
	place   store.Place
	done    bool
	changed env.Cond
}

// Appended notes the outcome.
func (p *posting) Appended(result store.AppendResult) {
	p.result, p.done = result, true
	if len(result.Places) == 1 {
		p.place = result.Places[0]
	}
	p.changed.Broadcast()
}

// postLetters appends letters, some at a time, and tells where each is when it is acknowledged.
func postLetters(e env.Env, s *store.Store, letters []letter, stored func(number int, at store.Place)) error {
	const together = 20
	for first := 0; first < len(letters); first += together {
		batch := letters[first:min(first+together, len(letters))]
		posted := make([]*posting, len(batch))
		for i := range batch {
			posted[i] = &posting{changed: e.Tasks.NewCond()}
			s.Append(batch[i].key(), []message.Record{batch[i].record()}, posted[i])
		}
		s.Kick()
		for i, p := range posted {
			for !p.done {
				p.changed.Wait()
			}
			if p.result.Status != store.AppendOK {
				return fmt.Errorf("letter %d: %v: %s", first+i, p.result.Status, p.result.Reason)
			}
			stored(first+i, p.place)
		}
	}
	return nil
}
