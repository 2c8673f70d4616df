package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
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
			if err != nil {
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

// rot is a damaged byte.
type rot struct {
	path   string
	offset int64 // in the file
	log    message.LogOffset
}

// letRot flips a bit in a closed file of the log, or in one of a queue.
func (c *storeRun) letRot(own *sim.Stream) {
	var logs, queues []string
	for _, path := range c.machine.Disk().Paths() {
		switch {
		case strings.Contains(path, "commitlog/"):
			logs = append(logs, path)
		case strings.Contains(path, "consumequeue/"):
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
	r := rot{path: candidates[own.IntN(len(candidates))], offset: own.Between(0, size-1), log: -1}
	if strings.Contains(r.path, "commitlog/") {
		start := int64(0)
		if _, err := fmt.Sscan(strings.TrimLeft(r.path[strings.LastIndexByte(r.path, '/')+1:], "0")+" ", &start); err != nil {
			start = 0
		}
		r.log = message.LogOffset(start + r.offset)
	}
	if r.log >= c.vouchedFor() {
		return // nothing could tell it from a torn end yet
	}
	if c.machine.Disk().Corrupt(r.path, r.offset, byte(1<<own.IntN(8))) {
		c.kernel.Mark("bit rot")
		c.rotten, c.ledger.Spoiled = append(c.rotten, r), c.spoiled
		c.Faults = append(c.Faults, fmt.Sprintf("byte %d of %s rots", r.offset, r.path))
	}
}

// vouchedFor is how much of the log the checkpoint says is durable: what is damaged before must never be taken for a torn end.
func (c *storeRun) vouchedFor() message.LogOffset {
	content, _ := c.machine.Disk().Content("checkpoint")
	return store.ParseCheckpoint(content).Durable
}

// spoiled reports whether a byte of a message's record has rotted.
func (c *storeRun) spoiled(m *oracle.Sent) bool {
	return slices.ContainsFunc(c.rotten, func(r rot) bool {
		return r.log >= m.Place.Log && r.log < m.Place.Log+message.LogOffset(m.RecordSize())
	})
}

// repair does what an operator does with a damaged store.
func (c *storeRun) repair() bool {
	c.down(sim.KillProcess)
	err := c.do("repair", func(e env.Env) error {
		_, err := store.Repair(e, c.options, store.BridgeDamage, nil)
		return err
	})
	if err != nil {
		c.failSafety("the repair: %v", err)
		return false
	}
	c.kernel.Mark("repaired")
	return true
}
