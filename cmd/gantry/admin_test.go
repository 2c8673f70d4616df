package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// toolbox is a standalone and the tool that looks after it.
type toolbox struct {
	t      *testing.T
	names  string // of the name server
	broker string // address of the broker
}

// standaloneToTool starts a standalone with real ports and disks.
func standaloneToTool(t *testing.T) *toolbox {
	t.Helper()
	if testing.Short() {
		t.Skip("uses real ports and disks")
	}
	options := StandaloneOptions{Data: t.TempDir(), Address: loopback, SkipSelfTest: true}
	announced, _ := inBackground(t, func(ctx context.Context, out Output) error { return RunStandalone(ctx, options, out) })
	b := &toolbox{t: t, names: announced.waitFor(t, processtest.NameServerStarted)}
	b.broker = announced.waitFor(t, processtest.BrokerStarted("broker-a"))
	announced.waitFor(t, `Stop it with Ctrl-C`)
	require.Eventually(t, func() bool {
		code, out, _ := called(t, "mqadmin", "clusterList", "-n", b.names)
		return code == 0 && strings.Contains(out, b.broker)
	}, 20*time.Second, patience, "the broker registers")
	return b
}

// run calls mqadmin with words that are parted by blanks, and returns all that it printed.
func (b *toolbox) run(want int, line string) string {
	b.t.Helper()
	code, out, errors := called(b.t, append([]string{"mqadmin"}, append(strings.Fields(line), "-n", b.names)...)...)
	require.Equal(b.t, want, code, "%s: %s%s", line, out, errors)
	return out + errors
}

// json is run with --json, read into a view.
func (b *toolbox) json(want int, line string, into any) {
	b.t.Helper()
	code, out, errors := called(b.t, append([]string{"mqadmin"}, append(strings.Fields(line), "-n", b.names, "--json")...)...)
	require.Equal(b.t, want, code, "%s: %s%s", line, out, errors)
	require.NoError(b.t, json.Unmarshal([]byte(out), into), out)
}

// topic makes a topic and waits for its route.
func (b *toolbox) topic(name string, queues int) {
	b.t.Helper()
	count := number(queues)
	b.run(0, "updateTopic -c DefaultCluster -t "+name+" -r "+count+" -w "+count)
	require.Eventually(b.t, func() bool {
		code, _, _ := called(b.t, "mqadmin", "topicRoute", "-n", b.names, "-t", name)
		return code == 0
	}, 20*time.Second, patience)
}

// session is one of the application, in a world of its own.
func (b *toolbox) session() *session {
	b.t.Helper()
	s, err := newSession(b.names, zap.NewNop())
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = s.close() })
	return s
}

// register adds a broker to the name server that nobody runs. It leaves when the connection ends.
func (b *toolbox) register(header proto.RegisterBroker, topics ...proto.TopicConfig) net.Conn {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.names)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = conn.Close() })
	body := proto.RegisterBrokerBody{Table: proto.TopicTable{Topics: topics}}
	frame := wire.Begin(nil, &wire.Header{Code: proto.ReqRegisterBroker, Version: wire.OwnVersion})
	header.EncodeFields(&frame)
	_, err = conn.Write(frame.End(body.Marshal()))
	require.NoError(b.t, err)
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	require.NoError(b.t, err, "there is an answer")
	require.Contains(b.t, string(answer[:n]), `"code":0`)
	return conn
}

// consumer starts a member of a group in which messages are only counted.
func (b *toolbox) consumer(group, topic string) (consumed *atomic.Int64, consumer *client.PushConsumer) {
	b.t.Helper()
	consumed = new(atomic.Int64)
	handler := func(_ context.Context, messages []*client.Received) error {
		consumed.Add(int64(len(messages)))
		return nil
	}
	consumer, err := client.NewPushConsumer(b.session().world.Env, client.WithNameServers(b.names), client.WithGroup(group),
		client.WithHandler(handler), client.WithSubscription(topic, client.Tags("*")), client.WithConsumeFrom(client.FromFirst),
		client.WithOffsetStoring(100*time.Millisecond))
	require.NoError(b.t, err)
	require.NoError(b.t, consumer.Start(context.Background()))
	b.t.Cleanup(func() { _ = leave(consumer) })
	return consumed, consumer
}

