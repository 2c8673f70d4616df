package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

type (
	transportIncoming = transport.Incoming
	transportReply    = transport.Reply
)

var background = context.Background()

func hello() *client.Message { return client.NewMessage("orders", []byte("hello")) }

func TestSendTellsWhereTheMessageWasStored(t *testing.T) {
	c := newCluster(t, 1)
	var result client.SendResult
	var err error
	c.run(time.Second, func() {
		m := client.NewMessage("orders", []byte("hello"), client.Tag("paid"), client.Keys("o-1", "o-2"),
			client.UserFlags(7), client.Property("colour", "red"))
		result, err = c.producer().Send(background, m)
	})
	require.NoError(t, err)
	require.Len(t, c.sends(), 1)
	got := c.sends()[0]
	require.EqualValues(t, proto.ReqSendMessageV2, got.code)
	require.Equal(t, "producers", got.header.ProducerGroup)
	require.Equal(t, "orders", got.header.Topic)
	require.Equal(t, "TBW102", got.header.DefaultTopic)
	require.EqualValues(t, 4, got.header.DefaultQueues)
	require.EqualValues(t, 7, got.header.UserFlags)
	require.Zero(t, got.header.SysFlags)
	require.False(t, got.header.Batch)
	require.Equal(t, result.Queue.BrokerName, got.header.BrokerName)
	require.Equal(t, "hello", string(got.body))
	require.Equal(t, "paid", got.property("TAGS"))
	require.Equal(t, "o-1 o-2", got.property("KEYS"))
	require.Equal(t, "red", got.property("colour"))

	require.Equal(t, client.SendOK, result.Status)
	require.Equal(t, got.property("UNIQ_KEY"), result.UniqueID)
	require.Equal(t, result.UniqueID, result.TransactionID)
	require.Equal(t, got.header.QueueID, result.Queue.QueueID)
	require.EqualValues(t, 0, result.QueueOffset)
	require.Equal(t, 1, result.Tries)
	require.Equal(t, "DefaultRegion", result.Region)
	_, err = message.ParseOffsetID(result.OffsetID)
	require.NoError(t, err)
	id, err := message.ParseUniqueID(result.UniqueID)
	require.NoError(t, err)
	require.Equal(t, c.machine.Address(), id.Address, "the address of the first connection")
}

func TestSendsGoRoundAllQueuesFromARandomStart(t *testing.T) {
	starts := map[client.Queue]bool{}
	for seed := range uint64(8) {
		c := newCluster(t, seed)
		var order []client.Queue
		c.run(time.Second, func() {
			p := c.producer()
			for range 8 {
				result, err := p.Send(background, hello())
				must(err)
				order = append(order, result.Queue)
			}
		})
		require.Equal(t, order[:4], order[4:], "the second round is like the first")
		require.Len(t, distinct(order), 4, "each round visits every queue")
		starts[order[0]] = true
	}
	require.Greater(t, len(starts), 1, "not every producer begins with the same queue")
}

func distinct[T comparable](values []T) map[T]bool {
	set := map[T]bool{}
	for _, v := range values {
		set[v] = true
	}
	return set
}

// sendUntilA sends until the broker "a" was tried once, so that what it answers matters.
func sendUntilA(c *cluster, p *client.Producer) (result client.SendResult, err error) {
	for len(c.a.sends) == 0 {
		result, err = p.Send(background, hello())
	}
	return result, err
}

func TestSendTriesAnotherBrokerAfterRetryableAnswers(t *testing.T) {
	for _, code := range []int32{
		proto.RespTopicNotExist, proto.RespServiceNotAvailable, proto.RespSystemError, proto.RespSystemBusy,
		proto.RespNoPermission, proto.RespNoBuyerID, proto.RespNotInCurrentUnit,
	} {
		t.Run(proto.ResponseName(code), func(t *testing.T) {
			c := newCluster(t, uint64(code))
			c.a.intercept = refusing(proto.ReqSendMessageV2, code)
			var result client.SendResult
			var err error
			c.run(5*time.Second, func() { result, err = sendUntilA(c, c.producer()) })
			require.NoError(t, err)
			require.Equal(t, "b", result.Queue.BrokerName)
			require.Equal(t, 2, result.Tries)
			require.Len(t, c.a.sends, 1, "the broker that failed is passed over")
		})
	}
}

