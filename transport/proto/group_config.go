package proto

import (
	"encoding/json"
	"fmt"
)

// SubscriptionGroupConfig is what a broker knows of one consumer group (class
// SubscriptionGroupConfig): the body of ReqUpdateAndCreateSubscriptionGroup and of the answer to
// ReqGetSubscriptionGroupConfig, and a part of SubscriptionGroupTable.
type SubscriptionGroupConfig struct {
	Name             string                   // groupName
	Consume          bool                     // consumeEnable: may pull at all; default true
	ConsumeFromMin   bool                     // consumeFromMinEnable: may begin at the oldest message; default true
	ConsumeBroadcast bool                     // consumeBroadcastEnable: may pull in broadcasting mode; default true
	ConsumeOrdered   bool                     // consumeMessageOrderly, since 5.0
	RetryQueues      int32                    // retryQueueNums: of the retry topic; default 1; <= 0: no redeliveries
	RedeliveriesMax  int32                    // retryMaxTimes: then to the dead letters; default 16
	RetryPolicy      GroupRetryPolicy         // groupRetryPolicy, since 5.0
	BrokerID         int64                    // brokerId: to pull from; default MasterID
	SlowBrokerID     int64                    // whichBrokerWhenConsumeSlowly: to pull old messages from; default 1
	NotifyMembers    bool                     // notifyConsumerIdsChangedEnable: send ReqNotifyConsumerIDsChanged; default true
	SysFlags         int32                    // groupSysFlag, since 5.0
	TimeoutMinutes   int32                    // consumeTimeoutMinute, since 5.0: to consume a message; default 15
	Subscriptions    []SimpleSubscriptionData // subscriptionDataSet, since 5.0; nil: the members tell
	Attributes       map[string]string        // attributes, since 5.0; nil and empty are the same
}

// NewSubscriptionGroupConfig returns the settings of a group of which nothing but the name
// is known.
func NewSubscriptionGroupConfig(name string) SubscriptionGroupConfig {
	return SubscriptionGroupConfig{
		Name: name, Consume: true, ConsumeFromMin: true, ConsumeBroadcast: true,
		RetryQueues: 1, RedeliveriesMax: 16, RetryPolicy: GroupRetryPolicy{Type: RetryCustomized},
		BrokerID: MasterID, SlowBrokerID: 1, NotifyMembers: true, TimeoutMinutes: 15,
	}
}

// String shows the name and how often messages are delivered again.
func (g *SubscriptionGroupConfig) String() string {
	return fmt.Sprintf("group %s: consume %v, %d retry queues, %d redeliveries",
		g.Name, g.Consume, g.RetryQueues, g.RedeliveriesMax)
}

// Marshal writes the body.
func (g *SubscriptionGroupConfig) Marshal() []byte {
	var w writer
	w.groupConfig(g)
	return w.text
}

// UnmarshalSubscriptionGroupConfig reads the body. The error is ErrBody.
func UnmarshalSubscriptionGroupConfig(body []byte) (SubscriptionGroupConfig, error) {
	g := NewSubscriptionGroupConfig("")
	err := unmarshal("SubscriptionGroupConfig", body, &g)
	return g, err
}

// UnmarshalJSON reads strict JSON. What is absent has the value of NewSubscriptionGroupConfig.
func (g *SubscriptionGroupConfig) UnmarshalJSON(text []byte) error {
	in := newGroupConfigJSON()
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*g = in.config()
	return nil
}

