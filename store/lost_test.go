package store_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// What was lost is known to the queue only by its old files, if no later message tells its number.
func TestABridgeOverTheNewestMessageOfAQueueKeepsItsNumber(t *testing.T) {
	for _, also := range []string{"", "consumequeue/", "abort"} {
		w := filled(t)
		w.logByte(t, w.ledger.Messages[3].Place.Log+5, 0x10) // the only message of quiet-11
		w.forgive(3)
		require.Contains(t, w.repair(t, store.BridgeDamage).String(), "the messages in it are lost: quiet-11 [0, 1)")
		switch also {
		case "abort":
			w.overwrite(t, also, 0, nil)
		case "consumequeue/":
			w.remove(t, also) // the log alone tells it
		}
		require.NoError(t, w.repaired(sim.KillProcess), also)
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			bounds(t, s, quiet11, 1, 1)
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, quiet11, 100))
			bounds(t, s, quiet11, 1, 2)
			return nil
		}))
		w.complete(t)
	}
}

func TestABridgeKeepsTheNumbersOfAllMessagesInIt(t *testing.T) {
	w := filled(t)
	for _, n := range []int{24, 25, 26, 27} {
		w.logByte(t, w.ledger.Messages[n].Place.Log+5, 0x10)
		w.forgive(n)
	}
	plan := w.repair(t, store.BridgeDamage).String()
	require.Contains(t, plan, "topic-0 [10, 12)")
	require.Contains(t, plan, "topic-1 [10, 12)")
	for range 2 {
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			bounds(t, s, key0, 0, 12)
			bounds(t, s, topic1, 0, 12)
			return w.ledger.Verify(e, s, false)
		}))
		require.NoError(t, w.expectOrder())
	}
	w.complete(t)
}

func TestABridgeOverABatchKeepsItsNumbers(t *testing.T) {
	for _, victim := range []int{0, 9, 34, 35} {
		w := filledWithBatches(t)
		var end message.QueueOffset
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			_, end = s.Bounds(batchKey)
			return nil
		}))
		w.logByte(t, w.ledger.Messages[victim].Place.Log+5, 0x10)
		w.forgive(victim)
		w.repair(t, store.BridgeDamage)
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			_, now := s.Bounds(batchKey)
			require.Equal(t, end, now, "message %d", victim)
			return w.ledger.Verify(e, s, false)
		}))
		require.NoError(t, w.expectOrder(), "message %d", victim)
		w.remove(t, "batchconsumequeue/")
		require.NoError(t, w.repaired(sim.KillProcess), "message %d", victim)
		w.complete(t)
	}
}

// The fillers in the queues tell what a bridge stood for.
func TestADamagedBridgeIsBridgedAndItsNumbersKept(t *testing.T) {
	for _, victims := range [][]int{{3}, {27}, {3, 26, 27}, {5}} {
		w := filled(t)
		w.forgive(victims...)
		for range 3 {
			for _, n := range victims {
				w.logByte(t, w.ledger.Messages[n].Place.Log+5, 0x10)
			}
			w.repair(t, store.BridgeDamage)
			require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
				_, end := s.Bounds(quiet11)
				require.EqualValues(t, 1, end)
				_, end = s.Bounds(topic1)
				require.EqualValues(t, 12, end)
				return w.ledger.Verify(e, s, false)
			}), "%v", victims)
			require.NoError(t, w.expectOrder(), "%v", victims)
		}
		w.complete(t)
	}
}

// A Java broker hands out the record that an entry leads to: it must be a whole one.
func TestAFillerLeadsToItsBridge(t *testing.T) {
	w := filled(t)
	victim := w.ledger.Messages[6]
	w.logByte(t, victim.Place.Log+5, 0x10)
	w.forgive(6)
	w.repair(t, store.BridgeDamage)
	require.NoError(t, w.repaired(sim.KillProcess))
	want := fmt.Sprintf("%016x"+"%08x"+"7fffffff44414d47", int64(victim.Place.Log), victim.RecordSize())
	filler := w.content("consumequeue/topic/0/00000000000000000000")[20*victim.Place.Queue:][:20]
	require.Equal(t, want, fmt.Sprintf("%x", filler))
	raw := w.content("commitlog/00000000000000000000")[victim.Place.Log:][:victim.RecordSize()]
	var bridge message.Record
	_, err := message.DecodeRecord(raw, &bridge, true)
	require.NoError(t, err)
	require.Equal(t, "DAMAGED", string(bridge.Topic))
	require.Equal(t, message.SysFlags(0x1|0x8|0x4|0x40|0x80), bridge.SysFlags)
	// An inner batch, compressed, that has nothing in it.
	body, err := new(message.Decompressor).Body(bridge.Body, bridge.SysFlags, 1<<20)
	require.NoError(t, err)
	require.Empty(t, body)
	named := "\x05topic" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x01" + "\x00\x00\x00\x01" + "\x00"
	require.Equal(t, named, string(bridge.Body[8:8+len(named)]))
	require.True(t, bytes.Contains(bridge.Body[8+len(named):], []byte("topic")) || len(bridge.Body) > 8_000, "and the damaged bytes")
}

