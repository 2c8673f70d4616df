package proto

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// standardGroup is what reading gives for settings that nobody has touched.
func standardGroup(name string) SubscriptionGroupConfig {
	g := NewSubscriptionGroupConfig(name)
	g.Attributes = map[string]string{}
	return g
}

func unusualGroup() SubscriptionGroupConfig {
	return SubscriptionGroupConfig{
		Name: "H", ConsumeOrdered: true, RetryQueues: 2, RedeliveriesMax: 3, BrokerID: 4, SlowBrokerID: 5, SysFlags: 6, TimeoutMinutes: 7,
		Attributes:    map[string]string{"a": "b"},
		Subscriptions: []SimpleSubscriptionData{{Topic: "T", Expression: "TagA", ExpressionType: ExpressionTag, Version: 1700000000000}},
		RetryPolicy: GroupRetryPolicy{
			Type:        RetryExponential,
			Exponential: Some(ExponentialRetry{InitialMillis: 5000, MaxMillis: 7200000, Multiplier: 2}),
			Customized:  Some([]int64{1000, 5000}),
		},
	}
}

func TestSettingsOfGroupsAreThoseOfJava(t *testing.T) {
	standard, unusual := standardGroup("G"), unusualGroup()
	requireSame(t, "SubscriptionGroupConfig", UnmarshalSubscriptionGroupConfig, standard, standard.Marshal())
	requireSame(t, "SubscriptionGroupConfig full", UnmarshalSubscriptionGroupConfig, unusual, unusual.Marshal())
	require.Equal(t, "group G: consume true, 1 retry queues, 16 redeliveries", standard.String())
	require.Equal(t, "retry policy EXPONENTIAL", unusual.RetryPolicy.String())
	require.Equal(t, `T TAG "TagA" version 1700000000000`, unusual.Subscriptions[0].String())
}

func TestSettingsOfGroupsOfJava4HaveDefaults(t *testing.T) {
	requireRead(t, java4, "SubscriptionGroupConfig", UnmarshalSubscriptionGroupConfig, NewSubscriptionGroupConfig("G"))
	requireRead(t, java4, "SubscriptionGroupConfig full", UnmarshalSubscriptionGroupConfig, SubscriptionGroupConfig{
		Name: "H", RetryQueues: 2, RedeliveriesMax: 3, BrokerID: 4, SlowBrokerID: 5, TimeoutMinutes: 15,
		RetryPolicy: GroupRetryPolicy{Type: RetryCustomized},
	})
}

func TestRetryPoliciesHaveDefaults(t *testing.T) {
	for body, want := range map[string]GroupRetryPolicy{
		`{}`:                {Type: RetryCustomized},
		`{"type":"LINEAR"}`: {Type: RetryCustomized},
		`{"type":0}`:        {Type: RetryExponential},
		`{"exponentialRetryPolicy":{"max":9},"customizedRetryPolicy":{}}`: {
			Type: RetryCustomized, Exponential: Some(ExponentialRetry{InitialMillis: 5000, MaxMillis: 9, Multiplier: 2}),
		},
		`{"customizedRetryPolicy":{"next":[]}}`: {Type: RetryCustomized, Customized: Some([]int64{})},
	} {
		group, err := UnmarshalSubscriptionGroupConfig([]byte(`{"groupName":"G","groupRetryPolicy":` + body + `}`))
		require.NoError(t, err, body)
		require.Equal(t, want, group.RetryPolicy, body)
	}
}

func TestTablesOfGroupsAreThoseOfJava(t *testing.T) {
	table := &SubscriptionGroupTable{Version: thirdVersion(), Groups: []SubscriptionGroupConfig{standardGroup("G")}}
	requireSame(t, "SubscriptionGroupManager", UnmarshalSubscriptionGroupTable, table, table.Marshal())
	table.Forbidden = []ForbiddenPerm{{Group: "G", Topic: "T", Perm: 3}}
	requireSame(t, "SubscriptionGroupManager forbidden", UnmarshalSubscriptionGroupTable, table, table.Marshal())
	require.Equal(t, "1 groups, version 0/1700000000000/3", table.String())
	requireRead(t, java4, "SubscriptionGroupManager", UnmarshalSubscriptionGroupTable,
		&SubscriptionGroupTable{Version: thirdVersion(), Groups: []SubscriptionGroupConfig{NewSubscriptionGroupConfig("G")}})
}

func TestForbiddenTopicsAreKeptByGroup(t *testing.T) {
	table := &SubscriptionGroupTable{Forbidden: []ForbiddenPerm{{"A", "S", 4}, {"A", "T", 2}, {"B", "S", 4}}}
	require.Contains(t, string(table.Marshal()), `"forbiddenTable":{"A":{"S":4,"T":2},"B":{"S":4}}`)
	read, err := UnmarshalSubscriptionGroupTable(table.Marshal())
	require.NoError(t, err)
	require.Equal(t, table, read)
	read, err = UnmarshalSubscriptionGroupTable([]byte(`{"subscriptionGroupTable":{"G":{"groupName":"x"},"N":null}}`))
	require.NoError(t, err)
	require.Equal(t, []SubscriptionGroupConfig{NewSubscriptionGroupConfig("G")}, read.Groups, "Java goes by the key")
}

func TestSubscriptionsOfGroupsAreThoseOfJava(t *testing.T) {
	subscription := subscriptionToT()
	of := &GroupSubscription{Group: "G", Topic: "T"}
	requireSame(t, "QuerySubscriptionResponseBody none", UnmarshalGroupSubscription, of, of.Marshal())
	require.Equal(t, "G on T, subscribed false", of.String())
	of.Subscription = &subscription
	requireSame(t, "QuerySubscriptionResponseBody", UnmarshalGroupSubscription, of, of.Marshal())

	check := &ClientConfigCheck{ClientID: "10.0.0.5@1", Group: "G", Subscription: &subscription}
	requireSame(t, "CheckClientRequestBody", UnmarshalClientConfigCheck, check, check.Marshal())
	requireRead(t, java4, "CheckClientRequestBody", UnmarshalClientConfigCheck, check)
	check.Namespace = "N"
	requireSame(t, "CheckClientRequestBody ns", UnmarshalClientConfigCheck, check, check.Marshal())
	require.Equal(t, `check by 10.0.0.5@1 of G: T TAG "TagA" version 1700000000000`, check.String())
}

func TestSettingsOfTopicsMayHaveAMapping(t *testing.T) {
	topic := &TopicConfigAndMapping{Config: TopicConfig{
		Name: "T", ReadQueues: 8, WriteQueues: 8, Perm: PermReadWrite, Attributes: map[string]string{},
	}}
	requireSame(t, "TopicConfigAndQueueMapping none", UnmarshalTopicConfigAndMapping, topic, topic.Marshal())
	topic.Mapping = &MappingDetail{
		TopicMapping: TopicMapping{Topic: "T", Scope: "__global__", TotalQueues: 2, BrokerName: "b", Epoch: 3},
		Hosted:       []HostedQueue{{Logical: 0, Items: []MappingItem{{Generation: 1, BrokerName: "b", EndOffset: -1, TimeOfStart: -1, TimeOfEnd: -1}}}},
	}
	requireSame(t, "TopicConfigAndQueueMapping", UnmarshalTopicConfigAndMapping, topic, topic.Marshal())
	require.Equal(t, "topic T: 8 read queues, 8 write queues, RW-", topic.String())
}
