package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/store"
)

// inject makes one fault happen.
func (c *storeRun) inject(f fault.Fault) {
	own := c.random.Derive(fmt.Sprint("fault ", f.Number))
	switch f.Kind {
	case fault.KillBroker:
		c.crash(sim.KillProcess)
	case fault.PowerLossBroker:
		c.crash(sim.PowerLoss)
	case fault.PowerLossAfterAck:
		before := c.answered
		if c.until("wait for an acknowledgement", 50*time.Millisecond, func() bool { return c.answered > before }) {
			c.kernel.Mark("power loss right after an acknowledgement")
		}
		c.crash(sim.PowerLoss)
	case fault.KillWhileRecovering:
		c.killWhileRecovering(own)
	case fault.RestartBroker:
		if c.close() {
			c.open()
		}
	case fault.BitRot:
		c.letRot(own)
	default:
		c.sicken(f)
	}
}

// killWhileRecovering crashes the store, and again while it starts.
func (c *storeRun) killWhileRecovering(own *sim.Stream) {
	for range 1 + own.IntN(3) {
		c.down(sim.CrashStyle(own.IntN(2)))
		c.store = nil
		e := c.machine.Boot("store")
		done := false
		e.Tasks.Go("open", func() {
			s, err := store.Open(e, c.options)
			if err == nil && own.Chance(0.3) {
				err = s.Close()
			}
			if err != nil && len(c.harmed) == 0 {
				c.failSafety("the store cannot be opened: %v", err)
			}
			done = true
		})
		if !c.until("start", time.Duration(own.Between(0, int64(8*time.Millisecond))), func() bool { return done }) {
			c.kernel.Mark("crash while recovering")
		}
		if c.kernel.Failure() != nil {
			return
		}
	}
	c.crash(sim.CrashStyle(own.IntN(2)))
}

// longestSickness bounds how long a disk fails.
const longestSickness = 100 * time.Millisecond

// sicken makes the disk behave badly for a while.
func (c *storeRun) sicken(f fault.Fault) {
	o := sim.DefaultDisk()
	d := min(f.For, longestSickness)
	c.sickUntil, c.wasSick = c.kernel.Now().Add(d), true
	switch f.Kind {
	case fault.SlowDisk:
		o.SyncMax, o.WriteMax = 20*time.Millisecond, 2*time.Millisecond
	case fault.StuckSync:
		o.StuckUntil = c.sickUntil
	case fault.FailSync:
		o.SyncError = 0.1
	case fault.FailWrite:
		o.WriteError = 0.03
	case fault.FailRead:
		o.ReadError = 0.05
	case fault.FullDisk:
		o.Full = true
	}
	c.machine.Disk().SetOptions(o)
	until := c.sickUntil
	c.kernel.After(d, func() {
		if c.sickUntil == until {
			c.machine.Disk().SetOptions(sim.DefaultDisk())
		}
	})
}

// letRot flips a bit in a closed file of the log, or in one of a queue, of a store that may be open.
func (c *storeRun) letRot(own *sim.Stream) {
	var logs, queues []string
	for _, path := range c.machine.Disk().Paths() {
		switch {
		case strings.Contains(path, logFiles):
			logs = append(logs, path)
		case strings.Contains(path, queueFiles):
			queues = append(queues, path)
		}
	}
	candidates, size := logs[:max(len(logs)-1, 0)], c.options.LogSegmentSize
	if own.Chance(0.3) {
		candidates, size = queues, c.options.QueueSegmentEntries*20
	}
	if len(candidates) == 0 {
		return
	}
	h := c.newHarm(candidates[own.IntN(len(candidates))])
	h.at, h.flip = own.Between(0, size-1), byte(1<<own.IntN(8))
	if c.corrupt(&h) {
		c.kernel.Mark("bit rot")
		c.harm(h)
	}
}
