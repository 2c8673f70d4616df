package acceptance_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// bodyMax is what brokers take, and what a producer lets through, in bytes.
const bodyMax = 4 << 20

// noise is a body that cannot be compressed.
func noise(bytes int) []byte {
	body := make([]byte, bytes)
	_, _ = rand.Read(body)
	return body
}

func TestEndToEndAMessageThatBreaksALimitIsNotSentAndTheFieldIsNamed(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "limits", 1)
	body := []byte("x")
	with := func(options ...client.MessageOption) *client.Message {
		return client.NewMessage(topic, body, options...)
	}
	p := c.producer(t)
	for name, mistake := range map[string]struct {
		message *client.Message
		want    []string
	}{
		"no message":                       {nil, []string{"nil"}},
		"no body":                          {client.NewMessage(topic, nil), []string{"Body is empty"}},
		"an empty body":                    {client.NewMessage(topic, []byte{}), []string{"Body is empty"}},
		"a body of a byte too much":        {client.NewMessage(topic, make([]byte, bodyMax+1)), []string{"Body has 4194305 bytes, at most 4194304", "WithMaxMessageSize"}},
		"no topic":                         {client.NewMessage("", body), []string{"topic", "blank"}},
		"a blank topic":                    {client.NewMessage(" \t ", body), []string{"topic", "blank"}},
		"a topic with blanks inside":       {client.NewMessage("a b", body), []string{`topic name has an illegal character`, `"a b"`}},
		"a topic with blanks around":       {client.NewMessage(" orders ", body), []string{"illegal character"}},
		"a topic with an exclamation mark": {client.NewMessage("orders!", body), []string{"illegal character"}},
		"a topic in Chinese":               {client.NewMessage("订单", body), []string{"illegal character"}},
		"a topic with a dot":               {client.NewMessage("a.b", body), []string{"illegal character"}},
		"a topic of 128":                   {client.NewMessage(strings.Repeat("t", 128), body), []string{"128 characters, at most 127"}},
		"properties of 32 KiB":             {with(client.Property("large", strings.Repeat("v", 32<<10))), []string{"properties", "at most"}},
		"many properties of 32 KiB in all": {with(manyProperties(4200)...), []string{"properties", "at most"}},
		"a property without a name":        {with(client.Property("", "v")), []string{"has no name"}},
		"a property without a value":       {with(client.Property("empty", "")), []string{`property "empty" has an empty value`}},
		"the byte 1 in a name":             {with(client.Property("a\x01b", "v")), []string{"0x01"}},
		"the byte 2 in a name":             {with(client.Property("a\x02b", "v")), []string{"0x02"}},
		"the byte 1 in a value":            {with(client.Property("a", "v\x01w")), []string{`property "a"`, "0x01"}},
		"the byte 2 in a value":            {with(client.Property("a", "v\x02w")), []string{`property "a"`, "0x02"}},
		"the byte 1 in a tag":              {with(client.Tag("v\x01w")), []string{`property "TAGS"`}},
		"the byte 2 in a key":              {with(client.Keys("v\x02w")), []string{`property "KEYS"`}},
		"a topic that brokers write":       {client.NewMessage("SCHEDULE_TOPIC_XXXX", body), []string{"only brokers write to topic SCHEDULE_TOPIC_XXXX"}},
		"the topic of half messages":       {client.NewMessage("RMQ_SYS_TRANS_HALF_TOPIC", body), []string{"only brokers write"}},
		"the topic of self tests":          {client.NewMessage("SELF_TEST_TOPIC", body), []string{"only brokers write"}},
	} {
		_, err := p.Send(background, mistake.message)
		require.ErrorIs(t, err, client.ErrMessage, name)
		for _, text := range mistake.want {
			require.ErrorContains(t, err, text, name)
		}
		require.ErrorIs(t, p.SendOneway(background, mistake.message), client.ErrMessage, name)
		require.ErrorIs(t, p.SendAsync(background, mistake.message, nil), client.ErrMessage, name)
	}
	send(t, p, with())
	gets(t, []string{"x"}, c.consume(t, "limits", topic))
}

func manyProperties(count int) []client.MessageOption {
	var options []client.MessageOption
	for i := range count {
		options = append(options, client.Property(fmt.Sprintf("p%04d", i), "v"))
	}
	return options
}

