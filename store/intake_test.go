package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// slaveOptions are those of a copy of a store of small.
func slaveOptions(replicated bool) store.Options {
	o := small(store.SyncFlush)
	o.Slave, o.Replicated = true, replicated
	return o
}

// logOf are all bytes of the files of a world's log, and where they begin.
func logOf(w *world) (start message.LogOffset, log []byte) {
	for i, name := range filesBelow(w, "commitlog/") {
		if i == 0 {
			_, err := fmt.Sscanf(strings.TrimPrefix(name, "commitlog/"), "%d", &start)
			if err != nil {
				panic(err)
			}
		}
		log = append(log, w.content(name)...)
	}
	return start, log
}

func filesBelow(w *world, prefix string) []string {
	var names []string
	for _, name := range w.machine.Disk().Paths() {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// written is a world whose store has taken many messages in several queues, and was closed; end is that of its log.
func written(t *testing.T, seed uint64, messages int) (w *world, end message.LogOffset) {
	t.Helper()
	w = newWorld(seed, small(store.SyncFlush))
	t.Cleanup(w.kernel.Close)
	random := w.kernel.Stream("test")
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for i := range messages {
			key := store.QueueKey{Topic: []string{"topic0", "topic1", "batch"}[i%3], ID: int32(i % 2)}
			if status := w.ledger.Send(e, s, key, 14+random.IntN(3000)); status != store.AppendOK {
				return fmt.Errorf("a message was not taken: %v", status)
			}
		}
		end = s.Flushed()
		return nil
	}))
	return w, end
}

// feed gives a slave the bytes [its end, to) of a log in pieces.
func feed(s *store.Store, random *sim.Stream, start message.LogOffset, log []byte, to message.LogOffset) error {
	in := s.Intake()
	for in.Next() < to {
		n := min(1+random.IntN(5000), int(to-in.Next()))
		from := int(in.Next() - start)
		in.Add(log[from : from+n])
		if err := in.Take(); err != nil {
			return err
		}
		s.Kick()
	}
	return nil
}

func requireSameFiles(t *testing.T, one, other *world, prefix string) {
	t.Helper()
	require.Equal(t, filesBelow(one, prefix), filesBelow(other, prefix))
	for _, name := range filesBelow(one, prefix) {
		require.True(t, bytes.Equal(one.content(name), other.content(name)), name)
	}
}

func TestASlaveHasTheBytesOfItsMasterHoweverTheyAreCutAndHoweverOftenItCrashes(t *testing.T) {
	for seed := range seeds(30) {
		master, end := written(t, seed, 150)
		start, log := logOf(master)
		w := newWorld(seed+1000, slaveOptions(seed%2 == 0))
		t.Cleanup(w.kernel.Close)
		random := w.kernel.Stream("test")
		for at := message.LogOffset(0); at < end; {
			to := min(at+message.LogOffset(random.IntN(200_000)), end)
			require.NoError(t, w.do(func(e env.Env) error {
				s, err := store.Open(e, w.options)
				if err != nil {
					return err
				}
				if s.End() < at {
					return fmt.Errorf("the log ends at %d, and was flushed up to %d", s.End(), at)
				}
				if err := feed(s, random, start, log, max(to, s.End())); err != nil {
					return err
				}
				s.Allow(message.LogOffset(random.IntN(int(s.End()) + 1)))
				if random.Chance(0.5) {
					err = s.Flush()
				}
				at = s.Flushed()
				if at < end && s.Confirmed() > at {
					err = errors.Join(err, fmt.Errorf("confirmed %d, flushed %d", s.Confirmed(), at))
				}
				if random.Chance(0.3) {
					err = errors.Join(err, s.Close())
				}
				return err
			}), "seed %d", seed)
			w.machine.Crash(sim.CrashStyle(random.IntN(2)))
		}
		w.options.Replicated = false
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error { return feed(s, random, start, log, end) }), "seed %d", seed)
		require.NoError(t, w.expectOrder(), "seed %d", seed)
		requireSameFiles(t, master, w, "commitlog/")
		for _, dir := range []string{"consumequeue/", "batchconsumequeue/"} {
			requireSameFiles(t, master, w, dir)
		}
	}
}

