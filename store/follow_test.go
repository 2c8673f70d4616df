package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// follow reads on to the end, passing over damage, and returns the numbers of the ledger's messages in the order in which they came.
func (w *world) follow(t *testing.T, f *store.Follower) (found []int, damage []store.DamageError) {
	t.Helper()
	at := f.At()
	for {
		records, err := f.Next()
		var d *store.DamageError
		if errors.As(err, &d) {
			require.Equal(t, f.At(), d.From, "it stands where the damage begins")
			require.Greater(t, d.To, d.From)
			damage = append(damage, *d)
			f.Skip(d)
			require.Equal(t, d.To, f.At())
			at = d.To
			continue
		}
		require.NoError(t, err)
		if len(records) == 0 {
			require.Zero(t, f.Behind())
			return found, damage
		}
		for _, r := range records {
			require.GreaterOrEqual(t, r.Record.LogOffset, at)
			require.Greater(t, r.End, r.Record.LogOffset)
			at = r.End
			found = append(found, w.numberOf(string(r.Record.Body)))
		}
	}
}

// numberOf is the number of a message in the ledger, by its body.
func (w *world) numberOf(body string) int {
	for n, m := range w.ledger.Messages {
		if m.Body == body {
			return n
		}
	}
	return -1
}

// upTo are the numbers [from, to).
func upTo(from, to int) (all []int) {
	for n := from; n < to; n++ {
		all = append(all, n)
	}
	return all
}

func TestAFollowerGetsEachRecordOnceInTheOrderOfTheLog(t *testing.T) {
	w := filled(t)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		f := s.Follow("test", s.Start())
		require.Equal(t, "test follows the log at 0 of 233180", f.String())
		found, damage := w.follow(t, f)
		require.Equal(t, upTo(0, 28), found, "also over the ends of files")
		require.Empty(t, damage)
		// From any place where a record or a marker begins.
		for n := range 28 {
			found, _ = w.follow(t, s.Follow("late", w.ledger.Messages[n].Place.Log))
			require.Equal(t, upTo(n, 28), found)
		}
		found, _ = w.follow(t, s.Follow("marker", w.end(13)))
		require.Equal(t, upTo(14, 28), found)
		found, _ = w.follow(t, s.Follow("end", s.Confirmed()))
		require.Empty(t, found)
		w.ledger.Send(e, s, key0, 100, 100)
		found, _ = w.follow(t, f)
		require.Equal(t, upTo(28, 30), found)
		return nil
	}))
}

// One chunk is 1 MiB: records cross its end at every place that their size allows, and one is larger than a chunk.
func TestRecordsOverTheEndsOfChunksComeWhole(t *testing.T) {
	for _, size := range []int{100_003, 333_333, 1<<20 - 300, 1 << 20, 1<<20 + 1, 1_500_000, 2 << 20} {
		options := small(store.AsyncFlush)
		options.LogSegmentSize, options.BodySizeMax = 5<<20, 2<<20
		w := newWorld(1, options)
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			f := s.Follow("test", 0)
			count := 12<<20/size + 3
			for range count {
				require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, size))
			}
			found, damage := w.follow(t, f)
			require.Equal(t, upTo(0, count), found)
			require.Empty(t, damage)
			return nil
		}))
		w.kernel.Close()
	}
}

func TestAFollowerSeesOnlyWhatIsConfirmed(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		f := s.Follow("test", 0)
		w.ledger.Send(e, s, key0, 100)
		o := sim.DefaultDisk()
		o.StuckUntil = e.Clock.Now().Add(time.Second)
		w.machine.Disk().SetOptions(o)
		a := w.ledger.Append(e, s, key0, 100)
		s.Kick()
		found, _ := w.follow(t, f)
		require.Equal(t, upTo(0, 1), found)
		began := e.Clock.Now()
		f.Wait(began.Add(time.Minute))
		require.True(t, a.Answered, "it is woken by the confirmation")
		require.Less(t, e.Clock.Now().Sub(began), 1100*time.Millisecond)
		found, _ = w.follow(t, f)
		require.Equal(t, upTo(1, 2), found)
	})
}

func TestAWaitingFollowerIsWokenByARecordATimeOrTheEnd(t *testing.T) {
	w := newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	require.NoError(t, w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		require.NoError(t, err)
		f := s.Follow("test", 0)
		waits := func(until time.Duration) time.Duration {
			began := e.Clock.Now()
			f.Wait(began.Add(until))
			return e.Clock.Now().Sub(began)
		}
		require.InDelta(t, 50*time.Millisecond, waits(50*time.Millisecond), float64(time.Millisecond))
		e.Tasks.Go("send", func() {
			e.Tasks.Sleep(30 * time.Millisecond)
			w.ledger.Send(e, s, key0, 100)
		})
		require.InDelta(t, 30*time.Millisecond, waits(time.Hour), float64(5*time.Millisecond))
		require.Less(t, waits(time.Hour), time.Millisecond, "there is something to read")
		w.follow(t, f)
		e.Tasks.Go("close", func() {
			e.Tasks.Sleep(30 * time.Millisecond)
			require.NoError(t, s.Close())
		})
		require.InDelta(t, 30*time.Millisecond, waits(time.Hour), float64(5*time.Millisecond))
		require.Zero(t, waits(time.Hour), "the store closes: there is nothing to wait for")
		e.Tasks.Sleep(time.Second)
		require.Zero(t, waits(time.Hour), "it is closed")
		return nil
	}))
}

