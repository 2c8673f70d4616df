package store_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
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
// store shows is whole and where it says, or its queue is reported as damaged; and the store takes messages, which
// survive a power loss. Check copes with all of it.
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
		w.openArbitrary(t, fuzzed{log, queue, checkpoint, crashed})
	})
}

// Records that are whole, and entries and a checkpoint that are well formed, but fit each other only by chance.
func TestPropOpenCopesWithFilesThatContradictEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(1, goldenOptions)
		defer w.kernel.Close()
		f := fuzzed{crashed: rapid.Bool().Draw(t, "crashed")}
		var places []int
		for range rapid.IntRange(0, 8).Draw(t, "records") {
			places = append(places, len(f.log))
			f.log = appendArbitrary(t, f.log)
		}
		for range rapid.IntRange(0, 4).Draw(t, "entries") {
			f.queue = binary.BigEndian.AppendUint64(f.queue, uint64(rapid.SampledFrom(append(places, 0, len(f.log))).Draw(t, "place")))
			f.queue = binary.BigEndian.AppendUint32(f.queue, rapid.SampledFrom([]uint32{0, 94, 95, 1<<31 - 1, 1 << 31}).Draw(t, "size"))
			f.queue = binary.BigEndian.AppendUint64(f.queue, 0)
		}
		saved := rapid.SampledFrom(append(places, 0, len(f.log))).Draw(t, "saved")
		f.checkpoint = store.EncodeCheckpoint(w.content("checkpoint"), 0, message.LogOffset(saved), rapid.Int64Range(0, 5).Draw(t, "stated"))
		w.openArbitrary(t, f)
	})
}

// appendArbitrary adds a record as a Java broker writes it, for a queue and with a number drawn from few.
func appendArbitrary(t *rapid.T, log []byte) []byte {
	r := oracle.RecordOf(&oracle.Sent{Key: store.QueueKey{
		Topic: rapid.SampledFrom([]string{"A", "A", "A", "B", "..", "a/b"}).Draw(t, "topic"),
		ID:    rapid.SampledFrom([]int32{0, 0, 0, 1, -1}).Draw(t, "queue"),
	}})
	r.Properties = nil
	r.SysFlags = r.SysFlags.WithTransaction(rapid.SampledFrom([]message.Transaction{0, 0, 0, message.TransactionPrepared, message.TransactionCommitted}).Draw(t, "type"))
	r.Body = make([]byte, rapid.IntRange(0, 3).Draw(t, "body"))
	at := len(log)
	log, err := message.AppendRecord(log, &r)
	require.NoError(t, err)
	number := rapid.OneOf(rapid.Int64Range(0, 4), rapid.Int64()).Draw(t, "number")
	message.PatchRecord(log[at:], message.QueueOffset(number), message.LogOffset(at), 1)
	return log
}

// openArbitrary opens a store on arbitrary files, uses it, and opens it again after a power loss.
func (w *world) openArbitrary(t require.TestingT, files fuzzed) {
	require.NoError(t, files.put(w, goldenOptions))
	report, err := w.check()
	require.NoError(t, err)
	if err := w.do(w.useArbitrary); err != nil {
		requireClear(t, err)
		return
	}
	w.machine.Crash(sim.PowerLoss)
	err = w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		if err != nil {
			return err
		}
		return w.findSent(s)
	})
	if err != nil && len(report.Damage) > 0 {
		// A lie in front of the checkpoint may come out only when the whole log is read.
		requireClear(t, err)
		return
	}
	require.NoError(t, err)
}

// requireClear accepts only errors that say what is wrong with the files.
func requireClear(t require.TestingT, err error) {
	require.NotErrorIs(t, err, errStuck)
	require.NotErrorIs(t, err, segment.ErrGap, "a look outside the files")
	require.NotContains(t, err.Error(), "panic")
	require.Regexp(t, "contradict|is damaged in|files are missing|the topic|queue number|no message number", err.Error())
}

// useArbitrary opens a store on arbitrary files, reads all, and sends a message.
func (w *world) useArbitrary(e env.Env) error {
	s, err := store.Open(e, w.options)
	if err != nil {
		return err
	}
	for _, key := range s.Queues() {
		err := oracle.EachMessage(s, key, func(r *message.Record) error {
			if string(r.Topic) != key.Topic || r.QueueID != key.ID {
				return errors.New("a message of another queue was shown")
			}
			return nil
		})
		if err != nil && !errors.Is(err, store.ErrDamaged) {
			return err
		}
	}
	if status := w.ledger.Send(e, s, store.QueueKey{Topic: "A", ID: 0}, 100); status != store.AppendOK {
		return errors.New("a message was not taken: " + status.String())
	}
	return w.findSent(s)
}

// findSent looks for the message that was sent last.
func (w *world) findSent(s *store.Store) error {
	sent := w.ledger.Messages[len(w.ledger.Messages)-1]
	result, err := s.Read(store.ReadRequest{Queue: sent.Key, From: sent.Place.Queue, CountMax: 1, BytesMax: 1}, nil)
	if err != nil {
		return err
	}
	for r, err := range message.DecodeRecords(result.Bytes, true) {
		if err == nil && string(r.Body) == sent.Body && r.QueueOffset == sent.Place.Queue {
			return nil
		}
	}
	return errors.New("the message that was sent is not there: " + result.Status.String())
}
