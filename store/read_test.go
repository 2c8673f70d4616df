package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// opened runs a task on an open store of its own and closes it.
func opened(t *testing.T, options store.Options, task func(w *world, e env.Env, s *store.Store)) {
	t.Helper()
	w := newWorld(1, options)
	defer w.kernel.Close()
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		task(w, e, s)
		return nil
	}))
}

// read asks for messages with generous limits.
func read(t *testing.T, s *store.Store, key store.QueueKey, from message.QueueOffset) store.ReadResult {
	t.Helper()
	result, err := s.Read(store.ReadRequest{Queue: key, From: from, CountMax: 32, BytesMax: 1 << 20}, nil)
	require.NoError(t, err)
	return result
}

func TestReadStatusesAndNextOffsets(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		require.Equal(t, store.ReadResult{Status: store.ReadNoMatchedLogicQueue}, read(t, s, key0, 0))
		require.Equal(t, store.ReadResult{Status: store.ReadNoMatchedLogicQueue}, read(t, s, key0, 7))
		a := w.ledger.Append(e, s, key0, 100, 100, 100)
		require.Equal(t, store.ReadNoMessageInQueue, read(t, s, key0, 0).Status, "the queue is there, and nothing is confirmed")
		require.Zero(t, read(t, s, key0, 5).Next)
		s.Kick()
		require.Equal(t, store.AppendOK, a.Wait())
		for _, c := range []struct {
			from   message.QueueOffset
			status store.ReadStatus
			next   message.QueueOffset
			count  int
		}{
			{-1, store.ReadOffsetTooSmall, 0, 0},
			{0, store.ReadFound, 3, 3},
			{2, store.ReadFound, 3, 1},
			{3, store.ReadOffsetOverflowOne, 3, 0},
			{4, store.ReadOffsetOverflowBadly, 3, 0},
			{1 << 60, store.ReadOffsetOverflowBadly, 3, 0},
		} {
			result := read(t, s, key0, c.from)
			require.Equal(t, c.status, result.Status, "from %d", c.from)
			require.Equal(t, c.next, result.Next, "from %d", c.from)
			require.Equal(t, c.count, result.Count, "from %d", c.from)
			require.EqualValues(t, 0, result.Min)
			require.EqualValues(t, 3, result.Max)
		}
	})
}

func TestReadKeepsToItsLimits(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		for range 40 {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 500))
		}
		size := len(read(t, s, key0, 0).Bytes) / 32
		for _, c := range []struct{ count, bytes, found int }{
			{1, 1 << 20, 1},
			{10, 1 << 20, 10},
			{100, 1 << 20, 40},
			{1<<31 - 1, 1 << 20, 40},
			{0, 1 << 20, 1},
			{-1, -1, 1},
			{10, 1, 1}, // the first one is returned whatever its size
			{10, 3 * size, 3},
			{10, 3*size - 1, 2},
		} {
			result, err := s.Read(store.ReadRequest{Queue: key0, CountMax: c.count, BytesMax: c.bytes}, nil)
			require.NoError(t, err)
			require.Equal(t, c.found, result.Count, "%+v", c)
			require.EqualValues(t, c.found, result.Next, "%+v", c)
			require.Len(t, result.Bytes, c.found*size)
		}
	})
}

func TestReadUsesTheCallersMemoryIfItSuffices(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		w.ledger.Send(e, s, key0, 500)
		buffer := make([]byte, 10, 4096)
		result, err := s.Read(store.ReadRequest{Queue: key0, CountMax: 1, BytesMax: 1}, buffer)
		require.NoError(t, err)
		require.Same(t, &buffer[0], &result.Bytes[0])
		result, err = s.Read(store.ReadRequest{Queue: key0, CountMax: 1, BytesMax: 1}, make([]byte, 10))
		require.NoError(t, err)
		require.Greater(t, len(result.Bytes), 500)
	})
}

