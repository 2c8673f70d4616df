package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// optionsOfMqadmin are the options of RocketMQ's tool, short:long, with "!" behind those without a value.
var optionsOfMqadmin = map[string]string{
	"updateTopic":            "b:brokerAddr c:clusterName a:attributes t:topic r:readQueueNums w:writeQueueNums p:perm o:order u:unit s:hasUnitSub",
	"updateTopicList":        "b:brokerAddr c:clusterName f:filename",
	"updateSubGroupList":     "b:brokerAddr c:clusterName f:filename",
	"setConsumeMode":         "b:brokerAddr c:clusterName t:topicName g:groupName m:mode q:popShareQueueNum",
	"queryCq":                "t:topic q:queue i:index c:count b:broker g:consumer",
	"deleteTopic":            "t:topic c:clusterName",
	"updateTopicPerm":        "b:brokerAddr c:clusterName t:topic p:perm",
	"topicRoute":             "t:topic l:list!",
	"topicStatus":            "t:topic c:cluster",
	"topicClusterList":       "t:topic",
	"topicList":              "c:clusterModel!",
	"updateOrderConf":        "t:topic v:orderConf m:method",
	"updateSubGroup":         "b:brokerAddr c:clusterName g:groupName s:consumeEnable m:consumeFromMinEnable d:consumeBroadcastEnable o:consumeMessageOrderly q:retryQueueNums r:retryMaxTimes p:groupRetryPolicy i:brokerId w:whichBrokerWhenConsumeSlowly a:notifyConsumerIdsChanged :attributes",
	"deleteSubGroup":         "b:brokerAddr c:clusterName g:groupName r:removeOffset",
	"consumerProgress":       "g:groupName t:topicName s:showClientIP c:cluster",
	"consumerStatus":         "g:consumerGroup i:clientId b:brokerAddr s:jstack!",
	"getConsumerConfig":      "g:groupName",
	"updateBrokerConfig":     "b:brokerAddr c:clusterName a:updateAllBroker k:key v:value",
	"haStatus":               "b:brokerAddr c:clusterName i:interval",
	"getBrokerEpoch":         "b:brokerName c:clusterName i:interval",
	"brokerStatus":           "b:brokerAddr c:clusterName",
	"sendMsgStatus":          "b:brokerName s:messageSize c:count",
	"cleanExpiredCQ":         "b:brokerAddr c:cluster",
	"deleteExpiredCommitLog": "b:brokerAddr c:cluster",
	"cleanUnusedTopic":       "b:brokerAddr c:cluster",
	"getBrokerConfig":        "b:brokerAddr c:clusterName",
	"queryMsgById":           "t:topic i:msgId g:consumerGroup d:clientId s:sendMessage u:unitName f:bodyFormat c:cluster",
	"queryMsgByKey":          "t:topic k:msgKey b:beginTimestamp e:endTimestamp m:maxNum c:cluster",
	"queryMsgByUniqueKey":    "i:msgId g:consumerGroup d:clientId t:topic a:showAll! c:cluster",
	"queryMsgByOffset":       "t:topic b:brokerName i:queueId o:offset f:bodyFormat",
	"printMsg":               "t:topic c:charsetName s:subExpression b:beginTimestamp e:endTimestamp d:printBody l:lmqParentTopic",
	"printMsgByQueue":        "t:topic a:brokerName i:queueId c:charsetName s:subExpression b:beginTimestamp e:endTimestamp p:printMsg d:printBody f:calculate",
	"checkMsgSendRT":         "t:topic a:amount s:size",
	"sendMessage":            "t:topic p:body k:key c:tags b:broker i:qid m:msgTraceEnable",
	"consumeMessage":         "t:topic b:brokerName i:queueId o:offset g:consumerGroup s:beginTimestamp e:endTimestamp c:MessageNumber",
	"producerConnection":     "g:producerGroup t:topic",
	"consumerConnection":     "g:consumerGroup b:brokerAddr",
	"cloneGroupOffset":       "s:srcGroup d:destGroup t:topic o:offline",
	"resetOffsetByTime":      "g:group t:topic s:timestamp f:force b:broker q:queue o:offset c:cluster :cplus!",
	"skipAccumulatedMessage": "g:group t:topic f:force c:cluster",
	"producer":               "b:broker",
	"clusterList":            "m:moreStats! i:interval c:clusterName",
	"updateKvConfig":         "s:namespace k:key v:value",
	"deleteKvConfig":         "s:namespace k:key",
	"wipeWritePerm":          "b:brokerName",
	"addWritePerm":           "b:brokerName",
	"getNamesrvConfig":       "",
	"updateNamesrvConfig":    "k:key v:value",
	"getControllerMetaData":  "a:controllerAddress",
	"getSyncStateSet":        "a:controllerAddress c:clusterName b:brokerName i:interval",
	"electMaster":            "a:controllerAddress b:brokerId :bn c:clusterName",
	"cleanBrokerMetadata":    "a:controllerAddress b:brokerControllerIdsToClean :bn c:clusterName l:cleanLivingBroker!",
	"getControllerConfig":    "a:controllerAddress",
	"updateControllerConfig": "a:controllerAddress k:key v:value",
}

