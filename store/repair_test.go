package store_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// repair repairs the closed store, or only plans to.
func (w *world) repair(t *testing.T, choice store.RepairChoice) (plan store.RepairPlan) {
	t.Helper()
	before := w.contents()
	delete(before, "lock")
	var planned store.RepairPlan
	require.NoError(t, w.do(func(e env.Env) (err error) {
		planned, err = store.PlanRepair(e, w.options, choice, nil)
		return err
	}))
	after := w.contents()
	delete(after, "lock")
	unchanged(t, before, after)
	require.NoError(t, w.do(func(e env.Env) (err error) {
		plan, err = store.Repair(e, w.options, choice, nil)
		return err
	}))
	require.Equal(t, planned, plan)
	return plan
}

// unchanged expects the same files with the same bytes, and names the first one that is not so.
func unchanged(t *testing.T, before, after map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(before)) {
		require.Contains(t, slices.Collect(maps.Keys(after)), name)
		require.True(t, before[name] == after[name], "%s has changed", name)
	}
	require.Len(t, after, len(before), "there are new files")
}

// damageError opens a store that must read all of the log, and must refuse.
func (w *world) damageError(t *testing.T) *store.DamageError {
	t.Helper()
	var damage *store.DamageError
	require.ErrorAs(t, w.openError(t), &damage)
	return damage
}

// logByte changes one byte of the log.
func (w *world) logByte(t *testing.T, at message.LogOffset, flip byte) {
	t.Helper()
	require.True(t, w.machine.Disk().Corrupt(fmt.Sprintf("commitlog/%020d", at/secondFile*secondFile), int64(at%secondFile), flip))
}

// end is one past a message's record, by the next message in the log.
func (w *world) end(n int) message.LogOffset {
	next := w.ledger.Messages[n+1].Place.Log
	if end := w.ledger.Messages[n].Place.Log + message.LogOffset(w.ledger.Messages[n].RecordSize()); end < next {
		return end
	}
	return next
}

// forgive lets the ledger know that messages were damaged. They must not come back.
func (w *world) forgive(lost ...int) {
	for _, n := range lost {
		w.ledger.Messages[n].Lost = true
	}
	w.ledger.Spoiled = func(m *oracle.Sent) bool { return m.Lost }
}

// flips are the bytes of a record to be damaged: all if the run is exhaustive. The last 20 are the checksum of the whole record; with
// another name, of 9 bytes, it is an ordinary property: then the message is as it was.
func flips(size message.LogOffset) (at []message.LogOffset) {
	for n := message.LogOffset(0); n < size; n += message.LogOffset(stride(5)) {
		if n < size-20 || n >= size-11 {
			at = append(at, n)
		}
	}
	return append(at, 1, 2, 3, 4, 6, 7, size-1, size-2, size-22)
}

func TestADamagedByteAnywhereInARecordIsFoundAndNeverDelivered(t *testing.T) {
	const victim = 1 // message 1 of quiet-0
	w := filled(t)
	from, to := w.ledger.Messages[victim].Place.Log, w.end(victim)
	for _, at := range flips(to - from) {
		w := filled(t)
		w.logByte(t, from+at, 1<<(at%8))
		w.forgive(victim)
		report, err := w.check()
		require.NoError(t, err)
		require.Len(t, report.Lost, 1, "byte %d", at)
		require.Equal(t, [2]message.LogOffset{from, to}, [2]message.LogOffset{report.Lost[0].From, report.Lost[0].To}, "byte %d", at)
		require.Contains(t, report.Findings(), fmt.Sprintf("damage: commit log [%d, %d): no valid record", from, to))
		// A start that need not read there goes well.
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			_, err := s.Read(store.ReadRequest{Queue: quiet0, From: 1, CountMax: 1, BytesMax: 1 << 20}, nil)
			require.ErrorIs(t, err, store.ErrDamaged, "byte %d", at)
			_, err = s.RecordBytes(from)
			require.ErrorIs(t, err, store.ErrNoRecord, "byte %d", at)
			require.Equal(t, 1, read(t, s, quiet0, 0).Count)
			require.Equal(t, 1, read(t, s, quiet0, 2).Count)
			found, err := s.FindByKey(store.KeyQuery{Topic: "quiet", Key: w.ledger.Messages[victim].SearchKey(), To: 1 << 60, CountMax: 4, BytesMax: 1 << 20})
			require.NoError(t, err)
			require.Zero(t, found.Count)
			return w.ledger.Verify(e, s, false)
		}), "byte %d", at)
		// One that must refuses.
		w.remove(t, "consumequeue/")
		damage := w.damageError(t)
		require.Equal(t, [2]message.LogOffset{from, to}, [2]message.LogOffset{damage.From, damage.To}, "byte %d", at)
		require.ErrorContains(t, damage, fmt.Sprintf("[%d, %d)", from, to))
	}
}