func TestSendGivesUpAtOnceAfterOtherAnswers(t *testing.T) {
	for _, code := range []int32{
		proto.RespMessageIllegal, proto.RespInvalidParameter, proto.RespSubscriptionGroupNotExist,
		proto.RespRequestCodeNotSupported, proto.RespNotLeaderForQueue, proto.RespIllegalOperation,
	} {
		t.Run(proto.ResponseName(code), func(t *testing.T) {
			c := newCluster(t, uint64(code))
			c.a.intercept = refusing(proto.ReqSendMessageV2, code)
			var err error
			c.run(5*time.Second, func() { _, err = sendUntilA(c, c.producer()) })
			var failed *client.SendError
			require.ErrorAs(t, err, &failed)
			require.Len(t, failed.Attempts, 1)
			require.False(t, failed.MaybeStored, "the broker refused it")
			var answer *client.ResponseError
			require.ErrorAs(t, err, &answer)
			require.Equal(t, code, answer.Code)
			require.Equal(t, "refused by the test", answer.Remark)
			require.Contains(t, err.Error(), "safe to send it again")
			require.Contains(t, err.Error(), c.a.address)
		})
	}
}

func TestRetryCodesCanBeAdded(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = refusing(proto.ReqSendMessageV2, proto.RespFlowControl)
	var result client.SendResult
	var err error
	c.run(5*time.Second, func() {
		result, err = sendUntilA(c, c.producer(client.WithRetryCodes(proto.RespFlowControl)))
	})
	require.NoError(t, err)
	require.Equal(t, 2, result.Tries)
}

func TestSendGivesUpAfterAllTries(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = refusing(proto.ReqSendMessageV2, proto.RespSystemError)
	c.b.intercept = refusing(proto.ReqSendMessageV2, proto.RespSystemError)
	var err error
	c.run(5*time.Second, func() { _, err = c.producer().Send(background, hello()) })
	var failed *client.SendError
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Attempts, 3, "one try and two retries")
	require.NotEqual(t, failed.Attempts[0].Queue.BrokerName, failed.Attempts[1].Queue.BrokerName)
	require.NotEqual(t, failed.Attempts[1].Queue.BrokerName, failed.Attempts[2].Queue.BrokerName)
	require.True(t, failed.MaybeStored, "a store that failed halfway answers so")
	require.NotEmpty(t, failed.UniqueID)
	require.Contains(t, err.Error(), "may store it twice")
	require.Contains(t, err.Error(), "try 3")
}

func TestSendTriesAnotherBrokerAfterATimeout(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = silent
	var result client.SendResult
	var err error
	var took time.Duration
	c.run(10*time.Second, func() {
		p := c.producer(client.WithTryTimeout(time.Second))
		for len(c.a.sends) == 0 {
			began := c.app.Clock.Now()
			result, err = p.Send(background, hello())
			took = c.app.Clock.Now().Sub(began)
		}
	})
	require.NoError(t, err)
	require.Equal(t, "b", result.Queue.BrokerName)
	require.Equal(t, 2, result.Tries)
	require.InDelta(t, time.Second, took, float64(200*time.Millisecond))
}

func TestTheSendTimeoutCoversAllTries(t *testing.T) {
	for name, tries := range map[string]struct {
		option client.ProducerOption
		want   int
	}{
		"without a limit for each try the first uses all the time": {client.WithTryTimeout(0), 1},
		"with one there are more, and the last takes what is left": {client.WithTryTimeout(500 * time.Millisecond), 3},
		"but none beyond the end":                                  {client.WithTryTimeout(1400 * time.Millisecond), 3},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			c.a.intercept, c.b.intercept = silent, silent
			var err error
			var took time.Duration
			c.run(10*time.Second, func() {
				p := c.producer(tries.option)
				began := c.app.Clock.Now()
				_, err = p.Send(background, hello())
				took = c.app.Clock.Now().Sub(began)
			})
			var failed *client.SendError
			require.ErrorAs(t, err, &failed)
			require.Len(t, failed.Attempts, tries.want)
			require.ErrorIs(t, err, client.ErrTimeout)
			require.True(t, failed.MaybeStored)
			require.InDelta(t, 3*time.Second, took, float64(50*time.Millisecond))
		})
	}
}

