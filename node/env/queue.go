package env

// Queue hands values from tasks to tasks of one node, first in, first out, with
// a limit. It is used with the baton held.
type Queue[T any] struct {
	items    []T
	head     int
	limit    int // len(items)-head <= limit
	closed   bool
	notEmpty Cond
	notFull  Cond
}

// NewQueue returns a queue that holds at most limit values. It panics if limit < 1.
func NewQueue[T any](tasks Tasks, limit int) *Queue[T] {
	if limit < 1 {
		panic("env: a Queue needs a limit of at least 1")
	}
	return &Queue[T]{limit: limit, notEmpty: tasks.NewCond(), notFull: tasks.NewCond()}
}

// Len is the number of values waiting.
func (q *Queue[T]) Len() int { return len(q.items) - q.head }

// Push waits for room and adds a value. It reports false if the queue is closed.
func (q *Queue[T]) Push(value T) bool {
	for q.Len() >= q.limit && !q.closed {
		q.notFull.Wait()
	}
	return q.TryPush(value)
}

// TryPush adds a value if there is room and the queue is open.
func (q *Queue[T]) TryPush(value T) bool {
	if q.closed || q.Len() >= q.limit {
		return false
	}
	q.compact()
	q.items = append(q.items, value)
	q.notEmpty.Signal()
	return true
}

// Pop waits for a value. It reports false once the queue is closed and empty.
func (q *Queue[T]) Pop() (T, bool) {
	for q.Len() == 0 && !q.closed {
		q.notEmpty.Wait()
	}
	return q.TryPop()
}

// TryPop takes a value if one is waiting.
func (q *Queue[T]) TryPop() (T, bool) {
	var zero T
	if q.Len() == 0 {
		return zero, false
	}
	value := q.items[q.head]
	q.items[q.head] = zero
	q.head++
	q.notFull.Signal()
	return value, true
}

// Close refuses further values and wakes all waiters. Waiting values can still be taken.
func (q *Queue[T]) Close() {
	q.closed = true
	q.notEmpty.Broadcast()
	q.notFull.Broadcast()
}

// compact reuses the room of taken values once they are half of the slice.
func (q *Queue[T]) compact() {
	if q.head > 0 && q.head*2 >= len(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
}