// What a slave has behind the log of a new master goes: while it runs if nobody has seen it, otherwise with its next start.
func TestASlaveThatWasMasterTakesTheLogOfTheNewOne(t *testing.T) {
	for seed := range seeds(30) {
		old, end := written(t, seed, 60)
		start, log := logOf(old)
		fresh := newWorld(seed+500, slaveOptions(false))
		t.Cleanup(fresh.kernel.Close)
		random := fresh.kernel.Stream("test")
		var parts message.LogOffset
		require.NoError(t, fresh.use(func(e env.Env, s *store.Store) error {
			err := feed(s, random, start, log, message.LogOffset(random.IntN(int(end))))
			parts = s.End()
			return err
		}))
		fresh.options = small(store.SyncFlush)
		var newEnd message.LogOffset
		require.NoError(t, fresh.use(func(e env.Env, s *store.Store) error {
			for i := range 40 {
				fresh.ledger.Send(e, s, store.QueueKey{Topic: "topic0", ID: int32(i % 3)}, 14+random.IntN(3000))
			}
			newEnd = s.Flushed()
			return nil
		}))
		newStart, newLog := logOf(fresh)

		old.options = slaveOptions(true)
		seen := seed%2 == 0
		err := old.use(func(e env.Env, s *store.Store) error {
			if s.Confirmed() < end {
				return fmt.Errorf("after an orderly end all is confirmed: %d of %d", s.Confirmed(), end)
			}
			if seen {
				if err := s.CutLog(parts); !errors.Is(err, store.ErrShown) && parts < end {
					return fmt.Errorf("what was seen was cut off: %w", err)
				}
			}
			return store.PlanCut(e.Disk, parts, parts)
		})
		require.NoError(t, err)
		if seed%3 == 0 {
			old.machine.Crash(sim.PowerLoss)
		}
		require.NoError(t, old.use(func(e env.Env, s *store.Store) error {
			if s.End() != parts {
				return fmt.Errorf("the log ends at %d, want %d", s.End(), parts)
			}
			if err := feed(s, random, newStart, newLog, newEnd); err != nil {
				return err
			}
			// It is told to go back once more, to where nobody has seen it.
			if err := s.CutLog(parts); err != nil {
				return err
			}
			s.Allow(newEnd)
			return errors.Join(feed(s, random, newStart, newLog, newEnd), s.Flush())
		}), "seed %d", seed)
		require.NoError(t, old.expectOrder(), "seed %d", seed)
		requireSameFiles(t, fresh, old, "commitlog/")
		for _, name := range filesBelow(fresh, "consumequeue/") {
			require.True(t, bytes.Equal(fresh.content(name), old.content(name)), name)
		}
	}
}

// A master whose power went had written entries of messages that were confirmed since the last checkpoint, and of those only the last ones have reached its
// medium. The next master, which somebody has had elected all the same, has none of those messages.
func TestWhatQueuesSayOfMessagesThatAreCutOffIsErased(t *testing.T) {
	master, end := written(t, 1, 60)
	start, log := logOf(master)
	w := newWorld(2, slaveOptions(true))
	t.Cleanup(w.kernel.Close)
	w.options.CheckpointEvery, w.options.CheckpointBytes = time.Hour, 1<<40
	random := w.kernel.Stream("test")
	require.NoError(t, w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		if err != nil {
			return err
		}
		e.Tasks.Sleep(time.Second) // for the first checkpoint, which comes soon
		s.Allow(end)
		if err := errors.Join(feed(s, random, start, log, end), s.Flush()); err != nil {
			return err
		}
		e.Tasks.Sleep(time.Second)
		return nil
	}))
	w.machine.Crash(sim.KillProcess)
	require.NoError(t, w.do(func(e env.Env) error {
		for _, name := range filesBelow(w, "consumequeue/") {
			f, err := e.Disk.Open(name)
			if err != nil {
				return err
			}
			if err := errors.Join(f.WriteAt(make([]byte, 20), 0), f.Close()); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		if s.End() != end || s.Confirmed() != 0 {
			return fmt.Errorf("the log ends at %d and is confirmed up to %d, want %d and 0", s.End(), s.Confirmed(), end)
		}
		return s.CutLog(0)
	}))
	for _, name := range filesBelow(w, "consumequeue/") {
		require.Empty(t, bytes.Trim(w.content(name), "\x00"), name)
	}
	require.NoError(t, w.expectOrder())
}

