package main

import (
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

func queueOf(topic string, id int32) client.Queue {
	return client.Queue{Topic: topic, BrokerName: "broker-a", QueueID: id}
}

// member is one that has queues of the topic orders.
func member(id string, queues ...int32) memberInfo {
	info := &client.RunningInfo{
		Properties:    map[string]string{proto.RunningConsumeType: "CONSUME_PASSIVELY"},
		Subscriptions: []proto.SubscriptionData{{Topic: "orders", Expression: "*", ExpressionType: "TAG"}},
	}
	for _, queue := range queues {
		info.Queues = append(info.Queues, proto.ProcessQueueInfo{Queue: queueOf("orders", queue), PulledAt: int64(noon()), ConsumedAt: int64(noon())})
	}
	connection := proto.Connection{ClientID: id, Address: "10.0.0.5:50123", Language: wire.LanguageGo, Version: wire.V5_3_2}
	return memberInfo{Connection: connection, broker: client.Broker{Name: "broker-a"}, info: info}
}

func fourQueues() map[string][]client.Queue {
	queues := map[string][]client.Queue{}
	for id := range int32(4) {
		queues["orders"] = append(queues["orders"], queueOf("orders", id))
	}
	return queues
}

func TestAGroupWhoseMembersShareItsQueuesHasNoProblem(t *testing.T) {
	now := time.UnixMilli(int64(noon())).Add(time.Minute)
	infos := []memberInfo{member("one", 0, 1), member("two", 2, 3)}
	require.Empty(t, diagnoseGroup(infos, fourQueues(), now))
	v := newGroupStatusView("billing", infos, nil)
	require.Equal(t, lines(
		"Client id  Address         Version  Type               Topics  Queues  Cached  Consumed/s  Failed/s",
		"one        10.0.0.5:50123  5.3.2    CONSUME_PASSIVELY       1       2       0        0.00      0.00",
		"two        10.0.0.5:50123  5.3.2    CONSUME_PASSIVELY       1       2       0        0.00      0.00",
		"",
		"Rebalance OK: all members subscribe the same, and each queue has one of them",
	), shown(t, v, false))
}

func TestProblemsBetweenMembersAreFound(t *testing.T) {
	noonAt := time.UnixMilli(int64(noon()))
	for want, c := range map[string]struct {
		infos []memberInfo
		hurt  func(infos []memberInfo)
		later time.Duration
	}{
		"no member has orders@broker-a:3":                       {infos: []memberInfo{member("one", 0, 1, 2)}},
		"orders@broker-a:1 is consumed by one and two at once":  {infos: []memberInfo{member("one", 0, 1), member("two", 1, 2, 3)}},
		"one has not pulled from orders@broker-a:0 for 3m0s":    {infos: []memberInfo{member("one", 0, 1, 2, 3)}, later: 3 * time.Minute},
		"two subscribes something else than one":                {infos: []memberInfo{member("one", 0, 1), member("two", 2, 3)}, hurt: func(i []memberInfo) { i[1].info.Subscriptions[0].Expression = "paid" }},
		"topic bills is subscribed, but no broker has queues":   {infos: []memberInfo{member("one", 0, 1, 2, 3)}},
		"nothing of orders@broker-a:0 for 3m0s, although 5 mes": {infos: []memberInfo{member("one", 0, 1, 2, 3)}, later: 3 * time.Minute, hurt: func(i []memberInfo) { i[0].info.Queues[0].Cached = 5 }},
	} {
		if c.hurt != nil {
			c.hurt(c.infos)
		}
		queues := fourQueues()
		queues["bills"], queues["%RETRY%billing"] = nil, nil
		problems := diagnoseGroup(c.infos, queues, noonAt.Add(c.later))
		found := false
		for _, problem := range problems {
			found = found || strings.Contains(problem, want)
		}
		require.True(t, found, "%s is not among %q", want, problems)
	}
	v := newGroupStatusView("billing", []memberInfo{member("one", 0)}, nil)
	v.Problems = []string{"a", "b"}
	require.Contains(t, shown(t, v, false), "\nproblem: a\nproblem: b\n")
	require.NotContains(t, shown(t, v, false), "Rebalance OK")
}

func TestQueuesThatAMemberHasGivenUpDoNotCount(t *testing.T) {
	infos := []memberInfo{member("one", 0, 1, 2, 3), member("two", 3)}
	infos[1].info.Queues[0].Dropped = true
	require.Empty(t, diagnoseGroup(infos, fourQueues(), time.UnixMilli(int64(noon()))))
}

func TestOneMemberIsShownWhole(t *testing.T) {
	m := member("one", 0)
	m.info.Queues[0].Cached, m.info.Queues[0].Locked = 5, true
	m.info.Rates = []proto.ConsumeRates{{Topic: "orders", PullMillis: 1.5, ConsumedPerSecond: 20, Failed: 3}}
	m.info.UserInfo, m.info.StackDump = map[string]string{"shard": "7"}, "goroutine 1\n"
	v := newGroupStatusView("billing", []memberInfo{m}, nil)
	v.whole = true
	require.Equal(t, lines(
		"one at 10.0.0.5:50123",
		"Key                Value",
		"PROP_CONSUME_TYPE  CONSUME_PASSIVELY",
		"",
		"Subscriptions",
		"Topic   Expression  Type",
		"orders  *           TAG",
		"",
		"Queues",
		"Topic   Broker    Queue  Next  Cached  MiB  State   Pulled                   Consumed",
		"orders  broker-a      0     0       5    0  locked  2026-11-21 12:00:00,005  2026-11-21 12:00:00,005",
		"",
		"Rates",
		"Topic   Pull ms  Pulled/s  Consume ms  Consumed/s  Failed/s  Failed in an hour",
		"orders     1.50      0.00        0.00       20.00      0.00                  3",
		"",
		"Of the application",
		"Key    Value",
		"shard  7",
		"",
		"Threads",
		"goroutine 1",
	), shown(t, v, false))
}

func TestProgressIsShownByQueueAndInAll(t *testing.T) {
	v := &progressView{Group: "billing", showClients: true}
	v.add(&client.ConsumeStats{ConsumedPerSecond: 1.5, Queues: []proto.QueueProgress{
		{Queue: queueOf("orders", 1), BrokerOffset: 10, ConsumerOffset: 10},
		{Queue: queueOf("orders", 0), BrokerOffset: 10, ConsumerOffset: 4, PullOffset: 6, ConsumedTo: int64(noon())},
	}})
	v.setClients(map[client.Queue]string{queueOf("orders", 0): "10.0.0.5@one"})
	require.Equal(t, lines(
		"Topic   Broker    Queue  Broker offset  Consumer offset  Diff  Inflight  Last time                Client",
		"orders  broker-a      0             10                4     6         2  2026-11-21 12:00:00,005  10.0.0.5@one",
		"orders  broker-a      1             10               10     0         0  -                        -",
		"",
		"Consume TPS: 1.50",
		"Consume Diff Total: 6",
		"Consume Inflight Total: 2",
	), shown(t, v, false))
}

func TestAGroupAtSeveralBrokersIsOneLine(t *testing.T) {
	connection := func(ids ...string) *client.ConsumerConnection {
		c := &client.ConsumerConnection{ConsumeType: proto.ConsumePush, Model: proto.Clustering}
		for i, id := range ids {
			c.Members = append(c.Members, proto.Connection{ClientID: id, Version: wire.V5_3_2 - int32(i)})
		}
		return c
	}
	behind := &client.ConsumeStats{ConsumedPerSecond: 1, Queues: []proto.QueueProgress{{BrokerOffset: 5, ConsumerOffset: 2}}}
	entry := groupEntry{Group: "billing"}
	entry.add(behind, connection("one", "two"))
	entry.add(behind, connection("one"))
	v := &groupsView{Groups: []groupEntry{entry, {Group: "idle"}}}
	require.Equal(t, lines(
		"Group    Count  Version         Type  Model        TPS  Diff total",
		"billing      2  5.3.2-SNAPSHOT  PUSH  CLUSTERING  2.00           6",
		"idle         0  OFFLINE         -     -           0.00           0",
	), shown(t, v, false))
	require.Equal(t, lines(
		"Group  Count  Version  Type  Model  TPS  Diff total",
		"",
		"There is no consumer group yet: the first consumer of a group makes it.",
	), shown(t, &groupsView{}, false))
	kind, model := shortType(&client.ConsumerConnection{ConsumeType: proto.ConsumePull, Model: proto.Clustering, Members: make([]proto.Connection, 1)})
	require.Equal(t, "PULL ", kind+" "+model)
}

func TestAClientAtSeveralBrokersIsOneMember(t *testing.T) {
	one := proto.Connection{ClientID: "one", Address: "10.0.0.5:50123", Language: wire.LanguageGo, Version: wire.V5_3_2}
	connection := &client.ConsumerConnection{
		Members: []proto.Connection{one}, ConsumeType: proto.ConsumePush, Model: proto.Clustering, From: proto.FromLastOffset,
		Subscriptions: []proto.SubscriptionData{{Topic: "orders", Expression: "paid", ExpressionType: "TAG"}},
	}
	lists := []memberList{{client.Broker{Name: "broker-a"}, connection}, {client.Broker{Address: "10.0.0.3:10911"}, connection}}
	require.Equal(t, lines(
		"Client id  Address         Language  Version  Brokers",
		"one        10.0.0.5:50123  GO        5.3.2    broker-a, 10.0.0.3:10911",
		"",
		"Subscriptions",
		"Topic   Expression  Type",
		"orders  paid        TAG",
		"",
		"ConsumeType: CONSUME_PASSIVELY",
		"MessageModel: CLUSTERING",
		"ConsumeFromWhere: CONSUME_FROM_LAST_OFFSET",
	), shown(t, newConsumersView("billing", lists, nil), false))
}

func TestACopyOfAMessageHasWhatItsSenderGaveIt(t *testing.T) {
	m := &client.Received{Message: client.Message{Topic: "orders", Body: []byte("x"), UserFlags: 7, Properties: message.Properties{
		{Name: "KEYS", Value: "k"}, {Name: "TAGS", Value: "t"}, {Name: "colour", Value: "red"}, {Name: "UNIQ_KEY", Value: "U"},
		{Name: "CLUSTER", Value: "c"}, {Name: "DELAY", Value: "3"}, {Name: "__SHARDINGKEY", Value: "s"},
	}}}
	again := copyOf(m)
	require.Equal(t, int32(7), again.UserFlags)
	require.Equal(t, "x", string(again.Body))
	require.Equal(t, message.Properties{{Name: "KEYS", Value: "k"}, {Name: "TAGS", Value: "t"}, {Name: "colour", Value: "red"}, {Name: "__SHARDINGKEY", Value: "s"}}, again.Properties)
}

func TestTheAverageLeavesOutTheFirstSendAndThoseThatFailed(t *testing.T) {
	v := &probeView{Sends: []probeEntry{{Millis: 100}, {Millis: 2}, {Millis: 50, Error: "no"}, {Millis: 4}}}
	v.average()
	require.InDelta(t, 3, v.Average, 0)
	v = &probeView{Sends: []probeEntry{{Broker: "broker-a", Millis: 5, Result: "SEND_OK", MessageID: "7F"}}}
	v.average()
	require.Equal(t, lines(
		"Broker    Queue  Result   RT ms  Message id",
		"broker-a      0  SEND_OK   5.00  7F",
		"Avg RT: 5.00",
	), shown(t, v, false))
}

func TestWhatAResetWasIsShownIfItIsKnown(t *testing.T) {
	was := int64(9)
	v := &resetView{Queues: []resetEntry{{Broker: "broker-a", Queue: 1, Was: &was, Offset: 3}, {Broker: "broker-a", Queue: 2, Offset: 4}}}
	require.Equal(t, lines("Broker    Queue  Was  Offset", "broker-a      1    9       3", "broker-a      2    -       4"), shown(t, v, false))
}

func TestAGroupIsChangedOnlyWhereOptionsWereTyped(t *testing.T) {
	c := groupChange{wanted: proto.NewSubscriptionGroupConfig("")}
	c.typed = pflag.NewFlagSet("updateSubGroup", pflag.ContinueOnError)
	c.add(c.typed)
	require.NoError(t, c.typed.Parse([]string{"--retryMaxTimes=3", "--consumeEnable=false", `--groupRetryPolicy={"type":"CUSTOMIZED","customizedRetryPolicy":{"next":[1000]}}`, "--attributes=+a=b,-c"}))
	require.NoError(t, c.check())
	group := proto.NewSubscriptionGroupConfig("billing")
	group.ConsumeBroadcast, group.RetryQueues = false, 5
	c.applyTo(&group)
	want := proto.NewSubscriptionGroupConfig("billing")
	want.ConsumeBroadcast, want.RetryQueues, want.RedeliveriesMax, want.Consume = false, 5, 3, false
	want.RetryPolicy.Customized = proto.Some([]int64{1000})
	want.Attributes = map[string]string{"+a": "b", "-c": ""}
	require.Equal(t, want, group)
}

func TestStatisticsOfSeveralBrokersAreAdded(t *testing.T) {
	rows := func(group string, out int64) []statsRow {
		return []statsRow{{Group: group, Waiting: 2, InPerSecond: 1.5, InDay: 10, OutPerSecond: 1, OutDay: out}}
	}
	v := &statsView{}
	v.add("orders", []brokerAnswer[[]statsRow]{
		{value: append(rows("billing", 4), rows("audit", 5)...)}, {value: rows("billing", 3)}, {value: []statsRow{{InDay: 1}}},
	})
	v.add("idle", []brokerAnswer[[]statsRow]{{value: []statsRow{{InDay: 7}}}})
	require.Equal(t, lines(
		"Topic   Consumer group  Accumulation  In TPS  Out TPS  In 24 hours  Out 24 hours",
		"orders  audit                      2    3.00     1.00           21             5",
		"orders  billing                    4    3.00     2.00           21             7",
		"idle    -                          0    0.00        -            7   NO_CONSUMER",
	), shown(t, v, false))
}

func TestQueuesWithLittleToConsumeCanBeLeftOut(t *testing.T) {
	stats := client.ConsumeStats{Queues: []proto.QueueProgress{
		{Queue: queueOf("orders", 0), BrokerOffset: 10, ConsumerOffset: 4, ConsumedTo: int64(noon())}, {Queue: queueOf("orders", 1), BrokerOffset: 3, ConsumerOffset: 3},
	}}
	list := &client.ConsumeStatsList{Groups: []proto.GroupConsumeStats{{Group: "billing", Stats: []client.ConsumeStats{stats}}}, Behind: 6}
	require.Len(t, newBrokerProgressView(list, 0).Queues, 2)
	require.Equal(t, lines(
		"Topic   Group    Broker    Queue  Broker offset  Consumer offset  Diff  Last time",
		"orders  billing  broker-a      0             10                4     6  2026-11-21 12:00:00,005",
		"",
		"Diff Total: 6",
	), shown(t, newBrokerProgressView(list, 1), false))
}

func TestMessagesThatAConsumerTookAreShown(t *testing.T) {
	handed := &handedView{Messages: []handedEntry{{MessageID: "7F", Result: "CR_LATER", Millis: 7, Remark: "busy"}}}
	require.Equal(t, lines("Message id  Result    Ordered  ms  Remark", "7F          CR_LATER  false     7  busy"), shown(t, handed, false))
	resent := &resentView{Messages: []resentEntry{{"7F", sentView{Broker: "broker-a", Queue: 1, Offset: 2, Result: "SEND_OK", MessageID: "80"}}}}
	require.Equal(t, lines("Copy of  Broker    Queue  Offset  Result   Message id", "7F       broker-a      1       2  SEND_OK  80"), shown(t, resent, false))
}

func TestMembersWithOneClientIDAreAProblem(t *testing.T) {
	list := func(broker string, members ...proto.Connection) memberList {
		return memberList{client.Broker{Name: broker}, &client.ConsumerConnection{Members: members}}
	}
	twin, other := proto.Connection{ClientID: "one", Address: "10.0.0.5:1"}, proto.Connection{ClientID: "two", Address: "10.0.0.5:3"}
	again := proto.Connection{ClientID: "one", Address: "10.0.0.5:2"}
	require.Empty(t, twins([]memberList{list("broker-a", twin, other), list("broker-b", twin, other)}), "one connection to each broker")
	require.Equal(t, []string{"one is connected twice: if these are two members, give them different instance names, or each message is consumed by both"},
		twins([]memberList{list("broker-a", twin, other, again), list("broker-b", twin, again, other)}))
}
