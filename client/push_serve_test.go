package client_test

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// ask has a broker ask the members of its group, and returns the answer of the last one.
func (c *cluster) ask(b *broker, request *transport.Request) (answer *wire.Command, err error) {
	over := false
	b.env.Tasks.Go("ask a member", func() {
		for _, id := range slices.Sorted(maps.Keys(b.groups.members)) {
			answer, err = b.groups.members[id].Call(nil, request, b.env.Clock.Now().Add(5*time.Second))
		}
		over = true
	})
	c.eventually("an answer", func() bool { return over })
	return answer, err
}

var someAddress = netip.MustParseAddrPort("10.0.0.1:10911")

func TestAGroupIsResetFromOutside(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 5)
	c.a.put(orders(1), 5)
	var offsets []client.QueueOffset
	stuck, release := false, false
	handler := func(_ context.Context, messages []*client.Received) error {
		m := messages[0]
		if m.Queue == orders(0) {
			offsets = append(offsets, m.Offset)
			if m.Offset == 4 {
				stuck = true
				c.hold(&release)
			}
		}
		return nil
	}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(handler), client.WithConcurrency(1))
		c.eventually("the last message is at work", func() bool { return stuck && len(offsets) == 5 })
		table := &proto.ResetOffsets{Offsets: []proto.QueueOffset{{Queue: orders(0), Offset: 3}, {Queue: client.Queue{Topic: "orders", BrokerName: "gone"}, Offset: 3}}}
		_, err := c.ask(c.a, &transport.Request{
			Code: proto.ReqResetConsumerClientOffset, Header: &proto.ResetOffset{Topic: "orders", Group: "consumers"}, Body: table.Marshal(wire.LanguageGo),
		})
		must(err)
		if stored := c.a.committedAt(orders(0)); stored != 3 {
			panic(stored)
		}
		release = true
		c.eventually("the messages come again", func() bool { return len(offsets) == 7 })
		must(p.Close(background))
	})
	require.ElementsMatch(t, []client.QueueOffset{3, 4}, offsets[5:])
	require.Equal(t, int64(5), c.a.committedAt(orders(0)))
	require.Equal(t, int64(5), c.a.committedAt(orders(1)))
}

func TestAMemberTellsItsOffsetsAndHowItRuns(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 5)
	var status *proto.ConsumerStatus
	var info *proto.ConsumerRunningInfo
	var stranger error
	box := &inbox{fail: func(m *client.Received) error {
		if m.Offset == 4 && m.Redeliveries == 0 {
			return errors.New("no")
		}
		return nil
	}}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		c.eventually("all", func() bool { return len(box.bodies) == 6 })
		c.app.Tasks.Sleep(time.Second)
		answer := must1(c.ask(c.a, &transport.Request{Code: proto.ReqGetConsumerStatusFromClient, Header: &proto.GetConsumerStatus{Topic: "orders", Group: "consumers"}}))
		status = must1(proto.UnmarshalConsumerStatus(answer.Body))
		answer = must1(c.ask(c.a, &transport.Request{Code: proto.ReqGetConsumerRunningInfo, Header: &proto.GetConsumerRunningInfo{ConsumerGroup: "consumers", ClientID: "x"}}))
		info = must1(proto.UnmarshalConsumerRunningInfo(answer.Body))
		answer = must1(c.ask(c.a, &transport.Request{Code: proto.ReqGetConsumerRunningInfo, Header: &proto.GetConsumerRunningInfo{ConsumerGroup: "others", ClientID: "x"}}))
		stranger = transport.Check(proto.ReqGetConsumerRunningInfo, "", answer)
		must(p.Close(background))
	})
	require.Len(t, status.Queues, 4)
	require.Equal(t, proto.QueueOffset{Queue: orders(0), Offset: 5}, status.Queues[0])

	require.Equal(t, "CONSUME_PASSIVELY", info.Properties[proto.RunningConsumeType])
	require.Equal(t, "false", info.Properties[proto.RunningOrdered])
	require.Equal(t, "20", info.Properties[proto.RunningThreads])
	require.Equal(t, "V5_3_2", info.Properties[proto.RunningClientVersion])
	require.Equal(t, c.names.address, info.Properties[proto.RunningNameServers])
	started, err := strconv.ParseInt(info.Properties[proto.RunningStartedAt], 10, 64)
	require.NoError(t, err)
	require.Positive(t, started)
	require.Len(t, info.Subscriptions, 2)
	require.Len(t, info.Queues, 6)
	require.Equal(t, int64(5), info.Queues[2].CommitOffset)
	require.Len(t, info.Rates, 2)
	require.Equal(t, "orders", info.Rates[1].Topic)
	require.Equal(t, int64(1), info.Rates[1].Failed)
	require.Positive(t, info.Rates[1].ConsumedPerSecond)
	require.Positive(t, info.Rates[1].PulledPerSecond)

	var answer *client.ResponseError
	require.ErrorAs(t, stranger, &answer)
	require.Equal(t, int32(proto.RespSystemError), answer.Code)
}

func TestAMessageIsConsumedDirectlyForATool(t *testing.T) {
	c := newGroupCluster(t, 1)
	record := message.Record{
		Topic: []byte("%RETRY%consumers"), Body: []byte("again"), Properties: []byte("RETRY_TOPIC\x01orders\x02"), BornHost: someAddress, StoreHost: someAddress,
	}
	body := must1(message.AppendRecord(nil, &record))
	var failure error
	var topics []string
	var results []*proto.ConsumeMessageDirectlyResult
	handler := func(_ context.Context, messages []*client.Received) error {
		topics = append(topics, messages[0].Topic+" at "+messages[0].Queue.BrokerName)
		if len(topics) == 3 {
			panic("a bug of the application")
		}
		return failure
	}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(handler))
		c.eventually("assigned", func() bool { return len(must1(p.Assigned(background))) == 6 })
		for _, failure = range []error{nil, errors.New("not now"), nil} {
			answer := must1(c.ask(c.a, &transport.Request{
				Code: proto.ReqConsumeMessageDirectly, Header: &proto.ConsumeMessageDirectly{ConsumerGroup: "consumers", BrokerName: "a"}, Body: body,
			}))
			results = append(results, must1(proto.UnmarshalConsumeMessageDirectlyResult(answer.Body)))
		}
		must(p.Close(background))
	})
	require.Equal(t, []string{"orders at a", "orders at a", "orders at a"}, topics)
	require.Equal(t, proto.ResultSuccess, results[0].Result)
	require.Equal(t, proto.ResultLater, results[1].Result)
	require.Equal(t, "not now", results[1].Remark)
	require.Equal(t, proto.ResultException, results[2].Result)
	require.Contains(t, results[2].Remark, "a bug of the application")
	require.False(t, results[0].Ordered)
	require.False(t, results[0].ManualCommit)
}

func TestRequestsThatNobodyServesAreRefused(t *testing.T) {
	c := newGroupCluster(t, 1)
	var codes []int32
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler((&inbox{}).handle))
		c.eventually("assigned", func() bool { return len(must1(p.Assigned(background))) == 6 })
		for _, code := range []int32{proto.ReqPullMessage, proto.ReqGetConsumerRunningInfo} {
			codes = append(codes, must1(c.ask(c.a, &transport.Request{Code: code})).Code)
		}
		must(p.Close(background))
	})
	require.Equal(t, []int32{proto.RespRequestCodeNotSupported, proto.RespSystemError}, codes)
}
