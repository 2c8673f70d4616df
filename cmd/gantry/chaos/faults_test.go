package chaos_test

import (
	"errors"
	"syscall"
	"time"
)

// fault is something that breaks, and how it is mended.
type fault struct {
	name string
	// target says which machine is hit. It is asked before the time begins.
	target func(g *group) (int, error)
	// strike breaks it, and says how it is mended.
	strike func(g *group, machine int) (heal func() error, err error)
	// lasts is for how long it stays broken at least. Killed nodes are started again once somebody serves.
	lasts time.Duration
	// atOnce mends it before anything is waited for: nobody could serve.
	atOnce bool
	// bound is the longest that a fail-over may take, and somebody must serve before the fault is mended. 0 is for faults that no fail-over is due for: then a
	// group has the time that it may take to become whole.
	bound time.Duration
	// pauses says that the bound is also that of the longest time without an acknowledgement: what is broken may show only after a while.
	pauses bool
}

// failOverMost is how long nobody may be able to send after a master was killed: controllers notice its silence after 1.5 s, and then elect another one.
const failOverMost = 3 * time.Second

// silentMost is the same for a master that is silent and not gone. No connection breaks, so what clients have sent it, or send before they have heard of the next
// one, is given up only when its time is over.
const silentMost = failOverMost + steadyTimeout

// The time from which on a fault lasts: longer than a silent broker is taken for alive, than most leases, and than a fail-over may take.
const lastsLong = 5 * time.Second

var killMaster = fault{name: "kill -9 of the master", target: (*group).master, strike: killed, lasts: 300 * time.Millisecond, bound: failOverMost}

// otherFaults are all but the one that is repeated most.
var otherFaults = []fault{
	{name: "SIGTERM of the master (hand-over)", target: (*group).master, strike: terminated, lasts: 300 * time.Millisecond, bound: failOverMost},
	{name: "SIGSTOP of the master, 5 s", target: (*group).master, strike: stopped, lasts: lastsLong, bound: silentMost},
	{name: "master parted, both ways, 5 s", target: (*group).master, strike: parted(true, true), lasts: lastsLong, bound: silentMost},
	{name: "nothing from the master, 5 s", target: (*group).master, strike: parted(true, false), lasts: lastsLong, bound: silentMost},
	{name: "nothing to the master, 5 s", target: (*group).master, strike: parted(false, true), lasts: lastsLong, bound: silentMost},
	{name: "50±20 ms, 1 % loss at it, 5 s", target: (*group).master, strike: slowed, lasts: lastsLong},
	{name: "full disk of the master, 8 s", target: (*group).master, strike: filled, lasts: 8 * time.Second, bound: failOverMost, pauses: true},
	{name: "kill -9 of a copy", target: (*group).copyOfMaster, strike: killed, lasts: 2 * time.Second},
	{name: "kill -9 of the leading controller", target: (*group).leader, strike: killed, lasts: 2 * time.Second},
	{name: "kill -9 of all brokers at once", target: (*group).master, strike: allKilled, atOnce: true},
}

func killed(g *group, machine int) (func() error, error) {
	return func() error { return g.startAgain(machine) }, g.kill(machine)
}

func terminated(g *group, machine int) (func() error, error) {
	err := g.signal(machine, syscall.SIGTERM)
	return func() error { return errors.Join(g.exitOf(machine), g.startAgain(machine)) }, err
}

func stopped(g *group, machine int) (func() error, error) {
	return func() error { return g.signal(machine, syscall.SIGCONT) }, g.signal(machine, syscall.SIGSTOP)
}

func parted(from, to bool) func(*group, int) (func() error, error) {
	return func(g *group, machine int) (func() error, error) {
		return func() error { return g.heal(machine) }, g.cut(machine, from, to)
	}
}

func slowed(g *group, machine int) (func() error, error) { return g.slow(machine) }

// filled lets another broker take over. It does what an operator would when there is room again: a broker whose disk failed says so, and takes nothing until it is
// started again.
func filled(g *group, machine int) (func() error, error) {
	room, err := fill(g.directory, machine)
	return func() error {
		if err := room(); err != nil {
			return err
		}
		return errors.Join(g.kill(machine), g.startAgain(machine))
	}, err
}

func allKilled(g *group, _ int) (func() error, error) {
	var errs []error
	for _, machine := range g.brokers() {
		errs = append(errs, g.signal(machine, syscall.SIGKILL))
	}
	return func() error {
		for _, machine := range g.brokers() {
			if err := errors.Join(g.kill(machine), g.startAgain(machine)); err != nil {
				return err
			}
		}
		return nil
	}, errors.Join(errs...)
}
