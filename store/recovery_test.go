package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// filled is a world whose closed store has three files of log, some of queues, and two quiet queues.
func filled(t *testing.T) *world {
	t.Helper()
	w := newWorld(1, small(store.SyncFlush))
	t.Cleanup(w.kernel.Close)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		w.ledger.Send(e, s, store.QueueKey{Topic: "quiet", ID: 0}, 20, 20, 20)
		w.ledger.Send(e, s, store.QueueKey{Topic: "quiet", ID: 11}, 20)
		for n := range 24 {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, store.QueueKey{Topic: "topic", ID: int32(n % 2)}, 9_000))
			e.Tasks.Sleep(time.Millisecond)
		}
		return nil
	}))
	require.NoError(t, w.expectOrder())
	return w
}

// remove deletes all files whose path begins so, and reports how many.
func (w *world) remove(t *testing.T, prefix string) int {
	t.Helper()
	removed := 0
	require.NoError(t, w.do(func(e env.Env) error {
		for _, p := range w.machine.Disk().Paths() {
			if strings.HasPrefix(p, prefix) {
				removed++
				require.NoError(t, errors.Join(e.Disk.Remove(p), e.Disk.SyncDir(path.Dir(p))))
			}
		}
		return nil
	}))
	return removed
}

// overwrite changes bytes of a file, durably, and makes it if it does not exist.
func (w *world) overwrite(t *testing.T, name string, offset int64, p []byte) {
	t.Helper()
	require.NoError(t, w.do(func(e env.Env) error {
		f, err := e.Disk.Open(name)
		if errors.Is(err, env.ErrNotExist) {
			f, err = e.Disk.Create(name)
		}
		if err != nil {
			return err
		}
		return errors.Join(f.WriteAt(p, offset), f.Sync(offset, offset+int64(len(p))), f.Close(), e.Disk.SyncDir(path.Dir(name)))
	}))
}

// complete opens the store, expects every message and its number, sends more, and does so again after a power loss.
func (w *world) complete(t *testing.T) {
	t.Helper()
	require.NoError(t, w.repaired(sim.KillProcess))
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for _, key := range s.Queues() {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key, 100))
		}
		return w.again(e, s)
	}))
	w.machine.Crash(sim.PowerLoss)
	require.NoError(t, w.recheck(sim.KillProcess))
}

func TestQueuesThatWereDeletedAreBuiltAgain(t *testing.T) {
	for _, prefix := range []string{
		"consumequeue/", "consumequeue/topic", "consumequeue/quiet", "consumequeue/quiet/0/", "consumequeue/quiet/11/",
		"consumequeue/topic/0/00000000000000000140", "consumequeue/topic/1/", "checkpoint",
	} {
		w := filled(t)
		require.NotZero(t, w.remove(t, prefix))
		w.complete(t)
	}
}

func TestAQueueWithoutItsFirstFileIsBuiltAgainIfTheLogIsReadFromItsBeginning(t *testing.T) {
	w := filled(t)
	require.Equal(t, 1, w.remove(t, firstQueue))
	require.Equal(t, 1, w.remove(t, "checkpoint"))
	w.complete(t)
}

func TestQueuesAreBuiltAgainInLittleMemory(t *testing.T) {
	for _, style := range []sim.CrashStyle{sim.KillProcess, sim.PowerLoss} {
		w := filled(t)
		w.remove(t, "consumequeue/")
		w.overwrite(t, "abort", 0, nil)
		w.options.ReplayMax = 3
		require.NoError(t, w.do(func(e env.Env) error {
			_, err := store.Open(e, w.options)
			return err
		}))
		_, written := w.machine.Disk().Content("consumequeue/topic/0/00000000000000000000")
		require.True(t, written, "entries leave the memory while the log is read")
		w.machine.Crash(style)
		w.complete(t)
	}
}

// A crash while all queues are built again must not leave a checkpoint that speaks of the old ones.
func TestBuildingTheQueuesAgainSurvivesACrashAtEveryOperation(t *testing.T) {
	for call, ended := 1, false; !ended; call += stride(5) {
		w := filled(t)
		w.remove(t, "consumequeue/quiet/0/")
		w.options.ReplayMax = 9
		var err error
		ended, err = w.runUntil(call, sim.CrashStyle(call%2), func(e env.Env) error {
			s, err := store.Open(e, w.options)
			if err != nil {
				return err
			}
			e.Tasks.Sleep(30 * time.Millisecond)
			return s.Close()
		})
		require.NoError(t, err)
		require.NoError(t, w.repaired(sim.KillProcess), "operation %d", call)
	}
}

