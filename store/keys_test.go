package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// byKey lists the numbers of the messages that a search finds, in the order of the result.
func byKey(t *testing.T, s *store.Store, topic, key string) []message.QueueOffset {
	t.Helper()
	return search(t, s, store.KeyQuery{Topic: topic, Key: key, To: math.MaxInt64, CountMax: 1000, BytesMax: 1 << 30})
}

// search expects a complete answer.
func search(t *testing.T, s *store.Store, q store.KeyQuery) []message.QueueOffset {
	t.Helper()
	result, err := s.FindByKey(q)
	require.NoError(t, err)
	require.True(t, result.Complete)
	return numbers(t, result)
}

func numbers(t *testing.T, result store.KeyResult) (found []message.QueueOffset) {
	t.Helper()
	last := message.LogOffset(-1)
	for r, err := range message.DecodeRecords(result.Bytes, true) {
		require.NoError(t, err)
		require.Greater(t, r.LogOffset, last, "they come in the order of the log")
		last = r.LogOffset
		found = append(found, r.QueueOffset)
	}
	require.Len(t, found, result.Count)
	return found
}

// keyed sends a message with a unique id and keys of its own.
func keyed(t *testing.T, e env.Env, s *store.Store, topic, id, keys string, flags message.SysFlags) {
	t.Helper()
	r := oracle.RecordOf(&oracle.Sent{Key: store.QueueKey{Topic: topic, ID: 0}, Body: "body"})
	r.SysFlags = flags
	r.Properties = nil
	if keys != "" {
		r.Properties = append(r.Properties, "KEYS\x01"+keys+"\x02"...)
	}
	if id != "" {
		r.Properties = append(r.Properties, "UNIQ_KEY\x01"+id+"\x02"...)
	}
	a := oracle.NewSending(e)
	s.Append(store.QueueKey{Topic: topic, ID: 0}, []message.Record{r}, a)
	s.Kick()
	require.Equal(t, store.AppendOK, a.Wait(), a.Reason)
}

type found = []message.QueueOffset

func TestKeysAreComparedExactlyThoughTheirHashesAreEqual(t *testing.T) {
	require.Equal(t, message.IndexKeyHash([]byte("T"), []byte("Aa")), message.IndexKeyHash([]byte("T"), []byte("BB")))
	require.Equal(t, message.IndexKeyHash([]byte("T"), []byte("b#c")), message.IndexKeyHash([]byte("T#b"), []byte("c")))
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		keyed(t, e, s, "T", "", "Aa", 0)       // 0
		keyed(t, e, s, "T", "", "BB", 0)       // 1
		keyed(t, e, s, "T", "", "BB Aa", 0)    // 2
		keyed(t, e, s, "T", "Aa", "BB", 0)     // 3
		keyed(t, e, s, "T", "BB", "", 0)       // 4
		keyed(t, e, s, "T", "", "Aa Aa", 0)    // 5
		keyed(t, e, s, "T", "", "AaAa b#c", 0) // 6
		keyed(t, e, s, "T#b", "", "c", 0)
		keyed(t, e, s, "T", "", "AaBB", 0) // 7
		for range 2 {
			require.Equal(t, found{0, 2, 3, 5}, byKey(t, s, "T", "Aa"))
			require.Equal(t, found{1, 2, 3, 4}, byKey(t, s, "T", "BB"))
			require.Equal(t, found{6}, byKey(t, s, "T", "AaAa"))
			require.Equal(t, found{7}, byKey(t, s, "T", "AaBB"))
			require.Empty(t, byKey(t, s, "T", "BBAa"))
			require.Equal(t, found{6}, byKey(t, s, "T", "b#c"))
			require.Equal(t, found{0}, byKey(t, s, "T#b", "c"))
			for _, none := range []string{"", " ", "A", "Aa ", "Aa BB", "aA"} {
				require.Empty(t, byKey(t, s, "T", none), "%q", none)
			}
			require.Empty(t, byKey(t, s, "", "Aa"))
			e.Tasks.Sleep(100 * time.Millisecond) // now the index has its files
		}
	})
}

