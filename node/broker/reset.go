package broker

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// resetsFile is Gantry's own: a Java broker forgets resets that no client has heard of when it stops.
const resetsFile = "pendingResets.json"

// resetOffset handles INVOKE_BROKER_TO_RESET_OFFSET: a group goes on elsewhere in a topic, in all queues by store time, or in one of
// them at an offset. The offsets are durable when it is answered. Members that consume are told with their next pull, each for itself; until then
// their commits do not count.
func (b *Broker) resetOffset(in *transport.Incoming) {
	var h proto.ResetOffset
	if !decode(in, &h) {
		return
	}
	var offsets map[groupQueue]int64
	var r refusal
	b.await(in, func() {
		if offsets, r = b.resetTargets(&h); r.code != 0 {
			return
		}
		if err := b.progress.reset(offsets); err != nil {
			r = refused(proto.RespSystemError, "the offsets could not be reset: %v", err)
		}
	})
	if r.code != 0 {
		in.Reply().Error(r.code, r.remark)
		return
	}
	b.env.Log.Info("offsets of a group were reset", zap.String("group", h.Group), zap.String("topic", h.Topic), zap.Int("queues", len(offsets)))
	in.Reply().Success(b.resetAnswer(offsets).Marshal(in.Command.Language))
}

func (b *Broker) resetAnswer(offsets map[groupQueue]int64) *proto.ResetOffsets {
	var answer proto.ResetOffsets
	for _, q := range sortedQueues(offsets) {
		queue := proto.Queue{Topic: q.Topic, BrokerName: b.options.Name, QueueID: q.Queue}
		answer.Offsets = append(answer.Offsets, proto.QueueOffset{Queue: queue, Offset: offsets[q]})
	}
	return &answer
}

func sortedQueues[V any](table map[groupQueue]V) []groupQueue {
	queues := make([]groupQueue, 0, len(table))
	for q := range table {
		queues = append(queues, q)
	}
	slices.SortFunc(queues, groupQueue.compare)
	return queues
}

// resetTargets finds where the group goes. It waits for the disk.
func (b *Broker) resetTargets(h *proto.ResetOffset) (map[groupQueue]int64, refusal) {
	topic := b.topics.byName[h.Topic]
	switch {
	case topic == nil:
		return nil, refused(proto.RespTopicNotExist, "Topic %s does not exist", h.Topic)
	case b.groups.byName[h.Group] == nil:
		return nil, refused(proto.RespSubscriptionGroupNotExist, "Group %s does not exist", h.Group)
	case h.QueueID.Set && h.QueueID.Value >= topic.ReadQueues:
		return nil, refused(proto.RespInvalidParameter, "queueId[%d] is illegal: topic %s has %d queues", h.QueueID.Value, h.Topic, topic.ReadQueues)
	case h.QueueID.Set && h.Offset.Or(-1) != -1:
		return b.resetOne(h)
	}
	offsets := map[groupQueue]int64{}
	for id := range topic.ReadQueues {
		if h.QueueID.Set && id != h.QueueID.Value {
			continue
		}
		at, err := b.offsetAtTime(store.QueueKey{Topic: h.Topic, ID: id}, h.Timestamp)
		if err != nil {
			return nil, refused(proto.RespSystemError, "queue %d of %s: %v", id, h.Topic, err)
		}
		offsets[groupQueue{h.Group, h.Topic, id}] = int64(at)
	}
	return offsets, refusal{}
}

func (b *Broker) resetOne(h *proto.ResetOffset) (map[groupQueue]int64, refusal) {
	first, end := b.store.Bounds(store.QueueKey{Topic: h.Topic, ID: h.QueueID.Value})
	if at := message.QueueOffset(h.Offset.Value); at < first || at > end {
		return nil, refused(proto.RespSystemError, "offset %d is not in queue %d of %s: it has [%d, %d]", at, h.QueueID.Value, h.Topic, first, end)
	}
	return map[groupQueue]int64{{h.Group, h.Topic, h.QueueID.Value}: h.Offset.Value}, refusal{}
}

// offsetAtTime is the first message stored at or after a wall time; behind the newest one if the time is negative.
func (b *Broker) offsetAtTime(key store.QueueKey, wall int64) (message.QueueOffset, error) {
	if wall < 0 {
		_, end := b.store.Bounds(key)
		return end, nil
	}
	return b.store.OffsetAt(key, wall, false)
}

// groupReset is a reset of one queue, and who has heard of it.
type groupReset struct {
	Offset message.QueueOffset `json:"offset"`
	// Told are the clients that have heard of it. Others may still be where they were before: a member that was paused or cut off, and
	// believes that the queue is its own.
	Told []string `json:"told,omitempty"`

	inForce bool        // it is durable; until then nobody is told, and nobody's commits count
	until   env.Instant // when one that somebody has heard of is forgotten
}

func (r *groupReset) taken() bool { return len(r.Told) > 0 }

// resetMemory is how long a client may be away that has not heard of a reset which another one has taken. Later, it could undo the reset until its
// successor pulls the next time.
const resetMemory = 10 * time.Minute

const resetPending = "the offset was reset: pull, and go on where the answer says"

// mayCommit reports whether somebody's commits count.
func (r *groupReset) mayCommit(by committer) bool {
	return r.taken() && by.tool || slices.Contains(r.Told, by.name())
}

