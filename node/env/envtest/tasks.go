package envtest

import (
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

// TestTasks holds a world to env.Tasks and to the rules of the baton.
func TestTasks(t *testing.T, w World) {
	check(t, w, []clause{
		{"A world provides every part of Env", envIsWhole},
		{"Go starts a task that runs later", goRunsTheTask},
		{"Go never runs fn before the caller gives the baton up", goDoesNotRunAtOnce},
		{"A task may start tasks", tasksStartTasks},
		{"Calls that never wait keep the baton", someCallsKeepTheBaton},
		{"Code between two calls that wait is atomic", codeBetweenCallsIsAtomic},
		{"Yield gives other tasks of the node a turn", yieldGivesATurn},
		{"Yield between a read and a write lets other tasks in between", yieldInterleaves},
		{"Yield returns when there is no other task", yieldAlone},
		{"Sleep waits for at least its duration", sleepIsLongEnough},
		{"Sleep of no time or less returns", sleepOfNothing},
		{"Who sleeps shorter wakes first", shortSleepersWakeFirst},
		{"Offload returns when fn has", offloadReturnsAfter},
		{"Offload gives up the baton", offloadGivesUpTheBaton},
		{"Many tasks may be in Offload at once", offloadsOverlap},
		{"Stacks tells of tasks in whole lines and keeps the baton", stacksTellOfTasks},
	})
}

func envIsWhole(t T, e env.Env) {
	assert.NotEmpty(t, e.Node)
	assert.NotNil(t, e.Clock)
	assert.NotNil(t, e.Rand)
	assert.NotNil(t, e.Tasks)
	assert.NotNil(t, e.Door)
	assert.NotNil(t, e.Disk)
	assert.NotNil(t, e.Network)
	assert.NotNil(t, e.Log)
}

func goRunsTheTask(t T, e env.Env) {
	ran := 0
	for range 100 {
		e.Tasks.Go("runner", func() { ran++ })
	}
	assert.True(t, eventually(e, func() bool { return ran == 100 }), "%d of 100 tasks ran", ran)
}

func goDoesNotRunAtOnce(t T, e env.Env) {
	ran := false
	c := newCrew(e)
	c.start("runner", func() { ran = true })
	for range 500 {
		think()
	}
	assert.False(t, ran, "the task ran while its starter held the baton")
	c.join(t)
	assert.True(t, ran)
}

func tasksStartTasks(t T, e env.Env) {
	depth := 0
	c := newCrew(e)
	var descend func()
	descend = func() {
		if depth++; depth < 20 {
			c.start("descendant", descend)
		}
	}
	c.start("ancestor", descend)
	c.join(t)
	assert.Equal(t, 20, depth)
}

// The intruder is ready to run all the time, so any call that gives up the baton
// would sooner or later let it in.
func someCallsKeepTheBaton(t T, e env.Env) {
	c := newCrew(e)
	cond := e.Tasks.NewCond()
	keeping := []struct {
		name string
		call func()
	}{
		{"Clock.Now", func() { e.Clock.Now() }},
		{"Clock.Wall", func() { e.Clock.Wall() }},
		{"Rand.Uint64", func() { e.Rand.Uint64() }},
		{"Rand.Stream", func() { e.Rand.Stream("name").Uint64() }},
		{"Tasks.Go", func() { c.start("bystander", func() {}) }},
		{"Cond.Signal", cond.Signal},
		{"Cond.Broadcast", cond.Broadcast},
		{"Log.Debug", func() { e.Log.Debug("a line") }},
	}
	intruded := false
	c.start("intruder", func() { intruded = true })
	for _, k := range keeping {
		for range 100 {
			k.call()
			think()
		}
		if !assert.False(t, intruded, "%s gave up the baton", k.name) {
			break
		}
	}
	c.join(t)
}

// Without a baton the unprotected counter loses increments, and the race
// detector speaks. The calls between the rounds are of all kinds that give it up.
func codeBetweenCallsIsAtomic(t T, e env.Env) {
	const tasks, rounds = 8, 60
	giveUp := []func(){
		e.Tasks.Yield,
		func() { e.Tasks.Offload(func() { think() }) },
		func() { e.Tasks.Sleep(time.Microsecond) },
	}
	counter, inside, crowded := 0, 0, 0
	c := newCrew(e)
	c.startMany(tasks, "counter", func(number int) {
		for round := range rounds {
			inside++
			read := counter
			think()
			if inside != 1 {
				crowded++
			}
			counter = read + 1
			inside--
			giveUp[(number+round)%len(giveUp)]()
		}
	})
	c.join(t)
	assert.Zero(t, crowded, "two tasks held the baton at once")
	assert.Equal(t, tasks*rounds, counter, "increments were lost")
}

func yieldGivesATurn(t T, e env.Env) {
	ran := false
	c := newCrew(e)
	c.start("other", func() { ran = true })
	assert.True(t, repeatUntil(e, e.Tasks.Yield, func() bool { return ran }),
		"the other task got no turn")
	c.join(t)
}

func yieldInterleaves(t T, e env.Env) {
	const tasks, rounds = 4, 200
	counter := 0
	c := newCrew(e)
	c.startMany(tasks, "careless counter", func(int) {
		for range rounds {
			read := counter
			e.Tasks.Yield()
			counter = read + 1
		}
	})
	c.join(t)
	assert.Less(t, counter, tasks*rounds, "no task ever ran during another's Yield")
}

func yieldAlone(t T, e env.Env) {
	before := e.Clock.Now()
	for range 10 {
		e.Tasks.Yield()
	}
	assert.Less(t, e.Clock.Now().Sub(before), patience)
}

func sleepIsLongEnough(t T, e env.Env) {
	c := newCrew(e)
	c.startMany(10, "sleeper", func(number int) {
		pause := time.Duration(number) * time.Millisecond
		before := e.Clock.Now()
		e.Tasks.Sleep(pause)
		assert.GreaterOrEqual(t, e.Clock.Now().Sub(before), pause)
	})
	c.join(t)
}

func sleepOfNothing(t T, e env.Env) {
	before := e.Clock.Now()
	e.Tasks.Sleep(0)
	e.Tasks.Sleep(-time.Hour)
	assert.Less(t, e.Clock.Now().Sub(before), patience)
}

// A real machine may stall for longer than the pauses differ and then wake all sleepers
// at once, so the order has to be right in one of a few attempts.
func shortSleepersWakeFirst(t T, e env.Env) {
	expected := []int{1, 2, 3}
	var woken []int
	for range 5 {
		woken = nil
		c := newCrew(e)
		for _, pauses := range []int{3, 1, 2} {
			c.start("sleeper", func() {
				e.Tasks.Sleep(time.Duration(pauses) * 10 * time.Millisecond)
				woken = append(woken, pauses)
			})
		}
		if !c.join(t) || assert.ObjectsAreEqual(expected, woken) {
			break
		}
	}
	assert.Equal(t, expected, woken)
}

func offloadReturnsAfter(t T, e env.Env) {
	for number := range 50 {
		result := 0
		e.Tasks.Offload(func() {
			think()
			result = number + 1
		})
		assert.Equal(t, number+1, result)
	}
}

func offloadGivesUpTheBaton(t T, e env.Env) {
	ran := false
	c := newCrew(e)
	c.start("other", func() { ran = true })
	offload := func() { e.Tasks.Offload(func() { think() }) }
	assert.True(t, repeatUntil(e, offload, func() bool { return ran }),
		"no task ran during Offload")
	c.join(t)
}

// Each fn writes only what its own task owns, and the sum is taken with the baton.
func offloadsOverlap(t T, e env.Env) {
	sum := 0
	c := newCrew(e)
	c.startMany(20, "worker", func(number int) {
		own := 0
		e.Tasks.Offload(func() {
			think()
			own = number
		})
		sum += own
	})
	c.join(t)
	assert.Equal(t, 190, sum)
}

func stacksTellOfTasks(t T, e env.Env) {
	c := newCrew(e)
	ran := false
	c.start("someone", func() { ran = true })
	text := e.Tasks.Stacks(1 << 20)
	assert.False(t, ran, "it has waited")
	assert.NotEmpty(t, text)
	assert.True(t, strings.HasSuffix(text, "\n"), text)
	for _, limit := range []int{len(text) / 2, 1, 0, -1} {
		some := e.Tasks.Stacks(limit)
		assert.LessOrEqual(t, len(some), max(limit, 0))
		assert.True(t, some == "" || strings.HasSuffix(some, "\n"), some)
	}
	c.join(t)
}