// The tags of the ledger are tag0, tag1, tag2 in turn.
func TestReadFiltersByTag(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		for range 30 {
			w.ledger.Send(e, s, key0, 100)
		}
		only := func(tag string) func(int64) bool {
			return func(hash int64) bool { return hash == message.TagHash([]byte(tag)) }
		}
		result, err := s.Read(store.ReadRequest{Queue: key0, From: 1, CountMax: 4, BytesMax: 1 << 20, Matches: only("tag2")}, nil)
		require.NoError(t, err)
		require.Equal(t, store.ReadFound, result.Status)
		require.EqualValues(t, 14, result.Next, "messages 2, 5, 8, 11, and 12 and 13 were looked at")
		var found []message.QueueOffset
		for r, err := range message.DecodeRecords(result.Bytes, true) {
			require.NoError(t, err)
			found = append(found, r.QueueOffset)
		}
		require.Equal(t, []message.QueueOffset{2, 5, 8, 11}, found)

		result, err = s.Read(store.ReadRequest{Queue: key0, From: 3, CountMax: 4, BytesMax: 1 << 20, Matches: only("none")}, nil)
		require.NoError(t, err)
		require.Equal(t, store.ReadNoMatchedMessage, result.Status)
		require.EqualValues(t, 30, result.Next)
		require.Empty(t, result.Bytes)
	})
}

func TestAFilteredReadLooksAtNoMoreThan800Entries(t *testing.T) {
	options := small(store.AsyncFlush)
	options.QueueSegmentEntries = 300
	opened(t, options, func(w *world, e env.Env, s *store.Store) {
		sizes := make([]int, 100)
		for range 10 {
			w.ledger.Send(e, s, key0, sizes...)
		}
		e.Tasks.Sleep(20 * time.Millisecond) // some entries are in files, some in memory
		for range 2 {
			w.ledger.Send(e, s, key0, sizes...)
		}
		nothing := func(int64) bool { return false }
		result, err := s.Read(store.ReadRequest{Queue: key0, From: 50, CountMax: 32, BytesMax: 1, Matches: nothing}, nil)
		require.NoError(t, err)
		require.EqualValues(t, 850, result.Next)
		result, err = s.Read(store.ReadRequest{Queue: key0, From: 850, CountMax: 32, BytesMax: 1, Matches: nothing}, nil)
		require.NoError(t, err)
		require.EqualValues(t, 1200, result.Next)
	})
}

func TestRecordBytesFindsExactlyWhereARecordBegins(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		for range 9 {
			w.ledger.Send(e, s, key0, 14_000)
		}
		var last message.LogOffset
		for _, m := range w.ledger.Messages {
			p, err := s.RecordBytes(m.Place.Log)
			require.NoError(t, err)
			var r message.Record
			_, err = message.DecodeRecord(p, &r, true)
			require.NoError(t, err)
			require.Equal(t, m.Body, string(r.Body))
			if last = m.Place.Log; r.QueueOffset == 6 {
				require.EqualValues(t, 96<<10, last, "the seventh record begins the second file")
			}
		}
		marker := w.ledger.Messages[5].Place.Log + (w.ledger.Messages[5].Place.Log - w.ledger.Messages[4].Place.Log)
		for _, at := range []message.LogOffset{-1, 1, last - 1, last + 1, marker, s.Confirmed(), s.Confirmed() + 1, 1 << 60} {
			_, err := s.RecordBytes(at)
			require.Error(t, err, "%v", at)
		}
	})
}

func TestNothingUnconfirmedIsShown(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		w.ledger.Send(e, s, key0, 100)
		o := sim.DefaultDisk()
		o.StuckUntil = e.Clock.Now().Add(time.Second)
		w.machine.Disk().SetOptions(o)
		end := s.Confirmed()
		a := w.ledger.Append(e, s, key0, 100)
		s.Kick()
		require.Greater(t, s.Written(), end)
		require.Equal(t, end, s.Confirmed())
		require.Equal(t, store.ReadOffsetOverflowOne, read(t, s, key0, 1).Status)
		_, err := s.RecordBytes(end)
		require.Error(t, err)
		require.False(t, a.Answered)
		require.Equal(t, store.AppendOK, a.Wait())
		require.Equal(t, store.ReadFound, read(t, s, key0, 1).Status)
	})
}

