package osenv

import (
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// began is the origin of Instant. One origin for the process, so that instants of its
// nodes compare.
var began = time.Now().Add(-time.Nanosecond)

func now() env.Instant { return env.Instant(time.Since(began)) }

// at converts to the time package's monotonic time; Never is its zero value.
func at(i env.Instant) time.Time {
	if i == env.Never {
		return time.Time{}
	}
	return began.Add(time.Duration(i))
}

type clock struct{}

func (clock) Now() env.Instant     { return now() }
func (clock) Wall() env.WallMillis { return env.WallMillis(time.Now().UnixMilli()) }