func TestABridgeKeepsEverythingElse(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		for _, victim := range []int{0, 1, 4, 7, 13, 14, 20, 25} {
			w := filled(t)
			at := w.ledger.Messages[victim].Place
			key := w.ledger.Messages[victim].Key
			w.logByte(t, at.Log+5, 0x10)
			if crashed {
				w.overwrite(t, "abort", 0, nil)
			}
			w.forgive(victim)
			plan := w.repair(t, store.BridgeDamage)
			require.Contains(t, plan.String(), fmt.Sprintf("bridge the log over [%d, %d): the messages in it are lost", at.Log, w.end(victim)))
			require.NoError(t, w.expectNoDamage("after the repair"), "message %d", victim)
			for range 2 {
				require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
					_, end := s.Bounds(key)
					last := w.ledger.Messages[0]
					for _, m := range w.ledger.Messages {
						if m.Key == key {
							last = m
						}
					}
					require.Equal(t, last.Place.Queue+1, end)
					result, err := s.Read(store.ReadRequest{Queue: key, From: at.Queue, CountMax: 1, BytesMax: 1}, nil)
					require.NoError(t, err)
					if first, _ := s.Bounds(key); at.Queue < first {
						require.Equal(t, store.ReadOffsetTooSmall, result.Status, "message %d", victim)
					} else {
						require.Equal(t, store.ReadMessageWasRemoving, result.Status, "message %d", victim)
					}
					require.Equal(t, at.Queue+1, result.Next)
					if at.Queue > 0 {
						result = read(t, s, key, 0)
						require.Contains(t, []message.QueueOffset{end, at.Queue + 1}, result.Next, "a read goes over it")
					}
					_, err = s.OffsetAt(key, int64(e.Clock.Wall()), false)
					require.NoError(t, err)
					return w.ledger.Verify(e, s, false)
				}), "message %d, crashed %v", victim, crashed)
				require.NoError(t, w.expectOrder(), "message %d, crashed %v", victim, crashed)
			}
			require.Equal(t, "nothing is to be repaired", w.repair(t, store.BridgeDamage).String())
			require.Equal(t, "nothing is to be repaired", w.repair(t, store.CutDamage).String())
			w.complete(t)
		}
	}
}

func TestACutEndsTheLogAtTheDamage(t *testing.T) {
	for _, victim := range []int{0, 3, 13, 14, 24, 27} {
		w := filled(t)
		at := w.ledger.Messages[victim].Place
		w.logByte(t, at.Log+95, 0x10)
		for n := victim; n < 28; n++ {
			w.forgive(n)
		}
		plan := w.repair(t, store.CutDamage)
		require.Contains(t, plan.String(), fmt.Sprintf("end the log at %d: everything behind, up to 233180, is lost", at.Log))
		require.NoError(t, w.expectNoDamage("after the repair"), "message %d", victim)
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			require.Equal(t, at.Log, s.Written())
			if victim > 0 {
				_, end := s.Bounds(w.ledger.Messages[victim].Key)
				require.Equal(t, at.Queue, end)
			}
			return w.ledger.Verify(e, s, false)
		}), "message %d", victim)
		require.NoError(t, w.expectOrder(), "message %d", victim)
		require.Equal(t, "nothing is to be repaired", w.repair(t, store.CutDamage).String())
		w.complete(t)
	}
}

