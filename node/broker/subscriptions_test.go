package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestAMemberThatPullsWithoutItsSubscriptionGetsWhatItSaidItself(t *testing.T) {
	w := newWorld(t)
	other := w.addClient("other")
	for _, tag := range []string{"red", "blue"} {
		w.succeeds(sendRequest("orders", 0, tag, "TAGS\x01"+tag+"\x02"))
	}
	w.succeeds(heartbeat("one", "g", subscribed(subscription("orders", "red", 1))))
	other.succeeds(heartbeat("two", "g", subscribed(subscription("orders", "blue", 2), subscription("bills", "*", 2))))
	require.Equal(t, []string{"red"}, bodies(t, w.succeeds(registeredPull("g", 1))), "not what the last heartbeat said")
	require.Equal(t, []string{"blue"}, bodies(t, other.succeeds(registeredPull("g", 2))))
	w.succeeds(heartbeat("one", "g", subscribed(subscription("bills", "*", 3))))
	require.Equal(t, []string{"blue"}, bodies(t, other.succeeds(registeredPull("g", 2))), "the topic is the other's still")
	w.refused(registeredPull("g", 1), proto.RespSubscriptionNotExist, "group g has no heartbeat that subscribes orders")

	third := w.addClient("third")
	other.succeeds(heartbeat("two", "g", subscribed(subscription("orders", "blue", 3))))
	require.Equal(t, []string{"blue"}, bodies(t, third.succeeds(registeredPull("g", 3))), "who has said nothing gets what the group's last heartbeat said")
}

func TestAPullThatCarriesItsSubscriptionIsServedByThat(t *testing.T) {
	w := newWorld(t)
	w.sizes(1, 9)
	w.succeeds(heartbeat("one", "g", subscribed(subscription("orders", "red", 1))))
	require.Equal(t, []string{"9"}, bodies(t, w.succeeds(sqlPull("orders", 0, 0, "size > 5"))))
	require.Equal(t, []string{"1", "9"}, bodies(t, w.succeeds(pullRequest("orders", 0, 0, 0, "*"))))
}

func TestAMemberWhoseSubscriptionsAreNotKnownMustSendThemAgain(t *testing.T) {
	w := newWorld(t)
	beat := func(without bool) string {
		return w.succeeds(heartbeat("one", "g", func(data *proto.HeartbeatData) {
			data.Fingerprint, data.WithoutSubscriptions = 7, without
			if without {
				data.Consumers[0].Subscriptions = nil
			}
		})).Fields.String("IS_SUB_CHANGE")
	}
	beat(false)
	require.Equal(t, "false", beat(true))
	other := w.addClient("other")
	other.succeeds(heartbeat("two", "g", func(data *proto.HeartbeatData) { data.Fingerprint = 7 }))
	w.run(func() {
		conn, err := w.client.Conn(nil, address, env.Never)
		require.NoError(t, err)
		conn.Close()
	})
	w.pass(time.Second)
	require.Equal(t, "true", beat(true), "the group has this fingerprint, but the connection is new")
	require.Equal(t, "false", beat(false))
	require.Equal(t, "false", beat(true))
}

func TestMembersThatSubscribeDifferentlyAreToldOfOnceAndListed(t *testing.T) {
	w := newWorld(t)
	two, three := w.addClient("two"), w.addClient("three")
	told := func() int { return w.logged.FilterMessageSnippet("different messages").Len() }
	w.succeeds(heartbeat("one", "g", subscribed(subscription("orders", "red || blue", 1))))
	two.succeeds(heartbeat("two", "g", subscribed(subscription("orders", "blue||red", 1))))
	require.Empty(t, w.broker.Conflicts(""), "these are the same")

	three.succeeds(heartbeat("three", "g", subscribed(subscription("orders", "green", 1))))
	for version := range int64(3) {
		three.succeeds(heartbeat("three", "g", subscribed(subscription("orders", "green", 2+version))))
		two.succeeds(heartbeat("two", "g", subscribed(subscription("orders", "blue||red", 2+version))))
	}
	conflict := []string{"client three of group g subscribes TAG green of topic orders, others TAG red || blue"}
	require.Equal(t, conflict, w.broker.Conflicts(""))
	require.Equal(t, conflict, w.broker.Conflicts("g"))
	require.Empty(t, w.broker.Conflicts("h"))
	require.Equal(t, 1, told())
	require.Equal(t, "1", w.runtime()["subscriptionConflicts"])

	three.succeeds(heartbeat("three", "g", subscribed(sqlSubscription("orders", "a > 1", 9))))
	require.Equal(t, 2, told(), "another difference")
	three.succeeds(heartbeat("three", "g", subscribed(subscription("bills", "*", 10), subscription("orders", "red||blue", 10))))
	require.Equal(t, []string{"client three of group g subscribes TAG * of topic bills, others nothing"}, w.broker.Conflicts(""))
	three.succeeds(heartbeat("three", "g", subscribed(subscription("orders", "red||blue", 10))))
	require.Empty(t, w.broker.Conflicts(""))
	require.Equal(t, "0", w.runtime()["subscriptionConflicts"])
	require.Equal(t, "3", w.runtime()["subscriptionConflictsTotal"])
	require.Equal(t, 3, told())
}

func TestAConflictEndsWithItsMember(t *testing.T) {
	w := newWorld(t)
	other := w.addClient("other")
	w.succeeds(heartbeat("one", "g", subscribed(subscription("orders", "red", 1))))
	other.succeeds(heartbeat("two", "g", subscribed(subscription("orders", "blue", 1))))
	require.Len(t, w.broker.Conflicts("g"), 1, "of two members the later one differs")
	other.machine.Crash(sim.KillProcess)
	w.pass(time.Second)
	require.JSONEq(t, `{"consumerIdList":["one"]}`, string(w.succeeds(consumersRequest("g")).Body))
	require.Empty(t, w.broker.Conflicts("g"))
}

// TestMembersThatPullMayChooseTopics: such a group divides queues as the application likes, but what it wants of a topic should be the same.
func TestMembersThatPullMayChooseTopics(t *testing.T) {
	w := newWorld(t)
	other := w.addClient("other")
	pulls := func(s ...proto.SubscriptionData) func(*proto.HeartbeatData) {
		return func(data *proto.HeartbeatData) {
			data.Consumers[0].ConsumeType, data.Consumers[0].Subscriptions = proto.ConsumePull, s
		}
	}
	w.succeeds(heartbeat("one", "g", pulls(subscription("orders", "red", 1))))
	other.succeeds(heartbeat("two", "g", pulls(subscription("bills", "*", 1))))
	require.Empty(t, w.broker.Conflicts("g"))
	other.succeeds(heartbeat("two", "g", pulls(subscription("bills", "*", 1), subscription("orders", "*", 1))))
	require.Equal(t, []string{"client two of group g subscribes TAG * of topic orders, others TAG red"}, w.broker.Conflicts("g"))
}

func TestALongExpressionIsCutWhereItIsShown(t *testing.T) {
	w := newWorld(t)
	other := w.addClient("other")
	long := "é"
	for n := range 100 {
		long += fmt.Sprint(" || é", n)
	}
	w.succeeds(heartbeat("one", "g", subscribed(subscription("orders", "red", 1))))
	other.succeeds(heartbeat("two", "g", subscribed(subscription("orders", long, 1))))
	text := w.broker.Conflicts("g")[0]
	require.Contains(t, text, fmt.Sprintf("… (%d bytes)", len(long)))
	require.Less(t, len(text), 320)
}
