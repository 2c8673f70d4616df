package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// liteModel is what a lite pull consumer with two queues should be like, told without any network.
type liteModel struct {
	stored    [2]int64 // messages in the queue
	position  [2]int64 // of the next message to be handed out
	paused    [2]bool
	committed [2]int64 // -1: nothing
}

// liteStep is one thing that an application does.
type liteStep struct {
	kind  string
	queue int32
	n     int
}

func (s liteStep) String() string { return fmt.Sprintf("%s queue %d, %d", s.kind, s.queue, s.n) }

func drawLiteStep(t *rapid.T) liteStep {
	return liteStep{
		kind: rapid.SampledFrom([]string{
			"put", "put", "poll", "poll", "poll", "seek", "begin", "end", "pause", "resume", "commit", "commit at", "wait", "reopen",
		}).Draw(t, "kind"),
		queue: rapid.Int32Range(0, 1).Draw(t, "queue"),
		n:     rapid.IntRange(0, 15).Draw(t, "n"),
	}
}

// liteRun is a model and the real thing side by side.
type liteRun struct {
	*cluster
	liteModel
	p *client.LitePullConsumer
}

func (r *liteRun) open() error {
	r.p = r.lite(client.WithAutoCommit(0), client.WithQueueLimits(7, 1<<20, 2000))
	for i := range r.position {
		r.position[i], r.paused[i] = max(r.committed[i], 0), false
	}
	return r.p.Assign(background, orders(0), orders(1))
}

// do takes one step and returns how the real thing differs from the model.
func (r *liteRun) do(s liteStep) error {
	q, i := orders(s.queue), s.queue
	switch s.kind {
	case "put":
		r.a.put(q, s.n)
		r.stored[i] += int64(s.n)
	case "poll":
		return r.poll(s.n + 1)
	case "seek":
		to := int64(s.n) * 3
		err := r.p.Seek(background, q, client.QueueOffset(to))
		if (to > r.stored[i]) != errors.Is(err, client.ErrOffsetRange) {
			return fmt.Errorf("seek to %d of %d: %w", to, r.stored[i], err)
		}
		if err == nil {
			r.position[i] = to
		}
	case "begin":
		r.position[i] = 0
		return r.p.SeekToBegin(background, q)
	case "end":
		r.position[i] = r.stored[i]
		return r.p.SeekToEnd(background, q)
	case "pause":
		r.paused[i] = true
		return r.p.Pause(background, q)
	case "resume":
		r.paused[i] = false
		return r.p.Resume(background, q)
	case "commit":
		r.liteModel.committed = r.position
		return r.p.Commit(background)
	case "commit at":
		// Beyond the end brokers would correct it some time.
		at := min(int64(s.n), r.stored[i])
		r.committed[i] = at
		return r.p.CommitOffsets(background, map[client.Queue]client.QueueOffset{q: client.QueueOffset(at)})
	case "wait":
		r.app.Tasks.Sleep(time.Duration(s.n) * 100 * time.Millisecond)
	case "reopen":
		if err := r.p.Close(background); err != nil {
			return err
		}
		return r.open()
	}
	return nil
}

// poll must bring the next messages of a queue that is not paused, or nothing if there are none.
func (r *liteRun) poll(most int) error {
	messages, err := r.p.Poll(within(r.cluster, 200*time.Millisecond), most)
	if errors.Is(err, context.DeadlineExceeded) {
		for i := range r.position {
			if !r.paused[i] && r.position[i] < r.stored[i] {
				return fmt.Errorf("nothing came of queue %d, which is at %d of %d", i, r.position[i], r.stored[i])
			}
		}
		return nil
	}
	if err != nil || len(messages) > most {
		return fmt.Errorf("%d messages instead of %d: %w", len(messages), most, err)
	}
	i := messages[0].Queue.QueueID
	if r.paused[i] {
		return fmt.Errorf("%s came although its queue is paused", messages[0])
	}
	for _, m := range messages {
		if m.Queue.QueueID != i || int64(m.Offset) != r.position[i] {
			return fmt.Errorf("%s came, but queue %d is at %d", m, i, r.position[i])
		}
		r.position[i]++
	}
	return nil
}

// agrees compares what can be asked for.
func (r *liteRun) agrees() error {
	for i := range int32(2) {
		position, err := r.p.Position(background, orders(i))
		if err != nil || int64(position) != r.position[i] {
			return fmt.Errorf("queue %d is at %d, not %d: %w", i, position, r.position[i], err)
		}
		if at := r.a.committedAt(orders(i)); at != r.committed[i] {
			return fmt.Errorf("of queue %d %d is committed, not %d", i, at, r.committed[i])
		}
	}
	return nil
}

func TestALitePullConsumerBehavesLikeItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawLiteStep), 1, 30).Draw(rt, "steps")
		seed := rapid.Uint64Range(1, 1000).Draw(rt, "seed")
		r := &liteRun{cluster: newGroupCluster(t, seed)}
		defer r.kernel.Close()
		r.liteModel.committed = [2]int64{-1, -1}
		var wrong error
		r.run(10*time.Minute, func() {
			must(r.open())
			for i, s := range steps {
				wrong = r.do(s)
				if wrong == nil {
					wrong = r.agrees()
				}
				if wrong != nil {
					wrong = fmt.Errorf("step %d, %s: %w", i, s, wrong)
					break
				}
			}
			must(r.p.Close(background))
		})
		require.NoError(rt, wrong)
	})
}