// The marker at the end of a file, the record before it, or both.
func TestDamageUpToTheEndOfAFileIsBridgedByAMarker(t *testing.T) {
	const last = 13 // the last message of the first file
	for _, c := range []struct {
		record bool
		marker []message.LogOffset
	}{{false, []message.LogOffset{0}}, {false, []message.LogOffset{3}}, {false, []message.LogOffset{4}}, {false, []message.LogOffset{7}}, {true, nil}, {true, []message.LogOffset{5}}} {
		w := filled(t)
		from := w.end(last)
		for _, at := range c.marker {
			w.logByte(t, from+at, 0x80)
		}
		if c.record {
			w.logByte(t, w.ledger.Messages[last].Place.Log+8, 1)
			w.forgive(last)
			from = w.ledger.Messages[last].Place.Log
		}
		to := secondFile
		if c.record && c.marker == nil {
			to = w.end(last)
		}
		w.remove(t, "consumequeue/")
		damage := w.damageError(t)
		require.Equal(t, [2]message.LogOffset{from, to}, [2]message.LogOffset{damage.From, damage.To}, "%+v", c)
		plan := w.repair(t, store.BridgeDamage)
		if to == secondFile {
			require.Contains(t, plan.String(), fmt.Sprintf("end the file of the log at %d", from))
		}
		require.NoError(t, w.repaired(sim.KillProcess), "%+v", c)
		w.complete(t)
	}
}

func TestSeveralDamagedPartsAreAllBridged(t *testing.T) {
	for _, victims := range [][]int{{4, 5}, {4, 6}, {0, 1}, {0, 4}, {12, 13, 14}, {13, 14}, {5, 15, 25}, {6, 7, 8, 9, 10}} {
		w := filled(t)
		w.forgive(victims...)
		for _, n := range victims {
			w.logByte(t, w.ledger.Messages[n].Place.Log+3, 0xff)
		}
		report, err := w.check()
		require.NoError(t, err)
		require.True(t, slices.IsSortedFunc(report.Lost, func(a, b store.DamagedRange) int { return int(a.To - b.From - 1) }), "%v", report.Lost)
		w.repair(t, store.BridgeDamage)
		require.NoError(t, w.expectNoDamage("after the repair"), "%v", victims)
		require.NoError(t, w.repaired(sim.KillProcess), "%v", victims)
		require.Equal(t, "nothing is to be repaired", w.repair(t, store.BridgeDamage).String(), "%v", victims)
		w.complete(t)
	}
}

// tiny makes a log as a Java broker would leave it, with records smaller than any bridge.
func tiny(t *testing.T, count int) (w *world, places []store.Place) {
	t.Helper()
	w = newWorld(1, small(store.SyncFlush))
	t.Cleanup(w.kernel.Close)
	log := make([]byte, 0, secondFile)
	for n := range count {
		r := oracle.RecordOf(&oracle.Sent{Key: store.QueueKey{Topic: "t", ID: 0}})
		r.Properties, r.Body = nil, nil
		place := store.Place{Log: message.LogOffset(len(log)), Queue: message.QueueOffset(n)}
		var err error
		log, err = message.AppendRecord(log, &r)
		require.NoError(t, err)
		message.PatchRecord(log[place.Log:], place.Queue, place.Log, int64(n))
		places = append(places, place)
	}
	w.overwrite(t, "commitlog/00000000000000000000", 0, log[:secondFile])
	return w, places
}

