package scenario

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
)

var damagedFilesScenario = Scenario{
	Name:  "damaged-files",
	About: "a message store alone whose files rot or vanish between two starts, and are repaired by a bridge or a cut, also by a repair that is killed",
	Marks: []string{
		"send acknowledged", "topic removed", "found by key", "repaired", "repaired with a cut", "killed while repairing",
		"rot in the log", "rot in a queue", "rot in the key index", "rot in the checkpoint",
		"rot in the list of removed topics", "missing file of the log", "missing file of a queue", "missing file of the key index",
		"missing checkpoint", "missing list of removed topics",
	},
	run: func(r *run) {
		runStore(r, []fault.Kind{
			fault.KillBroker, fault.PowerLossBroker, fault.RestartBroker, fault.KillWhileRecovering,
		}, true)
	},
}

// harm is what happened to a file since the last repair.
type harm struct {
	path     string
	from, to message.LogOffset // of the log: what is gone; both -1 for other files
	content  []byte            // of a file that is missing
	at       int64             // of the rotten byte in its file
	flip     byte              // its rotten bit
	// silent: the first file of the log is missing, and no start reads it: it looks as if it was old and cleaned away.
	silent  bool
	durable message.LogOffset // what the checkpoint vouched for, before
	saved   message.LogOffset // before it files of queues have all entries; 0 if these are to be built again
	start   message.LogOffset // of the log, before
}

// hits reports whether a byte of the message's record is gone.
func (h harm) hits(m *oracle.Sent) bool {
	return h.from < m.Place.Log+message.LogOffset(m.RecordSize()) && m.Place.Log < h.to
}

// String tells the harm in one line.
func (h harm) String() string {
	switch {
	case h.content == nil && h.from >= 0:
		return fmt.Sprintf("the log rots at %d", h.from)
	case h.content == nil:
		return fmt.Sprintf("byte %d of %s rots", h.at, h.path)
	}
	return h.path + " is missing"
}

const (
	logFiles       = "commitlog/"
	queueFiles     = "consumequeue/"
	indexFiles     = "index/"
	checkpointFile = "checkpoint"
	droppedFile    = "droppedTopics.json"
)

// filesOf are the sorts of files, with their marks.
var filesOf = []struct{ path, rot, missing string }{
	{logFiles, "rot in the log", "missing file of the log"},
	{queueFiles, "rot in a queue", "missing file of a queue"},
	{indexFiles, "rot in the key index", "missing file of the key index"},
	{checkpointFile, "rot in the checkpoint", "missing checkpoint"},
	{droppedFile, "rot in the list of removed topics", "missing list of removed topics"},
}

// damageSome harms a file of the store, which is down, and lets the operator look at it or not. One harm at a time: what vouches for
// the others must be whole.
func (c *storeRun) damageSome() bool {
	own := c.random.Derive(fmt.Sprint("damage ", c.incarnation))
	switch {
	case len(c.harmed) > 0 && (c.final || own.Chance(0.5)):
		return c.repair()
	case len(c.harmed) > 0 || c.final || c.sick() || !own.Chance(c.work.damage):
		return true
	}
	sort := filesOf[own.IntN(len(filesOf))]
	paths := c.files(sort.path)
	if len(paths) == 0 {
		return true
	}
	h := c.newHarm(paths[own.IntN(len(paths))])
	mark, done := sort.missing, false
	if own.Chance(0.5) {
		mark = sort.rot
		done = c.rotAt(&h, own)
	} else {
		done = c.lose(&h)
	}
	if !done {
		return c.kernel.Failure() == nil
	}
	c.kernel.Mark(mark)
	c.harm(h)
	unseen := own.Chance(0.4) && !onlyChecksSee(h)
	return unseen || c.look()
}

// files lists the files of a directory, or the one of that name.
func (c *storeRun) files(path string) []string {
	return slices.DeleteFunc(c.machine.Disk().Paths(), func(other string) bool {
		return other != path && !(strings.HasSuffix(path, "/") && strings.HasPrefix(other, path))
	})
}

// newHarm is harm to a file that is not done yet.
func (c *storeRun) newHarm(path string) harm {
	h := harm{path: path, from: -1, to: -1, durable: c.vouchedFor()}
	if state := c.checkpoint(); state.Own && state.Entries != math.MaxInt64 {
		h.saved = state.Saved
	}
	if of := c.files(logFiles); len(of) > 0 {
		h.start = message.LogOffset(startOf(of[0]))
	}
	return h
}

// harm remembers what was done to a file.
func (c *storeRun) harm(h harm) {
	c.harmed, c.ledger.Spoiled = append(c.harmed, h), c.spoiled
	c.ledger.ForgetNamed()
	if strings.HasPrefix(h.path, indexFiles) {
		c.ledger.IndexInDoubt = true
	}
	if h.path == checkpointFile {
		c.vouched = false
	}
	if h.path == droppedFile && h.content != nil {
		// Nothing else knows which topics were removed.
		c.ledger.Revive(brief.Topic)
	}
	c.Faults = append(c.Faults, h.String())
}