func TestToolsChangeTopicsAndDeleteThem(t *testing.T) {
	b := standaloneToTool(t)
	b.run(0, "updateTopic -c DefaultCluster -t orders -r 4 -w 4 -o true -a +message.type=FIFO")
	require.Equal(t, "DefaultCluster\n", b.run(0, "topicClusterList -t orders"))
	require.Equal(t, "update topic perm from 6 to 4 in "+b.broker+" success.\n", b.run(0, "updateTopicPerm -c DefaultCluster -t orders -p 4"))
	require.Equal(t, "topic perm is 4 already in "+b.broker+".\n", b.run(0, "updateTopicPerm -b "+b.broker+" -t orders -p 4"))
	require.Contains(t, b.run(0, "topicRoute -t orders"), "4  R--")
	topic, found, err := b.session().admin.Topic(context.Background(), b.broker, "orders")
	require.NoError(t, err)
	require.True(t, found)
	require.True(t, topic.Ordered, "everything else is as it was")
	require.Equal(t, map[string]string{"message.type": "FIFO"}, topic.Attributes)
	b.run(0, "updateTopic -c DefaultCluster -t orders -r 4 -w 4 -o true -a -message.type,+reserve.time=60000")
	topic, _, err = b.session().admin.Topic(context.Background(), b.broker, "orders")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"reserve.time": "60000"}, topic.Attributes)
	require.Contains(t, b.run(1, "updateTopicPerm -c DefaultCluster -t nosuch -p 4"), "see the topics there are with topicList")

	require.Equal(t, "get orderConf success. topic=[orders], orderConf=[broker-a:4]\n", b.run(0, "updateOrderConf -t orders -m get"))
	require.Equal(t, "update orderConf success. topic=[orders], orderConf=[broker-a:8]\n", b.run(0, "updateOrderConf -t orders -m put -v broker-a:8"))
	require.Equal(t, "delete orderConf success. topic=[orders]\n", b.run(0, "updateOrderConf -t orders -m delete"))
	require.Contains(t, b.run(1, "updateOrderConf -t orders -m get"), "has no order configuration")

	require.Contains(t, b.run(1, "deleteTopic -c nowhere -t orders"), `cluster "nowhere" has no broker; clusters are ["DefaultCluster"]`)
	require.Equal(t, "delete topic [orders] from cluster [DefaultCluster] success.\ndelete topic [orders] from NameServer success.\n",
		b.run(0, "deleteTopic -c DefaultCluster -t orders"))
	require.NotContains(t, b.run(0, "topicList"), "orders")
	require.Contains(t, b.run(1, "deleteTopic -c DefaultCluster -t orders"), "see the topics there are")
}