// A bridge does not fit where a small record stood, so the next one goes, too; nothing else may.
func TestDamagedSmallRecordsTakeOnlyTheirNeighboursAlong(t *testing.T) {
	const count = 12
	for _, c := range []struct{ victims, lost []int }{
		{[]int{3}, []int{3, 4}},
		{[]int{3, 4}, []int{3, 4}},
		{[]int{3, 5}, []int{3, 4, 5}},
		{[]int{3, 6}, []int{3, 4, 6, 7}},
		{[]int{3, 5, 7}, []int{3, 4, 5, 7, 8}},
		{[]int{3, 5, 6}, []int{3, 4, 5, 6}},
		{[]int{0}, []int{0, 1}},
		{[]int{0, 2}, []int{0, 1, 2}},
	} {
		w, places := tiny(t, count)
		require.Less(t, places[1].Log, message.LogOffset(107), "they are small")
		for _, n := range c.victims {
			w.logByte(t, places[n].Log+6, 2)
		}
		plan := w.repair(t, store.BridgeDamage)
		require.NoError(t, w.expectNoDamage(fmt.Sprintf("after the repair of %v: %v", c.victims, plan)))
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			var found []int
			key := store.QueueKey{Topic: "t", ID: 0}
			_, end := s.Bounds(key)
			require.EqualValues(t, count, end)
			for n, place := range places {
				result, err := s.Read(store.ReadRequest{Queue: key, From: place.Queue, CountMax: 1, BytesMax: 1}, nil)
				require.NoError(t, err)
				if result.Count > 0 {
					found = append(found, n)
				}
			}
			var want []int
			for n := range count {
				if !slices.Contains(c.lost, n) {
					want = append(want, n)
				}
			}
			require.Equal(t, want, found, "%v", c.victims)
			return nil
		}))
		require.NoError(t, w.expectOrder(), "%v", c.victims)
	}
}

func TestARepairSurvivesACrashAtEveryOperation(t *testing.T) {
	for _, choice := range []store.RepairChoice{store.BridgeDamage, store.CutDamage} {
		for _, crashed := range []bool{false, true} {
			for call, ended := 1, false; !ended; call++ {
				w := filled(t)
				victims := []int{5, 13, 20}
				w.forgive(victims...)
				for _, n := range victims {
					w.logByte(t, w.ledger.Messages[n].Place.Log+12, 4)
				}
				if crashed {
					w.overwrite(t, "abort", 0, nil)
				}
				var err error
				ended, err = w.runUntil(call, sim.CrashStyle(call%2), func(e env.Env) error {
					_, err := store.Repair(e, w.options, choice, nil)
					return err
				})
				require.NoError(t, err)
				if choice == store.CutDamage {
					for n := 5; n < 28; n++ {
						w.forgive(n)
					}
				}
				w.repair(t, choice)
				require.NoError(t, w.expectNoDamage("after the second repair"), "%v, operation %d", choice, call)
				require.NoError(t, w.repaired(sim.KillProcess), "%v, crashed %v, operation %d", choice, crashed, call)
				// What the killed repair wrote may have been in the cache only.
				w.machine.Crash(sim.PowerLoss)
				w.repair(t, choice)
				require.NoError(t, w.repaired(sim.KillProcess), "%v, crashed %v, operation %d", choice, crashed, call)
			}
		}
	}
}

// After a repair that was interrupted, a start that is not told so must not believe the queues.
func TestAStartAfterAnInterruptedRepairRefusesOrKeepsEverything(t *testing.T) {
	for call, ended := 1, false; !ended; call++ {
		w := filled(t)
		w.forgive(5, 20)
		for _, n := range []int{5, 20} {
			w.logByte(t, w.ledger.Messages[n].Place.Log+12, 4)
		}
		var err error
		ended, err = w.runUntil(call, sim.CrashStyle(call%2), func(e env.Env) error {
			_, err := store.Repair(e, w.options, store.BridgeDamage, nil)
			return err
		})
		require.NoError(t, err)
		err = w.use(func(e env.Env, s *store.Store) error { return w.ledger.Verify(e, s, false) })
		var damage *store.DamageError
		require.True(t, err == nil || errors.As(err, &damage), "operation %d: %v", call, err)
		w.repair(t, store.BridgeDamage)
		require.NoError(t, w.repaired(sim.KillProcess), "operation %d", call)
	}
}

