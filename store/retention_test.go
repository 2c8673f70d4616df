package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// limited gives topics limits of their own.
func (w *world) limited(limits map[string]store.Retention) {
	w.tidy()
	w.options.Retention = func(topic string) store.Retention { return limits[topic] }
}

// bounds expects the messages of a queue that are shown.
func bounds(t *testing.T, s *store.Store, key store.QueueKey, first, end message.QueueOffset) {
	t.Helper()
	from, to := s.Bounds(key)
	require.Equal(t, [2]message.QueueOffset{first, end}, [2]message.QueueOffset{from, to}, "%v", key)
}

var quiet0, quiet11, topic1 = store.QueueKey{Topic: "quiet", ID: 0}, store.QueueKey{Topic: "quiet", ID: 11}, store.QueueKey{Topic: "topic", ID: 1}

func TestMessagesOlderThanTheirTopicKeepsThemAreNotShown(t *testing.T) {
	w := filled(t)
	w.limited(map[string]store.Retention{"topic": {Age: 10 * time.Minute}})
	w.machine.StepWall(time.Hour)
	for range 2 { // a restart knows it again
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			rounds(e)
			bounds(t, s, key0, 12, 12)
			bounds(t, s, quiet0, 0, 3)
			require.Equal(t, store.ReadResult{Status: store.ReadOffsetTooSmall, Next: 12, Min: 12, Max: 12}, read(t, s, key0, 11))
			require.Equal(t, store.ReadOffsetOverflowOne, read(t, s, key0, 12).Status)
			require.Zero(t, s.Start(), "the quiet messages hold the first file, and nothing has expired")
			return nil
		}))
	}
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		rounds(e)
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
		rounds(e)
		bounds(t, s, key0, 12, 13)
		require.Equal(t, 1, read(t, s, key0, 12).Count)
		e.Tasks.Sleep(11 * time.Minute)
		bounds(t, s, key0, 13, 13)
		return nil
	}))
}

func TestTheLimitOfAgeIsKeptToTheMillisecond(t *testing.T) {
	w := newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	w.limited(map[string]store.Retention{"topic": {Age: time.Second}})
	w.options.CleanEvery = time.Millisecond
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		w.ledger.Send(e, s, key0, 100)
		stored, _, err := s.StoredAt(key0, 0)
		require.NoError(t, err)
		var shown, hidden int64
		for hidden == 0 {
			if first, _ := s.Bounds(key0); first == 0 {
				shown = int64(e.Clock.Wall())
			} else {
				hidden = int64(e.Clock.Wall())
			}
			e.Tasks.Sleep(100 * time.Microsecond)
		}
		require.GreaterOrEqual(t, hidden, stored+1000)
		require.LessOrEqual(t, shown, stored+1003)
		return nil
	}))
}

func TestAFileGoesEarlyOnceNoMessageInItIsShown(t *testing.T) {
	w := filled(t)
	w.limited(map[string]store.Retention{"topic": {Age: 10 * time.Minute}, "quiet": {Age: 20 * time.Minute}})
	w.machine.StepWall(15 * time.Minute)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		rounds(e)
		require.Zero(t, s.Start())
		e.Tasks.Sleep(6 * time.Minute)
		require.Equal(t, lastFile, s.Start(), "at no hour of cleaning")
		require.Equal(t, store.Cleaned{Files: 2, Bytes: 192 << 10}, s.Cleaned(), "nobody lost anything")
		bounds(t, s, quiet0, 3, 3)
		bounds(t, s, key0, 12, 12)
		return nil
	}))
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		rounds(e)
		bounds(t, s, quiet0, 3, 3)
		bounds(t, s, key0, 12, 12)
		for _, key := range []store.QueueKey{quiet0, quiet11, key0, topic1} {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key, 100))
		}
		bounds(t, s, quiet11, 1, 2)
		bounds(t, s, topic1, 12, 13)
		return nil
	}))
	require.NoError(t, w.expectOrder())
}

func TestAQueueShowsNoMoreBytesThanItsTopicKeeps(t *testing.T) {
	const record = 9143 // of each message of the topic in a filled world
	for _, c := range []struct {
		bytes int64
		first message.QueueOffset
	}{{1, 12}, {record - 1, 12}, {record, 11}, {3*record + 5, 9}, {12*record - 1, 1}, {12 * record, 0}, {1 << 40, 0}} {
		w := filled(t)
		w.limited(map[string]store.Retention{"topic": {QueueBytes: c.bytes}})
		for range 2 {
			require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
				rounds(e)
				bounds(t, s, key0, c.first, 12)
				bounds(t, s, topic1, c.first, 12)
				bounds(t, s, quiet0, 0, 3)
				require.Zero(t, s.Cleaned())
				return nil
			}), "%+v", c)
		}
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			for n := range message.QueueOffset(5) {
				require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 9_000))
				rounds(e)
				if c.first > 0 {
					bounds(t, s, key0, c.first+n+1, 13+n)
				}
			}
			bounds(t, s, topic1, c.first, 12)
			return nil
		}), "%+v", c)
	}
}

