package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestListsOfTopicsAndGroupsAreSentWithChangesOfAttributes(t *testing.T) {
	c, _, newAdmin := admin(t)
	var topics *proto.TopicConfigList
	var groups *proto.GroupConfigList
	c.a.answers(map[int32]func(in *transportIncoming){
		proto.ReqUpdateAndCreateTopicList: func(in *transportIncoming) {
			var err error
			topics, err = proto.UnmarshalTopicConfigList(in.Command.Body)
			must(err)
			in.Reply().Success(nil)
		},
		proto.ReqUpdateAndCreateSubscriptionGroupList: func(in *transportIncoming) {
			var err error
			groups, err = proto.UnmarshalGroupConfigList(in.Command.Body)
			must(err)
			in.Reply().Success(nil)
		},
	})
	orders, billing := proto.NewTopicConfig("orders"), proto.NewSubscriptionGroupConfig("billing")
	orders.Attributes = map[string]string{"message.type": "FIFO", "+reserve.time": "9", "-reserve.size": ""}
	billing.Attributes = map[string]string{"a": "b"}
	c.run(time.Minute, func() {
		a := newAdmin()
		must(a.UpdateTopics(background, c.a.address, []client.TopicConfig{orders, proto.NewTopicConfig("bills")}))
		must(a.UpdateGroups(background, c.a.address, []client.GroupConfig{billing}))
	})
	require.Len(t, topics.Topics, 2)
	require.Equal(t, "orders", topics.Topics[0].Name)
	require.Equal(t, map[string]string{"+message.type": "FIFO", "+reserve.time": "9", "-reserve.size": ""}, topics.Topics[0].Attributes)
	require.Equal(t, "bills", topics.Topics[1].Name)
	require.Len(t, groups.Groups, 1)
	require.Equal(t, map[string]string{"+a": "b"}, groups.Groups[0].Attributes)
	require.Equal(t, map[string]string{"a": "b"}, billing.Attributes, "what the caller has is as it was")
}

func TestNamesInListsAreInTheNamespace(t *testing.T) {
	c, _, _ := admin(t)
	var topics *proto.TopicConfigList
	var mode *proto.SetMessageRequestMode
	c.a.answers(map[int32]func(in *transportIncoming){
		proto.ReqUpdateAndCreateTopicList: func(in *transportIncoming) {
			var err error
			topics, err = proto.UnmarshalTopicConfigList(in.Command.Body)
			must(err)
			in.Reply().Success(nil)
		},
		proto.ReqSetMessageRequestMode: func(in *transportIncoming) {
			var err error
			mode, err = proto.UnmarshalSetMessageRequestMode(in.Command.Body)
			must(err)
			in.Reply().Success(nil)
		},
	})
	c.run(time.Minute, func() {
		a, err := client.NewAdmin(c.app, client.WithNameServers(c.names.address), client.WithNamespace("shop"))
		must(err)
		must(a.UpdateTopics(background, c.a.address, []client.TopicConfig{proto.NewTopicConfig("orders")}))
		must(a.SetRequestMode(background, c.a.address, client.RequestMode{Topic: "orders", ConsumerGroup: "billing", Mode: proto.ModePop, PopShareQueues: 3}))
		must(a.Close(background))
	})
	require.Equal(t, "shop%orders", topics.Topics[0].Name)
	require.Equal(t, &proto.SetMessageRequestMode{Topic: "shop%orders", ConsumerGroup: "shop%billing", Mode: proto.ModePop, PopShareQueues: 3}, mode)
}

func TestAGroupIsKeptFromATopicAtABroker(t *testing.T) {
	c, _, newAdmin := admin(t)
	var asked []proto.UpdateAndGetGroupForbidden
	mayRead := true
	c.a.answers(map[int32]func(in *transportIncoming){
		proto.ReqUpdateAndGetGroupForbidden: func(in *transportIncoming) {
			var h proto.UpdateAndGetGroupForbidden
			must(h.DecodeFields(in.Command.Fields))
			asked = append(asked, h)
			mayRead = h.Readable.Or(mayRead)
			in.Reply().Success((&proto.GroupForbidden{Group: h.Group, Topic: h.Topic, Readable: mayRead}).Marshal())
		},
	})
	c.b.answers(map[int32]func(in *transportIncoming){proto.ReqUpdateAndGetGroupForbidden: refusal(proto.RespSystemError)})
	var answers [3]bool
	var failure error
	c.run(time.Minute, func() {
		a := newAdmin()
		var errs [3]error
		answers[0], errs[0] = a.GroupMayRead(background, c.a.address, "billing", "orders")
		answers[1], errs[1] = a.SetGroupMayRead(background, c.a.address, "billing", "orders", false)
		answers[2], errs[2] = a.GroupMayRead(background, c.a.address, "billing", "orders")
		for _, err := range errs {
			must(err)
		}
		_, failure = a.GroupMayRead(background, c.b.address, "billing", "orders")
	})
	require.Equal(t, [3]bool{true, false, false}, answers)
	query := proto.UpdateAndGetGroupForbidden{Group: "billing", Topic: "orders"}
	change := query
	change.Readable = proto.Some(false)
	require.Equal(t, []proto.UpdateAndGetGroupForbidden{query, change, query}, asked)
	require.ErrorContains(t, failure, "refused by the test")
}

func TestEntriesOfAQueueAreRead(t *testing.T) {
	c, _, newAdmin := admin(t)
	part := proto.ConsumeQueuePart{Min: 2, Max: 9, Entries: []proto.ConsumeQueueEntry{{LogOffset: 1000, Size: 200, TagHash: 7}}}
	var asked proto.QueryConsumeQueue
	c.a.answers(map[int32]func(in *transportIncoming){proto.ReqQueryConsumeQueue: header(&asked, body(part.Marshal()))})
	c.b.answers(map[int32]func(in *transportIncoming){proto.ReqQueryConsumeQueue: func(in *transportIncoming) {
		in.Reply().SendFields(proto.RespSuccess, "Index 9 of 1@orders is not exist!", nil, nil, nil)
	}})
	query := client.EntriesQuery{Topic: "orders", Queue: 1, From: 9, Count: 3, Group: "billing"}
	var read *client.QueueEntries
	var nothing error
	c.run(time.Minute, func() {
		a := newAdmin()
		var err error
		read, err = a.QueueEntries(background, c.a.address, query)
		must(err)
		_, nothing = a.QueueEntries(background, c.b.address, query)
	})
	require.Equal(t, &part, read)
	require.Equal(t, proto.QueryConsumeQueue{Topic: "orders", QueueID: 1, Index: 9, Count: 3, ConsumerGroup: "billing"}, asked)
	require.EqualError(t, nothing, "QUERY_CONSUME_QUEUE: "+c.b.address+" tells nothing: Index 9 of 1@orders is not exist!")
}
