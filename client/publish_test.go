package client

import (
	"testing"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func master(name string) proto.BrokerRoute {
	return proto.BrokerRoute{BrokerName: name, Addresses: []proto.BrokerAddress{{ID: 0, Address: name + ":1"}}}
}

func texts(queues []Queue) []string {
	var list []string
	for _, q := range queues {
		list = append(list, q.String())
	}
	return list
}

func TestPublishQueuesAreThoseAMasterTakes(t *testing.T) {
	slaveOnly := proto.BrokerRoute{BrokerName: "d", Addresses: []proto.BrokerAddress{{ID: 1, Address: "d:1"}}}
	r := &proto.Route{
		Queues: []proto.QueueRoute{
			{BrokerName: "c", ReadQueues: 1, WriteQueues: 2, Perm: proto.PermReadWrite},
			{BrokerName: "a", ReadQueues: 3, WriteQueues: 1, Perm: proto.PermReadWrite},
			{BrokerName: "b", ReadQueues: 1, WriteQueues: 1, Perm: proto.PermRead},
			{BrokerName: "d", ReadQueues: 1, WriteQueues: 1, Perm: proto.PermReadWrite},
			{BrokerName: "e", ReadQueues: 1, WriteQueues: 1, Perm: proto.PermReadWrite},
			{BrokerName: "f", ReadQueues: 1, WriteQueues: 1, Perm: proto.PermWrite},
		},
		Brokers: []proto.BrokerRoute{master("a"), master("b"), master("c"), slaveOnly, master("f")},
	}
	require.Equal(t, []string{"t@a:0", "t@c:0", "t@c:1", "t@f:0"}, texts(publishQueues("t", r)))
	require.Equal(t, []string{"t@a:0", "t@a:1", "t@a:2", "t@b:0", "t@c:0", "t@d:0", "t@e:0"}, texts(subscribeQueues("t", r)))
}

func TestAnOrderConfigurationKeepsQueuesOfBrokersThatAreDown(t *testing.T) {
	r := &proto.Route{
		OrderConfig: "z:2; a:1;broken;b:x;",
		Queues:      []proto.QueueRoute{{BrokerName: "a", WriteQueues: 9, Perm: proto.PermReadWrite}},
		Brokers:     []proto.BrokerRoute{master("a")},
	}
	require.Equal(t, []string{"t@z:0", "t@z:1", "t@a:0"}, texts(publishQueues("t", r)))
	r.OrderConfig = ";"
	require.Len(t, publishQueues("t", r), 9, "an empty one does not count")
}

func TestABorrowedRouteHasNoMoreQueuesThanWanted(t *testing.T) {
	r := &proto.Route{Queues: []proto.QueueRoute{{ReadQueues: 8, WriteQueues: 16}, {ReadQueues: 2, WriteQueues: 16}}}
	borrowed := borrowRoute(r, 4)
	require.Equal(t, []proto.QueueRoute{{ReadQueues: 4, WriteQueues: 4}, {ReadQueues: 2, WriteQueues: 2}}, borrowed.Queues)
	require.EqualValues(t, 8, r.Queues[0].ReadQueues, "the other one is left alone")
}

func TestReadersPreferTheWantedMember(t *testing.T) {
	full := &broker{addresses: []proto.BrokerAddress{{ID: 0, Address: "m"}, {ID: 1, Address: "s1"}, {ID: 3, Address: "s3"}}}
	slaves := &broker{addresses: full.addresses[1:]}
	for name, choice := range map[string]struct {
		b    *broker
		id   int64
		want string
	}{
		"master":                         {full, 0, "m"},
		"slave":                          {full, 1, "s1"},
		"slave that is gone":             {full, 2, "s3"},
		"slave that is gone, without +1": {full, 7, "m"},
		"master that is gone":            {slaves, 0, "s1"},
	} {
		address, ok := choice.b.reader(choice.id)
		require.True(t, ok, name)
		require.Equal(t, choice.want, address, name)
	}
	_, ok := (&broker{}).reader(0)
	require.False(t, ok)
	_, ok = slaves.master()
	require.False(t, ok)
}

func TestTheNextQueueIsAtAnotherBrokerIfThereIsOne(t *testing.T) {
	two := &topic{publish: []target{
		{Queue: Queue{BrokerName: "a"}}, {Queue: Queue{BrokerName: "a", QueueID: 1}}, {Queue: Queue{BrokerName: "b"}},
	}}
	for range 10 {
		require.Equal(t, "b", new(choice).pick(two, "a", 1).BrokerName)
		require.Equal(t, "a", new(choice).pick(two, "b", 1).BrokerName)
	}
	one := &topic{publish: two.publish[:2]}
	before := new(choice).pick(one, "a", 1).QueueID
	require.NotEqual(t, before, new(choice).pick(one, "a", 1).QueueID, "even then the turns go on")
}

func TestBrokersThatNoRouteNamesAreForgotten(t *testing.T) {
	table := newBrokers(nil)
	a, b := master("a"), master("b")
	require.True(t, table.learn(&proto.Route{Brokers: []proto.BrokerRoute{b, a}}))
	require.False(t, table.learn(&proto.Route{Brokers: []proto.BrokerRoute{a}}), "nothing new")
	require.Equal(t, "a", table.sorted[0].name)
	held := table.named("a")
	table.keep(map[string]bool{"b": true})
	require.Len(t, table.sorted, 1)
	require.NotSame(t, held, table.named("a"))
	a.Addresses = append(a.Addresses, proto.BrokerAddress{ID: 1, Address: "s"})
	require.True(t, table.learn(&proto.Route{Brokers: []proto.BrokerRoute{a}}), "a new slave is news")
}
