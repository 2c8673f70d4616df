package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// answered appends records and expects an answer at once.
func answered(t *testing.T, e env.Env, s *store.Store, key store.QueueKey, records ...message.Record) *oracle.Sending {
	t.Helper()
	a := oracle.NewSending(e)
	s.Append(key, records, a)
	require.True(t, a.Answered)
	return a
}

func TestIllegalAppendsAreRefusedWithAReason(t *testing.T) {
	record := func(change func(r *message.Record)) []message.Record {
		r := oracle.RecordOf(&oracle.Sent{Key: key0, Body: "body"})
		change(&r)
		return []message.Record{r}
	}
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		for _, c := range []struct {
			key     store.QueueKey
			records []message.Record
			status  store.AppendStatus
			reason  string
		}{
			{key0, nil, store.AppendIllegal, "no message"},
			{key0, record(func(r *message.Record) { r.Body = make([]byte, 16<<10+1) }), store.AppendIllegal, "the body has 16385 bytes"},
			{key0, record(func(r *message.Record) { r.Topic = []byte("other") }), store.AppendIllegal, "the record says other-0"},
			{key0, record(func(r *message.Record) { r.QueueID = 1 }), store.AppendIllegal, "the record says topic-1"},
			{key0, record(func(r *message.Record) { r.Properties = make([]byte, 32767) }), store.AppendPropertiesTooLarge, "properties too long"},
			{store.QueueKey{Topic: ""}, record(func(r *message.Record) { r.Topic = nil }), store.AppendIllegal, "cannot be the name"},
			{store.QueueKey{Topic: ".."}, record(func(r *message.Record) { r.Topic = []byte("..") }), store.AppendIllegal, "cannot be the name"},
			{store.QueueKey{Topic: "a/b"}, record(func(r *message.Record) { r.Topic = []byte("a/b") }), store.AppendIllegal, "cannot be the name"},
			{store.QueueKey{Topic: strings.Repeat("x", 256)}, record(func(r *message.Record) { r.Topic = []byte(strings.Repeat("x", 256)) }), store.AppendIllegal, "256 bytes"},
			{store.QueueKey{Topic: "topic", ID: -1}, record(func(r *message.Record) { r.QueueID = -1 }), store.AppendIllegal, "negative"},
		} {
			a := answered(t, e, s, c.key, c.records...)
			require.Equal(t, c.status, a.Status, "%v", c.reason)
			require.Contains(t, a.Reason, c.reason)
		}
		require.Empty(t, s.Queues())
		a := w.ledger.Append(e, s, key0, 16<<10, 16<<10, 16<<10, 16<<10, 16<<10, 16<<10)
		require.Equal(t, store.AppendIllegal, a.Status)
		require.Contains(t, a.Reason, "send smaller batches")
		require.Zero(t, s.Written())
	})
}

func TestARecordThatFillsAFileToTheLastByteIsTaken(t *testing.T) {
	options := small(store.SyncFlush)
	options.BodySizeMax = 32<<10 - 8
	w := newWorld(1, options)
	defer w.kernel.Close()
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		// What a record takes beside its body is found with a first one.
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
		beside := int(s.Written()) - 100
		left := 96<<10 - int(s.Written())
		// Two large ones, then one that leaves exactly the room of a marker.
		w.ledger.Send(e, s, key0, 32<<10-8)
		w.ledger.Send(e, s, key0, 32<<10-8)
		left -= 2 * (32<<10 - 8 + beside)
		// measure assumes IPv6 hosts, so the last 24 bytes are given away.
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, left-8-24-beside))
		require.EqualValues(t, 96<<10-8-24, s.Written(), "it fits")
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 14))
		require.EqualValues(t, 96<<10+14+beside, s.Written(), "the next one does not")
		return nil
	}))
	require.NoError(t, w.recheck(sim.KillProcess))
}

func TestAnAppendThatWaitsTooLongForTheDiskIsAnsweredAndStays(t *testing.T) {
	options := small(store.SyncFlush)
	options.FlushTimeout = 100 * time.Millisecond
	opened(t, options, func(w *world, e env.Env, s *store.Store) {
		o := sim.DefaultDisk()
		o.StuckUntil = e.Clock.Now().Add(time.Second)
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
		w.machine.Disk().SetOptions(o)
		began := e.Clock.Now()
		require.Equal(t, store.AppendFlushTimeout, w.ledger.Send(e, s, key0, 100))
		took := e.Clock.Now().Sub(began)
		require.GreaterOrEqual(t, took, 100*time.Millisecond)
		require.Less(t, took, 140*time.Millisecond)
		require.EqualValues(t, 1, w.ledger.Messages[1].Place.Queue, "it has a place")
		require.Equal(t, store.ReadOffsetOverflowOne, read(t, s, key0, 1).Status)
		require.NoError(t, s.Flush())
		require.Equal(t, store.ReadFound, read(t, s, key0, 1).Status)
	})
}

