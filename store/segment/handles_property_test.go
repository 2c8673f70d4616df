package segment_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever is opened and closed to keep a limit of one or two files, each row is a byte slice, and what was synced
// outlives a power loss.
func TestPropRowsThatShareFewHandlesAreByteSlices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"))
		defer w.kernel.Close()
		limit := rapid.IntRange(1, 2).Draw(t, "limit")
		seen := newWatch()
		models, rows := make([]*slice, 3), make([]*segment.Row, 3)
		open := func(compare, lost bool) {
			w.do(t, func(disk env.Disk) (err error) {
				handles := segment.NewHandles(seen.over(disk), limit)
				for i := range rows {
					if rows[i], err = segment.Open(handles, fmt.Sprintf("row%d", i), size, compare); err != nil {
						return err
					}
					if compare {
						models[i].compare(t, rows[i], lost)
					}
				}
				return nil
			})
		}
		for i := range models {
			models[i] = &slice{}
		}
		open(false, false)
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			if style := rapid.IntRange(0, 14).Draw(t, "crash"); style <= int(sim.PowerLoss) {
				w.machine.Crash(sim.CrashStyle(style))
				*seen = *newWatch()
				open(true, style == int(sim.PowerLoss))
				continue
			}
			i := rapid.IntRange(0, 2).Draw(t, "row")
			move := drawMove(t, models[i])
			w.do(t, func(env.Disk) error {
				require.NoError(t, move(rows[i]))
				require.LessOrEqual(t, seen.open, limit)
				return nil
			})
		}
		w.do(t, func(env.Disk) error {
			for i, r := range rows {
				models[i].compare(t, r, false)
			}
			return errors.Join(rows[0].Close(), rows[1].Close(), rows[2].Close())
		})
		require.Zero(t, seen.open)
	})
}
