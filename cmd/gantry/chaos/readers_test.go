package chaos_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/sim/oracle"
)

// reader reads the queues in turn, commits, and now and then goes back to what it has committed.
type reader struct {
	*clients
	number   int
	consumer *client.PullConsumer
	next     map[client.Queue]client.QueueOffset
}

func newReader(c *clients, number int, consumer *client.PullConsumer) *reader {
	return &reader{clients: c, number: number, consumer: consumer, next: map[client.Queue]client.QueueOffset{}}
}

// How often readers commit, and go back.
const (
	commits = 0.3
	rewinds = 0.05
)

func (r *reader) step() {
	queue := r.queues[rand.IntN(queues)]
	if rand.Float64() < rewinds {
		r.rewind(queue)
	}
	before := r.next[queue]
	r.read(queue)
	if r.next[queue] != before && rand.Float64() < commits {
		r.commit(queue)
	}
}

// read pulls once and records what it saw.
func (r *reader) read(queue client.Queue) {
	from := r.next[queue]
	var pending linearizability.Pending
	r.locked(func() { pending = r.recorder.BeginRead(r.number, queue.String(), int64(from), false, r.tick()) })
	result, err := r.consumer.Pull(context.Background(), queue, from, 1+rand.IntN(32))
	if err != nil {
		return
	}
	r.locked(func() {
		hashes := r.check(queue, from, result)
		end := linearizability.OffsetNone
		if result.Status == client.NoNewMessages {
			end = int64(from)
		}
		r.recorder.EndRead(pending, hashes, end, r.tick())
		r.next[queue] = result.Next
	})
}

// check notes what no read may show, and returns the hashes. The caller holds the mutex.
func (r *reader) check(queue client.Queue, from client.QueueOffset, result client.PullResult) (hashes []linearizability.Hash) {
	if result.Status == client.OffsetMoved && r.broken == nil {
		r.broken = fmt.Errorf("%v: offset %d was said to be outside [%d, %d), though everything before it was read", queue, from, result.Min, result.Max)
	}
	for i, m := range result.Messages {
		if want := from + client.QueueOffset(i); m.Offset != want && r.broken == nil {
			r.broken = fmt.Errorf("%v: a pull from %d brought offset %d where %d belongs", queue, from, m.Offset, want)
		}
		if err := oracle.Intact(&m.Message); err != nil && r.broken == nil {
			r.broken = fmt.Errorf("%v at %d: %w", queue, m.Offset, err)
		}
		hashes = append(hashes, linearizability.HashOf(m.Body))
	}
	return hashes
}

func (r *reader) key(queue client.Queue) string { return groupOf(r.number) + " " + queue.String() }

func (r *reader) commit(queue client.Queue) {
	offset := r.next[queue]
	var pending linearizability.Pending
	r.locked(func() { pending = r.recorder.BeginCommitOffset(r.number, r.key(queue), int64(offset), r.tick()) })
	if err := r.consumer.Commit(context.Background(), queue, offset); err == nil {
		r.locked(func() { r.recorder.Done(pending, r.tick()) })
	}
}

// rewind goes on where the group has committed last.
func (r *reader) rewind(queue client.Queue) {
	var pending linearizability.Pending
	r.locked(func() { pending = r.recorder.BeginFetchOffset(r.number, r.key(queue), r.tick()) })
	offset, found, err := r.consumer.Committed(context.Background(), queue)
	if err != nil {
		return
	}
	// A group that has committed nothing begins at 0, which brokers answer like a commit.
	answer := int64(offset)
	if !found || offset == 0 {
		answer = linearizability.OffsetNone
	}
	r.locked(func() { r.recorder.EndFetchOffset(pending, answer, r.tick()) })
	if found {
		r.next[queue] = offset
	}
}
