package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func shown(t *testing.T, v view, asJSON bool) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, show(&console{out: &out}, v, asJSON))
	return out.String()
}

func lines(text ...string) string { return strings.Join(text, "\n") + "\n" }

// noon has the same text in every zone's view of itself.
func noon() moment { return moment(time.Date(2026, 11, 21, 12, 0, 0, 5e6, time.Local).UnixMilli()) }

func twoBrokers() *proto.ClusterInfo {
	return &proto.ClusterInfo{
		Brokers: []proto.BrokerRoute{
			{Cluster: "east", BrokerName: "broker-a", Addresses: []proto.BrokerAddress{{ID: 0, Address: "10.0.0.1:10911"}, {ID: 1, Address: "10.0.0.2:10911"}}},
			{Cluster: "west", BrokerName: "broker-b", Addresses: []proto.BrokerAddress{{ID: 0, Address: "10.0.0.3:10911"}}},
		},
		Clusters: []proto.Cluster{{Name: "east", BrokerNames: []string{"broker-a"}}, {Name: "west", BrokerNames: []string{"broker-b"}}},
	}
}

func TestTopicsAreListedOneOnEachLine(t *testing.T) {
	v := newTopicListView([]string{"hello", "orders"})
	require.Equal(t, "hello\norders\n", shown(t, v, false))
	v.addCluster("east", []string{"orders"})
	require.Equal(t, lines(
		"Cluster  Topic",
		"-        hello",
		"east     orders",
	), shown(t, v, false))
	require.JSONEq(t, `{"topics":[{"topic":"hello"},{"topic":"orders","clusters":["east"]}]}`, shown(t, v, true))
	require.JSONEq(t, `{"topics":[]}`, shown(t, newTopicListView(nil), true))
}

func TestARouteShowsTheMasterFirst(t *testing.T) {
	v := newRoute("orders", &proto.Route{
		Queues: []proto.QueueRoute{
			{BrokerName: "broker-b", ReadQueues: 16, WriteQueues: 8, Perm: proto.PermRead},
			{BrokerName: "broker-a", ReadQueues: 8, WriteQueues: 8, Perm: proto.PermReadWrite},
		},
		Brokers: twoBrokers().Brokers,
	})
	require.Equal(t, lines(
		"Cluster  Broker    Addresses                          Read queues  Write queues  Perm",
		"east     broker-a  0=10.0.0.1:10911 1=10.0.0.2:10911            8             8  RW-",
		"west     broker-b  0=10.0.0.3:10911                            16             8  R--",
	), shown(t, v, false))
	require.Contains(t, strings.Join(strings.Fields(shown(t, v, true)), ""),
		`{"cluster":"west","broker":"broker-b","addresses":{"0":"10.0.0.3:10911"},"readQueues":16,"writeQueues":8,"perm":"R--"}`)
}

func TestTheStatusOfATopicIsInTheOrderOfQueues(t *testing.T) {
	at := func(broker string, queue int32, end int64, stored moment) proto.QueueStats {
		return proto.QueueStats{Queue: proto.Queue{Topic: "orders", BrokerName: broker, QueueID: queue}, Min: 0, Max: end, UpdatedAt: int64(stored)}
	}
	v := newTopicStatusView("orders", &proto.TopicStatsTable{Queues: []proto.QueueStats{
		at("broker-b", 0, 0, 0), at("broker-a", 10, 3, noon()), at("broker-a", 9, 1234567, noon()),
	}, PutPerSecond: 1.5})
	require.Equal(t, lines(
		"Broker    Queue  Min offset  Max offset  Last updated",
		"broker-a      9           0     1234567  2026-11-21 12:00:00,005",
		"broker-a     10           0           3  2026-11-21 12:00:00,005",
		"broker-b      0           0           0",
		"",
		"Topic Put TPS: 1.50",
	), shown(t, v, false))
	v.keepBrokers([]string{"broker-b"})
	require.JSONEq(t, `{"topic":"orders","queues":[{"broker":"broker-b","queue":0,"minOffset":0,"maxOffset":0,"lastUpdated":0}],"topicPutTps":1.5}`, shown(t, v, true))
}