func TestSeveralFollowersEachGoTheirOwnWay(t *testing.T) {
	opened(t, small(store.AsyncFlush), func(w *world, e env.Env, s *store.Store) {
		woken := 0
		for range 3 {
			f := s.Follow("test", 0)
			e.Tasks.Go("follow", func() {
				for len(w.ledger.Messages) < 20 || f.Behind() > 0 {
					f.Wait(e.Clock.Now().Add(time.Second))
					w.follow(t, f)
				}
				require.Equal(t, s.Confirmed(), f.At())
				woken++
			})
		}
		for range 20 {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 9_000))
			e.Tasks.Sleep(time.Millisecond)
		}
		e.Tasks.Sleep(2 * time.Second)
		require.Equal(t, 3, woken)
	})
}

// A follower does not verify bodies, but what it needs to find the next record.
func TestAFollowerNamesDamageAndGoesOnBehindIt(t *testing.T) {
	for _, c := range []struct {
		victims []int
		at      message.LogOffset
		flip    byte
		gone    int // how many damaged parts are told
	}{
		{[]int{4}, 0, 0x40, 1},            // a size beyond the file
		{[]int{4}, 3, 0x01, 1},            // a size that is a little wrong
		{[]int{4}, 0, 0x80, 1},            // a negative size
		{[]int{4}, 5, 0x01, 1},            // no magic
		{[]int{4}, 35, 0x01, 1},           // another place
		{[]int{4}, 85, 0x01, 1},           // the length of the body
		{[]int{13}, 5, 0x01, 1},           // the last one of a file
		{[]int{14}, 5, 0x01, 1},           // the first one of a file
		{[]int{27}, 5, 0x01, 1},           // the newest one
		{[]int{4, 5, 6}, 5, 0x01, 1},      // neighbours
		{[]int{0, 4, 13, 14}, 5, 0x01, 3}, // several; two of them at an end of a file
		{[]int{12, 13}, 0, 0x7f, 1},       //
		{[]int{26, 27}, 0, 0x7f, 1},       //
		{[]int{5, 7, 9, 11}, 84, 0x10, 4}, // a body that ends far behind the record
	} {
		w := filled(t)
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			for _, n := range c.victims {
				w.logByte(t, w.ledger.Messages[n].Place.Log+c.at, c.flip)
			}
			var want []int
			lost := map[int]bool{}
			for _, n := range c.victims {
				lost[n] = true
			}
			for n := range 28 {
				if !lost[n] {
					want = append(want, n)
				}
			}
			found, damage := w.follow(t, s.Follow("test", 0))
			require.Equal(t, want, found, "%+v: %v", c, damage)
			require.GreaterOrEqual(t, len(damage), c.gone, "%+v", c)
			require.Equal(t, w.ledger.Messages[c.victims[0]].Place.Log, damage[0].From, "%+v", c)
			require.ErrorContains(t, &damage[0], "the commit log is damaged in [")
			return nil
		}))
	}
}

func TestAFollowerThatCannotReadTheDiskStaysWhereItIs(t *testing.T) {
	w := filled(t)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		f := s.Follow("test", 0)
		o := sim.DefaultDisk()
		o.ReadError = 1
		w.machine.Disk().SetOptions(o)
		_, err := f.Next()
		require.ErrorIs(t, err, env.ErrIO)
		var damage *store.DamageError
		require.False(t, errors.As(err, &damage), "nobody may skip what can be read later")
		require.Zero(t, f.At())
		w.machine.Disk().SetOptions(sim.DefaultDisk())
		found, _ := w.follow(t, f)
		require.Equal(t, upTo(0, 28), found)
		return nil
	}))
}

func TestAFollowerGoesOnAtTheBeginningOfALogThatWasCleaned(t *testing.T) {
	w := filled(t)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		f := s.Follow("test", 0)
		require.NoError(t, store.RemoveLogBefore(s, secondFile))
		found, damage := w.follow(t, f)
		require.Equal(t, upTo(14, 28), found)
		require.Empty(t, damage)
		return nil
	}))
}

// Records of a bridge, and of a topic that was removed, are records of the log like others.
func TestAFollowerSeesAlsoWhatNoQueueShows(t *testing.T) {
	w := filled(t)
	w.logByte(t, w.ledger.Messages[6].Place.Log+100, 1)
	w.forgive(6)
	w.repair(t, store.BridgeDamage)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		require.NoError(t, w.ledger.Drop(s, "topic"))
		f := s.Follow("test", 0)
		found, damage := w.follow(t, f)
		want := upTo(0, 28)
		want[6] = -1
		require.Equal(t, want, found)
		require.Empty(t, damage)
		return nil
	}))
}
