package client

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Handler consumes messages of one queue: one, unless WithBatchSize allows more. nil means that all of them are consumed. With any
// error they come again later: see RetryAfter, Reject, SuspendFor and ConsumedFirst for what an error may ask for. A
// panic counts as an error.
//
// A handler runs on a goroutine of its own, may block, and may use this package, but must not wait for Close of its own
// consumer. Messages may be delivered more than once. The context carries the values of the context of Start; it does
// not end.
type Handler func(ctx context.Context, messages []*Received) error

// Reject, returned by a handler or wrapped in what it returns, gives messages up at once: they go to the dead-letter topic of the
// group (delay level -1).
var Reject = errors.New("message is rejected")

// Answers of orderly handlers with WithManualCommit. They are errors only because a handler returns one.
var (
	// CommitNow: the messages are consumed, and everything up to them is committed (COMMIT). Without WithManualCommit it means the same as nil.
	CommitNow = errors.New("commit")
	// RollbackNow: everything since the last commit comes again, after the pause of WithSuspendTime or SuspendFor (ROLLBACK). Without WithManualCommit
	// it is an error like any other.
	RollbackNow = errors.New("roll back")
)

// RetryError asks for a delay. See RetryAfter.
type RetryError struct {
	Level int // of the broker's table, from 1 ("delayLevelWhenNextConsume")
}

// Error names the level.
func (e *RetryError) Error() string { return fmt.Sprintf("retry after delay level %d", e.Level) }

// RetryAfter is an error for a handler to return, or to wrap: the messages come again after a delay of the broker's table, which is
// usually 1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h. Without it, the broker chooses: 10s at the first
// time, then 30s, and so on. For consumers in order it means nothing: see SuspendFor.
func RetryAfter(level int) error { return &RetryError{Level: level} }

// SuspendError asks for a pause. See SuspendFor.
type SuspendError struct{ Pause time.Duration }

// Error tells how long.
func (e *SuspendError) Error() string { return fmt.Sprintf("suspend the queue for %s", e.Pause) }

// SuspendFor is an error for a handler that consumes in order to return, or to wrap: the queue rests that long before its
// messages come again, instead of the time of WithSuspendTime. Times from 10 ms to 30 s are possible; others count as the nearest
// of these.
func SuspendFor(pause time.Duration) error { return &SuspendError{Pause: pause} }

// PartError says how many messages of a batch were consumed. See ConsumedFirst.
type PartError struct {
	Consumed int
	Err      error // why the others were not
}

// Error tells how many and why.
func (e *PartError) Error() string { return fmt.Sprintf("only %d consumed: %v", e.Consumed, e.Err) }

// Unwrap returns the reason.
func (e *PartError) Unwrap() error { return e.Err }

// ConsumedFirst is an error for a handler of batches to return: the first messages are consumed, the others come
// again because of err ("ackIndex").
func ConsumedFirst(consumed int, err error) error { return &PartError{Consumed: consumed, Err: err} }

// handlerPanic is the error of a handler that panicked.
type handlerPanic struct{ err error }

// Error shows what it panicked with.
func (e *handlerPanic) Error() string { return "the handler panicked: " + e.err.Error() }

// Delay levels that a send-back may ask for besides those of the table.
const (
	levelOfBroker   = 0 // the broker chooses
	levelDeadLetter = -1
	levelExpired    = 3 // of a message whose handler did not come back
)

// levelOf is the delay level that an error asks for.
func levelOf(err error) int {
	if errors.Is(err, Reject) {
		return levelDeadLetter
	}
	var retry *RetryError
	if errors.As(err, &retry) && retry.Level > 0 {
		return retry.Level
	}
	return levelOfBroker
}

// The bounds of a pause in order.
const (
	suspendMin = 10 * time.Millisecond
	suspendMax = 30 * time.Second
)

// pauseOf is how long a queue rests after an error.
func pauseOf(err error, usual time.Duration) time.Duration {
	var suspend *SuspendError
	if errors.As(err, &suspend) {
		usual = suspend.Pause
	}
	return min(max(usual, suspendMin), suspendMax)
}

// consumedOf is how many of so many messages a handler has consumed.
func consumedOf(err error, messages int) int {
	var part *PartError
	switch {
	case err == nil:
		return messages
	case errors.As(err, &part):
		return min(max(part.Consumed, 0), messages)
	}
	return 0
}
