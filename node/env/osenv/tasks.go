package osenv

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

type tasks struct{ *World }

func (t tasks) Go(name string, fn func()) {
	t.started.Add(1)
	t.tasking.Add(1)
	go func() {
		defer t.started.Done()
		defer t.tasking.Add(-1)
		t.baton.Lock()
		defer t.baton.Unlock()
		defer t.explain(name)
		fn()
	}()
}

// explain adds the task's name to a panic, which then ends the process: a node
// whose assertion broke must not go on.
func (t tasks) explain(name string) {
	if recovered := recover(); recovered != nil {
		panic(fmt.Sprintf("task %s of node %s: %v", name, t.Node, recovered))
	}
}

func (t tasks) Sleep(d time.Duration) { t.outside(func() { time.Sleep(d) }) }

func (t tasks) Yield() { t.outside(runtime.Gosched) }

func (t tasks) Offload(fn func()) { t.outside(fn) }

// Stacks leaves out the goroutines for which there is no room.
func (t tasks) Stacks(limit int) string {
	buffer := make([]byte, max(limit, 0))
	text := buffer[:runtime.Stack(buffer, true)]
	if len(text) == len(buffer) {
		text = text[:bytes.LastIndexByte(text, '\n')+1]
	}
	return string(text)
}

func (t tasks) NewCond() env.Cond { return &cond{world: t.World} }

// cond keeps its waiters in order; Signal wakes the oldest.
type cond struct {
	world   *World
	waiters []*waiter
}

// waiter is one parked task. Its channel holds at most the one wake it waits for.
type waiter struct {
	woken chan struct{}
	timer *time.Timer
}

var waiters = sync.Pool{New: func() any { return &waiter{woken: make(chan struct{}, 1)} }}

func (c *cond) Wait() { c.WaitUntil(env.Never) }

func (c *cond) WaitUntil(deadline env.Instant) bool {
	left := time.Duration(0)
	if deadline != env.Never {
		if left = deadline.Sub(now()); left <= 0 {
			return false
		}
	}
	w := waiters.Get().(*waiter)
	c.waiters = append(c.waiters, w)
	c.world.baton.Unlock()
	woken := w.park(left)
	c.world.baton.Lock()
	if !woken && !c.remove(w) {
		// The wake came between the deadline and the baton.
		<-w.woken
		woken = true
	}
	waiters.Put(w)
	return woken
}

// park blocks until the wake or, if left is not zero, until that has passed.
func (w *waiter) park(left time.Duration) bool {
	if left == 0 {
		<-w.woken
		return true
	}
	if w.timer == nil {
		w.timer = time.NewTimer(left)
	} else {
		w.timer.Reset(left)
	}
	defer w.timer.Stop()
	select {
	case <-w.woken:
		return true
	case <-w.timer.C:
		return false
	}
}

func (c *cond) remove(w *waiter) bool {
	for i, other := range c.waiters {
		if other == w {
			c.waiters = append(c.waiters[:i], c.waiters[i+1:]...)
			return true
		}
	}
	return false
}

func (c *cond) Signal() {
	if len(c.waiters) == 0 {
		return
	}
	w := c.waiters[0]
	n := copy(c.waiters, c.waiters[1:])
	c.waiters[n] = nil
	c.waiters = c.waiters[:n]
	w.woken <- struct{}{}
}

func (c *cond) Broadcast() {
	for i, w := range c.waiters {
		c.waiters[i] = nil
		w.woken <- struct{}{}
	}
	c.waiters = c.waiters[:0]
}
