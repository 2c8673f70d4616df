package proto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/transport/wire"
)

func TestConnectionsOfGroupsAreThoseOfJava(t *testing.T) {
	member := Connection{ClientID: "10.0.0.5@1", Address: "10.0.0.5:50123", Language: wire.LanguageJava, Version: 401}
	consumers := &ConsumerConnection{
		Members: []Connection{member}, Subscriptions: []SubscriptionData{subscriptionToT()},
		ConsumeType: ConsumePush, Model: Clustering, From: FromLastOffset,
	}
	requireSame(t, "ConsumerConnection", UnmarshalConsumerConnection, consumers, consumers.Marshal())
	requireRead(t, java4, "ConsumerConnection", UnmarshalConsumerConnection, consumers)
	nobody := &ConsumerConnection{Members: []Connection{}, ConsumeType: ConsumeUnknown, Model: ModelUnknown, From: FromUnknown}
	requireSame(t, "ConsumerConnection empty", UnmarshalConsumerConnection, nobody, nobody.Marshal())

	producers := &ProducerConnection{Members: []Connection{member}}
	requireSame(t, "ProducerConnection", UnmarshalProducerConnection, producers, producers.Marshal())
	require.Equal(t, "1 members, CONSUME_PASSIVELY CLUSTERING, 1 subscriptions", consumers.String())
	require.Equal(t, "1 members", producers.String())
	require.Equal(t, "10.0.0.5@1 at 10.0.0.5:50123, JAVA version 401", member.String())
}

func TestProducersOfABrokerAreThoseOfJava(t *testing.T) {
	table := &ProducerTable{Groups: []ProducerGroup{{Group: "P", Members: []ProducerInfo{{
		Connection: Connection{ClientID: "10.0.0.5@1", Address: "10.0.0.5:50123", Language: wire.LanguageGo, Version: 317},
		SeenAt:     1700000000000,
	}}}}}
	requireSame(t, "ProducerTableInfo", UnmarshalProducerTable, table, table.Marshal())
	requireRead(t, java4, "ProducerTableInfo", UnmarshalProducerTable, table)
	require.Equal(t, "1 producer groups", table.String())
}

func TestConnectionsInUnknownLanguagesAreOther(t *testing.T) {
	for _, language := range []string{`"COBOL"`, `null`, `9`, `{}`} {
		read, err := UnmarshalProducerConnection([]byte(`{"connectionSet":[{"clientId":"c","language":` + language + `},{}]}`))
		require.NoError(t, err)
		require.Equal(t, []Connection{{ClientID: "c", Language: wire.LanguageOther}, {Language: wire.LanguageOther}}, read.Members)
	}
}

func TestSubscriptionsOfAGroupGoByTheirKeys(t *testing.T) {
	read, err := UnmarshalConsumerConnection([]byte(`{"subscriptionTable":{"B":{"topic":"x","subString":"*"},"A":null}}`))
	require.NoError(t, err)
	require.Equal(t, []SubscriptionData{{Topic: "B", Expression: SubscribeAll, ExpressionType: ExpressionTag}}, read.Subscriptions)
}
