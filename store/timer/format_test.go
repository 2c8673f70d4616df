package timer_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/timer"
	"github.com/stretchr/testify/require"
)

const pagePath = "timers/00000001699999800000"

// The bytes were made from the tables of ../FORMAT.md by another program.
func TestACalendarHasTheGoldenBytes(t *testing.T) {
	w := newWorld(t, 1)
	defer w.kernel.Close()
	w.add(w.now, false)
	w.add(w.now+1, true)
	w.save(t)
	page, _ := w.machine.Disk().Content(pagePath)
	require.Equal(t, strings.ReplaceAll("0000018bcfe5680000000000000000000000006347e92484 0000018bcfe568010000000000000064800000631b949ab7", " ", ""), hex.EncodeToString(page))
	mark, _ := w.machine.Disk().Content("timers/mark")
	require.Equal(t, `{"mark":{"added":199,"cursor":{"due":0,"log":0},"latest":0,"covered":200,"pages":{"1699999800000":48}},"checksum":1093447147}`, string(mark))
}

func (w *world) put(t require.TestingT, path string, content []byte) {
	require.NoError(t, w.try(func(disk env.Disk) error {
		if err := disk.Remove(path); err != nil && !errors.Is(err, env.ErrNotExist) {
			return err
		}
		f, err := disk.Create(path)
		if err != nil {
			return err
		}
		return errors.Join(f.WriteAt(content, 0), f.Sync(0, int64(len(content))), f.Close(), disk.SyncDir(timer.Dir))
	}))
}

// Each damaged byte is found, or does not count; after a reset the log tells everything.
func TestADamagedCalendarIsNeverBelieved(t *testing.T) {
	for _, path := range []string{pagePath, "timers/mark"} {
		w := newWorld(t, 1)
		w.add(w.now, false)
		w.add(w.now+1, false)
		w.save(t)
		content, _ := w.machine.Disk().Content(path)
		for at := range content {
			w.machine.Crash(sim.KillProcess)
			require.True(t, w.machine.Disk().Corrupt(path, int64(at), 0x04))
			err := w.try(func(disk env.Disk) error {
				c, _, err := timer.Open(disk, func(timer.Entry) {})
				if err == nil {
					err = c.Close()
				}
				return err
			})
			require.ErrorIs(t, err, timer.ErrDamaged, "byte %d of %s", at, path)
			require.True(t, w.machine.Disk().Corrupt(path, int64(at), 0x04))
		}
		w.machine.Crash(sim.KillProcess)
		require.NoError(t, w.try(timer.Reset))
		require.Empty(t, w.machine.Disk().Paths())
		w.open(t)
		w.now += 10
		w.deliver(t, 9, 9)
		require.Empty(t, w.waiting)
		w.kernel.Close()
	}
}

// Whatever the files say, a start ends with a calendar or says that they are damaged.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"mark":{"added":199,"cursor":{"due":0,"log":0},"latest":0,"covered":200,"pages":{"1699999800000":48}},"checksum":1093447147}`), []byte("x"))
	f.Add([]byte(`{"mark":{},"checksum":2745614147}`), []byte{})
	f.Fuzz(func(t *testing.T, mark, page []byte) {
		w := newWorld(t, 1)
		defer w.kernel.Close()
		w.put(t, "timers/mark", mark)
		w.put(t, pagePath, page)
		err := w.try(func(disk env.Disk) error {
			c, _, err := timer.Open(disk, func(timer.Entry) {})
			if err != nil {
				return err
			}
			return c.Close()
		})
		if err != nil {
			require.ErrorIs(t, err, timer.ErrDamaged)
		}
	})
}