func TestTooMuchThatWaitsForTheDiskIsRefusedAsBusy(t *testing.T) {
	for _, timeout := range []time.Duration{time.Minute, 50 * time.Millisecond} {
		options := small(store.SyncFlush)
		options.WaitingMax, options.FlushTimeout = 20_000, timeout
		opened(t, options, func(w *world, e env.Env, s *store.Store) {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 1000))
			o := sim.DefaultDisk()
			o.StuckUntil = e.Clock.Now().Add(time.Second)
			w.machine.Disk().SetOptions(o)
			var last *oracle.Sending
			for taken := 0; ; taken++ {
				a := w.ledger.Append(e, s, key0, 1000)
				s.Kick()
				if a.Answered && a.Status == store.AppendBusy {
					require.Contains(t, a.Reason, "send again later")
					break
				}
				last = a
				require.Less(t, taken, 20, "it was refused too late")
				// An append that has timed out still holds its memory.
				e.Tasks.Sleep(10 * time.Millisecond)
			}
			e.Tasks.Sleep(1100 * time.Millisecond)
			last.Wait()
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 1000))
			require.NoError(t, w.ledger.Verify(e, s, false))
		})
	}
}

func TestAClosingStoreFlushesWhatItTookAndTakesNoMore(t *testing.T) {
	for seed := range seeds(40) {
		for _, flush := range []store.FlushMode{store.SyncFlush, store.AsyncFlush} {
			w := newWorld(seed, small(flush))
			require.NoError(t, w.do(func(e env.Env) error {
				s, err := store.Open(e, w.options)
				require.NoError(t, err)
				taken := []*oracle.Sending{w.ledger.Append(e, s, key0, 5000)}
				e.Tasks.Go("kick", s.Kick)
				e.Tasks.Sleep(time.Duration(seed) * 20 * time.Microsecond)
				taken = append(taken, w.ledger.Append(e, s, key0, 5000))
				e.Tasks.Go("late", func() {
					late := answered(t, e, s, key0, oracle.RecordOf(&oracle.Sent{Key: key0}))
					require.Equal(t, store.AppendUnavailable, late.Status)
				})
				require.NoError(t, s.Close())
				for _, a := range taken {
					require.True(t, a.Answered)
					require.Equal(t, store.AppendOK, a.Status, a.Reason)
				}
				return nil
			}), "seed %d, %v", seed, flush)
			w.machine.Crash(sim.PowerLoss)
			require.NoError(t, w.recheck(sim.KillProcess))
			w.kernel.Close()
		}
	}
}

// Messages that were written when the disk got full are still flushed and answered as what they are.
func TestAStoreThatClosesOnAFullDiskFlushesWhatWasWritten(t *testing.T) {
	for seed := range seeds(20) {
		w := newWorld(seed, small(store.FlushMode(seed%2)))
		require.NoError(t, w.do(func(e env.Env) error {
			s, err := store.Open(e, w.options)
			require.NoError(t, err)
			w.ledger.Send(e, s, key0, 900)
			before := w.ledger.Append(e, s, key0, 900)
			s.Kick()
			o := sim.DefaultDisk()
			o.SyncMin, o.SyncMax = 10*time.Millisecond, 20*time.Millisecond
			o.Full = true
			w.machine.Disk().SetOptions(o)
			refused := w.ledger.Append(e, s, key0, 9000)
			e.Tasks.Go("kick", s.Kick)
			e.Tasks.Sleep(time.Duration(seed) * time.Millisecond)
			late := w.ledger.Append(e, s, key0, 9000)
			// The queues may need space too.
			err = s.Close()
			require.True(t, err == nil || errors.Is(err, env.ErrNoSpace), "%v", err)
			require.Equal(t, store.AppendOK, before.Status, before.Reason)
			require.Equal(t, store.AppendNoSpace, refused.Status)
			require.Equal(t, store.AppendNoSpace, late.Status)
			return nil
		}), "seed %d", seed)
		w.machine.Crash(sim.PowerLoss)
		w.machine.Disk().SetOptions(sim.DefaultDisk())
		require.NoError(t, w.recheck(sim.KillProcess))
		w.kernel.Close()
	}
}