func TestArrivedTellsOfMessagesThatCanBeReadNow(t *testing.T) {
	var told []string
	options := small(store.SyncFlush)
	options.Arrived = func(key store.QueueKey, offset message.QueueOffset, tagHash int64) {
		told = append(told, fmt.Sprintf("%v %d %v", key, offset, tagHash == message.TagHash([]byte("tag1"))))
	}
	opened(t, options, func(w *world, e env.Env, s *store.Store) {
		w.ledger.Append(e, s, key0, 100, 100)
		a := w.ledger.Append(e, s, store.QueueKey{Topic: "other", ID: 3}, 100)
		require.Empty(t, told)
		s.Kick()
		a.Wait()
		require.Equal(t, []string{"topic-0 0 false", "topic-0 1 true", "other-3 0 false"}, told)
	})
}

func TestOffsetAtFindsMessagesByStoreTime(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		var times []int64
		for range 10 {
			w.ledger.Send(e, s, key0, 100, 100)
			at, ok, err := s.StoredAt(key0, message.QueueOffset(2*len(times)))
			require.NoError(t, err)
			require.True(t, ok)
			times = append(times, at)
			e.Tasks.Sleep(5 * time.Millisecond)
		}
		for i, at := range times {
			requireOffsetAt(t, s, at, false, 2*i)
			requireOffsetAt(t, s, at, true, 2*i+2)
			requireOffsetAt(t, s, at+1, false, 2*i+2)
			requireOffsetAt(t, s, at-1, true, 2*i)
		}
		_, ok, err := s.StoredAt(key0, 20)
		require.NoError(t, err)
		require.False(t, ok)
		offset, err := s.OffsetAt(store.QueueKey{Topic: "none"}, times[3], false)
		require.NoError(t, err)
		require.Zero(t, offset)
	})
}

func requireOffsetAt(t *testing.T, s *store.Store, wall int64, upper bool, want int) {
	t.Helper()
	offset, err := s.OffsetAt(key0, wall, upper)
	require.NoError(t, err)
	require.EqualValues(t, want, offset, "at %d, upper %v", wall, upper)
}

// Files of the log are removed while the store is open; the queue still begins with their messages.
func TestReadPassesOverMessagesThatWereRemoved(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		for range 12 {
			w.ledger.Send(e, s, key0, 14_000)
		}
		require.NoError(t, store.RemoveLogBefore(s, 96<<10))
		for _, c := range []struct {
			from   message.QueueOffset
			count  int
			status store.ReadStatus
			next   message.QueueOffset
			found  int
		}{
			{0, 32, store.ReadFound, 12, 6},
			{0, 3, store.ReadMessageWasRemoving, 3, 0},
			{3, 3, store.ReadMessageWasRemoving, 6, 0},
			{5, 3, store.ReadFound, 8, 2},
		} {
			result, err := s.Read(store.ReadRequest{Queue: key0, From: c.from, CountMax: c.count, BytesMax: 1 << 20}, nil)
			require.NoError(t, err)
			require.Equal(t, c.status, result.Status, "%+v", c)
			require.Equal(t, c.next, result.Next, "%+v", c)
			require.Equal(t, c.found, result.Count, "%+v", c)
		}
	})
}

