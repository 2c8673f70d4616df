//go:build interop

package interop_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// adminProcess is Apache's mqadmin in a virtual machine.
type adminProcess struct {
	*process
	servers servers
	read    int // lines
}

func startJavaAdmin(t *testing.T, s servers) *adminProcess {
	t.Helper()
	command := javaAdmin.command("interop.Main")
	// Some commands write files where they run.
	command.Dir = t.TempDir()
	return &adminProcess{process: launch(t, command), servers: s}
}

// run runs one command and returns what it printed. Commands that fail print an exception that says so; others may print
// exceptions, too, of something that they asked for in vain.
func (p *adminProcess) run(t *testing.T, words ...string) (text string, failed bool) {
	t.Helper()
	line, err := json.Marshal(append(words, "-n", p.servers.nameServer))
	require.NoError(t, err)
	_, err = p.in.Write(append(line, '\n'))
	require.NoError(t, err)
	eventually(t, "the end of "+words[0], func() bool { return len(p.Out.Lines(p.read)) > 0 || p.Ended() })
	answers := p.Out.Lines(p.read)
	require.NotEmpty(t, answers, "mqadmin has ended")
	p.read++
	var said struct{ Out, Errors string }
	require.NoError(t, json.Unmarshal([]byte(answers[0]), &said))
	return said.Out + said.Errors, strings.Contains(said.Out+said.Errors, "command failed")
}

// adminStep is one command and what its output must contain.
type adminStep struct {
	command string
	wants   []string
	patient bool // it shows what comes about in the background: ask again until it does
}

func TestJavaAdmin(t *testing.T) {
	t.Parallel()
	javaClient.need(t)
	javaAdmin.need(t)
	takeJavaTurn(t)
	s := startGantry(t)
	s.makeTopic(t, "other", 1)
	admin, java := startJavaAdmin(t, s), startJava(t, soon)
	admin.steps(t, beforeMessages(s))
	admin.steps(t, usersAndRights(s))
	consumer := java.begin(t, s, "push", callWords{"group": "members", "topic": "orders"}).ready(t)
	words := sendWords("orders", "sync", numbered("orders", 20)...)
	words["group"], words["linger"] = "senders", 60_000
	for _, m := range words["messages"].([]callWords) {
		m["keys"], m["tag"] = []string{"shared"}, "red"
	}
	java.begin(t, s, "send", words)
	consumer.await(t, 20)
	first := consumer.deliveries(t)[0]
	admin.steps(t, withMembers(first))
	admin.steps(t, changingOffsets(s))
	// Reset to the beginning, so the member gets all again.
	consumer.await(t, 40)
	consumer.stop(t)
	admin.steps(t, atTheEnd(s))
	admin.finish(t)
}

// steps runs commands one after the other. Each is a line of the table.
func (p *adminProcess) steps(t *testing.T, steps []adminStep) {
	t.Helper()
	for _, step := range steps {
		words := strings.Fields(step.command)
		t.Run(words[0], func(t *testing.T) {
			covers(t, "java", row("mqadmin "+words[0]))
			var text string
			var failed bool
			try := func() bool {
				text, failed = p.run(t, words...)
				return !failed && containsAll(text, step.wants)
			}
			if step.patient {
				eventually(t, step.command, try)
			} else if !try() {
				require.False(t, failed, "%s\n%s", step.command, text)
				require.Empty(t, missingFrom(text, step.wants), "%s\n%s", step.command, text)
			}
		})
	}
}

func containsAll(text string, wants []string) bool { return len(missingFrom(text, wants)) == 0 }

func missingFrom(text string, wants []string) (missing []string) {
	for _, want := range wants {
		if !strings.Contains(text, want) {
			missing = append(missing, want)
		}
	}
	return missing
}

func step(command string, wants ...string) adminStep {
	return adminStep{command: command, wants: wants}
}

// patiently is a step that is asked again until it shows what is wanted.
func patiently(command string, wants ...string) adminStep { return adminStep{command, wants, true} }

