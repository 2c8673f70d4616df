package scenario

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/sim/fault"
)

// await looks now and then whether something is so.
func (f *fleet) await(limit time.Duration, is func() bool) bool {
	deadline := f.observer.Clock.Now().Add(limit)
	for !is() {
		if deadline.Reached(f.observer.Clock.Now()) {
			return false
		}
		f.observer.Tasks.Sleep(20 * time.Millisecond)
	}
	return true
}

// calendarsStep reports whether times of storing may be out of order.
func calendarsStep(schedule fault.Schedule) bool {
	return slices.ContainsFunc(schedule, func(f fault.Fault) bool { return f.Kind == fault.StepWallClock })
}

// addressOf is where a broker listens.
func addressOf(n *cluster.Node) string {
	return netip.AddrPortFrom(n.Machine.Address(), 10911).String()
}
