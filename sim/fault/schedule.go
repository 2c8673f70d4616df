package fault

import (
	"fmt"
	"strings"
	"time"

	"github.com/gantrymq/gantry/sim"
)

// Kind is a sort of fault.
type Kind int

// The kinds.
const (
	KillBroker          Kind = iota // the process of one broker dies
	PowerLossBroker                 // one broker's machine loses its power
	PowerLossAll                    // all machines but the clients' lose their power at once
	PowerLossAfterAck               // one broker loses its power right after it has acknowledged a send
	KillWhileRecovering             // one broker dies, and again while it starts
	KillNameServer
	RestartBroker // in order
	PauseBroker
	PauseNameServer
	PauseClient
	PartitionOneWay
	PartitionBroker // both ways, from everybody
	ClogLink
	ResetConnection
	SlowAccept
	SlowDisk
	StuckSync
	FailSync
	FailWrite
	FullDisk
	StepWallClock
	BadLinks // loss, pieces, little bandwidth
	FailRead
	BitRot // in a closed file
	kinds
)

var kindNames = [...]string{
	"kill broker", "power loss of a broker", "power loss of all", "power loss after an acknowledgement", "kill while recovering",
	"kill name server", "restart broker", "pause broker", "pause name server", "pause client", "one-way partition", "partition of a broker",
	"clog link", "reset connection", "slow accept", "slow disk", "stuck sync", "failing sync", "failing write", "full disk", "step of the wall clock", "bad links",
	"failing read", "bit rot",
}

// String names the kind.
func (k Kind) String() string { return kindNames[k] }

// Kinds lists all kinds.
func Kinds() []Kind {
	all := make([]Kind, kinds)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// Fault is one entry of a schedule.
type Fault struct {
	Number int
	Kind   Kind
	At     time.Duration // after the start of the run
	For    time.Duration // until it heals
}

// String tells the fault in one line.
func (f Fault) String() string {
	return fmt.Sprintf("#%d at %s: %s for %s", f.Number, f.At.Round(time.Millisecond), f.Kind, f.For.Round(time.Millisecond))
}

// Schedule is a list of faults in the order of their times.
type Schedule []Fault

// String lists the faults.
func (s Schedule) String() string {
	lines := make([]string, len(s))
	for i, f := range s {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Options of a drawn schedule.
type Options struct {
	Kinds  []Kind        // that may occur
	Every  time.Duration // mean time between faults
	Within time.Duration // no fault begins later
	Drop   map[int]bool  // numbers left out, by a shrinker
}

// Draw makes a schedule. The same stream and options give the same one; Drop only leaves out entries.
func Draw(random *sim.Stream, o Options) Schedule {
	var schedule Schedule
	if len(o.Kinds) == 0 || o.Every <= 0 {
		return nil
	}
	at := time.Duration(0)
	for number := 0; ; number++ {
		own := random.Derive(fmt.Sprint("fault ", number))
		at += time.Duration(own.Between(0, 2*int64(o.Every)))
		if at > o.Within {
			return schedule
		}
		f := Fault{Number: number, Kind: o.Kinds[own.IntN(len(o.Kinds))], At: at, For: drawDuration(own)}
		if !o.Drop[number] {
			schedule = append(schedule, f)
		}
	}
}

// drawDuration prefers short faults and has some long ones.
func drawDuration(random *sim.Stream) time.Duration {
	longest := int64(300 * time.Millisecond)
	switch {
	case random.Chance(0.1):
		longest = int64(20 * time.Second)
	case random.Chance(0.3):
		longest = int64(3 * time.Second)
	}
	return time.Duration(random.Between(int64(time.Millisecond), longest))
}