// A small record at the end of a file is lost with a bridge, too, and not with a marker alone: behind that no queue could go on.
func TestASmallRecordAtTheEndOfAFileIsBridged(t *testing.T) {
	w := newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	key := store.QueueKey{Topic: "t", ID: 0}
	const size = 112
	var log []byte
	for n, body := range []int{int(secondFile) - size - message.EndOfFileSize - 92, size - 92, 20} {
		r := oracle.RecordOf(&oracle.Sent{Key: key})
		r.Properties, r.Body = nil, make([]byte, body)
		at := len(log)
		var err error
		log, err = message.AppendRecord(log, &r)
		require.NoError(t, err)
		message.PatchRecord(log[at:], message.QueueOffset(n), message.LogOffset(at), 1)
		if n == 1 {
			log = message.AppendEndOfFile(log, message.EndOfFileSize)
		}
	}
	w.overwrite(t, "commitlog/00000000000000000000", 0, log[:secondFile])
	w.overwrite(t, "commitlog/00000000000000098304", 0, append(log[secondFile:], make([]byte, 2*int(secondFile)-len(log))...))
	w.logByte(t, secondFile-size-message.EndOfFileSize+5, 0x10)
	w.logByte(t, secondFile-message.EndOfFileSize+1, 0x10)
	w.repair(t, store.BridgeDamage)
	require.NoError(t, w.use(func(_ env.Env, s *store.Store) error {
		bounds(t, s, key, 0, 3)
		require.Equal(t, 1, read(t, s, key, 2).Count)
		return nil
	}))
	require.NoError(t, w.expectOrder())
}

func TestARepairRemovesTheFilesOfAQueueThatAreNoRow(t *testing.T) {
	for _, name := range []string{firstQueue, "consumequeue/topic/0/notes.txt", "consumequeue/topic/0/00000000000000000007"} {
		w := filled(t)
		size := int64(len(w.content(name)))
		w.overwrite(t, name, size, []byte{0})
		require.Error(t, w.openError(t))
		require.Contains(t, w.repair(t, store.BridgeDamage).String(), "remove the files in consumequeue/topic/0: they are not those of a queue")
		require.NoError(t, w.repaired(sim.KillProcess), name)
		w.complete(t)
	}
}

// Then the sizes that are set are wrong, and not the files.
func TestARepairRemovesNoQueuesIfNotOneHasTheRightSize(t *testing.T) {
	w := filled(t)
	w.options.QueueSegmentEntries = 9
	before := w.contents()
	require.NoError(t, w.do(func(e env.Env) error {
		_, err := store.Repair(e, w.options, store.BridgeDamage, nil)
		require.ErrorContains(t, err, "mappedFileSizeConsumeQueue")
		return nil
	}))
	unchanged(t, before, w.contents())
}

func TestARepairSetsAListOfRemovedTopicsAsideThatCannotBeRead(t *testing.T) {
	w := dropped(t, "topic")
	w.overwrite(t, droppedFile, 0, []byte("{{"))
	text := w.content(droppedFile)
	require.Error(t, w.openError(t))
	plan := w.repair(t, store.BridgeDamage)
	require.Contains(t, plan.String(), "rename droppedTopics.json to droppedTopics.json.damaged")
	require.Equal(t, text, w.content(droppedFile+".damaged"))
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.Equal(t, []store.QueueKey{quiet0, quiet11}, s.Queues(), "no queue had to be built again")
		return nil
	}))
}

