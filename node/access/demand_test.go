package access

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// needsAre is what the description of the protocol says of request codes, for the topic T and the group g of the cluster c.
const needsAre = `
105                                       Topic:T (Pub,Sub,Get)
10 310 320 370                            Topic:T (Pub)
36                                        Group:g (Sub); Topic:T (Sub)
11 361 200050 200052 200054               Topic:T (Sub); Group:g (Sub)
200051 200053 200151                      Topic:T (Sub); Group:g (Sub)
12                                        Topic:T (Sub,Get)
34 41 42                                  Group:g (Sub); Topic:T (Sub)
35                                        Group:g (Sub)
38                                        Group:g (Sub,Get)
14                                        Topic:T (Sub,Get); Group:g (Sub,Get)
15                                        Topic:T (Sub,Update); Group:g (Sub,Update)
29 30 31                                  Topic:T (Sub,Get)
32 33 202 300 351 354                     Topic:T (Get)
203 307 352 343                           Group:g (Get)
223 303 308 321 200055                    Topic:T (Get); Group:g (Get)
208 345                                   Group:g (Get); Topic:T (Get)
309                                       Group:g (Sub); Topic:T (Sub)
17 18 513                                 Topic:T (Create)
215                                       Topic:T (Delete)
200 225                                   Group:g (Create,Update)
207                                       Group:g (Delete)
222 353 401                               Topic:T (Update); Group:g (Update)
314                                       Group:g (Update); Topic:T (Update)
323                                       Topic:T (Update)
400                                       Topic:T (Sub); Group:g (Sub)
204 315 317 328 355 901 101 219 322 1004 1006 1007 1012 3004 3005 3009 3010 52 54 907 2003 710002   Cluster:c (Get)
25 50 51 53 100 102 103 104 205 327 216 217 904 905 906 908 902 903 1001 1002 1003 1008 1009 1011 1013 710001 710003   Cluster:c (Update)
3001 3002 3003 3006 3007 3008 306 316 318 329 2001 2002 2004 200056   Cluster:c (Update)
21 26 28 37 43 45 46 60 61 106 201 206 224 304 305 311 312 313 319 324 325 402 1005 1010   everybody
`

// rich is a request that names everything that requests can be about, wherever they name it.
func rich(code int32) *wire.Command {
	c := &wire.Command{Header: wire.Header{Code: code}}
	for _, key := range []string{"topic", "b", "originTopic", "topicList"} {
		c.Fields.Add(key, "T")
	}
	for _, key := range []string{"group", "consumerGroup", "groupName", "destGroup", "compareGroup", "filterGroups"} {
		c.Fields.Add(key, "g")
	}
	switch code {
	case proto.ReqSendReplyMessage, proto.ReqSendReplyMessageV2:
		c.Fields.Add("topic", proto.ReplyTopic("c"))
		c.Fields.Add("b", proto.ReplyTopic("c"))
	case proto.ReqHeartbeat:
		c.Body = []byte(`{"clientID":"i","producerDataSet":[{"groupName":"p"}],"consumerDataSet":[{"groupName":"g","subscriptionDataSet":[{"topic":"T"},{"topic":"%RETRY%g"}]}]}`)
	case proto.ReqLockBatchQueues, proto.ReqUnlockBatchQueues:
		c.Body = (&proto.LockBatch{ConsumerGroup: "g", Queues: []proto.Queue{{Topic: "T"}, {Topic: "T", QueueID: 1}, {Topic: "%RETRY%g"}}}).Marshal()
	case proto.ReqBatchAckMessage:
		c.Body = (&proto.BatchAckMessage{Acks: []proto.BatchAck{{ConsumerGroup: "g", Topic: "T"}, {ConsumerGroup: "g", Topic: "%RETRY%g_T"}}}).Marshal()
	case proto.ReqUpdateAndCreateTopicList:
		c.Body = (&proto.TopicConfigList{Topics: []proto.TopicConfig{proto.NewTopicConfig("T")}}).Marshal()
	case proto.ReqUpdateAndCreateSubscriptionGroup:
		group := proto.NewSubscriptionGroupConfig("g")
		c.Body = group.Marshal()
	case proto.ReqUpdateAndCreateSubscriptionGroupList:
		c.Body = (&proto.GroupConfigList{Groups: []proto.SubscriptionGroupConfig{proto.NewSubscriptionGroupConfig("g")}}).Marshal()
	case proto.ReqSetMessageRequestMode:
		c.Body = (&proto.SetMessageRequestMode{Topic: "T", ConsumerGroup: "g"}).Marshal()
	case proto.ReqQueryAssignment:
		c.Body = (&proto.QueryAssignment{Topic: "T", ConsumerGroup: "g"}).Marshal()
	}
	return c
}

