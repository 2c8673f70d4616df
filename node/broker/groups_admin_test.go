package broker_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// updateGroupRequest makes a group with the settings of one that makes itself, as changed.
func updateGroupRequest(name string, change func(*proto.SubscriptionGroupConfig)) *transport.Request {
	group := proto.NewSubscriptionGroupConfig(name)
	if change != nil {
		change(&group)
	}
	return &transport.Request{Code: proto.ReqUpdateAndCreateSubscriptionGroup, Body: group.Marshal()}
}

func groupRequest(name string) *transport.Request {
	return &transport.Request{Code: proto.ReqGetSubscriptionGroupConfig, Header: &proto.GetSubscriptionGroupConfig{Group: name}}
}

func deleteGroupRequest(name string, clean bool) *transport.Request {
	return &transport.Request{Code: proto.ReqDeleteSubscriptionGroup, Header: &proto.DeleteSubscriptionGroup{Group: name, CleanOffsets: clean}}
}

func (w *world) group(name string) proto.SubscriptionGroupConfig {
	w.t.Helper()
	group, err := proto.UnmarshalSubscriptionGroupConfig(w.succeeds(groupRequest(name)).Body)
	require.NoError(w.t, err)
	return group
}

func TestAGroupThatAToolMakesSurvivesAPowerLossWithAllItsSettings(t *testing.T) {
	w := newWorld(t)
	want := proto.SubscriptionGroupConfig{
		Name: "mine", ConsumeFromMin: true, ConsumeOrdered: true, RetryQueues: 2, RedeliveriesMax: 3,
		RetryPolicy: proto.GroupRetryPolicy{Type: proto.RetryExponential, Exponential: proto.Some(proto.ExponentialRetry{InitialMillis: 1, MaxMillis: 9, Multiplier: 3})},
		BrokerID:    1, SlowBrokerID: 2, SysFlags: 4, TimeoutMinutes: 7,
		Subscriptions: []proto.SimpleSubscriptionData{{Topic: "orders", Expression: "*", ExpressionType: "TAG", Version: 5}},
	}
	w.succeeds(&transport.Request{Code: proto.ReqUpdateAndCreateSubscriptionGroup, Body: want.Marshal()})
	require.Equal(t, want, w.group("mine"))
	w.restart(sim.PowerLoss)
	require.Equal(t, want, w.group("mine"))
}

func TestAGroupThatIsChangedIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(pullRequest("orders", 0, 0, 0, "*"))
	w.succeeds(updateGroupRequest("g", func(g *proto.SubscriptionGroupConfig) { g.Consume = false }))
	w.refused(pullRequest("orders", 0, 0, 0, "*"), proto.RespNoPermission, "subscription group no permission, g")
	before := w.file("config/subscriptionGroup.json")
	w.succeeds(updateGroupRequest("g", func(g *proto.SubscriptionGroupConfig) { g.Consume = false }))
	require.Equal(t, before, w.file("config/subscriptionGroup.json"), "a change that changes nothing is not saved")
	w.succeeds(updateGroupRequest("g", nil))
	w.succeeds(pullRequest("orders", 0, 0, 0, "*"))
}

func TestAGroupThatCannotBeIsRefused(t *testing.T) {
	w := newWorld(t)
	body := func(text string) *transport.Request {
		return &transport.Request{Code: proto.ReqUpdateAndCreateSubscriptionGroup, Body: []byte(text)}
	}
	w.refused(body(`{"groupName":`), proto.RespSystemError, "SubscriptionGroupConfig")
	w.refused(body(`{}`), proto.RespSystemError, "group")
	w.refused(body(`{"groupName":"a b"}`), proto.RespSystemError, "group")
	w.refused(body(`{"groupName":"g","retryQueueNums":-1}`), proto.RespSystemError, "retryQueueNums -1: want 0, for no redeliveries, to 65536")
	w.refused(body(`{"groupName":"g","retryQueueNums":65537}`), proto.RespSystemError, "retryQueueNums 65537")
	w.refused(body(`{"groupName":"g","attributes":{"+a":"b"}}`), proto.RespSystemError, `attributes: "+a" cannot be set`)
	w.refused(groupRequest("g"), proto.RespSubscriptionGroupNotExist, "no group g")
	w.refused(&transport.Request{Code: proto.ReqGetSubscriptionGroupConfig}, proto.RespInvalidParameter, "group")
}