func TestMissingLastFilesOfTheLogAreNamed(t *testing.T) {
	for _, crashed := range []string{"", "crashed", "java"} {
		w := filled(t)
		w.remove(t, lastLog)
		switch crashed {
		case "java":
			w.remove(t, "checkpoint")
		case "crashed":
			// The checkpoint was written before the last file was made; the queues know of it.
			w.overwrite(t, "abort", 0, nil)
			w.overwrite(t, "checkpoint", 0, store.EncodeCheckpoint(w.content("checkpoint"), 0, secondFile, 14))
		}
		damage := w.damageError(t)
		require.Equal(t, [2]message.LogOffset{196608, 233180}, [2]message.LogOffset{damage.From, damage.To}, crashed)
		require.ErrorContains(t, damage, "put them back")
		report, err := w.check()
		require.NoError(t, err)
		require.Contains(t, report.Findings(), "damage: commit log [196608, 233180): the files are missing", crashed)
		require.Contains(t, w.repair(t, store.BridgeDamage).String(), "go on without the log [196608, 233180), whose files are missing", crashed)
		w.forgive(24, 25, 26, 27)
		require.NoError(t, w.repaired(sim.KillProcess), crashed)
		w.complete(t)
	}
}

func TestARepairRemovesAForeignFileOfTheIndex(t *testing.T) {
	w := filled(t)
	w.overwrite(t, "index/notes.txt", 0, []byte("x"))
	require.Error(t, w.openError(t))
	require.Contains(t, w.repair(t, store.BridgeDamage).String(), "remove index/")
	require.NoError(t, w.repaired(sim.KillProcess))
}

// Which of them is the right one, only the operator knows.
func TestARepairRefusesAQueueWithFilesOfBothKinds(t *testing.T) {
	w := filledWithBatches(t)
	w.overwrite(t, "consumequeue/batch/1/00000000000000000000", 0, make([]byte, 7*20))
	before := w.contents()
	require.NoError(t, w.do(func(e env.Env) error {
		_, err := store.Repair(e, w.options, store.BridgeDamage, nil)
		require.ErrorContains(t, err, "batchconsumequeue/batch/1")
		require.ErrorContains(t, err, "remove the directory that does not fit the topic's queue.type")
		return nil
	}))
	unchanged(t, before, w.contents())
}

func TestARepairMakesOnlyAgainWhatIsDamaged(t *testing.T) {
	w := filled(t)
	w.flipIndex(t, 39)
	plan := w.repair(t, store.BridgeDamage).String()
	require.NotContains(t, plan, "queues")
	require.Contains(t, plan, "remove index/")
	require.NoError(t, w.repaired(sim.KillProcess))

	w = filled(t)
	w.machine.Disk().Corrupt(firstQueue, 2*20+7, 1)
	plan = w.repair(t, store.BridgeDamage).String()
	require.Contains(t, plan, "build all queues again")
	require.NotContains(t, plan, "index")
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.Contains(t, fmt.Sprint(w.log.FilterMessageSnippet("do not fit").All()), "a repair, or a start that was interrupted, asks for all queues to be built again")
		return nil
	}))
	require.NoError(t, w.expectOrder())
}

func TestAPlanForACrashedStoreSaysThatAStartIsEnough(t *testing.T) {
	w := filled(t)
	w.overwrite(t, "abort", 0, nil)
	require.True(t, strings.HasPrefix(w.repair(t, store.BridgeDamage).String(), "nothing is to be repaired: the broker has crashed, and its next start"))
}

// Whatever records are damaged, no number is given again, also if the queues are lost later.
func TestAfterARepairEveryQueueEndsWhereItDid(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 12 {
		w := filled(t)
		var victims []int
		for n := range w.ledger.Messages {
			if random.IntN(28) < 6 {
				w.logByte(t, w.ledger.Messages[n].Place.Log+message.LogOffset(random.IntN(90)), 1<<random.IntN(8))
				victims = append(victims, n)
			}
		}
		w.forgive(victims...)
		w.repair(t, store.BridgeDamage)
		for _, prefix := range []string{"", "consumequeue/", "checkpoint"} {
			if prefix != "" {
				w.remove(t, prefix)
			}
			require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
				for key, want := range map[store.QueueKey]message.QueueOffset{key0: 12, topic1: 12, quiet0: 3, quiet11: 1} {
					_, end := s.Bounds(key)
					require.Equal(t, want, end, "%v, damaged %v", key, victims)
				}
				return w.ledger.Verify(e, s, false)
			}), "%v", victims)
			require.NoError(t, w.expectOrder(), "%v", victims)
		}
		w.complete(t)
	}
}
