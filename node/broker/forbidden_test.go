package broker_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func forbiddenRequest(group, topic string, readable proto.Maybe[bool]) *transport.Request {
	return &transport.Request{Code: proto.ReqUpdateAndGetGroupForbidden, Header: &proto.UpdateAndGetGroupForbidden{Group: group, Topic: topic, Readable: readable}}
}

var (
	forbid = proto.Some(false)
	permit = proto.Some(true)
	ask    = proto.Maybe[bool]{}
)

// readable asks whether a group may read a topic, after it was changed if so wanted.
func (w *world) readable(group, topic string, readable proto.Maybe[bool]) bool {
	w.t.Helper()
	answer, err := proto.UnmarshalGroupForbidden(w.succeeds(forbiddenRequest(group, topic, readable)).Body)
	require.NoError(w.t, err)
	require.Equal(w.t, group, answer.Group)
	require.Equal(w.t, topic, answer.Topic)
	return answer.Readable
}

func TestAGroupIsKeptFromATopicUntilItIsLetInAgain(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(sendRequest("bills", 0, "y", ""))
	require.True(t, w.readable("g", "orders", ask))
	require.False(t, w.readable("g", "orders", forbid))
	require.False(t, w.readable("g", "bills", forbid))
	w.refused(pullRequest("orders", 0, 0, 0, "*"), proto.RespNoPermission, "the consumer group[g] is forbidden for topic[orders]")
	w.succeeds(heartbeat("one", "g", nil))
	w.refused(registeredPull("g", 1), proto.RespNoPermission, "the consumer group[g] is forbidden for topic[orders]")
	w.succeeds(heartbeat("one", "h", nil))
	w.succeeds(registeredPull("h", 1))

	w.restart(sim.PowerLoss)
	require.False(t, w.readable("g", "orders", ask), "a ban outlives the broker")
	require.True(t, w.readable("g", "orders", permit))
	w.restart(sim.PowerLoss)
	require.Equal(t, []string{"x"}, bodies(t, w.succeeds(pullRequest("orders", 0, 0, 0, "*"))))
	w.refused(pullRequest("bills", 0, 0, 0, "*"), proto.RespNoPermission, "forbidden for topic[bills]")
	require.Contains(t, w.file("config/subscriptionGroup.json"), `"forbiddenTable":{"g":{"bills":4}}`)
	require.True(t, w.readable("g", "bills", permit))
	require.NotContains(t, w.file("config/subscriptionGroup.json"), "forbiddenTable", "nothing is left of the last ban")
}

func TestOtherBitsOfTheForbiddenTableStay(t *testing.T) {
	w := prepareWorld(t)
	w.write("config/subscriptionGroup.json", `{"forbiddenTable":{"g":{"orders":6}},"subscriptionGroupTable":{"g":{}}}`)
	w.start()
	require.False(t, w.readable("g", "orders", ask))
	require.True(t, w.readable("g", "orders", permit))
	require.Contains(t, w.file("config/subscriptionGroup.json"), `"forbiddenTable":{"g":{"orders":2}}`)
	before := w.file("config/subscriptionGroup.json")
	require.True(t, w.readable("g", "orders", permit))
	require.Equal(t, before, w.file("config/subscriptionGroup.json"), "a change that changes nothing is not saved")
}

func TestAHeldPullEndsWhenItsGroupIsKeptOut(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	held := w.begin(pullRequest("orders", 0, 1, time.Minute, "*"))
	w.pass(time.Second)
	w.readable("g", "others", forbid)
	w.pass(time.Second)
	require.Nil(t, *held)
	w.readable("g", "orders", forbid)
	w.pass(time.Second)
	require.NotNil(t, *held)
	require.EqualValues(t, proto.RespNoPermission, (*held).Code)
}

func TestBansHaveALimit(t *testing.T) {
	w := prepareWorld(t)
	table := map[string]map[string]int32{"g": {}}
	for n := range 10_000 {
		table["g"][fmt.Sprint("topic", n)] = 4
		if n > 0 {
			table[fmt.Sprint("group", n)] = map[string]int32{"orders": 4}
		}
	}
	text, err := json.Marshal(map[string]any{"forbiddenTable": table, "subscriptionGroupTable": map[string]any{}})
	require.NoError(t, err)
	w.write("config/subscriptionGroup.json", string(text))
	w.start()
	w.refused(forbiddenRequest("g", "orders", forbid), proto.RespSystemError, "more than 10000")
	w.refused(forbiddenRequest("h", "orders", forbid), proto.RespSystemError, "more than 10000")
	require.False(t, w.readable("group1", "bills", forbid), "its group has bans, and few")
	require.True(t, w.readable("g", "topic1", permit))
	require.False(t, w.readable("g", "orders", forbid))
	require.True(t, w.readable("group2", "orders", permit))
	require.False(t, w.readable("h", "orders", forbid))
}

func TestABanThatCannotBeIsRefused(t *testing.T) {
	w := newWorld(t)
	w.refused(forbiddenRequest("a b", "orders", forbid), proto.RespInvalidParameter, "group name")
	w.refused(forbiddenRequest("g", "a b", forbid), proto.RespInvalidParameter, "topic name")
	w.refused(&transport.Request{Code: proto.ReqUpdateAndGetGroupForbidden}, proto.RespInvalidParameter, `"group" is missing`)
	require.False(t, w.readable("not-there", "nor-this", forbid), "a ban may come before what it is about")
}

func TestARefusedPullSaysWhichPermissionItLacks(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	kind := func() string {
		answer := w.call(pullRequest("orders", 0, 0, 0, "*"))
		require.Equal(t, proto.ResponseName(proto.RespNoPermission), proto.ResponseName(answer.Code), answer.Remark)
		return answer.Fields.String("forbiddenType")
	}
	w.readable("g", "orders", forbid)
	require.Equal(t, "5", kind())
	w.setGroup(func(g *proto.SubscriptionGroupConfig) { g.ConsumeBroadcast = false })
	w.succeeds(heartbeat("one", "g", func(data *proto.HeartbeatData) { data.Consumers[0].Model = proto.Broadcasting }))
	require.Equal(t, "4", kind())
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.Perm = proto.PermWrite }))
	require.Equal(t, "3", kind())
	w.setGroup(func(g *proto.SubscriptionGroupConfig) { g.Consume = false })
	require.Equal(t, "2", kind())
	w.succeeds(configRequest("brokerPermission", "2"))
	require.Equal(t, "1", kind())
	answer := w.call(pullRequest("nowhere", 9, 0, 0, "*"))
	require.Equal(t, "1", answer.Fields.String("forbiddenType"))
}