func TestEndToEndMessagesAtTheLimitsComeBackAsTheyWereSent(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "edges", 1)
	wide := strings.Repeat("ключ-钥匙-🗝", 900)
	require.Greater(t, len(wide), 16<<10)
	messages := map[string]*client.Message{
		"one byte":                     client.NewMessage(topic, []byte{0}),
		"every byte":                   client.NewMessage(topic, everyByte()),
		"the largest body":             client.NewMessage(topic, noise(bodyMax)),
		"the largest body of zeros":    client.NewMessage(topic, make([]byte, bodyMax)),
		"a body that just compresses":  client.NewMessage(topic, bytes.Repeat([]byte("ab"), 2048)),
		"a tag of 16 KiB":              client.NewMessage(topic, []byte("x"), client.Tag(wide)),
		"keys of 16 KiB":               client.NewMessage(topic, []byte("x"), client.Keys(wide, "second")),
		"a tag of emoji":               client.NewMessage(topic, []byte("x"), client.Tag("🚀 🛰")),
		"a tag of a blank":             client.NewMessage(topic, []byte("x"), client.Tag(" ")),
		"the largest properties":       client.NewMessage(topic, []byte("x"), client.Property("p", strings.Repeat("v", 32<<10-600))),
		"3000 properties":              client.NewMessage(topic, []byte("x"), manyProperties(3000)...),
		"a property named as Java's":   client.NewMessage(topic, []byte("x"), client.Property("TAGS", "mine"), client.Property("KEYS", "a b")),
		"the same property twice":      client.NewMessage(topic, []byte("x"), client.Property("p", "first"), client.Property("p", "last")),
		"all that control characters":  client.NewMessage(topic, []byte("x"), client.Property("p\x00\n\"", "\x03\t\x7f=;")),
		"an ordering key and a flag":   client.NewMessage(topic, []byte("x"), client.OrderingKey("Ж"), client.UserFlags(-7)),
		"bytes that are not in UTF-8":  client.NewMessage(topic, []byte{0xff, 0xfe, 1, 2}),
		"a message id of its own":      client.NewMessage(topic, []byte("x"), client.Property("UNIQ_KEY", "0123456789ABCDEF0123456789ABCDEF")),
		"a wait that it need not have": client.NewMessage(topic, []byte("x"), client.NoWait()),
	}
	p := c.producer(t, client.WithSendTimeout(patience))
	sent := map[string]*client.Message{}
	for name, m := range messages {
		result, err := p.Send(background, m)
		require.NoError(t, err, name)
		sent[result.UniqueID] = m
	}
	consumer := c.consume(t, "edges", topic)
	soon(t, func() bool { return len(consumer.deliveries()) == len(messages) }, "messages do not come")
	for _, got := range consumer.deliveries() {
		want := sent[got.ID()]
		require.NotNil(t, want, got)
		require.True(t, bytes.Equal(want.Body, got.Body), "%s", got)
		require.Equal(t, want.UserFlags, got.UserFlags)
		require.Equal(t, want.Keys(), got.Keys())
		for _, property := range want.Properties {
			require.Equal(t, property.Value, got.Properties.Get(property.Name), "property %q of %s", property.Name, got)
		}
	}
}

func everyByte() []byte {
	var all []byte
	for b := range 256 {
		all = append(all, byte(b))
	}
	return all
}

// A producer may be told to let more through than the broker takes. The broker's answer says that nothing was stored.
func TestEndToEndTheBrokerRefusesWhatAProducerLetsThrough(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "toolarge", 1)
	p := c.producer(t, client.WithMaxMessageSize(2*bodyMax), client.WithCompression(0, 3, 0))
	_, err := p.Send(background, client.NewMessage(topic, noise(bodyMax+1)))
	requireRefusal(t, err, proto.RespMessageIllegal, "4194305", "4194304")
	send(t, p, client.NewMessage(topic, noise(bodyMax)))

	// It counts what arrives: this body is compressed on its way.
	packs := c.producer(t, client.WithMaxMessageSize(2*bodyMax))
	send(t, packs, client.NewMessage(topic, make([]byte, bodyMax+1)))
}

// requireRefusal requires that no broker has stored a message and one said why.
func requireRefusal(t *testing.T, err error, code int32, texts ...string) {
	t.Helper()
	var failed *client.SendError
	require.ErrorAs(t, err, &failed)
	require.False(t, failed.MaybeStored, "%v", err)
	var answer *client.ResponseError
	require.True(t, errors.As(err, &answer), "%v", err)
	require.Equal(t, code, answer.Code, "%v", err)
	for _, text := range texts {
		require.ErrorContains(t, err, text)
	}
}
