package store

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
)

// RepairChoice says what becomes of a log with a damaged part.
type RepairChoice int

const (
	// BridgeDamage keeps everything behind: only the messages in the damaged part are lost. A record that nobody is shown
	// stands there then, with their numbers and most of the damaged bytes.
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
	switch {
	case len(p.Steps) == 0 && !p.Report.Clean:
		return "nothing is to be repaired: the broker has crashed, and its next start puts in order what a crash leaves"
	case len(p.Steps) == 0 && len(p.Report.Repairs) > 0:
		return "nothing is to be repaired: the next start puts in order what check lists as repair"
	case len(p.Steps) == 0:
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
// makes them again. It keeps every message whose record is valid, unless the log is cut; one behind a damaged part that is smaller
// than any bridge may go with it.
//
// The error is env.ErrLocked, segment.ErrForeign if an operator must settle first which files belong there, or that of a disk. Interrupted at any time, it can be repeated.
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
	if err := r.refuse(); err != nil {
		return err
	}
	if err := r.secureEarlier(); err != nil || len(r.report.Damage) == 0 {
		return err
	}
	if r.hurt[partDropped] {
		if err := r.step(r.setAside, "rename %s to %s: it cannot be read; if all queues are built again, messages of removed topics come back", droppedPath, droppedAside); err != nil {
			return err
		}
	}
	if r.missing > 0 {
		r.steps = append(r.steps, fmt.Sprintf("go on without the log [%d, %d), whose files are missing: its messages are lost, and their numbers are given again; if you have the files, put them back instead", r.log.End(), r.missing))
	}
	// The next start must not believe what this run changes, even if it is interrupted.
	if err := r.distrust(); err != nil {
		return err
	}
	for _, d := range r.foreign {
		if err := r.step(func() error { return r.removeFiles(d.path()) }, "remove the files in %s: they are not those of a queue, which is built again from the log", d.path()); err != nil {
			return err
		}
	}
	if err := r.repairLog(); err != nil {
		return err
	}
	if !r.makesIndex() {
		return nil
	}
	return r.step(func() error { return r.removeFiles(index.Dir) }, "remove %s/: the keys are indexed again after the next start", index.Dir)
}

// refuse names what an operator must settle first.
func (r *repair) refuse() error {
	switch {
	case r.log == nil:
		return fmt.Errorf("%s/: %w; a file is missing or of another store: put it back or move all of the directory away", logDir, segment.ErrForeign)
	case r.twice != "":
		return fmt.Errorf("%s: %w: the queue has files of both kinds: remove the directory that does not fit the topic's queue.type, all of it, and repair again", r.twice, segment.ErrForeign)
	case len(r.foreign) > 1 && !slices.ContainsFunc(r.order, (*checkedQueue).wholeFiles):
		return fmt.Errorf("%s: %w: not one queue has files of the sizes that are set (mappedFileSizeConsumeQueue): set those that the directory was made with, or remove all of %s/ and repair again",
			r.foreign[0].path(), segment.ErrForeign, r.foreign[0].layout.dir)
	}
	return nil
}

// wholeFiles reports whether the queue has files, and all of the size that is set.
func (q *checkedQueue) wholeFiles() bool { return q.hasFiles() && q.row.Missing() == 0 }

// makesQueues reports whether all queues are made again. One alone could not be: the log must be read from its first byte for it anyway,
// and then the others are built on the way, to the same bytes.
func (r *repair) makesQueues() bool {
	return r.hurt[partLog] || r.hurt[partQueues] || r.hurt[partIndex] && !r.state.own
}

// makesIndex reports whether the key index is made again: it is not, if it was compared with the log and fits.
func (r *repair) makesIndex() bool {
	return r.hurt[partLog] || r.hurt[partIndex] || r.hurt[partQueues] && !r.state.own
}

// keysAgain is the mark of an index of which nothing counts.
var keysAgain = index.Mark{Count: 1}

// distrust notes in the checkpoint what the next start must not believe. What is not known to be durable must not become so by being
// repaired: after a failed sync it may be in the cache only.
func (r *repair) distrust() error {
	state, queues, keys := r.state, r.makesQueues(), r.makesIndex()
	if keys {
		state.mark = keysAgain
	}
	if !queues {
		if !keys {
			return nil
		}
		return r.step(func() error { return r.note(&state) }, "let the next start index the keys again")
	}
	if !state.own {
		state.saved, state.durable = r.report.Start, r.report.Start
	}
	if !state.own && r.report.Clean {
		state.durable = r.report.End
	}
	end, newest := r.report.End, r.newestAt
	if r.choice == CutDamage && len(r.report.Lost) > 0 {
		end, newest = min(end, r.report.Lost[0].From), r.report.Lost[0].storedAt
	}
	state.physicalAt, state.logicsAt, state.indexAt = min(state.physicalAt, newest), min(state.logicsAt, newest), min(state.indexAt, newest)
	if start := r.report.Start; state.saved < start {
		r.steps = append(r.steps, fmt.Sprintf("go on without the beginning of the log, up to %d, whose files are missing: its messages are lost; if you have the files, put them back instead", start))
		state.saved, state.durable = start, max(state.durable, start)
	}
	state.saved, state.durable = min(state.saved, end), min(state.durable, end)
	state.entries, state.own = entriesUnknown, true
	return r.step(func() error { return r.note(&state) }, "let the next start build all queues again from the log [%d, %d)", r.report.Start, end)
}

// note writes a checkpoint. The words that go with the last one may be in the system's cache only: they must be there with the slot that stays
// while the other one is written.
func (r *repair) note(state *checkpointState) error {
	if r.state.own {
		if err := r.state.rewrite(r.env.Disk); err != nil {
			return err
		}
	}
	return writeCheckpoint(r.env.Disk, state)
}

// secureEarlier makes durable what a repair has done that was interrupted: it may be in the system's cache only.
func (r *repair) secureEarlier() error {
	if !r.apply {
		return nil
	}
	// It may have set a list aside, and removed files of the index.
	if err := r.syncDirs(".", index.Dir); err != nil {
		return err
	}
	again := r.state.own && r.state.mark == keysAgain
	if !r.rebuilds() && !again {
		return nil
	}
	state := r.state
	if err := r.note(&state); err != nil || !r.rebuilds() {
		return err
	}
	for _, b := range r.gaps.bridges {
		if err := r.log.Rewrite(int64(b.log), int(b.size)); err != nil {
			return err
		}
		if err := r.log.Sync(int64(b.log), int64(b.log)+int64(b.size)); err != nil {
			return err
		}
	}
	// So may be where it has cut the log.
	if len(r.report.Lost) == 0 && r.log.Missing() == 0 {
		if err := r.log.Cut(int64(r.report.End)); err != nil {
			return err
		}
	}
	// So may be the removal of files.
	directories, err := listQueues(r.env.Disk)
	if err != nil {
		return err
	}
	for _, d := range directories {
		if err := r.syncDirs(d.path()); err != nil {
			return err
		}
	}
	return nil
}

// syncDirs makes durable which files directories have, as far as there are such directories.
func (r *repair) syncDirs(names ...string) error {
	for _, name := range names {
		if err := r.env.Disk.SyncDir(name); err != nil && !errors.Is(err, env.ErrNotExist) {
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
		return r.step(func() error { return row.Cut(int64(at)) }, "end the log at %d: everything behind, up to %d, is lost, and the numbers of its messages are given again", at, r.report.End)
	}
	done := message.LogOffset(0)
	for i, lost := range r.report.Lost {
		if lost.From < done {
			continue // the bridge before stands over it
		}
		if done, err = r.bridge(row, i); err != nil {
			return err
		}
	}
	return nil
}

// bridge makes the log readable over a damaged part. It returns where the log goes on.
func (r *repair) bridge(row *segment.Row, i int) (to message.LogOffset, err error) {
	lost := r.report.Lost[i]
	fileEnd := message.LogOffset(row.FileStart(int64(lost.From)) + row.SegmentSize())
	to, named, err := r.wide(row, i, fileEnd)
	if err != nil {
		return to, err
	}
	p := make([]byte, to-lost.From)
	if err := row.ReadAt(p, int64(lost.From)); err != nil {
		return to, err
	}
	over, what := bridgeOver, fmt.Sprintf("bridge the log over [%d, %d): the messages in it are lost", lost.From, to)
	if to == fileEnd {
		over, what = bridgeToEnd, fmt.Sprintf("end the file of the log at %d: the messages in [%d, %d) are lost", lost.From, lost.From, fileEnd)
	}
	p, unnamed, err := over(p, named, lost.From, lost.storedAt)
	if err != nil {
		return to, err
	}
	return to, r.step(func() error { return r.write(row, p, lost.From) }, "%s%s", what, namesOf(named, unnamed))
}

// wide finds out how far the bridge over a damaged part reaches, and what is lost by it. A part that is smaller than any bridge takes the next
// record along.
func (r *repair) wide(row *segment.Row, i int, fileEnd message.LogOffset) (to message.LogOffset, named []lostMessages, err error) {
	from := r.report.Lost[i].From
	to, named = r.report.Lost[i].To, r.lost[i]
	for i++; to < fileEnd && to-from < message.LogOffset(bridgeOverhead); {
		if named, err = r.takeAlong(row, to, named); err != nil {
			return to, nil, err
		}
		if to, err = nextValid(row, to); err != nil {
			return to, nil, err
		}
		for ; i < len(r.lost) && r.report.Lost[i].From < to; i++ {
			named = append(named, r.lost[i]...)
		}
	}
	return to, named, nil
}

// takeAlong adds the messages of a whole record that goes with a damaged part.
func (r *repair) takeAlong(row *segment.Row, at message.LogOffset, named []lostMessages) ([]lostMessages, error) {
	scanner := newLogScanner(row, at)
	scanner.chunk = recordChunk
	ok, err := scanner.next()
	record := &scanner.record
	switch {
	case err != nil || !ok || record.LogOffset != at:
		return named, err
	case isBridge(record):
		return append(named, lostIn(record)...), nil
	case !hasEntry(record) || r.dropped.covers(record):
		return named, nil
	}
	q := r.queueOf(QueueKey{string(record.Topic), record.QueueID})
	return addLost(named, lostMessages{q.key, record.QueueOffset, q.layout.entryOf(record, scanner.at, 0).count}), nil
}

// namedMax bounds the names in one step of a plan.
const namedMax = 20

// namesOf tells which messages are lost, as far as that is known.
func namesOf(named []lostMessages, unnamed int64) string {
	var text strings.Builder
	for i, l := range named {
		if i == namedMax {
			fmt.Fprintf(&text, ", and %d more ranges", len(named)-i)
			break
		}
		text.WriteString([]string{": ", ", "}[min(i, 1)] + l.String())
	}
	if unnamed > 0 {
		fmt.Fprintf(&text, "; the numbers of %d may be given again", unnamed)
	}
	return text.String()
}

func (r *repair) write(row *segment.Row, p []byte, at message.LogOffset) error {
	if err := row.WriteAt(p, int64(at)); err != nil {
		return err
	}
	return row.Sync(int64(at), int64(at)+int64(len(p)))
}

// removeFiles removes the files of a directory, durably.
func (r *repair) removeFiles(dir string) error {
	entries, err := r.env.Disk.List(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir {
			continue
		}
		if err := r.env.Disk.Remove(dir + "/" + e.Name); err != nil {
			return err
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return r.env.Disk.SyncDir(dir)
}

// setAside keeps a list of removed topics that cannot be read where no start looks for it.
func (r *repair) setAside() error {
	if err := r.env.Disk.Remove(droppedAside); err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	if err := r.env.Disk.Rename(droppedPath, droppedAside); err != nil {
		return err
	}
	return r.env.Disk.SyncDir(".")
}

// entriesUnknown as the checkpoint's number of entries makes the next start build all queues again: there can never be as many.
const entriesUnknown = math.MaxInt64
