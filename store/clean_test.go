package store_test

import (
	"errors"
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

// The three files of the log in a filled world.
const (
	secondFile message.LogOffset = 96 << 10
	lastFile   message.LogOffset = 192 << 10
)

// tidy are the options of a store that looks often for what can go. No message expires by itself within a test, and no hour is
// one of cleaning.
func (w *world) tidy() {
	w.options.KeepFor, w.options.CleanEvery, w.options.DeletePause = time.Hour, 20*time.Millisecond, time.Millisecond
	w.options.DeleteAt = []int{}
}

// turnTo sets the calendar to the next day, at half past an hour of UTC.
func (w *world) turnTo(hour int) {
	now := w.machine.Wall().Time().UTC()
	w.machine.StepWall(time.Date(now.Year(), now.Month(), now.Day()+1, hour, 30, 0, 0, time.UTC).Sub(now))
}

// fillTo makes the disk so large that a share of it is used.
func (w *world) fillTo(e env.Env, share float64) {
	used, _, _ := e.Disk.Usage()
	o := sim.DefaultDisk()
	o.Capacity = int64(float64(used) / share)
	w.machine.Disk().SetOptions(o)
}

// loseBefore lets the ledger know which messages went with the files of the log.
func (w *world) loseBefore(at message.LogOffset) (lost int64) {
	for _, m := range w.ledger.Messages {
		if m.Place.Log < at && !m.Lost {
			m.Lost = true
			lost++
		}
	}
	return lost
}

// rounds lets the store clean a few times.
func rounds(e env.Env) { e.Tasks.Sleep(100 * time.Millisecond) }

func TestExpiredFilesGoOnlyAtTheHoursThatAreSet(t *testing.T) {
	for _, zone := range []*time.Location{nil, time.FixedZone("east", 8*3600), time.FixedZone("half", -(3*3600 + 1800))} {
		for hour := range 24 {
			w := filled(t)
			w.tidy()
			w.options.DeleteAt, w.options.Zone = []int{4, 22}, zone
			w.turnTo(hour)
			local := w.machine.Wall().Time().UTC()
			if zone != nil {
				local = local.In(zone)
			}
			want := message.LogOffset(0)
			if local.Hour() == 4 || local.Hour() == 22 {
				want = lastFile
			}
			require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
				rounds(e)
				require.Equal(t, want, s.Start(), "%v in %v", local, zone)
				return nil
			}))
		}
	}
}

// Who sets nothing gets what a Java broker does with fileReservedTime=72 and deleteWhen=04.
func TestByDefaultMessagesAreKeptForThreeDaysAndGoAtFour(t *testing.T) {
	for _, c := range []struct {
		days, hour int
		want       message.LogOffset
	}{{2, 4, 0}, {4, 3, 0}, {4, 4, lastFile}, {4, 5, 0}} {
		w := filled(t)
		for range c.days {
			w.turnTo(c.hour)
		}
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			e.Tasks.Sleep(25 * time.Second)
			require.Equal(t, c.want, s.Start(), "%+v", c)
			return nil
		}))
	}
}

// A start makes the files younger than the messages in them, and a copy of the directory would, too.
func TestAFileExpiresWithItsNewestMessageAndNotBefore(t *testing.T) {
	w := filled(t)
	w.tidy()
	w.options.CleanEvery = 2 * time.Millisecond
	var newer int64 // the store time of the first message behind the first file
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for _, m := range w.ledger.Messages {
			if m.Place.Log == secondFile {
				at, ok, err := s.StoredAt(m.Key, m.Place.Queue)
				require.True(t, ok)
				require.NoError(t, err)
				newer = at
			}
		}
		return nil
	}))
	require.NotZero(t, newer)
	w.options.DeleteAt = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}
	w.machine.StepWall(time.Duration(newer-int64(w.machine.Wall()))*time.Millisecond + time.Hour - 100*time.Millisecond)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		kept, gone := int64(0), int64(0)
		for gone == 0 && int64(e.Clock.Wall()) < newer+time.Hour.Milliseconds()+100 {
			if s.Start() == 0 {
				kept = int64(e.Clock.Wall())
			} else {
				gone = int64(e.Clock.Wall())
			}
			e.Tasks.Sleep(200 * time.Microsecond)
		}
		require.GreaterOrEqual(t, gone, newer+time.Hour.Milliseconds(), "it went too early")
		require.LessOrEqual(t, kept, newer+time.Hour.Milliseconds()+4, "it went too late")
		require.Equal(t, secondFile, s.Start(), "the next one is a little younger")
		return nil
	}))
}

