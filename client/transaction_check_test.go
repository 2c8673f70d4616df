package client_test

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestTheListenerAnswersForTransactionsOfOthers(t *testing.T) {
	for state, outcome := range map[client.TransactionState]proto.TransactionOutcome{
		client.TransactionCommitted: proto.OutcomeCommit, client.TransactionRolledBack: proto.OutcomeRollback,
		client.TransactionUnknown: proto.OutcomeUnknown, client.TransactionState(9): proto.OutcomeUnknown,
	} {
		t.Run(state.String(), func(t *testing.T) {
			c, s := newTransactions(t)
			l := &listener{answer: state}
			c.run(time.Minute, func() {
				p := c.knownProducer(s, l.option())
				s.check(s.orphan("orders", "UNIQ_KEY", "U", "PGROUP", "producers", "TAGS", "t"))
				c.eventually("it is answered", func() bool { return len(s.ends) == 1 })
				must(p.Close(background))
			})
			require.Empty(t, c.machine.TaskNames())
			m := l.asked[0]
			require.Equal(t, "orphan", string(m.Body))
			require.Equal(t, "U", m.TransactionID)
			require.Equal(t, "t", m.Tags())
			require.Equal(t, orders(1), m.Queue)
			require.EqualValues(t, 1000, m.LogOffset)
			require.Equal(t, outcome == proto.OutcomeUnknown, s.ends[0].oneway)
			require.Equal(t, proto.EndTransaction{
				Topic: "orders", ProducerGroup: "producers", LogOffset: 1000, Outcome: outcome, AnswersCheck: true, UniqueID: "U", TransactionID: "U", BrokerName: "a",
			}, s.ends[0].header)
		})
	}
}

// TestABrokerThatAsksTooSoonIsToldSo and the half message that it has moved is the one that is committed then.
func TestABrokerThatAsksTooSoonIsToldSo(t *testing.T) {
	c, s := newTransactions(t)
	l := &listener{answer: client.TransactionRolledBack}
	c.run(time.Minute, func() {
		p := c.knownProducer(s, l.option())
		must1(p.Transaction(background, hello(), func(*client.Tx) error {
			s.check(s.move(0))
			c.eventually("it is answered", func() bool { return len(s.ends) == 1 })
			return nil
		}))
		must(p.Close(background))
	})
	require.Empty(t, l.asked)
	require.Equal(t, proto.OutcomeUnknown, s.ends[0].header.Outcome)
	require.True(t, s.ends[0].header.AnswersCheck)
	require.True(t, s.ends[0].oneway)
	require.Equal(t, s.idOf(0), s.ends[0].header.UniqueID)
	require.Equal(t, []string{"unknown", "commit"}, s.outcomes())
	require.False(t, s.ends[1].header.AnswersCheck)
	require.EqualValues(t, 1, s.ends[1].header.HalfOffset)
}

// TestAQuestionWhileTheBrokerIsTold is not answered with the decision: it is on its way, and a broker could carry it out twice.
func TestAQuestionWhileTheBrokerIsTold(t *testing.T) {
	c, s := newTransactions(t)
	l := &listener{}
	c.run(time.Minute, func() {
		p := c.knownProducer(s, l.option())
		s.first = func(in *transport.Incoming) bool {
			if len(s.ends) == 1 {
				s.check(0)
				reply := in.Reply()
				c.a.env.Tasks.Go("answer late", func() {
					c.a.env.Tasks.Sleep(time.Second)
					reply.Success(nil)
				})
				return true
			}
			return false
		}
		must1(p.Transaction(background, hello(), committing))
		must(p.Close(background))
	})
	require.Empty(t, l.asked)
	require.Len(t, s.ends, 2)
	require.True(t, s.ends[1].header.AnswersCheck)
	require.Equal(t, proto.OutcomeUnknown, s.ends[1].header.Outcome)
}

// TestAQuestionBeforeTheAnswerToTheHalfMessage finds the transaction under way.
func TestAQuestionBeforeTheAnswerToTheHalfMessage(t *testing.T) {
	c, s := newTransactions(t)
	l := &listener{answer: client.TransactionRolledBack}
	c.run(time.Minute, func() {
		p := c.knownProducer(s, l.option())
		c.a.intercept = func(in *transportIncoming) bool {
			handled := s.serve(in)
			if in.Command.Code == proto.ReqSendMessageV2 {
				s.check(0)
				c.a.env.Tasks.Sleep(time.Second)
			}
			return handled
		}
		must1(p.Transaction(background, hello(), committing))
		must(p.Close(background))
	})
	require.Empty(t, l.asked)
	require.Equal(t, []string{"commit"}, s.outcomes())
}

