package scenario

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
)

// look is an operator who checks the files before a start. What a check passes must be in order; what it finds is repaired.
func (c *storeRun) look() bool {
	var report store.CheckReport
	c.must("look at the files", func(e env.Env) (err error) {
		report, err = store.Check(e, c.options, nil)
		return err
	})
	c.machine.Crash(sim.KillProcess)
	if c.kernel.Failure() != nil {
		return false
	}
	c.kernel.Note("a check says %v\n%s", report, report.Findings())
	if len(report.Damage) > 0 {
		return c.repair()
	}
	c.kernel.Mark("a check found nothing")
	c.unnoticed()
	return true
}

// unnoticed is for harm that a check has passed: from now on nothing may be missing but what nobody can miss.
func (c *storeRun) unnoticed() {
	for _, h := range c.harmed {
		if h.silent {
			c.giveUp(func(m *oracle.Sent) bool { return h.hits(m) })
		}
	}
	c.repaired()
}

// giveUp lets the ledger know what is lost for good, and must stay away.
func (c *storeRun) giveUp(lost func(m *oracle.Sent) bool) {
	for _, m := range c.ledger.Messages {
		if m.Owed() && lost(m) {
			m.Lost = true
		}
	}
}

// repaired ends all forbearance.
func (c *storeRun) repaired() {
	c.harmed, c.ledger.Spoiled, c.ledger.IndexInDoubt = nil, nil, false
}

// repair does what an operator does with a damaged store.
func (c *storeRun) repair() bool {
	c.heal()
	c.down(sim.KillProcess)
	own := c.random.Derive(fmt.Sprint("repair ", c.repairs))
	c.repairs++
	choice := store.RepairChoice(own.IntN(2))
	plan, err := c.planRepair(choice)
	if saysForeign(err) && c.putAllBack() {
		return c.kernel.Failure() == nil
	}
	if err != nil {
		c.failSafety("the repair cannot be planned: %v", err)
		return false
	}
	c.killWhileRepairing(own, choice, &plan)
	err = c.do("repair", func(e env.Env) error {
		_, err := store.Repair(e, c.options, choice, nil)
		return err
	})
	if err != nil {
		c.failSafety("the repair: %v", err)
		return false
	}
	c.kernel.Mark("repaired")
	if choice == store.CutDamage && len(plan.Report.Lost) > 0 {
		c.kernel.Mark("repaired with a cut")
	}
	if !c.judgeRepair(plan, choice) {
		return false
	}
	c.down(c.afterRepair(own, plan))
	return c.kernel.Failure() == nil
}

func (c *storeRun) planRepair(choice store.RepairChoice) (plan store.RepairPlan, err error) {
	err = c.do("plan the repair", func(e env.Env) (err error) {
		plan, err = store.PlanRepair(e, c.options, choice, nil)
		return err
	})
	return plan, err
}

// putAllBack is for missing files without which no repair is possible.
func (c *storeRun) putAllBack() bool {
	back := false
	for _, h := range c.harmed {
		if h.content != nil {
			c.putBack(h)
			back = true
		}
	}
	if back && !slices.ContainsFunc(c.harmed, func(h harm) bool { return h.content == nil }) {
		c.repaired()
	}
	return back
}

// killWhileRepairing interrupts a repair, which can be repeated. What a loss of power brings back, a file that was removed just before and is damaged,
// comes into the plan.
func (c *storeRun) killWhileRepairing(own *sim.Stream, choice store.RepairChoice, plan *store.RepairPlan) {
	for own.Chance(0.3) && c.kernel.Failure() == nil {
		e := c.machine.Node("store", ".")
		done := false
		e.Tasks.Go("repair", func() {
			if _, err := store.Repair(e, c.options, choice, nil); err != nil {
				c.failSafety("the repair: %v", err)
			}
			done = true
		})
		if !c.until("repair", time.Duration(own.Between(0, int64(8*time.Millisecond))), func() bool { return done }) {
			c.kernel.Mark("killed while repairing")
		}
		style := sim.CrashStyle(own.IntN(2))
		c.down(style)
		c.machine.Boot("store")
		if style == sim.PowerLoss && c.kernel.Failure() == nil {
			c.planAgain(choice, plan)
		}
	}
}

// planAgain adds to a plan what has to be repaired now.
func (c *storeRun) planAgain(choice store.RepairChoice, plan *store.RepairPlan) {
	again, err := c.planRepair(choice)
	if err != nil {
		c.failSafety("the repair cannot be planned again: %v", err)
		return
	}
	plan.Steps = append(plan.Steps, again.Steps...)
	plan.Report.Damage = append(plan.Report.Damage, again.Report.Damage...)
	plan.Report.Lost = append(plan.Report.Lost, again.Report.Lost...)
	slices.SortFunc(plan.Report.Lost, func(a, b store.DamagedRange) int { return cmp.Compare(a.From, b.From) })
}

