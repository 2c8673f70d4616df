package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// asCopy answers as a copy does that serves no reads. To whoever wants no answer it says nothing.
func asCopy(in *transport.Incoming) bool {
	switch code := in.Command.Code; {
	case knows(in):
	case code == proto.ReqUnregisterClient, code == proto.ReqGetConsumerListByGroup:
		return false
	case code == proto.ReqPullMessage, code == proto.ReqLitePullMessage:
		in.Reply().Error(proto.RespSystemBusy, "this broker is a slave, and slaveReadEnable is false: pull from the master")
	case !in.Command.IsOneway():
		in.Reply().Error(proto.RespServiceNotAvailable, "this broker is a slave")
	}
	return true
}

// knows answers heartbeats as brokers do that know sends again.
func knows(in *transport.Incoming) bool {
	if in.Command.Code != proto.ReqHeartbeat {
		return false
	}
	in.Reply().Send(proto.RespSuccess, &proto.HeartbeatResponse{SendWindow: 100}, nil)
	return true
}

// newPair makes a group of a master, which is a, and a copy.
func newPair(t *testing.T) (c *cluster, copied *broker) {
	t.Helper()
	c = newGroupCluster(t, 1)
	copied = c.broker("a", 1)
	copied.groups, copied.pops, c.a.pops = newGroups(copied), newPops(), newPops()
	for _, topic := range pairTopics {
		c.names.routes[topic] = route(1, c.a, copied)
	}
	return c, copied
}

var pairTopics = []string{"orders", proto.RetryTopic("consumers")}

// elect makes the copy of a pair the master. It ends its connections when it takes its role.
func (c *cluster) elect(copied *broker) {
	for _, conn := range copied.server.Conns() {
		conn.Close()
	}
	for _, topic := range pairTopics {
		moved := route(1, c.a)
		moved.Brokers[0].Addresses = []proto.BrokerAddress{{ID: proto.MasterID, Address: copied.address}, {ID: 1, Address: c.a.address}}
		c.names.routes[topic] = moved
	}
}

// gone are the ways in which a master stops being one.
func (c *cluster) gone(how string) {
	switch how {
	case "it is a copy":
		c.a.intercept = asCopy
		for _, conn := range c.a.server.Conns() {
			conn.Close()
		}
	case "its process is gone":
		c.a.env.Tasks.Go("end", c.a.server.Close)
	case "it is silent":
		c.a.intercept = func(*transport.Incoming) bool { return true }
	}
}

var waysToGo = []string{"it is a copy", "its process is gone", "it is silent"}

func TestAPushConsumerGoesOnAtTheNextMaster(t *testing.T) {
	for kind, option := range map[string]func(*inbox) client.PushOption{
		"concurrent": func(b *inbox) client.PushOption { return client.WithHandler(b.handle) },
		"in order":   func(b *inbox) client.PushOption { return client.WithOrderlyHandler(b.handle) },
	} {
		for _, how := range waysToGo {
			for _, after := range []time.Duration{0, 500 * time.Millisecond, 2 * time.Second} {
				t.Run(kind+", "+how+", elected after "+after.String(), func(t *testing.T) {
					c, copied := newPair(t)
					c.a.put(orders(0), 10)
					copied.put(orders(0), 10)
					box := &inbox{}
					var consumed, committed time.Duration
					c.run(5*time.Minute, func() {
						c.push(option(box))
						c.eventually("the first messages", func() bool { return len(box.bodies) == 10 })
						c.app.Tasks.Sleep(12*time.Second + 300*time.Millisecond)
						copied.committed["consumers@orders@0"] = c.a.committedAt(orders(0))
						c.gone(how)
						c.app.Tasks.Sleep(after)
						c.elect(copied)
						began := c.app.Clock.Now()
						copied.put(orders(0), 1)
						c.eventually("the next message", func() bool { return len(box.bodies) == 11 })
						consumed = c.app.Clock.Now().Sub(began)
						c.eventually("its commit", func() bool { return copied.committedAt(orders(0)) == 11 })
						committed = c.app.Clock.Now().Sub(began)
					})
					require.Less(t, consumed, 3*time.Second)
					require.Less(t, committed, 8*time.Second, "offsets are stored every 5 s")
				})
			}
		}
	}
}