func TestTheDiskUseDecidesWhatGoes(t *testing.T) {
	for _, c := range []struct {
		use            float64
		expired, never bool
		start          message.LogOffset
		forced         int64
		refused        bool
	}{
		{0.70, true, false, 0, 0, false},
		{0.80, true, false, lastFile, 0, false},
		{0.80, false, false, 0, 0, false},
		{0.88, false, false, secondFile, 1, false}, // one is enough
		{0.88, false, true, 0, 0, false},
		{0.95, false, true, 0, 0, true},
		{0.95, true, true, lastFile, 0, false},
	} {
		w := filled(t)
		w.tidy()
		w.options.NeverForce = c.never
		if c.expired {
			w.machine.StepWall(2 * time.Hour)
		}
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			w.fillTo(e, c.use)
			rounds(e)
			require.Equal(t, c.start, s.Start(), "%+v", c)
			require.Equal(t, c.forced, s.Cleaned().ForcedFiles, "%+v", c)
			require.Equal(t, int64(c.start)/(96<<10), s.Cleaned().Files, "%+v", c)
			require.Equal(t, c.refused, s.Health() != nil, "%+v: %v", c, s.Health())
			w.machine.Disk().SetOptions(sim.DefaultDisk())
			return nil
		}))
	}
}

func TestFilesThatGoBeforeTheirTimeAreCountedAndLogged(t *testing.T) {
	w := filled(t)
	w.tidy()
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		w.fillTo(e, 0.88)
		rounds(e)
		w.machine.Disk().SetOptions(sim.DefaultDisk())
		lost := w.loseBefore(s.Start())
		require.Equal(t, store.Cleaned{Files: 1, Bytes: 96 << 10, ForcedFiles: 1, ForcedBytes: 96 << 10, Lost: lost}, s.Cleaned())
		require.Equal(t, fmt.Sprintf("1 files with 98304 bytes removed, of them 1 with 98304 bytes and %d messages before their time", lost), s.Cleaned().String())
		said := w.log.FilterMessageSnippet("before its time").All()
		require.Len(t, said, 1)
		require.Equal(t, map[string]any{"from": int64(0), "to": int64(96 << 10)}, said[0].ContextMap())
		said = w.log.FilterMessageSnippet("were lost").All()
		require.Len(t, said, 1)
		require.Equal(t, lost, said[0].ContextMap()["messages"])
		require.Equal(t, map[string]int64{"quiet": 4, "topic": lost - 4}, said[0].ContextMap()["of topics"])
		return w.ledger.Verify(e, s, false)
	}))
	require.NoError(t, w.recheck(sim.KillProcess))
}

func TestAboveTheWarningRatioMessagesAreRefusedUntilThereIsSpace(t *testing.T) {
	w := filled(t)
	w.tidy()
	w.options.NeverForce = true
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		w.fillTo(e, 0.93)
		rounds(e)
		a := w.ledger.Append(e, s, key0, 100)
		require.True(t, a.Answered)
		require.Equal(t, store.AppendNoSpace, a.Status)
		require.Contains(t, a.Reason, "93")
		require.Contains(t, a.Reason, "diskSpaceWarningLevelRatio")
		require.EqualError(t, s.Health(), a.Reason)
		require.NoError(t, s.Fenced())
		require.Equal(t, store.ReadFound, read(t, s, key0, 0).Status, "messages are still delivered")
		require.Equal(t, 1, w.log.FilterMessageSnippet("messages are refused").Len(), "it is said once")
		w.fillTo(e, 0.89)
		rounds(e)
		require.NoError(t, s.Health())
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
		require.Equal(t, 1, w.log.FilterMessageSnippet("messages are taken").Len())
		w.machine.Disk().SetOptions(sim.DefaultDisk())
		return nil
	}))
	require.NoError(t, w.recheck(sim.KillProcess))
}