func TestAQueueKeepsItsNumbersWhenTheFirstFilesOfTheLogAreGone(t *testing.T) {
	for _, also := range []string{"nothing else", "consumequeue/", "checkpoint", "consumequeue/topic/0/"} {
		w := filled(t)
		w.remove(t, "commitlog/00000000000000000000")
		w.remove(t, also)
		for _, m := range w.ledger.Messages {
			m.Lost = m.Place.Log < 96<<10
		}
		w.complete(t)
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			first, end := s.Bounds(key0)
			require.NotZero(t, first)
			require.Greater(t, end, message.QueueOffset(12))
			result := read(t, s, key0, 0)
			require.Equal(t, store.ReadOffsetTooSmall, result.Status)
			require.Equal(t, first, result.Next)
			return nil
		}), also)
	}
}

// Only the last file of the log is left, with nothing in it yet, and the machine crashes twice.
func TestALogThatBeginsWithAnEmptyFileKeepsItsPlace(t *testing.T) {
	for _, style := range []sim.CrashStyle{sim.KillProcess, sim.PowerLoss} {
		w := newWorld(1, small(store.SyncFlush))
		w.overwrite(t, "commitlog/00000000000000196608", 0, make([]byte, 96<<10))
		w.overwrite(t, "abort", 0, nil)
		w.overwrite(t, "checkpoint", 0, store.EncodeCheckpoint(w.content("checkpoint"), 0, 196608, 0))
		for range 3 {
			require.NoError(t, w.do(func(e env.Env) error {
				s, err := store.Open(e, w.options)
				if err == nil {
					require.EqualValues(t, 196608, s.Start())
					require.EqualValues(t, 196608, s.Written())
				}
				return err
			}))
			w.machine.Crash(style)
		}
		require.NoError(t, w.use(w.again))
		require.NoError(t, w.recheck(sim.KillProcess))
		w.kernel.Close()
	}
}

// The queues are built again, and begin inside their files because the log does not begin with its first file.
func TestBuildingQueuesThatBeginInsideAFileSurvivesAFailureOfEveryOperation(t *testing.T) {
	for _, with := range []error{env.ErrIO, env.ErrNoSpace} {
		for call, ended := 1, false; !ended; call += stride(5) {
			w := filled(t)
			w.remove(t, "commitlog/00000000000000000000")
			w.remove(t, "consumequeue/")
			for _, m := range w.ledger.Messages {
				m.Lost = m.Place.Log < 96<<10
			}
			w.failing(call, 1, with)
			err := w.do(func(e env.Env) error {
				s, err := store.Open(e, w.options)
				if err != nil {
					return err
				}
				e.Tasks.Sleep(50 * time.Millisecond)
				return s.Close()
			})
			ended = w.meddler.count < call
			w.meddler = nil
			require.True(t, err == nil || errors.Is(err, with), "operation %d: %v", call, err)
			w.machine.Crash(sim.CrashStyle(call % 2))
			require.NoError(t, w.repaired(sim.KillProcess), "%v at operation %d", with, call)
		}
	}
}

// openError opens a store that must refuse, twice, and returns why.
func (w *world) openError(t *testing.T) error {
	t.Helper()
	open := func(e env.Env) error {
		_, err := store.Open(e, w.options)
		return err
	}
	first := w.do(open)
	require.Error(t, first)
	second := w.do(open)
	require.Error(t, second)
	require.Equal(t, first.Error(), second.Error(), "the first attempt changed something")
	return first
}

func TestAStoreWithMissingOrForeignFilesIsNotOpened(t *testing.T) {
	for _, c := range []struct {
		what   string
		damage func(w *world)
		says   string
	}{
		{"the last file of the log", func(w *world) { w.remove(t, "commitlog/00000000000000196608") }, "files are missing from commitlog/"},
		{"the whole log", func(w *world) { w.remove(t, "commitlog") }, "files are missing from commitlog/"},
		{"a file inside the log", func(w *world) { w.remove(t, "commitlog/00000000000000098304") }, "the file before 00000000000000196608 is missing"},
		{"a foreign name", func(w *world) { w.overwrite(t, "commitlog/00000000000000000000.bak", 0, []byte("x")) }, "must be named by"},
		{"another segment size", func(w *world) { w.options.LogSegmentSize = 192 << 10 }, "192 << 10"},
		{"another segment size of queues", func(w *world) { w.options.QueueSegmentEntries = 14 }, "280"},
	} {
		w := filled(t)
		c.damage(w)
		err := w.openError(t)
		if !errors.Is(err, segment.ErrForeign) {
			require.ErrorContains(t, err, c.says, c.what)
		}
	}
}

// One file, and a larger size in the configuration: the file must not pass for one that a crash cut short.
func TestALargerSegmentSizeIsNoticedEvenWithOneFile(t *testing.T) {
	w := newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	require.NoError(t, w.use(w.again))
	w.options.LogSegmentSize *= 2
	require.ErrorIs(t, w.openError(t), segment.ErrForeign)
	w.options.LogSegmentSize /= 2
	w.complete(t)
}

