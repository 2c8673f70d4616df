package broker

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// groupsFile has the layout of SubscriptionGroupManager.
const groupsFile = "subscriptionGroup.json"

// groupConfig is what the broker knows of a consumer group (class SubscriptionGroupConfig), as the file has it.
type groupConfig struct {
	Name                         string            `json:"groupName"`
	ConsumeEnable                bool              `json:"consumeEnable"`
	ConsumeFromMinEnable         bool              `json:"consumeFromMinEnable"`
	ConsumeBroadcastEnable       bool              `json:"consumeBroadcastEnable"`
	ConsumeMessageOrderly        bool              `json:"consumeMessageOrderly"`
	RetryQueues                  int32             `json:"retryQueueNums"`
	RetryMaxTimes                int32             `json:"retryMaxTimes"`
	RetryPolicy                  json.RawMessage   `json:"groupRetryPolicy,omitempty"`
	BrokerID                     int64             `json:"brokerId"`
	WhichBrokerWhenConsumeSlowly int64             `json:"whichBrokerWhenConsumeSlowly"`
	NotifyConsumerIDsChanged     bool              `json:"notifyConsumerIdsChangedEnable"`
	SysFlags                     int32             `json:"groupSysFlag"`
	ConsumeTimeoutMinutes        int32             `json:"consumeTimeoutMinute"`
	Subscriptions                json.RawMessage   `json:"subscriptionDataSet,omitempty"`
	Attributes                   map[string]string `json:"attributes,omitempty"`
}

func newGroupConfig(name string) *groupConfig {
	return &groupConfig{
		Name: name, ConsumeEnable: true, ConsumeFromMinEnable: true, ConsumeBroadcastEnable: true,
		RetryQueues: 1, RetryMaxTimes: 16, WhichBrokerWhenConsumeSlowly: 1, NotifyConsumerIDsChanged: true, ConsumeTimeoutMinutes: 15,
	}
}

// UnmarshalJSON gives what is absent its default.
func (g *groupConfig) UnmarshalJSON(text []byte) error {
	type plain groupConfig
	in := plain(*newGroupConfig(""))
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*g = groupConfig(in)
	return nil
}

// groupTable is the broker's consumer groups (class SubscriptionGroupManager).
type groupTable struct {
	broker    *Broker
	byName    map[string]*groupConfig
	forbidden map[string]map[string]int32 // group → topic → bits; never changed, only replaced
	version   proto.DataVersion
	change    *env.Semaphore
}

func newGroupTable(b *Broker) *groupTable {
	return &groupTable{broker: b, byName: map[string]*groupConfig{}, change: env.NewSemaphore(b.env.Tasks, 1)}
}

// groupDocument is the file.
type groupDocument struct {
	Version   json.RawMessage             `json:"dataVersion"`
	Forbidden map[string]map[string]int32 `json:"forbiddenTable,omitempty"`
	Groups    map[string]*groupConfig     `json:"subscriptionGroupTable"`
}

func (t *groupTable) load() error {
	for _, name := range proto.StartGroups() {
		t.byName[name] = newGroupConfig(name)
	}
	return loadDocument(t.broker.env, groupsFile, t.decode)
}

// decode adds the groups of the file.
func (t *groupTable) decode(content []byte) error {
	strict, err := proto.Strict(content)
	if err != nil {
		return err
	}
	var in groupDocument
	if err := json.Unmarshal(strict, &in); err != nil {
		return err
	}
	if len(in.Version) > 0 {
		if t.version, err = proto.UnmarshalDataVersion(in.Version); err != nil {
			return err
		}
	}
	t.forbidden = in.Forbidden
	// order does not matter: entries are only copied
	for name, group := range in.Groups {
		if group != nil {
			group.Name = name
			t.byName[name] = group
		}
	}
	return nil
}

// findGroup is find on behalf of a request.
func (b *Broker) findGroup(in *transport.Incoming, name string) (group *groupConfig, err error) {
	if group = b.groups.byName[name]; group == nil {
		b.await(in, func() { group, err = b.groups.find(name) })
	}
	return group, err
}

// find returns a group. One that does not exist is made, if the broker may and the name is
// legal. It waits only then.
func (t *groupTable) find(name string) (*groupConfig, error) {
	if group := t.byName[name]; group != nil {
		return group, nil
	}
	if err := proto.ValidateGroup(name); err != nil {
		return nil, err
	}
	if t.broker.slave != nil {
		return nil, fmt.Errorf("group %s does not exist at the master of this slave, or the slave has not heard of it yet", name)
	}
	if t.broker.options.NoAutoGroups && !proto.IsSystemGroup(name) {
		return nil, fmt.Errorf("group %s does not exist and is not made by itself (autoCreateSubscriptionGroup=false): create it first", name)
	}
	return t.make(name)
}

// make adds a group by itself, durably, if there are not too many.
func (t *groupTable) make(name string) (*groupConfig, error) {
	err := t.update(name, func(old *groupConfig) (*groupConfig, error) {
		switch {
		case old != nil:
			return old, nil
		case len(t.byName) >= t.broker.options.GroupsMax:
			return nil, fmt.Errorf("group %s was not made: the broker has %d groups already", name, len(t.byName))
		}
		return newGroupConfig(name), nil
	})
	return t.byName[name], err
}

// update adds or replaces a group by what want makes of the one there is, or of nil. It is durable. It waits.
func (t *groupTable) update(name string, want func(old *groupConfig) (*groupConfig, error)) error {
	t.change.Acquire(nil, env.Never)
	defer t.change.Release()
	old := t.byName[name]
	group, err := want(old)
	if err != nil || reflect.DeepEqual(group, old) {
		return err
	}
	next := maps.Clone(t.byName)
	next[name] = group
	if err := t.save(next, t.forbidden); err != nil {
		return fmt.Errorf("group %s could not be saved: %w", name, err)
	}
	t.byName[name] = group
	return nil
}

// remove deletes a group and what it is forbidden, durably, and then lets clean remove what belongs to it: nobody can make a group of that
// name before clean is done. It waits.
func (t *groupTable) remove(name string, clean func() error) error {
	t.change.Acquire(nil, env.Never)
	defer t.change.Release()
	if t.byName[name] != nil || t.forbidden[name] != nil {
		next, forbidden := maps.Clone(t.byName), maps.Clone(t.forbidden)
		delete(next, name)
		delete(forbidden, name)
		if err := t.save(next, forbidden); err != nil {
			return fmt.Errorf("group %s could not be removed: %w", name, err)
		}
		delete(t.byName, name)
		t.forbidden = forbidden
	}
	// Also if it was removed before: then clean may have failed.
	return clean()
}

func (t *groupTable) save(groups map[string]*groupConfig, forbidden map[string]map[string]int32) error {
	version := t.version.Next(int64(t.broker.env.Clock.Wall()))
	content, err := json.Marshal(groupDocument{Version: version.Marshal(), Forbidden: forbidden, Groups: groups})
	if err != nil {
		return err
	}
	if err := t.broker.saveTable(groupsFile, content); err != nil {
		return err
	}
	t.version = version
	return nil
}