func TestTheFileThatIsWrittenStaysHoweverFullTheDiskIs(t *testing.T) {
	w := filled(t)
	w.tidy()
	w.options.DiskUse = store.DiskUse{Expire: 1e-9, Force: 2e-9, Refuse: 0.99}
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		rounds(e)
		require.Equal(t, lastFile, s.Start())
		require.EqualValues(t, 2, s.Cleaned().ForcedFiles)
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
		w.loseBefore(s.Start())
		return w.ledger.Verify(e, s, false)
	}))
	require.NoError(t, w.recheck(sim.KillProcess))
}

// What is not below the checkpoint is read by a restart.
func TestNothingIsCleanedBeyondTheCheckpoint(t *testing.T) {
	options := small(store.SyncFlush)
	options.CheckpointEvery = time.Hour
	w := newWorld(1, cleaning(options))
	defer w.kernel.Close()
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		rounds(e) // the first checkpoint after a start comes soon
		for range 24 {
			w.ledger.Send(e, s, key0, 9_000)
		}
		rounds(e)
		require.Zero(t, s.Start())
		return nil
	}))
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		rounds(e)
		require.Equal(t, lastFile, s.Start())
		return nil
	}))
	w.loseBefore(lastFile)
	require.NoError(t, w.recheck(sim.KillProcess))
}

func TestAFollowerHoldsTheLogUntilTheDiskIsTooFull(t *testing.T) {
	w := filled(t)
	w.tidy()
	w.machine.StepWall(2 * time.Hour)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		f := s.Follow("slow", 0)
		s.CleanNow()
		rounds(e)
		require.Zero(t, s.Start())
		require.EqualValues(t, 14, followSome(t, f, secondFile))
		s.CleanNow()
		rounds(e)
		require.Equal(t, secondFile, s.Start(), "what it has read may go")
		require.Zero(t, s.Cleaned().ForcedFiles)
		w.fillTo(e, 0.86)
		rounds(e)
		w.machine.Disk().SetOptions(sim.DefaultDisk())
		require.Equal(t, lastFile, s.Start())
		require.EqualValues(t, 1, s.Cleaned().ForcedFiles, "it was wanted")
		require.EqualValues(t, 4, followSome(t, f, s.Confirmed()), "it goes on behind what is gone")
		return nil
	}))
}

// followSome reads on up to a place, and returns how many records that were.
func followSome(t *testing.T, f *store.Follower, to message.LogOffset) (count int) {
	t.Helper()
	for f.At() < to {
		found, err := f.Next()
		require.NoError(t, err)
		count += len(found)
	}
	require.Equal(t, to, f.At())
	return count
}

func TestOneRoundRemovesNoMoreThanAFewFilesAndPausesBetween(t *testing.T) {
	options := small(store.SyncFlush)
	w := newWorld(1, options)
	defer w.kernel.Close()
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for range 80 {
			w.ledger.Send(e, s, key0, 9_000)
		}
		return nil
	}))
	w.tidy()
	w.options.CleanEvery, w.options.DeleteMax, w.options.DeletePause = time.Second, 3, 50*time.Millisecond
	w.machine.StepWall(2 * time.Hour)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		s.CleanNow()
		var at []env.Instant
		for files := int64(0); len(at) < 7; e.Tasks.Sleep(time.Millisecond) {
			require.LessOrEqual(t, s.Cleaned().Files, files+1)
			if s.Cleaned().Files > files {
				files++
				at = append(at, e.Clock.Now())
			}
		}
		for n := range at[1:] {
			least := 49 * time.Millisecond
			if n%3 == 2 {
				least = 900 * time.Millisecond // the next round
			}
			require.GreaterOrEqual(t, at[n+1].Sub(at[n]), least, "between %d and %d", n, n+1)
			require.Less(t, at[n+1].Sub(at[n]), least+time.Second)
		}
		require.EqualValues(t, 7*96<<10, s.Start())
		return nil
	}))
}

func TestCleanNowMakesEveryHourOneOfCleaningForTwentyRounds(t *testing.T) {
	for _, c := range []struct {
		after time.Duration // and then the messages expire
		start message.LogOffset
	}{{0, lastFile}, {300 * time.Millisecond, lastFile}, {600 * time.Millisecond, 0}} {
		w := filled(t)
		w.tidy()
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			if c.after == 0 {
				w.machine.StepWall(2 * time.Hour)
			}
			rounds(e)
			require.Zero(t, s.Start(), "the hour is wrong")
			s.CleanNow()
			if c.after == 0 {
				e.Tasks.Sleep(10 * time.Millisecond) // less than a round
			} else {
				e.Tasks.Sleep(c.after)
				w.machine.StepWall(2 * time.Hour)
				rounds(e)
			}
			require.Equal(t, c.start, s.Start(), "%+v", c)
			return nil
		}))
	}
}

