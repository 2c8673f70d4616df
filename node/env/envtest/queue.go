package envtest

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

// TestQueue holds a world to what env builds on Cond: Queue, Future, Semaphore
// and Group. Their code is the same in all worlds; what differs is who runs when.
func TestQueue(t *testing.T, w World) {
	t.Run("Queue", func(t *testing.T) { check(t, w, queueClauses()) })
	t.Run("Future", func(t *testing.T) { check(t, w, futureClauses()) })
	t.Run("Semaphore", func(t *testing.T) { check(t, w, semaphoreClauses()) })
	t.Run("Group", func(t *testing.T) { check(t, w, groupClauses()) })
}

func queueClauses() []clause {
	return []clause{
		{"Values leave in the order in which they came", queueKeepsOrder},
		{"TryPush adds only if there is room", tryPushNeedsRoom},
		{"Push waits for room", pushWaits},
		{"Pop waits for a value", popWaits},
		{"Many tasks pass every value once, in order, within the limit", queuePassesEverything},
		{"Close refuses further values", closedQueueRefuses},
		{"Waiting values can still be taken after Close", closedQueueGivesTheRest},
		{"Close wakes all who wait to pop", closeWakesPoppers},
		{"Close wakes all who wait to push", closeWakesPushers},
	}
}

// The queue goes through many times its limit, so that it reuses its room.
func queueKeepsOrder(t T, e env.Env) {
	q := env.NewQueue[int](e.Tasks, 5)
	popped := 0
	for pushed := 0; pushed < 100; {
		for q.TryPush(pushed) {
			pushed++
		}
		assert.Equal(t, 5, q.Len())
		for range 3 {
			value, ok := q.Pop()
			assert.True(t, ok)
			assert.Equal(t, popped, value)
			popped++
		}
	}
}

func tryPushNeedsRoom(t T, e env.Env) {
	q := env.NewQueue[string](e.Tasks, 1)
	_, ok := q.TryPop()
	assert.False(t, ok, "an empty queue gave a value")
	assert.True(t, q.TryPush("first"))
	assert.False(t, q.TryPush("second"))
	value, ok := q.TryPop()
	assert.True(t, ok)
	assert.Equal(t, "first", value)
	assert.True(t, q.TryPush("third"))
}

func pushWaits(t T, e env.Env) {
	q := env.NewQueue[int](e.Tasks, 1)
	pushed := 0
	c := newCrew(e)
	c.start("pusher", func() {
		for pushed < 3 && q.Push(pushed) {
			pushed++
		}
	})
	assert.True(t, eventually(e, func() bool { return pushed == 1 }))
	e.Tasks.Sleep(3 * time.Millisecond)
	assert.Equal(t, 1, pushed, "Push did not wait for room")
	for expected := range 3 {
		value, ok := q.Pop()
		assert.True(t, ok)
		assert.Equal(t, expected, value)
	}
	c.join(t)
}

func popWaits(t T, e env.Env) {
	q := env.NewQueue[string](e.Tasks, 3)
	got := ""
	c := newCrew(e)
	c.start("popper", func() { got, _ = q.Pop() })
	e.Tasks.Sleep(3 * time.Millisecond)
	assert.Empty(t, got)
	assert.True(t, q.Push("value"))
	c.join(t)
	assert.Equal(t, "value", got)
}

// A value is the producer's number in the hundreds and its own number below.
func queuePassesEverything(t T, e env.Env) {
	const producers, each, limit = 4, 50, 3
	q := env.NewQueue[int](e.Tasks, limit)
	seen := make([]int, producers) // values seen of each producer
	c, consumers := newCrew(e), newCrew(e)
	c.startMany(producers, "producer", func(number int) {
		for i := range each {
			assert.True(t, q.Push(number*100+i))
			assert.LessOrEqual(t, q.Len(), limit)
		}
	})
	consumers.startMany(3, "consumer", func(int) {
		for value, ok := q.Pop(); ok; value, ok = q.Pop() {
			assert.Equal(t, seen[value/100], value%100, "of producer %d", value/100)
			seen[value/100]++
			e.Tasks.Yield()
		}
	})
	c.join(t)
	q.Close()
	consumers.join(t)
	assert.Equal(t, []int{each, each, each, each}, seen)
}

func closedQueueRefuses(t T, e env.Env) {
	q := env.NewQueue[int](e.Tasks, 2)
	q.Close()
	assert.False(t, q.TryPush(1))
	assert.False(t, q.Push(2))
	assert.Zero(t, q.Len())
}

func closedQueueGivesTheRest(t T, e env.Env) {
	q := env.NewQueue[int](e.Tasks, 2)
	q.Push(1)
	q.Push(2)
	q.Close()
	for expected := 1; expected <= 2; expected++ {
		value, ok := q.Pop()
		assert.True(t, ok)
		assert.Equal(t, expected, value)
	}
	_, ok := q.Pop()
	assert.False(t, ok, "a closed and empty queue gave a value")
}

func closeWakesPoppers(t T, e env.Env) {
	q := env.NewQueue[int](e.Tasks, 1)
	refused := 0
	c := newCrew(e)
	c.startMany(3, "popper", func(int) {
		if _, ok := q.Pop(); !ok {
			refused++
		}
	})
	e.Tasks.Sleep(2 * time.Millisecond)
	q.Close()
	c.join(t)
	assert.Equal(t, 3, refused)
}

func closeWakesPushers(t T, e env.Env) {
	q := env.NewQueue[int](e.Tasks, 1)
	q.Push(1)
	refused := 0
	c := newCrew(e)
	c.startMany(3, "pusher", func(number int) {
		if !q.Push(number) {
			refused++
		}
	})
	e.Tasks.Sleep(2 * time.Millisecond)
	q.Close()
	c.join(t)
	assert.Equal(t, 3, refused)
	assert.Equal(t, 1, q.Len())
}
