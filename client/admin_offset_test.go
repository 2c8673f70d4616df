package client_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func at(c *cluster) client.Broker { return client.Broker{Name: "a", Address: c.a.address} }

func TestAGroupIsResetByItsBroker(t *testing.T) {
	c, _, newAdmin := admin(t)
	var asked []proto.ResetOffset
	answer := proto.ResetOffsets{Offsets: []proto.QueueOffset{{Queue: first, Offset: 7}}}
	c.a.answers(map[int32]func(in *transportIncoming){
		proto.ReqInvokeBrokerToResetOffset: func(in *transportIncoming) {
			var h proto.ResetOffset
			header(&h, body(answer.Marshal(wire.LanguageGo)))(in)
			asked = append(asked, h)
		},
	})
	var cloned proto.CloneGroupOffset
	c.b.answers(map[int32]func(in *transportIncoming){proto.ReqCloneGroupOffset: header(&cloned, body(nil))})
	var positions []client.QueuePosition
	c.run(time.Minute, func() {
		a := newAdmin()
		for _, reset := range []client.Reset{
			{Group: "g", Topic: "orders", To: time.UnixMilli(5000)},
			{Group: "g", Topic: "orders", OnlyBack: true},
			{Group: "g", Topic: "orders", Queue: proto.Some[int32](1), Offset: proto.Some[int64](9)},
		} {
			var err error
			positions, err = a.ResetOffset(background, at(c), reset)
			must(err)
		}
		must(a.CloneOffsets(background, c.b.address, "g", "h", "orders", true))
	})
	require.Equal(t, []proto.ResetOffset{
		{Topic: "orders", Group: "g", Timestamp: 5000, Force: true},
		{Topic: "orders", Group: "g", Timestamp: -1},
		{Topic: "orders", Group: "g", Timestamp: -1, Force: true, QueueID: proto.Some[int32](1), Offset: proto.Some[int64](9)},
	}, asked)
	require.Equal(t, answer.Offsets, positions)
	require.Equal(t, proto.CloneGroupOffset{FromGroup: "g", ToGroup: "h", Topic: "orders", Offline: true}, cloned)
}

func TestAGroupWithoutMembersIsResetByCommitsWhereBrokersCannot(t *testing.T) {
	for name, test := range map[string]struct {
		reset client.Reset
		want  map[string]int64
	}{
		"to a time":         {client.Reset{To: time.UnixMilli(3000)}, map[string]int64{"0": 3, "1": 3}},
		"only back":         {client.Reset{To: time.UnixMilli(3000), OnlyBack: true}, map[string]int64{"0": 2, "1": 3}},
		"behind the newest": {client.Reset{}, map[string]int64{"0": 1, "1": 0}},
		"one queue":         {client.Reset{Queue: proto.Some[int32](1), Offset: proto.Some[int64](8)}, map[string]int64{"1": 8}},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, newAdmin := admin(t)
			c.a.append(first, []byte("x"), nil, 0)
			stats := proto.ConsumeStats{Queues: []proto.QueueProgress{{Queue: first, ConsumerOffset: 2}}}
			c.a.answers(map[int32]func(in *transportIncoming){
				proto.ReqInvokeBrokerToResetOffset: refusal(proto.RespConsumerNotOnline),
				proto.ReqGetConsumeStats:           body(stats.Marshal(proto.FormFastJSON)),
			})
			test.reset.Group, test.reset.Topic = "g", "orders"
			var positions []client.QueuePosition
			c.run(time.Minute, func() {
				var err error
				positions, err = newAdmin().ResetOffset(background, at(c), test.reset)
				must(err)
			})
			committed := map[string]int64{}
			for _, p := range positions {
				committed[strconv.Itoa(int(p.Queue.QueueID))] = p.Offset
				require.Equal(t, p.Offset, c.a.committed["g@orders@"+strconv.Itoa(int(p.Queue.QueueID))])
			}
			require.Equal(t, test.want, committed)
			require.Len(t, c.a.committed, len(test.want))
		})
	}
}