// Each finding of a check but a missing file of the log goes away with a repair, and the store starts.
func TestWhatCheckFindsARepairMends(t *testing.T) {
	for _, c := range []struct {
		what   string
		damage func(w *world)
		lost   []int
	}{
		{"entry", func(w *world) { w.machine.Disk().Corrupt(firstQueue, 2*20+7, 1) }, nil},
		{"entry behind the end", func(w *world) { w.machine.Disk().Corrupt("consumequeue/topic/0/00000000000000000140", 6*20, 1) }, nil},
		{"first queue file is gone", func(w *world) { w.remove(t, firstQueue) }, nil},
		{"byte behind the end of the log", func(w *world) { w.machine.Disk().Corrupt(lastLog, 98_000, 1) }, nil},
		{"short last file of a queue", func(w *world) { w.truncate(t, "consumequeue/quiet/0/00000000000000000000", 60) }, nil},
		{"checkpoint inside a record", func(w *world) {
			w.overwrite(t, "checkpoint", 0, store.EncodeCheckpoint(w.content("checkpoint"), 0, 653, 4))
		}, nil},
		{"checkpoint of the future", func(w *world) {
			w.overwrite(t, "checkpoint", 0, store.EncodeCheckpoint(w.content("checkpoint"), int64(w.machine.Wall())+4000, 233180, 28))
		}, nil},
		{"index header", func(w *world) { w.flipIndex(t, 39) }, nil},
		{"index item", func(w *world) { w.flipIndex(t, 40+4*50+20+1) }, nil},
	} {
		for _, choice := range []store.RepairChoice{store.BridgeDamage, store.CutDamage} {
			w := filled(t)
			c.damage(w)
			w.forgive(c.lost...)
			report, err := w.check()
			require.NoError(t, err)
			require.NotEmpty(t, report.Damage, c.what)
			w.repair(t, choice)
			require.NoError(t, w.repaired(sim.KillProcess), "%s, %v", c.what, choice)
			w.complete(t)
		}
	}
}

// flipIndex damages the oldest file of the key index.
func (w *world) flipIndex(t *testing.T, at int64) {
	t.Helper()
	for _, p := range w.machine.Disk().Paths() {
		if len(p) > 6 && p[:6] == "index/" {
			require.True(t, w.machine.Disk().Corrupt(p, at, 0x11))
			return
		}
	}
	require.Fail(t, "there is no index file")
}

func TestARepairLeavesAStoreAloneThatIsInUseOrForeign(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		_, err := store.Repair(e, w.options, store.CutDamage, nil)
		require.ErrorIs(t, err, env.ErrLocked)
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
	})
	w := filled(t)
	w.remove(t, "commitlog/00000000000000098304")
	before := w.contents()
	require.NoError(t, w.do(func(e env.Env) error {
		_, err := store.Repair(e, w.options, store.BridgeDamage, nil)
		require.ErrorContains(t, err, "a file is missing or of another store")
		return nil
	}))
	unchanged(t, before, w.contents())
}

func TestARepairOfAWholeStoreChangesNothing(t *testing.T) {
	for _, empty := range []bool{false, true} {
		w := filled(t)
		if empty {
			w = newWorld(1, small(store.SyncFlush))
			defer w.kernel.Close()
		}
		for _, choice := range []store.RepairChoice{store.BridgeDamage, store.CutDamage} {
			before := w.contents()
			delete(before, "lock")
			require.Empty(t, w.repair(t, choice).Steps)
			after := w.contents()
			delete(after, "lock")
			unchanged(t, before, after)
		}
	}
}

// A repair must not make durable what the disk has not: it stays in doubt after the next crash.
func TestWhatFailsDuringARepairIsTold(t *testing.T) {
	for call, ended := 1, false; !ended; call++ {
		w := filled(t)
		w.forgive(5)
		w.logByte(t, w.ledger.Messages[5].Place.Log+12, 4)
		w.failing(call, 1, env.ErrIO)
		err := w.do(func(e env.Env) error {
			_, err := store.Repair(e, w.options, store.BridgeDamage, nil)
			return err
		})
		ended = w.meddler.count < call
		w.meddler = nil
		require.Equal(t, ended, err == nil, "operation %d", call)
		require.True(t, ended || errors.Is(err, env.ErrIO))
		w.machine.Crash(sim.PowerLoss)
		w.repair(t, store.BridgeDamage)
		require.NoError(t, w.repaired(sim.KillProcess), "operation %d", call)
	}
}
