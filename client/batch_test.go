package client_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestABatchIsOneRequestAndOneResultForEachMessage(t *testing.T) {
	c := newCluster(t, 1)
	messages := []*client.Message{
		client.NewMessage("orders", []byte("one"), client.Tag("a"), client.UserFlags(5)),
		client.NewMessage("orders", bytes.Repeat([]byte("2"), 5000)),
		client.NewMessage("orders", []byte("three"), client.Property("UNIQ_KEY", "MINE")),
	}
	var results []client.SendResult
	c.run(time.Second, func() {
		var err error
		results, err = c.producer().SendBatch(background, messages)
		must(err)
	})
	require.Len(t, c.sends(), 1)
	got := c.sends()[0]
	require.EqualValues(t, proto.ReqSendBatchMessage, got.code)
	require.True(t, got.header.Batch)
	require.Zero(t, got.header.SysFlags, "batches are not compressed")
	require.Zero(t, got.header.UserFlags)
	envelope := got.property("UNIQ_KEY")

	i := 0
	for element, err := range message.DecodeBatch(got.body) {
		require.NoError(t, err)
		id := message.PropertyString(element.Properties, "UNIQ_KEY")
		require.Equal(t, messages[i].Body, element.Body)
		require.Equal(t, messages[i].UserFlags, element.UserFlags)
		require.Equal(t, messages[i].Tags(), message.PropertyString(element.Properties, "TAGS"))
		require.Equal(t, results[i].UniqueID, id)
		require.NotEqual(t, envelope, id)
		require.EqualValues(t, i, results[i].QueueOffset)
		offsetID, err := message.ParseOffsetID(results[i].OffsetID)
		require.NoError(t, err)
		require.EqualValues(t, 1000*i, offsetID.LogOffset)
		i++
	}
	require.Equal(t, 3, i)
	require.Equal(t, "MINE", results[2].UniqueID)
	require.NotEmpty(t, envelope)
}

// One element: size 0x23 = 22 + 1 + 12, magic 0, checksum 0, flags 0, length of the body 1, the body, length of the
// properties 12, the properties.
func TestABatchElementHasTheProtocolsBytes(t *testing.T) {
	c := newCluster(t, 1)
	c.run(time.Second, func() {
		_, err := c.producer().SendBatch(background, []*client.Message{
			client.NewMessage("orders", []byte("x"), client.Property("UNIQ_KEY", "ID")),
		})
		must(err)
	})
	want := "\x00\x00\x00\x23" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" +
		"\x00\x00\x00\x01" + "x" + "\x00\x0c" + "UNIQ_KEY\x01ID\x02"
	require.Equal(t, want, string(c.sends()[0].body))
}

func TestWhatCannotTravelTogetherIsRefused(t *testing.T) {
	plain := func(options ...client.MessageOption) *client.Message {
		return client.NewMessage("orders", []byte("x"), options...)
	}
	for name, wrong := range map[string]struct {
		messages []*client.Message
		want     string
	}{
		"nothing":            {nil, "empty"},
		"two topics":         {[]*client.Message{plain(), client.NewMessage("bills", []byte("x"))}, "topic bills differs"},
		"two ways to wait":   {[]*client.Message{plain(), plain(client.NoWait())}, "wait property"},
		"a delay":            {[]*client.Message{plain(), plain(client.DelayLevel(1))}, "delayed"},
		"a delivery time":    {[]*client.Message{plain(client.DeliverAt(time.UnixMilli(1)))}, "delayed"},
		"a retry":            {[]*client.Message{client.NewMessage("%RETRY%g", []byte("x"))}, "retry topic"},
		"more than fits":     {[]*client.Message{plain(), client.NewMessage("orders", make([]byte, 4<<20))}, "more than 4194304 bytes"},
		"a property no more": {[]*client.Message{plain(client.Property("", "x"))}, "no name"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			var err error
			c.run(time.Second, func() { _, err = c.producer().SendBatch(background, wrong.messages) })
			require.ErrorIs(t, err, client.ErrMessage)
			require.ErrorContains(t, err, wrong.want)
			require.Empty(t, c.sends())
		})
	}
}

func TestABatchThatWaitsForNothingSaysSoOnItsEnvelope(t *testing.T) {
	c := newCluster(t, 1)
	c.run(time.Second, func() {
		_, err := c.producer().SendBatch(background, []*client.Message{
			client.NewMessage("orders", []byte("x"), client.NoWait()), client.NewMessage("orders", []byte("y"), client.NoWait()),
		})
		must(err)
	})
	require.Equal(t, "false", c.sends()[0].property("WAIT"))
}

func TestABatchIsRetriedLikeAMessage(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = refusing(proto.ReqSendBatchMessage, proto.RespSystemBusy)
	var results []client.SendResult
	c.run(5*time.Second, func() {
		p := c.producer()
		for len(c.a.sends) == 0 {
			var err error
			results, err = p.SendBatch(background, []*client.Message{hello(), hello()})
			must(err)
		}
	})
	require.Equal(t, "b", results[0].Queue.BrokerName)
	require.Equal(t, 2, results[1].Tries)
}