func TestStatisticsOfBrokersAreRead(t *testing.T) {
	c, _, newAdmin := admin(t)
	stats := proto.ConsumeStats{Queues: []proto.QueueProgress{{Queue: first, BrokerOffset: 9, ConsumerOffset: 2}}, ConsumedPerSecond: 1}
	list := proto.ConsumeStatsList{Groups: []proto.GroupConsumeStats{{Group: "g", Stats: []proto.ConsumeStats{stats}}}, Behind: 7}
	var asked proto.GetConsumeStats
	var name proto.ViewBrokerStatsData
	c.a.answers(map[int32]func(in *transportIncoming){
		proto.ReqGetConsumeStats:       header(&asked, body(stats.Marshal(proto.FormFastJSON))),
		proto.ReqGetBrokerConsumeStats: body(list.Marshal(proto.FormFastJSON)),
		proto.ReqViewBrokerStatsData:   header(&name, body((&proto.BrokerStatsData{Minute: proto.BrokerStatsItem{Sum: 60}}).Marshal())),
	})
	c.b.answers(map[int32]func(in *transportIncoming){proto.ReqViewBrokerStatsData: refusal(proto.RespSystemError)})
	var one *client.ConsumeStats
	var all *client.ConsumeStatsList
	var counted, nothing *client.StatsData
	c.run(time.Minute, func() {
		a := newAdmin()
		var errs [4]error
		one, errs[0] = a.ConsumeStats(background, c.a.address, "g", "orders")
		all, errs[1] = a.AllConsumeStats(background, c.a.address, false)
		counted, errs[2] = a.Stats(background, c.a.address, "TOPIC_PUT_NUMS", "orders")
		nothing, errs[3] = a.Stats(background, c.b.address, "TOPIC_PUT_NUMS", "orders")
		for _, err := range errs {
			must(err)
		}
	})
	require.Equal(t, proto.GetConsumeStats{ConsumerGroup: "g", Topic: "orders"}, asked)
	require.EqualValues(t, 7, one.Behind())
	require.Equal(t, "g", all.Groups[0].Group)
	require.Equal(t, proto.ViewBrokerStatsData{Name: "TOPIC_PUT_NUMS", Key: "orders"}, name)
	require.EqualValues(t, 60, counted.Minute.Sum)
	require.Zero(t, nothing.Minute.Sum)
}

func TestTheClockOfABrokerIsComparedWithOurs(t *testing.T) {
	c, _, newAdmin := admin(t)
	shift := int64(90_000)
	var seen int64
	c.a.intercept = func(in *transportIncoming) bool {
		switch in.Command.Code {
		case proto.ReqHeartbeat:
			seen = int64(c.a.env.Clock.Wall()) + shift
			return false
		case proto.ReqGetAllProducerInfo:
			data := c.a.heartbeats[len(c.a.heartbeats)-1]
			table := proto.ProducerTable{Groups: []proto.ProducerGroup{{Group: data.Producers[0].Group, Members: []proto.ProducerInfo{
				{Connection: proto.Connection{ClientID: "another"}, SeenAt: 1}, {Connection: proto.Connection{ClientID: data.ClientID}, SeenAt: seen},
			}}}}
			in.Reply().Success(table.Marshal())
			return true
		}
		return false
	}
	started := int64(c.b.env.Clock.Wall()) - (26*time.Hour + 3*time.Second).Milliseconds()
	age := "[ 1 days, 2 hours, 0 minutes, 3 seconds ]"
	runtime := map[string]string{"bootTimestamp": strconv.FormatInt(started, 10), "runtime": age}
	c.b.answers(map[int32]func(in *transportIncoming){
		proto.ReqGetAllProducerInfo:   refusal(proto.RespRequestCodeNotSupported),
		proto.ReqGetBrokerRuntimeInfo: func(in *transportIncoming) { in.Reply().Success((&proto.KVTable{Table: runtime}).Marshal()) },
	})
	var exact, rough client.ClockReading
	var unknown error
	c.run(time.Minute, func() {
		a := newAdmin()
		var err error
		exact, err = a.Clock(background, c.a.address)
		must(err)
		rough, err = a.Clock(background, c.b.address)
		must(err)
		runtime["runtime"] = "[ 1 days, many hours, 0 minutes, 3 seconds ]"
		_, unknown = a.Clock(background, c.b.address)
	})
	require.InDelta(t, 90*time.Second, exact.Ahead, float64(exact.Doubt))
	require.Less(t, exact.Doubt, time.Second)
	require.InDelta(t, 0, rough.Ahead, float64(rough.Doubt))
	require.GreaterOrEqual(t, rough.Doubt, 500*time.Millisecond)
	require.ErrorContains(t, unknown, "does not tell its time: "+c.b.address)
	require.Len(t, c.a.left, 1, "it leaves again")
	require.Equal(t, c.a.heartbeats[0].ClientID, c.a.left[0].ClientID)
}
