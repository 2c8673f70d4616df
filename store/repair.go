package store

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
)

// RepairChoice says what becomes of a log with a damaged part.
type RepairChoice int

const (
	// BridgeDamage keeps everything behind: only the messages in the damaged part are lost, and its bytes are
	// kept in a record that nobody is shown.
	BridgeDamage RepairChoice = iota
	// CutDamage ends the log where the first damaged part begins.
	CutDamage
)

// String names the choice.
func (c RepairChoice) String() string {
	if c == CutDamage {
		return "cut the log at the damage"
	}
	return "bridge the damage"
}

// RepairPlan tells what a repair does, in order.
type RepairPlan struct {
	Report CheckReport // what was found before
	Steps  []string
}

// String lists the steps.
func (p RepairPlan) String() string {
	if len(p.Steps) == 0 {
		return "nothing is to be repaired"
	}
	return strings.Join(p.Steps, "\n")
}

// PlanRepair checks a directory that no broker uses, and says what Repair would do. It changes nothing.
func PlanRepair(e env.Env, options Options, choice RepairChoice, report func(done, total int64)) (RepairPlan, error) {
	return repairWith(e, options, choice, report, false)
}

// Repair brings a directory that no broker uses into a state with which a broker can start: it bridges or cuts what
// is damaged in the log, durably, and removes what is damaged of the queues and the key index: the next start
// makes them again. It keeps every message whose record is valid, unless the log is cut.
//
// The error is env.ErrLocked, or that of a disk. Interrupted at any time, it can be repeated.
func Repair(e env.Env, options Options, choice RepairChoice, report func(done, total int64)) (RepairPlan, error) {
	return repairWith(e, options, choice, report, true)
}

func repairWith(e env.Env, options Options, choice RepairChoice, report func(done, total int64), apply bool) (plan RepairPlan, err error) {
	c, err := startCheck(e, options, report)
	if err != nil {
		return plan, err
	}
	if err = c.run(); err == nil {
		r := &repair{checker: c, choice: choice, apply: apply}
		err = r.run()
		plan.Steps = r.steps
	}
	plan.Report = c.report
	return plan, errors.Join(err, c.end())
}

// repair is one run of Repair.
type repair struct {
	*checker
	choice RepairChoice
	apply  bool
	steps  []string
}

// step notes what is done, and does it.
func (r *repair) step(do func() error, format string, args ...any) error {
	r.steps = append(r.steps, fmt.Sprintf(format, args...))
	if !r.apply {
		return nil
	}
	return do()
}

func (r *repair) run() error {
	if r.log == nil {
		return fmt.Errorf("%s/: %w; a file is missing or of another store: put it back or move all of the directory away", logDir, segment.ErrForeign)
	}
	if err := r.secureBridges(); err != nil || len(r.report.Damage) == 0 {
		return err
	}
	// First of all, the next start must not believe the queues, even if this run is interrupted. What is not known to be
	// durable must not become so by being repaired: after a failed sync it may be in the cache only.
	state := r.state
	if !state.own {
		state.saved, state.durable = r.report.Start, r.report.Start
	}
	if !state.own && r.report.Clean {
		state.durable = r.report.End
	}
	end := r.report.End
	if r.choice == CutDamage && len(r.report.Lost) > 0 {
		end = min(end, r.report.Lost[0].From)
	}
	state.saved, state.durable = min(state.saved, end), min(state.durable, end)
	state.entries, state.own, state.mark = entriesUnknown, true, index.Mark{Count: 1}
	err := r.step(func() error { return writeCheckpoint(r.env.Disk, &state) }, "let the next start build all queues again from the log [%d, %d)", r.report.Start, end)
	if err != nil {
		return err
	}
	if err := r.repairLog(); err != nil {
		return err
	}
	return r.step(r.removeIndex, "remove %s/: the keys are indexed again after the next start", index.Dir)
}

// secureBridges makes durable the bridges of a repair that was interrupted: they may be in the cache only.
func (r *repair) secureBridges() error {
	if !r.rebuilds() || !r.apply {
		return nil
	}
	for i, at := range r.gaps.bridges {
		if err := r.log.Rewrite(int64(at), int(r.gaps.bytes[i])); err != nil {
			return err
		}
		if err := r.log.Sync(int64(at), int64(at)+r.gaps.bytes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *repair) repairLog() error {
	row := r.log
	if n := row.Missing(); n > 0 {
		if err := r.step(row.Complete, "give the last file of the log the %d bytes that it lacks", n); err != nil {
			return err
		}
	}
	if len(r.report.Lost) == 0 {
		return nil
	}
	var err error
	if r.choice == CutDamage {
		at := r.report.Lost[0].From
		return r.step(func() error { return row.Cut(int64(at)) }, "end the log at %d: everything behind, up to %d, is lost", at, r.report.End)
	}
	done := message.LogOffset(0)
	for _, lost := range r.report.Lost {
		if lost.From < done {
			continue // the bridge before stands over it
		}
		if done, err = r.bridge(row, lost); err != nil {
			return err
		}
	}
	return nil
}

// bridge makes the log readable over a damaged part. It returns where the log goes on.
func (r *repair) bridge(row *segment.Row, lost DamagedRange) (to message.LogOffset, err error) {
	fileEnd := message.LogOffset(row.FileStart(int64(lost.From)) + row.SegmentSize())
	to = lost.To
	for to < fileEnd && to-lost.From < message.LogOffset(bridgeOverhead) {
		// It was smaller than any bridge: the next record goes, too.
		if to, err = nextValid(row, to); err != nil {
			return to, err
		}
	}
	p := make([]byte, to-lost.From)
	if err := row.ReadAt(p, int64(lost.From)); err != nil {
		return to, err
	}
	if to < fileEnd {
		if p, err = bridgeOver(p, lost.From, lost.storedAt); err != nil {
			return to, err
		}
		return to, r.step(func() error { return r.write(row, p, lost.From) }, "bridge the log over [%d, %d): the messages in it are lost", lost.From, to)
	}
	if p, err = bridgeToEnd(p, lost.From, lost.storedAt); err != nil {
		return to, err
	}
	return to, r.step(func() error { return r.write(row, p, lost.From) }, "end the file of the log at %d: the messages in [%d, %d) are lost", lost.From, lost.From, fileEnd)
}

func (r *repair) write(row *segment.Row, p []byte, at message.LogOffset) error {
	if err := row.WriteAt(p, int64(at)); err != nil {
		return err
	}
	return row.Sync(int64(at), int64(at)+int64(len(p)))
}

func (r *repair) removeIndex() error {
	entries, err := r.env.Disk.List(index.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir {
			continue
		}
		if err := r.env.Disk.Remove(index.Dir + "/" + e.Name); err != nil {
			return err
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return r.env.Disk.SyncDir(index.Dir)
}

// entriesUnknown as the checkpoint's number of entries makes the next start build all queues again: there can never be as many.
const entriesUnknown = math.MaxInt64
