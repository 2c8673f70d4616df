package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// requestFrom is a request as a consumer gets it from a broker of the cluster "c".
func requestFrom(brokerName string) *client.Received {
	r := &client.Received{Queue: client.Queue{Topic: "orders", BrokerName: brokerName}}
	for _, p := range [][2]string{{"CLUSTER", "c"}, {"CORRELATION_ID", "17"}, {"REPLY_TO_CLIENT", "10.0.0.9@x"}, {"TTL", "3000"}, {"TAGS", "t"}} {
		r.Properties.Set(p[0], p[1])
	}
	return r
}

func TestAReplyIsTiedToItsRequest(t *testing.T) {
	m, err := client.Reply(requestFrom("a"), []byte("yes"), client.Keys("k"), client.Property("CORRELATION_ID", "18"), func(m *client.Message) { m.Topic = "elsewhere" })
	require.NoError(t, err)
	require.Equal(t, "c_REPLY_TOPIC", m.Topic)
	require.Equal(t, "yes", string(m.Body))
	require.Equal(t, []string{"k"}, m.Keys())
	for name, want := range map[string]string{
		"MSG_TYPE": "reply", "CORRELATION_ID": "17", "REPLY_TO_CLIENT": "10.0.0.9@x", "TTL": "3000", "TAGS": "", "CLUSTER": "",
	} {
		require.Equal(t, want, m.Properties.Get(name), name)
	}
	timeless := requestFrom("a")
	timeless.Properties.Delete("TTL")
	m, err = client.Reply(timeless, []byte("yes"))
	require.NoError(t, err)
	_, told := m.Properties.Lookup("TTL")
	require.False(t, told)
}

func TestAMessageThatIsNoRequestGetsNoReply(t *testing.T) {
	_, err := client.Reply(nil, []byte("yes"))
	require.ErrorIs(t, err, client.ErrNoRequest)
	for _, name := range []string{"CLUSTER", "CORRELATION_ID", "REPLY_TO_CLIENT"} {
		r := requestFrom("a")
		r.Properties.Delete(name)
		_, err := client.Reply(r, []byte("yes"))
		require.ErrorIs(t, err, client.ErrNoRequest)
		require.ErrorContains(t, err, name)
	}
	c := newCluster(t, 1)
	c.run(time.Second, func() {
		_, err = c.producer().Reply(background, &client.Received{}, []byte("yes"))
	})
	require.ErrorIs(t, err, client.ErrNoRequest)
}

func TestARepliesWayBeginsAtTheBrokerOfItsRequest(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["c_REPLY_TOPIC"] = route(1, c.a, c.b)
	c.run(20*time.Second, func() {
		p := c.producer(client.WithSelector(client.SelectRandom))
		for range 5 {
			result, err := p.Reply(background, requestFrom("b"), []byte("yes"))
			must(err)
			if result.Queue.BrokerName != "b" {
				panic(result.String())
			}
		}
		_, err := p.Reply(background, requestFrom("gone"), []byte("to any broker"))
		must(err)
		c.b.intercept = refusing(proto.ReqSendReplyMessageV2, proto.RespSystemError)
		_, err = p.Reply(background, requestFrom("b"), []byte("to another broker"))
		must(err)
		must(p.Close(background))
	})
	sends := c.sends()
	require.NotEmpty(t, c.a.sends)
	require.Equal(t, "to another broker", string(c.a.sends[len(c.a.sends)-1].body))
	for _, s := range sends {
		require.EqualValues(t, proto.ReqSendReplyMessageV2, s.code)
		require.Equal(t, "reply", s.property(message.PropertyMessageType))
	}
}

// TestAReplyIsSentAsOneHoweverItIsSent because brokers tell replies by the code.
func TestAReplyIsSentAsOneHoweverItIsSent(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["c_REPLY_TOPIC"] = route(1, c.a)
	c.run(20*time.Second, func() {
		p := c.producer()
		m, err := client.Reply(requestFrom("a"), []byte("yes"))
		must(err)
		_, err = p.Send(background, m)
		must(err)
		must(p.SendAsync(background, m, nil))
		must(p.SendOneway(background, m))
		c.eventually("all came", func() bool { return len(c.a.sends) == 3 })
		_, err = p.Send(background, hello())
		must(err)
		must(p.Close(background))
	})
	codes := map[int32]int{}
	for _, s := range c.sends() {
		codes[s.code]++
	}
	require.Equal(t, map[int32]int{proto.ReqSendReplyMessageV2: 3, proto.ReqSendMessageV2: 1}, codes)
}
