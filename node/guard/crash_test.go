package guard_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
	"github.com/stretchr/testify/require"
)

var errStopped = errors.New("the disk has stopped")

// stopping is a disk on which every change fails from the k-th on, as if the power was gone by then.
type stopping struct {
	env.Disk
	left *int
}

func (d stopping) step() error {
	if *d.left--; *d.left < 0 {
		return errStopped
	}
	return nil
}

func (d stopping) Create(path string) (env.File, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	f, err := d.Disk.Create(path)
	return stoppingFile{f, d}, err
}

func (d stopping) Rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Disk.Rename(from, to)
}

func (d stopping) Remove(path string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Disk.Remove(path)
}

func (d stopping) SyncDir(dir string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Disk.SyncDir(dir)
}

type stoppingFile struct {
	env.File
	disk stopping
}

func (f stoppingFile) WriteAt(p []byte, offset int64) error {
	if err := f.disk.step(); err != nil {
		return err
	}
	return f.File.WriteAt(p, offset)
}

func (f stoppingFile) Sync(from, to int64) error {
	if err := f.disk.step(); err != nil {
		return err
	}
	return f.File.Sync(from, to)
}

// A change that was answered with success is there after a loss of power; any other is there wholly or not at all, and the node starts.
func TestAChangeIsWholeWhereverThePowerGoes(t *testing.T) {
	for k := 0; ; k++ {
		w := newWorld(t, users())
		require.NoError(t, w.start())
		w.withAlice()
		w.machine.Crash(sim.PowerLoss)
		w.boot()
		left := 1 << 30
		w.env.Disk = stopping{w.env.Disk, &left}
		require.NoError(t, w.start())
		left = k
		response := w.call(root, makeUser(proto.ReqAuthUpdateUser, "alice", proto.UserInfo{Status: "disable"}))
		succeeded := response.Code == proto.RespSuccess
		w.restart()
		code := w.call(alice, sendTo("orders")).Code
		if succeeded {
			require.EqualValues(t, proto.RespNoPermission, code, "at operation %d", k)
			require.Greater(t, k, 4)
			return
		}
		require.Contains(t, []int32{proto.RespSuccess, proto.RespNoPermission}, code)
	}
}

// The first start makes the key and then the accounts. Wherever the power goes, the next start works.
func TestAFirstStartThatIsCutShortIsRepeated(t *testing.T) {
	for k := 0; ; k++ {
		w := newWorld(t, users())
		left := k
		w.env.Disk = stopping{w.env.Disk, &left}
		err := w.start()
		w.restart()
		w.ok(root, sendTo("orders"))
		if err == nil {
			require.Greater(t, k, 8)
			return
		}
		require.ErrorIs(t, err, errStopped, fmt.Sprint("at operation ", k))
	}
}

// What has decided once is not taken back: a change that was cut short by the end of the process, or by its disk, and that a later start or look at the file has
// read, outlives the next loss of power.
func TestAccountsThatWereReadOutliveALossOfPower(t *testing.T) {
	for i := range 14 * 4 {
		k, losses := i/4, i%4 // what a loss of power takes is not always the same
		for _, restarts := range []bool{true, false} {
			w := newWorld(t, users())
			require.NoError(t, w.start())
			w.withAlice()
			disable := makeUser(proto.ReqAuthUpdateUser, "alice", proto.UserInfo{Status: "disable"})
			w.outlives(k, losses, restarts, root, disable, alice)

			w = newWorld(t, guard.Options{Plain: true})
			w.write("config/plain_acl.yml", plainText)
			deny := &proto.UpdateAndCreateACLConfig{AccessKey: "RocketMQ", TopicPerms: []string{"orders=DENY"}}
			w.outlives(k, losses, restarts, rocketAdmin, &transport.Request{Code: proto.ReqUpdateAndCreateACLConfig, Header: deny}, rocket)
		}
	}
}

// outlives makes a change on a disk that stops at the k-th operation, and demands that who is let in then is let in also after losses of power.
func (w *world) outlives(k, losses int, restarts bool, admin signature.Credentials, change *transport.Request, who signature.Credentials) {
	w.t.Helper()
	for range 1 + losses {
		w.machine.Crash(sim.PowerLoss)
		w.boot()
	}
	left := 1 << 30
	w.env.Disk = stopping{w.env.Disk, &left}
	require.NoError(w.t, w.start())
	left = k
	w.call(admin, change)
	left = 1 << 30
	if restarts {
		w.machine.Crash(sim.KillProcess)
		w.boot()
		require.NoError(w.t, w.start())
	}
	w.pass(6 * time.Second) // the files are looked at
	code := w.call(who, sendTo("orders")).Code
	for range 3 {
		w.restart()
		require.Equal(w.t, code, w.call(who, sendTo("orders")).Code, "at operation %d", k)
	}
}