func TestASearchForAUniqueIDFindsNoBusinessKeys(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		keyed(t, e, s, "T", "one", "two", 0)
		keyed(t, e, s, "T", "two", "one", 0)
		keyed(t, e, s, "T", "", "one", 0)
		require.Equal(t, found{0, 1, 2}, byKey(t, s, "T", "one"))
		q := store.KeyQuery{Topic: "T", Key: "one", UniqueID: true, To: math.MaxInt64, CountMax: 9, BytesMax: 1 << 20}
		require.Equal(t, found{0}, search(t, s, q))
		q.Key = "two"
		require.Equal(t, found{1}, search(t, s, q))
		q.Key = "three"
		require.Empty(t, search(t, s, q))
	})
}

func TestTheTimesOfASearchCountToTheMillisecond(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		var at []int64
		for n := range 12 {
			keyed(t, e, s, "T", "", "k", 0)
			stored, ok, err := s.StoredAt(store.QueueKey{Topic: "T"}, message.QueueOffset(n))
			require.True(t, ok)
			require.NoError(t, err)
			at = append(at, stored)
			e.Tasks.Sleep(time.Duration(3+n*170) * time.Millisecond)
		}
		for from := range at {
			for to := range at {
				var want found
				for n := from; n <= to; n++ {
					want = append(want, message.QueueOffset(n))
				}
				q := store.KeyQuery{Topic: "T", Key: "k", From: at[from], To: at[to], CountMax: 99, BytesMax: 1 << 20}
				require.Equal(t, want, search(t, s, q), "[%d, %d]", from, to)
				q.From, q.To = q.From+1, q.To-1
				if len(want) > 1 {
					require.Equal(t, append(found(nil), want[1:len(want)-1]...), search(t, s, q), "(%d, %d)", from, to)
				} else {
					require.Empty(t, search(t, s, q))
				}
			}
		}
		q := store.KeyQuery{Topic: "T", Key: "k", From: math.MinInt64, To: math.MinInt64, CountMax: 99, BytesMax: 1 << 20}
		require.Empty(t, search(t, s, q))
		q.From, q.To = math.MaxInt64, math.MaxInt64
		require.Empty(t, search(t, s, q))
	})
}

func TestASearchTakesTheNewestFirstUpToItsLimits(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		for range 60 { // over two files of the index
			keyed(t, e, s, "T", "", "k", 0)
		}
		size := len(read(t, s, store.QueueKey{Topic: "T"}, 0).Bytes) / 32
		for _, c := range []struct{ count, bytes, found int }{
			{1, 1 << 20, 1}, {5, 1 << 20, 5}, {45, 1 << 20, 45}, {60, 1 << 20, 60}, {61, 1 << 20, 60}, {0, 1 << 20, 1}, {-5, -5, 1},
			{10, 0, 1}, {10, 1, 1}, {10, size, 1}, {10, 2*size - 1, 1}, {10, 2 * size, 2}, {50, 45 * size, 45},
		} {
			got := search(t, s, store.KeyQuery{Topic: "T", Key: "k", To: math.MaxInt64, CountMax: c.count, BytesMax: c.bytes})
			require.Len(t, got, c.found, "%+v", c)
			require.EqualValues(t, 59, got[len(got)-1], "%+v", c)
			require.EqualValues(t, 60-c.found, got[0], "%+v", c)
		}
	})
}

func TestOneKeyInSeveralTopicsIsFoundInEachAlone(t *testing.T) {
	w := filled(t)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.Len(t, byKey(t, s, "topic", "k"), 24)
		require.Len(t, byKey(t, s, "quiet", "k"), 4)
		require.Empty(t, byKey(t, s, "other", "k"))
		require.Equal(t, found{2}, byKey(t, s, "quiet", w.ledger.Messages[2].SearchKey()))
		require.Empty(t, byKey(t, s, "topic", w.ledger.Messages[2].SearchKey()))
		require.NoError(t, w.ledger.Drop(s, "topic"))
		require.Empty(t, byKey(t, s, "topic", "k"))
		require.Len(t, byKey(t, s, "quiet", "k"), 4)
		return nil
	}))
	w.remove(t, "index/")
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		e.Tasks.Sleep(time.Second)
		require.Empty(t, byKey(t, s, "topic", "k"), "nor when it is made again")
		require.Len(t, byKey(t, s, "quiet", "k"), 4)
		return nil
	}))
}

func TestCommittedTransactionsHaveKeys(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		keyed(t, e, s, "T", "id", "k", message.SysFlags(0).WithTransaction(message.TransactionCommitted))
		require.Equal(t, found{0}, byKey(t, s, "T", "k"))
		require.Equal(t, found{0}, byKey(t, s, "T", "id"))
	})
}

