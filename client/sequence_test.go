package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// knowing lets a broker announce that it knows repeats, and answers the first sends not at all.
func knowing(b *broker, unanswered int) {
	b.intercept = func(in *transportIncoming) bool {
		switch in.Command.Code {
		case proto.ReqHeartbeat:
			in.Reply().Send(proto.RespSuccess, &proto.HeartbeatResponse{SendWindow: 100}, nil)
			return true
		case proto.ReqSendMessageV2, proto.ReqSendBatchMessage:
			unanswered--
			return unanswered >= 0
		}
		return false
	}
}

func TestATryWithoutAnAnswerIsMadeAgainAtTheSameQueueWithTheSameSequence(t *testing.T) {
	c := newCluster(t, 2)
	knowing(c.a, 2)
	knowing(c.b, 2)
	var result client.SendResult
	c.run(time.Minute, func() {
		var err error
		result, err = c.producer(client.WithTryTimeout(500*time.Millisecond)).Send(background, hello())
		must(err)
	})
	require.Equal(t, 3, result.Tries)
	tried := append(append([]sent{}, c.a.sends...), c.b.sends...)
	require.Len(t, tried, 3)
	for _, s := range tried {
		require.NotZero(t, s.header.Producer)
		require.Equal(t, tried[0].header.Producer, s.header.Producer)
		require.Equal(t, int64(1), s.header.Sequence)
		require.Equal(t, tried[0].header.QueueID, s.header.QueueID)
		require.Equal(t, tried[0].header.BrokerName, s.header.BrokerName)
	}
}

func TestARefusedTryMayGoElsewhereWithTheSameSequence(t *testing.T) {
	for name, code := range map[string]int32{"busy": proto.RespSystemBusy, "not available": proto.RespServiceNotAvailable} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			knowing(c.a, 0)
			knowing(c.b, 0)
			refused := 0
			for _, b := range []*broker{c.a, c.b} {
				inner := b.intercept
				b.intercept = func(in *transportIncoming) bool {
					if in.Command.Code != proto.ReqSendMessageV2 || refused > 0 {
						return inner(in)
					}
					refused++
					in.Reply().Error(code, "")
					return true
				}
			}
			c.run(time.Minute, func() {
				_, err := c.producer().Send(background, hello())
				must(err)
			})
			require.Len(t, c.a.sends, 1)
			require.Len(t, c.b.sends, 1)
			require.Equal(t, c.a.sends[0].header.Sequence, c.b.sends[0].header.Sequence)
		})
	}
}

func TestASendThatMayBeStoredStaysWhateverIsAnsweredLater(t *testing.T) {
	c := newCluster(t, 1)
	tries := 0
	for _, b := range []*broker{c.a, c.b} {
		b.intercept = func(in *transportIncoming) bool {
			switch in.Command.Code {
			case proto.ReqHeartbeat:
				in.Reply().Send(proto.RespSuccess, &proto.HeartbeatResponse{SendWindow: 100}, nil)
			case proto.ReqSendMessageV2:
				if tries++; tries > 1 {
					in.Reply().Error(proto.RespSystemBusy, "")
				}
			default:
				return false
			}
			return true
		}
	}
	var err error
	c.run(time.Minute, func() {
		_, err = c.producer(client.WithTryTimeout(500*time.Millisecond)).Send(background, hello())
	})
	var failed *client.SendError
	require.ErrorAs(t, err, &failed)
	require.True(t, failed.MaybeStored)
	require.Len(t, failed.Attempts, 3)
	for _, a := range failed.Attempts {
		require.Equal(t, failed.Attempts[0].Queue, a.Queue)
	}
}

func TestSequencesCountTheMessagesOfAProducer(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	knowing(c.a, 0)
	c.run(time.Minute, func() {
		p := c.producer()
		_, err := p.Send(background, hello())
		must(err)
		_, err = p.SendBatch(background, []*client.Message{hello(), hello(), hello()})
		must(err)
		must(p.SendOneway(background, hello()))
		must(p.SendAsync(background, hello(), nil))
		must(p.Close(background))
		_, err = c.producer().Send(background, hello())
		must(err)
		_, err = c.producer(client.WithoutExactlyOnce()).Send(background, hello())
		must(err)
	})
	var sequences []int64
	for _, s := range c.a.sends {
		sequences = append(sequences, s.header.Sequence)
	}
	require.Equal(t, []int64{1, 2, 5, 6, 1, 0}, sequences)
	require.NotEqual(t, c.a.sends[0].header.Producer, c.a.sends[4].header.Producer, "each producer has an id of its own")
	require.Zero(t, c.a.sends[5].header.Producer)
}

