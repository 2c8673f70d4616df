package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestWithFaultToleranceABrokerThatFailedRestsForAWhile(t *testing.T) {
	for name, failure := range map[string]struct {
		intercept func(*transportIncoming) bool
		options   []client.ProducerOption
	}{
		"it does not answer": {silent, []client.ProducerOption{client.WithTryTimeout(300 * time.Millisecond)}},
		"it is busy":         {refusing(proto.ReqSendMessageV2, proto.RespSystemBusy), nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			c.a.intercept = failure.intercept
			var resting, afterwards int
			c.run(time.Minute, func() {
				p := c.producer(append(failure.options, client.WithFaultTolerance())...)
				sendUntilA(c, p)
				for range 40 {
					result, err := p.Send(background, hello())
					must(err)
					resting += result.Tries
				}
				c.a.intercept = nil
				c.app.Tasks.Sleep(11 * time.Second)
				for range 8 {
					_, err := p.Send(background, hello())
					must(err)
				}
				afterwards = len(c.a.sends)
			})
			require.Equal(t, 40, resting, "each send succeeds at once")
			require.Equal(t, 5, afterwards, "one before, and its share of the eight")
		})
	}
}

func TestWithoutFaultToleranceEverySendBeginsWithTheNextBroker(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = refusing(proto.ReqSendMessageV2, proto.RespSystemError)
	c.run(time.Minute, func() {
		p := c.producer()
		for range 20 {
			_, err := p.Send(background, hello())
			must(err)
		}
	})
	require.Greater(t, len(c.a.sends), 5)
}

func TestARefusedMessageDoesNotSpeakAgainstItsBroker(t *testing.T) {
	c := newCluster(t, 1)
	wrong := true
	refuse := refusing(proto.ReqSendMessageV2, proto.RespMessageIllegal)
	c.a.intercept = func(in *transportIncoming) bool { return wrong && refuse(in) }
	c.run(time.Minute, func() {
		p := c.producer(client.WithFaultTolerance())
		_, err := sendUntilA(c, p)
		if err == nil {
			panic("the message was taken")
		}
		wrong = false
		for range 8 {
			_, err := p.Send(background, hello())
			must(err)
		}
	})
	require.Len(t, c.a.sends, 5)
}

// The broker takes 300 ms, which is fine; callers who do not wait for that learn nothing.
func TestAnImpatientCallerDoesNotSpeakAgainstABroker(t *testing.T) {
	for name, send := range map[string]func(c *cluster, p *client.Producer, failed func(error)){
		"who waits": func(c *cluster, p *client.Producer, failed func(error)) {
			_, err := p.Send(within(c, 100*time.Millisecond), hello())
			failed(err)
		},
		"who is called back": func(c *cluster, p *client.Producer, failed func(error)) {
			must(p.SendAsync(within(c, 100*time.Millisecond), hello(), func(_ client.SendResult, err error) { failed(err) }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			c.a.intercept = func(in *transportIncoming) bool {
				if in.Command.Code == proto.ReqSendMessageV2 {
					c.a.env.Tasks.Sleep(300 * time.Millisecond)
				}
				return false
			}
			failures := 0
			c.run(time.Minute, func() {
				p := c.producer(client.WithFaultTolerance(), client.WithRetries(0, 0))
				for range 8 {
					send(c, p, func(err error) {
						if err != nil {
							failures++
						}
					})
					c.app.Tasks.Sleep(time.Second)
				}
			})
			require.Equal(t, 4, failures)
			require.Len(t, c.a.sends, 4, "it had its turns")
		})
	}
}

func TestASlowBrokerRestsToo(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = func(in *transportIncoming) bool {
		if in.Command.Code == proto.ReqSendMessageV2 {
			c.a.env.Tasks.Sleep(700 * time.Millisecond)
		}
		return false
	}
	c.run(time.Minute, func() {
		p := c.producer(client.WithFaultTolerance(client.FaultStep{Latency: 600 * time.Millisecond, Rest: time.Second}))
		_, err := sendUntilA(c, p)
		must(err)
		for range 20 {
			_, err := p.Send(background, hello())
			must(err)
		}
	})
	require.Len(t, c.a.sends, 1)
}

// Both brokers fail, and one comes back: the detector sees it before a send does, so that sends do not have to find out.
func TestTheDetectorFindsOutThatABrokerIsBack(t *testing.T) {
	for name, detects := range map[string]bool{"with": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			c.a.intercept, c.b.intercept = silent, silent
			var tries []int
			c.run(time.Minute, func() {
				options := []client.ProducerOption{
					client.WithTryTimeout(300 * time.Millisecond), client.WithSendTimeout(900 * time.Millisecond),
					client.WithFaultTolerance(client.FaultStep{Latency: time.Second, Rest: time.Hour}),
				}
				if detects {
					options = append(options, client.WithDetector(2*time.Second, 200*time.Millisecond))
				}
				p := c.producer(options...)
				_, err := p.Send(background, hello())
				if err == nil {
					panic("nobody answers")
				}
				c.b.intercept = nil
				c.app.Tasks.Sleep(4 * time.Second)
				for range 8 {
					result, err := p.Send(background, hello())
					must(err)
					tries = append(tries, result.Tries)
				}
				must(p.Close(background))
			})
			if detects {
				require.Equal(t, []int{1, 1, 1, 1, 1, 1, 1, 1}, tries)
				require.Positive(t, c.b.count(proto.ReqGetMaxOffset))
			} else {
				require.Contains(t, tries, 2, "some sends begin with the one that is away")
				require.Zero(t, c.b.count(proto.ReqGetMaxOffset))
			}
			require.Empty(t, c.machine.TaskNames())
		})
	}
}

func TestMessagesStayInTheMachineRoomWhileABrokerThereServes(t *testing.T) {
	w := newWorld(t, 1)
	c := &cluster{world: w, names: w.nameServer("names"), a: w.broker("north@a", 0), b: w.broker("south@b", 0)}
	c.names.routes["orders"] = route(2, c.a, c.b)
	c.run(time.Minute, func() {
		p := c.producer(client.WithMachineRooms("north"))
		for range 10 {
			_, err := p.Send(background, hello())
			must(err)
		}
		if len(c.b.sends) > 0 {
			panic("a message has left its room")
		}
		c.a.intercept = refusing(proto.ReqSendMessageV2, proto.RespSystemBusy)
		result, err := p.Send(background, hello())
		must(err)
		if result.Tries != 2 {
			panic(result.String())
		}
	})
	require.Len(t, c.a.sends, 11)
	require.Len(t, c.b.sends, 1)
}