// adminCommands are those of gantry admin by name.
func adminCommands(t *testing.T) map[string]*cobra.Command {
	t.Helper()
	commands := map[string]*cobra.Command{}
	for _, cmd := range newAdmin(&console{}).Commands() {
		commands[cmd.Name()] = cmd
	}
	return commands
}

func TestCommandsHaveTheOptionsOfMqadmin(t *testing.T) {
	commands := adminCommands(t)
	for name, options := range optionsOfMqadmin {
		cmd := commands[name]
		require.NotNil(t, cmd, name)
		for option := range strings.FieldsSeq(options) {
			option, isSwitch := strings.CutSuffix(option, "!")
			short, long, _ := strings.Cut(option, ":")
			flag := cmd.Flags().Lookup(long)
			require.NotNil(t, flag, "%s --%s", name, long)
			require.Equal(t, short, flag.Shorthand, "%s --%s", name, long)
			require.Equal(t, isSwitch, flag.NoOptDefVal != "", "%s --%s has a value or not", name, long)
		}
	}
}

func TestEveryCommandHasHelpAndAnExample(t *testing.T) {
	for name, cmd := range adminCommands(t) {
		require.NotEmpty(t, cmd.Short, name)
		require.NotEmpty(t, cmd.Long, name)
		// Controllers need no name server.
		whom := " -n "
		if cmd.Flags().Lookup("controllerAddress") != nil {
			whom = " -a "
		}
		require.Contains(t, cmd.Example, "gantry admin "+name+whom, name)
		code, out, _ := called(t, "mqadmin", name, "-h")
		require.Zero(t, code, name)
		require.Contains(t, out, "Examples:\n  mqadmin "+name+whom, name)
	}
}