func TestADamagedCheckpointIsNotTrusted(t *testing.T) {
	for at := range int64(68) {
		w := filled(t)
		require.True(t, w.machine.Disk().Corrupt("checkpoint", at, 1+byte(at)))
		require.NoError(t, w.recheck(sim.KillProcess), "byte %d", at)
	}
}

func TestNamesThatAreNoQueuesAreIgnored(t *testing.T) {
	w := filled(t)
	for _, name := range []string{"consumequeue/file", "consumequeue/topic/00/x", "consumequeue/topic/-1/x", "consumequeue/topic/file", "consumequeue/topic/4294967296/x"} {
		w.overwrite(t, name, 0, []byte("x"))
	}
	w.complete(t)
}

func TestTheCalendarMayJumpBack(t *testing.T) {
	w := filled(t)
	for _, step := range []time.Duration{-48 * time.Hour, 24 * time.Hour, -time.Hour} {
		w.machine.StepWall(step)
		w.complete(t)
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			_, err := s.OffsetAt(key0, int64(e.Clock.Wall()), false)
			return err
		}))
	}
	w.remove(t, "checkpoint")
	w.overwrite(t, "abort", 0, nil)
	w.complete(t)
}

// asJava makes the checkpoint that a Java broker would leave: times only.
func (w *world) asJava(t *testing.T, at int64) {
	t.Helper()
	times := binary.BigEndian.AppendUint64(nil, uint64(at))
	times = binary.BigEndian.AppendUint64(times, uint64(at))
	w.overwrite(t, "checkpoint", 0, append(times, make([]byte, 4096-16)...))
}

// Its checkpoint knows only times, so the log is not read from its beginning.
func TestQueuesOfAJavaBrokerThatWereDeletedAreBuiltAgain(t *testing.T) {
	for _, prefix := range []string{"consumequeue/", "consumequeue/topic"} {
		w := filled(t)
		w.asJava(t, int64(w.machine.Wall())+10_000)
		require.NotZero(t, w.remove(t, prefix))
		require.NoError(t, w.repaired(sim.KillProcess))
	}
}

func TestTheDirectoryOfAJavaBrokerIsTaken(t *testing.T) {
	w := filled(t)
	newest := int64(w.machine.Wall())
	for _, at := range []int64{0, newest - 20, newest, newest + 10_000} {
		for _, crashed := range []bool{false, true} {
			w.asJava(t, at)
			if crashed {
				w.overwrite(t, "abort", 0, []byte("4711"))
			}
			w.complete(t)
		}
	}
}

// A Java broker writes its times into the checkpoint and leaves our words alone. They must not be
// trusted then: it may have cut the log where they say it is durable.
func TestOurWordsInACheckpointEndWithTheNextJavaBroker(t *testing.T) {
	w := filled(t)
	w.overwrite(t, "checkpoint", 0, []byte{0, 0, 0, 0, 0, 0, 0, 1})
	report, err := w.check()
	require.NoError(t, err)
	require.EqualValues(t, -1, report.Saved)
	w.complete(t)
}

// A Java broker moves the end of the log without erasing what stands behind it. When a new record
// ends where an old one begins, the old one must stay away.
func TestRecordsThatAJavaBrokerCutOffStayAway(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		w := newWorld(1, small(store.SyncFlush))
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			for range 9 {
				w.ledger.Send(e, s, key0, 500)
			}
			return nil
		}))
		w.asJava(t, int64(w.machine.Wall()))
		w.overwrite(t, "commitlog/00000000000000000000", int64(w.ledger.Messages[5].Place.Log), make([]byte, 8))
		w.overwrite(t, "consumequeue/topic/0/00000000000000000000", 5*20, make([]byte, 40))
		w.remove(t, "consumequeue/topic/0/00000000000000000140")
		if crashed {
			w.overwrite(t, "abort", 0, nil)
		}
		for _, m := range w.ledger.Messages[5:] {
			m.Lost = true
		}
		require.NoError(t, w.expectNoDamage("as the Java broker has left it"))
		require.NoError(t, w.do(func(e env.Env) error {
			s, err := store.Open(e, w.options)
			if err == nil {
				w.ledger.Send(e, s, key0, 500)
			}
			return err
		}))
		w.machine.Crash(sim.KillProcess)
		require.NoError(t, w.recheck(sim.KillProcess))
		w.kernel.Close()
	}
}