func TestAClusterShowsWhoDoesNotAnswer(t *testing.T) {
	v := newClusterView(twoBrokers(), "east")
	require.Len(t, v.Brokers, 2)
	v.Brokers[0].Status = map[string]string{
		"brokerRole": "SYNC_MASTER", "brokerVersionDesc": "V5_3_2", "commitLogDiskRatio": "0.4213", "runtime": "[ 0 days, 4 hours, 5 minutes, 6 seconds ]",
		"msgPutTotalTodayNow": "12", "connections": "3", "putTps": "12.50 3.00 1.00", "getTransferredTps": "0.0 0.0 0.0",
	}
	v.Brokers[1].Error = "connection refused"
	require.Equal(t, lines(
		"Cluster  Broker    ID  Role         Address         Version     In/s  Out/s  Disk    Up",
		"east     broker-a   0  SYNC_MASTER  10.0.0.1:10911  V5_3_2     12.50   0.00   42%  4h5m",
		"east     broker-a   1  slave        10.0.0.2:10911  no answer",
	), shown(t, v, false))
	v.moreStats = true
	require.Contains(t, shown(t, v, false), "      12          -            3       -       -")
	require.Len(t, newClusterView(twoBrokers(), "").Brokers, 3)
	require.Empty(t, newClusterView(twoBrokers(), "north").Brokers)
}

func TestBrokersFitAUsualTerminal(t *testing.T) {
	v := newClusterView(twoBrokers(), "east")
	for i := range v.Brokers {
		b := &v.Brokers[i]
		b.Cluster, b.Address = "DefaultCluster", "192.168.100.200:10911"
		b.Status = map[string]string{
			"brokerRole": "elected master", "brokerVersionDesc": "V5_3_2", "commitLogDiskRatio": "0.4213", "runtime": "[ 100 days, 23 hours, 5 minutes, 6 seconds ]",
			"putTps": "12345.50 3.00 1.00", "getTransferredTps": "1234.50 0.0 0.0",
		}
	}
	requireWidth(t, v, 80)
}

// requireWidth draws a view on a terminal of so many characters.
func requireWidth(t *testing.T, v view, width int) {
	t.Helper()
	var out strings.Builder
	require.NoError(t, v.write(&out, width))
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, len(strings.TrimSpace(line)), width, out.String())
	}
}

func TestTheTimeThatABrokerIsUpIsShort(t *testing.T) {
	for runtime, want := range map[string]string{
		"[ 3 days, 4 hours, 5 minutes, 6 seconds ]": "3d4h", "[ 0 days, 4 hours, 0 minutes, 6 seconds ]": "4h0m", "[ 0 days, 0 hours, 0 minutes, 6 seconds ]": "0m6s", "": "-",
		"[ 100 days, 4 hours, 5 minutes, 6 seconds ]": "100d",
	} {
		require.Equal(t, want, uptime(runtime))
	}
}

func TestTheStatusOfABrokerOfAnotherMakerMayBeShort(t *testing.T) {
	v := newClusterView(twoBrokers(), "west")
	v.Brokers[0].Status = map[string]string{}
	require.Contains(t, shown(t, v, false), "10.0.0.3:10911  -           -      -     -   -\n")
}

func TestAMessageIsOneLineAndItsBytesAreKept(t *testing.T) {
	text := messageView{MessageID: "7F", Topic: "orders", Broker: "broker-a", Queue: 1, Offset: 7, StoredAt: noon(),
		Properties: map[string]string{"TAGS": "paid", "KEYS": "7 8"}}
	text.setBody([]byte("first\nlight <订单>"))
	raw := messageView{MessageID: "80", Broker: "broker-a", Properties: map[string]string{}}
	raw.setBody([]byte{0xff, 0x00})
	v := &consumedView{Messages: []messageView{text, raw}}
	require.Equal(t, lines(
		"Message id  Broker    Queue  Offset  Stored                   Tag   Keys  Body",
		"7F          broker-a      1       7  2026-11-21 12:00:00,005  paid  7 8   first light <订单>",
		"80          broker-a      0       0                                       2 bytes that are not text",
	), shown(t, v, false))

	var back struct{ Messages []messageView }
	require.NoError(t, json.Unmarshal([]byte(shown(t, v, true)), &back))
	require.Equal(t, "first\nlight <订单>", back.Messages[0].Body)
	require.Equal(t, []byte{0xff, 0x00}, back.Messages[1].BodyBytes)
	require.Contains(t, shown(t, v, true), "<订单>")
}

func TestWhatWasSentAndUpdatedIsShownAsInRocketMQ(t *testing.T) {
	sent := &sentView{Broker: "broker-a", Queue: 3, Offset: 12, Result: "SEND_OK", MessageID: "7F00", OffsetMsgID: "0A00"}
	require.Equal(t, lines(
		"Broker    Queue  Offset  Result   Message id",
		"broker-a      3      12  SEND_OK  7F00",
	), shown(t, sent, false))
	require.JSONEq(t, `{"broker":"broker-a","queue":3,"offset":12,"result":"SEND_OK","msgId":"7F00","offsetMsgId":"0A00"}`, shown(t, sent, true))

	updated := &updatedView{Topic: "orders", Brokers: []string{"10.0.0.1:10911"}, text: "topic orders"}
	require.Equal(t, "create topic to 10.0.0.1:10911 success.\ntopic orders\n", shown(t, updated, false))
	require.Empty(t, shown(t, &updatedView{text: "topic orders"}, false))
}

