package chaos_test

import (
	"errors"
	"fmt"
	"time"
)

// outcome is what one fault did.
type outcome struct {
	fault    string
	copies   int
	failOver time.Duration // from before the fault to the first acknowledgement of a send that began when it was made
	pause    time.Duration // the longest time without an acknowledgement, from the fault until all was whole
	failed   int           // sends that were not acknowledged, by producers that never try again
	gaveUp   int           // and by those that do
	lost     int           // acknowledged and not there
	twice    int           // messages that are there more than once
	load     string
}

// String is one line.
func (o outcome) String() string {
	return fmt.Sprintf("%d brokers, %-34s next acknowledgement after %5d ms, longest pause %5d ms, %3d sends failed, %d of them tried again, load %s",
		o.copies, o.fault, o.failOver.Milliseconds(), o.pause.Milliseconds(), o.failed+o.gaveUp, o.gaveUp, o.load)
}

// calm is for how long clients work before something breaks.
const calm = 700 * time.Millisecond

// play breaks something while clients work, waits until all is well again, and judges.
func play(g *group, c *clients, j *judge, f fault) (outcome, error) {
	o := outcome{fault: f.name, copies: g.copies, load: load()}
	if err := errors.Join(g.awaitWhole(), c.awaitServed(c.now(), wholeWithin)); err != nil {
		return o, fmt.Errorf("before the fault: %w", err)
	}
	time.Sleep(calm)
	machine, err := f.target(g)
	if err != nil {
		return o, err
	}
	began := c.now()
	failed, gaveUp := c.failures()
	heal, err := f.strike(g, machine)
	if err != nil {
		return o, fmt.Errorf("making the fault: %w", err)
	}
	// What was sent while the fault was being made may have been sooner.
	struck := c.now()
	err = errors.Join(outlast(c, f, struck, heal), c.awaitServed(struck, wholeWithin), g.awaitWhole(), c.awaitServed(c.now(), wholeWithin))
	o.failOver, o.pause = c.since(struck)+struck-began, c.longestPause(began)
	o.failed, o.gaveUp = c.failures()
	o.failed, o.gaveUp = o.failed-failed, o.gaveUp-gaveUp
	if err != nil {
		return o, fmt.Errorf("%s at %s: %w", f.name, address(machine), err)
	}
	c.work.Lock()
	defer c.work.Unlock()
	o.lost, o.twice, err = j.round(c)
	return o, err
}

// broken is an error if a promise about messages was not kept. Producers number what they send, and brokers know a number that comes again, also from the master
// before: so who tries again is stored once, as is who never does.
func (o outcome) broken() error {
	switch {
	case o.lost > 0:
		return fmt.Errorf("%s: %d messages were acknowledged and are not there", o.fault, o.lost)
	case o.twice > 0:
		return fmt.Errorf("%s: %d messages are there more than once", o.fault, o.twice)
	}
	return nil
}

// tooSlow is an error if a fail-over took longer than it may.
func (f fault) tooSlow(o outcome) error {
	if f.bound == 0 || o.failOver <= f.bound && (!f.pauses || o.pause <= f.bound) {
		return nil
	}
	return fmt.Errorf("%v: that is more than %v (a machine that does much else may be too busy: look at the load)", o, f.bound)
}

// outlast waits while the fault lasts, and mends it.
func outlast(c *clients, f fault, began time.Duration, heal func() error) error {
	return outlastWithin(c, f, began, max(f.lasts, f.bound, 2*lastsLong), heal)
}

// outlastWithin waits until somebody serves, or the fault has lasted so long that nobody may: where a fail-over is due that is an error, however soon all is well
// after the fault is mended.
func outlastWithin(c *clients, f fault, began, patience time.Duration, heal func() error) error {
	if f.atOnce {
		return heal()
	}
	served := c.awaitServed(began, patience)
	time.Sleep(f.lasts - (c.now() - began))
	if f.bound > 0 {
		return errors.Join(served, heal())
	}
	return heal()
}

// awaitServed waits until a send that began after an instant is acknowledged.
func (c *clients) awaitServed(since, within time.Duration) error {
	for until := c.now() + within; c.since(since) == 0; time.Sleep(5 * time.Millisecond) {
		if c.now() > until {
			return fmt.Errorf("for %v no send is acknowledged", within)
		}
	}
	return nil
}

// since is how long after an instant the first send was acknowledged that began after it; 0 if none was.
func (c *clients) since(began time.Duration) time.Duration {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for i := len(c.acks) - 1; i >= 0; i-- {
		if c.acks[i].ended < began {
			return firstOf(c.acks[i:], began)
		}
	}
	return firstOf(c.acks, began)
}

func firstOf(acks []acknowledgement, began time.Duration) time.Duration {
	for _, a := range acks {
		if a.began >= began {
			return a.ended - began
		}
	}
	return 0
}

// longestPause is the longest time without an acknowledgement since an instant.
func (c *clients) longestPause(began time.Duration) (longest time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	last := began
	for _, a := range c.acks {
		if a.ended < began {
			continue
		}
		longest, last = max(longest, a.ended-last), a.ended
	}
	return longest
}

// failures are how many sends were not acknowledged so far, by producers that never try again, and by others.
func (c *clients) failures() (steady, retrying int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.failed - c.gaveUp, c.gaveUp
}
