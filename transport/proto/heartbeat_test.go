package proto

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestHeartbeatOfJava(t *testing.T) {
	const golden = `{"clientID":"10.0.0.5@12345#1","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET",` +
		`"consumeType":"CONSUME_PASSIVELY","groupName":"G","messageModel":"CLUSTERING","subscriptionDataSet":[` +
		`{"classFilterMode":false,"codeSet":[2598919],"expressionType":"TAG","subString":"TagA","subVersion":1700000000000,` +
		`"tagsSet":["TagA"],"topic":"T"}],"unitMode":false}],"heartbeatFingerprint":0,"producerDataSet":[{"groupName":"P"}],"withoutSub":false}`
	want := &HeartbeatData{
		ClientID:  "10.0.0.5@12345#1",
		Producers: []ProducerData{{Group: "P"}},
		Consumers: []ConsumerData{{
			Group: "G", ConsumeType: ConsumePush, Model: Clustering, From: FromLastOffset,
			Subscriptions: []SubscriptionData{{
				Topic: "T", Expression: "TagA", ExpressionType: ExpressionTag,
				Tags: []string{"TagA"}, TagHashes: []int32{2598919}, Version: 1700000000000,
			}},
		}},
	}
	read, err := UnmarshalHeartbeatData([]byte(golden))
	require.NoError(t, err)
	require.Equal(t, want, read)
	require.Equal(t, golden, string(want.Marshal()))
	require.Equal(t, "heartbeat of 10.0.0.5@12345#1: 1 producer groups, 1 consumer groups", read.String())
	require.Equal(t, "G CONSUME_PASSIVELY CLUSTERING, 1 subscriptions", read.Consumers[0].String())
	require.Equal(t, `T TAG "TagA" version 1700000000000`, read.Consumers[0].Subscriptions[0].String())
}

// Each client has its own way with this body.
func TestHeartbeatsOfOtherClients(t *testing.T) {
	subscription := SubscriptionData{
		Topic: "T", Expression: "TagA", ExpressionType: ExpressionTag,
		Tags: []string{"TagA"}, TagHashes: []int32{2598919}, Version: 1700000000000,
	}
	for _, c := range []struct {
		client, consumer string
		want             func(*ConsumerData)
	}{
		{"Go: other case, unknown start, hashes as strings, nanoseconds",
			`{"groupName":"G","consumeType":"CONSUME_PASSIVELY","messageModel":"Clustering","consumeFromWhere":"UNKNOWN","unitMode":false,` +
				`"subscriptionDataSet":[{"classFilterMode":false,"topic":"T","subString":"TagA","tagsSet":["TagA"],"codeSet":["2598919"],` +
				`"subVersion":1700000000000000000,"expressionType":"TAG"}]}`,
			func(c *ConsumerData) {
				c.From, c.Subscriptions[0].Version = FromUnknown, 1700000000000000000
			}},
		{"Go: broadcasting in its own case, null sets",
			`{"groupName":"G","consumeType":"CONSUME_ACTIVELY","messageModel":"BroadCasting","consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET",` +
				`"subscriptionDataSet":null}`,
			func(c *ConsumerData) {
				c.ConsumeType, c.Model, c.From, c.Subscriptions = ConsumePull, Broadcasting, FromFirstOffset, nil
			}},
		{"C++: ordinals, version as string, members left out",
			`{"consumeFromWhere":0,"consumeType":1,"groupName":"G","messageModel":1,"subscriptionDataSet":[` +
				`{"codeSet":[2598919],"subString":"TagA","subVersion":"1700000000000","tagsSet":["TagA"],"topic":"T"}]}` + "\n",
			func(*ConsumerData) {}},
		{"ali-ons: no type of expression",
			`{"groupName":"G","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","consumeFromWhere":"CONSUME_FROM_LAST_OFFSET",` +
				`"subscriptionDataSet":[{"topic":"T","subString":"TagA","tagsSet":["TagA"],"codeSet":[2598919],"classFilterMode":false,` +
				`"subVersion":1700000000000}],"unitMode":false}`,
			func(*ConsumerData) {}},
	} {
		want := ConsumerData{
			Group: "G", ConsumeType: ConsumePush, Model: Clustering, From: FromLastOffset,
			Subscriptions: []SubscriptionData{subscription},
		}
		c.want(&want)
		read, err := UnmarshalHeartbeatData([]byte(`{"clientID":"c","consumerDataSet":[` + c.consumer + `]}`))
		require.NoError(t, err, c.client)
		require.Equal(t, &HeartbeatData{ClientID: "c", Consumers: []ConsumerData{want}}, read, c.client)
	}
}