func TestWrongOptionsOfAdminCommandsAreUsageErrors(t *testing.T) {
	t.Setenv("NAMESRV_ADDR", "a:1")
	for line, want := range map[string]string{
		"deleteTopic -t x":                           "option -c (--clusterName) is missing (see mqadmin deleteTopic -h)",
		"updateTopicPerm -t x -c y":                  "option -p (--perm) is missing",
		"updateTopicPerm -t x -c y -p 7":             "-p: 7 is none of 2 (write), 4 (read), 6 (both)",
		"updateOrderConf -t x -m set":                "-m set: it is none of get, put, delete",
		"updateOrderConf -t x -m put -v a":           `-v "a": write brokers and their numbers of queues`,
		"updateOrderConf -t x -m put":                `-v "": write brokers`,
		"brokerStatus":                               "give either -b (--brokerAddr) or -c (--clusterName)",
		"updateBrokerConfig -b a -k x":               "option -v (--value) is missing",
		"wipeWritePerm":                              "option -b (--brokerName) is missing",
		"sendMsgStatus -b a -c 0":                    "-c: 0 is not a number of messages",
		"checkMsgSendRT -t a -s 0":                   "-s: 0 is not a number of bytes",
		"updateSubGroup -g x":                        "give either -b (--brokerAddr) or -c (--clusterName)",
		"updateSubGroup -g x -b a -q -1":             "-q: -1 is not a number of queues",
		"updateSubGroup -g x -b a -p no":             `-p: "no" is not a retry policy`,
		"updateSubGroup -g x -b a --attributes k=v":  `--attributes: "k=v" is neither +key=value nor -key`,
		"consumerProgress -t x":                      "name it with -g",
		"producerConnection -g x":                    "option -t (--topic) is missing",
		"resetOffsetByTime -g x -t y":                "option -s (--timestamp) is missing: say where to go on",
		"resetOffsetByTime -g x -t y -s -1 -q 1":     "-b and -q: queues are numbered at each broker",
		"resetOffsetByTime -g x -t y -s -1 -o 1":     "-o 1: offsets count in each queue",
		"resetOffsetByTime -g x -t y -s noon":        `"noon" is neither milliseconds since 1970 nor a date`,
		"resetOffsetByTime -g x -t y -s -5":          "-s -5: it is before 1970",
		"cloneGroupOffset -s x -d x -t y":            "-s and -d: both are x",
		"printMsg -t x -c GBK":                       "-c GBK: bodies are shown as UTF-8",
		"printMsg -t x -l y":                         "-l y: this version has no light queues",
		"printMsg -t x -b noon":                      `-b: "noon" is neither`,
		"printMsgByQueue -t x -a b":                  "option -i (--queueId) is missing",
		"queryMsgByOffset -t x -b a -i 0":            "option -o (--offset) is missing",
		"queryMsgByOffset -t x -b a -i 0 -o -1":      "queues and offsets count from 0",
		"queryMsgById -t x -i y -s true -g a -d b":   "-s true and -g: a message is either sent again, or handed to a consumer",
		"deleteKvConfig -s x":                        "option -k (--key) is missing",
		"queryCq -t x -q 0":                          "option -i (--index) is missing",
		"getControllerMetaData":                      "option -a (--controllerAddress) is missing",
		"getControllerConfig -a here":                `-a: "here" is not host:port`,
		"getSyncStateSet -a a:1":                     "give either -b (--brokerName) or -c (--clusterName)",
		"getSyncStateSet -a a:1 -b x -i -1":          "-i: -1 is not a number of seconds",
		"electMaster -a a:1 -c x -bn y":              "option -b (--brokerId) is missing",
		"electMaster -a a:1 -c x -b 2":               "option --brokerName is missing",
		"electMaster -a a:1 -c x -bn y -b -1":        "-b: -1 is not the id of a broker",
		"cleanBrokerMetadata -a a:1 -bn y":           "-c: without -l (--cleanLivingBroker) it cannot be empty",
		"cleanBrokerMetadata -a a:1 -bn y -c x -b z": `-b: "z" is not the id of a broker`,
		"updateControllerConfig -a a:1 -k x":         "option -v (--value) is missing",
		"queryCq -t x -q 0 -i -1":                    "-q 0 and -i -1: queues and offsets count from 0",
		"queryCq -t x -q 0 -i 0 -c 0":                "-c: 0 is not a number of messages",
		"setConsumeMode -t x -g y -b a":              "option -m (--mode) is missing",
		"setConsumeMode -t x -g y -b a -m PUSH":      "-m PUSH: it is none of PULL, POP",
		"updateTopicList -b a":                       "option -f (--filename) is missing",
		"updateTopicList -b a -f /no/such":           "-f: the list of topics cannot be read: open /no/such: no such file or directory",
		"updateSubGroupList -f a":                    "give either -b (--brokerAddr) or -c (--clusterName)",
		"producer":                                   "option -b (--broker) is missing",
	} {
		code, out, err := called(t, append([]string{"mqadmin"}, strings.Fields(line)...)...)
		require.Equal(t, exitUsage, code, line)
		require.Empty(t, out, line)
		require.Contains(t, err, want, line)
	}
}
