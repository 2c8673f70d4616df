package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// admin is a cluster with a second name server, and what an Admin needs to know of it.
func admin(t *testing.T) (*cluster, *nameServer, func() *client.Admin) {
	t.Helper()
	c, second := twoNameServers(t, 1)
	info := &proto.ClusterInfo{
		Brokers:  route(1, c.b, c.a).Brokers,
		Clusters: []proto.Cluster{{Name: "c", BrokerNames: []string{"b", "a"}}, {Name: "empty"}},
	}
	c.names.cluster, second.cluster = info, info
	return c, second, func() *client.Admin {
		a, err := client.NewAdmin(c.app, client.WithNameServers(c.names.address, second.address))
		must(err)
		return a
	}
}

func TestATopicIsCreatedAtAllMastersOfACluster(t *testing.T) {
	c, _, newAdmin := admin(t)
	topic := client.TopicConfig{
		Name: "fresh", ReadQueues: 8, WriteQueues: 4, Perm: proto.PermReadWrite, Ordered: true,
		Attributes: map[string]string{"message.type": "FIFO", "cleanup.policy": "DELETE"},
	}
	var at []string
	var unknown error
	c.run(time.Minute, func() {
		a := newAdmin()
		var err error
		at, err = a.UpdateTopicInCluster(background, "c", topic)
		must(err)
		_, unknown = a.UpdateTopicInCluster(background, "nowhere", topic)
		must(a.Close(background))
	})
	require.Equal(t, []string{c.a.address, c.b.address}, at)
	require.Equal(t, []proto.UpdateAndCreateTopic{{
		Topic: "fresh", DefaultTopic: "TBW102", ReadQueues: 8, WriteQueues: 4, Perm: 6, SysFlags: proto.Some[proto.TopicSysFlag](0),
		Ordered: true, Attributes: "+cleanup.policy=DELETE,+message.type=FIFO",
	}}, c.a.topics)
	require.Equal(t, c.a.topics, c.b.topics)
	require.ErrorIs(t, unknown, client.ErrNoBroker)
	require.ErrorContains(t, unknown, `"c" "empty"`)
	require.Empty(t, c.machine.TaskNames())
}

func TestAFailureAtOneMasterDoesNotKeepTheOthersFromChanging(t *testing.T) {
	c, second, newAdmin := admin(t)
	c.a.intercept = func(in *transportIncoming) bool {
		in.Reply().Error(proto.RespInvalidParameter, "bad name")
		return true
	}
	var at []string
	var update, remove error
	c.run(time.Minute, func() {
		a := newAdmin()
		at, update = a.UpdateTopicInCluster(background, "c", proto.NewTopicConfig("fresh"))
		remove = a.DeleteTopic(background, "c", "fresh")
	})
	require.Equal(t, []string{c.b.address}, at)
	for _, err := range []error{update, remove} {
		var answer *client.ResponseError
		require.ErrorAs(t, err, &answer)
		require.Equal(t, c.a.address, answer.Address)
	}
	require.Empty(t, c.names.deleted)
	require.Empty(t, second.deleted)
}

func TestADeletedTopicLeavesBrokersAndAllNameServers(t *testing.T) {
	c, second, newAdmin := admin(t)
	c.run(time.Minute, func() { must(newAdmin().DeleteTopic(background, "c", "orders")) })
	require.Equal(t, 1, c.a.count(proto.ReqDeleteTopicInBroker))
	require.Equal(t, 1, c.b.count(proto.ReqDeleteTopicInBroker))
	require.Equal(t, []string{"orders of c"}, c.names.deleted)
	require.Equal(t, []string{"orders of c"}, second.deleted)
}

func TestTopicsRoutesAndStatsAreShown(t *testing.T) {
	c, _, newAdmin := admin(t)
	c.names.routes["bills"] = route(1, c.a)
	c.b.append(client.Queue{Topic: "orders", BrokerName: "b", QueueID: 1}, []byte("x"), nil, 0)
	var all, ofCluster, nameServers []string
	var shown *client.Route
	var stats *client.TopicStats
	var runtime map[string]string
	var unknown error
	c.run(time.Minute, func() {
		a := newAdmin()
		var errs [6]error
		all, errs[0] = a.Topics(background)
		ofCluster, errs[1] = a.TopicsOfCluster(background, "c")
		shown, errs[2] = a.Route(background, "orders")
		stats, errs[3] = a.TopicStats(background, "orders")
		runtime, errs[4] = a.RuntimeInfo(background, c.a.address)
		nameServers, errs[5] = a.NameServers(background)
		for _, err := range errs {
			must(err)
		}
		_, unknown = a.TopicStats(background, "nowhere")
	})
	require.Equal(t, []string{"bills", "orders"}, all)
	require.Equal(t, all, ofCluster)
	require.Equal(t, c.names.routes["orders"].String(), shown.String())
	require.Len(t, stats.Queues, 4)
	require.Equal(t, "orders@b:1 [0, 1)", stats.Queues[3].String())
	require.InDelta(t, 2.0, stats.PutPerSecond, 0)
	require.Equal(t, "V5_3_2", runtime["brokerVersionDesc"])
	require.Len(t, nameServers, 2)
	require.ErrorIs(t, unknown, client.ErrTopicNotFound)
}