func TestRequestsNeedWhatTheProtocolSays(t *testing.T) {
	rules := &Rules{Cluster: "c"}
	covered := map[int32]bool{}
	for line := range strings.Lines(needsAre) {
		words := strings.Fields(line)
		var codes []int32
		for len(words) > 0 {
			var code int32
			if _, err := fmt.Sscan(words[0], &code); err != nil {
				break
			}
			codes, words = append(codes, code), words[1:]
		}
		for _, code := range codes {
			covered[code] = true
			require.True(t, Knows(code), code)
			list, reason := rules.needsOf(rich(code))
			require.Empty(t, reason, code)
			got := "everybody"
			var texts []string
			for _, need := range list {
				texts = append(texts, need.String())
			}
			if len(texts) > 0 {
				got = strings.Join(texts, "; ")
			}
			require.Equal(t, strings.Join(words, " "), got, "%d %s", code, proto.RequestName(code))
		}
	}
	require.Equal(t, slices.Sorted(maps.Keys(covered)), slices.Sorted(maps.Keys(demands)), "each code is in both tables")
}

func TestNamesAreTakenFromWhereHandlersTakeThem(t *testing.T) {
	rules := &Rules{Cluster: "c"}
	needs := func(code int32, pairs ...string) string {
		c := &wire.Command{Header: wire.Header{Code: code}}
		for i := 0; i < len(pairs); i += 2 {
			c.Fields.Add(pairs[i], pairs[i+1])
		}
		list, reason := rules.needsOf(c)
		return fmt.Sprint(list, reason)
	}
	for _, c := range []struct{ got, want string }{
		// Of a field that is there twice the last counts, as for handlers.
		{needs(proto.ReqSendMessageV2, "b", "mine", "b", "other"), "[Topic:other (Pub)]"},
		{needs(proto.ReqSendMessage, "b", "mine", "topic", "other"), "[Topic:other (Pub)]"},
		// To a retry topic only its own group sends, whatever group the request names.
		{needs(proto.ReqSendMessageV2, "a", "mine", "b", "%RETRY%other"), "[Group:other (Sub)]"},
		{needs(proto.ReqPullMessage, "topic", "%RETRY%other", "consumerGroup", "mine"), "[Group:other (Sub) Group:mine (Sub)]"},
		{needs(proto.ReqPullMessage, "topic", "%RETRY%mine", "consumerGroup", "mine"), "[Group:mine (Sub)]"},
		{needs(proto.ReqSendReplyMessageV2, "b", "other"), "[Topic:other (Pub)]"},
		{needs(proto.ReqGetRouteInfoByTopic, "topic", "%RETRY%g"), "[Group:g (Sub,Get)]"},
		{needs(proto.ReqRegisterBroker, "clusterName", "other"), "[Cluster:other (Update)]"},
		{needs(proto.ReqAckMessage, "topic", "%RETRY%g+T", "consumerGroup", "g"), "[Topic:T (Sub) Group:g (Sub)]"},
		{needs(proto.ReqAckMessage, "topic", "%RETRY%gg_T", "consumerGroup", "g"), "[Group:gg_T (Sub) Group:g (Sub)]"},
		{needs(proto.ReqQueryCorrectionOffset, "topic", "T", "compareGroup", "g", "filterGroups", "h,i"), "[Topic:T (Get) Group:g (Get) Group:h (Get) Group:i (Get)]"},
		{needs(proto.ReqUnregisterClient, "producerGroup", "p"), "[]"},
	} {
		require.Equal(t, c.want, c.got)
	}
}

func TestEverythingThatIsChangedIsOnRecord(t *testing.T) {
	for code, demand := range demands {
		name := proto.RequestName(code)
		changes := strings.HasPrefix(name, "UPDATE_") || strings.HasPrefix(name, "DELETE_") || strings.HasPrefix(name, "CLEAN_") ||
			strings.HasPrefix(name, "AUTH_CREATE") || strings.HasPrefix(name, "AUTH_UPDATE") || strings.HasPrefix(name, "AUTH_DELETE")
		if changes && code != proto.ReqUpdateConsumerOffset {
			require.Equal(t, classChange, demand.class, name)
		}
	}
}
