package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// updateGroup handles UPDATE_AND_CREATE_SUBSCRIPTIONGROUP (class AdminBrokerProcessor). It is answered when the change is durable.
//
// Answers: success; system error, with what is wrong.
func (b *Broker) updateGroup(in *transport.Incoming) {
	wanted, err := parseGroup(in.Command.Body)
	if err == nil {
		b.await(in, func() { err = b.changeGroup(wanted) })
	}
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	in.Reply().Success(nil)
}

// updateGroups handles UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST. If one of the groups cannot be, none is touched; if it cannot be saved or has
// attributes that it cannot have, those before it are.
//
// Answers: those of updateGroup.
func (b *Broker) updateGroups(in *transport.Incoming) {
	list, err := proto.UnmarshalGroupConfigList(in.Command.Body)
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	wanted := make([]*groupConfig, len(list.Groups))
	for i := range list.Groups {
		if wanted[i], err = checkedGroup(&list.Groups[i]); err != nil {
			in.Reply().Error(proto.RespSystemError, err.Error())
			return
		}
	}
	b.await(in, func() {
		for _, group := range wanted {
			if err = b.changeGroup(group); err != nil {
				return
			}
		}
	})
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	in.Reply().Success(nil)
}

// parseGroup reads and checks what a tool wants, with the liberties that tools take.
func parseGroup(body []byte) (*groupConfig, error) {
	in, err := proto.UnmarshalSubscriptionGroupConfig(body)
	if err != nil {
		return nil, err
	}
	return checkedGroup(&in)
}

func checkedGroup(in *proto.SubscriptionGroupConfig) (*groupConfig, error) {
	if err := proto.ValidateGroup(in.Name); err != nil {
		return nil, err
	}
	if in.RetryQueues < 0 || in.RetryQueues > queuesMax {
		return nil, fmt.Errorf("retryQueueNums %d: want 0, for no redeliveries, to %d", in.RetryQueues, queuesMax)
	}
	group := new(groupConfig)
	return group, json.Unmarshal(in.Marshal(), group)
}

// changeGroup makes or replaces a group, durably. It waits.
func (b *Broker) changeGroup(wanted *groupConfig) error {
	if err := b.growRetryTopic(wanted); err != nil {
		return err
	}
	return b.groups.update(wanted.Name, func(old *groupConfig) (*groupConfig, error) {
		var current map[string]string
		if old != nil {
			current = old.Attributes
		}
		group := *wanted
		var err error
		group.Attributes, err = changeGroupAttributes(current, wanted.Attributes)
		return &group, err
	})
}

// growRetryTopic gives the retry topic the queues that redeliveries will go to. There are never fewer: what is in them is to
// be consumed.
func (b *Broker) growRetryTopic(group *groupConfig) error {
	name := proto.RetryTopic(group.Name)
	if b.topics.byName[name] == nil {
		return nil
	}
	return b.topics.update(name, func(old *proto.TopicConfig) (proto.TopicConfig, error) {
		topic := proto.NewTopicConfig(name)
		if old == nil {
			topic.ReadQueues, topic.WriteQueues = group.RetryQueues, group.RetryQueues
			return topic, nil
		}
		topic = old.Clone()
		topic.ReadQueues, topic.WriteQueues = max(old.ReadQueues, group.RetryQueues), max(old.WriteQueues, group.RetryQueues)
		return topic, nil
	})
}

// changeGroupAttributes applies changes as tools write them, "+key": value and "-key": "". No attribute of a group has a meaning here, so
// none can be added. Those that a Java broker has left may stay or be taken away.
func changeGroupAttributes(current, changes map[string]string) (map[string]string, error) {
	next := maps.Clone(current)
	for _, change := range sortedNames(changes) {
		name := strings.TrimLeft(change, "+-")
		value, has := current[name]
		switch {
		case has && strings.HasPrefix(change, "-"):
			delete(next, name)
		case !has || value != changes[change]:
			return nil, fmt.Errorf("attributes: %q cannot be set: this broker knows no attributes of groups", change)
		}
	}
	if len(next) == 0 {
		return nil, nil
	}
	return next, nil
}

// groupsOnPage is the most that one page has.
const groupsOnPage = 2000

// allGroups handles GET_ALL_SUBSCRIPTIONGROUP_CONFIG: all groups, or those of a page. Who has begun with another version of the table
// gets its first page again.
func (b *Broker) allGroups(in *transport.Incoming) {
	var h proto.GetAllSubscriptionGroupConfig
	if !decode(in, &h) {
		return
	}
	names := sortedNames(b.groups.byName)
	header := &proto.GetAllSubscriptionGroupConfigResponse{Total: proto.Some(int32(len(names)))}
	if h.First.Set {
		first := max(h.First.Value, 0)
		if h.Version.Set && h.Version.Value != b.groups.version {
			first = 0
		}
		names = names[min(int(first), len(names)):]
		if most := h.Max.Or(groupsOnPage); most > 0 {
			names = names[:min(int(most), groupsOnPage, len(names))]
		}
	}
	page := groupDocument{Version: b.groups.version.Marshal(), Forbidden: b.groups.forbidden, Groups: map[string]*groupConfig{}}
	for _, name := range names {
		page.Groups[name] = b.groups.byName[name]
	}
	body, err := json.Marshal(page)
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	in.Reply().Send(proto.RespSuccess, header, body)
}

// oneGroup handles GET_SUBSCRIPTIONGROUP_CONFIG. It makes no group.
func (b *Broker) oneGroup(in *transport.Incoming) {
	var h proto.GetSubscriptionGroupConfig
	if !decode(in, &h) {
		return
	}
	group := b.groups.byName[h.Group]
	if group == nil {
		in.Reply().Error(proto.RespSubscriptionGroupNotExist, fmt.Sprintf("no group %s in this broker", h.Group))
		return
	}
	body, err := json.Marshal(group)
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	in.Reply().Success(body)
}

// deleteGroup handles DELETE_SUBSCRIPTIONGROUP: the group and what it is forbidden, and with cleanOffset also how far it is. Members that
// live make it again with their next heartbeat, if groups are made by themselves.
func (b *Broker) deleteGroup(in *transport.Incoming) {
	var h proto.DeleteSubscriptionGroup
	if !decode(in, &h) {
		return
	}
	if slices.Contains(proto.StartGroups(), h.Group) {
		in.Reply().Error(proto.RespInvalidParameter, fmt.Sprintf("groupName: %s is one of the groups that every broker has", h.Group))
		return
	}
	var err error
	b.await(in, func() {
		err = b.groups.remove(h.Group, func() error { return b.dropGroup(h.Group, h.CleanOffsets) })
	})
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	in.Reply().Success(nil)
}

// dropGroup removes what belongs to a group that is in the table no more, durably.
func (b *Broker) dropGroup(name string, cleanOffsets bool) error {
	b.stats.forgetGroup(name)
	delete(b.filters.failures, name)
	b.waiting.releaseAll(func(h *heldPull) bool { return h.group == name })
	if err := b.modes.forget(func(m proto.SetMessageRequestMode) bool { return m.ConsumerGroup == name }); err != nil {
		return err
	}
	if !cleanOffsets {
		b.pops.held.release(func(p *popRequest) bool { return p.group.Name == name })
		return nil
	}
	ofGroup := func(q groupQueue) bool { return q.Group == name }
	b.locks.forget(ofGroup)
	b.progress.forget(ofGroup)
	return errors.Join(b.pops.forget(&inflight.Forgotten{Group: name}), b.offsets.forgetGroup(name), b.progress.saveTaken())
}
