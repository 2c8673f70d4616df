package main

import (
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestEntriesOfAQueueAreShown(t *testing.T) {
	query := &entriesQuery{EntriesQuery: client.EntriesQuery{Topic: "orders", Queue: 1, From: 7, Count: 3, Group: "billing"}}
	found := &client.QueueEntries{
		Min: 2, Max: 12, Subscription: &proto.SubscriptionData{Expression: "paid", ExpressionType: "TAG", Version: 3}, FilterData: "null",
		Entries: []proto.ConsumeQueueEntry{
			{LogOffset: 1000, Size: 207, TagHash: 2598919},
			{LogOffset: 1207, Size: 180, TagHash: -5, Extension: "{}", FilterBits: "01", Matches: true},
			{LogOffset: 1387, Size: 500, Note: proto.MessagesNote(9, 12)},
		},
	}
	broker := client.Broker{Name: "broker-a", Address: "10.0.0.5:10911"}
	require.Equal(t, lines(
		"Offset  Place in the log  Size  Tag hash",
		"     7              1000   207   2598919",
		"     8              1207   180        -5  {}; filter bits 01, taken true",
		"     9              1387   500         0  messages [9, 12)",
		"",
		"Queue 1 of orders at broker-a (10.0.0.5:10911) holds [2, 12).",
		"Group billing subscribes paid of type TAG.",
	), shown(t, newQueuePartView(broker, query, found), false))
	require.JSONEq(t, `{"broker":"broker-a","address":"10.0.0.5:10911","topic":"orders","queue":1,"first":2,"end":12,"group":"billing",
		"subscription":{"expression":"paid","type":"TAG","version":3},"filterData":"null","entries":[
		{"offset":7,"commitLogOffset":1000,"size":207,"tagHash":2598919},
		{"offset":8,"commitLogOffset":1207,"size":180,"tagHash":-5,"extension":"{}","filterBits":"01","matches":true},
		{"offset":9,"commitLogOffset":1387,"size":500,"tagHash":0,"note":"messages [9, 12)"}]}`,
		shown(t, newQueuePartView(broker, query, found), true))
	found.Subscription = nil
	require.Contains(t, shown(t, newQueuePartView(client.Broker{Address: "a:1"}, query, found), false),
		"\nQueue 1 of orders at a:1 holds [2, 12).\nGroup billing is not online, or does not subscribe the topic.\n")
}