func TestTheDeadlineOfTheContextEndsASend(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept, c.b.intercept = silent, silent
	var err error
	c.run(10*time.Second, func() {
		p := c.producer()
		_, err = p.Send(within(c, time.Second), hello())
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	var failed *client.SendError
	require.ErrorAs(t, err, &failed)
	require.True(t, failed.MaybeStored)
	require.InDelta(t, time.Second, failed.Took, float64(50*time.Millisecond))
}

// simulatedContext has a deadline on the simulated calendar.
type simulatedContext struct {
	context.Context
	deadline time.Time
}

// Deadline is part of context.Context.
func (c simulatedContext) Deadline() (time.Time, bool) { return c.deadline, true }

func within(c *cluster, d time.Duration) context.Context {
	return simulatedContext{background, c.app.Clock.Wall().Time().Add(d)}
}

func TestSendTriesAnotherBrokerWhenAConnectionCannotBeMade(t *testing.T) {
	c := newCluster(t, 1)
	nobody := newBroker(c.app, "a", 0)
	nobody.address = "10.0.9.1:1"
	c.names.routes["orders"] = route(2, nobody, c.b)
	var results []client.SendResult
	c.run(5*time.Second, func() {
		p := c.producer()
		for range 4 {
			result, err := p.Send(background, hello())
			must(err)
			results = append(results, result)
		}
	})
	tries := 0
	for _, result := range results {
		require.Equal(t, "b", result.Queue.BrokerName)
		tries += result.Tries
	}
	require.Greater(t, tries, 4, "some of them tried the broker that is not there")
}

func TestAnErrorBeforeTheRequestLeftSaysNotStored(t *testing.T) {
	c := newCluster(t, 1)
	nobody := newBroker(c.app, "a", 0)
	nobody.address = "10.0.9.1:1"
	c.names.routes["orders"] = route(2, nobody)
	var err error
	c.run(5*time.Second, func() { _, err = c.producer().Send(background, hello()) })
	var failed *client.SendError
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Attempts, 1, "to wait for the only broker is one try")
	require.GreaterOrEqual(t, failed.Took, 2800*time.Millisecond, "it may be back before the send timeout is over")
	require.False(t, failed.MaybeStored)
	require.ErrorIs(t, err, client.ErrNotSent)
	c.run(5*time.Second, func() { _, err = c.producer(client.WithRetries(0, 0)).Send(background, hello()) })
	require.ErrorAs(t, err, &failed)
	require.Less(t, failed.Took, 100*time.Millisecond, "who wants no retries does not wait")
}

func TestASendGoesOnWhenTheOnlyBrokerIsBack(t *testing.T) {
	for name, away := range map[string]func(c *cluster){
		"it is a copy for a while": func(c *cluster) {
			c.a.intercept = func(in *transportIncoming) bool {
				switch {
				case in.Command.Code == proto.ReqHeartbeat:
					in.Reply().Send(proto.RespSuccess, &proto.HeartbeatResponse{SendWindow: 100}, nil)
					return true
				case in.Command.Code == proto.ReqSendMessageV2 && int64(c.kernel.Now()) < int64(time.Second):
					in.Reply().Error(proto.RespServiceNotAvailable, "this broker is a slave")
					return true
				}
				return false
			}
		},
		"its group has no master for a while": func(c *cluster) {
			whole, copied := c.names.routes["orders"], newBroker(c.app, "a", 1)
			c.names.routes["orders"] = route(2, copied)
			c.app.Tasks.Go("elect", func() { c.app.Tasks.Sleep(time.Second); c.names.routes["orders"] = whole })
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			c.names.routes["orders"] = route(2, c.a)
			away(c)
			var result client.SendResult
			var err error
			c.run(5*time.Second, func() { result, err = c.producer().Send(background, hello()) })
			require.NoError(t, err)
			require.Equal(t, 1, result.Tries, "a try that found nobody does not count")
		})
	}
}

func TestSendsOfAllKindsWaitForTheNextMaster(t *testing.T) {
	for name, send := range map[string]func(p *client.Producer) error{
		"a batch": func(p *client.Producer) error {
			_, err := p.SendBatch(background, []*client.Message{hello(), hello()})
			return err
		},
		"a half message": func(p *client.Producer) error {
			_, err := p.Transaction(background, hello(), committing)
			return err
		},
		"a request": func(p *client.Producer) error {
			_, err := p.Request(background, hello(), 2*time.Second)
			if errors.Is(err, client.ErrNoReply) {
				return nil // nobody answers in this test
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newTransactions(t)
			whole := c.names.routes["orders"]
			c.names.routes["orders"] = route(2, newBroker(c.app, "a", 1))
			c.app.Tasks.Go("elect", func() {
				c.app.Tasks.Sleep(500 * time.Millisecond)
				c.names.intercept = func(in *transportIncoming) bool { in.Conn.Close(); return true } // as a name server that is killed
				c.app.Tasks.Sleep(500 * time.Millisecond)
				c.names.intercept = nil
				delete(c.names.routes, "orders") // and was started again
				c.app.Tasks.Sleep(500 * time.Millisecond)
				c.names.routes["orders"] = whole
			})
			var err error
			c.run(5*time.Second, func() { err = send(c.producer()) })
			require.NoError(t, err)
			require.Len(t, c.a.sends, 1)
		})
	}
}

