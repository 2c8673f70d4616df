//go:build interop

package interop_test

import (
	"strings"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// testOurAdmin runs `gantry admin` against Apache's servers. Each command is a line of the table.
func testOurAdmin(t *testing.T, s servers) {
	t.Helper()
	consumer := s.member(t, "members", "made-by-sends", client.Tags("*"))
	consumer.await(t, 4)
	m := consumer.seen()[0].Received
	group := s.producer(t)
	keyed, err := group.Send(t.Context(), gantry.NewMessage("made-by-sends", []byte("keyed"), client.Keys("shared")))
	require.NoError(t, err)
	for _, step := range ourAdminSteps(s, m, keyed) {
		words := strings.Fields(step.command)
		t.Run("admin-"+words[0], func(t *testing.T) {
			covers(t, "ours", row("mqadmin "+words[0]))
			var text string
			try := func() bool {
				command := tool(t, "gantry", append([]string{"admin"}, append(words, "-n", s.nameServer)...)...)
				output, err := command.CombinedOutput()
				text = string(output)
				if err != nil {
					text += err.Error()
				}
				return err == nil && containsAll(text, step.wants)
			}
			if step.patient {
				eventually(t, step.command, try)
			} else if !try() {
				t.Fatalf("%s\n%s\nhas no %q", step.command, text, missingFrom(text, step.wants))
			}
		})
	}
}

func ourAdminSteps(s servers, m *gantry.Received, keyed client.SendResult) []adminStep {
	a, at := s.brokers[0], m.OffsetID.String()
	return []adminStep{
		step("updateTopic -c DefaultCluster -t orders -r 2 -w 2", "orders"),
		step("updateTopicPerm -c DefaultCluster -t orders -p 4", "update topic perm from 6 to 4 in "+a),
		step("updateTopicPerm -c DefaultCluster -t orders -p 6", "update topic perm from 4 to 6 in "+a),
		patiently("topicRoute -t orders", "broker-a", a),
		step("topicStatus -t made-by-sends", "broker-a"),
		step("topicClusterList -t made-by-sends", "DefaultCluster"),
		step("topicList", "made-by-sends"),
		step("updateOrderConf -t orders -m put -v broker-a:2", "orders"),
		step("updateOrderConf -t orders -m get", "broker-a:2"),
		step("updateOrderConf -t orders -m delete"),
		step("clusterList", "broker-a", a),
		step("brokerStatus -b "+a, "bootTimestamp"),
		step("getBrokerConfig -b "+a, "brokerName"),
		step("updateBrokerConfig -b " + a + " -k maxTransferCountOnMessageInMemory -v 31"),
		step("wipeWritePerm -b broker-a"),
		step("addWritePerm -b broker-a"),
		step("sendMsgStatus -b broker-a -s 20 -c 3", "SEND_OK"),
		step("updateSubGroup -c DefaultCluster -g ours", "ours"),
		step("consumerProgress -g members", "made-by-sends"),
		step("consumerStatus -g members", "members"),
		step("consumerConnection -g members", "made-by-sends"),
		patiently("producerConnection -g our-senders -t made-by-sends", "GO"),
		step("resetOffsetByTime -g members -t made-by-sends -s 0", "broker-a"),
		step("skipAccumulatedMessage -g members -t made-by-sends", "broker-a"),
		step("cloneGroupOffset -s members -d ours -t made-by-sends -o true"),
		step("queryMsgById -t made-by-sends -i "+at, m.UniqueID()),
		patiently("queryMsgByKey -t made-by-sends -k shared", keyed.UniqueID),
		step("queryMsgByUniqueKey -t made-by-sends -i "+m.UniqueID(), m.UniqueID()),
		step("queryMsgByOffset -t made-by-sends -b broker-a -i 0 -o 0"),
		step("queryCq -t made-by-sends -q 0 -i 0 -g members", "Queue 0 of made-by-sends at broker-a", "Group members subscribes *"),
		step("setConsumeMode -c DefaultCluster -t made-by-sends -g members -m PULL", "set consume mode to "+a+" success"),
		step("printMsg -t made-by-sends", "new 003"),
		step("printMsgByQueue -t made-by-sends -a broker-a -i 0 -p true"),
		step("sendMessage -t orders -p hello -k key1 -c red", "SEND_OK"),
		step("consumeMessage -t made-by-sends", "new 00"),
		step("checkMsgSendRT -t orders -a 3 -s 10", "SEND_OK", "Avg RT"),
		step("getNamesrvConfig", "listenPort"),
		step("updateKvConfig -s space -k name -v value"),
		step("deleteKvConfig -s space -k name"),
		step("deleteSubGroup -c DefaultCluster -g ours", "ours"),
		step("deleteTopic -c DefaultCluster -t orders", "orders"),
	}
}
