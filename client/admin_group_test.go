package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// answers lets a server answer requests of some codes in a way of the test's.
func (f *fake) answers(how map[int32]func(in *transportIncoming)) {
	f.intercept = func(in *transportIncoming) bool {
		answer := how[in.Command.Code]
		if answer == nil {
			return false
		}
		answer(in)
		return true
	}
}

// body is an answer with a body.
func body(text []byte) func(in *transportIncoming) {
	return func(in *transportIncoming) { in.Reply().Success(text) }
}

// refusal is an answer with an error.
func refusal(code int32) func(in *transportIncoming) {
	return func(in *transportIncoming) { in.Reply().Error(code, "refused by the test") }
}

// header decodes the header of a request before it is answered.
func header[H proto.HeaderDecoder](into H, answer func(in *transportIncoming)) func(in *transportIncoming) {
	return func(in *transportIncoming) {
		must(into.DecodeFields(in.Command.Fields))
		answer(in)
	}
}

func TestBrokersAreListedByNameAndID(t *testing.T) {
	c, _, newAdmin := admin(t)
	slave := c.broker("a", 1)
	c.names.cluster.Brokers = route(1, c.b, slave, c.a).Brokers
	c.names.cluster.Clusters[0].BrokerNames = []string{"a", "b"}
	var all, ofTopic []client.Broker
	var unknown, nowhere error
	c.run(time.Minute, func() {
		a := newAdmin()
		var err error
		all, err = a.Brokers(background, "")
		must(err)
		ofTopic, err = a.BrokersOf(background, "orders")
		must(err)
		_, unknown = a.Brokers(background, "empty")
		_, nowhere = a.BrokersOf(background, "nowhere")
	})
	require.Equal(t, []client.Broker{
		{Cluster: "c", Name: "a", Address: c.a.address}, {Cluster: "c", Name: "a", ID: 1, Address: slave.address}, {Cluster: "c", Name: "b", Address: c.b.address},
	}, all)
	require.Equal(t, []client.Broker{all[0], all[2]}, ofTopic)
	require.Equal(t, "a (slave 1) at "+slave.address, all[1].String())
	require.Equal(t, "b at "+c.b.address, all[2].String())
	require.ErrorIs(t, unknown, client.ErrNoBroker)
	require.ErrorContains(t, unknown, `clusters are ["c" "empty"]`)
	require.ErrorIs(t, nowhere, client.ErrTopicNotFound)
}

func TestAGroupIsReadChangedAndDeletedAtABroker(t *testing.T) {
	c, _, newAdmin := admin(t)
	stored := proto.NewSubscriptionGroupConfig("billing")
	var deleted proto.DeleteSubscriptionGroup
	c.a.answers(map[int32]func(in *transportIncoming){
		proto.ReqUpdateAndCreateSubscriptionGroup: func(in *transportIncoming) {
			var err error
			stored, err = proto.UnmarshalSubscriptionGroupConfig(in.Command.Body)
			must(err)
			in.Reply().Success(nil)
		},
		proto.ReqGetSubscriptionGroupConfig: func(in *transportIncoming) {
			if in.Command.Fields.String("group") != stored.Name {
				in.Reply().Error(proto.RespSubscriptionGroupNotExist, "no such group")
				return
			}
			in.Reply().Success(stored.Marshal())
		},
		proto.ReqDeleteSubscriptionGroup: header(&deleted, body(nil)),
	})
	var read client.GroupConfig
	var found, other bool
	c.run(time.Minute, func() {
		a := newAdmin()
		wanted := proto.NewSubscriptionGroupConfig("billing")
		wanted.RedeliveriesMax = 3
		must(a.UpdateGroup(background, c.a.address, wanted))
		var err error
		read, found, err = a.Group(background, c.a.address, "billing")
		must(err)
		_, other, err = a.Group(background, c.a.address, "audit")
		must(err)
		must(a.DeleteGroup(background, c.a.address, "billing", true))
	})
	require.True(t, found)
	require.False(t, other)
	require.EqualValues(t, 3, read.RedeliveriesMax)
	require.Equal(t, proto.DeleteSubscriptionGroup{Group: "billing", CleanOffsets: true}, deleted)
}