func TestToolsLookAtBrokersAndNameServersAndChangeThem(t *testing.T) {
	b := standaloneToTool(t)
	require.Regexp(t, `brokerActive +true\n`, b.run(0, "brokerStatus -b "+b.broker))
	var v serversView
	b.json(0, "getBrokerConfig -c DefaultCluster", &v)
	require.Equal(t, "broker-a", v.Servers[0].Values["brokerName"])
	require.Equal(t, b.broker, v.Servers[0].Address)
	require.Contains(t, b.run(0, "updateBrokerConfig -c DefaultCluster -k regionId -v north"),
		"update broker config success, "+b.broker+"\n  in force until the broker stops")
	require.Regexp(t, `regionId +north\n`, b.run(0, "getBrokerConfig -b "+b.broker))
	require.Contains(t, b.run(1, "updateBrokerConfig -b "+b.broker+" -k listenPort -v 1"), "listenPort is read only when the broker starts")
	b.run(4, "getBrokerConfig -b 127.0.0.1:1")

	require.Regexp(t, `^wipe write perm of broker\[broker-a\] in name server\[\S+\] OK, \d+\n$`, b.run(0, "wipeWritePerm -b broker-a"))
	require.Contains(t, b.run(1, "sendMsgStatus -b broker-a -c 1"), "change them with updateTopicPerm or addWritePerm")
	require.Contains(t, b.run(3, "doctor"), "the write permission of broker-a is wiped")
	require.Regexp(t, `^add write perm of broker\[broker-a\] in name server\[\S+\] OK, \d+\n$`, b.run(0, "addWritePerm -b broker-a"))
	require.Contains(t, b.run(1, "wipeWritePerm -b broker-x"), "no name server knows a topic of broker broker-x")
	require.Regexp(t, `broker-a +0  SEND_OK +\d+\.\d\d  \S+\nAvg RT: \d+\.\d\d\n$`, b.run(0, "sendMsgStatus -b broker-a -c 2 -s 1000"))
	require.Regexp(t, `DefaultCluster  broker-a +\d+\.\d\d +3 +0\n$`, b.run(0, "clusterRT -a 3"))
	require.Contains(t, b.run(1, "clusterRT -a 3 -c nowhere"), "see clusters and their brokers with clusterList")
	require.Contains(t, b.run(1, "sendMsgStatus -b broker-x"), "see the names of brokers with clusterList")

	require.Regexp(t, `orderMessageEnable +false\n`, b.run(0, "getNamesrvConfig"))
	require.Equal(t, "update name server config success!["+b.names+"]\norderMessageEnable : true\n", b.run(0, "updateNamesrvConfig -k orderMessageEnable -v true"))
	require.Regexp(t, `orderMessageEnable +true\n`, b.run(0, "getNamesrvConfig"))
	b.run(1, "updateNamesrvConfig -k kvConfigPath -v /tmp/x")
	require.Equal(t, "create or update kv config to namespace success.\n", b.run(0, "updateKvConfig -s MINE -k colour -v blue"))
	value, found, err := b.session().admin.GetConfig(context.Background(), "MINE", "colour")
	require.NoError(t, err)
	require.Equal(t, "blue true", value+" "+map[bool]string{true: "true"}[found])
	require.Equal(t, "delete kv config from namespace success.\n", b.run(0, "deleteKvConfig -s MINE -k colour"))
	require.Contains(t, b.run(0, "cleanUnusedTopic"), "cleanUnusedTopic at "+b.broker+" success")
}

func TestToolsLookAfterGroups(t *testing.T) {
	b := standaloneToTool(t)
	b.topic("orders", 2)
	for range 4 {
		b.run(0, "checkMsgSendRT -t orders -a 1")
	}
	require.Regexp(t, `^create subscription group to \S+ success\.\ngroup billing: consume true, 1 retry queues, 3 redeliveries\n$`,
		b.run(0, "updateSubGroup -c DefaultCluster -g billing -r 3"))
	b.run(0, "updateSubGroup -b "+b.broker+" -g billing -d false")
	var config serversView
	b.json(0, "getConsumerConfig -g billing", &config)
	require.Equal(t, "3", config.Servers[0].Values["retryMaxTimes"], "what was not typed is as it was")
	require.Equal(t, "false", config.Servers[0].Values["consumeBroadcastEnable"])
	require.Contains(t, b.run(1, "getConsumerConfig -g nobody"), "no broker has a group nobody")

	require.Contains(t, b.run(1, "consumerConnection -g billing"), "no member of the consumer group billing is online")
	require.Contains(t, b.run(1, "consumerStatus -g billing"), "no member of the consumer group billing is online")
	consumed, consumer := b.consumer("billing", "orders")
	require.Eventually(t, func() bool { return consumed.Load() == 4 }, 20*time.Second, patience)
	out := b.run(0, "consumerConnection -g billing")
	require.Regexp(t, `orders +\* +TAG\n`, out)
	require.Contains(t, out, "\nConsumeType: CONSUME_PASSIVELY\nMessageModel: CLUSTERING\nConsumeFromWhere: CONSUME_FROM_FIRST_OFFSET\n")
	var members consumersView
	b.json(0, "consumerConnection -g billing -b "+b.broker, &members)
	require.Len(t, members.Members, 1)

	require.Eventually(t, func() bool {
		_, out, _ := called(t, "mqadmin", "consumerProgress", "-g", "billing", "-n", b.names)
		return strings.Contains(out, "Consume Diff Total: 0\nConsume Inflight Total: 0\n")
	}, 20*time.Second, 10*patience)
	require.Regexp(t, `orders +broker-a +0 +\d +\d +0 +0  20\S+ \S+ +127\.0\.0\.1@\S+\n`, b.run(0, "consumerProgress -g billing -t orders -s true"))
	require.Regexp(t, `billing +1 +5\.\S+ +PUSH +CLUSTERING +\d+\.\d\d +0\n`, b.run(0, "consumerProgress"))
	require.Contains(t, b.run(0, "consumerStatus -g billing"), "Rebalance OK")
	require.Regexp(t, `PROP_CONSUME_TYPE +CONSUME_PASSIVELY\n`, b.run(0, "consumerStatus -g billing -s -i "+members.Members[0].ClientID))
	require.Contains(t, b.run(1, "consumerStatus -g billing -i nobody"), "no member of group billing has the client id nobody")
	require.Contains(t, b.run(1, "consumerProgress -g nobody"), "no broker that was asked has a group nobody")

	var stats statsView
	b.json(0, "statsAll -a", &stats)
	require.Equal(t, "orders billing 4 4 0", fmt.Sprint(stats.Rows[0].Topic, " ", stats.Rows[0].Group, " ", stats.Rows[0].InDay, stats.Rows[0].OutDay, stats.Rows[0].Waiting))
	require.Len(t, stats.Rows, 1)
	require.Regexp(t, `orders +billing +broker-a +0 .*\n(.*\n)+\nDiff Total: 0\n$`, b.run(0, "brokerConsumeStats -b "+b.broker))
	require.NotContains(t, b.run(0, "brokerConsumeStats -l 1 -b "+b.broker), "billing")
	require.NoError(t, leave(consumer))
	b.run(0, "deleteSubGroup -c DefaultCluster -g billing -r true")
	require.Contains(t, b.run(1, "deleteSubGroup -c DefaultCluster -g billing"), "no broker that was asked has a group billing")
	require.NotContains(t, b.run(0, "topicList"), "billing")
}

