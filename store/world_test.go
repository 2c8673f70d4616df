package store_test

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/index"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// world is one simulated machine, whose disk outlives crashes, and what the test knows of
// the messages it sent to the store there.
type world struct {
	kernel  *sim.Kernel
	machine *sim.Machine
	options store.Options
	ledger  *oracle.Ledger
	meddler *meddler               // between the store and its disk; nil is none
	log     *observer.ObservedLogs // what the last task's store has said
}

// small makes files roll after a few messages.
func small(flush store.FlushMode) store.Options {
	return store.Options{
		Flush: flush, LogSegmentSize: 96 << 10, BodySizeMax: 16 << 10, QueueSegmentEntries: 7, BatchSegmentEntries: 6, BatchQueues: oracle.TakesBatches,
		OpenFilesMax: 2, Index: index.Sizes{Slots: 50, Items: 40},
		SaveQueuesEvery: 5 * time.Millisecond, CheckpointEvery: 20 * time.Millisecond, FlushEvery: 3 * time.Millisecond,
	}
}

func newWorld(seed uint64, options store.Options) *world {
	k := sim.New(seed, sim.Options{})
	l := oracle.NewLedger()
	l.KeepFor = options.KeepFor
	return &world{
		kernel: k, machine: k.AddMachine("a", netip.MustParseAddr("10.0.0.1")),
		options: options, ledger: l,
	}
}

// env is that of a new node of the machine, which it boots if it is down.
func (w *world) env() env.Env {
	if !w.machine.Up() {
		w.machine.Boot("broker")
	}
	e := w.machine.Node("broker", ".")
	core, logged := observer.New(zap.InfoLevel)
	e.Log, w.log = zap.New(core), logged
	if w.meddler != nil {
		e.Disk = meddledDisk{e.Disk, w.meddler}
	}
	return e
}

var errStuck = errors.New("the world came to rest or ran for an hour before the task had ended")

// do runs a task to its end.
func (w *world) do(task func(e env.Env) error) error {
	done, failure := w.start(task)
	if !w.kernel.Run(w.kernel.Now().Add(time.Hour), done) && w.kernel.Failure() == nil {
		return errStuck
	}
	return failure()
}

// start begins a task. The results tell whether it has ended, and what went wrong.
func (w *world) start(task func(e env.Env) error) (done func() bool, failure func() error) {
	e := w.env()
	ended := false
	var err error
	e.Tasks.Go("test", func() { err, ended = task(e), true })
	return func() bool { return ended }, func() error {
		if f := w.kernel.Failure(); f != nil {
			return fmt.Errorf("%w\n%s", f, f.Stack)
		}
		return err
	}
}

// use opens the store, runs a task, and closes it.
func (w *world) use(task func(e env.Env, s *store.Store) error) error {
	return w.do(func(e env.Env) error {
		s, err := store.Open(e, w.options)
		if err != nil {
			return err
		}
		return errors.Join(task(e, s), s.Close())
	})
}

// lossy reports whether acknowledged messages may be gone after a crash.
func (w *world) lossy(style sim.CrashStyle) bool {
	return w.options.Flush == store.AsyncFlush && style == sim.PowerLoss
}

// recheck opens the store after a crash, compares it with the ledger, and checks the files, both as
// the crash left them and after the store was closed.
func (w *world) recheck(style sim.CrashStyle) error {
	if err := w.expectNoDamage("after the crash"); err != nil {
		return err
	}
	return w.repaired(style)
}

// repaired is recheck for files that may be damaged before the store is opened.
func (w *world) repaired(style sim.CrashStyle) error {
	err := w.use(func(e env.Env, s *store.Store) error { return w.ledger.Verify(e, s, w.lossy(style)) })
	if err != nil {
		return err
	}
	return w.expectOrder()
}

// expectNoDamage checks files that a crash may have left as they are.
func (w *world) expectNoDamage(when string) error {
	report, err := w.check()
	if err == nil && (len(report.Damage) > 0 || report.KeysAgain > 0) {
		err = fmt.Errorf("%s: %v\n%s", when, report, report.Findings())
	}
	return err
}

// expectOrder checks files of a store that was closed.
func (w *world) expectOrder() error {
	report, err := w.check()
	if err == nil && (!report.Clean || report.Findings() != "" || report.KeysAgain > 0) {
		err = fmt.Errorf("after closing: %v\n%s", report, report.Findings())
	}
	return err
}

// content is what a file says, nothing if there is none.
func (w *world) content(name string) []byte {
	content, _ := w.machine.Disk().Content(name)
	return content
}

func (w *world) check() (report store.CheckReport, err error) {
	err = w.do(func(e env.Env) error {
		report, err = store.Check(e, w.options, nil)
		return err
	})
	return report, err
}
