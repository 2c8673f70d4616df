package client_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

func TestMessageOptionsSetTheProtocolsProperties(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	m := client.NewMessage("t", []byte("x"), client.OrderingKey("k"), client.DelayLevel(3), client.NoWait(),
		client.DelayFor(1500*time.Millisecond), client.DeliverAt(at))
	for name, want := range map[string]string{
		"__SHARDINGKEY": "k", "DELAY": "3", "WAIT": "false", "TIMER_DELAY_MS": "1500", "TIMER_DELIVER_MS": "1700000000000",
	} {
		require.Equal(t, want, m.Properties.Get(name), name)
	}
	require.False(t, m.WaitsForStore())
}

func TestWrongMessagesAreRefusedBeforeAnythingIsSent(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 4<<20)
	for name, wrong := range map[string]struct {
		m    *client.Message
		want string
	}{
		"nil":                      {nil, "nil"},
		"no topic":                 {client.NewMessage("", large[:1]), "topic name is blank"},
		"topic too long":           {client.NewMessage(strings.Repeat("t", 128), large[:1]), "at most 127"},
		"topic with a space":       {client.NewMessage("a b", large[:1]), "illegal character"},
		"topic of the broker":      {client.NewMessage("SCHEDULE_TOPIC_XXXX", large[:1]), "only brokers"},
		"no body":                  {client.NewMessage("orders", nil), "Body is empty"},
		"body one byte too long":   {client.NewMessage("orders", append(large, 'x')), "at most 4194304"},
		"property without a value": {client.NewMessage("orders", large[:1], client.Property("a", "")), "empty value"},
		"property with separator":  {client.NewMessage("orders", large[:1], client.Property("a", "b\x01")), "0x01"},
		"properties too long":      {client.NewMessage("orders", large[:1], client.Property("a", strings.Repeat("b", 32_700))), "properties too long"},
		"light queue with a slash": {client.NewMessage("orders", large[:1], client.Property("INNER_MULTI_DISPATCH", "a/b")), "light queue"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			var sync, async, oneway, batch error
			c.run(time.Second, func() {
				p := c.producer()
				_, sync = p.Send(background, wrong.m)
				async = p.SendAsync(background, wrong.m, func(client.SendResult, error) { panic("called") })
				oneway = p.SendOneway(background, wrong.m)
				_, batch = p.SendBatch(background, []*client.Message{wrong.m})
			})
			for _, err := range []error{sync, async, oneway, batch} {
				require.ErrorIs(t, err, client.ErrMessage)
				require.ErrorContains(t, err, wrong.want)
			}
			require.Empty(t, c.sends())
		})
	}
}

func TestTheLargestMessageIsSent(t *testing.T) {
	c := newCluster(t, 1)
	c.run(20*time.Second, func() {
		p := c.producer(client.WithCompression(0, message.CompressionZlib, 5), client.WithSendTimeout(20*time.Second))
		_, err := p.Send(background, client.NewMessage("orders", bytes.Repeat([]byte("x"), 4<<20)))
		must(err)
		_, err = p.Send(background, client.NewMessage(strings.Repeat("t", 127), []byte("x")))
		if err == nil {
			panic("there is no such topic")
		}
	})
	require.Len(t, c.sends(), 1)
	require.Len(t, c.sends()[0].body, 4<<20)
}

func TestLongBodiesAreCompressed(t *testing.T) {
	text := []byte(strings.Repeat("a gantry holds the rocket. ", 400))
	for name, compressed := range map[string]struct {
		option client.ProducerOption
		body   []byte
		want   message.SysFlags
	}{
		"zlib from 4096 bytes on, by default": {nil, text[:4096], 0x301},
		"not one byte below":                  {nil, text[:4095], 0},
		"zstd on demand":                      {client.WithCompression(100, message.CompressionZstd, 3), text[:100], 0x201},
		"lz4 on demand":                       {client.WithCompression(100, message.CompressionLZ4, 0), text[:1000], 0x101},
		"never":                               {client.WithCompression(0, message.CompressionZlib, 5), text, 0},
		"not what gets no shorter":            {client.WithCompression(1, message.CompressionZlib, 5), []byte("x"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			c.run(time.Second, func() {
				var options []client.ProducerOption
				if compressed.option != nil {
					options = append(options, compressed.option)
				}
				_, err := c.producer(options...).Send(background, client.NewMessage("orders", compressed.body))
				must(err)
			})
			got := c.sends()[0]
			flags := message.SysFlags(got.header.SysFlags)
			require.Equal(t, compressed.want, flags)
			var d message.Decompressor
			body, err := d.Body(got.body, flags, 1<<20)
			require.NoError(t, err)
			require.Equal(t, compressed.body, body)
		})
	}
}

func TestCompressedMessagesComeBackAsTheyWereSent(t *testing.T) {
	var body []byte
	for i := range 2000 {
		body = fmt.Appendf(body, "%d holds %d. ", i*i%977, i*7919%1009)
	}
	for kind, bits := range map[message.Compression]message.SysFlags{
		message.CompressionLZ4: 0x101, message.CompressionZstd: 0x201, message.CompressionZlib: 0x301,
	} {
		lengths := map[int]int{}
		for _, level := range []int{1, 9} {
			c := newCluster(t, 1)
			c.names.routes["orders"] = route(1, c.a)
			var result client.PullResult
			c.run(time.Second, func() {
				_, err := c.producer(client.WithCompression(1, kind, level)).Send(background, client.NewMessage("orders", body))
				must(err)
				result, err = c.consumer().Pull(background, first, 0, 1)
				must(err)
			})
			require.Len(t, result.Messages, 1)
			require.Equal(t, bits, result.Messages[0].SysFlags, kind.String())
			require.Equal(t, body, result.Messages[0].Body, kind.String())
			lengths[level] = len(c.a.sends[0].body)
			require.Less(t, lengths[level], len(body)*3/4)
		}
		require.Equal(t, kind == message.CompressionLZ4, lengths[1] == lengths[9], "%v: the level counts, where there are some", kind)
	}
}

func TestAPropertyThatIsSetTwiceStandsThereOnceWithItsLastValue(t *testing.T) {
	m := client.NewMessage("orders", []byte("x"), client.Tag("paid"), client.Property("p", "1"), client.Property("p", "2"), client.Property("TAGS", "shipped"))
	require.Equal(t, "shipped", m.Tags())
	require.Len(t, m.Properties, 2)
	require.Equal(t, "2", m.Properties.Get("p"))
}