func TestConfigurationIsWrittenToEveryNameServer(t *testing.T) {
	c, second, newAdmin := admin(t)
	var value string
	var found, gone bool
	var list map[string]string
	c.run(time.Minute, func() {
		a := newAdmin()
		must(a.PutConfig(background, "ORDER_TOPIC_CONFIG", "orders", "a:4;b:4"))
		if len(c.names.kv) != 1 || len(second.kv) != 1 {
			panic("both name servers need it")
		}
		var err error
		value, found, err = a.GetConfig(background, "ORDER_TOPIC_CONFIG", "orders")
		must(err)
		list, err = a.ListConfig(background, "ORDER_TOPIC_CONFIG")
		must(err)
		must(a.DeleteConfig(background, "ORDER_TOPIC_CONFIG", "orders"))
		_, gone, err = a.GetConfig(background, "ORDER_TOPIC_CONFIG", "orders")
		must(err)
	})
	require.Equal(t, "a:4;b:4", value)
	require.True(t, found)
	require.False(t, gone)
	require.Len(t, list, 1)
	require.Empty(t, second.kv)
}

func TestAChangeThatOneNameServerMissesIsAnError(t *testing.T) {
	c, second, newAdmin := admin(t)
	second.intercept = silent
	var put error
	c.run(time.Minute, func() { put = newAdmin().PutConfig(background, "n", "k", "v") })
	require.ErrorIs(t, put, client.ErrTimeout)
	require.ErrorContains(t, put, second.address)
	require.Len(t, c.names.kv, 1, "the others have it")
}

func TestWritePermissionIsTakenAndGivenAtEveryNameServer(t *testing.T) {
	c, second, newAdmin := admin(t)
	var wiped, added int
	c.run(time.Minute, func() {
		a := newAdmin()
		var err error
		wiped, err = a.WipeWritePermission(background, "a")
		must(err)
		added, err = a.AddWritePermission(background, "a")
		must(err)
	})
	require.Equal(t, 3, wiped)
	require.Equal(t, 3, added)
	for _, n := range []*nameServer{c.names, second} {
		require.Equal(t, 1, n.count(proto.ReqWipeWritePermOfBroker))
		require.Equal(t, 1, n.count(proto.ReqAddWritePermOfBroker))
	}
}

func TestAMessageIsViewedByItsPlace(t *testing.T) {
	c, _, newAdmin := admin(t)
	c.a.append(first, []byte("seen"), []byte("UNIQ_KEY\x01U\x02"), 0)
	c.a.viewable(first)
	var got *client.Received
	var gone error
	c.run(time.Minute, func() {
		a := newAdmin()
		var err error
		got, err = a.ViewMessage(background, message.OffsetID{StoreHost: c.a.host})
		must(err)
		c.a.intercept = refusing(proto.ReqViewMessageByID, proto.RespSystemError)
		_, gone = a.ViewMessage(background, message.OffsetID{StoreHost: c.a.host, LogOffset: 9})
	})
	require.Equal(t, "seen", string(got.Body))
	require.Equal(t, "U", got.ID())
	require.Equal(t, "orders", got.Queue.Topic)
	var answer *client.ResponseError
	require.ErrorAs(t, gone, &answer)
}

func TestTheConfigurationOfABrokerIsReadAndChanged(t *testing.T) {
	c, _, newAdmin := admin(t)
	config := proto.ConfigText{{Key: "brokerName", Value: "a"}}
	c.a.intercept = func(in *transportIncoming) bool {
		switch in.Command.Code {
		case proto.ReqGetBrokerConfig:
			in.Reply().Success(config.Marshal())
		case proto.ReqUpdateBrokerConfig:
			changes, err := proto.ParseConfigText(in.Command.Body)
			must(err)
			config = append(config, changes...)
			in.Reply().Success(nil)
		default:
			return false
		}
		return true
	}
	var read proto.ConfigText
	c.run(time.Minute, func() {
		a := newAdmin()
		_, err := a.UpdateBrokerConfig(background, c.a.address, proto.ConfigText{{Key: "fileReservedTime", Value: "48"}})
		must(err)
		read, err = a.BrokerConfig(background, c.a.address)
		must(err)
	})
	require.Equal(t, config, read)
	require.Len(t, read, 2)
}