// A queue file of a closed store is damaged in an entry that a start does not look at; the log is not.
func TestReadsOfADamagedQueueFailAndSayWhatToDo(t *testing.T) {
	for _, flip := range []struct {
		at   int64 // in the entry of message 3
		bits byte
	}{{0, 0x80}, {4, 1}, {7, 1}, {8, 0x80}, {8, 1}, {11, 1}, {10, 0xff}} {
		w := newWorld(1, small(store.SyncFlush))
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			w.ledger.Send(e, s, key0, 100, 100, 100, 100, 100, 100)
			return nil
		}))
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			// An open store has no reason to look at it again before it is read.
			require.True(t, w.machine.Disk().Corrupt("consumequeue/topic/0/00000000000000000000", 3*20+flip.at, flip.bits))
			_, err := s.Read(store.ReadRequest{Queue: key0, From: 3, CountMax: 10, BytesMax: 1 << 20}, nil)
			require.ErrorIs(t, err, store.ErrDamaged, "%+v", flip)
			require.ErrorContains(t, err, "message 3")
			result, err := s.Read(store.ReadRequest{Queue: key0, From: 0, CountMax: 10, BytesMax: 1 << 20}, nil)
			require.NoError(t, err, "%+v", flip)
			require.EqualValues(t, 3, result.Next, "what stands before is read")
			_, _, _ = s.StoredAt(key0, 3)
			_, _ = s.OffsetAt(key0, 5, true)
			return nil
		}))
		w.kernel.Close()
	}
}

// Of messages that are not among the newest, one read returns few, and advises to ask a slave.
func TestAReadOfOldMessagesIsSmallAndSaysThatTheyAreCold(t *testing.T) {
	options := small(store.SyncFlush)
	options.Cached, options.ColdCountMax, options.ColdBytesMax = 10_000, 3, 4_000
	opened(t, options, func(w *world, e env.Env, s *store.Store) {
		for range 40 {
			w.ledger.Send(e, s, key0, 857) // 1000 bytes each
		}
		size := len(read(t, s, key0, 39).Bytes)
		require.Equal(t, 1000, size)
		for _, c := range []struct {
			from, count, bytes, found int
			cold                      bool
		}{
			{0, 32, 1 << 20, 3, true},
			{0, 2, 1 << 20, 2, true},
			{0, 32, 2_500, 2, true},
			{0, 32, 0, 1, true},
			{29, 32, 1 << 20, 3, false}, // it ends among the newest, and began before
			{30, 32, 1 << 20, 10, false},
			{35, 32, 1 << 20, 5, false},
		} {
			result, err := s.Read(store.ReadRequest{Queue: key0, From: message.QueueOffset(c.from), CountMax: c.count, BytesMax: c.bytes}, nil)
			require.NoError(t, err)
			if c.from == 29 {
				require.GreaterOrEqual(t, result.Count, c.found)
				continue
			}
			require.Equal(t, c.found, result.Count, "%+v", c)
			require.Equal(t, c.cold, result.Cold, "%+v", c)
		}
		// Everything can be read that way.
		for at, n := message.QueueOffset(0), 0; at < 40; n++ {
			result := read(t, s, key0, at)
			require.Equal(t, store.ReadFound, result.Status)
			require.Greater(t, result.Next, at)
			at = result.Next
			require.Less(t, n, 40)
		}
	})
}

// A run of messages is read at once; those before a damaged one are delivered, and it is not, wherever it is damaged.
func TestWhatStandsBeforeADamagedMessageIsReadAndNothingOfIt(t *testing.T) {
	for _, sizes := range [][]int{{100, 100, 100, 100, 100}, {9000, 9000, 9000, 9000, 9000}} {
		for victim := range message.QueueOffset(5) {
			opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
				w.ledger.Send(e, s, key0, sizes...)
				w.logByte(t, w.ledger.Messages[victim].Place.Log+95, 1)
				for from := range message.QueueOffset(5) {
					result, err := s.Read(store.ReadRequest{Queue: key0, From: from, CountMax: 32, BytesMax: 1 << 20}, nil)
					if from == victim {
						require.ErrorIs(t, err, store.ErrDamaged)
						require.ErrorContains(t, err, fmt.Sprintf("message %d", int64(victim)))
						require.Empty(t, result.Bytes)
						continue
					}
					require.NoError(t, err)
					want := 5 - from
					if from < victim {
						want = victim - from
					}
					require.EqualValues(t, want, result.Count)
					require.Equal(t, from+want, result.Next)
					number := from
					for r, err := range message.DecodeRecords(result.Bytes, true) {
						require.NoError(t, err)
						require.Equal(t, number, r.QueueOffset)
						number++
					}
					require.Equal(t, from+want, number)
				}
			})
		}
	}
}