func TestBrokersThatKnowNoRepeatsSeeNoSequence(t *testing.T) {
	c := newCluster(t, 1)
	c.run(time.Minute, func() {
		p := c.producer()
		for range 4 {
			_, err := p.Send(background, hello())
			must(err)
		}
	})
	for _, s := range append(c.a.sends, c.b.sends...) {
		require.Zero(t, s.header.Sequence)
		require.Zero(t, s.header.Producer)
	}
}

func TestABatchThatNoBrokerWouldRememberHasNoSequence(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	knowing(c.a, 0)
	c.run(time.Minute, func() {
		p := c.producer()
		for _, count := range []int{100, 101} {
			messages := make([]*client.Message, count)
			for i := range messages {
				messages[i] = hello()
			}
			_, err := p.SendBatch(background, messages)
			must(err)
		}
	})
	require.Equal(t, int64(1), c.a.sends[0].header.Sequence)
	require.Zero(t, c.a.sends[1].header.Sequence)
}

func TestABrokerThatSaysNothingOfItselfIsSentNothing(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = func(*transportIncoming) bool { return true }
	c.run(time.Minute, func() {
		p := c.producer(client.WithTryTimeout(500 * time.Millisecond))
		for range 4 {
			result, err := p.Send(background, hello())
			must(err)
			if result.Queue.BrokerName != "b" {
				panic(result.String())
			}
		}
	})
	require.Empty(t, c.a.sends)
	require.NotEmpty(t, c.a.heartbeats)
}

func TestASendToAChosenQueueIsTriedAgainIfTheBrokerKnowsRepeats(t *testing.T) {
	for name, want := range map[string]struct{ window, tries int }{"it does": {100, 2}, "it does not": {0, 1}} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			knowing(c.a, 1)
			inner := c.a.intercept
			c.a.intercept = func(in *transportIncoming) bool {
				if in.Command.Code == proto.ReqHeartbeat && want.window == 0 {
					return false
				}
				return inner(in)
			}
			c.run(time.Minute, func() {
				p := c.producer(client.WithTryTimeout(500 * time.Millisecond))
				_, err := p.SendTo(background, client.Queue{Topic: "orders", BrokerName: "a"}, hello())
				if (err == nil) != (want.tries > 1) {
					panic(err)
				}
			})
			require.Len(t, c.a.sends, want.tries)
		})
	}
}

func TestASendThatTheBrokerHasForgottenSaysSo(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	knowing(c.a, 0)
	inner := c.a.intercept
	c.a.intercept = func(in *transportIncoming) bool {
		return inner(in) || refusing(proto.ReqSendMessageV2, proto.RespIllegalOperation)(in)
	}
	var err error
	c.run(time.Minute, func() { _, err = c.producer().Send(background, hello()) })
	require.ErrorIs(t, err, client.ErrSendForgotten)
}

func TestASendThatMayBeStoredIsNotRepeatedToWhomHasCeasedToKnow(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	knowing(c.a, 1)
	var err error
	c.run(time.Minute, func() {
		p := c.producer(client.WithTryTimeout(2*time.Second), client.WithSendTimeout(10*time.Second), client.WithHeartbeat(time.Second))
		c.app.Tasks.Go("replace the broker", func() {
			c.app.Tasks.Sleep(500 * time.Millisecond)
			c.a.intercept = nil
		})
		_, err = p.Send(background, hello())
	})
	require.ErrorContains(t, err, "has ceased to know repeats")
	var failed *client.SendError
	require.ErrorAs(t, err, &failed)
	require.True(t, failed.MaybeStored)
	require.Len(t, c.a.sends, 1)
}

func TestASendWaitsForTheBrokerThatMayHaveStoredItUntilItIsBack(t *testing.T) {
	c := newCluster(t, 2)
	c.names.routes["orders"] = route(1, c.a)
	knowing(c.a, 1)
	var result client.SendResult
	c.run(time.Minute, func() {
		p := c.producer(client.WithTryTimeout(500 * time.Millisecond))
		c.a.env.Tasks.Go("restart the broker", func() {
			c.a.env.Tasks.Sleep(200 * time.Millisecond)
			c.a.server.Close()
			c.a.env.Tasks.Sleep(1500 * time.Millisecond)
			c.a.server = transport.NewServer(c.a.env, transport.ServerOptions{Handler: c.a})
			_, err := c.a.server.Listen(c.a.address)
			must(err)
		})
		var err error
		result, err = p.Send(background, hello())
		must(err)
	})
	require.Equal(t, 2, result.Tries, "those that did not find it do not count")
	require.Len(t, c.a.sends, 2)
	require.Equal(t, c.a.sends[0].header.Sequence, c.a.sends[1].header.Sequence)
}