func TestProducersGoOnAtTheNextMaster(t *testing.T) {
	for kind, send := range map[string]func(c *cluster, p *client.Producer) error{
		"one after the other": func(_ *cluster, p *client.Producer) error { _, err := p.Send(background, hello()); return err },
		"in the background": func(c *cluster, p *client.Producer) (err error) {
			over := false
			must(p.SendAsync(background, hello(), func(_ client.SendResult, failure error) { err, over = failure, true }))
			c.eventually("the outcome", func() bool { return over })
			return err
		},
		"to one queue": func(_ *cluster, p *client.Producer) error {
			_, err := p.SendTo(background, client.Queue{Topic: "orders", BrokerName: "a"}, hello())
			return err
		},
	} {
		for _, how := range waysToGo {
			t.Run(kind+", "+how, func(t *testing.T) {
				c, copied := newPair(t)
				c.a.intercept, copied.intercept = knows, knows
				var err error
				var took time.Duration
				c.run(time.Minute, func() {
					p := c.producer()
					must1(p.Send(background, hello()))
					c.app.Tasks.Sleep(2 * time.Second)
					c.gone(how)
					c.app.Tasks.Go("elect", func() { c.app.Tasks.Sleep(500 * time.Millisecond); c.elect(copied) })
					began := c.app.Clock.Now()
					err = send(c, p)
					took = c.app.Clock.Now().Sub(began)
				})
				require.NoError(t, err)
				require.Less(t, took, 2700*time.Millisecond)
				require.Len(t, copied.sends, 1)
			})
		}
	}
}

func TestOneWaySendsGoToTheNextMaster(t *testing.T) {
	for _, how := range waysToGo[:2] {
		c, copied := newPair(t)
		var took time.Duration
		c.run(time.Minute, func() {
			p := c.producer()
			must(p.SendOneway(background, hello()))
			c.app.Tasks.Sleep(2 * time.Second)
			c.gone(how)
			c.app.Tasks.Sleep(500 * time.Millisecond)
			c.elect(copied)
			began := c.app.Clock.Now()
			for len(copied.sends) == 0 {
				_ = p.SendOneway(background, hello())
				c.app.Tasks.Sleep(50 * time.Millisecond)
			}
			took = c.app.Clock.Now().Sub(began)
		})
		require.Less(t, took, time.Second, how)
	}
}

func TestAcknowledgementsOfPopsGoToTheNextMaster(t *testing.T) {
	for name, acknowledge := range map[string]func(p *client.PopConsumer, got []*client.PoppedMessage) error{
		"one":  func(p *client.PopConsumer, got []*client.PoppedMessage) error { return p.Ack(background, got[0]) },
		"many": func(p *client.PopConsumer, got []*client.PoppedMessage) error { return p.AckAll(background, got) },
	} {
		t.Run(name, func(t *testing.T) {
			c, copied := newPair(t)
			c.a.put(orders(0), 4)
			var took time.Duration
			c.run(time.Minute, func() {
				p := must1(client.NewPopConsumer(c.app, client.WithGroup("consumers"), c.nameServers(), client.WithSubscription("orders", client.Tags("*"))))
				got := must1(p.Pop(background, 4))
				c.app.Tasks.Sleep(3 * time.Second)
				c.gone("it is a copy")
				c.app.Tasks.Sleep(500 * time.Millisecond)
				c.elect(copied)
				began := c.app.Clock.Now()
				for copied.count(proto.ReqBatchAckMessage)+copied.count(proto.ReqAckMessage) == 0 {
					_ = acknowledge(p, got)
					c.app.Tasks.Sleep(50 * time.Millisecond)
				}
				took = c.app.Clock.Now().Sub(began)
			})
			require.Less(t, took, time.Second)
		})
	}
}

