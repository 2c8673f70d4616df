package broker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// requestModesFile has the layout of MessageRequestModeManager.
const requestModesFile = "messageRequestMode.json"

// requestModesMax bounds the table.
const requestModesMax = 100_000

// requestModeTable is how groups get messages of topics, where a tool has said so (class MessageRequestModeManager).
type requestModeTable struct {
	broker *Broker
	modes  []proto.SetMessageRequestMode // by topic and group
	change *env.Semaphore                // one change at a time
}

func newRequestModeTable(b *Broker) *requestModeTable {
	return &requestModeTable{broker: b, change: env.NewSemaphore(b.env.Tasks, 1)}
}

func (t *requestModeTable) load() error {
	return loadDocument(t.broker.env, requestModesFile, func(content []byte) error {
		table, err := proto.UnmarshalRequestModeTable(content)
		if err != nil {
			return err
		}
		t.modes = table.Modes
		slices.SortFunc(t.modes, compareModes)
		return nil
	})
}

func compareModes(a, b proto.SetMessageRequestMode) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), strings.Compare(a.ConsumerGroup, b.ConsumerGroup))
}

// of is how a group gets messages of a topic.
func (t *requestModeTable) of(group, topic string) proto.SetMessageRequestMode {
	wanted := proto.SetMessageRequestMode{Topic: topic, ConsumerGroup: group}
	i, found := slices.BinarySearchFunc(t.modes, wanted, compareModes)
	switch {
	case found:
		return t.modes[i]
	case !proto.IsRetryTopic(topic):
		wanted.Mode, wanted.PopShareQueues = t.broker.options.DefaultMode, t.broker.options.DefaultPopShare
	}
	return wanted
}

// set adds or replaces an entry, durably. It waits for the disk.
func (t *requestModeTable) set(mode proto.SetMessageRequestMode) error {
	return t.update(func(modes []proto.SetMessageRequestMode) ([]proto.SetMessageRequestMode, error) {
		i, found := slices.BinarySearchFunc(modes, mode, compareModes)
		switch {
		case !t.broker.exists(groupQueue{Group: mode.ConsumerGroup, Topic: mode.Topic}):
			return nil, errDeleted
		case found:
			modes[i] = mode
			return modes, nil
		case len(modes) >= requestModesMax:
			return nil, fmt.Errorf("%d request modes are set, no more can be", len(modes))
		}
		return slices.Insert(modes, i, mode), nil
	})
}

// forget drops what is known of a topic or group that was deleted, durably. It waits only if there is something.
func (t *requestModeTable) forget(match func(proto.SetMessageRequestMode) bool) error {
	return t.update(func(modes []proto.SetMessageRequestMode) ([]proto.SetMessageRequestMode, error) {
		return slices.DeleteFunc(modes, match), nil
	})
}

func (t *requestModeTable) update(change func(copied []proto.SetMessageRequestMode) ([]proto.SetMessageRequestMode, error)) error {
	t.change.Acquire(nil, env.Never)
	defer t.change.Release()
	next, err := change(slices.Clone(t.modes))
	if err != nil || slices.Equal(next, t.modes) {
		return err
	}
	if err := t.broker.saveTable(requestModesFile, (&proto.RequestModeTable{Modes: next}).Marshal()); err != nil {
		return fmt.Errorf("the request modes could not be saved: %w", err)
	}
	t.modes = next
	return nil
}

// setRequestMode handles SET_MESSAGE_REQUEST_MODE. It is answered when the mode is durable.
//
// Answers: success; no permission, for retry topics; topic not exist; group not exist; invalid parameter; system error.
func (b *Broker) setRequestMode(in *transport.Incoming) {
	mode, err := proto.UnmarshalSetMessageRequestMode(in.Command.Body)
	if err != nil {
		in.Reply().Error(proto.RespInvalidParameter, err.Error())
		return
	}
	if r := b.refuseMode(mode); r.code != 0 {
		in.Reply().Error(r.code, r.remark)
		return
	}
	b.await(in, func() { err = b.modes.set(*mode) })
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	in.Reply().Success(nil)
}

func (b *Broker) refuseMode(mode *proto.SetMessageRequestMode) refusal {
	switch {
	case proto.IsRetryTopic(mode.Topic):
		return refused(proto.RespNoPermission, "the mode of a retry topic, %s, cannot be set: it is always pulled", mode.Topic)
	case b.topics.byName[mode.Topic] == nil:
		return refused(proto.RespTopicNotExist, "topic[%s] not exist", mode.Topic)
	case b.groups.byName[mode.ConsumerGroup] == nil:
		return refused(proto.RespSubscriptionGroupNotExist, "subscription group[%s] not exist", mode.ConsumerGroup)
	case mode.Mode == proto.ModePop && b.topics.inBatches(mode.Topic):
		return refused(proto.RespInvalidParameter, "mode %s: topic %s has batches that are stored as one record (queue.type=BatchCQ), which can only be pulled", mode.Mode, mode.Topic)
	}
	return refusal{}
}

// allRequestModes handles GET_ALL_MESSAGE_REQUEST_MODE.
func (b *Broker) allRequestModes(in *transport.Incoming) {
	in.Reply().Success((&proto.RequestModeTable{Modes: b.modes.modes}).Marshal())
}