// groupConfigJSON is the class as it is written.
type groupConfigJSON struct {
	GroupName                      looseString              `json:"groupName"`
	ConsumeEnable                  looseBool                `json:"consumeEnable"`
	ConsumeFromMinEnable           looseBool                `json:"consumeFromMinEnable"`
	ConsumeBroadcastEnable         looseBool                `json:"consumeBroadcastEnable"`
	ConsumeMessageOrderly          looseBool                `json:"consumeMessageOrderly"`
	RetryQueueNums                 looseInt32               `json:"retryQueueNums"`
	RetryMaxTimes                  looseInt32               `json:"retryMaxTimes"`
	GroupRetryPolicy               GroupRetryPolicy         `json:"groupRetryPolicy"`
	BrokerID                       looseInt64               `json:"brokerId"`
	WhichBrokerWhenConsumeSlowly   looseInt64               `json:"whichBrokerWhenConsumeSlowly"`
	NotifyConsumerIDsChangedEnable looseBool                `json:"notifyConsumerIdsChangedEnable"`
	GroupSysFlag                   looseInt32               `json:"groupSysFlag"`
	ConsumeTimeoutMinute           looseInt32               `json:"consumeTimeoutMinute"`
	SubscriptionDataSet            []SimpleSubscriptionData `json:"subscriptionDataSet"`
	Attributes                     looseTable               `json:"attributes"`
}

// newGroupConfigJSON has the defaults, which stay where nothing is read.
func newGroupConfigJSON() groupConfigJSON {
	d := NewSubscriptionGroupConfig("")
	return groupConfigJSON{
		ConsumeEnable:                  looseBool(d.Consume),
		ConsumeFromMinEnable:           looseBool(d.ConsumeFromMin),
		ConsumeBroadcastEnable:         looseBool(d.ConsumeBroadcast),
		RetryQueueNums:                 looseInt32(d.RetryQueues),
		RetryMaxTimes:                  looseInt32(d.RedeliveriesMax),
		GroupRetryPolicy:               d.RetryPolicy,
		WhichBrokerWhenConsumeSlowly:   looseInt64(d.SlowBrokerID),
		NotifyConsumerIDsChangedEnable: looseBool(d.NotifyMembers),
		ConsumeTimeoutMinute:           looseInt32(d.TimeoutMinutes),
	}
}

func (in *groupConfigJSON) config() SubscriptionGroupConfig {
	return SubscriptionGroupConfig{
		Name:             string(in.GroupName),
		Consume:          bool(in.ConsumeEnable),
		ConsumeFromMin:   bool(in.ConsumeFromMinEnable),
		ConsumeBroadcast: bool(in.ConsumeBroadcastEnable),
		ConsumeOrdered:   bool(in.ConsumeMessageOrderly),
		RetryQueues:      int32(in.RetryQueueNums),
		RedeliveriesMax:  int32(in.RetryMaxTimes),
		RetryPolicy:      in.GroupRetryPolicy,
		BrokerID:         int64(in.BrokerID),
		SlowBrokerID:     int64(in.WhichBrokerWhenConsumeSlowly),
		NotifyMembers:    bool(in.NotifyConsumerIDsChangedEnable),
		SysFlags:         int32(in.GroupSysFlag),
		TimeoutMinutes:   int32(in.ConsumeTimeoutMinute),
		Subscriptions:    in.SubscriptionDataSet,
		Attributes:       in.Attributes.plain(),
	}
}

func (w *writer) groupConfig(g *SubscriptionGroupConfig) {
	w.open('{')
	w.tableMember("attributes", g.Attributes)
	w.integerMember("brokerId", g.BrokerID)
	w.booleanMember("consumeBroadcastEnable", g.ConsumeBroadcast)
	w.booleanMember("consumeEnable", g.Consume)
	w.booleanMember("consumeFromMinEnable", g.ConsumeFromMin)
	w.booleanMember("consumeMessageOrderly", g.ConsumeOrdered)
	w.integerMember("consumeTimeoutMinute", int64(g.TimeoutMinutes))
	w.stringMember("groupName", g.Name)
	w.retryPolicy(&g.RetryPolicy)
	w.integerMember("groupSysFlag", int64(g.SysFlags))
	w.booleanMember("notifyConsumerIdsChangedEnable", g.NotifyMembers)
	w.integerMember("retryMaxTimes", int64(g.RedeliveriesMax))
	w.integerMember("retryQueueNums", int64(g.RetryQueues))
	w.simpleSubscriptions(g.Subscriptions)
	w.integerMember("whichBrokerWhenConsumeSlowly", g.SlowBrokerID)
	w.close('}')
}