func TestAttributesThatAJavaBrokerHasLeftStayOrGo(t *testing.T) {
	w := prepareWorld(t)
	w.write("config/subscriptionGroup.json", `{"subscriptionGroupTable":{"g":{"groupName":"g","attributes":{"a":"b","c":"d"}}}}`)
	w.start()
	attributes := func(change map[string]string) *transport.Request {
		return updateGroupRequest("g", func(g *proto.SubscriptionGroupConfig) { g.Attributes = change })
	}
	w.succeeds(updateGroupRequest("g", nil))
	require.Equal(t, map[string]string{"a": "b", "c": "d"}, w.group("g").Attributes)
	w.succeeds(attributes(map[string]string{"a": "b", "-c": ""}))
	require.Equal(t, map[string]string{"a": "b"}, w.group("g").Attributes)
	w.refused(attributes(map[string]string{"+a": "other"}), proto.RespSystemError, "attributes")
	w.refused(attributes(map[string]string{"-c": ""}), proto.RespSystemError, "attributes")
	w.succeeds(attributes(map[string]string{"-a": ""}))
	require.Empty(t, w.group("g").Attributes)
}

// TestMoreRetryQueuesAreQueuesThatCanBeRead: Java brokers send redeliveries to queues that the retry topic does not have.
func TestMoreRetryQueuesAreQueuesThatCanBeRead(t *testing.T) {
	w := newWorld(t)
	w.succeeds(heartbeat("one", "g", nil))
	w.succeeds(updateGroupRequest("g", func(g *proto.SubscriptionGroupConfig) { g.RetryQueues = 3 }))
	require.EqualValues(t, 3, w.topicTable()["%RETRY%g"].ReadQueues)
	require.EqualValues(t, 3, w.topicTable()["%RETRY%g"].WriteQueues)
	w.succeeds(updateGroupRequest("g", func(g *proto.SubscriptionGroupConfig) { g.RetryQueues = 2 }))
	require.EqualValues(t, 3, w.topicTable()["%RETRY%g"].ReadQueues, "what is in them is to be consumed")
	w.succeeds(updateGroupRequest("h", func(g *proto.SubscriptionGroupConfig) { g.RetryQueues = 3 }))
	require.NotContains(t, w.topicTable(), "%RETRY%h", "it is made when somebody consumes")
}

// groupPage asks for a page of the table of groups.
func groupPage(first, most int32, version proto.Maybe[proto.DataVersion]) *transport.Request {
	return &transport.Request{Code: proto.ReqGetAllSubscriptionGroupConfig, Header: &proto.GetAllSubscriptionGroupConfig{
		First: proto.Some(first), Max: proto.Some(most), Version: version,
	}}
}

func (w *world) groupTable(request *transport.Request) (table *proto.SubscriptionGroupTable, total string) {
	w.t.Helper()
	response := w.succeeds(request)
	table, err := proto.UnmarshalSubscriptionGroupTable(response.Body)
	require.NoError(w.t, err)
	return table, response.Fields.String("totalGroupNum")
}

func TestTheTableOfGroupsComesWholeOrInPages(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateGroupRequest("mine", nil))
	all, total := w.groupTable(&transport.Request{Code: proto.ReqGetAllSubscriptionGroupConfig})
	require.Equal(t, "9", total)
	require.Len(t, all.Groups, 9)
	require.EqualValues(t, 1, all.Version.Counter)
	var paged []proto.SubscriptionGroupConfig
	for first := int32(0); ; first += 4 {
		page, total := w.groupTable(groupPage(first, 4, proto.Some(all.Version)))
		require.Equal(t, "9", total)
		if len(page.Groups) == 0 {
			break
		}
		require.LessOrEqual(t, len(page.Groups), 4)
		paged = append(paged, page.Groups...)
	}
	require.Equal(t, all.Groups, paged)
	again, _ := w.groupTable(groupPage(4, 4, proto.Some(proto.DataVersion{Counter: 77})))
	require.Equal(t, all.Groups[:4], again.Groups, "who has another version begins anew")
	rest, _ := w.groupTable(groupPage(-1, 0, proto.Maybe[proto.DataVersion]{}))
	require.Equal(t, all.Groups, rest.Groups)
}