// client names a client of a group, even one that sends no heartbeats.
func (t *progressTable) client(group string, conn *transport.Conn) string {
	return cmp.Or(t.broker.clients.memberOf(group, conn), conn.Remote().String())
}

// target is where a client must go that has not heard of a reset. One that takes the queue over begins there anyway.
func (t *progressTable) target(r *groupReset, q groupQueue) message.QueueOffset {
	committed, _ := t.broker.offsets.get(q.Group, q.Topic, q.Queue)
	return max(r.Offset, message.QueueOffset(committed))
}

// hears reports whether a client that pulls at an offset has heard of a reset, and notes it if it has.
func (t *progressTable) hears(r *groupReset, q groupQueue, conn *transport.Conn, offset int64) bool {
	client := t.client(q.Group, conn)
	switch {
	case !r.inForce || slices.Contains(r.Told, client):
		return true
	case offset != int64(t.target(r, q)):
		return false
	}
	if !r.taken() {
		r.until = t.broker.env.Clock.Now().Add(resetMemory)
	}
	r.Told, t.dirty = append(r.Told, client), true
	return true
}

// redirect answers a pull of a client that has not heard of a reset.
func (t *progressTable) redirect(p *pullRequest) bool {
	q := groupQueue{p.group, p.queue.Topic, p.queue.ID}
	r := t.resets[q]
	if r == nil || !r.inForce || slices.Contains(r.Told, t.client(p.group, p.reply.Conn())) {
		return false
	}
	first, end := t.broker.store.Bounds(p.queue)
	p.reply.Send(proto.RespPullOffsetMoved, &proto.PullMessageResponse{Next: int64(t.target(r, q)), Min: int64(first), Max: int64(end)}, nil)
	return true
}

func (t *progressTable) expireResets() {
	now := t.broker.env.Clock.Now()
	before := len(t.resets)
	maps.DeleteFunc(t.resets, func(_ groupQueue, r *groupReset) bool { return r.taken() && r.until.Reached(now) })
	t.dirty = t.dirty || len(t.resets) < before
}

// errDeleted: a request has waited, and what it wants to change is gone.
var errDeleted = errors.New("the topic or the group was deleted meanwhile")

// reset makes offsets count from now on, durably, whatever clients commit that have not heard of it. It waits for the disk. Offsets whose
// topic or group is deleted meanwhile are taken out of the table. After an error nobody is told, and only a restart may find it in force.
func (t *progressTable) reset(offsets map[groupQueue]int64) error {
	t.turn.Acquire(nil, env.Never)
	defer t.turn.Release()
	// order does not matter: one is enough
	for q := range offsets {
		if !t.broker.exists(q) {
			return errDeleted
		}
	}
	resets, before := map[groupQueue]*groupReset{}, maps.Clone(t.resets)
	// order does not matter: each has its own place
	for q, at := range offsets {
		resets[q] = &groupReset{Offset: message.QueueOffset(at)}
	}
	maps.Copy(t.resets, resets)
	// First of all a restart must know that it is to tell the clients.
	err := t.save()
	if err == nil {
		// One that was forgotten meanwhile would come back with a topic of the same name, whose first messages it would pass over.
		err = t.broker.offsets.reset(offsets, func(q groupQueue) bool { return t.resets[q] == resets[q] })
	}
	if err == nil {
		err = t.broker.pops.moved(offsets)
	}
	for _, q := range sortedQueues(offsets) {
		switch r := resets[q]; {
		case err == nil:
			r.inForce = true
			// Whoever has pulled may hear that it is to go back.
			delete(t.pullers, q)
			t.broker.waiting.release(q.Group, q.key())
		case t.resets[q] == r:
			// Otherwise the topic or the group was deleted meanwhile.
			t.withdraw(q, before[q])
		}
	}
	return err
}

// withdraw puts a former reset, or none, in the place of one that could not be made durable.
func (t *progressTable) withdraw(q groupQueue, before *groupReset) {
	t.dirty = true
	if before == nil {
		delete(t.resets, q)
		return
	}
	t.resets[q] = before
}

// saveTaken makes durable who has heard of which resets.
func (t *progressTable) saveTaken() error {
	if !t.dirty {
		return nil
	}
	return t.save()
}

// resetLine is a line of the file.
type resetLine struct {
	groupQueue
	groupReset
}

func (t *progressTable) save() error {
	t.change.Acquire(nil, env.Never)
	defer t.change.Release()
	list := []resetLine{}
	for _, q := range sortedQueues(t.resets) {
		list = append(list, resetLine{q, *t.resets[q]})
	}
	text, err := json.Marshal(map[string]any{"resets": list})
	if err != nil {
		return fmt.Errorf("%s: %w", resetsFile, err)
	}
	t.dirty = false
	if err := t.broker.saveTable(resetsFile, text); err != nil {
		t.dirty = true
		return err
	}
	return nil
}

func (t *progressTable) load() error {
	return loadDocument(t.broker.env, resetsFile, func(content []byte) error {
		var in struct {
			Resets []resetLine `json:"resets"`
		}
		if err := json.Unmarshal(content, &in); err != nil {
			return err
		}
		for _, line := range in.Resets {
			r := line.groupReset
			// One that was interrupted before the offsets had it may be in force or not: nobody was told that it is.
			r.inForce, r.until = true, t.broker.env.Clock.Now().Add(resetMemory)
			t.resets[line.groupQueue] = &r
		}
		return nil
	})
}