// rotAt lets a bit of a file rot, and reports whether it has.
func (c *storeRun) rotAt(h *harm, own *sim.Stream) bool {
	content, _ := c.machine.Disk().Content(h.path)
	size := int64(len(content))
	if h.path == checkpointFile {
		size = min(size, checkpointUsed)
	}
	if size == 0 {
		return false
	}
	h.at, h.flip = own.Between(0, size-1), byte(1<<own.IntN(8))
	if newest := int64(h.durable) - startOf(h.path); strings.HasPrefix(h.path, logFiles) && newest > 0 && newest <= size && own.Chance(0.3) {
		// Of the last message of a queue nothing else in the log knows the number.
		h.at = own.Between(max(newest-lastMessages, 0), newest-1)
	}
	return c.corrupt(h)
}

// lastMessages is how many bytes of log the newest messages take.
const lastMessages = 4 << 10

// checkpointUsed is how many bytes of the checkpoint mean something.
const checkpointUsed = 512

// corrupt flips a bit. In the log it must be one that the checkpoint vouches for: what is behind cannot be told from a torn end.
func (c *storeRun) corrupt(h *harm) bool {
	if strings.HasPrefix(h.path, logFiles) {
		h.from = message.LogOffset(startOf(h.path) + h.at)
		h.to = h.from + 1
	}
	return h.from < h.durable && !c.leftOut(h) && c.machine.Disk().Corrupt(h.path, h.at, h.flip)
}

// lose removes a file, and reports whether it has. Of the log it must be one of which the checkpoint vouches for something.
func (c *storeRun) lose(h *harm) bool {
	h.content, _ = c.machine.Disk().Content(h.path)
	if strings.HasPrefix(h.path, logFiles) {
		h.from = message.LogOffset(startOf(h.path))
		h.to = h.from + message.LogOffset(c.options.LogSegmentSize)
		of := c.files(logFiles)
		h.silent = len(of) > 1 && h.path == of[0] && h.to <= c.checkpoint().Saved
	}
	if h.from >= h.durable || c.leftOut(h) {
		return false
	}
	c.must("lose a file", func(e env.Env) error { return errors.Join(e.Disk.Remove(h.path), syncDirOf(e, h.path)) })
	c.machine.Crash(sim.KillProcess)
	return c.kernel.Failure() == nil
}

// putBack brings a file back that was missing, as an operator does who has a copy.
func (c *storeRun) putBack(h harm) {
	c.must("put a file back", func(e env.Env) error {
		f, err := e.Disk.Create(h.path)
		if err != nil {
			return err
		}
		err = errors.Join(f.WriteAt(h.content, 0), f.Sync(0, int64(len(h.content))))
		return errors.Join(err, f.Close(), syncDirOf(e, h.path))
	})
	c.machine.Crash(sim.KillProcess)
	c.kernel.Mark("put back a missing file")
}

func syncDirOf(e env.Env, path string) error {
	dir := "."
	if slash := strings.LastIndexByte(path, '/'); slash >= 0 {
		dir = path[:slash]
	}
	return e.Disk.SyncDir(dir)
}

// must does what cannot fail on a healthy disk.
func (c *storeRun) must(what string, task func(e env.Env) error) {
	if err := c.do(what, task); err != nil && c.kernel.Failure() == nil {
		c.failSafety("%s: %v", what, err)
	}
}

// startOf is where a file of the log begins.
func startOf(path string) int64 {
	start := int64(0)
	if _, err := fmt.Sscan(strings.TrimLeft(path[strings.LastIndexByte(path, '/')+1:], "0")+" ", &start); err != nil {
		return 0
	}
	return start
}

// vouchedFor is how much of the log the checkpoint says is durable: what is damaged before must never be taken for a torn end.
// Only the medium counts: what a failed sync left in the cache is gone with the power.
func (c *storeRun) vouchedFor() message.LogOffset {
	content, _ := c.machine.Disk().Durable(checkpointFile)
	return min(store.ParseCheckpoint(content).Durable, c.checkpoint().Durable)
}

// demandCheckpoint is for a machine that is down: a crash or a failed write may leave an older checkpoint, but never none. Without one a start
// does not know how much of the log was durable, and would take damage for a torn end.
func (c *storeRun) demandCheckpoint() {
	valid := c.checkpoint().Own
	if c.vouched && !valid && c.kernel.Failure() == nil {
		c.failSafety("no valid checkpoint is left")
	}
	c.vouched = valid
}

func (c *storeRun) checkpoint() store.CheckpointInfo {
	content, _ := c.machine.Disk().Content(checkpointFile)
	return store.ParseCheckpoint(content)
}

// spoiled reports whether a byte of a message's record is gone.
func (c *storeRun) spoiled(m *oracle.Sent) bool {
	return slices.ContainsFunc(c.harmed, func(h harm) bool { return h.hits(m) })
}