func TestToolsHandMessagesToConsumersAndSendThemAgain(t *testing.T) {
	b := standaloneToTool(t)
	b.topic("orders", 4)
	var sent sentView
	b.json(0, "sendMessage -t orders -p first -k order-7 -c paid -m true", &sent)
	consumed, _ := b.consumer("billing", "orders")
	require.Eventually(t, func() bool { return consumed.Load() == 1 }, 20*time.Second, patience)
	var members consumersView
	b.json(0, "consumerConnection -g billing", &members)
	consumer := " -g billing -d " + members.Members[0].ClientID
	require.Regexp(t, sent.MessageID+` +CR_SUCCESS +false`, b.run(0, "queryMsgByUniqueKey -t orders -i "+sent.MessageID+consumer))
	require.Contains(t, b.run(0, "queryMsgById -t orders -i "+sent.OffsetMsgID+consumer), "CR_SUCCESS")
	require.EqualValues(t, 3, consumed.Load())
	require.Contains(t, b.run(1, "queryMsgById -t orders -i "+sent.OffsetMsgID+" -g billing -d nobody"), "see what the consumer does with consumerStatus")

	var again resentView
	b.json(0, "queryMsgById -t orders -s true -i "+sent.OffsetMsgID, &again)
	require.Equal(t, sent.MessageID, again.Messages[0].From)
	var found foundView
	b.json(0, "queryMsgByUniqueKey -t orders -i "+again.Messages[0].MessageID, &found)
	require.Equal(t, "first", found.Messages[0].Body)
	require.Equal(t, "order-7", found.Messages[0].Properties["KEYS"])
	require.Equal(t, "paid", found.Messages[0].Properties["TAGS"])

	producer, err := b.session().producer("checkout")
	require.NoError(t, err)
	_, err = producer.Send(context.Background(), client.NewMessage("orders", []byte("x")))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		code, out, _ := called(t, "mqadmin", "producerConnection", "-g", "checkout", "-t", "orders", "-n", b.names)
		return code == 0 && strings.Contains(out, "broker-a")
	}, 20*time.Second, 10*patience)
	require.Regexp(t, `checkout +127\.0\.0\.1@`, b.run(0, "producer -b "+b.broker))
	require.NoError(t, leave(producer))
	require.Contains(t, b.run(1, "producerConnection -g nobody -t orders"), "producers connect when they send for the first time")
}

