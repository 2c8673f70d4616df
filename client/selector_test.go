package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
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