func TestBrokersThatKnowOnlyWholeTablesAreAskedForThem(t *testing.T) {
	c, _, newAdmin := admin(t)
	groups := proto.SubscriptionGroupTable{Groups: []client.GroupConfig{proto.NewSubscriptionGroupConfig("billing")}}
	topics := proto.TopicTable{Topics: []client.TopicConfig{proto.NewTopicConfig("orders")}}
	c.a.answers(map[int32]func(in *transportIncoming){
		proto.ReqGetSubscriptionGroupConfig:    refusal(proto.RespRequestCodeNotSupported),
		proto.ReqGetTopicConfig:                refusal(proto.RespRequestCodeNotSupported),
		proto.ReqGetAllSubscriptionGroupConfig: body(groups.Marshal()),
		proto.ReqGetAllTopicConfig:             body(topics.Marshal()),
	})
	var found [4]bool
	c.run(time.Minute, func() {
		a := newAdmin()
		var errs [4]error
		_, found[0], errs[0] = a.Group(background, c.a.address, "billing")
		_, found[1], errs[1] = a.Group(background, c.a.address, "audit")
		_, found[2], errs[2] = a.Topic(background, c.a.address, "orders")
		_, found[3], errs[3] = a.Topic(background, c.a.address, "bills")
		for _, err := range errs {
			must(err)
		}
	})
	require.Equal(t, [4]bool{true, false, true, false}, found)
}

func TestATopicIsReadAtABroker(t *testing.T) {
	c, _, newAdmin := admin(t)
	topic := proto.NewTopicConfig("orders")
	topic.Ordered = true
	var asked proto.GetTopicConfig
	c.a.answers(map[int32]func(in *transportIncoming){
		proto.ReqGetTopicConfig: header(&asked, body((&proto.TopicConfigAndMapping{Config: topic}).Marshal())),
	})
	c.b.answers(map[int32]func(in *transportIncoming){proto.ReqGetTopicConfig: refusal(proto.RespTopicNotExist)})
	var read client.TopicConfig
	var found, other bool
	c.run(time.Minute, func() {
		a := newAdmin()
		var err error
		read, found, err = a.Topic(background, c.a.address, "orders")
		must(err)
		_, other, err = a.Topic(background, c.b.address, "orders")
		must(err)
	})
	require.True(t, found)
	require.True(t, read.Ordered)
	require.False(t, other)
	require.Equal(t, proto.GetTopicConfig{Topic: "orders", Logical: proto.Some(false)}, asked)
}

func TestMembersOfGroupsAreListed(t *testing.T) {
	c, _, newAdmin := admin(t)
	one := proto.Connection{ClientID: "one", Address: "10.0.9.9:1", Language: wire.LanguageGo, Version: wire.OwnVersion}
	c.a.answers(map[int32]func(in *transportIncoming){
		proto.ReqGetConsumerConnectionList: body((&proto.ConsumerConnection{Members: []proto.Connection{one}, ConsumeType: proto.ConsumePush}).Marshal()),
		proto.ReqGetProducerConnectionList: body((&proto.ProducerConnection{Members: []proto.Connection{one}}).Marshal()),
		proto.ReqQueryTopicsByConsumer:     body((&proto.TopicList{Topics: []string{"orders"}}).Marshal()),
		proto.ReqQueryTopicConsumeByWho:    body((&proto.GroupList{Groups: []string{"billing"}}).Marshal()),
	})
	c.b.answers(map[int32]func(in *transportIncoming){
		proto.ReqGetConsumerConnectionList: refusal(proto.RespConsumerNotOnline),
		proto.ReqGetProducerConnectionList: refusal(proto.RespSystemError),
	})
	var consumers, none *client.ConsumerConnection
	var producers *client.ProducerConnection
	var found [4]bool
	var topics, groups []string
	c.run(time.Minute, func() {
		a := newAdmin()
		var errs [6]error
		consumers, found[0], errs[0] = a.Consumers(background, c.a.address, "billing")
		none, found[1], errs[1] = a.Consumers(background, c.b.address, "billing")
		producers, found[2], errs[2] = a.Producers(background, c.a.address, "checkout")
		_, found[3], errs[3] = a.Producers(background, c.b.address, "checkout")
		topics, errs[4] = a.TopicsOfGroup(background, c.a.address, "billing")
		groups, errs[5] = a.GroupsOfTopic(background, c.a.address, "orders")
		for _, err := range errs {
			must(err)
		}
	})
	require.Equal(t, [4]bool{true, false, true, false}, found)
	require.Equal(t, []proto.Connection{one}, consumers.Members)
	require.Equal(t, []proto.Connection{one}, producers.Members)
	require.Empty(t, none.Members)
	require.Equal(t, []string{"orders"}, topics)
	require.Equal(t, []string{"billing"}, groups)
}

// slowly answers after a while.
func slowly(f *fake, after time.Duration, answer func(in *transportIncoming)) func(in *transportIncoming) {
	return func(in *transportIncoming) {
		until := f.env.Clock.Now().Add(after)
		pause := f.env.Tasks.NewCond()
		for pause.WaitUntil(until) {
		}
		answer(in)
	}
}