func TestAppendsAreAnsweredInTimeWhileTheStoreClosesOnAStuckDisk(t *testing.T) {
	options := small(store.SyncFlush)
	options.FlushTimeout = 100 * time.Millisecond
	w := newWorld(1, options)
	defer w.kernel.Close()
	require.NoError(t, w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		require.NoError(t, err)
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
		o := sim.DefaultDisk()
		o.StuckUntil = e.Clock.Now().Add(10 * time.Second)
		w.machine.Disk().SetOptions(o)
		a := w.ledger.Append(e, s, key0, 100)
		s.Kick()
		began := e.Clock.Now()
		e.Tasks.Go("close", func() { require.NoError(t, s.Close()) })
		require.Equal(t, store.AppendFlushTimeout, a.Wait())
		require.Less(t, e.Clock.Now().Sub(began), 200*time.Millisecond)
		e.Tasks.Sleep(11 * time.Second)
		return nil
	}))
	require.NoError(t, w.recheck(sim.KillProcess))
}

func TestASecondBrokerIsLockedOut(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		_, err := store.Open(w.machine.Node("second", "."), w.options)
		require.ErrorIs(t, err, env.ErrLocked)
		require.ErrorContains(t, err, "stop the other broker")
		_, err = store.Check(e, w.options, nil)
		require.ErrorIs(t, err, env.ErrLocked)
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100), "the first one did not notice")
	})
}

func TestAFailedOpenReleasesTheLock(t *testing.T) {
	w := newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	require.NoError(t, w.do(func(e env.Env) error {
		f, err := e.Disk.Create("commitlog/not a number")
		require.NoError(t, err)
		_, err = store.Open(e, w.options)
		require.ErrorContains(t, err, "not a number")
		require.NoError(t, f.Close())
		return e.Disk.Remove("commitlog/not a number")
	}))
	require.NoError(t, w.recheck(sim.KillProcess))
}

// The disk is full three times. Each time messages are refused, the store heals by itself, and
// what was refused never comes back, whatever ends the store.
func TestAFullDiskRefusesAndTheStoreRecoversByItself(t *testing.T) {
	for seed := range seeds(30) {
		w := newWorld(seed, small(store.SyncFlush))
		err := w.do(func(e env.Env) error {
			s, err := store.Open(e, w.options)
			require.NoError(t, err)
			for round := range 3 {
				o := sim.DefaultDisk()
				o.Full = true
				w.ledger.Send(e, s, key0, 700)
				before := w.ledger.Append(e, s, key0, 900)
				s.Kick()
				w.machine.Disk().SetOptions(o)
				refused := w.ledger.Append(e, s, key0, 300, 300, 9000, 3000)
				s.Kick()
				require.Equal(t, store.AppendNoSpace, refused.Wait())
				require.Contains(t, refused.Reason, "full")
				require.Error(t, s.Health())
				require.NoError(t, s.Fenced())
				require.Equal(t, store.AppendOK, before.Wait(), "it was written before")
				probe := w.ledger.Append(e, s, key0, 5000)
				require.False(t, probe.Answered, "one is let through, to see whether there is space")
				require.Equal(t, store.AppendNoSpace, w.ledger.Append(e, s, key0, 50).Status, "others are not")
				s.Kick()
				require.Equal(t, store.AppendNoSpace, probe.Wait())
				if round == 2 {
					break
				}
				w.machine.Disk().SetOptions(sim.DefaultDisk())
				require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 600))
				require.NoError(t, s.Health())
			}
			if seed%3 == 0 {
				w.machine.Disk().SetOptions(sim.DefaultDisk())
				return s.Close()
			}
			return nil
		})
		require.NoError(t, err, "seed %d", seed)
		w.machine.Crash(sim.CrashStyle(seed % 2))
		w.machine.Disk().SetOptions(sim.DefaultDisk())
		require.NoError(t, w.recheck(sim.KillProcess), "seed %d", seed)
		w.kernel.Close()
	}
}