func TestAConnectionThatBreaksLeavesTheOutcomeOpen(t *testing.T) {
	c := newCluster(t, 1)
	cut := 0
	c.a.intercept = func(in *transportIncoming) bool {
		if in.Command.Code == proto.ReqSendMessageV2 {
			cut++
			in.Conn.Close()
			return true
		}
		return false
	}
	c.names.routes["orders"] = route(2, c.a)
	var err error
	c.run(5*time.Second, func() { _, err = c.producer().Send(background, hello()) })
	var failed *client.SendError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, 3, cut)
	require.Len(t, failed.Attempts, 3)
	require.True(t, failed.MaybeStored)
}

func TestABrokerThatGoesAwayIsAskedOnceMoreOverANewConnection(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(2, c.a)
	var first uint64
	c.a.intercept = func(in *transportIncoming) bool {
		if in.Command.Code != proto.ReqSendMessageV2 {
			return false
		}
		if first == 0 {
			first = in.Conn.ID()
		}
		if in.Conn.ID() == first {
			in.Reply().Error(proto.RespGoAway, "shutting down")
			return true
		}
		return false
	}
	var result client.SendResult
	var err error
	c.run(5*time.Second, func() { result, err = c.producer().Send(background, hello()) })
	require.NoError(t, err)
	require.Equal(t, 1, result.Tries)
}

func TestOtherStatusesAreResultsUnlessAskedOtherwise(t *testing.T) {
	for code, status := range map[int32]client.SendStatus{
		proto.RespFlushDiskTimeout: client.SendFlushDiskTimeout, proto.RespFlushSlaveTimeout: client.SendFlushSlaveTimeout,
		proto.RespSlaveNotAvailable: client.SendSlaveNotAvailable,
	} {
		answer := func(in *transportIncoming) bool {
			if in.Command.Code == proto.ReqSendMessageV2 {
				in.Reply().Send(code, &proto.SendMessageResponse{OffsetID: "x", QueueID: 1, QueueOffset: 9}, nil)
				return true
			}
			return false
		}
		t.Run(status.String(), func(t *testing.T) {
			c := newCluster(t, 1)
			c.a.intercept, c.b.intercept = answer, answer
			var plain, retried client.SendResult
			c.run(5*time.Second, func() {
				var err error
				plain, err = c.producer().Send(background, hello())
				must(err)
				retried, err = c.producer(client.WithRetryUnlessSafelyStored()).Send(background, hello())
				must(err)
			})
			require.Equal(t, status, plain.Status)
			require.Equal(t, 1, plain.Tries)
			require.EqualValues(t, 9, plain.QueueOffset)
			require.Equal(t, status, retried.Status, "the last try counts")
			require.Equal(t, 3, retried.Tries)
		})
	}
}

func TestAnUnsafeResultIsBetterThanNone(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = func(in *transportIncoming) bool {
		if in.Command.Code == proto.ReqSendMessageV2 {
			in.Reply().Send(proto.RespSlaveNotAvailable, &proto.SendMessageResponse{OffsetID: "x"}, nil)
			return true
		}
		return false
	}
	c.b.intercept = refusing(proto.ReqSendMessageV2, proto.RespMessageIllegal)
	var result client.SendResult
	c.run(5*time.Second, func() {
		p := c.producer(client.WithRetryUnlessSafelyStored())
		for len(c.a.sends) == 0 {
			result, _ = p.Send(background, hello())
		}
	})
	require.Equal(t, client.SendSlaveNotAvailable, result.Status)
	require.Equal(t, "a", result.Queue.BrokerName)
	require.Equal(t, 2, result.Tries, "the message was sent twice all the same")
}

func TestAMessageForARetryTopicCarriesItsCountsInTheHeader(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["%RETRY%g"] = route(1, c.a)
	m := client.NewMessage("%RETRY%g", []byte("x"), client.Property("RECONSUME_TIME", "3"), client.Property("MAX_RECONSUME_TIMES", "16"))
	c.run(5*time.Second, func() {
		_, err := c.producer().Send(background, m)
		must(err)
	})
	got := c.a.sends[0]
	require.EqualValues(t, 3, got.header.Redeliveries)
	require.Equal(t, proto.Some[int32](16), got.header.RedeliveriesMax)
	require.Empty(t, got.property("RECONSUME_TIME"))
	require.Equal(t, "3", m.Properties.Get("RECONSUME_TIME"), "the application's message is left alone")
}