func TestADroppedTopicIsGoneAndMayBeMadeAgain(t *testing.T) {
	w := filled(t)
	require.NoError(t, w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		require.NoError(t, err)
		require.NoError(t, s.DropTopic("topic"))
		require.NoError(t, s.DropTopic("never was"))
		require.Len(t, s.Queues(), 2)
		require.Equal(t, store.ReadNoMatchedLogicQueue, read(t, s, key0, 0).Status)
		for _, m := range w.ledger.Messages {
			m.Lost = m.Key.Topic == "topic"
		}
		return nil
	}))
	w.machine.Crash(sim.PowerLoss)
	require.NoError(t, w.recheck(sim.KillProcess))
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.NoError(t, w.again(e, s))
		first, end := s.Bounds(key0)
		require.Equal(t, [2]message.QueueOffset{0, 12}, [2]message.QueueOffset{first, end})
		return nil
	}))
	require.NoError(t, w.recheck(sim.KillProcess))
	// What is left of the old topic in the log does not stand in the way of building the queues again.
	w.remove(t, "consumequeue/")
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		first, end := s.Bounds(key0)
		require.Equal(t, [2]message.QueueOffset{0, 12}, [2]message.QueueOffset{first, end})
		return nil
	}))
}

func TestDroppingATopicSurvivesACrashAtEveryOperation(t *testing.T) {
	for call, ended := 1, false; !ended; call++ {
		w := filled(t)
		opened := false
		var err error
		ended, err = w.runUntil(call, sim.CrashStyle(call%2), func(e env.Env) error {
			s, err := store.Open(e, w.options)
			if err != nil {
				return err
			}
			opened = true
			return s.DropTopic("topic")
		})
		require.NoError(t, err, "operation %d", call)
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			if err := s.DropTopic("topic"); err != nil {
				return err
			}
			for _, m := range w.ledger.Messages {
				m.Lost = m.Key.Topic == "topic"
			}
			return w.ledger.Verify(e, s, false)
		}), "operation %d", call)
		require.NoError(t, w.expectOrder(), "operation %d", call)
		require.True(t, !ended || opened)
	}
}

// The last bytes of the newest record never reached the medium, down to the whole of its checksum.
func TestARecordWhoseEndWasTornOffIsNotTaken(t *testing.T) {
	for torn := int64(1); torn < 45; torn++ {
		w := newWorld(1, small(store.SyncFlush))
		require.NoError(t, w.use(w.again))
		report, err := w.check()
		require.NoError(t, err)
		w.remove(t, "checkpoint")
		w.overwrite(t, "abort", 0, nil)
		w.overwrite(t, firstLog, int64(report.End)-torn, make([]byte, torn))
		w.ledger.Messages[len(w.ledger.Messages)-1].Lost = true
		require.NoError(t, w.repaired(sim.KillProcess), "%d bytes", torn)
		w.kernel.Close()
	}
}

// The crash marker itself must be durable, or a power loss passes for an orderly end.
func TestTwoCrashesInTheFirstStepsAreBothNoticed(t *testing.T) {
	for call := 1; call < 14; call++ {
		w := newWorld(uint64(call), small(store.SyncFlush))
		_, err := w.runUntil(call, sim.KillProcess, w.script)
		require.NoError(t, err)
		require.NoError(t, w.do(func(e env.Env) error {
			_, err := store.Open(e, w.options)
			return err
		}))
		w.machine.Crash(sim.PowerLoss)
		report, err := w.check()
		require.NoError(t, err)
		require.False(t, report.Clean, fmt.Sprintf("operation %d", call))
		require.NoError(t, w.recheck(sim.PowerLoss))
		w.kernel.Close()
	}
}

// All messages of a queue are gone with their files of the log; then the queues are built again, for whatever reason.
func TestAnIdleQueueKeepsItsNumbersThroughARebuild(t *testing.T) {
	for _, lost := range []string{"consumequeue/topic/0/", "consumequeue/topic", "checkpoint", "nothing"} {
		for _, crashed := range []bool{false, true} {
			w := filled(t)
			w.remove(t, "commitlog/00000000000000000000")
			w.loseBefore(secondFile)
			require.NoError(t, w.repaired(sim.KillProcess))
			w.remove(t, lost)
			if crashed {
				w.overwrite(t, "abort", 0, nil)
			}
			for range 2 {
				require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
					bounds(t, s, quiet0, 3, 3)
					bounds(t, s, quiet11, 1, 1)
					require.Equal(t, store.ReadOffsetTooSmall, read(t, s, quiet0, 0).Status)
					require.Equal(t, store.ReadOffsetOverflowOne, read(t, s, quiet0, 3).Status)
					return w.ledger.Verify(e, s, false)
				}), "%s, crashed %v", lost, crashed)
			}
			w.complete(t)
			require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
				bounds(t, s, quiet0, 3, 4)
				return nil
			}))
		}
	}
}
