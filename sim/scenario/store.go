package scenario

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/index"
)

var storeCrashScenario = Scenario{
	Name:  "store-crash",
	About: "a message store alone: appends, reads, searches, cleaning and removed topics under kills and losses of power, also while it recovers",
	Marks: []string{
		"send acknowledged", "crash while recovering", "power loss right after an acknowledgement", "topic removed", "found by key",
		"the log was cleaned", "closed in order",
	},
	run: func(r *run) {
		runStore(r, []fault.Kind{
			fault.KillBroker, fault.PowerLossBroker, fault.PowerLossAfterAck, fault.KillWhileRecovering, fault.RestartBroker,
		}, false)
	},
}

var diskFaultsScenario = Scenario{
	Name:  "disk-faults",
	About: "the same with a disk that fails, is slow, stuck or full, and lets bits rot in closed files, which are then repaired",
	Marks: []string{
		"send acknowledged", "send refused", "the store was fenced", "topic removed", "found by key", "bit rot", "repaired",
	},
	run: func(r *run) {
		runStore(r, []fault.Kind{
			fault.KillBroker, fault.PowerLossBroker, fault.RestartBroker, fault.SlowDisk, fault.StuckSync, fault.FailSync, fault.FailWrite,
			fault.FailRead, fault.FullDisk, fault.BitRot,
		}, false)
	},
}

// storeRun is the state of one run. The driver is no task: it opens, crashes and judges the store from outside.
type storeRun struct {
	*run
	random      *sim.Stream
	machine     *sim.Machine
	options     store.Options
	ledger      *oracle.Ledger
	work        storeWork
	store       *store.Store // nil while it is not open
	incarnation int          // tasks of an older one end
	lossy       bool         // messages may be missing at the next look, because of a power loss
	sickUntil   env.Instant
	wasSick     bool // since the store was opened
	answered    int
	harmed      []harm // since the last repair
	repairs     int
	final       bool // nothing is damaged any more
	vouched     bool // the checkpoint was valid when the machine was down last, and nobody has harmed it since
}

// storeWork is what is done to the store, drawn from the seed.
type storeWork struct {
	producers, readers int
	topics, queues     int64
	for_, think        time.Duration
	bodyMax            int64
	batches            float64
	drops              float64
	damage             float64 // share of starts before which a file is damaged
	check              float64 // share of crashes after which the files are checked before the store is opened
}

// runStore runs a store with faults of some kinds, and with damaged files between two starts or not.
func runStore(r *run, kinds []fault.Kind, damage bool) {
	c := &storeRun{run: r, random: r.kernel.Stream("driver"), ledger: oracle.NewLedger()}
	c.build(kinds)
	if damage {
		c.work.damage = float64(c.draw.number("percent of starts with a damaged file", 10, 90)) / 100
	}
	if !c.open() {
		return
	}
	for _, f := range c.Schedule {
		if !c.workUntil(env.Instant(f.At)) {
			return
		}
		c.Faults = append(c.Faults, fmt.Sprintf("%s %s", time.Duration(c.kernel.Now()).Round(time.Microsecond), f))
		c.inject(f)
		if c.kernel.Failure() != nil {
			return
		}
	}
	if c.workUntil(env.Instant(c.work.for_)) {
		c.finish()
	}
	c.Operations = len(c.ledger.Messages)
}