func TestNothingIsShownBeforeItIsAllowed(t *testing.T) {
	options := small(store.SyncFlush)
	options.Replicated = true
	w := newWorld(1, options)
	defer w.kernel.Close()
	var third message.LogOffset
	require.NoError(t, w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		require.NoError(t, err)
		a := w.ledger.Append(e, s, key0, 100)
		s.Kick()
		require.NoError(t, s.Flush())
		require.Equal(t, store.ReadNoMessageInQueue, read(t, s, key0, 0).Status)
		s.Allow(s.Flushed())
		require.Equal(t, store.AppendOK, a.Wait())
		require.Equal(t, store.ReadFound, read(t, s, key0, 0).Status)
		late := w.ledger.Append(e, s, key0, 100)
		s.Kick()
		require.Equal(t, store.AppendReplicaTimeout, late.Wait(), "nobody else has it")
		third = s.Flushed()
		e.Tasks.Sleep(time.Second)
		return nil
	}))
	// The store does not know whether it was confirmed since.
	w.machine.Crash(sim.PowerLoss)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.Equal(t, third, s.End())
		require.Equal(t, 1, read(t, s, key0, 0).Count)
		s.Allow(third)
		require.Equal(t, 2, read(t, s, key0, 0).Count)
		waiting := w.ledger.Append(e, s, key0, 100)
		s.Kick()
		e.Tasks.Go("see what becomes of it", func() { require.Equal(t, store.AppendFailed, waiting.Wait()) })
		return nil
	}))
	require.NoError(t, w.expectOrder())
	// Nor after an orderly end.
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.Equal(t, 2, read(t, s, key0, 0).Count)
		require.Greater(t, s.End(), third)
		return nil
	}))
}

// Copies may have the log up to any byte, also in the unused end of a file, where no record could follow.
func TestTheLogIsConfirmedUpToWhereARecordBegins(t *testing.T) {
	for _, allowed := range []message.LogOffset{secondFile - 4_000, secondFile - 1, secondFile, secondFile + 1} {
		options := small(store.SyncFlush)
		options.Replicated = true
		w := newWorld(1, options)
		t.Cleanup(w.kernel.Close)
		require.NoError(t, w.do(func(e env.Env) error {
			s, err := store.Open(e, w.options)
			require.NoError(t, err)
			places := []message.LogOffset{secondFile}
			for range 11 {
				w.ledger.Append(e, s, key0, 9_000)
				places = append(places, s.End())
			}
			s.Kick()
			require.NoError(t, s.Flush())
			require.Less(t, places[10], secondFile-4_000, "ten messages are in the first file")
			s.Allow(allowed)
			require.Contains(t, places, s.Confirmed())
			e.Tasks.Sleep(time.Second)
			return nil
		}))
		again := func(e env.Env, s *store.Store) error {
			require.Equal(t, 10, read(t, s, key0, 0).Count)
			s.Allow(s.End())
			require.Equal(t, s.End(), s.Confirmed())
			return nil
		}
		w.machine.Crash(sim.PowerLoss)
		require.NoError(t, w.use(again))
		// What is cut off leaves the same choice.
		require.NoError(t, w.do(func(e env.Env) error {
			require.NoError(t, store.PlanCut(e.Disk, secondFile+9_143, allowed))
			_, err := store.Open(e, w.options)
			e.Tasks.Sleep(time.Second)
			return err
		}))
		w.machine.Crash(sim.PowerLoss)
		require.NoError(t, w.use(again))
	}
}

func TestASlaveTakesNoMessagesOfItsOwn(t *testing.T) {
	opened(t, slaveOptions(false), func(w *world, e env.Env, s *store.Store) {
		require.Equal(t, store.AppendUnavailable, w.ledger.Append(e, s, key0, 100).Wait())
	})
}

func TestASlaveRefusesWhatDoesNotContinueItsLog(t *testing.T) {
	master, end := written(t, 1, 5)
	_, log := logOf(master)
	for name, change := range map[string]func(p []byte) []byte{
		"a damaged body":       func(p []byte) []byte { p[90]++; return p },
		"another place":        func(p []byte) []byte { return append(p[1:], 0) },
		"zeros":                func(p []byte) []byte { clear(p); return p },
		"an impossible length": func(p []byte) []byte { p[0] = 0x7F; return p },
	} {
		opened(t, slaveOptions(false), func(w *world, e env.Env, s *store.Store) {
			in := s.Intake()
			in.Add(change(slices.Clone(log[:end])))
			require.ErrorIs(t, in.Take(), store.ErrForeignLog, name)
			require.Zero(t, s.End(), name)
		})
	}
}

