package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file keeps what a group has handled, where it was sent by resets, and what it has committed, and says what of that must not be.

// sharedQueue is a queue as a group has consumed it.
type sharedQueue struct {
	// begun tells of each offset when the last call of a handler has begun that has come to an end; 0: none has.
	begun    []env.Instant
	first    []env.Instant // when the first such call has begun
	storedAt []time.Time
	resets   []*queueReset // in the order of the requests
	seen     groupCommit   // when it was looked at last
	given    int           // how many messages handlers have begun with
	last     *fleetMember
	holders  []holder
	sought   bool // a member went back in it, and what is committed may go back as well
}

// queueReset is a request to reset offsets, and what came of it in one queue.
type queueReset struct {
	called, answered env.Instant        // answered: 0 without a success, and then it may be carried out at any time
	to               client.QueueOffset // if answered
	by               client.Reset
	// crossed: a member went elsewhere by itself at the same time, and nobody knows which of the two was last.
	crossed bool
}

// counts reports whether the request was carried out, and nothing came of anything else.
func (r *queueReset) counts() bool { return r.answered > 0 && !r.crossed }

// groupCommit is an offset that a broker told.
type groupCommit struct {
	committedAt
	at     env.Instant // when it was asked for
	resets int         // that were asked for by then
}

// holder is a consumer that has a queue.
type holder struct {
	member *fleetMember
	life   int
}

func (s *sharing) queue(queue client.Queue) *sharedQueue {
	if s.of[queue] == nil {
		s.of[queue] = &sharedQueue{}
	}
	return s.of[queue]
}

// begin notes that a handler is given a message.
func (s *sharing) begin(mark func(string), m *fleetMember, r *client.Received) {
	q := s.queue(r.Queue)
	s.handled++
	q.given++
	if q.last != nil && q.last != m {
		mark("a queue went to another member")
	}
	q.last = m
}

// end notes that a handler came back.
func (s *sharing) end(mark func(string), r *client.Received, began env.Instant, success bool) {
	q := s.queue(r.Queue)
	for len(q.begun) <= int(r.Offset) {
		q.begun, q.first, q.storedAt = append(q.begun, 0), append(q.first, 0), append(q.storedAt, time.Time{})
	}
	q.storedAt[r.Offset] = r.StoredAt
	if q.begun[r.Offset] > 0 {
		mark("handled again")
		if n := len(q.resets); n > 0 && q.resets[n-1].answered > 0 && q.begun[r.Offset] < q.resets[n-1].called {
			mark("handled again after a reset")
		}
	}
	q.begun[r.Offset] = max(q.begun[r.Offset], began)
	if q.first[r.Offset] == 0 || began < q.first[r.Offset] {
		q.first[r.Offset] = began
	}
	if success {
		s.succeeded[linearizability.HashOf(r.Body)] = true
		mark("a handler succeeded")
	}
}

// reset asks one broker to reset a group, and notes what it answers.
func (g *groups) reset(admin *client.Admin, n *cluster.Node, reset client.Reset) bool {
	group := g.groupNamed(reset.Group)
	pending := map[client.Queue]*queueReset{}
	for _, queue := range g.queues {
		if queue.Topic == reset.Topic && queue.BrokerName == n.Group {
			pending[queue] = &queueReset{called: g.observer.Clock.Now(), by: reset}
			group.queue(queue).resets = append(group.queue(queue).resets, pending[queue])
		}
	}
	g.Operations++
	broker := client.Broker{Name: n.Group, Address: addressOf(n)}
	positions, err := admin.ResetOffset(context.Background(), broker, reset)
	if errors.Is(err, client.ErrNotSent) {
		// order does not matter: each has a list of its own
		for queue, r := range pending {
			q := group.queue(queue)
			q.resets = slices.DeleteFunc(q.resets, func(other *queueReset) bool { return other == r })
		}
		g.kernel.Mark("a reset that was not sent")
		return false
	}
	if err != nil {
		g.kernel.Mark("a reset without an answer")
		g.kernel.Note("reset of %s in %s at %s: %v", reset.Group, reset.Topic, n, err)
		return false
	}
	g.kernel.Mark("offsets were reset")
	if len(positions) != len(pending) {
		g.failSafety("a reset of %s in %s at %s tells of %d queues, and there are %d", reset.Group, reset.Topic, n, len(positions), len(pending))
	}
	for _, p := range positions {
		g.kernel.Note("reset of %s in %v to %d", reset.Group, p.Queue, p.Offset)
		if r := pending[p.Queue]; r != nil {
			r.answered, r.to = g.observer.Clock.Now(), client.QueueOffset(p.Offset)
		}
	}
	return true
}