func TestAProducerWithoutListenerDoesNotKnowAndSaysSoOnce(t *testing.T) {
	c, s := newTransactions(t)
	core, logs := observer.New(zap.WarnLevel)
	c.app.Log = zap.New(core)
	c.run(time.Minute, func() {
		p := c.knownProducer(s)
		n := s.orphan("orders", "UNIQ_KEY", "U")
		for range 3 {
			s.check(n)
		}
		c.eventually("they are answered", func() bool { return len(s.ends) == 3 })
		must(p.Close(background))
	})
	for _, e := range s.ends {
		require.Equal(t, proto.OutcomeUnknown, e.header.Outcome)
		require.Equal(t, "U", e.header.UniqueID)
	}
	require.Equal(t, 1, logs.FilterMessageSnippet("has no listener").Len())
}

func TestAPanicOfTheListenerCountsAsUnknown(t *testing.T) {
	c, s := newTransactions(t)
	core, logs := observer.New(zap.ErrorLevel)
	c.app.Log = zap.New(core)
	l := &listener{answer: client.TransactionCommitted, wait: func() { panic("a bug") }}
	c.run(time.Minute, func() {
		p := c.knownProducer(s, l.option())
		n := s.orphan("orders", "UNIQ_KEY", "U")
		s.check(n)
		c.eventually("it is answered", func() bool { return len(s.ends) == 1 })
		l.wait = nil
		s.check(n)
		c.eventually("the listener goes on", func() bool { return len(s.ends) == 2 })
		must(p.Close(background))
	})
	require.Equal(t, proto.OutcomeUnknown, s.ends[0].header.Outcome)
	require.Equal(t, []string{"commit"}, s.outcomes())
	require.Equal(t, 1, logs.FilterMessageSnippet("the transaction listener panicked").Len())
}

func TestListenersRunAsManyAtOnceAsAllowed(t *testing.T) {
	c, s := newTransactions(t)
	core, logs := observer.New(zap.WarnLevel)
	c.app.Log = zap.New(core)
	released, inside, most := false, 0, 0
	l := &listener{answer: client.TransactionCommitted}
	l.wait = func() {
		inside++
		most = max(most, inside)
		c.hold(&released)
		inside--
	}
	c.run(time.Minute, func() {
		p := c.knownProducer(s, l.option(), client.WithTransactionChecks(2, 3))
		for range 7 {
			s.check(s.orphan("orders", "UNIQ_KEY", string(rune('A'+len(s.halves)))))
			c.app.Tasks.Sleep(soon)
		}
		// The reader is free meanwhile.
		must1(p.Send(background, hello()))
		// Two run, three wait, two are dropped. A question that comes again is not asked again, but answered where the half message is now.
		s.check(s.move(0))
		s.check(s.move(2))
		c.app.Tasks.Sleep(soon)
		released = true
		c.eventually("all are answered", func() bool { return len(s.ends) == 5 })
		must(p.Close(background))
	})
	require.Equal(t, 2, most)
	require.Len(t, l.asked, 5)
	require.Equal(t, 2, logs.FilterMessageSnippet("listener is too slow").Len())
	require.Equal(t, []string{"unknown", "commit", "unknown", "commit", "commit", "unknown", "unknown", "commit", "commit"}, s.outcomes())
}

func TestWaitingHalfMessagesAreBoundedInBytes(t *testing.T) {
	c, s := newTransactions(t)
	core, logs := observer.New(zap.WarnLevel)
	c.app.Log = zap.New(core)
	released := false
	l := &listener{answer: client.TransactionCommitted, wait: func() { c.hold(&released) }}
	c.run(time.Minute, func() {
		p := c.knownProducer(s, l.option())
		body := bytes.Repeat([]byte("x"), 10<<20)
		for range 9 {
			n := s.orphan("orders", "UNIQ_KEY", string(rune('A'+len(s.halves))))
			s.halves[n].record.Body = body
			s.check(n)
			c.app.Tasks.Sleep(time.Second)
		}
		released = true
		c.eventually("all are answered", func() bool { return len(s.ends) == 7 })
		must(p.Close(background))
	})
	require.Equal(t, 2, logs.FilterMessageSnippet("listener is too slow").Len(), "one is with the listener, six wait")
}

