package broker

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestASpeedometerTellsTheLastWholeSecond(t *testing.T) {
	at := func(millis int) env.Instant {
		return env.Instant(time.Hour) + env.Instant(millis)*env.Instant(time.Millisecond)
	}
	var s speedometer
	s.add(at(0), 10)
	s.add(at(900), 5)
	require.Zero(t, s.perSecond(at(950)), "the second is not over")
	require.EqualValues(t, 15, s.perSecond(at(1000)))
	s.add(at(1100), 7)
	require.EqualValues(t, 15, s.perSecond(at(1900)))
	require.EqualValues(t, 7, s.perSecond(at(2000)))
	require.Zero(t, s.perSecond(at(5000)), "a second in which nothing came")
}

func TestTheAgeOfWhatACopyLacksIsNeverTooSmallAndSeldomMuchTooGreat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g growth
		type mark struct {
			at  env.Instant
			end message.LogOffset
		}
		var truth []mark
		now, end, acked := env.Instant(time.Second), message.LogOffset(0), message.LogOffset(0)
		for range rapid.IntRange(1, 2000).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "ms")) * time.Millisecond)
			end += message.LogOffset(rapid.IntRange(0, 100).Draw(t, "bytes"))
			if rapid.IntRange(0, 9).Draw(t, "acks") == 0 {
				acked = message.LogOffset(rapid.Int64Range(int64(acked), int64(end)).Draw(t, "acked"))
			}
			g.note(now, end, acked)
			truth = append(truth, mark{now, end})
			if len(g.marks) > growthMarksMax {
				t.Fatalf("%d marks", len(g.marks))
			}
			want := time.Duration(0)
			for _, m := range truth {
				if m.end > acked {
					want = now.Sub(m.at)
					break
				}
			}
			// Two marks that became one are as far apart as the pause was, and so is the next one.
			if got := g.since(now, acked); got < want || got > want+2*g.pause+50*time.Millisecond {
				t.Fatalf("the copy has %d of %d and lacks it since %v; told is %v, with pauses of %v", acked, end, want, got, g.pause)
			}
		}
	})
}

func TestASlaveIsEvenWithItsMasterOnceItHasWhatThatHadWhenItWasAsked(t *testing.T) {
	f := followed{evenAt: 5}
	f.masterWas(100, 10)
	f.has(99)
	require.EqualValues(t, 5, f.evenAt)
	f.has(100)
	require.EqualValues(t, 10, f.evenAt)
	f.masterWas(90, 20)
	f.has(99)
	require.EqualValues(t, 10, f.evenAt, "the master's log does not become shorter")
}

func TestAMeterLetsAsManyBytesPassASecondAndLittleNeverWaitsForLong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1<<10, 1<<40).Draw(t, "limit") // as maxHaTransferByteInSecond
		began := env.Instant(time.Hour)
		var m meter
		var passed int64
		for now := began; now < began.Add(3*time.Second); {
			n, again := m.room(now, limit, rapid.IntRange(1, 4<<20).Draw(t, "wanted"))
			if n == 0 {
				if again <= now || again > now.Add(meterStep) {
					t.Fatalf("at %v the next room is at %v", now, again)
				}
				now = again
				continue
			}
			m.add(now, limit, n)
			passed += int64(n)
			// What may go out at once at the beginning comes on top.
			if most := limit + int64(float64(limit)*now.Sub(began).Seconds()) + limit/1000; passed > most {
				t.Fatalf("after %v %d bytes have passed, with %d a second", now.Sub(began), passed, limit)
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "ms")) * time.Millisecond)
		}
	})
	n, _ := new(meter).room(1, 0, 1000)
	require.Equal(t, 1000, n, "0 is no limit")
}