func TestAMessageIsFoundAtOnceAfterItIsConfirmed(t *testing.T) {
	for _, flush := range []store.FlushMode{store.SyncFlush, store.AsyncFlush} {
		opened(t, small(flush), func(w *world, e env.Env, s *store.Store) {
			for n := range 30 {
				began := e.Clock.Now()
				keyed(t, e, s, "T", "", fmt.Sprint("key", n), 0)
				require.Equal(t, found{message.QueueOffset(n)}, byKey(t, s, "T", fmt.Sprint("key", n)))
				require.Less(t, e.Clock.Now().Sub(began), 100*time.Millisecond)
			}
		})
	}
}

func TestAnIndexThatWasSwitchedOffCatchesUpWhenItIsOn(t *testing.T) {
	w := filled(t)
	w.options.DisableIndex = true
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		_, err := s.FindByKey(store.KeyQuery{Topic: "topic", Key: "k", To: math.MaxInt64})
		require.ErrorIs(t, err, store.ErrNoIndex)
		require.ErrorContains(t, err, "messageIndexEnable")
		for range 15 {
			w.ledger.Send(e, s, key0, 9_000)
		}
		return nil
	}))
	require.NoError(t, w.expectOrder())
	w.options.DisableIndex = false
	require.NoError(t, w.recheck(sim.KillProcess))
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.Len(t, byKey(t, s, "topic", "k"), 39)
		return nil
	}))
	// Off while the log loses the messages that the index has last.
	w.tidy()
	w.options.DisableIndex, w.ledger.KeepFor = true, w.options.KeepFor
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for range 25 {
			w.ledger.Send(e, s, key0, 9_000)
		}
		rounds(e)
		w.machine.StepWall(2 * time.Hour)
		s.CleanNow()
		rounds(e)
		require.Greater(t, s.Start(), lastFile+secondFile)
		return nil
	}))
	w.options.DisableIndex = false
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		e.Tasks.Sleep(time.Second)
		return w.ledger.Verify(e, s, false)
	}))
	require.NoError(t, w.expectOrder())
}

// A Java broker that crashed when it had made a file, and not yet its header, adds the keys of all records that it reads again.
func TestMessagesWhoseKeysAJavaBrokerAddedTwiceAreFoundOnce(t *testing.T) {
	w := filled(t)
	before, err := w.check()
	require.NoError(t, err)
	files := slices.DeleteFunc(w.machine.Disk().Paths(), func(p string) bool { return !strings.HasPrefix(p, "index/") })
	require.Greater(t, len(files), 1)
	newest, err := strconv.Atoi(path.Base(slices.Max(files)))
	require.NoError(t, err)
	for i, file := range slices.Sorted(slices.Values(files)) {
		w.overwrite(t, fmt.Sprintf("index/%d", newest+1+i), 0, w.content(file))
	}
	w.asJava(t, int64(w.machine.Wall()))
	for range 2 {
		report, err := w.check()
		require.NoError(t, err)
		require.Empty(t, report.Findings())
		require.Equal(t, before.Keys, report.Keys)
		require.Equal(t, before.Keys, report.KeysAgain)
		require.NoError(t, w.use(func(_ env.Env, s *store.Store) error {
			require.Len(t, byKey(t, s, "topic", "k"), 24)
			q := store.KeyQuery{Topic: "topic", Key: "k", To: math.MaxInt64, CountMax: 20, BytesMax: 1 << 20}
			require.Len(t, search(t, s, q), 20, "a message that is found twice takes no other one's room")
			return nil
		}))
	}
}

// An item that leads to a record without its key is damage, also where keys come again.
func TestAKeyThatComesAgainButIsOfNoMessageIsDamage(t *testing.T) {
	w := filled(t)
	files := slices.DeleteFunc(w.machine.Disk().Paths(), func(p string) bool { return !strings.HasPrefix(p, "index/") })
	newest, err := strconv.Atoi(path.Base(slices.Max(files)))
	require.NoError(t, err)
	again := w.content(slices.Min(files))
	w.overwrite(t, fmt.Sprintf("index/%d", newest+1), 0, again)
	w.asJava(t, int64(w.machine.Wall()))
	report, err := w.check()
	require.NoError(t, err)
	require.Empty(t, report.Findings())
	second := 40 + 4*int64(w.options.Index.Slots) + 20*2
	at := int64(binary.BigEndian.Uint64(again[second+4:]))
	w.overwrite(t, fmt.Sprintf("index/%d", newest+1), second+4, binary.BigEndian.AppendUint64(nil, uint64(at+1)))
	report, err = w.check()
	require.NoError(t, err)
	require.Contains(t, report.Findings(), fmt.Sprintf("the key index has keys at [%d, %d) that no record there has", at+1, at+2))
}