func TestADeletedGroupIsGoneAndKeepsItsOffsetsUnlessTheyAreCleaned(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(commitRequest("g", "orders", 0, 1))
	w.succeeds(commitRequest("gg", "orders", 0, 1))
	w.succeeds(resetRequest(0, toOffset(0)))
	w.lock("g", "one", 0)
	w.succeeds(deleteGroupRequest("g", false))
	w.refused(groupRequest("g"), proto.RespSubscriptionGroupNotExist, "no group g")
	w.committed("g", "orders", 0, "0")
	require.Empty(t, w.lock("g", "two", 0), "the lock stays")

	w.succeeds(commitRequest("h", "orders", 0, 1))
	w.succeeds(deleteGroupRequest("g", true))
	w.refused(queryRequest("g", "orders", 0), proto.RespQueryNotFound, "")
	w.committed("gg", "orders", 0, "1")
	w.committed("h", "orders", 0, "1")
	w.succeeds(commitRequest("g", "orders", 0, 1))
	w.committed("g", "orders", 0, "1")
	require.Equal(t, []int32{0}, w.lock("g", "two", 0))
	require.NotContains(t, w.file("config/pendingResets.json"), `"g"`, "no client is told of the reset any more")
	w.succeeds(deleteGroupRequest("g", true))
	w.restart(sim.PowerLoss)
	w.refused(groupRequest("g"), proto.RespSubscriptionGroupNotExist, "no group g")
	w.refused(queryRequest("g", "orders", 0), proto.RespQueryNotFound, "")
	w.succeeds(deleteGroupRequest("nobody", true))
}

func TestAGroupThatEveryBrokerHasCannotBeDeleted(t *testing.T) {
	w := newWorld(t)
	w.refused(deleteGroupRequest("TOOLS_CONSUMER", true), proto.RespInvalidParameter, "groupName: TOOLS_CONSUMER is one of the groups that every broker has")
	w.refused(&transport.Request{Code: proto.ReqDeleteSubscriptionGroup}, proto.RespInvalidParameter, "groupName")
}

// TestADeletedGroupLosesItsOwnBansOnly also on the disk.
func TestADeletedGroupLosesItsOwnBansOnly(t *testing.T) {
	w := prepareWorld(t)
	w.write("config/subscriptionGroup.json", `{"forbiddenTable":{"g":{"orders":4},"h":{"orders":4}},"subscriptionGroupTable":{"g":{},"h":{}}}`)
	w.start()
	w.succeeds(deleteGroupRequest("g", false))
	var file struct {
		Forbidden map[string]map[string]int32 `json:"forbiddenTable"`
	}
	require.NoError(t, json.Unmarshal([]byte(w.file("config/subscriptionGroup.json")), &file))
	require.Equal(t, map[string]map[string]int32{"h": {"orders": 4}}, file.Forbidden)
	table, _ := w.groupTable(&transport.Request{Code: proto.ReqGetAllSubscriptionGroupConfig})
	require.Equal(t, []proto.ForbiddenPerm{{Group: "h", Topic: "orders", Perm: 4}}, table.Forbidden)
}

// TestACommitThatWaitsForTheDiskDoesNotOutliveItsGroup: it is answered all the same.
func TestACommitThatWaitsForTheDiskDoesNotOutliveItsGroup(t *testing.T) {
	w := newWorld(t, noAutoGroups)
	w.succeeds(updateGroupRequest("g", nil))
	w.fillQueue("orders", 0, 40)
	w.slowDisk(500 * time.Millisecond)
	tool := w.addClient("tool")
	var removed *wire.Command
	var answers []**wire.Command
	for n := range 40 {
		answers = append(answers, w.begin(commitRequest("g", "orders", 0, int64(n))))
		if n == 5 {
			// The group goes while the journal is being written and other commits wait for it.
			w.pass(250 * time.Millisecond)
			tool.machine.Node("tool", ".").Tasks.Go("delete", func() {
				removed, _ = tool.client.Call(nil, address, deleteGroupRequest("g", true), time.Minute)
			})
		}
		w.pass(100 * time.Millisecond)
	}
	w.pass(10 * time.Second)
	require.NotNil(t, removed)
	require.EqualValues(t, proto.RespSuccess, removed.Code, removed.Remark)
	codes := map[int32]int{}
	for _, answer := range answers {
		require.NotNil(t, *answer)
		codes[(*answer).Code]++
	}
	require.Positive(t, codes[proto.RespSuccess])
	require.Equal(t, len(answers), codes[proto.RespSuccess]+codes[proto.RespSubscriptionGroupNotExist])
	w.refused(queryRequest("g", "orders", 0), proto.RespQueryNotFound, "")
	w.restart(sim.PowerLoss)
	w.refused(queryRequest("g", "orders", 0), proto.RespQueryNotFound, "")
}