// Messages come while the queue is measured: they count, too.
func TestMessagesThatComeWhileAQueueIsMeasuredCount(t *testing.T) {
	w := filled(t)
	const record = 9143
	w.limited(map[string]store.Retention{"topic": {QueueBytes: 6 * record}})
	require.NoError(t, w.do(func(e env.Env) error {
		w.meddler = &meddler{disk: w.machine.Disk()}
		disk := e
		disk.Disk = meddledDisk{e.Disk, w.meddler}
		s, err := store.Open(disk, w.options)
		require.NoError(t, err)
		sent := 0
		w.meddler.before = func(_ int, call string) error {
			if strings.HasPrefix(call, "read consumequeue/topic/0/") && sent < 4 {
				sent++
				require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 9_000))
			}
			return nil
		}
		rounds(e)
		require.Equal(t, 4, sent)
		w.meddler.before = nil
		rounds(e)
		bounds(t, s, key0, 10, 16)
		return s.Close()
	}))
}

// A read of the queue that fails must not make messages count twice.
func TestMeasuringAQueueGoesOnAfterAFailedRead(t *testing.T) {
	for failing := 1; failing < 12; failing++ {
		w := filled(t)
		const record = 9143
		w.limited(map[string]store.Retention{"topic": {QueueBytes: 9 * record}})
		require.NoError(t, w.do(func(e env.Env) error {
			w.meddler = &meddler{disk: w.machine.Disk()}
			e.Disk = meddledDisk{e.Disk, w.meddler}
			s, err := store.Open(e, w.options)
			require.NoError(t, err)
			reads := 0
			w.meddler.before = func(_ int, call string) error {
				if strings.HasPrefix(call, "read consumequeue/topic/0/") {
					if reads++; reads == failing {
						return fmt.Errorf("%s: %w", call, env.ErrIO)
					}
				}
				return nil
			}
			rounds(e)
			rounds(e)
			bounds(t, s, key0, 3, 12)
			return s.Close()
		}), "read %d", failing)
	}
}

// More entries than one read looks at.
func TestALongQueueIsMeasuredInPieces(t *testing.T) {
	options := small(store.AsyncFlush)
	options.QueueSegmentEntries = 300
	w := newWorld(1, options)
	defer w.kernel.Close()
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for range 20 {
			w.ledger.Send(e, s, key0, make([]int, 100)...)
		}
		return nil
	}))
	record := int64(w.ledger.Messages[1].Place.Log)
	for _, failing := range []int{0, 2, 5, 9} {
		w.limited(map[string]store.Retention{"topic": {QueueBytes: 1850 * record}})
		require.NoError(t, w.do(func(e env.Env) error {
			w.meddler = &meddler{disk: w.machine.Disk()}
			e.Disk = meddledDisk{e.Disk, w.meddler}
			s, err := store.Open(e, w.options)
			require.NoError(t, err)
			reads := 0
			w.meddler.before = func(_ int, call string) error {
				if strings.HasPrefix(call, "read consumequeue/") {
					if reads++; reads == failing {
						return fmt.Errorf("%s: %w", call, env.ErrIO)
					}
				}
				return nil
			}
			rounds(e)
			rounds(e)
			require.Greater(t, reads, 9)
			bounds(t, s, key0, 150, 2000)
			return s.Close()
		}), "read %d", failing)
	}
}

func TestLimitsMayChangeAndNeverBringMessagesBack(t *testing.T) {
	w := filled(t)
	limit := store.Retention{}
	w.limited(nil)
	w.options.Retention = func(string) store.Retention { return limit }
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		rounds(e)
		bounds(t, s, key0, 0, 12)
		limit = store.Retention{QueueBytes: 5 * 9143}
		rounds(e)
		bounds(t, s, key0, 7, 12)
		limit = store.Retention{QueueBytes: 9 * 9143}
		rounds(e)
		bounds(t, s, key0, 7, 12)
		limit = store.Retention{QueueBytes: 2 * 9143, Age: time.Hour}
		rounds(e)
		bounds(t, s, key0, 10, 12)
		bounds(t, s, quiet0, 0, 3)
		return nil
	}))
	require.Equal(t, "at most 1h0m0s old, at most 18286 bytes a queue", limit.String())
}

