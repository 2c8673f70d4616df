package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestMessagesWithTheSameOrderingKeyGoToTheSameQueue(t *testing.T) {
	c := newCluster(t, 1)
	places := map[string]map[client.Queue]bool{}
	c.run(time.Minute, func() {
		p := c.producer(client.WithSelector(client.SelectByOrderingKey))
		for i := range 40 {
			key := string(rune('a' + i%8))
			if i%8 == 7 {
				key = ""
			}
			m := hello()
			m.Properties.Set("__SHARDINGKEY", key)
			result, err := p.Send(background, m)
			must(err)
			if places[key] == nil {
				places[key] = map[client.Queue]bool{}
			}
			places[key][result.Queue] = true
		}
	})
	require.Len(t, places[""], 4, "messages without a key go round")
	delete(places, "")
	used := map[client.Queue]bool{}
	for key, queues := range places {
		require.Len(t, queues, 1, key)
		for q := range queues {
			used[q] = true
		}
	}
	require.Greater(t, len(used), 1)
}

// The hash of "polygenelubricants" is the one whose absolute value is negative.
func TestTheOrderingKeySelectorIsThatOfJava(t *testing.T) {
	queues := make([]client.Queue, 7)
	for key, want := range map[string]int{"TagA": 2598919 % 7, "polygenelubricants": 2147483648 % 7, "订单": 1129459 % 7} {
		for _, name := range []string{"__SHARDINGKEY", "SHARDING_KEY", "__SHARDING_KEY"} {
			m := client.NewMessage("t", nil, client.Property(name, key))
			require.Equal(t, want, client.SelectByOrderingKey(m, queues), key)
		}
	}
}

func TestASelectorMaySendWithItsProducer(t *testing.T) {
	c := newCluster(t, 1)
	c.run(time.Minute, func() {
		var p *client.Producer
		inner := false
		p = c.producer(client.WithSelector(func(*client.Message, []client.Queue) int {
			if !inner {
				inner = true
				_, err := p.Send(background, hello())
				must(err)
			}
			return 0
		}))
		_, err := p.Send(background, hello())
		must(err)
	})
	require.Len(t, c.sends(), 2)
}

func TestAMessageWithAChosenQueueIsNotSentElsewhere(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = refusing(proto.ReqSendMessageV2, proto.RespSystemBusy)
	var err, wrong error
	c.run(time.Minute, func() {
		_, err = c.producer(client.WithSelector(func(_ *client.Message, queues []client.Queue) int { return 1 })).Send(background, hello())
		_, wrong = c.producer(client.WithSelector(func(_ *client.Message, queues []client.Queue) int { return len(queues) })).Send(background, hello())
	})
	var failed *client.SendError
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Attempts, 1)
	require.Empty(t, c.b.sends)
	require.ErrorIs(t, wrong, client.ErrMessage)
	require.ErrorContains(t, wrong, "queue 4 of 4")
}

func TestTheKeySelectorsHashLikeJava(t *testing.T) {
	queues := make([]client.Queue, 7)
	byKey := client.SelectByKey(func(m *client.Message) string { return string(m.Body) })
	for key, want := range map[string]int{"TagA": 2598919 % 7, "polygenelubricants": 2147483648 % 7, "": client.AnyQueue} {
		require.Equal(t, want, byKey(client.NewMessage("t", []byte(key)), queues), key)
	}
	// Long.hashCode: the upper and the lower half, one xor the other.
	for n, want := range map[int64]int{
		0: 0, 17: 17 % 7, 1<<31 - 1: (1<<31 - 1) % 7, 1 << 31: 2147483648 % 7, 1 << 32: 1, 5<<32 | 3: 5 ^ 3, -1: 0, -2: 1,
	} {
		byNumber := client.SelectByNumber(func(*client.Message) int64 { return n })
		require.Equal(t, want, byNumber(hello(), queues), "%d", n)
	}
	require.Equal(t, client.AnyQueue, byKey(client.NewMessage("t", []byte("x")), nil), "no queue, no choice")
}

func TestPropAKeyAlwaysHasTheSamePlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		queues := make([]client.Queue, rapid.IntRange(1, 64).Draw(t, "queues"))
		key := rapid.String().Draw(t, "key")
		m := client.NewMessage("t", nil, client.OrderingKey(key))
		place := client.SelectByOrderingKey(m, queues)
		require.Less(t, place, len(queues))
		require.Equal(t, key == "", place == client.AnyQueue)
		require.Equal(t, place, client.SelectByKey(func(*client.Message) string { return key })(m, queues))
	})
}

func TestTheRandomSelectorDrawsAndLetsAFailedMessageGoElsewhere(t *testing.T) {
	c := newCluster(t, 1)
	var order []client.Queue
	tries := 0
	c.run(time.Minute, func() {
		p := c.producer(client.WithSelector(client.SelectRandom))
		for range 40 {
			result, err := p.Send(background, hello())
			must(err)
			order = append(order, result.Queue)
		}
		c.a.intercept = refusing(proto.ReqSendMessageV2, proto.RespSystemBusy)
		for range 10 {
			result, err := p.Send(background, hello())
			must(err)
			tries += result.Tries
		}
	})
	require.Len(t, distinct(order), 4)
	require.NotEqual(t, order[:4], order[4:8], "they do not go round")
	require.Greater(t, tries, 10)
}
