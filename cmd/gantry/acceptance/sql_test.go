package acceptance_test

import (
	"fmt"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// goods are messages with properties: the number is the body.
var goods = []map[string]string{
	{"price": "5", "weight": "1.5", "region": "north", "fragile": "true"},
	{"price": "10", "weight": "2.5", "region": "south", "fragile": "false"},
	{"price": "15", "weight": "3.5", "region": "north-east"},
	{"price": "-3", "region": "o'hare"},
	{"region": "WEST"},
	{},
}

func TestEndToEndAnSQLExpressionBringsTheMessagesItSays(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "sql", 2)
	p := c.producer(t)
	for i, properties := range goods {
		options := []client.MessageOption{client.Tag(fmt.Sprint("tag", i))}
		for _, name := range []string{"price", "weight", "region", "fragile"} {
			if value, has := properties[name]; has {
				options = append(options, client.Property(name, value))
			}
		}
		send(t, p, client.NewMessage(topic, fmt.Append(nil, i), options...))
	}
	for name, filter := range map[string]struct {
		expression string
		want       []string
	}{
		"equal":             {"region = 'north'", []string{"0"}},
		"unequal":           {"region <> 'north'", []string{"1", "2", "3", "4"}},
		"greater":           {"price > 5", []string{"1", "2"}},
		"at-least":          {"price >= 5", []string{"0", "1", "2"}},
		"less":              {"price < 5", []string{"3"}},
		"at-most":           {"price <= 5", []string{"0", "3"}},
		"negative":          {"price = -3", []string{"3"}},
		"double":            {"weight > 1.5", []string{"1", "2"}},
		"exponent":          {"weight < 2.5e0", []string{"0"}},
		"between":           {"price BETWEEN 5 AND 10", []string{"0", "1"}},
		"not-between":       {"price NOT BETWEEN 5 AND 10", []string{"2", "3"}},
		"in":                {"region IN ('north', 'WEST')", []string{"0", "4"}},
		"not-in":            {"region NOT IN ('north', 'WEST')", []string{"1", "2", "3"}},
		"null":              {"price IS NULL", []string{"4", "5"}},
		"not-null":          {"weight IS NOT NULL", []string{"0", "1", "2"}},
		"and":               {"price > 5 AND region = 'south'", []string{"1"}},
		"or":                {"price = 5 OR region = 'WEST'", []string{"0", "4"}},
		"not":               {"NOT (price > 5)", []string{"0", "3"}},
		"and-before-or":     {"price = 5 OR price > 5 AND weight < 3.0", []string{"0", "1"}},
		"parentheses":       {"(price = 5 OR price > 5) AND weight < 3.0", []string{"0", "1"}},
		"true":              {"fragile = TRUE", []string{"0"}},
		"false":             {"fragile = FALSE", []string{"1"}},
		"contains":          {"region CONTAINS 'orth'", []string{"0", "2"}},
		"not-contains":      {"region NOT CONTAINS 'orth'", []string{"1", "3", "4"}},
		"starts-with":       {"region STARTSWITH 'north-'", []string{"2"}},
		"ends-with":         {"region ENDSWITH 'th'", []string{"0", "1"}},
		"quote-in-quotes":   {"region = 'o''hare'", []string{"3"}},
		"words-in-any-case": {"price between 5 and 10 or region is null", []string{"0", "1", "5"}},
		"the-tag":           {"TAGS IN ('tag2', 'tag5')", []string{"2", "5"}},
		"a-comment":         {"price = 5 -- cheap", []string{"0"}},
		"unknown-property":  {"colour = 'red'", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gets(t, filter.want, c.consume(t, "sql-"+name, topic, client.WithSubscription(topic, client.SQL(filter.expression))))
		})
	}
}

func TestEndToEndAnSQLExpressionThatCannotBeReadIsRefusedWhenItIsSubscribed(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "illegal", 1)
	running := c.consume(t, "illegal", topic)
	for expression, want := range map[string]string{
		"":                     "character 1: there must be a property, a constant or a bracket",
		"price >":              "character 8: there must be a property, a constant or a bracket",
		"price = = 5":          "character 9",
		"(price = 5":           "character 11: there must be )",
		"price = 5)":           "character 10: the expression could have ended here, but there is )",
		"price LIKE 'a%'":      "write CONTAINS, STARTSWITH or ENDSWITH",
		"price BETWEEN 10 AND": "character 21",
		"region IN ()":         "IN takes texts only and there is )",
		"region IN (1, 2)":     "IN takes texts only and there is 1",
		"region = 'north":      "this text does not end",
		"price + 5 > 7":        "there is +",
		"price > 'a'":          "'a' is a text, and > orders numbers",
		"a = 1; b = 2":         "; does not end an expression",
		"5":                    "5 is neither true nor false",
	} {
		consumer, err := client.NewPushConsumer(newWorld(t).Env, client.WithNameServers(c.names), client.WithGroup("illegal-sql"),
			client.WithSubscription(topic, client.SQL(expression)), client.WithHandler(consumed))
		require.NoError(t, err)
		for _, err := range []error{consumer.Start(background), running.Subscribe(background, topic, client.SQL(expression))} {
			var answer *client.ResponseError
			require.ErrorAs(t, err, &answer, "%q", expression)
			require.Equal(t, int32(proto.RespSubscriptionParseFailed), answer.Code, "%v", err)
			require.ErrorContains(t, err, topic)
			require.ErrorContains(t, err, want, expression)
		}
		leave(t, consumer)
	}
	// The group that runs has kept its filter.
	send(t, c.producer(t), client.NewMessage(topic, []byte("x")))
	gets(t, []string{"x"}, running)
}

func TestEndToEndABrokerMayForbidSQL(t *testing.T) {
	endToEnd(t)
	c := own(t, "--enablePropertyFilter", "false")
	topic := c.topic(t, "forbidden", 1)
	consumer, err := client.NewPushConsumer(newWorld(t).Env, client.WithNameServers(c.names), client.WithGroup("g"),
		client.WithSubscription(topic, client.SQL("price > 5")), client.WithHandler(consumed))
	require.NoError(t, err)
	defer leave(t, consumer)
	require.ErrorContains(t, consumer.Start(background), "enablePropertyFilter")
}