// The only copy that lives takes its role: for a time name servers know nobody of the group.
func TestAConsumerKeepsTheQueuesOfAGroupThatVanishesForAWhile(t *testing.T) {
	for _, gap := range []time.Duration{300 * time.Millisecond, 2500 * time.Millisecond} {
		t.Run(gap.String(), func(t *testing.T) {
			c, copied := newPair(t)
			for _, topic := range pairTopics {
				c.names.routes[topic] = route(1, c.a, copied, c.b)
			}
			c.a.put(orders(0), 10)
			copied.put(orders(0), 10)
			box, kept := &inbox{}, true
			var took time.Duration
			c.run(5*time.Minute, func() {
				p := c.push(client.WithHandler(box.handle))
				c.eventually("the first messages", func() bool { return len(box.bodies) == 10 })
				c.app.Tasks.Sleep(9*time.Second + 300*time.Millisecond)
				c.gone("its process is gone")
				c.app.Tasks.Sleep(1500 * time.Millisecond)
				copied.intercept = func(in *transport.Incoming) bool { in.Conn.Close(); return true }
				for _, conn := range copied.server.Conns() {
					conn.Close()
				}
				for _, topic := range pairTopics {
					c.names.routes[topic] = route(1, c.b)
				}
				c.app.Tasks.Sleep(gap)
				copied.intercept = nil
				for _, topic := range pairTopics {
					back := route(1, copied, c.b)
					back.Brokers[0].Addresses = []proto.BrokerAddress{{ID: proto.MasterID, Address: copied.address}}
					c.names.routes[topic] = back
				}
				began := c.app.Clock.Now()
				copied.put(orders(0), 1)
				c.eventually("the next message", func() bool {
					kept = kept && len(must1(p.Assigned(background))) == 4
					return len(box.bodies) >= 11
				})
				took = c.app.Clock.Now().Sub(began)
			})
			require.Less(t, took, 1500*time.Millisecond)
			require.True(t, kept, "nobody else may have the queues meanwhile")
		})
	}
}

// One that is gone for good is not waited for.
func TestTheQueuesOfAGroupThatIsGoneAreGivenUp(t *testing.T) {
	c, _ := newPair(t)
	for _, topic := range pairTopics {
		c.names.routes[topic] = route(1, c.a, c.b)
	}
	c.run(5*time.Minute, func() {
		p := c.push(client.WithHandler((&inbox{}).handle))
		c.eventually("queues", func() bool { return len(must1(p.Assigned(background))) == 4 })
		c.gone("its process is gone")
		for _, topic := range pairTopics {
			c.names.routes[topic] = route(1, c.b)
		}
		c.app.Tasks.Sleep(8 * time.Second)
		require.Len(t, must1(p.Assigned(background)), 4)
		c.app.Tasks.Sleep(50 * time.Second)
		require.Len(t, must1(p.Assigned(background)), 2)
	})
}

// A copy that serves reads may not have heard of a commit yet: where the group begins is not its to say.
func TestOnlyAMasterSaysThatAGroupHasNoOffset(t *testing.T) {
	c, copied := newPair(t)
	copied.put(orders(0), 10)
	for _, topic := range pairTopics {
		onlyCopy := route(1, copied)
		onlyCopy.Brokers[0].Addresses = []proto.BrokerAddress{{ID: 1, Address: copied.address}}
		c.names.routes[topic] = onlyCopy
	}
	box := &inbox{}
	c.run(5*time.Minute, func() {
		c.push(client.WithHandler(box.handle))
		c.app.Tasks.Sleep(20 * time.Second)
		require.Empty(t, box.bodies)
		require.NotContains(t, copied.committed, "consumers@orders@0")
		copied.committed["consumers@orders@0"] = 3
		c.elect(copied)
		c.eventually("what the group has not consumed", func() bool { return len(box.bodies) == 7 })
	})
}

