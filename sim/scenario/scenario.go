package scenario

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/fault"
	"go.uber.org/zap/zapcore"
)

// Scenario is a named simulation.
type Scenario struct {
	Name  string
	About string
	// Marks are places that some seed must reach; a hunt reports those that none did.
	Marks []string
	// Costly scenarios take much longer than others: tests run fewer seeds of them.
	Costly bool
	// secret, if it is not empty, is in no line of a log or a trace.
	secret string
	run    func(r *run)
}

// All lists the scenarios.
func All() []Scenario {
	return []Scenario{pubsubScenario, storeCrashScenario, diskFaultsScenario, damagedFilesScenario, orderlyScenario, filtersScenario, broadcastScenario, longpollScenario, flowScenario, groupsScenario, litePullScenario, retryScenario, timerScenario, transactionScenario, delayScenario, popScenario, popPushScenario, dedupScenario, aclScenario, replicationScenario, failoverScenario, splitBrainScenario, rollingRestartScenario, replaceDiskScenario, migrateScenario, uncleanScenario, controllerScenario,
		inGroups(timerScenario), inGroups(transactionScenario), inGroups(groupsScenario), inGroups(orderlyScenario), inGroups(popPushScenario), inGroups(retryScenario)}
}

// Find returns a scenario by name.
func Find(name string) (Scenario, bool) {
	for _, s := range All() {
		if s.Name == name {
			return s, true
		}
	}
	return Scenario{}, false
}

// Options of an execution. The zero value runs quietly.
type Options struct {
	Log      io.Writer // nodes' log lines
	LogLevel zapcore.Level
	Trace    io.Writer    // one line for each step
	Drop     map[int]bool // numbers of faults that are left out
	Progress func(simulated time.Duration, phase string)
}

// Result is what came of one execution.
type Result struct {
	Scenario   string
	Seed       uint64
	Settings   []Setting
	Schedule   fault.Schedule
	Faults     []string // what the injector did
	Failure    *sim.Failure
	TraceHash  uint64
	Steps      uint64
	Simulated  time.Duration
	Operations int // client operations
	Marks      map[string]int
	History    linearizability.History
	Logs       map[string]linearizability.Log
	// Undecided says that a search gave up: neither a pass nor a failure.
	Undecided string
}

// run is an execution under way.
type run struct {
	Result
	options Options
	kernel  *sim.Kernel
	draw    *draw
	phase   string
	// elected says that brokers come in groups that elect their masters.
	elected bool
}

// stepsMax ends a run that spins.
const stepsMax = 200_000_000

// Execute runs a scenario with a seed.
func Execute(s Scenario, seed uint64, options Options) Result {
	logging := options.Log != nil || options.Trace != nil
	var leaks []*leakDetector
	if s.secret != "" {
		// The lines are looked at whether anybody wants to see them or not.
		log, trace := &leakDetector{out: options.Log, secret: s.secret}, &leakDetector{out: options.Trace, secret: s.secret}
		leaks, options.Log, logging = append(leaks, log, trace), log, true
		if options.Trace != nil {
			options.Trace = trace
		}
	}
	k := sim.New(seed, sim.Options{
		Log: options.Log, LogLevel: options.LogLevel, Logging: logging, Trace: options.Trace, StepsMax: stepsMax,
	})
	defer k.Close()
	r := &run{
		Result: Result{Scenario: s.Name, Seed: seed}, options: options, kernel: k,
		draw: &draw{random: k.Stream("options")},
	}
	s.run(r)
	for _, leak := range leaks {
		if leak.line != "" {
			r.failSafety("a secret is in a line of a log or a trace: %s", strings.ReplaceAll(leak.line, s.secret, "(the secret)"))
		}
	}
	r.Settings = r.draw.settings
	r.Failure = k.Failure()
	r.TraceHash, r.Steps, r.Simulated, r.Marks = k.TraceHash(), k.Step(), time.Duration(k.Now()), k.Marks()
	return r.Result
}

// leakDetector hands lines on and keeps the first one with a secret.
type leakDetector struct {
	out    io.Writer // or nil
	secret string
	line   string
}

// Write takes one line.
func (l *leakDetector) Write(p []byte) (int, error) {
	if l.line == "" && bytes.Contains(p, []byte(l.secret)) {
		l.line = string(p)
	}
	if l.out == nil {
		return len(p), nil
	}
	return l.out.Write(p)
}

// until lets the world go on until done, and reports whether it was before the limit.
func (r *run) until(phase string, limit time.Duration, done func() bool) bool {
	r.phase = phase
	deadline := r.kernel.Now().Add(limit)
	for {
		slice := r.kernel.Now().Add(time.Second).Sooner(deadline)
		if r.kernel.Run(slice, done) {
			return true
		}
		if r.kernel.Failure() != nil || deadline.Reached(r.kernel.Now()) || !slice.Reached(r.kernel.Now()) {
			// In the last case nothing is left to happen.
			return false
		}
		if r.options.Progress != nil {
			r.options.Progress(time.Duration(r.kernel.Now()), phase)
		}
	}
}

func (r *run) failSafety(format string, args ...any) {
	r.kernel.Fail(sim.FailureSafety, fmt.Errorf(format, args...))
}

func (r *run) failLiveness(format string, args ...any) {
	r.kernel.Fail(sim.FailureLiveness, fmt.Errorf(format, args...))
}

// String prints the result for people: options, verdict, fingerprint.
func (r Result) String() string {
	verdict := "ok"
	switch {
	case r.Failure != nil:
		verdict = r.Failure.Error()
	case r.Undecided != "":
		verdict = "undecided: " + r.Undecided
	}
	return fmt.Sprintf("%s seed %d: %s (trace %016x, %d steps, %s simulated, %d operations)",
		r.Scenario, r.Seed, verdict, r.TraceHash, r.Steps, r.Simulated.Round(time.Millisecond), r.Operations)
}

// Replay is the command that shows a run again.
func (r Result) Replay() string {
	return fmt.Sprintf("go run ./cmd/gantrysim replay %s --seed %d", r.Scenario, r.Seed)
}
