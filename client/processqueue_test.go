package client

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func received(offset QueueOffset) *Received {
	return &Received{Message: Message{Body: make([]byte, 10)}, Offset: offset}
}

// queueModel is what a process queue must agree with. Its exported methods are the steps of a test.
type queueModel struct {
	queue     processQueue
	inOrder   bool
	now       env.Instant
	pulled    QueueOffset // where to pull
	waiting   map[QueueOffset]env.Instant
	running   map[QueueOffset]bool
	committed QueueOffset
}

func newQueueModel(t *rapid.T) *queueModel {
	start := QueueOffset(rapid.IntRange(0, 5).Draw(t, "start"))
	return &queueModel{
		queue: newProcessQueue(start), inOrder: rapid.Bool().Draw(t, "in order"), now: 1000, pulled: start, committed: start,
		waiting: map[QueueOffset]env.Instant{}, running: map[QueueOffset]bool{},
	}
}

func (m *queueModel) unfinished() []QueueOffset {
	return slices.Sorted(func(yield func(QueueOffset) bool) {
		for offset := range m.waiting {
			if !yield(offset) {
				return
			}
		}
		for offset := range m.running {
			if !yield(offset) {
				return
			}
		}
	})
}

// someRunning draws a message that was handed out.
func (m *queueModel) someRunning(t *rapid.T) QueueOffset {
	if len(m.running) == 0 {
		t.Skip("nothing runs") // only this step of the model: rapid draws another one
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(m.running))).Draw(t, "which")
}

// Pull puts messages. Filters leave gaps, and a batch may begin before the offset that was asked for.
func (m *queueModel) Pull(t *rapid.T) {
	var messages []*Received
	at := m.pulled - QueueOffset(rapid.IntRange(0, 2).Draw(t, "early"))
	for range rapid.IntRange(0, 6).Draw(t, "messages") {
		at += QueueOffset(rapid.IntRange(1, 3).Draw(t, "gap"))
		messages = append(messages, received(at))
		if at >= m.pulled {
			m.waiting[at] = 0
		}
	}
	next := max(at+1, m.pulled) + QueueOffset(rapid.IntRange(0, 3).Draw(t, "filtered"))
	m.queue.put(messages, next)
	m.pulled = next
}

// Take hands messages out.
func (m *queueModel) Take(t *rapid.T) {
	count := rapid.IntRange(1, 4).Draw(t, "count")
	take := m.queue.take
	if m.inOrder {
		take = m.queue.takeInOrder
	}
	promised := m.queue.hasWaiting(m.inOrder, m.now)
	taken := take(count, m.now)
	require.Equal(t, promised, len(taken) > 0)
	require.LessOrEqual(t, len(taken), count)
	before := m.unfinished()
	for i, r := range taken {
		due, waits := m.waiting[r.Offset]
		require.True(t, waits && due <= m.now, "%d is not to be handed out", r.Offset)
		if m.inOrder {
			require.Equal(t, before[i], r.Offset, "an earlier message is unfinished")
		}
		delete(m.waiting, r.Offset)
		m.running[r.Offset] = true
	}
}

// Finish is the success of a handler.
func (m *queueModel) Finish(t *rapid.T) {
	offset := m.someRunning(t)
	require.True(t, m.queue.finish(offset))
	require.False(t, m.queue.finish(offset), "twice")
	delete(m.running, offset)
}

// PutBack is the failure of a handler.
func (m *queueModel) PutBack(t *rapid.T) {
	offset := m.someRunning(t)
	require.True(t, m.queue.hasFailed(offset))
	m.wait(offset, m.now.Add(time.Duration(rapid.IntRange(-5, 20).Draw(t, "pause"))))
}

func (m *queueModel) wait(offset QueueOffset, until env.Instant) {
	m.queue.putBack(received(offset), until)
	delete(m.running, offset)
	m.waiting[offset] = until
}

// Expire gives a handler up.
func (m *queueModel) Expire(t *rapid.T) {
	r := m.queue.expire(m.now, 5)
	if r == nil {
		t.Skip("nothing is old") // only this step of the model
	}
	require.Equal(t, m.unfinished()[0], r.Offset)
	require.True(t, m.running[r.Offset])
	fails := rapid.Bool().Draw(t, "the handler comes back meanwhile")
	if fails {
		require.False(t, m.queue.hasFailed(r.Offset), "the one who expires it deals with it")
	}
	if rapid.Bool().Draw(t, "sent back") {
		require.True(t, m.queue.finish(r.Offset))
		delete(m.running, r.Offset)
		return
	}
	require.Equal(t, fails, m.queue.notExpired(r.Offset))
	if fails {
		m.wait(r.Offset, m.now)
	}
}

// Time passes.
func (m *queueModel) Time(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 10).Draw(t, "passes")))
}

// Check is called after each step.
func (m *queueModel) Check(t *rapid.T) {
	all, want := m.unfinished(), m.pulled
	if len(all) > 0 {
		want = all[0]
	} else {
		require.Empty(t, m.queue.entries, "finished messages are forgotten")
	}
	require.Equal(t, want, m.queue.committed())
	require.GreaterOrEqual(t, want, m.committed, "it never goes back")
	m.committed = want
	require.Equal(t, len(all), m.queue.unfinished)
	require.Equal(t, 10*len(all), m.queue.bytes)
	require.Equal(t, len(m.running), m.queue.running)
	require.Equal(t, m.pulled, m.queue.next)
}

func TestPropTheCommittedOffsetIsTheLowestUnfinishedOneAndNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { t.Repeat(rapid.StateMachineActions(newQueueModel(t))) })
}

func TestMessagesInOrderWaitForTheOneBeforeThem(t *testing.T) {
	q := newProcessQueue(0)
	q.put([]*Received{received(0), received(1), received(2)}, 3)
	first := q.takeInOrder(2, 1)
	require.Len(t, first, 2)
	require.Empty(t, q.takeInOrder(2, 1), "a handler has some")
	q.finish(1)
	q.putBack(first[0], 50)
	require.Empty(t, q.takeInOrder(2, 1), "the first one rests")
	again := q.takeInOrder(5, 50)
	require.Len(t, again, 2)
	require.Equal(t, QueueOffset(0), again[0].Offset)
	require.Equal(t, QueueOffset(2), again[1].Offset)
}

func TestTheStateOfAnExpiringMessageSurvivesItsHandler(t *testing.T) {
	q := newProcessQueue(7)
	q.put([]*Received{received(7)}, 8)
	q.take(1, 10)
	require.Nil(t, q.expire(12, 5), "it is not old enough")
	require.NotNil(t, q.expire(15, 5))
	require.Nil(t, q.expire(15, 5), "it is being sent back already")
	require.True(t, q.finish(7), "the handler has succeeded after all")
	require.False(t, q.notExpired(7))
	require.Equal(t, QueueOffset(8), q.committed())
}
