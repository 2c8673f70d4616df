package store_test

import (
	"encoding/json"
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

const droppedFile = "droppedTopics.json"

// dropped removes a topic from a filled world.
func dropped(t *testing.T, topics ...string) *world {
	t.Helper()
	w := filled(t)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for _, topic := range topics {
			require.NoError(t, w.ledger.Drop(s, topic))
		}
		return w.ledger.Verify(e, s, false)
	}))
	return w
}

func TestBuildingAllQueuesAgainDoesNotBringARemovedTopicBack(t *testing.T) {
	for _, also := range []string{"consumequeue/", "checkpoint", "index/"} {
		for _, crashed := range []bool{false, true} {
			w := dropped(t, "topic")
			w.remove(t, "consumequeue/")
			w.remove(t, also)
			if crashed {
				w.overwrite(t, "abort", 0, nil)
			}
			require.NoError(t, w.repaired(sim.KillProcess), "%s, crashed %v", also, crashed)
			require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
				require.Equal(t, []store.QueueKey{quiet0, quiet11}, s.Queues())
				require.Equal(t, store.ReadNoMatchedLogicQueue, read(t, s, key0, 0).Status)
				return nil
			}))
		}
	}
}

func TestATopicThatWasMadeAgainCountsFromZeroAndStays(t *testing.T) {
	for _, also := range []string{"nothing", "consumequeue/", "checkpoint", "consumequeue/topic/0/", "index/"} {
		w := dropped(t, "topic", "quiet")
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			for range 9 {
				require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 500))
			}
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, quiet0, 500))
			return nil
		}))
		w.remove(t, also)
		for range 3 {
			require.NoError(t, w.repaired(sim.KillProcess), also)
			require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
				bounds(t, s, key0, 0, 9)
				bounds(t, s, quiet0, 0, 1)
				bounds(t, s, topic1, 0, 0)
				return nil
			}))
		}
		w.complete(t)
	}
}

// Of a topic that was removed and made again, the first new messages are gone with their file of the log, and then the queues are
// built again: they begin with fillers, which must not pass for entries of the old messages.
func TestATopicThatWasMadeAgainKeepsItsNumbersWhenItsFirstMessagesAreGone(t *testing.T) {
	w := dropped(t, "topic")
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for range 30 {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 9_000))
		}
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, topic1, 9_000))
		return nil
	}))
	w.remove(t, "commitlog/00000000000000000000")
	w.remove(t, "commitlog/00000000000000098304")
	w.remove(t, lastLog)
	w.loseBefore(lastFile + secondFile)
	w.remove(t, "consumequeue/")
	for range 3 {
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			first, end := s.Bounds(key0)
			require.EqualValues(t, 30, end)
			require.NotZero(t, first)
			return w.ledger.Verify(e, s, false)
		}))
	}
	rebuilt := w.log.FilterMessageSnippet("built again").Len()
	require.Zero(t, rebuilt, "the queues were built again although they are whole")
	// All messages of the queue go; its number stays.
	w.tidy()
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for range 24 {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, quiet0, 9_000))
		}
		rounds(e)
		w.machine.StepWall(2 * w.options.KeepFor)
		s.CleanNow()
		rounds(e)
		return nil
	}))
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		bounds(t, s, key0, 30, 30)
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 20))
		bounds(t, s, key0, 30, 31)
		return nil
	}))
	require.NoError(t, w.expectOrder())
}

func TestATopicIsForgottenOnceTheLogHasNothingOfIt(t *testing.T) {
	w := dropped(t, "topic")
	require.Equal(t, map[string]int64{"topic": 233180}, w.droppedTopics(t))
	w.tidy()
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for range 24 {
			w.ledger.Send(e, s, quiet0, 9_000)
		}
		rounds(e)
		w.machine.StepWall(w.options.KeepFor)
		s.CleanNow()
		rounds(e)
		require.Greater(t, s.Start(), lastFile+secondFile-1)
		require.NoError(t, s.DropTopic("quiet"))
		return nil
	}))
	names := w.droppedTopics(t)
	require.Len(t, names, 1)
	require.Contains(t, names, "quiet")
}

func (w *world) droppedTopics(t *testing.T) (names map[string]int64) {
	t.Helper()
	var file struct {
		Topics map[string]int64 `json:"topics"`
	}
	require.NoError(t, json.Unmarshal(w.content(droppedFile), &file))
	return file.Topics
}

func TestADamagedListOfRemovedTopicsIsRefusedWithAWayOut(t *testing.T) {
	for _, text := range []string{
		"", "{", "[]", `{"topics":{"topic":1}}`, `{"topics":{"topic":1},"checksum":7}`, "\x00\x00\x00", strings.Repeat("[", 20_000),
		string(store.EncodeDropped(`{"topic":"x"}`)), string(store.EncodeDropped(`{"topic":1.5}`)), string(store.EncodeDropped("{}")) + "{",
	} {
		w := dropped(t, "topic")
		w.remove(t, droppedFile)
		w.overwrite(t, droppedFile, 0, []byte(text))
		before := w.contents()
		err := w.openError(t)
		require.ErrorContains(t, err, droppedFile, "%.20q", text)
		require.ErrorContains(t, err, "remove it", "%.20q", text)
		unchanged(t, before, w.contents())
		report, err := w.check()
		require.NoError(t, err)
		require.Contains(t, report.Findings(), "damage: "+droppedFile, "%.20q", text)
		w.remove(t, droppedFile)
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			require.Equal(t, []store.QueueKey{quiet0, quiet11}, s.Queues(), "no queue had to be built again")
			return nil
		}))
	}
}