func TestToolsMoveGroups(t *testing.T) {
	b := standaloneToTool(t)
	b.topic("orders", 2)
	b.run(0, "checkMsgSendRT -t orders -a 10")
	b.run(0, "updateSubGroup -c DefaultCluster -g billing")
	b.run(0, "updateSubGroup -c DefaultCluster -g audit")
	require.Contains(t, b.run(1, "consumerProgress -g billing"), "group billing has consumed nothing")
	require.Equal(t, lines(
		"Broker    Queue  Was  Offset",
		"broker-a      0    0       5",
		"broker-a      1    0       5",
	), b.run(0, "skipAccumulatedMessage -g billing -t orders"))
	require.Equal(t, lines(
		"Broker    Queue  Was  Offset",
		"broker-a      1    5       2",
	), b.run(0, "resetOffsetByTime -g billing -t orders -b "+b.broker+" -q 1 -o 2"))
	require.Contains(t, b.run(0, "consumerProgress -g billing -t orders"), "Consume Diff Total: 3\n")
	require.Contains(t, b.run(3, "doctor"), "billing has 3 messages to consume, and no member is online")
	require.Equal(t, "clone group offset success. srcGroup[billing], destGroup=[audit], topic[orders]\n",
		b.run(0, "cloneGroupOffset -s billing -d audit -t orders -o true"))
	require.Contains(t, b.run(0, "consumerProgress -g audit"), "Consume Diff Total: 3\n")
	require.Contains(t, b.run(0, "resetOffsetByTime -g audit -t orders -s 0"), "broker-a      0    5       0\n")
	require.Contains(t, b.run(0, "resetOffsetByTime -g audit -t orders -s now -c DefaultCluster"), "broker-a      0    0       5\n")
	require.Regexp(t, `audit +0  OFFLINE  - +- +0\.00 +0\n`, b.run(0, "consumerProgress -c DefaultCluster"))

	require.Contains(t, b.run(1, "resetOffsetByTime -g nobody -t orders -s -1"), "no broker that was asked has a group nobody")
	require.Contains(t, b.run(1, "resetOffsetByTime -g audit -t nosuch -s -1"), "see the topics there are")
	require.Contains(t, b.run(1, "resetOffsetByTime -g audit -t orders -b "+b.broker+" -q 0 -o 9"), "offset 9 is not in queue 0")
	require.Contains(t, b.run(1, "skipAccumulatedMessage -g audit -t orders -c nowhere"), "cluster nowhere has no master with topic orders")
}

func TestToolsPrintMessages(t *testing.T) {
	b := standaloneToTool(t)
	b.topic("orders", 1)
	b.run(0, "sendMessage -t orders -p first -k order-7 -c paid")
	b.run(0, "sendMessage -t orders -p second -c shipped")
	b.run(0, "sendMessage -t orders -p third -c paid")
	require.Regexp(t, `^orders@broker-a:0 has \[0, 3\)\nMSGID: \S+ QUEUE: broker-a:0 OFFSET: 0 STORED: \S+ TAGS: paid KEYS: order-7 BODY: first\n(.*\n){2}3 messages\n$`,
		b.run(0, "printMsg -t orders"))
	out := b.run(0, "printMsg -t orders -s shipped -d false")
	require.Contains(t, out, "TAGS: shipped\n1 messages\n")
	require.Equal(t, "3 messages\n", b.run(0, "printMsgByQueue -t orders -a broker-a -i 0"))
	require.Equal(t, lines("Tag      Count", "paid         2", "shipped      1", "3 messages"), b.run(0, "printMsgByQueue -t orders -a broker-a -i 0 -f true"))
	require.Contains(t, b.run(0, "printMsgByQueue -t orders -a broker-a -i 0 -p true -d true"), "BODY: third\n3 messages\n")
	require.Equal(t, "0 messages\n", b.run(0, "printMsgByQueue -t orders -a broker-a -i 0 -b 4102444800000"))
	require.Contains(t, b.run(1, "printMsgByQueue -t orders -a broker-x -i 0"), "see its queues with topicRoute")
	printed := strings.Split(strings.TrimSpace(b.run(0, "printMsg -t orders --json")), "\n")
	require.Len(t, printed, 4)
	require.JSONEq(t, `{"count":3}`, printed[3])
	require.Contains(t, b.run(0, "queryMsgByOffset -t orders -b broker-a -i 0 -o 1"), "second")
	require.Contains(t, b.run(1, "queryMsgByOffset -t orders -b broker-a -i 0 -o 3"), "orders@broker-a:0 has no message at 3: it has [0, 3)")
}

