package store

// fifo is a list that grows at one end and shrinks at the other. Its memory is
// reused, so a steady flow allocates nothing.
type fifo[T any] struct {
	items []T
	head  int
}

func (f *fifo[T]) len() int { return len(f.items) - f.head }

func (f *fifo[T]) push(item T) {
	if f.head > 0 && f.head*2 >= len(f.items) {
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	f.items = append(f.items, item)
}

func (f *fifo[T]) peek() *T { return &f.items[f.head] }

// at returns the n-th item, counted from the oldest one, which is 0.
func (f *fifo[T]) at(n int) *T { return &f.items[f.head+n] }

func (f *fifo[T]) pop() T {
	var zero T
	item := f.items[f.head]
	f.items[f.head] = zero
	f.head++
	if f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	}
	return item
}

// dropLast removes items from the end while they match.
func (f *fifo[T]) dropLast(match func(*T) bool) {
	for f.len() > 0 && match(&f.items[len(f.items)-1]) {
		f.items = f.items[:len(f.items)-1]
	}
	if f.len() == 0 {
		f.items, f.head = f.items[:0], 0
	}
}