// build draws the options and the faults.
func (c *storeRun) build(kinds []fault.Kind) {
	d := c.draw
	c.work = storeWork{
		producers: int(d.number("producers", 1, 5)),
		readers:   int(d.number("readers", 0, 3)),
		topics:    d.number("topics", 1, 3),
		queues:    d.number("queues of a topic", 1, 4),
		for_:      d.duration("length", 20*time.Millisecond, 400*time.Millisecond),
		think:     d.duration("think time", 0, 3*time.Millisecond),
		bodyMax:   d.number("largest body", 14, 6000),
		batches:   d.share("batches", 0.5),
		drops:     d.share("removals of a topic", 0.3),
		check:     0.5,
	}
	flush := store.SyncFlush
	if d.chance("asynchronous flush", 0.3) {
		flush = store.AsyncFlush
	}
	c.options = store.Options{
		Flush: flush, BodySizeMax: 8 << 10,
		LogSegmentSize:      d.number("log segment", 74<<10, 300<<10),
		QueueSegmentEntries: d.number("queue segment", 5, 100),
		BatchSegmentEntries: d.number("queue segment of batches", 5, 100),
		BatchQueues:         oracle.TakesBatches,
		SaveQueuesEvery:     d.duration("queues saved every", time.Millisecond, 50*time.Millisecond),
		CheckpointEvery:     d.duration("checkpoint every", 5*time.Millisecond, 200*time.Millisecond),
		CheckpointBytes:     d.number("checkpoint after bytes", 20<<10, 1<<20),
		FlushEvery:          d.duration("flush every", time.Millisecond, 20*time.Millisecond),
		OpenFilesMax:        int(d.number("open queue files", 1, 20)),
		Index:               index.Sizes{Slots: int32(d.number("index slots", 3, 100)), Items: int32(d.number("index items", 10, 300))},
		ReplayMax:           int(d.number("entries replayed at once", 1, 200)),
	}
	if d.chance("cleaning", 0.4) {
		c.options.KeepFor = d.duration("messages are kept for", 5*time.Millisecond, 150*time.Millisecond)
		c.options.CleanEvery = d.duration("cleaned every", time.Millisecond, 30*time.Millisecond)
		c.options.DeletePause = time.Millisecond
		for hour := range 24 {
			c.options.DeleteAt = append(c.options.DeleteAt, hour)
		}
		c.ledger.KeepFor = c.options.KeepFor
	}
	c.machine = c.kernel.AddMachine("a", netip.MustParseAddr("10.0.0.1"))
	own := c.draw.random.Derive("faults")
	every := d.duration("mean time between faults", 3*time.Millisecond, 60*time.Millisecond)
	c.Schedule = fault.Draw(own, fault.Options{Kinds: kinds, Every: every, Within: c.work.for_, Drop: c.run.options.Drop})
}

// within bounds every single step of the driver, in simulated time.
const within = time.Minute

// do runs a task of the machine to its end. A crash of the machine meanwhile is the driver's own doing.
func (c *storeRun) do(phase string, task func(e env.Env) error) error {
	if !c.machine.Up() {
		c.machine.Boot("store")
	}
	e := c.machine.Node("store", ".")
	done := false
	var err error
	e.Tasks.Go(phase, func() { err, done = task(e), true })
	if !c.until(phase, within, func() bool { return done }) && c.kernel.Failure() == nil {
		c.failLiveness("%s takes longer than %s", phase, within)
	}
	if err == nil && c.kernel.Failure() != nil {
		err = c.kernel.Failure()
	}
	return err
}

// sick reports whether the disk fails just now or has failed since the store was opened.
func (c *storeRun) sick() bool { return c.wasSick || c.kernel.Now() < c.sickUntil }

// open opens the store, compares it with the ledger and starts the work. On a sick disk that may fail: then the disk is healed, as an
// operator would, and the next attempt must not.
func (c *storeRun) open() bool {
	if !c.damageSome() {
		return false
	}
	for attempt := 0; ; attempt++ {
		c.wasSick = c.kernel.Now() < c.sickUntil
		sick := c.wasSick
		err := c.tryOpen(!sick && c.random.Chance(c.work.check))
		if err == nil || c.kernel.Failure() != nil {
			break
		}
		if !c.excused(err, sick) || attempt > 1 {
			c.failSafety("the store cannot be opened: %v", err)
			return false
		}
		c.heal()
		c.machine.Crash(sim.KillProcess)
	}
	if c.kernel.Failure() != nil {
		return false
	}
	c.incarnation++
	c.lossy = false
	c.startWork()
	return true
}

// excused says whether an attempt may fail for a reason that the driver has made; what rotted it repairs.
func (c *storeRun) excused(err error, sick bool) bool {
	if len(c.harmed) > 0 && saysDamage(err) {
		c.heal()
		return c.repair()
	}
	return sick && (errors.Is(err, env.ErrIO) || errors.Is(err, oracle.ErrIncomplete) || errors.Is(err, env.ErrNoSpace))
}

