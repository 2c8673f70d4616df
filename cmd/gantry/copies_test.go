package main

import (
	"encoding/json"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// groupCopies is what a master, its slave and a broker of Apache's answer.
func groupCopies() []brokerAnswer[*client.CopiesStatus] {
	at := func(id int64, address string, s client.CopiesStatus) brokerAnswer[*client.CopiesStatus] {
		return brokerAnswer[*client.CopiesStatus]{client.Broker{Cluster: "east", Name: "broker-a", ID: id, Address: address}, &s}
	}
	return []brokerAnswer[*client.CopiesStatus]{
		at(0, "10.0.0.1:10911", client.CopiesStatus{
			Master: true, Role: "SYNC_MASTER", LogEnd: 1000, Confirmed: 900, Needed: 2, InSync: 1, Refused: 2, Why: "it is too long",
			Slaves: []proto.CopyStatus{
				{Address: "10.0.0.2:5000", Acked: 900, Behind: 100, InSync: true, Speed: 2560, Sent: 950, LagMillis: 1500},
				{Address: "10.0.0.3:5000", Behind: 1000},
			},
		}),
		at(1, "10.0.0.2:10911", client.CopiesStatus{Role: "SLAVE", Confirmed: 900, Following: proto.FollowStatus{
			Master: "10.0.0.1:10912", LogEnd: 900, Speed: 1024, ReadAt: int64(noon()), WroteAt: int64(noon()), Connected: true}}),
		at(2, "10.0.0.3:10911", client.CopiesStatus{Role: "SLAVE", Following: proto.FollowStatus{Diverged: "its log is another one"}}),
	}
}

func TestCopiesAreShownWithWhatIsWrongWithThem(t *testing.T) {
	require.Equal(t, lines(
		"broker-a at 10.0.0.1:10911: SYNC_MASTER",
		"its log ends at 1000 and is confirmed up to 900",
		"2 copies are needed; 1 of 2 slaves keep up",
		"Slave          Acknowledged  Behind   Lag  KB/s  Status       Sent up to",
		"10.0.0.2:5000           900     100  1.5s  2.50  OK                  950",
		"10.0.0.3:5000             0    1000    0s  0.00  Fall Behind           0",
		"refused: 2, the last one because it is too long",
		"",
		"broker-a (slave 1) at 10.0.0.2:10911: a slave of 10.0.0.1:10912",
		"Log ends at  KB/s  Last read                Last report              Status",
		"        900  1.00  2026-11-21 12:00:00,005  2026-11-21 12:00:00,005  follows",
		"",
		"broker-a (slave 2) at 10.0.0.3:10911: a slave of -",
		"Log ends at  KB/s  Last read  Last report  Status",
		"          0  0.00  -          -            diverged",
		"does not follow: its log is another one",
	), shown(t, newCopiesView(groupCopies(), nil), false))
}

func TestCopiesOfBrokersOfApachesAreShownAsFarAsTheyTell(t *testing.T) {
	answers := []brokerAnswer[*client.CopiesStatus]{
		{client.Broker{Address: "10.0.0.1:10911"}, &client.CopiesStatus{Master: true, LogEnd: 7, Slaves: []proto.CopyStatus{{Address: "10.0.0.2:5", Acked: 7, InSync: true, Sent: 7}}}},
		{client.Broker{Address: "10.0.0.2:10911"}, &client.CopiesStatus{Following: proto.FollowStatus{Master: "10.0.0.1:10912", LogEnd: 7, ReadAt: int64(noon())}}},
	}
	text := shown(t, newCopiesView(answers, nil), false)
	require.Contains(t, text, "10.0.0.1:10911: a master\nits log ends at 7; 0 of 1 slaves keep up\n")
	require.Contains(t, text, "10.0.0.2:5             7       0    -  0.00  OK")
	require.Contains(t, text, "          7  0.00  2026-11-21 12:00:00,005  -            -\n", "it does not tell whether it follows")
}

func TestCopiesFitAUsualTerminal(t *testing.T) {
	answers := groupCopies()
	for i := range answers {
		s := answers[i].value
		s.Why, s.Following.Diverged = "", ""
		s.LogEnd, s.Confirmed, s.Following.LogEnd, s.Following.Speed = 1<<45, 1<<45, 1<<45, 1<<30
		for j := range s.Slaves {
			c := &s.Slaves[j]
			c.Address, c.Acked, c.Behind, c.Sent, c.Speed, c.LagMillis = "192.168.100.200:65000", 1<<45, 1<<45, 1<<45, 1<<30, 1<<30
		}
	}
	answers[0].value.Refused = 0
	requireWidth(t, newCopiesView(answers, nil), 80)
}

func TestCopiesAsJSONTellAll(t *testing.T) {
	var v copiesView
	require.NoError(t, json.Unmarshal([]byte(shown(t, newCopiesView(groupCopies(), failures{{Address: "x:1", Error: "refused"}}), true)), &v))
	require.Len(t, v.Brokers, 3)
	require.EqualValues(t, 900, *v.Brokers[0].Confirmed)
	require.Equal(t, slaveEntry{Address: "10.0.0.2:5000", Acked: 900, Behind: 100, Lag: 1500, InSync: true, Speed: 2560, Sent: 950}, v.Brokers[0].Slaves[0])
	require.Equal(t, "it is too long", v.Brokers[0].Why)
	require.Nil(t, v.Brokers[0].Follows)
	require.True(t, v.Brokers[1].Follows.Connected)
	require.EqualValues(t, 900, v.Brokers[1].LogEnd, "a slave has a log, too")
	require.Equal(t, "its log is another one", v.Brokers[2].Follows.Diverged)
	require.Equal(t, "x:1", v.Failed[0].Address)
}

// Changes of topics are for masters, and slaves copy them; accounts and files that can go are each broker's own. RocketMQ's tool asks the same.
func TestCommandsForAClusterReachSlavesWhereTheyMust(t *testing.T) {
	b := standaloneToTool(t)
	const slave = "127.0.0.1:1"
	b.register(proto.RegisterBroker{BrokerName: "broker-a", BrokerAddress: slave, ClusterName: "DefaultCluster", HAAddress: "127.0.0.1:2", BrokerID: 1})
	for _, command := range []string{
		"updateTopic -c DefaultCluster -t orders", "updateSubGroup -c DefaultCluster -g billing", "listUser -c DefaultCluster", "listAcl -c DefaultCluster",
		"updateBrokerConfig -c DefaultCluster -k regionId -v east",
	} {
		require.NotContains(t, b.run(0, command), slave, command)
	}
	for _, command := range []string{
		"createUser -c DefaultCluster -u alice -p secret-of-alice", "deleteUser -c DefaultCluster -u alice", "cleanUnusedTopic", "cleanExpiredCQ -c DefaultCluster",
		"deleteExpiredCommitLog", "brokerStatus -c DefaultCluster", "haStatus -c DefaultCluster", "updateBrokerConfig -c DefaultCluster -a true -k regionId -v west",
	} {
		require.Contains(t, b.run(exitPartly, command), slave, command)
	}
	require.Contains(t, b.run(0, "haStatus -b "+b.broker), "1 copy is needed; 0 of 0 slaves keep up")
}

func TestADoctorFindsTroubleWithCopies(t *testing.T) {
	master := func(x *examination) map[string]string {
		for key, value := range map[string]string{"copiesNeeded": "2", "copiesInSync": "1", "copiesConnected": "1", "copiesRefused": "0", "ready": "true"} {
			x.brokers[0].status[key] = value
		}
		return x.brokers[0].status
	}
	slave := func(x *examination) map[string]string {
		x.brokers[1].ID, x.brokers[1].Name, x.brokers[1].config["brokerId"], x.brokers[1].config["brokerName"] = 1, "broker-a", "1", "broker-a"
		for key, value := range map[string]string{"followsMaster": "true", "divergedFromMaster": "false", "behindMasterMillis": "900", "behindMasterBytes": "77"} {
			x.brokers[1].status[key] = value
		}
		return x.brokers[1].status
	}
	x := healthy()
	master(x)
	slave(x)
	require.Equal(t, []finding{{level: fine, check: "copies", what: "1 master and 1 slave get on"}}, checkCopies(x))
	for _, c := range []trouble{
		{"a slave has diverged", func(x *examination) { s := slave(x); s["divergedFromMaster"], s["followsMaster"] = "true", "false" },
			broken, "broker-a (slave 1) at 10.0.0.3:10911 does not follow: its log is not that of its master", "haStatus -b 10.0.0.3:10911"},
		{"a slave is alone", func(x *examination) { slave(x)["followsMaster"] = "false" }, broken, "does not follow its master", "haListenPort"},
		{"a slave is slow", func(x *examination) { slave(x)["behindMasterMillis"] = "31000" },
			warning, "is behind its master for 31s, by 77 bytes", "maxHaTransferByteInSecond"},
		{"an elected master is alone", func(x *examination) { m := master(x); m["epoch"], m["copiesInSync"], m["copiesNeeded"] = "2", "0", "1" },
			warning, "is alone in sync: what it acknowledges no other broker has", "minInSyncReplicas=2"},
		{"of an elected master too few are in sync", func(x *examination) { m := master(x); m["epoch"], m["copiesInSync"] = "2", "0" },
			broken, "wants 2 copies of each message, and has 1", "if minInSyncReplicas lets them"},
		{"slaves are too few", func(x *examination) { master(x)["copiesInSync"] = "0" },
			broken, "broker-a at 10.0.0.1:10911 wants 2 copies of each message, and has 1", "start the slaves of broker-a"},
		{"a master waits", func(x *examination) { m := master(x); m["ready"], m["copiesInSync"] = "false", "0" },
			broken, "waits until enough slaves have its log", "start the slaves of broker-a"},
		{"slaves were refused", func(x *examination) { master(x)["copiesRefused"] = "1" }, warning, "has refused 1 connection of slaves", "haStatus -b 10.0.0.1:10911"},
	} {
		t.Run(c.name, func(t *testing.T) { requireFound(t, c) })
	}
}
