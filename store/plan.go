package store

import (
	"errors"
	"fmt"
	"path"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// planPath is the file that says what the next start is to cut off. It is there until that is done, whatever crashes.
const planPath = "cutPlan.json"

// planName is what the file calls the plan.
const planName = "cut"

const planSizeMax = 4096

// plan is what a slave is to cut off before it opens its log: what the master of its group does not have.
type plan struct {
	At        message.LogOffset `json:"at"`
	Confirmed message.LogOffset `json:"confirmed"`
	Anew      bool              `json:"anew"` // nothing is to be left
}

// PlanCut makes durable that the next Open is to cut the log off at a place, also what consumers may have seen, and builds all queues again. confirmed is up to where
// that log may be shown then.
func PlanCut(disk env.Disk, at, confirmed message.LogOffset) error {
	return putPlan(disk, plan{At: at, Confirmed: min(at, confirmed)})
}

// PlanAnew makes durable that the next Open is to remove the whole log, with its queues and its key index.
func PlanAnew(disk env.Disk) error { return putPlan(disk, plan{Anew: true}) }

func putPlan(disk env.Disk, p plan) error {
	_, err := segment.WriteDocument(disk, planPath, planName, p)
	return err
}

// carryOut does what a plan says, if there is one. A crash leaves the plan, and the next start begins again.
func (s *Store) carryOut() (*plan, error) {
	p := &plan{At: -1}
	if err := segment.ReadDocument(s.env.Disk, planPath, planName, planSizeMax, p); err != nil {
		return nil, fmt.Errorf("%s says what is to be cut off before the log is opened: %w", planPath, err)
	}
	if p.At < 0 {
		return nil, nil
	}
	s.env.Log.Warn("the end of the log goes, as the master of the group does not have it", zap.Int64("from", int64(p.At)), zap.Bool("all", p.Anew))
	clean, err := closedCleanly(s.env.Disk)
	if err == nil {
		err = s.markRunning(clean)
	}
	if err == nil {
		err = removeFile(s.env.Disk, checkpointPath)
	}
	if err == nil {
		err = s.cutAsPlanned(p)
	}
	if err == nil {
		err = removeFile(s.env.Disk, planPath)
	}
	if err != nil {
		return nil, fmt.Errorf("cutting off the log as planned: %w", err)
	}
	return p, nil
}

// timersDir is where package timer keeps which messages wait (timer.Open). It is made again from the log.
const timersDir = "timers"

func (s *Store) cutAsPlanned(p *plan) error {
	// It may know messages that are to go, and their places are used again.
	if err := removeTree(s.env.Disk, timersDir); err != nil {
		return err
	}
	if !p.Anew {
		log, err := segment.Open(s.logFiles, logDir, s.options.LogSegmentSize, true)
		if err != nil {
			return err
		}
		return errors.Join(log.Cut(int64(p.At)), log.Close())
	}
	for _, dir := range []string{logDir, simpleLayout.dir, batchLayout.dir, index.Dir} {
		if err := removeTree(s.env.Disk, dir); err != nil {
			return err
		}
	}
	return removeFile(s.env.Disk, droppedPath)
}

// removeFile removes a file of the store's directory, durably, if it is there.
func removeFile(disk env.Disk, name string) error {
	if err := disk.Remove(name); err != nil {
		if errors.Is(err, env.ErrNotExist) {
			return nil
		}
		return err
	}
	return disk.SyncDir(path.Dir(name))
}

// removeTree removes all that is in a directory, durably, the last names first: a row of files must not get a gap.
func removeTree(disk env.Disk, dir string) error {
	entries, err := disk.List(dir)
	if err != nil || len(entries) == 0 {
		return err
	}
	for i := len(entries) - 1; i >= 0; i-- {
		name := path.Join(dir, entries[i].Name)
		if entries[i].IsDir {
			if err := removeTree(disk, name); err != nil {
				return err
			}
		}
		if err := disk.Remove(name); err != nil {
			return err
		}
		if err := disk.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}