// The read waits for the first of two files of a queue while both are removed.
func TestAReadWhoseQueueFileIsRemovedMeanwhileGoesOnBehindIt(t *testing.T) {
	w := newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for range 40 {
			w.ledger.Send(e, s, key0, 9_000)
		}
		return nil
	}))
	w.tidy()
	w.machine.StepWall(2 * time.Hour)
	require.NoError(t, w.do(func(e env.Env) error {
		w.meddler = &meddler{disk: w.machine.Disk()}
		e.Disk = meddledDisk{e.Disk, w.meddler}
		s, err := store.Open(e, w.options)
		require.NoError(t, err)
		waited := false
		w.meddler.before = func(_ int, call string) error {
			if call == "read "+firstQueue && !waited {
				waited = true
				s.CleanNow()
				e.Tasks.Sleep(300 * time.Millisecond)
				require.Greater(t, s.Start(), lastFile)
				require.Zero(t, w.count("consumequeue/topic/0/00000000000000000140"))
			}
			return nil
		}
		result := read(t, s, key0, 5)
		require.True(t, waited)
		require.Equal(t, store.ReadOffsetFoundNull, result.Status)
		require.EqualValues(t, 7, result.Next, "the first message of the next file")
		result = read(t, s, key0, 7)
		require.Equal(t, store.ReadOffsetTooSmall, result.Status)
		require.Equal(t, store.ReadFound, read(t, s, key0, result.Next).Status)
		return s.Close()
	}))
}

// An entry that leads in front of the log is not taken for one of a message that was removed if one before it leads to the log.
func TestADamagedEntryIsNotTakenForOneOfAMessageThatIsGone(t *testing.T) {
	w := filled(t)
	w.options.Retention = nil
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.NoError(t, store.RemoveLogBefore(s, secondFile))
		require.True(t, w.machine.Disk().Corrupt("consumequeue/topic/0/00000000000000000140", 5, 2), "the entry of message 7 leads 128 KiB too low")
		for _, matches := range []func(int64) bool{nil, func(int64) bool { return true }} {
			result, err := s.Read(store.ReadRequest{Queue: key0, From: 6, CountMax: 10, BytesMax: 1 << 20, Matches: matches}, nil)
			require.NoError(t, err)
			require.Equal(t, [2]int{1, 7}, [2]int{result.Count, int(result.Next)}, "what stands before is read")
			_, err = s.Read(store.ReadRequest{Queue: key0, From: 7, CountMax: 10, BytesMax: 1 << 20, Matches: matches}, nil)
			require.ErrorIs(t, err, store.ErrDamaged)
			require.Equal(t, 4, read(t, s, key0, 8).Count)
		}
		_, err := s.Read(store.ReadRequest{Queue: key0, From: 6, CountMax: 10, BytesMax: 1 << 20, Matches: func(int64) bool { return false }}, nil)
		require.ErrorIs(t, err, store.ErrDamaged, "nor by who looks for others")
		return nil
	}))
}

// Records of Java brokers have no checksum of their own, but their bodies have.
func TestADamagedBodyIsNotDeliveredThoughItsRecordHasNoChecksum(t *testing.T) {
	w := filled(t)
	const victim = 1 // message 1 of quiet-0
	m := w.ledger.Messages[victim]
	w.logByte(t, w.end(victim)-20, 1) // in the name of the checksum
	require.NoError(t, w.use(func(_ env.Env, s *store.Store) error {
		require.Equal(t, 2, read(t, s, quiet0, 1).Count, "it has none now")
		w.logByte(t, m.Place.Log+90, 1)
		_, err := s.Read(store.ReadRequest{Queue: quiet0, From: 1, CountMax: 1, BytesMax: 1 << 20}, nil)
		require.ErrorIs(t, err, store.ErrDamaged)
		return nil
	}))
}
