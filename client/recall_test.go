package client_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func handleOf(text string) string { return base64.URLEncoding.EncodeToString([]byte(text)) }

func TestARecallGoesToTheBrokerOfTheHandle(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a, c.b)
	var asked proto.RecallMessage
	c.b.intercept = func(in *transport.Incoming) bool {
		if in.Command.Code != proto.ReqRecallMessage {
			return false
		}
		must(asked.DecodeFields(in.Command.Fields))
		in.Reply().Send(proto.RespSuccess, &proto.RecallMessageResponse{UniqueID: "unique"}, nil)
		return true
	}
	handle := handleOf("v1 orders b 1700000000000 unique")
	var id string
	c.run(time.Minute, func() {
		p := c.producer()
		id = must1(p.Recall(background, "orders", handle))
		must(p.Close(background))
	})
	require.Equal(t, "unique", id)
	require.Equal(t, proto.RecallMessage{ProducerGroup: asked.ProducerGroup, Topic: "orders", Handle: handle}, asked)
	require.NotEmpty(t, asked.ProducerGroup)
}

func TestARecallThatCannotBeSaysWhy(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a, c.b)
	c.a.intercept = refusing(proto.ReqRecallMessage, proto.RespIllegalOperation)
	wrong := map[string]error{}
	var late, stranger error
	c.run(time.Minute, func() {
		p := c.producer()
		for _, handle := range []string{"", "$", handleOf("v1 orders a 1"), handleOf("v2 orders a 1 u"), handleOf("v1 bills a 1 u")} {
			_, wrong[handle] = p.Recall(background, "orders", handle)
		}
		_, late = p.Recall(background, "orders", handleOf("v1 orders a 1 u"))
		_, stranger = p.Recall(background, "orders", handleOf("v1 orders z 1 u"))
		must(p.Close(background))
	})
	for handle, err := range wrong {
		require.ErrorIs(t, err, client.ErrRecallHandle, handle)
	}
	var answer *client.ResponseError
	require.ErrorAs(t, late, &answer)
	require.EqualValues(t, proto.RespIllegalOperation, answer.Code)
	require.ErrorIs(t, stranger, client.ErrNoBroker)
	require.ErrorContains(t, stranger, "z")
}

func TestARecallKnowsItsNamespace(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["space%orders"] = route(1, c.a)
	topic := ""
	c.a.intercept = func(in *transport.Incoming) bool {
		if in.Command.Code != proto.ReqRecallMessage {
			return false
		}
		topic = in.Command.Fields.String("topic")
		in.Reply().Send(proto.RespSuccess, &proto.RecallMessageResponse{UniqueID: "u"}, nil)
		return true
	}
	c.run(time.Minute, func() {
		p := c.producer(client.WithNamespace("space"))
		must1(p.Recall(background, "orders", handleOf("v1 space%orders a 1 u")))
		must(p.Close(background))
	})
	require.Equal(t, "space%orders", topic)
}