func TestAMessageThatIsHiddenIsStillFoundByItsPlaceWhileItsFileIsThere(t *testing.T) {
	w := filled(t)
	w.limited(map[string]store.Retention{"topic": {Age: time.Minute}})
	w.machine.StepWall(time.Hour)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		rounds(e)
		_, err := s.RecordBytes(w.ledger.Messages[5].Place.Log)
		return err
	}))
}

// The script of crashes, with limits for all topics.
func TestLimitsSurviveACrashAtEveryOperation(t *testing.T) {
	for call, ended := 1, false; !ended; call += stride(7) {
		options := small(store.SyncFlush)
		options.CleanEvery, options.DeletePause = 4*time.Millisecond, time.Millisecond
		options.Retention = func(string) store.Retention { return store.Retention{Age: 25 * time.Millisecond} }
		w := newWorld(uint64(call), options)
		w.ledger.KeepFor = 25 * time.Millisecond
		var err error
		style := sim.CrashStyle(call % 2)
		ended, err = w.runUntil(call, style, w.script)
		require.NoError(t, err)
		// What was hidden and still has its file is shown again, whole, by a store without limits.
		w.options.Retention = nil
		require.NoError(t, w.recheck(style), "operation %d", call)
		w.kernel.Close()
	}
}

// After a start, what is beyond the limits is hidden before anybody reads, and not with the first round of cleaning.
func TestMessagesBeyondTheirLimitsAreHiddenAtOnce(t *testing.T) {
	const record = 9143
	w := filled(t)
	w.limited(map[string]store.Retention{"topic": {QueueBytes: 3 * record}, "quiet": {Age: 10 * time.Minute}})
	w.machine.StepWall(time.Hour)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.NoError(t, s.HideExpired())
		bounds(t, s, key0, 9, 12)
		bounds(t, s, topic1, 9, 12)
		bounds(t, s, quiet0, 3, 3)
		require.Equal(t, store.ReadOffsetTooSmall, read(t, s, key0, 8).Status)
		return nil
	}))
	w.options.Retention = nil
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.NoError(t, s.HideExpired(), "there are no limits")
		bounds(t, s, key0, 0, 12)
		return nil
	}))
	require.NoError(t, w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.HideExpired(), store.ErrClosed)
		return nil
	}))
}

// A queue that cannot be read shows too much. Others do not.
func TestAQueueThatCannotBeReadDoesNotKeepOthersFromBeingHidden(t *testing.T) {
	w := filled(t)
	w.limited(map[string]store.Retention{"topic": {QueueBytes: 1}})
	require.NoError(t, w.do(func(e env.Env) error {
		w.meddler = &meddler{disk: w.machine.Disk()}
		e.Disk = meddledDisk{e.Disk, w.meddler}
		s, err := store.Open(e, w.options)
		require.NoError(t, err)
		w.meddler.before = func(_ int, call string) error {
			if strings.HasPrefix(call, "read consumequeue/topic/0/") {
				return fmt.Errorf("%s: %w", call, env.ErrIO)
			}
			return nil
		}
		require.ErrorContains(t, s.HideExpired(), "queue topic-0: ")
		bounds(t, s, key0, 0, 12)
		bounds(t, s, topic1, 12, 12)
		w.meddler.before = nil
		require.NoError(t, s.HideExpired())
		bounds(t, s, key0, 12, 12)
		return s.Close()
	}))
}

func TestAMessageThatIsHiddenIsNotFoundByKey(t *testing.T) {
	w := filled(t)
	w.limited(map[string]store.Retention{"topic": {QueueBytes: 3 * 9143}})
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.NoError(t, s.HideExpired())
		hidden := 0
		for n, m := range w.ledger.Messages {
			result, err := s.FindByKey(store.KeyQuery{Topic: m.Key.Topic, Key: m.SearchKey(), To: 1 << 60, CountMax: 99, BytesMax: 1 << 30})
			require.NoError(t, err)
			var places []message.LogOffset
			for r, err := range message.DecodeRecords(result.Bytes, true) {
				require.NoError(t, err)
				places = append(places, r.LogOffset)
			}
			first, _ := s.Bounds(m.Key)
			if m.Place.Queue < first {
				hidden++
				require.NotContains(t, places, m.Place.Log, "message %d", n)
			} else {
				require.Contains(t, places, m.Place.Log, "message %d", n)
			}
		}
		require.Equal(t, 18, hidden)
		return nil
	}))
}