func TestHeartbeatWithTheSameSubscriptionTwice(t *testing.T) {
	read, err := UnmarshalHeartbeatData([]byte(`{"clientID":"c","consumerDataSet":[` +
		`{"groupName":"A","subscriptionDataSet":[{"subString":"*","topic":"T"}]},` +
		`{"groupName":"B","subscriptionDataSet":[{"$ref":"$.consumerDataSet[0].subscriptionDataSet[0]"}]}]}`))
	require.NoError(t, err)
	require.Equal(t, []SubscriptionData{{Topic: "T", Expression: SubscribeAll, ExpressionType: ExpressionTag}}, read.Consumers[1].Subscriptions)
}

func TestEnumerationsWithoutMeaningAreUnknown(t *testing.T) {
	read, err := UnmarshalHeartbeatData([]byte(`{"clientID":"c","consumerDataSet":[{"groupName":"G","consumeType":7,"messageModel":null}]}`))
	require.NoError(t, err)
	consumer := read.Consumers[0]
	require.Equal(t, ConsumerData{Group: "G", ConsumeType: ConsumeUnknown, Model: ModelUnknown, From: FromUnknown}, consumer)
	require.Equal(t, "UNKNOWN", consumer.ConsumeType.String())
	require.Equal(t, `{"clientID":"c","consumerDataSet":[{"groupName":"G","subscriptionDataSet":[],"unitMode":false}],`+
		`"heartbeatFingerprint":0,"producerDataSet":[],"withoutSub":false}`, string(read.Marshal()), "null is left out")
}

func TestEnumerationsHaveTheProtocolsNames(t *testing.T) {
	require.Equal(t, []string{"CONSUME_ACTIVELY", "CONSUME_PASSIVELY", "CONSUME_POP"},
		[]string{ConsumePull.String(), ConsumePush.String(), ConsumePop.String()})
	require.Equal(t, []string{"BROADCASTING", "CLUSTERING"}, []string{Broadcasting.String(), Clustering.String()})
	require.Equal(t, "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST", FromLastOrMin.String())
	require.Equal(t, "CONSUME_FROM_MIN_OFFSET", FromMinOffset.String())
	require.Equal(t, "CONSUME_FROM_MAX_OFFSET", FromMaxOffset.String())
	require.Equal(t, "CONSUME_FROM_TIMESTAMP", FromTimestamp.String())
	require.Equal(t, []string{"SINGLE_TAG", "MULTI_TAG"}, []string{SingleTag.String(), MultiTag.String()})
}

// drawSubscription makes one that is read back as it was written.
func drawSubscription(r *rapid.T) SubscriptionData {
	s := rapid.Make[SubscriptionData]().Draw(r, "subscription")
	if s.ExpressionType == "" {
		s.ExpressionType = ExpressionSQL
	}
	s.Tags, s.TagHashes = append([]string(nil), s.Tags...), append([]int32(nil), s.TagHashes...)
	return s
}

func TestHeartbeatsSurviveTheBody(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h := &HeartbeatData{
			ClientID:             randomTexts.Draw(r, "client"),
			Fingerprint:          rapid.Int32().Draw(r, "fingerprint"),
			WithoutSubscriptions: rapid.Bool().Draw(r, "without"),
			Producers:            []ProducerData{},
			Consumers:            []ConsumerData{},
		}
		for range rapid.IntRange(0, 3).Draw(r, "producers") {
			h.Producers = append(h.Producers, ProducerData{Group: randomTexts.Draw(r, "group")})
		}
		for range rapid.IntRange(0, 3).Draw(r, "consumers") {
			h.Consumers = append(h.Consumers, ConsumerData{
				Group:         randomTexts.Draw(r, "group"),
				ConsumeType:   ConsumeType(rapid.Int8Range(-1, 2).Draw(r, "type")),
				Model:         MessageModel(rapid.Int8Range(-1, 1).Draw(r, "model")),
				From:          ConsumeFrom(rapid.Int8Range(-1, 5).Draw(r, "from")),
				Subscriptions: []SubscriptionData{drawSubscription(r)},
				UnitMode:      rapid.Bool().Draw(r, "unit"),
			})
		}
		read, err := UnmarshalHeartbeatData(h.Marshal())
		require.NoError(r, err)
		require.Equal(r, h, read)
	})
}
