package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestAFilterShowsItsExpression(t *testing.T) {
	for want, filter := range map[string]client.Filter{
		"*":           {},
		"odd || even": client.Tags(" odd||even "),
		"size > 5":    client.SQL("size > 5"),
		"":            client.SQL(""),
	} {
		require.Equal(t, want, filter.String())
	}
}

func TestFiltersThatAreNoTagsAreCheckedByABrokerOfTheirTopic(t *testing.T) {
	c := newCluster(t, 1)
	var checks []*proto.ClientConfigCheck
	c.a.intercept = func(in *transport.Incoming) bool {
		if in.Command.Code != proto.ReqCheckClientConfig {
			return false
		}
		check, err := proto.UnmarshalClientConfigCheck(in.Command.Body)
		must(err)
		checks = append(checks, check)
		in.Reply().Success(nil)
		return true
	}
	c.names.routes["bills"] = route(2, c.a)
	c.run(time.Minute, func() {
		consumer := c.consumer(client.WithSubscription("orders", client.SQL("size > 5")), client.WithSubscription("bills", client.Tags("red")))
		must(consumer.CheckFilters(background))
		must(consumer.Close(background))
	})
	require.Len(t, checks, 1)
	require.Equal(t, "consumers", checks[0].Group)
	require.NotEmpty(t, checks[0].ClientID)
	require.Equal(t, "orders", checks[0].Subscription.Topic)
	require.Equal(t, "size > 5", checks[0].Subscription.Expression)
	require.Equal(t, proto.ExpressionSQL, checks[0].Subscription.ExpressionType)
	require.Empty(t, checks[0].Subscription.Tags)
}

func TestAFilterThatABrokerRefusesIsAnError(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = refusing(proto.ReqCheckClientConfig, proto.RespSubscriptionParseFailed)
	c.run(time.Minute, func() {
		consumer := c.consumer(client.WithSubscription("orders", client.SQL("size > = 5")))
		err := consumer.CheckFilters(background)
		var answer *client.ResponseError
		require.ErrorAs(t, err, &answer)
		require.EqualValues(t, proto.RespSubscriptionParseFailed, answer.Code)
		require.ErrorContains(t, err, `filter "size > = 5" of topic orders`)
		must(consumer.Close(background))
		require.ErrorIs(t, consumer.CheckFilters(background), client.ErrClosed)
	})
}

func TestFiltersOfTopicsWithoutABrokerAreNotChecked(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = silent
	c.run(time.Minute, func() {
		consumer := c.consumer(client.WithSubscription("nowhere", client.SQL("size > 5")), client.WithSubscription("orders", client.SQL("size > 5")))
		require.NoError(t, consumer.CheckFilters(background), "there is no topic, and nobody answers: pulls will tell")
		must(consumer.Close(background))
	})
}