func beforeMessages(s servers) []adminStep {
	a := s.brokers[0]
	return []adminStep{
		step("updateTopic -c DefaultCluster -t orders -r 2 -w 2", "create topic to "+a+" success", "create topic to "+s.brokers[1]+" success"),
		step("updateTopicPerm -c DefaultCluster -t orders -p 4", "update topic perm from 6 to 4 in "+a),
		step("updateTopicPerm -c DefaultCluster -t orders -p 6", "update topic perm from 4 to 6 in "+a),
		step("updateTopic -b "+a+" -t orders -r 2 -w 2 -o true", "create topic to "+a+" success", "order=true"),
		patiently("topicRoute -t orders", `"brokerName":"broker-a"`, `"brokerName":"broker-b"`, `"perm":6`, a),
		step("topicList", "orders", "TBW102"),
		step("topicList -c", "DefaultCluster        orders"),
		step("topicClusterList -t orders", "DefaultCluster"),
		step("clusterList", "broker-a", "broker-b", a, "V5_3"),
		step("updateOrderConf -t orders -m put -v broker-a:2;broker-b:2", "update orderConf success"),
		step("updateOrderConf -t orders -m get", "orderConf=[broker-a:2;broker-b:2]"),
		step("updateOrderConf -t orders -m delete", "delete orderConf success"),
		step("brokerStatus -b "+a, "bootTimestamp", "commitLogMaxOffset", "putTps", "msgPutTotalTodayNow", "runtime"),
		step("getBrokerConfig -c DefaultCluster", "brokerName                                        =  broker-b"),
		step("updateBrokerConfig -b "+a+" -k maxTransferCountOnMessageInMemory -v 31", "update broker config success"),
		step("getBrokerConfig -b "+a, "maxTransferCountOnMessageInMemory                 =  31"),
		step("updateSubGroup -c DefaultCluster -g members", "create subscription group to "+a+" success"),
		step("sendMsgStatus -b broker-a -s 20 -c 3", "sendStatus=SEND_OK"),
		step("sendMessage -t other -p hello -k key1 -c red -b broker-a -i 0", "SEND_OK"),
		step("consumeMessage -t other -b broker-a -i 0 -o 0 -c 1", "Consume ok", "KEYS=key1"),
		step("checkMsgSendRT -t other -a 3 -s 10", "true", "Avg RT"),
		step("queryCq -t other -q 0 -i 0 -c 1 -g members -b "+a, "idx: 0", "physicOffset=", "members@other is not online!"),
		step("queryCq -t other -q 0 -i 1000000 -b "+a, "Queue data:", "min: 0"),
		step("setConsumeMode -b "+a+" -t other -g members -m PULL", "set consume mode to "+a+" success", "consume mode[PULL]"),
		step("topicStatus -t other", "broker-a                          0     0"),
		step("getNamesrvConfig", "listenPort"),
		step("updateKvConfig -s space -k name -v value", "create or update kv config to namespace success"),
		step("deleteKvConfig -s space -k name", "delete kv config from namespace success"),
	}
}

// usersAndRights are prepared while everybody may do everything. Then passwords are told to nobody.
func usersAndRights(s servers) []adminStep {
	a := s.brokers[0]
	return []adminStep{
		step("createUser -c DefaultCluster -u alice -p 12345678", "create user to "+a+" success", "create user to "+s.brokers[1]+" success"),
		step("updateUser -b "+a+" -u alice -t Super", "update user to "+a+" success"),
		step("getUser -b "+a+" -u alice", "alice", "Super", "enable"),
		step("listUser -b "+a+" -f ali", "alice"),
		step("createAcl -b "+a+" -s User:alice -r Topic:orders,Group:bill* -a Pub,Sub -i 10.0.0.0/8 -d Allow", "create acl to "+a+" success"),
		step("updateAcl -b "+a+" -s User:alice -r Topic:orders -a Get -d Deny", "update acl to "+a+" success"),
		step("getAcl -b "+a+" -s User:alice", "Topic:orders", "Group:bill*", "10.0.0.0/8", "Deny", "Custom"),
		step("listAcl -b "+a+" -r Topic", "Topic:orders"),
		step("copyAcl -f "+a+" -t "+s.brokers[1], "copy acl of User:alice from "+a+" to "+s.brokers[1]+" success"),
		step("deleteAcl -b "+a+" -s User:alice -r Group:bill*", "delete acl to "+a+" success"),
		step("deleteUser -c DefaultCluster -u alice", "delete user to "+a+" success"),
	}
}

func withMembers(m received) []adminStep {
	return []adminStep{
		patiently("consumerProgress -g members", "orders", "broker-b", "Consume Diff Total: 0"),
		step("consumerProgress", "members", "PUSH", "CLUSTERING"),
		step("consumerStatus -g members", "Same subscription in the same group of consumer", "Rebalance OK"),
		step("consumerConnection -g members", "JAVA", "CONSUME_PASSIVELY", "CONSUME_FROM_FIRST_OFFSET"),
		patiently("producerConnection -g senders -t orders", "JAVA"),
		step("queryMsgById -t orders -i "+m.OffsetID, "Keys:                [shared]", "trackType=CONSUMED"),
		patiently("queryMsgByKey -t orders -k shared", m.UniqueID),
		step("queryMsgByUniqueKey -t orders -i "+m.UniqueID, "Keys:                [shared]"),
		step(fmt.Sprintf("queryMsgByOffset -t orders -b %s -i %d -o %d", m.Broker, m.Queue, m.Offset), m.UniqueID),
		step("printMsg -t orders -d true", m.UniqueID, "orders 019"),
		step(fmt.Sprintf("printMsgByQueue -t orders -a %s -i %d -p true -d true", m.Broker, m.Queue), m.UniqueID, "TAGS=red"),
	}
}

func changingOffsets(servers) []adminStep {
	return []adminStep{
		step("skipAccumulatedMessage -g members -t orders", "broker-a", "broker-b"),
		step("resetOffsetByTime -g members -t orders -s 0", "broker-a", "broker-b"),
		step("resetOffsetByTime -g members -t orders -s now", "broker-a"),
		step("resetOffsetByTime -g members -t orders -s 0", "broker-a"),
	}
}

func atTheEnd(s servers) []adminStep {
	return []adminStep{
		step("cloneGroupOffset -s members -d copies -t orders -o true", "clone group offset success"),
		step("wipeWritePerm -b broker-a", "wipe write perm of broker[broker-a]", "OK"),
		step("addWritePerm -b broker-a", "add write perm of broker[broker-a]", "OK"),
		step("deleteSubGroup -c DefaultCluster -g copies", "delete subscription group [copies] from broker ["+s.brokers[1]+"]"),
		step("deleteTopic -c DefaultCluster -t orders", "delete topic [orders] from cluster [DefaultCluster] success", "from NameServer success"),
	}
}