// A master falls silent, and for a time name servers know only its copy, or nobody.
func TestAHeldPullDoesNotWaitForAMasterThatIsSilentHoweverRoutesChange(t *testing.T) {
	for _, interim := range []string{"none", "only the copy", "nobody"} {
		t.Run(interim, func(t *testing.T) {
			c, copied := newPair(t)
			between := map[string]*proto.Route{"none": route(1, c.a, copied, c.b), "only the copy": route(1, copied, c.b), "nobody": route(1, c.b)}
			for _, topic := range pairTopics {
				c.names.routes[topic] = between["none"]
			}
			c.a.put(orders(0), 10)
			copied.put(orders(0), 10)
			box := &inbox{}
			var took time.Duration
			c.run(5*time.Minute, func() {
				c.push(client.WithHandler(box.handle))
				c.eventually("the first messages", func() bool { return len(box.bodies) == 10 })
				c.app.Tasks.Sleep(29*time.Second + 300*time.Millisecond)
				copied.committed["consumers@orders@0"] = c.a.committedAt(orders(0))
				c.gone("it is silent")
				c.app.Tasks.Sleep(8 * time.Second)
				for _, topic := range pairTopics {
					c.names.routes[topic] = between[interim]
				}
				c.app.Tasks.Sleep(4 * time.Second)
				for _, conn := range copied.server.Conns() {
					conn.Close()
				}
				for _, topic := range pairTopics {
					moved := route(1, copied, c.b)
					moved.Brokers[0].Addresses = []proto.BrokerAddress{{ID: proto.MasterID, Address: copied.address}}
					c.names.routes[topic] = moved
				}
				began := c.app.Clock.Now()
				copied.put(orders(0), 1)
				c.eventually("the next message", func() bool { return len(box.bodies) == 11 })
				took = c.app.Clock.Now().Sub(began)
			})
			require.Less(t, took, 3*time.Second)
		})
	}
}

func TestATopicThatLeavesABrokerIsNoTroubleForOthersThere(t *testing.T) {
	c := newCluster(t, 1)
	c.names.routes["orders"], c.names.routes["zzz"] = route(2, c.b), route(2, c.a, c.b)
	c.run(5*time.Minute, func() {
		p := c.producer(client.WithRetries(0, 0))
		must1(p.Send(background, hello()))
		must1(p.Send(background, client.NewMessage("zzz", []byte("x"))))
		c.app.Tasks.Sleep(5 * time.Second)
		c.names.routes["zzz"] = route(2, c.a)
		for range 600 {
			must1(p.Send(background, hello()))
			c.app.Tasks.Sleep(100 * time.Millisecond)
		}
	})
}

// Many clients wait for a group that is gone for long: each asks seldom.
func TestWhoWaitsForAMasterForLongAsksSeldom(t *testing.T) {
	c, copied := newPair(t)
	var asked int
	c.run(30*time.Minute, func() {
		c.push(client.WithHandler((&inbox{}).handle))
		c.app.Tasks.Sleep(12 * time.Second)
		c.gone("it is a copy")
		copied.intercept = asCopy
		for _, topic := range pairTopics {
			masterless := route(1, copied)
			masterless.Brokers[0].Addresses = []proto.BrokerAddress{{ID: 1, Address: copied.address}}
			c.names.routes[topic] = masterless
		}
		c.app.Tasks.Sleep(time.Minute)
		before := c.names.count(proto.ReqGetRouteInfoByTopic)
		c.app.Tasks.Sleep(5 * time.Minute)
		asked = c.names.count(proto.ReqGetRouteInfoByTopic) - before
	})
	require.Less(t, asked, 300, "once a second at most")
}

// A member that knows no copy, and has nothing to commit, hears of nothing.
func TestAPullThatIsKeptForTooLongRaisesDoubt(t *testing.T) {
	c, copied := newPair(t)
	for _, topic := range pairTopics {
		c.names.routes[topic] = route(1, c.a)
	}
	c.a.put(orders(0), 10)
	copied.put(orders(0), 10)
	box := &inbox{}
	var took time.Duration
	c.run(5*time.Minute, func() {
		c.push(client.WithHandler(box.handle), client.WithHold(2*time.Second), client.WithPullTimeout(time.Minute))
		c.eventually("the first messages", func() bool { return len(box.bodies) == 10 })
		c.app.Tasks.Sleep(12*time.Second + 300*time.Millisecond)
		copied.committed["consumers@orders@0"] = c.a.committedAt(orders(0))
		c.gone("it is silent")
		c.elect(copied)
		began := c.app.Clock.Now()
		copied.put(orders(0), 1)
		c.eventually("the next message", func() bool { return len(box.bodies) == 11 })
		took = c.app.Clock.Now().Sub(began)
	})
	require.Less(t, took, 8*time.Second, "two seconds of hold, and a second each for the doubt, for the probe of the old master, and until the pull is tried again; looks are rare by then")
}