// The name server knows a second broker here, which nobody runs.
func TestToolsGoOnWhenABrokerFailsAndSayWhich(t *testing.T) {
	b := standaloneToTool(t)
	dead, err := net.Listen("tcp", loopback+":0")
	require.NoError(t, err)
	address := dead.Addr().String()
	require.NoError(t, dead.Close())
	b.register(proto.RegisterBroker{BrokerName: "broker-b", BrokerAddress: address, ClusterName: "DefaultCluster"}, proto.NewTopicConfig("orders"), proto.NewTopicConfig("bills"))
	b.run(3, "updateTopic -c DefaultCluster -t orders")

	for _, c := range []struct{ line, done string }{
		{"clusterList", "no answer"},
		{"brokerStatus -c DefaultCluster", "brokerActive"},
		{"updateBrokerConfig -c DefaultCluster -k regionId -v x", "update broker config success, " + b.broker},
		{"updateTopicPerm -c DefaultCluster -t orders -p 4", "from 6 to 4 in " + b.broker},
		{"updateSubGroup -c DefaultCluster -g billing", "create subscription group to " + b.broker},
		{"updateSubGroup -c DefaultCluster -g audit", "create subscription group to " + b.broker},
		{"skipAccumulatedMessage -g billing -t orders", "broker-a      0    0       0\n"},
		{"cloneGroupOffset -s billing -d audit -t orders -o true", "clone group offset success"},
		{"consumerProgress -g billing -t orders", "Consume Diff Total: 0"},
		{"consumerProgress", "billing"},
		{"getConsumerConfig -g billing", "retryMaxTimes"},
		{"deleteSubGroup -c DefaultCluster -g billing", "from broker [" + b.broker + "] in cluster [DefaultCluster] success."},
		{"deleteTopic -c DefaultCluster -t orders", "delete topic [orders] from broker [" + b.broker + "] success."},
	} {
		out := b.run(exitPartly, c.line)
		require.Contains(t, out, c.done, c.line)
		require.Regexp(t, `broker[ -]b.* `+address, out, c.line)
	}
	require.Contains(t, b.run(0, "topicList"), "orders", "what a broker may still have is not forgotten")
	require.Contains(t, b.run(exitUnreachable, "brokerStatus -b "+address), "to fix it: see that a broker runs at "+address)
	var v serversView
	b.json(exitPartly, "brokerStatus -c DefaultCluster", &v)
	require.Equal(t, "broker-b", v.Failed[0].Broker)
	out := b.run(exitFailed, "doctor")
	require.Contains(t, out, "broker-b at "+address+" cannot be reached from here")
	require.Contains(t, out, "let brokerIP1 and listenPort be what clients can reach")
}