// Many append at once while the disk is full for a moment.
func TestAppendsThatRaceWithAFullDiskKeepTheirOrder(t *testing.T) {
	for seed := range seeds(20) {
		w := newWorld(seed, small(store.FlushMode(seed%2)))
		random := w.kernel.Stream("race")
		err := w.use(func(e env.Env, s *store.Store) error {
			var all []*oracle.Sending
			for n := range 120 {
				o := sim.DefaultDisk()
				o.Full = n/10%3 == 1
				w.machine.Disk().SetOptions(o)
				all = append(all, w.ledger.Append(e, s, store.QueueKey{Topic: "t", ID: int32(n % 2)}, 14+random.IntN(4000)))
				if random.Chance(0.6) {
					e.Tasks.Go("kick", s.Kick)
				}
				e.Tasks.Sleep(time.Duration(random.IntN(300_000)))
			}
			w.machine.Disk().SetOptions(sim.DefaultDisk())
			s.Kick()
			outcomes := map[store.AppendStatus]int{}
			for _, a := range all {
				outcomes[a.Wait()]++
			}
			if outcomes[store.AppendOK] == 0 || outcomes[store.AppendNoSpace] == 0 || len(outcomes) != 2 {
				return fmt.Errorf("outcomes %v", outcomes)
			}
			return w.ledger.Verify(e, s, false)
		})
		require.NoError(t, err, "seed %d", seed)
		w.machine.Crash(sim.PowerLoss)
		require.NoError(t, w.recheck(sim.KillProcess), "seed %d", seed)
		w.kernel.Close()
	}
}

func TestAFailedSyncFencesTheStore(t *testing.T) {
	w := newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	require.NoError(t, w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		require.NoError(t, err)
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
		o := sim.DefaultDisk()
		o.SyncError = 1
		w.machine.Disk().SetOptions(o)
		require.Equal(t, store.AppendFailed, w.ledger.Send(e, s, key0, 100))
		w.machine.Disk().SetOptions(sim.DefaultDisk())
		require.ErrorIs(t, s.Fenced(), env.ErrIO)
		require.ErrorIs(t, s.Health(), env.ErrIO)
		late := answered(t, e, s, key0, oracle.RecordOf(&oracle.Sent{Key: key0}))
		require.Equal(t, store.AppendUnavailable, late.Status)
		require.Contains(t, late.Reason, "check the disk")
		require.ErrorIs(t, s.Flush(), env.ErrIO)
		require.Equal(t, store.ReadFound, read(t, s, key0, 0).Status, "what was confirmed can be read")
		require.Equal(t, store.ReadOffsetOverflowOne, read(t, s, key0, 1).Status)
		require.ErrorIs(t, s.Close(), env.ErrIO)
		return nil
	}))
	// The cache shows the lost record, and the restart must not build on it.
	w.machine.Crash(sim.KillProcess)
	require.NoError(t, w.recheck(sim.KillProcess))
	require.NoError(t, w.use(w.again))
	w.machine.Crash(sim.PowerLoss)
	require.NoError(t, w.recheck(sim.KillProcess))
}

// With ASYNC_FLUSH a checkpoint may fall between two pieces of one write, where a file of the log
// ends: what is written by then must have its queue entries.
func TestACheckpointBetweenTwoPiecesOfAWriteMissesNothing(t *testing.T) {
	for seed := range seeds(30) {
		options := small(store.AsyncFlush)
		options.SaveQueuesEvery, options.CheckpointEvery, options.FlushEvery = 50*time.Microsecond, time.Microsecond, time.Microsecond
		w := newWorld(seed, options)
		o := sim.DefaultDisk()
		o.WriteMax, o.SyncMin, o.SyncMax = 3*time.Millisecond, time.Microsecond, 5*time.Microsecond
		w.machine.Disk().SetOptions(o)
		done, failure := w.start(func(e env.Env) error {
			s, err := store.Open(e, w.options)
			for n := 0; err == nil && n < 40; n++ {
				w.ledger.Append(e, s, store.QueueKey{Topic: "t", ID: int32(n)}, 14_000)
				w.ledger.Send(e, s, key0, 14_000)
			}
			return err
		})
		until := w.kernel.Now().Add(time.Duration(seed+1) * 4 * time.Millisecond)
		w.kernel.Run(until, done)
		require.NoError(t, failure())
		w.machine.Crash(sim.KillProcess)
		w.machine.Disk().SetOptions(sim.DefaultDisk())
		require.NoError(t, w.recheck(sim.KillProcess), "seed %d", seed)
		w.kernel.Close()
	}
}

