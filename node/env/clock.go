package env

import (
	"fmt"
	"time"
)

// Instant is a point of monotonic time: nanoseconds since the world began. It
// serves intervals and deadlines. It never goes back and means nothing outside
// the process. The zero Instant, used as a deadline, means "never".
type Instant int64

// Never is the deadline that does not come.
const Never Instant = 0

// Add returns the instant d later.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns the time that passes from earlier to i.
func (i Instant) Sub(earlier Instant) time.Duration { return time.Duration(i - earlier) }

// Reached reports whether a deadline has come. Never is never reached.
func (i Instant) Reached(now Instant) bool { return i != Never && now >= i }

// Sooner returns the earlier of two deadlines, where Never is later than all.
func (i Instant) Sooner(other Instant) Instant {
	if i == Never || (other != Never && other < i) {
		return other
	}
	return i
}

// String prints seconds and microseconds since the world began.
func (i Instant) String() string {
	return fmt.Sprintf("%d.%06ds", int64(i)/1e9, int64(i)%1e9/1e3)
}

// WallMillis is calendar time: milliseconds since the Unix epoch. It is only
// stored and shown. It may jump either way, so no interval is measured with it.
type WallMillis int64

// Time converts to the standard library's type, in UTC.
func (w WallMillis) Time() time.Time { return time.UnixMilli(int64(w)).UTC() }

// Clock tells both kinds of time. Neither call waits.
type Clock interface {
	// Now is monotonic and greater than zero.
	Now() Instant
	// Wall is what the machine believes the calendar says.
	Wall() WallMillis
}