func TestToolsChangeTopicsAndGroupsByLists(t *testing.T) {
	b := standaloneToTool(t)
	file := func(name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	topics := file("topics.json", `[{"topicName":"orders","readQueueNums":2,"writeQueueNums":2,"attributes":{"+message.type":"FIFO"}},{"topicName":"bills"}]`)
	require.Equal(t, "submit batch of topic config to "+b.broker+" success, please check the result later.\n2 topics: orders, bills\n",
		b.run(0, "updateTopicList -c DefaultCluster -f "+topics))
	topic, found, err := b.session().admin.Topic(context.Background(), b.broker, "orders")
	require.NoError(t, err)
	require.True(t, found)
	require.EqualValues(t, 2, topic.WriteQueues)
	require.Equal(t, map[string]string{"message.type": "FIFO"}, topic.Attributes)

	groups := file("groups.json", `[{"groupName":"billing","retryMaxTimes":3},{"groupName":"audit"}]`)
	require.Equal(t, "submit batch of group config to "+b.broker+" success, please check the result later.\n2 groups: billing, audit\n",
		b.run(0, "updateSubGroupList -b "+b.broker+" -f "+groups))
	require.Contains(t, b.run(0, "updateSubGroupList -c DefaultCluster -f "+groups), "submit batch of subscription group config to "+b.broker+" success")
	group, found, err := b.session().admin.Group(context.Background(), b.broker, "billing")
	require.NoError(t, err)
	require.True(t, found)
	require.EqualValues(t, 3, group.RedeliveriesMax)
	require.Contains(t, b.run(2, "updateSubGroupList -b "+b.broker+" -f "+topics), `"readQueueNums" is no setting of a group`)
	system := file("system.json", `[{"topicName":"SCHEDULE_TOPIC_XXXX"}]`)
	require.Contains(t, b.run(1, "updateTopicList -c DefaultCluster -f "+system), "conflict with system topic")

	require.Equal(t, "set consume mode to "+b.broker+" success.\ntopic[orders] group[billing] consume mode[PULL] popShareQueueNum[0]\n",
		b.run(0, "setConsumeMode -c DefaultCluster -t orders -g billing -m pull"))
	require.Contains(t, b.run(0, "setConsumeMode -c DefaultCluster -t orders -g billing -m POP -q 8"), "consume mode[POP] popShareQueueNum[8]")
	require.Contains(t, b.run(1, "setConsumeMode -b "+b.broker+" -t orders -g nobody -m PULL"), "make it with updateSubGroup")
}

func TestToolsSeeWhatAQueueSaysOfItsMessages(t *testing.T) {
	b := standaloneToTool(t)
	b.topic("orders", 1)
	require.Contains(t, b.run(1, "queryCq -t orders -q 0 -i 0"), "0@orders is not exist!")
	for range 3 {
		b.run(0, "sendMessage -t orders -p hello -c red")
	}
	var v queuePartView
	b.json(0, "queryCq -t orders -q 0 -i 1 -g billing", &v)
	require.Equal(t, "broker-a", v.Broker)
	require.EqualValues(t, 3, v.End)
	require.Equal(t, []int64{1, 2}, []int64{v.Entries[0].Number, v.Entries[1].Number})
	require.Equal(t, v.Entries[0].LogOffset+int64(v.Entries[0].Size), v.Entries[1].LogOffset)
	require.Equal(t, "billing@orders is not online!", v.FilterData)
	text := b.run(0, "queryCq -t orders -q 0 -i 0 -c 1 -b "+b.broker)
	require.Contains(t, text, "Queue 0 of orders at "+b.broker+" holds [0, 3).\n")
	require.Contains(t, b.run(1, "queryCq -t orders -q 0 -i 3"), "has no message 3: it has [0, 3)")
	require.Contains(t, b.run(1, "queryCq -t nosuch -q 0 -i 3"), "see the topics there are with topicList")
}

func TestABrokerWhoseAddressIsGivenIsAskedWithoutNameServers(t *testing.T) {
	b := standaloneToTool(t)
	t.Setenv("NAMESRV_ADDR", "")
	for _, line := range []string{"haStatus", "brokerStatus", "getBrokerConfig", "deleteExpiredCommitLog", "producer", "brokerConsumeStats", "updateBrokerConfig -k longPollingEnable -v true"} {
		code, out, errText := called(t, strings.Fields("mqadmin "+line+" -b "+b.broker)...)
		require.Zero(t, code, "%s: %s%s", line, out, errText)
	}
	nobody := freeAddress(t)
	code, _, errText := called(t, "mqadmin", "drain", "-b", nobody)
	require.Equal(t, exitUnreachable, code)
	require.Contains(t, errText, "to fix it: see that a broker runs at "+nobody)
	code, _, errText = called(t, "mqadmin", "haStatus", "-b", "broker-a")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errText, `-b: "broker-a" is not host:port`)
	code, _, errText = called(t, "mqadmin", "haStatus", "-c", "DefaultCluster")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errText, "no name server is given")
}

func TestWhoIsTakenForAControllerIsToldToBeNone(t *testing.T) {
	b := standaloneToTool(t)
	for _, line := range []string{"getControllerMetaData -a " + b.names, "getSyncStateSet -b broker-a -a " + b.broker, "getControllerConfig -a " + b.names} {
		said := b.run(exitFailed, line)
		require.Contains(t, said, " is no controller: it does not serve ", line)
		require.Contains(t, said, "they listen at the ports in controllerDLegerPeers, usually 9878", line)
	}
	// A copy sends to its master, which is no controller either.
	err := noController(&client.ResponseError{Request: proto.ReqControllerGetMetadataInfo, Code: proto.RespServiceNotAvailable, Remark: "send it to the master", Address: "a:1"})
	require.ErrorContains(t, err, "a:1 is no controller: it does not serve CONTROLLER_GET_METADATA_INFO\n  to fix it: name controllers")
	require.NotContains(t, err.Error(), "master")
}