func TestAMemberMayTakeItsTimeToAnswer(t *testing.T) {
	c, _, newAdmin := admin(t)
	info := proto.ConsumerRunningInfo{Properties: map[string]string{"a": "b"}, StackDump: "main"}
	result := proto.ConsumeMessageDirectlyResult{Result: proto.ResultSuccess, SpentMillis: 7}
	var asked proto.GetConsumerRunningInfo
	var handed proto.ConsumeMessageDirectly
	c.a.answers(map[int32]func(in *transportIncoming){
		proto.ReqGetConsumerRunningInfo: header(&asked, slowly(&c.a.fake, 9*time.Second, body(info.Marshal()))),
		proto.ReqConsumeMessageDirectly: header(&handed, slowly(&c.a.fake, 9*time.Second, body(result.Marshal()))),
		proto.ReqInvokeBrokerToGetConsumerStatus: slowly(&c.a.fake, 5*time.Second,
			body((&proto.ConsumerStatus{Members: []proto.MemberStatus{{ClientID: "one"}}}).Marshal())),
	})
	id := message.OffsetID{StoreHost: c.a.host, LogOffset: 1000}
	var read *client.RunningInfo
	var taken *client.DirectResult
	var status *client.ConsumerStatus
	c.run(time.Minute, func() {
		a := newAdmin()
		var errs [3]error
		read, errs[0] = a.RunningInfo(background, c.a.address, "billing", "one", true)
		taken, errs[1] = a.ConsumeDirectly(background, "billing", "one", "orders", id)
		status, errs[2] = a.ConsumerStatus(background, c.a.address, "billing", "orders", "")
		for _, err := range errs {
			must(err)
		}
	})
	require.Equal(t, proto.GetConsumerRunningInfo{ConsumerGroup: "billing", ClientID: "one", StackDump: true}, asked)
	require.Equal(t, proto.ConsumeMessageDirectly{ConsumerGroup: "billing", ClientID: "one", Topic: "orders", OffsetID: id.String()}, handed)
	require.Equal(t, "main", read.StackDump)
	require.Equal(t, proto.ResultSuccess, taken.Result)
	require.Equal(t, "one", status.Members[0].ClientID)
}

func TestNameServersAreAskedAndToldOneByOne(t *testing.T) {
	c, second, newAdmin := admin(t)
	second.cluster = &proto.ClusterInfo{}
	settings := proto.ConfigText{{Key: "orderMessageEnable", Value: "false"}}
	c.names.answers(map[int32]func(in *transportIncoming){
		proto.ReqGetNameServerConfig: body(settings.Marshal()),
		proto.ReqUpdateNameServerConfig: func(in *transportIncoming) {
			var err error
			settings, err = proto.ParseConfigText(in.Command.Body)
			must(err)
			in.Reply().Success(nil)
		},
	})
	var read proto.ConfigText
	var wiped, added int
	var known, unknown *client.ClusterInfo
	c.run(time.Minute, func() {
		a := newAdmin()
		var errs [5]error
		read, errs[0] = a.NameServerConfig(background, c.names.address)
		wiped, errs[1] = a.WipeWritePermissionAt(background, c.names.address, "a")
		added, errs[2] = a.AddWritePermissionAt(background, c.names.address, "a")
		known, errs[3] = a.ClusterAt(background, c.names.address)
		unknown, errs[4] = a.ClusterAt(background, second.address)
		for _, err := range errs {
			must(err)
		}
		must(a.UpdateNameServerConfig(background, c.names.address, proto.ConfigText{{Key: "orderMessageEnable", Value: "true"}}))
		must(a.PutConfigAt(background, c.names.address, "n", "k", "v"))
		must(a.PutConfigAt(background, second.address, "n", "l", "w"))
		must(a.DeleteConfigAt(background, second.address, "n", "l"))
	})
	require.Equal(t, "false", read[0].Value)
	require.Equal(t, "true", settings[0].Value)
	require.Equal(t, []int{3, 3}, []int{wiped, added})
	require.Len(t, known.Brokers, 2)
	require.Empty(t, unknown.Brokers)
	require.Equal(t, map[string]string{"n/k": "v"}, c.names.kv)
	require.Empty(t, second.kv)
	require.Zero(t, second.count(proto.ReqWipeWritePermOfBroker))
}

func TestAnAnswerThatCannotBeReadSaysWhose(t *testing.T) {
	c, _, newAdmin := admin(t)
	c.a.answers(map[int32]func(in *transportIncoming){proto.ReqGetConsumeStats: body([]byte("no JSON"))})
	var failure error
	c.run(time.Minute, func() { _, failure = newAdmin().ConsumeStats(background, c.a.address, "billing", "") })
	require.ErrorIs(t, failure, proto.ErrBody)
	require.ErrorContains(t, failure, "GET_CONSUME_STATS: the answer of "+c.a.address+" cannot be read")
}