func TestQuestionsThatMakeNoSenseAreIgnored(t *testing.T) {
	c, s := newTransactions(t)
	core, logs := observer.New(zap.WarnLevel)
	c.app.Log = zap.New(core)
	l := &listener{answer: client.TransactionCommitted}
	c.run(time.Minute, func() {
		p := c.knownProducer(s, l.option())
		n := s.orphan("orders", "UNIQ_KEY", "U", "PGROUP", "producers")
		s.checkAs(n, func(_ *proto.CheckTransactionState, body *[]byte) { *body = []byte("nonsense") })
		c.app.Tasks.Sleep(soon)
		s.checkAs(n, func(_ *proto.CheckTransactionState, body *[]byte) { *body = nil })
		c.app.Tasks.Sleep(soon)
		s.check(s.orphan("orders", "UNIQ_KEY", "V", "PGROUP", "others"))
		must(s.producers["producers"].Oneway(&transport.Request{Code: proto.ReqCheckTransactionState}))
		c.app.Tasks.Sleep(soon)
		// A broker need not name the transaction: the message does.
		s.checkAs(n, func(h *proto.CheckTransactionState, _ *[]byte) { h.UniqueID, h.TransactionID = "", "" })
		s.checkAs(n, func(h *proto.CheckTransactionState, _ *[]byte) { h.UniqueID, h.TransactionID = "", "" })
		c.eventually("they are answered", func() bool { return len(s.ends) == 2 })
		must(p.Close(background))
	})
	require.Len(t, l.asked, 2)
	require.Equal(t, "U", s.ends[0].header.UniqueID)
	require.Equal(t, 3, logs.FilterMessageSnippet("has no answer").Len())
	require.Equal(t, 1, logs.FilterMessageSnippet("cannot be read").Len())
}

func TestCloseWaitsForTheListenerAndAsksItNothingNew(t *testing.T) {
	c, s := newTransactions(t)
	l := &listener{answer: client.TransactionCommitted, wait: func() { c.app.Tasks.Sleep(5 * time.Second) }}
	var cut error
	c.run(time.Minute, func() {
		p := c.knownProducer(s, l.option())
		for range 3 {
			s.check(s.orphan("orders", "UNIQ_KEY", string(rune('A'+len(s.halves)))))
		}
		c.eventually("the listener is asked", func() bool { return len(l.asked) == 1 })
		c.app.Tasks.Go("ask", func() {
			c.app.Tasks.Sleep(time.Second)
			s.check(1)
		})
		must(p.Close(background))
		if len(s.ends) != 1 {
			panic("Close has not waited for the answer")
		}
		p = c.producer(l.option("orders"))
		s.producers = map[string]*transport.Conn{}
		c.eventually("the broker knows the producer before it has sent anything", func() bool { return s.producers["producers"] != nil })
		s.check(1)
		c.eventually("the listener is asked", func() bool { return len(l.asked) == 2 })
		cut = p.Close(within(c, time.Second))
		c.app.Tasks.Sleep(10 * time.Second)
	})
	require.ErrorIs(t, cut, context.DeadlineExceeded)
	require.Empty(t, c.machine.TaskNames())
	require.Len(t, l.asked, 2)
	require.Equal(t, []string{"commit", "unknown", "unknown"}, s.outcomes())
}

// TestTheBrokersOfTheListenersTopicsAreFoundLater if there is no such topic yet.
func TestTheBrokersOfTheListenersTopicsAreFoundLater(t *testing.T) {
	c, s := newTransactions(t)
	l := &listener{answer: client.TransactionCommitted}
	c.run(5*time.Minute, func() {
		p := c.producer(l.option("later", "orders"))
		c.app.Tasks.Sleep(time.Minute)
		if s.producers["producers"] != nil {
			panic("the topics have an order")
		}
		c.names.routes["later"] = route(1, c.a)
		c.eventually("the broker knows the producer", func() bool { return s.producers["producers"] != nil })
		must(p.Close(background))
		must(c.producer(l.option("never")).Close(background))
	})
	require.Empty(t, c.machine.TaskNames())
}