func TestAQueueOfAnotherTopicIsRefused(t *testing.T) {
	c := newCluster(t, 1)
	var sent, asked error
	c.run(time.Second, func() {
		p := c.producer()
		_, sent = p.SendTo(background, client.Queue{Topic: "other", BrokerName: "a"}, hello())
		_, asked = p.RequestTo(background, client.Queue{BrokerName: "a"}, hello(), time.Second)
	})
	for _, err := range []error{sent, asked} {
		require.ErrorIs(t, err, client.ErrMessage)
		require.ErrorContains(t, err, "belongs to another one")
	}
	require.Empty(t, c.sends())
}

func TestSendToUsesTheQueueAndTriesOnce(t *testing.T) {
	c := newCluster(t, 1)
	var results []client.SendResult
	var err error
	c.run(5*time.Second, func() {
		p := c.producer()
		for range 3 {
			result, err := p.SendTo(background, client.Queue{Topic: "orders", BrokerName: "a", QueueID: 1}, hello())
			must(err)
			results = append(results, result)
		}
		c.a.intercept = refusing(proto.ReqSendMessageV2, proto.RespSystemBusy)
		_, err = p.SendTo(background, client.Queue{Topic: "orders", BrokerName: "a", QueueID: 1}, hello())
	})
	for i, result := range results {
		require.Equal(t, "orders@a:1", result.Queue.String())
		require.EqualValues(t, i, result.QueueOffset)
	}
	var failed *client.SendError
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Attempts, 1)
	require.Empty(t, c.b.sends)
}

func TestOnewaySendsArriveAndAskForNoAnswer(t *testing.T) {
	c := newCluster(t, 1)
	c.run(5*time.Second, func() {
		p := c.producer()
		for range 8 {
			must(p.SendOneway(background, hello()))
		}
		must(p.Close(background))
	})
	require.Len(t, c.a.sends, 4)
	require.Len(t, c.b.sends, 4)
	for _, s := range c.sends() {
		require.True(t, s.oneway)
		require.NotEmpty(t, s.property("UNIQ_KEY"))
	}
}

func TestAnOrderedTopicKeepsTheQueuesOfABrokerThatIsDown(t *testing.T) {
	c := newCluster(t, 1)
	r := route(1, c.b)
	r.OrderConfig = "a:2;b:1"
	c.names.routes["orders"] = r
	var queues []client.Queue
	var down, oneway error
	c.run(time.Minute, func() {
		p := c.producer()
		var err error
		queues, err = p.Queues(background, "orders")
		must(err)
		for range 6 {
			_, err := p.Send(background, hello())
			must(err)
		}
		_, down = p.SendTo(background, queues[0], hello())
		fixed := c.producer(client.WithSelector(func(*client.Message, []client.Queue) int { return 0 }))
		oneway = fixed.SendOneway(background, hello())
	})
	require.Len(t, queues, 3)
	require.Len(t, c.b.sends, 6, "what may go anywhere goes to the living")
	require.ErrorIs(t, down, client.ErrNoBroker)
	require.ErrorContains(t, down, "a has no master now")
	require.ErrorIs(t, oneway, client.ErrNoBroker)
}

func TestOneSeedGivesOneHistory(t *testing.T) {
	hash := func(seed uint64) uint64 {
		c := newCluster(t, seed)
		second := c.nameServer("names2")
		second.routes = c.names.routes
		c.names.routes["bills"] = route(3, c.a, c.b)
		c.a.intercept = refusing(proto.ReqSendMessageV2, proto.RespSystemBusy)
		c.run(5*time.Minute, func() {
			p, consumer := c.producer(client.WithNameServers(c.names.address, second.address)), c.consumer()
			for i := range 20 {
				topic := []string{"orders", "bills"}[i%2]
				must(p.SendAsync(background, client.NewMessage(topic, []byte("x")), nil))
				_, err := p.Send(background, client.NewMessage(topic, []byte("y")))
				must(err)
			}
			_, err := consumer.Pull(background, first, 0, 10)
			must(err)
			c.app.Tasks.Sleep(time.Minute)
			must(p.Close(background))
			must(consumer.Close(background))
		})
		return c.kernel.TraceHash()
	}
	require.Equal(t, hash(1), hash(1))
	require.NotEqual(t, hash(1), hash(2))
}