func TestQueuesAndTheIndexFollowTheLog(t *testing.T) {
	quiet := store.QueueKey{Topic: "quiet", ID: 0}
	for _, crash := range []bool{false, true} {
		w := filled(t)
		w.tidy()
		w.ledger.KeepFor = w.options.KeepFor
		w.machine.StepWall(2 * time.Hour)
		indexFiles := w.count("index/")
		require.Greater(t, indexFiles, 1)
		expect := func(e env.Env, s *store.Store) error {
			first, end := s.Bounds(key0)
			require.Equal(t, [2]message.QueueOffset{10, 12}, [2]message.QueueOffset{first, end})
			require.Equal(t, store.ReadResult{Status: store.ReadOffsetTooSmall, Next: 10, Min: 10, Max: 12}, read(t, s, key0, 0))
			require.Equal(t, store.ReadOffsetTooSmall, read(t, s, key0, 9).Status)
			require.Equal(t, 2, read(t, s, key0, 10).Count)
			first, end = s.Bounds(quiet)
			require.Equal(t, [2]message.QueueOffset{3, 3}, [2]message.QueueOffset{first, end})
			require.Equal(t, store.ReadOffsetTooSmall, read(t, s, quiet, 2).Status)
			require.Equal(t, store.ReadOffsetOverflowOne, read(t, s, quiet, 3).Status)
			return w.ledger.Verify(e, s, false)
		}
		require.NoError(t, w.do(func(e env.Env) error {
			s, err := store.Open(e, w.options)
			require.NoError(t, err)
			s.CleanNow()
			rounds(e)
			require.Equal(t, lastFile, s.Start())
			require.Zero(t, w.count(firstQueue), "its last message is number 6")
			require.NotZero(t, w.count("consumequeue/quiet/0/00000000000000000000"), "the newest file stays")
			require.Less(t, w.count("index/"), indexFiles)
			require.NoError(t, expect(e, s))
			if crash {
				return nil
			}
			return s.Close()
		}))
		if crash {
			w.machine.Crash(sim.PowerLoss)
		}
		require.NoError(t, w.use(expect))
		require.NoError(t, w.expectOrder())
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, quiet, 100))
			first, end := s.Bounds(quiet)
			require.Equal(t, [2]message.QueueOffset{3, 4}, [2]message.QueueOffset{first, end})
			return nil
		}))
		require.NoError(t, w.recheck(sim.KillProcess))
	}
}

// count is how many files there are whose path begins so.
func (w *world) count(prefix string) (n int) {
	for _, p := range w.machine.Disk().Paths() {
		if strings.HasPrefix(p, prefix) {
			n++
		}
	}
	return n
}

// Nobody sends anything between: who watches the health of the store sees it get well.
func TestAFullDiskThatCleaningFreesTakesMessagesAgain(t *testing.T) {
	for _, waitingMax := range []int{0, 20_000} {
		w := filled(t)
		w.tidy()
		w.options.WaitingMax = waitingMax
		w.options.CleanEvery = time.Second
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			w.fillTo(e, 0.84)
			n := 0
			for ; w.ledger.Send(e, s, key0, 9_000) == store.AppendOK; n++ {
				require.Less(t, n, 100)
			}
			require.ErrorIs(t, s.Health(), env.ErrNoSpace)
			e.Tasks.Sleep(3 * time.Second)
			require.NotZero(t, s.Cleaned().ForcedFiles)
			if waitingMax > 0 {
				require.NoError(t, s.Health())
			}
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 9_000))
			require.NoError(t, s.Health())
			w.machine.Disk().SetOptions(sim.DefaultDisk())
			w.loseBefore(s.Start())
			return w.ledger.Verify(e, s, false)
		}))
		require.NoError(t, w.recheck(sim.KillProcess))
	}
}

