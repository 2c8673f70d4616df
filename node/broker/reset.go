package broker

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// resetsFile is Gantry's own: a Java broker forgets resets that no client has taken when it stops.
const resetsFile = "pendingResets.json"

// resetOffset handles INVOKE_BROKER_TO_RESET_OFFSET: a group goes on elsewhere in a topic, in all queues by store time, or in one of
// them at an offset. The offsets are durable when it is answered. Members that consume are told with their next pull; until then
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

// reset makes offsets count from now on, durably, whatever clients commit that have not heard of it. It waits for the disk.
func (t *progressTable) reset(offsets map[groupQueue]int64) error {
	// order does not matter: each has its own place
	for q, at := range offsets {
		t.resets[q] = message.QueueOffset(at)
	}
	// First of all a restart must know that it is to tell the clients.
	err := t.save()
	if err == nil {
		err = t.broker.offsets.reset(offsets)
	}
	for _, q := range sortedQueues(offsets) {
		t.broker.waiting.release(q.Group, q.key())
	}
	return err
}

// saveTaken makes durable which resets were taken.
func (t *progressTable) saveTaken() error {
	if !t.dirty {
		return nil
	}
	return t.save()
}

// pendingReset is a line of the file.
type pendingReset struct {
	groupQueue
	Offset message.QueueOffset `json:"offset"`
}

func (t *progressTable) save() error {
	t.change.Acquire(nil, env.Never)
	defer t.change.Release()
	list := []pendingReset{}
	for _, q := range sortedQueues(t.resets) {
		list = append(list, pendingReset{q, t.resets[q]})
	}
	text, err := json.Marshal(map[string]any{"resets": list})
	if err != nil {
		return fmt.Errorf("%s: %w", resetsFile, err)
	}
	t.dirty = false
	if err := saveDocument(t.broker.env.Disk, resetsFile, text); err != nil {
		t.dirty = true
		return err
	}
	return nil
}

func (t *progressTable) load() error {
	return loadDocument(t.broker.env, resetsFile, func(content []byte) error {
		var in struct {
			Resets []pendingReset `json:"resets"`
		}
		if err := json.Unmarshal(content, &in); err != nil {
			return err
		}
		for _, r := range in.Resets {
			t.resets[r.groupQueue] = r.Offset
		}
		return nil
	})
}