// Numbers that no log has: of the future, or negative.
func TestPlacesOfRemovedTopicsThatCannotBeDoNoHarm(t *testing.T) {
	for _, text := range []string{`{"never":9223372036854775807}`, `{"topic":-1}`, `{"topic":0}`, "null", "{}", `{"":5}`, `{"../..":5}`} {
		w := filled(t)
		w.overwrite(t, droppedFile, 0, store.EncodeDropped(text))
		require.NoError(t, w.repaired(sim.KillProcess), text)
		w.complete(t)
	}
}

func TestATopicIsNotRemovedWhileItReceivesMessages(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
		a := w.ledger.Append(e, s, key0, 100)
		require.ErrorContains(t, s.DropTopic("topic"), "still receives messages: try again")
		s.Kick()
		require.Equal(t, store.AppendOK, a.Wait())
		require.NoError(t, w.ledger.Drop(s, "topic"))
		require.NoError(t, w.ledger.Verify(e, s, false))
	})
}

func TestATopicIsNotRemovedFromAClosedStore(t *testing.T) {
	w := filled(t)
	require.NoError(t, w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.DropTopic("topic"), store.ErrClosed)
		return nil
	}))
	w.complete(t)
}

// Each operation of the removal fails once: the topic is there wholly or not at all, and the store goes on or is fenced.
func TestATopicWhoseRemovalFailsIsThereOrGone(t *testing.T) {
	again := 0
	for call, ended := 1, false; !ended; call++ {
		w := filled(t)
		before := again
		require.NoError(t, w.do(func(e env.Env) error {
			w.meddler = &meddler{disk: w.machine.Disk(), changes: true}
			e.Disk = meddledDisk{e.Disk, w.meddler}
			s, err := store.Open(e, w.options)
			require.NoError(t, err)
			w.meddler.count = 0
			w.meddler.before = func(number int, what string) error {
				if number == call {
					return fmt.Errorf("%s: %w", what, env.ErrIO)
				}
				return nil
			}
			err = w.ledger.Drop(s, "topic")
			ended = w.meddler.count < call
			w.meddler.before = nil
			require.True(t, err != nil || !w.has(s, "topic"), "operation %d", call)
			if err != nil && s.Fenced() == nil && !w.has(s, "topic") {
				// Only its files are left. Made again, it must not get mixed up with them.
				for _, m := range w.ledger.Messages {
					m.Lost = m.Key.Topic == "topic"
				}
				require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100, 100, 100))
				e.Tasks.Sleep(50 * time.Millisecond)
				require.NoError(t, w.ledger.Verify(e, s, false))
				again++
			}
			_ = s.Close()
			return nil
		}), "operation %d", call)
		w.meddler = nil
		w.machine.Crash(sim.CrashStyle(call % 2))
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			if again == before {
				require.Contains(t, []int{2, 4}, len(s.Queues()), "operation %d: %v", call, s.Queues())
				for _, m := range w.ledger.Messages {
					m.Lost = m.Key.Topic == "topic" && !w.has(s, "topic")
				}
			}
			return w.ledger.Verify(e, s, false)
		}), "operation %d", call)
		require.NoError(t, w.expectOrder(), "operation %d", call)
	}
	require.NotZero(t, again)
}

// has reports whether the store has a queue of a topic.
func (w *world) has(s *store.Store, topic string) bool {
	for _, key := range s.Queues() {
		if key.Topic == topic {
			return true
		}
	}
	return false
}

// A search for the messages of a removed topic finds nothing, and one for those of the topic made again finds these.
func TestMessagesOfARemovedTopicAreNotFoundByKey(t *testing.T) {
	w := dropped(t, "topic")
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.Empty(t, byKey(t, s, "topic", "k"))
		require.Len(t, byKey(t, s, "quiet", "k"), 4)
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
		require.Equal(t, []message.QueueOffset{0}, byKey(t, s, "topic", "k"))
		return nil
	}))
}

// A repair may end the log before the place that the list of removed topics names. What is stored there afterwards must stay.
func TestATopicThatWasRemovedBehindTheEndOfTheLogKeepsItsNewMessages(t *testing.T) {
	w := newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	require.NoError(t, w.use(w.again))
	w.overwrite(t, "droppedTopics.json", 0, store.EncodeDropped(`{"topic":50000000}`))
	w.ledger = oracle.NewLedger()
	require.NoError(t, w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		if err != nil {
			return err
		}
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 300, 300))
		return nil
	}))
	w.machine.Crash(sim.PowerLoss)
	require.NoError(t, w.repaired(sim.PowerLoss))
}

// A topic that is being removed is counted or not, whatever a crash leaves of it: its entries do not stand for those that are missing elsewhere.
func TestATopicThatACrashKeptDoesNotHideThatAFileIsMissing(t *testing.T) {
	for call, ended := 1, false; !ended; call++ {
		w := filled(t)
		var err error
		ended, err = w.runUntil(call, sim.KillProcess, func(e env.Env) error {
			s, err := store.Open(e, w.options)
			if err != nil {
				return err
			}
			return s.DropTopic("topic")
		})
		require.NoError(t, err)
		require.Positive(t, w.remove(t, "consumequeue/quiet/0/"))
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			require.Equal(t, store.ReadFound, read(t, s, quiet0, 0).Status, "operation %d", call)
			return nil
		}))
	}
}