func TestATopicThatWasMadeAgainAtTheMasterIsRemovedFirst(t *testing.T) {
	master := newWorld(1, small(store.SyncFlush))
	defer master.kernel.Close()
	var end message.LogOffset
	require.NoError(t, master.use(func(e env.Env, s *store.Store) error {
		master.ledger.Send(e, s, key0, 100, 100)
		require.NoError(t, master.ledger.Drop(s, key0.Topic))
		master.ledger.Send(e, s, key0, 200)
		end = s.Flushed()
		return nil
	}))
	_, log := logOf(master)
	opened(t, slaveOptions(false), func(w *world, e env.Env, s *store.Store) {
		in := s.Intake()
		in.Add(log[:end])
		err := in.Take()
		var anew *store.TopicAnewError
		require.ErrorAs(t, err, &anew)
		require.Equal(t, key0.Topic, anew.Topic)
		s.Kick()
		require.NoError(t, s.Flush())
		require.NoError(t, s.DropTopic(anew.Topic))
		require.NoError(t, in.Take())
		s.Kick()
		require.NoError(t, s.Flush())
		require.Equal(t, end, s.End())
		require.Equal(t, 1, read(t, s, key0, 0).Count)
	})
}

// A master whose log was repaired has bridges over what was lost. Its slaves count on behind them as it does.
func TestASlaveGoesOnBehindWhatItsMasterHasLost(t *testing.T) {
	for seed := range seeds(20) {
		master, end := written(t, seed, 60)
		random := master.kernel.Stream("damage")
		for range 1 + random.IntN(3) {
			at, size := int64(random.IntN(int(end))), int64(96<<10)
			if at%size > 90_000 {
				continue // maybe behind the marker, where nothing means anything
			}
			master.machine.Disk().Corrupt(fmt.Sprintf("commitlog/%020d", at-at%size), at%size, 1)
		}
		require.NoError(t, master.do(func(e env.Env) error {
			_, err := store.Repair(e, master.options, store.BridgeDamage, nil)
			return err
		}))
		require.NoError(t, master.use(func(e env.Env, s *store.Store) error {
			end = s.Flushed()
			return nil
		}), "seed %d", seed)
		_, log := logOf(master)
		w := newWorld(seed, slaveOptions(false))
		t.Cleanup(w.kernel.Close)
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error { return feed(s, random, 0, log, end) }), "seed %d", seed)
		require.NoError(t, w.expectOrder(), "seed %d", seed)
		requireSameFiles(t, master, w, "commitlog/")
		for _, name := range filesBelow(w, "consumequeue/") {
			require.True(t, bytes.Equal(master.content(name), w.content(name)), name)
		}
	}
}

func TestASlaveBeginsWhereTheLogOfItsMasterBegins(t *testing.T) {
	master, end := written(t, 3, 150)
	_, log := logOf(master)
	second := int64(96 << 10)
	w := newWorld(4, slaveOptions(false))
	defer w.kernel.Close()
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.Error(t, s.BeginAt(message.LogOffset(second-1)))
		require.NoError(t, s.BeginAt(message.LogOffset(second)))
		require.Error(t, s.BeginAt(message.LogOffset(second)), "only once")
		return feed(s, w.kernel.Stream("test"), 0, log, end)
	}))
	require.NoError(t, w.expectOrder())
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.EqualValues(t, second, s.Start())
		queue := store.QueueKey{Topic: "topic0"}
		first, last := s.Bounds(queue)
		require.Positive(t, first)
		require.Equal(t, store.ReadFound, read(t, s, queue, first).Status)
		require.Greater(t, last, first)
		// It is too far behind: the whole log goes, and it begins once more.
		f, err := e.Disk.Create("timers/mark")
		require.NoError(t, errors.Join(err, f.Close()))
		return store.PlanAnew(e.Disk)
	}))
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.Zero(t, s.End())
		require.Empty(t, s.Queues())
		require.Empty(t, filesBelow(w, "timers/"), "what waits is not known any more")
		require.NoError(t, s.BeginAt(message.LogOffset(2*second)))
		return feed(s, w.kernel.Stream("test"), 0, log, end)
	}))
	require.NoError(t, w.expectOrder())
}

