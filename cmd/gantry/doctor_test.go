package main

import (
	"errors"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// healthy is a cluster of two brokers in which nothing is wrong.
func healthy() *examination {
	info := func() *proto.ClusterInfo {
		i := twoBrokers()
		i.Brokers[0].Addresses = i.Brokers[0].Addresses[:1]
		return i
	}
	broker := func(cluster, name, address string) brokerFacts {
		return brokerFacts{
			Broker:   client.Broker{Cluster: cluster, Name: name, Address: address},
			status:   map[string]string{"commitLogDiskRatio": "0.5", "brokerActive": "true", "subscriptionConflicts": "0"},
			config:   map[string]string{"brokerName": name, "brokerClusterName": cluster, "brokerId": "0", "brokerPermission": "6", "diskMaxUsedSpaceRatio": "75"},
			clock:    client.ClockReading{Ahead: 20 * time.Millisecond, Doubt: 30 * time.Millisecond},
			ownRoute: &client.Route{Queues: []proto.QueueRoute{{BrokerName: name, ReadQueues: 1, WriteQueues: 1, Perm: proto.PermReadWrite}}},
			stats:    &client.ConsumeStatsList{},
		}
	}
	return &examination{
		nameServers: []nameServerFacts{{address: "10.0.0.8:9876", info: info()}, {address: "10.0.0.9:9876", info: info()}},
		brokers:     []brokerFacts{broker("east", "broker-a", "10.0.0.1:10911"), broker("west", "broker-b", "10.0.0.3:10911")},
		topics: []topicFacts{{name: "orders", route: &client.Route{Queues: []proto.QueueRoute{
			{BrokerName: "broker-a", ReadQueues: 4, WriteQueues: 4, Perm: proto.PermReadWrite},
			{BrokerName: "broker-b", ReadQueues: 4, WriteQueues: 4, Perm: proto.PermRead},
		}}}},
		members: map[string]int{},
	}
}

// behind is a group with messages to consume.
func behind(group string, messages int64) *client.ConsumeStatsList {
	return &client.ConsumeStatsList{Groups: []proto.GroupConsumeStats{{Group: group, Stats: []client.ConsumeStats{
		{Queues: []proto.QueueProgress{{BrokerOffset: 10 + messages, ConsumerOffset: 10}}},
	}}}}
}

func TestADoctorFindsNothingInAHealthyCluster(t *testing.T) {
	v := newDoctorView(healthy().findings())
	for _, f := range v.Findings {
		require.Equal(t, fine, f.Level, f.What)
		require.Empty(t, f.Fix)
	}
	require.Len(t, v.Findings, 13, "each check says what it has seen")
	require.NoError(t, v.verdict())
	require.Contains(t, shown(t, v, false), "\nnothing is wrong\n")
}

// trouble is something that goes wrong in a healthy cluster, and what is to be found.
type trouble struct {
	name      string
	hurt      func(x *examination)
	level     level
	what, fix string
}

func TestADoctorFindsTroubleWithAddressesAndNames(t *testing.T) {
	for _, c := range []trouble{
		{"a name server is away", func(x *examination) {
			x.nameServers[1] = nameServerFacts{address: "10.0.0.9:9876", err: env.ErrRefused}
		},
			broken, "10.0.0.9:9876 does not answer", "take it out of -n"},
		{"a broker is not registered everywhere", func(x *examination) { x.nameServers[1].info.Brokers = x.nameServers[1].info.Brokers[1:] },
			warning, "broker-a at 10.0.0.1:10911 is registered only at 10.0.0.8:9876", "let namesrvAddr of the broker name all"},
		{"two brokers have one name and id", func(x *examination) { x.nameServers[1].info.Brokers[0].Addresses[0].Address = "10.0.0.7:10911" },
			broken, "two brokers are called broker-a with id 0: 10.0.0.1:10911 (says 10.0.0.8:9876) and 10.0.0.7:10911 (says 10.0.0.9:9876)", "its own brokerName or brokerId"},
		{"two brokers have one address", func(x *examination) { x.brokers[1].Address = x.brokers[0].Address },
			broken, "10.0.0.1:10911 is the address of both broker-a (id 0) and broker-b (id 0)", "set brokerIP1 and listenPort"},
		{"another broker answers", func(x *examination) { x.brokers[0].config["brokerName"] = "broker-z" },
			broken, "at 10.0.0.1:10911, registered with brokerName broker-a, a broker answers that has broker-z", "set brokerIP1"},
		{"there is no broker", func(x *examination) { x.brokers = nil }, broken, "no broker is registered", "gantry broker -n"},
		{"a master is away", func(x *examination) { x.brokers[1].ID, x.brokers[1].config["brokerId"] = 1, "1" },
			broken, "broker-b has no master", "brokerId=0"},
		{"an elected master is away", func(x *examination) {
			x.brokers[1].ID, x.brokers[1].config["brokerId"], x.brokers[1].status["epoch"] = 1, "1", "4"
		},
			broken, "broker-b has no master", "its controllers elect one"},
		{"an address cannot be reached", func(x *examination) { x.brokers[0].err = env.ErrRefused },
			broken, "broker-a at 10.0.0.1:10911 cannot be reached from here", "let port 10911 through firewalls"},
		{"an address is a container's own", func(x *examination) { x.brokers[0].Address = "127.0.0.1:10911" },
			warning, "broker-a at 127.0.0.1:10911 can only be reached from its own machine", "set brokerIP1"},
	} {
		t.Run(c.name, func(t *testing.T) { requireFound(t, c) })
	}
}

func TestADoctorFindsTroubleWithMachinesAndPermissions(t *testing.T) {
	for _, c := range []trouble{
		{"a clock is off", func(x *examination) { x.brokers[0].clock.Ahead = -7 * time.Second },
			warning, "the clock of broker-a at 10.0.0.1:10911 is 7s behind this machine's", "NTP"},
		{"a clock is far off", func(x *examination) { x.brokers[0].clock.Ahead = time.Hour },
			broken, "is 1h0m0s ahead of this machine's", "NTP"},
		{"a clock cannot be read", func(x *examination) { x.brokers[0].clockErr = errors.New("no") }, skipped, "broker-a at 10.0.0.1:10911: no", ""},
		{"a disk is filling", func(x *examination) { x.brokers[0].status["commitLogDiskRatio"] = "0.76" },
			warning, "the disk of broker-a at 10.0.0.1:10911 is 76% full: from 75% on it removes", "make room"},
		{"a disk is full", func(x *examination) { x.brokers[0].status["commitLogDiskRatio"] = "0.91" },
			broken, "is 91% full: from 90% on it refuses messages", "deleteExpiredCommitLog -b 10.0.0.1:10911"},
		{"a broker is ill", func(x *examination) { x.brokers[0].status["brokerActive"] = "false" }, broken, "says that it is not active", "look at its log"},
		{"members differ", func(x *examination) { x.brokers[0].status["subscriptionConflicts"] = "2" },
			warning, "sees 2 differences between what members of one group subscribe", "consumerStatus -g"},
		{"a broker may not be written to", func(x *examination) { x.brokers[0].config["brokerPermission"] = "4" },
			warning, "broker-a at 10.0.0.1:10911 takes no messages", "updateBrokerConfig -b 10.0.0.1:10911 -k brokerPermission -v 6"},
		{"a broker may not be read", func(x *examination) { x.brokers[0].config["brokerPermission"] = "2" }, warning, "gives no messages to consumers", "-v 6"},
		{"a broker is wiped", func(x *examination) { x.brokers[0].ownRoute.Queues[0].Perm = proto.PermRead },
			warning, "the write permission of broker-a is wiped", "gantry admin addWritePerm -b broker-a"},
	} {
		t.Run(c.name, func(t *testing.T) { requireFound(t, c) })
	}
}

func TestADoctorFindsTroubleWithTopicsAndGroups(t *testing.T) {
	for _, c := range []trouble{
		{"a topic is nowhere", func(x *examination) { x.topics[0].route, x.topics[0].err = nil, client.ErrTopicNotFound },
			broken, "orders is listed, but nobody knows where it is", "deleteTopic"},
		{"a topic has no queues", func(x *examination) {
			for i := range x.topics[0].route.Queues {
				x.topics[0].route.Queues[i].WriteQueues = 0
			}
		}, broken, "orders has 0 queues to send to and 8 to read", "updateTopic -r -w"},
		{"a topic may not be sent to", func(x *examination) { x.topics[0].route.Queues[0].Perm = proto.PermRead }, warning, "orders may not be sent to", "updateTopicPerm -p 6"},
		{"a topic may not be read", func(x *examination) {
			for i := range x.topics[0].route.Queues {
				x.topics[0].route.Queues[i].Perm = proto.PermWrite
			}
		}, warning, "orders may not be read", "updateTopicPerm -p 6"},
		{"nobody consumes", func(x *examination) {
			x.brokers[0].stats, x.brokers[1].stats = behind("billing", 3), behind("billing", 4)
		},
			warning, "billing has 7 messages to consume, and no member is online", "start its consumers"},
	} {
		t.Run(c.name, func(t *testing.T) { requireFound(t, c) })
	}
}

// requireFound wants the trouble to be found, and nothing else.
func requireFound(t *testing.T, c trouble) {
	t.Helper()
	x := healthy()
	c.hurt(x)
	var found []finding
	for _, f := range x.findings() {
		if f.level != fine {
			found = append(found, f)
		}
	}
	require.NotEmpty(t, found)
	require.Equal(t, c.level, found[0].level)
	require.Contains(t, found[0].what, c.what)
	require.Contains(t, found[0].fix, c.fix)
	require.Len(t, found, 1, "and nothing else")
}

// elects gives the brokers of a healthy cluster controllers.
func elects(x *examination) *electionFacts {
	e := &electionFacts{brokers: []*brokerFacts{&x.brokers[0], &x.brokers[1]}, sets: &client.ReplicaSets{}}
	for _, address := range []string{"10.0.0.4:9878", "10.0.0.5:9878", "10.0.0.6:9878"} {
		e.controllers = append(e.controllers, controllerFacts{address: address, leader: "n1"})
	}
	for _, b := range e.brokers {
		e.sets.Groups = append(e.sets.Groups, proto.ReplicasInfo{BrokerName: b.Name, InSync: []proto.Replica{{Alive: true, Address: b.Address}}})
	}
	x.elections = []*electionFacts{e}
	return e
}

func TestADoctorFindsTroubleWithControllers(t *testing.T) {
	silent := func(e *electionFacts, err error, which ...int) {
		for _, i := range which {
			e.controllers[i].err = err
		}
	}
	for _, c := range []trouble{
		{"one is away", func(x *examination) { silent(elects(x), env.ErrRefused, 1) }, warning, "10.0.0.5:9878 does not answer", "start it"},
		{"most are away", func(x *examination) {
			e := elects(x)
			silent(e, env.ErrRefused, 1, 2)
			e.sets, e.setsErr = nil, client.ErrNoLeader
		}, broken, "no controller leads: masters take no messages, and nobody is elected; these do not answer: 10.0.0.5:9878, 10.0.0.6:9878", "at least 2 of 3"},
		{"they do not hear each other", func(x *examination) {
			e := elects(x)
			e.sets, e.setsErr = nil, client.ErrNoLeader
		}, broken, "no controller leads", "reach each other"},
		{"all are away", func(x *examination) {
			e := elects(x)
			silent(e, env.ErrRefused, 0, 1, 2)
			e.sets = nil
		}, broken, "no controller runs at 10.0.0.4:9878, 10.0.0.5:9878, 10.0.0.6:9878", "start at least 2"},
		{"they are elsewhere", func(x *examination) {
			e := elects(x)
			silent(e, env.ErrUnknownHost, 0, 1, 2)
			e.sets = nil
		}, warning, "no controller answers from here", "ask from where they can be reached"},
		{"it cannot be asked who is registered", func(x *examination) {
			e := elects(x)
			e.sets, e.setsErr = nil, env.ErrDeadline
		}, skipped, "who is registered cannot be asked", ""},
		{"one has stopped", func(x *examination) { elects(x).controllers[2].leader = "" },
			warning, "10.0.0.6:9878 answers, and knows of no controller that leads", "look at its log"},
		{"a group was forgotten", func(x *examination) { e := elects(x); e.sets.Groups = e.sets.Groups[1:] },
			broken, "the controllers do not know broker-a: its master takes no messages", "remove the file brokerIdentity"},
		{"a broker was forgotten", func(x *examination) { elects(x).sets.Groups[1].InSync[0].Address = "10.0.0.7:10911" },
			broken, "the controllers do not know broker-b at 10.0.0.3:10911", "remove the file brokerIdentity"},
		{"a broker is not heard", func(x *examination) { elects(x).sets.Groups[0].InSync[0].Alive = false },
			warning, "broker-a at 10.0.0.1:10911 runs, and the controllers hear nothing of it", "controllerAddr"},
	} {
		t.Run(c.name, func(t *testing.T) { requireFound(t, c) })
	}
	x := healthy()
	e := elects(x)
	e.sets.Groups[0].NotInSync = []proto.Replica{{Address: x.brokers[0].Address, BrokerID: 7}} // a disk was replaced
	require.Contains(t, shown(t, newDoctorView(x.findings()), false), "3 controllers answered, one leads and knows of 2 brokers")
}

func TestWhatIsNoTroubleIsNotReported(t *testing.T) {
	x := healthy()
	x.brokers[0].stats = behind("billing", 3)
	x.members["billing"] = 1
	x.brokers[1].stats = behind("CID_RMQ_SYS_x", 3)
	x.brokers[1].clock = client.ClockReading{Ahead: 5400 * time.Millisecond, Doubt: 600 * time.Millisecond}
	x.brokers[1].config = nil
	x.brokers[1].status = map[string]string{}
	require.NoError(t, newDoctorView(x.findings()).verdict())
	x = healthy()
	x.brokers[0].ownRoute.Queues[0].Perm, x.topics[0].route.Queues[0].Perm = proto.PermRead, proto.PermRead
	require.Equal(t, 1, newDoctorView(x.findings()).Warnings, "a broker that is wiped is one finding, whatever its topics")
}

func TestTheExitCodeOfADoctorIsThatOfTheWorst(t *testing.T) {
	v := newDoctorView([]finding{{level: fine}, {level: skipped}})
	require.NoError(t, v.verdict())
	v = newDoctorView([]finding{{level: fine}, {level: warning, check: "disks", what: "full", fix: "make room"}})
	require.Equal(t, exitPartly, exitCode(v.verdict()))
	require.Equal(t, lines("Result   Check  Finding", "ok", "warning  disks  full", "                to fix it: make room", "", "0 errors, 1 warning"), shown(t, v, false))
	require.Contains(t, shown(t, v, true), `"fix": "make room"`)
	v = newDoctorView([]finding{{level: warning}, {level: broken}})
	require.Equal(t, exitFailed, exitCode(v.verdict()))
}

func TestTopicsOfBrokersAndGroupsAreNotForTheDoctor(t *testing.T) {
	x := healthy()
	for _, name := range []string{"TBW102", "broker-a", "east", "west_REPLY_TOPIC", "%RETRY%billing", "%DLQ%billing", "rmq_sys_wheel_timer"} {
		require.True(t, x.isOwnTopic(name), name)
	}
	require.False(t, x.isOwnTopic("orders"))
	require.True(t, isLoopback("localhost:9876"))
	require.True(t, isLoopback("[::1]:9876"))
	require.False(t, isLoopback("10.0.0.1:9876"))
	require.False(t, isLoopback("broker-a.example:9876"))
}