func (g *groups) groupNamed(name string) *sharing {
	i := slices.IndexFunc(g.list, func(s *sharing) bool { return s.name == name })
	return g.list[i]
}

// after tells where the group was sent by the last reset that counts at an instant, and when that was asked for; ok is false if that
// is not known, because one is under way or was not answered.
func (q *sharedQueue) after(at env.Instant) (from client.QueueOffset, since env.Instant, ok bool) {
	for _, r := range q.resets {
		if !r.counts() || r.answered > at {
			return 0, 0, false
		}
		from, since = r.to, r.called
	}
	return from, since, true
}

// handledUpTo is the first offset from one on that no handler has had since an instant.
func (q *sharedQueue) handledUpTo(from client.QueueOffset, since env.Instant) client.QueueOffset {
	for int(from) < len(q.begun) && q.begun[from] > 0 && q.begun[from] >= since {
		from++
	}
	return from
}

// lookAtQueues notes which queues a member has. One that is paused or dead counts as having what it had.
func (g *groups) lookAtQueues(m *fleetMember, group *sharing) {
	if m.consumer == nil {
		return
	}
	life := m.life
	queues, err := m.consumer.Assigned(context.Background())
	if err != nil {
		queues = nil
	}
	for _, queue := range g.allQueues(group) {
		q := group.queue(queue)
		i := slices.IndexFunc(q.holders, func(h holder) bool { return h.member == m })
		switch held := slices.Contains(queues, queue); {
		case !held && i >= 0:
			q.holders = slices.Delete(q.holders, i, i+1)
		case held && i < 0:
			q.holders = append(q.holders, holder{m, life})
		case held && q.holders[i].life != life:
			q.holders[i] = holder{m, life}
		}
		if len(q.holders) > 1 {
			g.kernel.Mark("a queue with two owners")
		}
	}
}

// watch is the task that looks at what groups have committed. It is no member of any: brokers would give it queues.
func (g *groups) watch() {
	net, random := newRawClient(g.observer), g.kernel.Stream("watch")
	for {
		g.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(g.lookEvery(400*time.Millisecond)))))
		if len(g.queues) == 0 {
			continue
		}
		queue, group := g.queues[random.IntN(len(g.queues))], g.list[random.IntN(len(g.list))]
		asked, resets := g.observer.Clock.Now(), len(group.queue(queue).resets)
		answer := net.call(g.address(queue), proto.ReqQueryConsumerOffset, map[string]string{
			"consumerGroup": group.name, "topic": queue.Topic, "queueId": fmt.Sprint(queue.QueueID),
		}, nil)
		if answer == nil || answer.Code != int(proto.RespSuccess) {
			continue
		}
		if offset, err := strconv.ParseInt(answer.Fields["offset"], 10, 64); err == nil {
			at := committedAt{client.QueueOffset(offset), g.broker(queue)}
			g.committed(group, queue, groupCommit{at, asked, resets})
		}
	}
}