// judgeRepair compares what a repair has announced with what was harmed: it gives up what is gone, and nothing else, and a check finds
// no more damage.
func (c *storeRun) judgeRepair(plan store.RepairPlan, choice store.RepairChoice) bool {
	c.kernel.Note("the repair with %v: %v\n%s%v", choice, plan.Report, plan.Report.Findings(), plan)
	given := givenUp(plan, choice)
	for _, m := range c.ledger.Messages {
		if choice == store.BridgeDamage && m.Owed() && given.has(m) && !c.spoiled(m) && !c.tooClose(m) && !c.unsure(m) {
			c.failSafety("the repair gives up a message that is whole: %v\n%v", m, plan)
			return false
		}
	}
	if slices.ContainsFunc(plan.Steps, func(step string) bool { return strings.HasPrefix(step, "rename "+droppedFile) }) {
		c.ledger.Revive(brief.Topic)
	}
	if choice == store.BridgeDamage {
		c.keepNumbers(plan, given)
	}
	c.giveUp(given.has)
	c.ledger.Gaps = c.ledger.Gaps || choice == store.BridgeDamage && len(given) > 0
	c.unnoticed()
	c.must("check after the repair", func(e env.Env) error { return oracle.Files(e, c.options) })
	return c.kernel.Failure() == nil
}

// keepNumbers notes which numbers a bridge keeps: of the messages in it that the files of queues know, unless the plan says otherwise. That
// is only so if nothing but the log is harmed.
func (c *storeRun) keepNumbers(plan store.RepairPlan, given ranges) {
	saved := message.LogOffset(math.MaxInt64)
	for _, h := range c.harmed {
		if h.from < 0 || h.content != nil {
			return
		}
		saved = min(saved, h.saved)
	}
	if slices.ContainsFunc(plan.Steps, func(step string) bool { return strings.Contains(step, "may be given again") }) {
		return
	}
	for _, m := range c.ledger.Messages {
		if m.Owed() && given.has(m) && m.Place.Log+message.LogOffset(m.RecordSize()) <= saved && m.Key.Topic != brief.Topic {
			c.kernel.Mark("a bridge keeps a number")
			c.ledger.Named(m)
		}
	}
}

// tooClose reports whether a message stands so near behind what is gone that a bridge needs its room.
func (c *storeRun) tooClose(m *oracle.Sent) bool {
	return slices.ContainsFunc(c.harmed, func(h harm) bool { return h.from >= 0 && m.Place.Log >= h.from && m.Place.Log < h.from+bridgeRoom })
}

// unsure reports whether a message may have been gone before anything was harmed: cleaned away, or by a loss of power.
func (c *storeRun) unsure(m *oracle.Sent) bool {
	return slices.ContainsFunc(c.harmed, func(h harm) bool { return m.Place.Log < h.start || m.Place.Log >= h.durable })
}

// bridgeRoom is how many bytes the smallest bridge takes.
const bridgeRoom = 91 + 7 + 21

// ranges of the log.
type ranges []store.DamagedRange

func (r ranges) has(m *oracle.Sent) bool {
	return slices.ContainsFunc(r, func(d store.DamagedRange) bool { return m.Place.Log >= d.From && m.Place.Log < d.To })
}

// givenUp is what a plan says will be lost.
func givenUp(plan store.RepairPlan, choice store.RepairChoice) (lost ranges) {
	lost = slices.Clone(plan.Report.Lost)
	if choice == store.CutDamage && len(lost) > 0 {
		lost[0].To = math.MaxInt64
	}
	for _, step := range plan.Steps {
		var place int64
		var d store.DamagedRange
		if _, err := fmt.Sscanf(step, "bridge the log over [%d, %d): the messages", &d.From, &d.To); err == nil {
			lost = append(lost, d)
		}
		if _, err := fmt.Sscanf(step, "end the file of the log at %d: the messages in [%d, %d) are lost", &place, &d.From, &d.To); err == nil {
			lost = append(lost, d)
		}
		if _, err := fmt.Sscanf(step, "go on without the beginning of the log, up to %d, whose", &d.To); err == nil {
			lost = append(lost, store.DamagedRange{To: d.To})
		}
		if _, err := fmt.Sscanf(step, "go on without the log [%d, %d), whose files", &d.From, &d.To); err == nil {
			// Nobody knows how far it went.
			lost = append(lost, store.DamagedRange{From: d.From, To: math.MaxInt64})
		}
	}
	for _, damage := range plan.Report.Damage {
		var durable, end message.LogOffset
		if _, err := fmt.Sscanf(damage, "the checkpoint says that the log is durable up to %d, but it ends at %d", &durable, &end); err == nil {
			// Nobody knows how far it went.
			lost = append(lost, store.DamagedRange{From: end, To: math.MaxInt64})
		}
	}
	return lost
}
