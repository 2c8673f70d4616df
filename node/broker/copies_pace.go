package broker

import (
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
)

// speedometer tells how many bytes passed in the last whole second.
type speedometer struct {
	began     env.Instant
	now, last int64
}

func (s *speedometer) add(now env.Instant, n int) {
	s.turn(now)
	s.now += int64(n)
}

// turn begins another second, if it is time.
func (s *speedometer) turn(now env.Instant) {
	switch over := now.Sub(s.began); {
	case over >= 2*time.Second:
		*s = speedometer{began: now}
	case over >= time.Second:
		*s = speedometer{began: s.began.Add(time.Second), last: s.now}
	}
}

// perSecond is the bytes of the last whole second.
func (s *speedometer) perSecond(now env.Instant) int64 {
	s.turn(now)
	return s.last
}

// meter bounds how many bytes go out a second (class FlowMonitor). Who was idle may send as many at once as go out in one second. Then there is room every
// meterStep, so that what is little never waits for long.
type meter struct {
	// paid is when all that went out would have gone out, had it gone evenly.
	paid env.Instant
}

// meterStep is the longest wait for some room.
const meterStep = 50 * time.Millisecond

// room is how many of wanted bytes may go out now, with a limit for each second; 0: none before again. A limit of 0 is none.
func (m *meter) room(now env.Instant, limit int64, wanted int) (n int, again env.Instant) {
	if limit <= 0 {
		return wanted, now
	}
	free := time.Second - max(m.paid.Sub(now), 0)
	if free < meterStep {
		return 0, m.paid.Add(meterStep - time.Second)
	}
	return int(min(int64(wanted), max(limit*free.Microseconds()/time.Second.Microseconds(), 1))), now
}

func (m *meter) add(now env.Instant, limit int64, n int) {
	if limit > 0 {
		m.paid = max(m.paid, now).Add(time.Duration(int64(n) * int64(time.Second) / limit))
	}
}

// growth remembers when a log was how long, so that it can be told for how long a copy lacks something. Of long ago it knows less.
type growth struct {
	marks []growthMark // both fields rise
	pause time.Duration
}

type growthMark struct {
	at  env.Instant
	end message.LogOffset
}

const (
	growthMarksMax   = 512
	growthPauseFirst = 10 * time.Millisecond
)

// note takes the length of the log down. all is what every copy has. Notes within a pause become one, and when there are too many, two become one: then the age of
// what a copy lacks is told by that much too great.
func (g *growth) note(now env.Instant, end, all message.LogOffset) {
	g.pause = max(g.pause, growthPauseFirst)
	n := len(g.marks)
	switch {
	case n > 0 && g.marks[n-1].end >= end:
		return
	case n > 0 && now.Sub(g.marks[n-1].at) < g.pause:
		g.marks[n-1].end = end
		return
	case n == growthMarksMax:
		g.forget(all)
	}
	if len(g.marks) == growthMarksMax {
		for i := range growthMarksMax / 2 {
			g.marks[i] = growthMark{g.marks[2*i].at, g.marks[2*i+1].end}
		}
		g.marks = g.marks[:growthMarksMax/2]
		g.pause *= 2
	}
	g.marks = append(g.marks, growthMark{now, end})
}

// forget drops what no copy lacks.
func (g *growth) forget(all message.LogOffset) {
	n := slices.IndexFunc(g.marks, func(m growthMark) bool { return m.end > all })
	if n < 0 {
		n = len(g.marks)
	}
	if g.marks = slices.Delete(g.marks, 0, n); len(g.marks) == 0 {
		g.pause = growthPauseFirst
	}
}

// since is for how long the log has been longer than end; 0 if it is not known to be.
func (g *growth) since(now env.Instant, end message.LogOffset) time.Duration {
	for _, m := range g.marks {
		if m.end > end {
			return now.Sub(m.at)
		}
	}
	return 0
}

// followed is what a slave remembers of following.
type followed struct {
	address    string // of the replication port, where it last was connected
	rate       speedometer
	heardAt    env.WallMillis // when the master last said something
	received   int64          // bytes of all connections
	reportedAt env.WallMillis // when the slave last reported
	trouble    string         // why it does not follow, as it was logged last; "" while it follows
	masterEnd  message.LogOffset
	askedAt    env.Instant // when the master's log ended at masterEnd
	evenAt     env.Instant // an instant at which the slave had all that its master had; the start of the broker before the first
}

func (f *followed) heard(clock env.Clock, n int) {
	f.heardAt = clock.Wall()
	f.received += int64(n)
	f.rate.add(clock.Now(), n)
}

// masterWas notes where the log of the master ended when it was asked.
func (f *followed) masterWas(end message.LogOffset, at env.Instant) {
	f.masterEnd, f.askedAt = max(f.masterEnd, end), at
}

// has notes how much the slave has. Once that is as much as the master had, it had all of it when the master was asked.
func (f *followed) has(end message.LogOffset) {
	if end >= f.masterEnd && f.askedAt > f.evenAt {
		f.evenAt = f.askedAt
	}
}
