package broker

import (
	"fmt"
	"maps"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// Topics that groups are kept from (the forbidden table). A Java broker looks at it only where a pull relies on heartbeats, lifts all bans of a
// group with the last one of a topic, and does not save that. Here a ban holds for every pull, alone, and until it is lifted.

// forbiddenMax bounds the groups that have bans, and the topics of each.
const forbiddenMax = 10_000

// forbiddenRead is the bit of the forbidden table that keeps a group from a topic (PermName.INDEX_PERM_READ).
const forbiddenRead = 1 << 2

// mayRead reports whether the forbidden table lets a group have a topic.
func (t *groupTable) mayRead(group, topic string) bool {
	return t.forbidden[group][topic]&forbiddenRead == 0
}

// permit lets a group read a topic or keeps it from it, durably. Neither needs to exist. It waits for the disk.
func (t *groupTable) permit(group, topic string, readable bool) error {
	t.change.Acquire(nil, env.Never)
	defer t.change.Release()
	if t.mayRead(group, topic) == readable {
		return nil
	}
	if !readable && (t.forbidden[group] == nil && len(t.forbidden) >= forbiddenMax || len(t.forbidden[group]) >= forbiddenMax) {
		return fmt.Errorf("more than %d groups cannot have bans, nor can a group have more", forbiddenMax)
	}
	next := withBan(t.forbidden, group, topic, t.forbidden[group][topic]^forbiddenRead)
	if err := t.save(t.byName, next); err != nil {
		return fmt.Errorf("the ban of group %s could not be saved: %w", group, err)
	}
	t.forbidden = next
	return nil
}

// withBan is a copy of the table in which one entry has other bits. Without bits there is no entry.
func withBan(table map[string]map[string]int32, group, topic string, bits int32) map[string]map[string]int32 {
	next := map[string]map[string]int32{}
	maps.Copy(next, table)
	topics := map[string]int32{}
	maps.Copy(topics, table[group])
	topics[topic] = bits
	if bits == 0 {
		delete(topics, topic)
	}
	next[group] = topics
	if len(topics) == 0 {
		delete(next, group)
	}
	return next
}

// groupForbidden handles UPDATE_AND_GET_GROUP_FORBIDDEN: whether a group may read a topic, after it was changed if that is asked
// for. It is answered when the change is durable; pulls that are held are refused then, too.
//
// Answers: success; invalid parameter; system error.
func (b *Broker) groupForbidden(in *transport.Incoming) {
	var h proto.UpdateAndGetGroupForbidden
	if !decode(in, &h) {
		return
	}
	err := proto.ValidateGroup(h.Group)
	if err == nil {
		err = proto.ValidateTopic(h.Topic)
	}
	if err != nil {
		in.Reply().Error(proto.RespInvalidParameter, err.Error())
		return
	}
	if h.Readable.Set {
		b.await(in, func() { err = b.groups.permit(h.Group, h.Topic, h.Readable.Value) })
	}
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	readable := b.groups.mayRead(h.Group, h.Topic)
	if !readable {
		b.waiting.releaseAll(func(p *heldPull) bool { return p.group == h.Group && p.queue.Topic == h.Topic })
	}
	in.Reply().Success((&proto.GroupForbidden{Group: h.Group, Topic: h.Topic, Readable: readable}).Marshal())
}