func TestCleaningThatFailsIsTriedAgain(t *testing.T) {
	for _, refused := range []string{"remove commitlog", "syncdir commitlog", "remove consumequeue", "syncdir consumequeue", "remove index", "syncdir index", "read commitlog", "read consumequeue"} {
		w := filled(t)
		w.tidy()
		w.ledger.KeepFor = w.options.KeepFor
		w.machine.StepWall(2 * time.Hour)
		failed := false
		var s *store.Store
		require.NoError(t, w.do(func(e env.Env) (err error) {
			w.meddler = &meddler{disk: w.machine.Disk()}
			e.Disk = meddledDisk{e.Disk, w.meddler}
			if s, err = store.Open(e, w.options); err != nil {
				return err
			}
			w.meddler.before = func(_ int, call string) error {
				if !failed && strings.HasPrefix(call, refused) {
					failed = true
					return fmt.Errorf("%s: %w", call, env.ErrIO)
				}
				return nil
			}
			s.CleanNow()
			rounds(e)
			rounds(e)
			require.True(t, failed, refused)
			require.Equal(t, lastFile, s.Start(), refused)
			require.Equal(t, 1, w.log.FilterMessageSnippet("cleaning the store failed").Len(), refused)
			require.NoError(t, s.Fenced())
			return errors.Join(w.ledger.Verify(e, s, false), s.Close())
		}), refused)
		w.meddler = nil
		require.NoError(t, w.recheck(sim.KillProcess), refused)
	}
}

// A start with a clock that is far behind or ahead must not make everything expire, or nothing ever.
func TestAClockThatWasSetBackExpiresNothing(t *testing.T) {
	w := filled(t)
	w.tidy()
	w.machine.StepWall(-1000 * time.Hour)
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		s.CleanNow()
		rounds(e)
		require.Zero(t, s.Start())
		return nil
	}))
}

// The entry of a queue, damaged on the medium, that cleaning must look at: the log is cleaned, the error is said, and nothing that can
// be read is hidden.
func TestADamagedQueueDoesNotHideMessagesWhenTheLogIsCleaned(t *testing.T) {
	for n := range int64(6) {
		w := filled(t)
		w.tidy()
		w.ledger.KeepFor = w.options.KeepFor
		w.machine.StepWall(2 * time.Hour)
		require.NoError(t, w.do(func(e env.Env) error {
			s, err := store.Open(e, w.options)
			require.NoError(t, err)
			require.True(t, w.machine.Disk().Corrupt(firstQueue, n*20+3, 0x7f))
			s.CleanNow()
			e.Tasks.Sleep(300 * time.Millisecond)
			require.NoError(t, s.Fenced())
			for number := message.QueueOffset(10); number < 12; number++ {
				require.NotZero(t, read(t, s, key0, number).Count, "damaged entry %d", n)
			}
			first, _ := s.Bounds(key0)
			require.LessOrEqual(t, first, message.QueueOffset(10))
			return s.Close()
		}))
	}
}

// A record whose time would have to be known is damaged, and so is the entry of a queue: on a full disk the oldest files go all the same.
func TestDamageDoesNotKeepAFullDiskFromBeingCleaned(t *testing.T) {
	w := filled(t)
	w.tidy()
	w.logByte(t, secondFile+10, 1)
	require.NoError(t, w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		require.NoError(t, err)
		require.True(t, w.machine.Disk().Corrupt(firstQueue, 3, 0x7f))
		w.fillTo(e, 0.88)
		rounds(e)
		require.Positive(t, s.Start())
		require.Positive(t, s.Cleaned().ForcedFiles)
		w.machine.Disk().SetOptions(sim.DefaultDisk())
		return s.Close()
	}))
}

// A file of the log is removed, but not for good: until that is durable nothing goes that is derived from it.
func TestWhatIsDerivedStaysUntilTheLogIsGoneForGood(t *testing.T) {
	w := filled(t)
	w.tidy()
	w.machine.StepWall(2 * time.Hour)
	broken := false
	w.meddler = &meddler{disk: w.machine.Disk(), before: func(_ int, call string) error {
		switch {
		case broken && call == "syncdir commitlog":
			return errors.New("the directory cannot be synced")
		case broken && strings.HasPrefix(call, "remove ") && !strings.HasPrefix(call, "remove commitlog"):
			t.Errorf("%s", call)
		}
		return nil
	}}
	require.NoError(t, w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		require.NoError(t, err)
		broken = true
		s.CleanNow()
		rounds(e)
		require.Positive(t, s.Start())
		return nil
	}))
	w.meddler = nil
	w.machine.Crash(sim.PowerLoss)
	require.NoError(t, w.expectNoDamage("with the file that has come back"))
}