// committed checks an offset that a broker told.
func (g *groups) committed(group *sharing, queue client.Queue, now groupCommit) {
	q := group.queue(queue)
	g.kernel.Mark("committed offset looked at")
	if from, since, ok := q.after(now.at); ok && len(q.resets) == now.resets {
		if now.offset < from && !q.sought {
			g.failSafety("%s: %v was reset to %d, and %d is committed", group.name, queue, from, now.offset)
		}
		if most := q.handledUpTo(from, since); now.offset > most {
			g.failSafety("%s: %d is committed in %v, though since %s only messages from %d up to %d were handled", group.name, now.offset, queue, since, from, most)
		}
	}
	before := q.seen
	q.seen = now
	// What came with pulls is durable at the next save only, so a broker may begin anew with less.
	// Who polls chooses the offsets: brokers take a lower one, also of a member that believes that the queue is still its own.
	if now.broker == nil || before.broker != now.broker || before.resets != now.resets || g.polling != nil {
		return
	}
	if _, _, ok := q.after(before.at); ok && now.offset < before.offset {
		g.failSafety("%s: the committed offset of %v went back from %d to %d; last by %v", group.name, queue, before.offset, now.offset, q.last)
	}
}

// behind tells what is not handled or not committed yet.
func (g *groups) behind() string {
	for _, group := range g.list {
		for _, queue := range g.queues {
			q := group.queue(queue)
			for _, entry := range g.Logs[queue.String()].Entries {
				must, since := q.mustHandle(client.QueueOffset(entry.Offset))
				handled := q.handledAt(client.QueueOffset(entry.Offset))
				switch {
				case !must:
					// A call that fails with it while it is passed over has no consequences.
				case handled == 0 || handled < since:
					return fmt.Sprintf("%s: nobody has handled the message at %d of %v since %s; last by %v", group.name, entry.Offset, queue, since, q.last)
				case !group.succeeded[entry.Hash]:
					return fmt.Sprintf("%s: no handler succeeded with the message at %d of %v", group.name, entry.Offset, queue)
				}
			}
			if end := g.end(queue); q.seen.offset < end {
				return fmt.Sprintf("%s: %v ends at %d, and %d is committed; last by %v", group.name, queue, end, q.seen.offset, q.last)
			}
		}
	}
	return ""
}

func (q *sharedQueue) handledAt(offset client.QueueOffset) env.Instant {
	if int(offset) >= len(q.begun) {
		return 0
	}
	return q.begun[offset]
}

// mustHandle tells whether a message must be handled, and since when: not if a reset has passed over it, or may have.
func (q *sharedQueue) mustHandle(offset client.QueueOffset) (must bool, since env.Instant) {
	must = true
	for _, r := range q.resets {
		switch {
		case !r.counts():
			// Nobody knows whether, when and to where.
			return false, 0
		case offset < r.to:
			must = false
		default:
			must, since = true, r.called
		}
	}
	return must, since
}

// judgeResets compares where resets went with the times at which messages were stored.
func (g *groups) judgeResets() {
	for _, group := range g.list {
		for _, queue := range g.queues {
			q := group.queue(queue)
			for offset := range q.begun {
				if must, _ := q.mustHandle(client.QueueOffset(offset)); !must && q.begun[offset] == 0 {
					g.kernel.Mark("skipped by a reset")
				}
			}
			if !calendarsStep(g.Schedule) {
				g.judgeTimes(group, queue)
			}
		}
	}
}

func (g *groups) judgeTimes(group *sharing, queue client.Queue) {
	q := group.queue(queue)
	for _, r := range q.resets {
		if r.answered == 0 || r.by.To.IsZero() {
			continue
		}
		for offset, at := range q.storedAt {
			early := at.Before(r.by.To)
			if early && offset >= int(r.to) && q.first[offset] >= r.called {
				// It was written, but shown only later: a broker that cannot sync shows nothing new.
				continue
			}
			if !at.IsZero() && early != (offset < int(r.to)) {
				g.failSafety("%s: a reset to %v sent the group to %d of %v, though the message at %d was stored at %v", group.name, r.by.To, r.to, queue, offset, at)
			}
		}
	}
}