// TestABeginningSurvivesACrashAtEveryOperation: a copy begins in the middle of its master's log, and nothing is missing in front of it.
func TestABeginningSurvivesACrashAtEveryOperation(t *testing.T) {
	master, end := written(t, 3, 150)
	_, log := logOf(master)
	const second = message.LogOffset(96 << 10)
	for _, replicated := range []bool{false, true} {
		for call, ended := 1, false; !ended; call++ {
			w := newWorld(uint64(call), slaveOptions(replicated))
			begin := func(e env.Env) error {
				s, err := store.Open(e, w.options)
				if err != nil {
					return err
				}
				if s.End() == 0 {
					if err := s.BeginAt(second); err != nil {
						return err
					}
				}
				err = errors.Join(feed(s, w.kernel.Stream("test"), 0, log, end), s.Flush())
				s.Allow(s.Flushed())
				return errors.Join(err, s.Close())
			}
			var err error
			ended, err = w.runUntil(call, sim.CrashStyle(call%2), begin)
			require.NoError(t, err)
			require.NoError(t, w.do(begin), "operation %d, replicated %v", call, replicated)
			require.NoError(t, w.use(func(_ env.Env, s *store.Store) error {
				require.Equal(t, second, s.Start(), "operation %d", call)
				require.Equal(t, end, s.End(), "operation %d", call)
				return nil
			}))
			w.kernel.Close()
		}
	}
}

func TestAFeedGivesWhatIsWrittenOrOnlyWhatIsFlushed(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		all, durable := s.Feed("all", 0, false), s.Feed("durable", 0, true)
		defer all.Close()
		defer durable.Close()
		began := e.Clock.Now()
		all.Wait(began.Add(time.Second))
		require.Equal(t, time.Second, e.Clock.Now().Sub(began))
		w.ledger.Append(e, s, key0, 1000, 1000)
		s.Kick()
		p := make([]byte, 1<<20)
		require.Less(t, s.Flushed(), s.Written())
		_, n, err := all.Next(p, 0)
		require.NoError(t, err)
		require.EqualValues(t, s.Written(), n)
		_, n, err = durable.Next(p, 0)
		require.NoError(t, err)
		require.Zero(t, n)
		durable.Wait(env.Never)
		_, n, err = durable.Next(p, 100)
		require.NoError(t, err)
		require.Equal(t, 100, n)
		at, n, err := durable.Next(p, 0)
		require.NoError(t, err)
		require.EqualValues(t, 100, at)
		require.EqualValues(t, s.Flushed(), at+message.LogOffset(n))
		require.NoError(t, s.LogBytes(p[:50], 100))
		require.ErrorIs(t, s.LogBytes(p[:50], s.Written()-49), store.ErrNoRecord)
	})
}

// Whatever bytes come, in whatever pieces: none is kept that is no record, and memory is bounded by what was added.
func TestAnIntakeOfAnyBytesKeepsOnlyRecords(t *testing.T) {
	master, end := written(t, 9, 20)
	_, log := logOf(master)
	rapid.Check(t, func(t *rapid.T) {
		p := slices.Clone(log[:end])
		for range rapid.IntRange(0, 3).Draw(t, "damages") {
			p[rapid.IntRange(0, len(p)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		}
		w := newWorld(1, slaveOptions(false))
		defer w.kernel.Close()
		var kept message.LogOffset
		err := w.use(func(e env.Env, s *store.Store) error {
			in, at := s.Intake(), 0
			for at < len(p) {
				n := min(rapid.IntRange(1, 10_000).Draw(t, "piece"), len(p)-at)
				in.Add(p[at : at+n])
				at += n
				if in.Take() != nil {
					break
				}
				s.Kick()
			}
			s.Kick()
			kept = s.End()
			return s.Flush()
		})
		require.NoError(t, err)
		require.NoError(t, w.expectOrder())
		_, own := logOf(w)
		require.True(t, bytes.Equal(p[:kept], own[:kept]))
	})
}

// What the disk has, waits for copies only, however much longer they may take.
func TestASlowCopyIsNotTakenForASlowDisk(t *testing.T) {
	options := small(store.SyncFlush)
	options.Replicated, options.FlushTimeout, options.ReplicaTimeout = true, time.Second, 5*time.Second
	w := newWorld(1, options)
	defer w.kernel.Close()
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		began := e.Clock.Now()
		late := w.ledger.Append(e, s, key0, 100)
		s.Kick()
		require.Equal(t, store.AppendReplicaTimeout, late.Wait())
		require.GreaterOrEqual(t, e.Clock.Now().Sub(began), 5*time.Second)
		slow := w.ledger.Append(e, s, key0, 100)
		s.Kick()
		e.Tasks.Sleep(3 * time.Second)
		s.Allow(s.Flushed())
		require.Equal(t, store.AppendOK, slow.Wait(), "within slaveTimeout")
		return nil
	}))
}
