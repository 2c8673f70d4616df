package broker

import (
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// amounts are what some calls have brought.
type amounts struct {
	messages, bytes int64
	millis          int64 // that the calls took
	calls           int64
}

func (a amounts) plus(b amounts) amounts {
	return amounts{a.messages + b.messages, a.bytes + b.bytes, a.millis + b.millis, a.calls + b.calls}
}

func (a amounts) minus(b amounts) amounts {
	return amounts{a.messages - b.messages, a.bytes - b.bytes, a.millis - b.millis, a.calls - b.calls}
}

// flow counts what comes in the course of time: in all, and in the last minute, hour and day (class StatsItem, several of them). It has
// no task and no clock: now is an argument, which must not go back. A nil flow counts nothing.
type flow struct {
	total amounts
	born  env.Instant
	used  env.Instant // when something was counted last
	next  env.Instant // when the next period of a window begins

	minute, hour, day window
}

const (
	secondsPeriod = 10 * time.Second
	minutesPeriod = 10 * time.Minute
	hoursPeriod   = time.Hour
)

func newFlow(now env.Instant) *flow {
	f := &flow{born: now, used: now}
	f.minute = newWindow(secondsPeriod, 7)
	f.hour = newWindow(minutesPeriod, 7)
	f.day = newWindow(hoursPeriod, 25)
	f.roll(now)
	return f
}

// add counts. It takes a few nanoseconds, and once in ten seconds some more.
func (f *flow) add(now env.Instant, a amounts) {
	if f == nil {
		return
	}
	f.roll(now)
	f.total, f.used = f.total.plus(a), now
}

// roll lets the windows know that nothing more came until now. All periods begin where those of seconds do.
func (f *flow) roll(now env.Instant) {
	if now < f.next {
		return
	}
	f.minute.roll(now, f.total)
	f.hour.roll(now, f.total)
	f.day.roll(now, f.total)
	f.next = env.Instant((f.minute.period + 1) * int64(secondsPeriod))
}

// lastMinute is what came in about the last minute, lastHour and lastDay likewise.
func (f *flow) lastMinute(now env.Instant) recently { return f.recent(now, minuteOf, 6) }

func (f *flow) lastHour(now env.Instant) recently { return f.recent(now, hourOf, 6) }

func (f *flow) lastDay(now env.Instant) recently { return f.recent(now, dayOf, 24) }

func minuteOf(f *flow) *window { return &f.minute }
func hourOf(f *flow) *window   { return &f.hour }
func dayOf(f *flow) *window    { return &f.day }

func (f *flow) recent(now env.Instant, of func(*flow) *window, periods int64) recently {
	if f == nil {
		return recently{}
	}
	f.roll(now)
	return of(f).last(periods, now, f.born, f.total)
}

// String tells what came in all.
func (f *flow) String() string {
	return fmt.Sprintf("%d messages of %d bytes in %d calls", f.total.messages, f.total.bytes, f.total.calls)
}

// window keeps what the total of a flow was when each of the last periods began.
type window struct {
	length time.Duration // of a period
	starts []amounts     // by number of the period, modulo their number
	period int64         // the number of the one under way
}

func newWindow(length time.Duration, kept int) window {
	return window{length: length, starts: make([]amounts, kept)}
}

func (w *window) start(period int64) *amounts {
	kept := int64(len(w.starts))
	return &w.starts[(period%kept+kept)%kept]
}

// roll begins the periods that have begun since the last call.
func (w *window) roll(now env.Instant, total amounts) {
	period := int64(now) / int64(w.length)
	for p := max(w.period+1, period-int64(len(w.starts))+1); p <= period; p++ {
		*w.start(p) = total
	}
	w.period = max(w.period, period)
}

// last is what came in the period under way and so many whole ones before it.
func (w *window) last(periods int64, now, born env.Instant, total amounts) recently {
	first := w.period - periods
	began := max(env.Instant(first*int64(w.length)), born)
	return recently{total.minus(*w.start(first)), max(now.Sub(began), w.length)}
}

// recently is what has come of late.
type recently struct {
	amounts
	over time.Duration // not less than a period: what has just begun shows no rates that nobody sees again
}

// perSecond is a rate of one of the amounts.
func (r recently) perSecond(amount int64) float64 {
	if r.over <= 0 {
		return 0
	}
	return float64(amount) / r.over.Seconds()
}

// perCall is how much a call brought.
func (r recently) perCall(amount int64) float64 {
	if r.calls == 0 {
		return 0
	}
	return float64(amount) / float64(r.calls)
}
