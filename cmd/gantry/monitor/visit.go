package monitor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// visitMax is how long a node may let a visitor wait. It decides within microseconds, so after that long something is wrong with it.
const visitMax = 5 * time.Second

// ErrNoAnswer: the node has not let the visitor in, or has not let it go.
var ErrNoAnswer = errors.New("the node does not answer")

// visits makes one visit at a time. Those who come while one is under way wait for the next one and share it.
type visits[T any] struct {
	make     func() T
	patience time.Duration
	mu       sync.Mutex
	now      *visit[T] // under way
	next     *visit[T] // begins when that one ends; nil if nobody wants it
}

// visit is one of them.
type visit[T any] struct {
	over   chan struct{}
	result T
}

// get returns what a visit that began after the call has found.
func (v *visits[T]) get(ctx context.Context) (T, error) {
	wanted := v.join()
	limit := time.NewTimer(v.patience)
	defer limit.Stop()
	var none T
	select {
	case <-wanted.over:
		return wanted.result, nil
	case <-ctx.Done():
		return none, ctx.Err()
	case <-limit.C:
		return none, fmt.Errorf("%w for %s", ErrNoAnswer, v.patience)
	}
}

func (v *visits[T]) join() *visit[T] {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.now == nil {
		v.now = &visit[T]{over: make(chan struct{})}
		go v.run(v.now)
		return v.now
	}
	if v.next == nil {
		v.next = &visit[T]{over: make(chan struct{})}
	}
	return v.next
}

// run makes a visit, and then the next one if somebody waits for it.
func (v *visits[T]) run(current *visit[T]) {
	for current != nil {
		current.result = v.make()
		close(current.over)
		v.mu.Lock()
		v.now, v.next = v.next, nil
		current = v.now
		v.mu.Unlock()
	}
}
