package scenario

import (
	"strings"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
)

// leftOut reports whether harm is not done because the store is known not to notice it, or not to mend it. Each case goes as soon as
// the store does.
func (c *storeRun) leftOut(h *harm) bool {
	missing := h.content != nil
	switch {
	case strings.HasPrefix(h.path, queueFiles+brief.Topic) && missing:
		// A topic whose removal was interrupted is not counted.
		return true
	case strings.HasPrefix(h.path, indexFiles) && !missing:
		// The times in a header are not compared with the records.
		return h.at < indexHeader
	}
	return false
}

// indexHeader is the length of the header of a file of the key index.
const indexHeader = 40

// onlyChecksSee reports whether a start cannot see a harm: then somebody must look before it.
// A start does not look behind the end of a queue, nor at entries in front of it.
func onlyChecksSee(h harm) bool {
	return (strings.HasPrefix(h.path, indexFiles) || strings.HasPrefix(h.path, queueFiles)) && h.content == nil
}

// afterRepair is how the machine goes down after a repair: what that has done is durable, also if it was killed and repeated. One that had
// nothing to do leaves all to the next start.
func (c *storeRun) afterRepair(own *sim.Stream, plan store.RepairPlan) sim.CrashStyle {
	if len(plan.Steps) == 0 {
		return sim.KillProcess
	}
	return sim.CrashStyle(own.IntN(2))
}