// A crash leaves slots of keys whose entries it lost, and the session after it does not use the index: the one that does knows of the
// crash all the same.
func TestAnIndexThatWasSwitchedOffIsNotBelievedAfterACrashMeanwhile(t *testing.T) {
	w := filled(t)
	w.overwrite(t, "abort", 0, nil)
	newest := slices.Max(slices.DeleteFunc(w.machine.Disk().Paths(), func(p string) bool { return !strings.HasPrefix(p, "index/") }))
	for slot := range int64(w.options.Index.Slots) {
		require.True(t, w.machine.Disk().Corrupt(newest, 40+4*slot+3, 0x5a))
	}
	w.options.DisableIndex = true
	require.NoError(t, w.use(func(env.Env, *store.Store) error { return nil }))
	w.options.DisableIndex = false
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		e.Tasks.Sleep(time.Second)
		require.Len(t, byKey(t, s, "topic", "k"), 24)
		return nil
	}))
	require.NoError(t, w.expectOrder())
}

// The directory of the index is gone: messages are taken at once, searches say that they may have missed something, and in the end
// everything is found again.
func TestAnIndexThatIsGoneIsMadeAgainInTheBackground(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		w := filled(t)
		w.remove(t, "index/")
		if crashed {
			w.overwrite(t, "abort", 0, nil)
		}
		o := sim.DefaultDisk()
		o.WriteMin, o.WriteMax = time.Second, time.Second
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			o.ReadMin, o.ReadMax = 2*time.Second, 2*time.Second
			w.machine.Disk().SetOptions(o)
			result, err := s.FindByKey(store.KeyQuery{Topic: "topic", Key: "k", To: math.MaxInt64, CountMax: 99, BytesMax: 1 << 30})
			require.NoError(t, err)
			require.False(t, result.Complete)
			require.Less(t, result.IndexedTo, s.Confirmed())
			w.machine.Disk().SetOptions(sim.DefaultDisk())
			e.Tasks.Sleep(20 * time.Second)
			require.Len(t, byKey(t, s, "topic", "k"), 24)
			return w.ledger.Verify(e, s, false)
		}))
		require.NoError(t, w.expectOrder())
	}
}

func TestSizesOfTheIndexThatDoNotFitItsFilesAreRefusedWithTheirPath(t *testing.T) {
	for _, sizes := range []index.Sizes{{Slots: 51, Items: 40}, {Slots: 50, Items: 41}, {Slots: 500, Items: 400}, {Slots: 5, Items: 4}} {
		w := filled(t)
		w.options.Index = sizes
		before := w.contents()
		err := w.openError(t)
		require.ErrorIs(t, err, index.ErrForeign)
		require.ErrorContains(t, err, "index/2026")
		after := w.contents()
		delete(after, "abort")
		unchanged(t, before, after)
		w.options.Index = small(store.SyncFlush).Index
		w.complete(t)
	}
	for _, sizes := range []index.Sizes{{Slots: 1 << 30, Items: 40}, {Slots: math.MaxInt32, Items: math.MaxInt32}, {Slots: 1, Items: 1}} {
		w := filled(t)
		w.options.Index = sizes
		err := w.openError(t)
		require.NotContains(t, err.Error(), "panic")
		w.options.Index = small(store.SyncFlush).Index
		w.complete(t)
	}
}

func TestAFullDiskMakesTheIndexWaitAndNothingElse(t *testing.T) {
	w := newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	require.NoError(t, w.do(func(e env.Env) error {
		w.meddler = &meddler{disk: w.machine.Disk()}
		e.Disk = meddledDisk{e.Disk, w.meddler}
		s, err := store.Open(e, w.options)
		require.NoError(t, err)
		refused := 0
		full := true
		w.meddler.before = func(_ int, call string) error {
			if full && (strings.HasPrefix(call, "create index") || strings.HasPrefix(call, "write index") || strings.HasPrefix(call, "allocate index")) {
				refused++
				return fmt.Errorf("%s: %w", call, env.ErrNoSpace)
			}
			return nil
		}
		for range 60 {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
		}
		e.Tasks.Sleep(5 * time.Second)
		require.NoError(t, s.Health())
		require.Greater(t, refused, 2, "it is tried now and then")
		require.Less(t, refused, 20, "a full disk is left alone")
		result, err := s.FindByKey(store.KeyQuery{Topic: "topic", Key: "k", To: math.MaxInt64, CountMax: 99, BytesMax: 1 << 20})
		require.NoError(t, err)
		require.False(t, result.Complete)
		full = false
		e.Tasks.Sleep(3 * time.Second)
		require.Len(t, byKey(t, s, "topic", "k"), 60)
		return errors.Join(w.ledger.Verify(e, s, false), s.Close())
	}))
	w.meddler = nil
	require.NoError(t, w.expectOrder())
}

