package store_test

import (
	"errors"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// fuzzed are the files of a directory that a fuzzer has changed.
type fuzzed struct {
	log, queue, checkpoint []byte
	crashed                bool
}

// put places the files. What they lack at their ends is zero.
func (f fuzzed) put(w *world, options store.Options) error {
	return w.do(func(e env.Env) error {
		queue := f.queue[:min(len(f.queue), int(options.QueueSegmentEntries)*20)]
		log := f.log[:min(len(f.log), int(options.LogSegmentSize))]
		err := errors.Join(
			putFile(e, "commitlog/00000000000000000000", log, options.LogSegmentSize),
			putFile(e, "consumequeue/A/0/00000000000000000000", queue, options.QueueSegmentEntries*20),
			putFile(e, "checkpoint", f.checkpoint, int64(len(f.checkpoint))))
		if f.crashed {
			err = errors.Join(err, putFile(e, "abort", nil, 0))
		}
		return err
	})
}

func putFile(e env.Env, name string, p []byte, size int64) error {
	f, err := e.Disk.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(f.WriteAt(p, 0), f.Truncate(size), f.Sync(0, size), f.Close())
}

// Whatever the bytes are: Open gives a store or a clear error and never panics; every message that the
// store shows is whole and where it says, or its queue is reported as damaged; the store takes messages, and these
// survive a crash; and once it was closed with whole queues, Check has nothing against the log's end.
func FuzzOpen(f *testing.F) {
	files := golden(f)
	log, queue, checkpoint := files["commitlog/00000000000000000000"][:400], files["consumequeue/A/0/00000000000000000000"], files["checkpoint"][:68]
	f.Add(log, queue, checkpoint, false)
	f.Add(log, queue, checkpoint, true)
	f.Add(log[:250], queue, []byte{}, true)
	f.Add(log, queue[:20], checkpoint, true)
	f.Add(append([]byte{}, log[122:]...), queue, checkpoint, true)
	f.Add([]byte{}, queue, []byte{}, false)
	f.Add(log, append(queue[20:40:40], queue[:20]...), []byte{}, true)
	f.Fuzz(func(t *testing.T, log, queue, checkpoint []byte, crashed bool) {
		w := newWorld(1, goldenOptions)
		defer w.kernel.Close()
		require.NoError(t, fuzzed{log, queue, checkpoint, crashed}.put(w, goldenOptions))
		_, err := w.check()
		require.NoError(t, err)
		if err := w.do(w.useArbitrary); err != nil {
			requireClear(t, err)
			return
		}
		w.machine.Crash(sim.PowerLoss)
		require.NoError(t, w.do(func(e env.Env) error {
			s, err := store.Open(e, w.options)
			if err != nil {
				return err
			}
			return w.findSent(s)
		}))
	})
}

// requireClear accepts only errors that say what is wrong with the files.
func requireClear(t *testing.T, err error) {
	t.Helper()
	require.NotErrorIs(t, err, errStuck)
	require.NotErrorIs(t, err, segment.ErrGap, "a look outside the files")
	require.NotContains(t, err.Error(), "panic")
	require.Regexp(t, "contradict|files are missing|the topic|queue number", err.Error())
}

// useArbitrary opens a store on arbitrary files, reads all, and sends a message.
func (w *world) useArbitrary(e env.Env) error {
	s, err := store.Open(e, w.options)
	if err != nil {
		return err
	}
	for _, key := range s.Queues() {
		err := readQueue(s, key, func(r *message.Record) error {
			if string(r.Topic) != key.Topic || r.QueueID != key.ID {
				return errors.New("a message of another queue was shown")
			}
			return nil
		})
		if err != nil && !errors.Is(err, store.ErrDamaged) {
			return err
		}
	}
	if status := w.ledger.send(e, s, store.QueueKey{Topic: "A", ID: 0}, 100); status != store.AppendOK {
		return errors.New("a message was not taken: " + status.String())
	}
	return w.findSent(s)
}

// findSent looks for the message that was sent last.
func (w *world) findSent(s *store.Store) error {
	sent := w.ledger.messages[len(w.ledger.messages)-1]
	result, err := s.Read(store.ReadRequest{Queue: sent.key, From: sent.place.Queue, CountMax: 1, BytesMax: 1}, nil)
	if err != nil {
		return err
	}
	for r, err := range message.DecodeRecords(result.Bytes, true) {
		if err == nil && string(r.Body) == sent.body && r.QueueOffset == sent.place.Queue {
			return nil
		}
	}
	return errors.New("the message that was sent is not there: " + result.Status.String())
}