func TestAnAnswerThatTheBrokerDoesNotTakeIsReported(t *testing.T) {
	c, s := newTransactions(t)
	core, logs := observer.New(zap.WarnLevel)
	c.app.Log = zap.New(core)
	l := &listener{answer: client.TransactionCommitted}
	c.run(time.Minute, func() {
		p := c.knownProducer(s, l.option())
		n := s.orphan("orders", "UNIQ_KEY", "U")
		s.first = refusing(proto.ReqEndTransaction, proto.RespSystemError)
		s.check(n)
		c.eventually("it is answered", func() bool { return len(s.ends) == 1 })
		c.app.Tasks.Sleep(soon)
		s.first = silent
		s.check(n)
		c.app.Tasks.Sleep(5 * time.Second)
		s.first = nil
		s.check(n)
		c.eventually("it is taken", func() bool { return s.halves[n].outcome == proto.OutcomeCommit })
		must(p.Close(background))
	})
	require.Equal(t, 2, logs.FilterMessageSnippet("was not taken").Len())
}

// TestABrokerKnowsAgainWhoseTransactionIsUnderWay soon, although it refused a heartbeat.
func TestABrokerKnowsAgainWhoseTransactionIsUnderWay(t *testing.T) {
	c, s := newTransactions(t)
	c.run(time.Minute, func() {
		p := c.knownProducer(s)
		tx := must1(p.Begin(background, hello()))
		c.a.intercept = refusing(proto.ReqHeartbeat, proto.RespSystemBusy)
		s.producers["producers"].Close()
		c.app.Tasks.Sleep(5 * time.Second)
		c.a.intercept = s.serve
		before := len(c.a.heartbeats)
		c.app.Tasks.Sleep(2 * time.Second)
		if len(c.a.heartbeats) == before {
			panic("the broker could not ask")
		}
		must(tx.Commit(background))
		must(p.Close(background))
	})
	require.Equal(t, []string{"commit"}, s.outcomes())
}

func TestAnOldDecisionMakesRoom(t *testing.T) {
	c, s := newTransactions(t)
	l := &listener{answer: client.TransactionRolledBack}
	c.run(time.Hour, func() {
		p := c.knownProducer(s, l.option())
		s.first = refusing(proto.ReqEndTransaction, proto.RespMessageIllegal)
		for range 1025 {
			_, _ = p.Transaction(background, hello(), committing)
		}
		s.first = nil
		s.check(0)
		s.check(1)
		s.check(1024)
		c.eventually("all are answered", func() bool {
			return s.halves[0].outcome != 0 && s.halves[1].outcome != 0 && s.halves[1024].outcome != 0
		})
		must(p.Close(background))
	})
	require.Equal(t, "rollback", s.outcomes()[0])
	require.Equal(t, "commit", s.outcomes()[1])
	require.Equal(t, "commit", s.outcomes()[1024])
	require.Len(t, l.asked, 1)
}

// This one uses real goroutines and TCP.
func TestTransactionsRunOnGoroutinesOfTheirOwnAndNothingRunsAfterClose(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := newLoopback(t)
	var s *transactor
	r.world.Run(func(env.Env) { s = r.a.transacts() })
	var asked atomic.Int32
	var p *client.Producer
	ready := make(chan bool)
	w, err := osenv.New(osenv.Options{Node: "app"})
	require.NoError(t, err)
	p, err = client.NewProducer(w.Env, client.WithGroup("producers"), client.WithNameServers(r.names.address), client.WithTransactionChecks(4, 100),
		client.WithTransactionListener(func(ctx context.Context, m *client.Received) client.TransactionState {
			<-ready
			asked.Add(1)
			// A listener may use its producer.
			if _, err := p.Queues(ctx, m.Topic); err != nil {
				return client.TransactionUnknown
			}
			return client.TransactionCommitted
		}, "orders"))
	require.NoError(t, err)
	close(ready)
	require.Eventually(t, func() (known bool) {
		r.world.Run(func(env.Env) { known = s.producers["producers"] != nil })
		return known
	}, 20*time.Second, time.Millisecond)
	const each = 20
	errs := make(chan error)
	for range each {
		go func() {
			_, err := p.Transaction(background, hello(), func(tx *client.Tx) error {
				_, err := p.Send(background, client.NewMessage("orders", []byte(tx.ID())))
				return err
			})
			errs <- err
		}()
	}
	r.world.Run(func(env.Env) {
		for range each {
			s.check(s.orphan("orders", message.PropertyUniqueID, string(rune('A'+len(s.halves)))))
		}
	})
	for range each {
		require.NoError(t, <-errs)
	}
	require.Eventually(t, func() bool { return asked.Load() == each }, 20*time.Second, time.Millisecond)
	require.NoError(t, p.Close(background))
	r.world.Run(func(env.Env) {
		for _, outcome := range s.outcomes() {
			require.Equal(t, "commit", outcome)
		}
		require.Len(t, s.halves, 2*each)
	})
}