// After a disk error nobody knows what the files of the index hold: no keys are added until the restart, messages are.
func TestAnIndexWhoseDiskFailedIsMendedByARestart(t *testing.T) {
	for _, failing := range []string{"write index", "sync index", "create index", "syncdir index", "read commitlog"} {
		for _, style := range []sim.CrashStyle{sim.KillProcess, sim.PowerLoss, -1} {
			w := newWorld(1, small(store.SyncFlush))
			require.NoError(t, w.do(func(e env.Env) error {
				w.meddler = &meddler{disk: w.machine.Disk()}
				e.Disk = meddledDisk{e.Disk, w.meddler}
				s, err := store.Open(e, w.options)
				require.NoError(t, err)
				for range 30 {
					require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
				}
				e.Tasks.Sleep(100 * time.Millisecond)
				failed := false
				w.meddler.before = func(_ int, call string) error {
					if !failed && strings.HasPrefix(call, failing) {
						failed = true
						return fmt.Errorf("%s: %w", call, env.ErrIO)
					}
					return nil
				}
				for range 30 {
					require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
				}
				e.Tasks.Sleep(time.Second)
				require.True(t, failed, failing)
				require.NoError(t, s.Health(), failing)
				require.Equal(t, 1, w.log.FilterMessageSnippet("the key index is not filled any more").Len(), failing)
				began := e.Clock.Now()
				result, err := s.FindByKey(store.KeyQuery{Topic: "topic", Key: "k", To: math.MaxInt64, CountMax: 99, BytesMax: 1 << 20})
				require.NoError(t, err)
				require.False(t, result.Complete, failing)
				require.Less(t, e.Clock.Now().Sub(began), 100*time.Millisecond, "nobody waits for what does not come")
				if style < 0 {
					return s.Close()
				}
				return nil
			}), failing)
			w.meddler = nil
			if style >= 0 {
				w.machine.Crash(style)
			}
			require.NoError(t, w.recheck(sim.KillProcess), "%s, %v", failing, style)
			w.kernel.Close()
		}
	}
}

func TestACloseBringsTheIndexUpToTheEnd(t *testing.T) {
	for _, flush := range []store.FlushMode{store.SyncFlush, store.AsyncFlush} {
		w := newWorld(1, small(flush))
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			for range 100 {
				require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 9_000))
			}
			return nil // at once
		}))
		report, err := w.check()
		require.NoError(t, err)
		require.Equal(t, report.End, report.Indexed, "%v", flush)
		require.EqualValues(t, 200, report.Keys)
		w.kernel.Close()
	}
}

func TestASearchInADamagedLogSaysThatItMayHaveMissedSomething(t *testing.T) {
	w := filled(t)
	w.remove(t, "index/")
	w.logByte(t, w.ledger.Messages[6].Place.Log+5, 1)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		e.Tasks.Sleep(time.Second)
		result, err := s.FindByKey(store.KeyQuery{Topic: "topic", Key: "k", To: math.MaxInt64, CountMax: 99, BytesMax: 1 << 30})
		require.NoError(t, err)
		require.False(t, result.Complete)
		require.Equal(t, 23, result.Count)
		require.Equal(t, 1, w.log.FilterMessageSnippet("not found by key; stop the broker").Len())
		return nil
	}))
}

func TestASearchInAClosedStoreSaysSo(t *testing.T) {
	w := filled(t)
	require.NoError(t, w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		_, err = s.FindByKey(store.KeyQuery{Topic: "topic", Key: "k", To: math.MaxInt64, CountMax: 1})
		require.ErrorIs(t, err, store.ErrClosed)
		_, err = s.Read(store.ReadRequest{Queue: key0, CountMax: 1}, nil)
		require.ErrorIs(t, err, store.ErrClosed)
		return nil
	}))
}