// The system refuses a new file for a moment, as when it has too many open.
func TestAFileOfTheLogThatCannotBeMadeIsTriedAgain(t *testing.T) {
	for _, flush := range []store.FlushMode{store.SyncFlush, store.AsyncFlush} {
		w := newWorld(1, small(flush))
		require.NoError(t, w.do(func(e env.Env) error {
			w.meddler = &meddler{disk: w.machine.Disk()}
			e.Disk = meddledDisk{e.Disk, w.meddler}
			s, err := store.Open(e, w.options)
			require.NoError(t, err)
			refuse := true
			w.meddler.before = func(_ int, call string) error {
				if refuse && strings.HasPrefix(call, "create commitlog") {
					return fmt.Errorf("%s: %w", call, errors.New("too many open files"))
				}
				return nil
			}
			for round := range 3 {
				refuse = true
				for status := store.AppendOK; status != store.AppendNoFile; {
					status = w.ledger.Send(e, s, key0, 9_000)
					require.Contains(t, []store.AppendStatus{store.AppendOK, store.AppendNoFile}, status)
				}
				first := w.ledger.Append(e, s, key0, 9_000, 9_000)
				second := w.ledger.Append(e, s, topic1, 9_000)
				s.Kick()
				require.Equal(t, store.AppendNoFile, first.Wait())
				require.Contains(t, first.Reason, "too many open files")
				require.Equal(t, store.AppendNoFile, second.Wait())
				require.NoError(t, s.Fenced())
				require.NoError(t, w.ledger.Verify(e, s, false))
				refuse = false
				require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 9_000))
				require.EqualValues(t, int64(round)*96<<10, s.Written()/secondFile*secondFile)
			}
			return s.Close()
		}))
		w.meddler = nil
		require.NoError(t, w.recheck(sim.KillProcess))
		w.kernel.Close()
	}
}

func TestWhileOneWriteTakesLongOthersAreBusy(t *testing.T) {
	for _, slow := range []string{"write commitlog", "create commitlog", "sync commitlog"} {
		w := newWorld(1, small(store.SyncFlush))
		require.NoError(t, w.do(func(e env.Env) error {
			w.meddler = &meddler{disk: w.machine.Disk()}
			e.Disk = meddledDisk{e.Disk, w.meddler}
			s, err := store.Open(e, w.options)
			require.NoError(t, err)
			w.meddler.before = func(_ int, call string) error {
				if strings.HasPrefix(call, slow) {
					e.Tasks.Sleep(3 * time.Second)
				}
				return nil
			}
			a := w.ledger.Append(e, s, key0, 100)
			e.Tasks.Go("kick", s.Kick)
			e.Tasks.Sleep(900 * time.Millisecond)
			early := w.ledger.Append(e, s, key0, 100)
			require.False(t, early.Answered, "it is taken")
			e.Tasks.Sleep(200 * time.Millisecond)
			late := w.ledger.Append(e, s, key0, 100)
			if slow != "sync commitlog" {
				require.True(t, late.Answered)
				require.Equal(t, store.AppendBusy, late.Status)
				require.Contains(t, late.Reason, "osPageCacheBusyTimeOutMills")
			}
			require.NoError(t, s.Health())
			w.meddler.before = nil
			s.Kick()
			require.Equal(t, store.AppendOK, a.Wait())
			require.Equal(t, store.AppendOK, early.Wait())
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
			return s.Close()
		}), slow)
		w.meddler = nil
		require.NoError(t, w.recheck(sim.KillProcess))
		w.kernel.Close()
	}
}

func TestWhatBelongsToNoQueueIsRefused(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		for kind, refused := range map[message.Transaction]bool{message.TransactionPrepared: true, message.TransactionRolledBack: true, message.TransactionCommitted: false, 0: false} {
			r := oracle.RecordOf(&oracle.Sent{Key: key0, Body: "body"})
			r.SysFlags = r.SysFlags.WithTransaction(kind)
			a := oracle.NewSending(e)
			s.Append(key0, []message.Record{r}, a)
			s.Kick()
			if status := a.Wait(); refused {
				require.Equal(t, store.AppendIllegal, status)
				require.Contains(t, a.Reason, "belongs to no queue")
			} else {
				require.Equal(t, store.AppendOK, status)
			}
		}
		bounds(t, s, key0, 0, 2)
	})
}