// saysDamage reports whether an error tells an operator that files are damaged, so that a repair is due.
func saysDamage(err error) bool {
	var damage *store.DamageError
	if errors.As(err, &damage) || errors.Is(err, store.ErrDamaged) || saysForeign(err) {
		return true
	}
	return strings.Contains(err.Error(), "the list of removed topics is damaged")
}

// saysForeign reports whether an error tells of files that do not belong together, as when one of them is missing.
func saysForeign(err error) bool {
	return err != nil && strings.Contains(err.Error(), "not a row of files")
}

func (c *storeRun) tryOpen(check bool) error {
	c.store = nil
	return c.do("open", func(e env.Env) error {
		if check && len(c.harmed) == 0 {
			if err := oracle.Files(e, c.options); err != nil {
				return err
			}
		}
		s, err := store.Open(e, c.options)
		if err != nil {
			return err
		}
		c.store = s
		return c.ledger.Verify(e, s, c.lossy)
	})
}

// heal makes the disk well.
func (c *storeRun) heal() {
	c.machine.Disk().SetOptions(sim.DefaultDisk())
	c.sickUntil = c.kernel.Now()
}

// workUntil lets the tasks work. A store that is fenced meanwhile is started again.
func (c *storeRun) workUntil(at env.Instant) bool {
	for c.kernel.Failure() == nil && !at.Reached(c.kernel.Now()) {
		fenced := func() bool { return c.store != nil && c.store.Fenced() != nil }
		c.until("work", at.Sub(c.kernel.Now()), fenced)
		if c.kernel.Failure() == nil && fenced() {
			if !c.sick() {
				c.failSafety("the store was fenced on a healthy disk: %v", c.store.Fenced())
				return false
			}
			c.kernel.Mark("the store was fenced")
			if !c.crash(sim.CrashStyle(c.random.IntN(2))) {
				return false
			}
		}
	}
	return c.kernel.Failure() == nil
}

// crash ends the machine and starts it again.
func (c *storeRun) crash(style sim.CrashStyle) bool {
	c.down(style)
	return c.open()
}

func (c *storeRun) down(style sim.CrashStyle) {
	if c.options.Flush == store.AsyncFlush && style == sim.PowerLoss {
		c.lossy = true
	}
	c.machine.Crash(style)
	c.demandCheckpoint()
}

// close closes the store in order and looks at its files.
func (c *storeRun) close() bool {
	sick := c.sick()
	s := c.store
	err := c.do("close", func(env.Env) error { return s.Close() })
	if err != nil && (c.kernel.Failure() != nil || !sick) {
		c.failSafety("the store does not close in order: %v", err)
		return false
	}
	if err == nil && !sick && len(c.harmed) == 0 {
		c.kernel.Mark("closed in order")
		err = c.do("check", func(e env.Env) error {
			report, err := store.Check(e, c.options, nil)
			if err == nil && (!report.Clean || report.Findings() != "" || report.KeysAgain > 0) {
				err = fmt.Errorf("after closing: %v\n%s", report, report.Findings())
			}
			return err
		})
		if err != nil {
			c.failSafety("%v", err)
			return false
		}
	}
	c.down(sim.KillProcess)
	return true
}

// finish heals everything, demands that messages are taken, and judges the files.
func (c *storeRun) finish() {
	c.heal()
	c.final = true
	if c.store.Cleaned().Files > 0 {
		c.kernel.Mark("the log was cleaned")
	}
	if !c.close() || !c.open() {
		return
	}
	err := c.do("demand progress", func(e env.Env) error {
		for topic := range c.work.topics {
			for queue := range c.work.queues {
				key := store.QueueKey{Topic: fmt.Sprint("topic", topic), ID: int32(queue)}
				if status := c.ledger.Send(e, c.store, key, 100); status != store.AppendOK {
					return fmt.Errorf("a healthy store does not take a message to %v: %v", key, status)
				}
			}
		}
		return nil
	})
	if err != nil {
		c.failLiveness("%v", err)
		return
	}
	if len(c.harmed) > 0 && (!c.close() || !c.repair() || !c.open()) {
		return
	}
	if c.close() {
		c.crash(sim.PowerLoss)
	}
}