func TestAFoundMessageIsShownWholeOrOnALine(t *testing.T) {
	found := foundMessage{
		messageView: messageView{MessageID: "7F", Topic: "orders", Broker: "broker-a", Queue: 1, Offset: 7, StoredAt: noon(),
			Properties: map[string]string{"TAGS": "paid", "KEYS": "7 8"}, Body: "light"},
		OffsetMsgID: "0A00", LogOffset: 4096, BornAt: noon(), BornHost: "10.0.0.2:1", StoreHost: "10.0.0.1:10911", Redeliveries: 2, SysFlags: 8,
	}
	require.Equal(t, lines(
		"Message id  Broker    Queue  Offset  Stored                   Tag   Keys  Body",
		"7F          broker-a      1       7  2026-11-21 12:00:00,005  paid  7 8   light",
	), shown(t, &foundView{Messages: []foundMessage{found}}, false))
	whole := &foundView{Messages: []foundMessage{found}, whole: true}
	require.Equal(t, lines(
		"Field             Value",
		"Message ID        7F",
		"OffsetID          0A00",
		"Topic             orders",
		"Tags              paid",
		"Keys              7 8",
		"Broker            broker-a",
		"Queue ID          1",
		"Queue Offset      7",
		"CommitLog Offset  4096",
		"Reconsume Times   2",
		"Born Timestamp    2026-11-21 12:00:00,005",
		"Store Timestamp   2026-11-21 12:00:00,005",
		"Born Host         10.0.0.2:1",
		"Store Host        10.0.0.1:10911",
		"System Flag       8",
		"Properties        KEYS=7 8, TAGS=paid",
		"Message Body      light",
	), shown(t, whole, false))
	var back struct{ Messages []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(shown(t, whole, true)), &back))
	require.Equal(t, "7F", back.Messages[0]["msgId"])
	require.EqualValues(t, 4096, back.Messages[0]["commitLogOffset"])
	require.JSONEq(t, `{"messages":[]}`, shown(t, newFoundView(nil, true), true))
}

func TestBrokersThatWereToldToCleanAreListed(t *testing.T) {
	v := &cleanedView{Brokers: []string{"10.0.0.1:10911", "10.0.0.2:10911"}, command: "cleanExpiredCQ"}
	require.Equal(t, "cleanExpiredCQ at 10.0.0.1:10911 success\ncleanExpiredCQ at 10.0.0.2:10911 success\n", shown(t, v, false))
	require.JSONEq(t, `{"brokers":["10.0.0.1:10911","10.0.0.2:10911"]}`, shown(t, v, true))
}

func TestALogThatEndsInDoubtSaysWhy(t *testing.T) {
	v := &logFilesView{Start: 1024, End: 1500, Doubt: "a torn record", Files: []logFileEntry{{Path: "commitlog/00000000000000001024", From: 1024, To: 2048, FirstStoredAt: noon()}}}
	require.Equal(t, lines(
		"File                            From    To  First message stored",
		"commitlog/00000000000000001024  1024  2048  2026-11-21 12:00:00,005",
		"",
		"The log is [1024, 1500), 476 bytes.",
		"It ends there because of a torn record",
	), shown(t, v, false))
}

func TestACheckSaysWhatWasFound(t *testing.T) {
	v := newCheckView(&store.CheckReport{Clean: true, End: 308, Records: 2, Queues: 1, Entries: 2, Keys: 3})
	require.Equal(t, "closed in order: log [0, 308) with 2 messages, 1 queues with 2 entries, 3 keys in the index\nall is in order\n", shown(t, v, false))
	require.NoError(t, v.verdict())
	v = newCheckView(&store.CheckReport{Clean: true, Keys: 3, KeysAgain: 2})
	require.Contains(t, shown(t, v, false), "3 keys in the index, 2 of them twice, which does no harm\nall is in order\n")
	v = newCheckView(&store.CheckReport{Repairs: []string{"a tail"}})
	require.Contains(t, shown(t, v, false), "not closed in order: ")
	require.Contains(t, shown(t, v, false), "repair: a tail\n")
	require.Equal(t, exitRepairs, exitCode(v.verdict()))
	v = newCheckView(&store.CheckReport{Damage: []string{"rot"}, Repairs: []string{"a tail"}})
	require.Contains(t, shown(t, v, false), "damage: rot\nrepair: a tail\n")
	require.Equal(t, exitDamaged, exitCode(v.verdict()))
	require.Contains(t, shown(t, v, true), `"state": "damaged"`)
}
