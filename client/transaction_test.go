package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

var errBroke = errors.New("the shop is broke")

func committing(*client.Tx) error { return nil }

func TestATransactionIsCommittedOnceItsFunctionIsDone(t *testing.T) {
	c, s := newTransactions(t)
	m := client.NewMessage("orders", bytes.Repeat([]byte("long"), 2000), client.Tag("t"), client.DelayLevel(3), client.CheckAfter(1500*time.Millisecond))
	before := m.String()
	var result client.TransactionResult
	var seen string
	c.run(20*time.Second, func() {
		p := c.producer()
		var err error
		result, err = p.Transaction(background, m, func(tx *client.Tx) error {
			if len(s.halves) != 1 || s.halves[0].outcome != 0 {
				panic("the half message comes first")
			}
			seen = tx.ID() + " " + tx.Sent().OffsetID
			return nil
		})
		must(err)
		must(p.Close(background))
	})
	require.Empty(t, c.machine.TaskNames())
	require.Equal(t, before, m.String())
	require.Equal(t, "3", m.Properties.Get("DELAY"), "the message is the caller's")

	sent := c.a.sends[0]
	require.Equal(t, "true", sent.property("TRAN_MSG"))
	require.Equal(t, "producers", sent.property("PGROUP"))
	require.Equal(t, "2", sent.property("CHECK_IMMUNITY_TIME_IN_SECONDS"))
	require.Empty(t, sent.property("DELAY"))
	flags := message.SysFlags(sent.header.SysFlags)
	require.Equal(t, message.TransactionPrepared, flags.Transaction())
	require.True(t, flags.Compressed())

	require.Equal(t, []string{"commit"}, s.outcomes())
	require.Equal(t, client.TransactionCommitted, result.State)
	require.Equal(t, client.TransactionCommitted, result.Wanted)
	require.Equal(t, 1, result.Tries)
	require.Equal(t, result.Sent.UniqueID+" "+result.Sent.OffsetID, seen)
	require.Len(t, s.ends, 1)
	require.False(t, s.ends[0].oneway)
	require.Equal(t, proto.EndTransaction{
		Topic: "orders", ProducerGroup: "producers", HalfOffset: 0, LogOffset: 1000, Outcome: proto.OutcomeCommit,
		UniqueID: result.Sent.UniqueID, TransactionID: result.Sent.UniqueID, BrokerName: "a",
	}, s.ends[0].header)
	require.Equal(t, "COMMIT_MESSAGE (wanted COMMIT_MESSAGE, told 1 times): "+result.Sent.String(), result.String())
}

func TestAnErrorOfTheFunctionRollsBack(t *testing.T) {
	c, s := newTransactions(t)
	c.run(20*time.Second, func() {
		p := c.producer()
		result, err := p.Transaction(background, hello(), func(*client.Tx) error { return fmt.Errorf("wrapped: %w", errBroke) })
		if !errors.Is(err, errBroke) || errors.Is(err, client.ErrTransactionUnknown) || result.State != client.TransactionRolledBack {
			panic(fmt.Sprint(result, err))
		}
		must(p.Close(background))
	})
	require.Equal(t, []string{"rollback"}, s.outcomes())
}

// The broker is told, although it does not answer to that, and asks later.
func TestWhatTheFunctionDoesNotKnowIsLeftToTheBroker(t *testing.T) {
	for name, do := range map[string]func(tx *client.Tx) error{
		"error": func(*client.Tx) error { return fmt.Errorf("the database is gone: %w", client.ErrTransactionUnknown) },
		"panic": func(*client.Tx) error { panic("a bug of the application") },
		"left":  func(tx *client.Tx) error { return tx.Leave(background) },
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newTransactions(t)
			core, logs := observer.New(zap.ErrorLevel)
			c.app.Log = zap.New(core)
			var result client.TransactionResult
			var err, after error
			l := &listener{answer: client.TransactionCommitted}
			c.run(20*time.Second, func() {
				p := c.knownProducer(s, l.option())
				var mine *client.Tx
				result, err = p.Transaction(background, hello(), func(tx *client.Tx) error {
					mine = tx
					return do(tx)
				})
				after = mine.Commit(background)
				c.eventually("the broker is told", func() bool { return len(s.ends) == 1 })
				s.check(0)
				c.eventually("the listener has answered", func() bool { return len(s.ends) == 2 })
				must(p.Close(background))
			})
			require.ErrorIs(t, err, client.ErrTransactionUnknown)
			require.ErrorIs(t, after, client.ErrTransactionEnded)
			require.Equal(t, client.TransactionUnknown, result.State)
			require.Equal(t, client.TransactionUnknown, result.Wanted)
			require.NotEmpty(t, result.Sent.UniqueID)
			require.Equal(t, proto.OutcomeUnknown, s.ends[0].header.Outcome)
			require.True(t, s.ends[0].oneway)
			require.Equal(t, []string{"commit"}, s.outcomes())
			require.Len(t, l.asked, 1)
			require.Equal(t, name == "panic", logs.FilterMessageSnippet("panicked").Len() == 1)
		})
	}
}

func TestTheFunctionDoesNotRunUnlessTheHalfMessageIsSafe(t *testing.T) {
	for name, change := range map[string]func(s *transactor){
		"refused": func(s *transactor) { s.b.intercept = refusing(proto.ReqSendMessageV2, proto.RespMessageIllegal) },
		"not flushed": func(s *transactor) {
			s.status = proto.RespFlushDiskTimeout
		},
		"no slave": func(s *transactor) { s.status = proto.RespSlaveNotAvailable },
		"no place": func(s *transactor) { s.badPlace = true },
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newTransactions(t)
			change(s)
			var result client.TransactionResult
			var err, begin error
			c.run(20*time.Second, func() {
				p := c.producer(client.WithRetries(0, 0))
				result, err = p.Transaction(background, hello(), func(*client.Tx) error { panic("it must not run") })
				_, begin = p.Begin(background, hello())
				must(p.Close(background))
			})
			require.Error(t, err)
			require.Error(t, begin)
			switch name {
			case "refused":
				var failed *client.SendError
				require.ErrorAs(t, err, &failed)
				require.Equal(t, client.TransactionResult{}, result)
				require.Empty(t, s.ends)
			case "no place":
				require.ErrorIs(t, err, client.ErrTransactionUnknown)
				require.Equal(t, client.TransactionUnknown, result.State)
				require.Empty(t, s.ends)
			default:
				require.ErrorIs(t, err, client.ErrNotSafelyStored)
				require.NotErrorIs(t, err, client.ErrTransactionUnknown)
				require.Equal(t, client.TransactionRolledBack, result.State)
				require.NotEqual(t, client.SendOK, result.Sent.Status)
				require.Equal(t, []string{"rollback", "rollback"}, s.outcomes())
			}
		})
	}
}

func TestMessagesThatCannotBePartOfATransactionAreRefused(t *testing.T) {
	c, s := newTransactions(t)
	c.run(20*time.Second, func() {
		p := c.producer()
		for _, m := range []*client.Message{
			nil, client.NewMessage("orders", nil), client.NewMessage("orders", []byte("x"), client.DelayFor(time.Second)),
			client.NewMessage("orders", []byte("x"), client.DeliverAt(time.Unix(1, 0))), client.NewMessage("orders", []byte("x"), client.Property("TIMER_DELAY_SEC", "1")),
			client.NewMessage("%RETRY%g", []byte("x")), client.NewMessage("c_REPLY_TOPIC", []byte("x"), client.Property("MSG_TYPE", "reply")),
		} {
			_, err := p.Transaction(background, m, committing)
			if !errors.Is(err, client.ErrMessage) {
				panic(fmt.Sprint(m, err))
			}
		}
		if _, err := p.Transaction(background, hello(), nil); !errors.Is(err, client.ErrOption) {
			panic(err)
		}
		mine := client.Property("UNIQ_KEY", "0A00000900010002000300040005AAAA")
		tx := must1(p.Begin(background, client.NewMessage("orders", []byte("x"), mine)))
		if _, err := p.Begin(background, client.NewMessage("orders", []byte("y"), mine)); !errors.Is(err, client.ErrMessage) {
			panic(err)
		}
		must(tx.Commit(background))
		must(must1(p.Begin(background, client.NewMessage("orders", []byte("y"), mine))).Rollback(background))
		if _, err := p.Transaction(background, client.NewMessage("unknown", []byte("x")), committing); !errors.Is(err, client.ErrTopicNotFound) {
			panic(err)
		}
	})
	require.Equal(t, []string{"commit", "rollback"}, s.outcomes())
}

func TestALostAnswerIsAskedForAgain(t *testing.T) {
	c, s := newTransactions(t)
	s.losing(2, true)
	var result client.TransactionResult
	c.run(20*time.Second, func() {
		p := c.producer(client.WithTryTimeout(500 * time.Millisecond))
		var err error
		result, err = p.Transaction(background, hello(), committing)
		must(err)
		must(p.Close(background))
	})
	require.Equal(t, client.TransactionCommitted, result.State)
	require.Equal(t, 3, result.Tries)
}

func TestABrokerThatCannotEndItNowIsToldAgain(t *testing.T) {
	for name, code := range map[string]int32{"busy": proto.RespSystemBusy, "slave": proto.RespSlaveNotAvailable, "cut off": -1} {
		t.Run(name, func(t *testing.T) {
			c, s := newTransactions(t)
			left := 3
			s.first = func(in *transport.Incoming) bool {
				if left--; left < 0 {
					return false
				}
				if code < 0 {
					in.Conn.Close()
				} else {
					in.Reply().Error(code, "not now")
				}
				return true
			}
			var result client.TransactionResult
			c.run(20*time.Second, func() {
				p := c.producer()
				var err error
				result, err = p.Transaction(background, hello(), committing)
				must(err)
				must(p.Close(background))
			})
			require.Equal(t, 4, result.Tries)
			require.Equal(t, []string{"commit"}, s.outcomes())
		})
	}
}

func TestARefusedEndIsNotClaimed(t *testing.T) {
	c, s := newTransactions(t)
	s.first = refusing(proto.ReqEndTransaction, proto.RespIllegalOperation)
	var result client.TransactionResult
	var commit, rollback error
	c.run(20*time.Second, func() {
		p := c.producer()
		result, commit = p.Transaction(background, hello(), committing)
		_, rollback = p.Transaction(background, hello(), func(*client.Tx) error { return errBroke })
		must(p.Close(background))
	})
	require.Len(t, s.ends, 2, "to ask again makes no sense")
	require.Equal(t, client.TransactionUnknown, result.State)
	require.Equal(t, client.TransactionCommitted, result.Wanted)
	require.Equal(t, 1, result.Tries)
	for _, err := range []error{commit, rollback} {
		require.ErrorIs(t, err, client.ErrTransactionUnknown)
		var answer *client.ResponseError
		require.ErrorAs(t, err, &answer)
	}
	require.ErrorIs(t, rollback, errBroke)
	require.NotErrorIs(t, commit, errBroke)
}

// TestADecisionThatNoBrokerConfirmedAnswersItsQuestions without the listener, and the Tx may be ended again.
func TestADecisionThatNoBrokerConfirmedAnswersItsQuestions(t *testing.T) {
	c, s := newTransactions(t)
	l := &listener{}
	var answered, again error
	c.run(time.Minute, func() {
		p := c.knownProducer(s, l.option(), client.WithSendTimeout(time.Second))
		s.losing(1, false)
		_, answered = p.Transaction(background, hello(), committing)
		s.check(s.move(0))
		c.eventually("it is answered", func() bool { return s.halves[1].outcome == proto.OutcomeCommit })
		c.app.Tasks.Sleep(soon)

		tx := must1(p.Begin(background, hello()))
		s.losing(1, false)
		again = tx.Rollback(background)
		must(tx.Rollback(background))
		must(tx.Rollback(background))
		if err := tx.Commit(background); !errors.Is(err, client.ErrTransactionEnded) {
			panic(err)
		}
		// What has ended for sure is the listener's.
		s.check(2)
		c.eventually("the listener is asked", func() bool { return len(l.asked) == 1 })
		must(p.Close(background))
	})
	require.Empty(t, c.machine.TaskNames())
	require.ErrorIs(t, answered, client.ErrTransactionUnknown)
	require.ErrorIs(t, answered, client.ErrTimeout)
	require.ErrorIs(t, again, client.ErrTransactionUnknown)
	require.Equal(t, []string{"unknown", "commit", "rollback"}, s.outcomes())
	require.True(t, s.ends[1].header.AnswersCheck)
	require.EqualValues(t, 2000, s.ends[1].header.LogOffset)
}

// TestAHalfMessageThatMayBeStoredIsRolledBack when the broker asks: nothing was done for it.
func TestAHalfMessageThatMayBeStoredIsRolledBack(t *testing.T) {
	c, s := newTransactions(t)
	l := &listener{answer: client.TransactionCommitted}
	c.run(time.Minute, func() {
		p := c.knownProducer(s, l.option(), client.WithSendTimeout(time.Second))
		s.silent = true
		_, err := p.Transaction(background, hello(), func(*client.Tx) error { panic("it must not run") })
		var failed *client.SendError
		if !errors.As(err, &failed) || !failed.MaybeStored {
			panic(err)
		}
		s.check(0)
		c.eventually("it is rolled back", func() bool { return s.halves[0].outcome == proto.OutcomeRollback })
		must(p.Close(background))
	})
	require.Empty(t, l.asked)
}

func TestTheBrokerIsToldAlthoughTheCallersContextHasEnded(t *testing.T) {
	c, s := newTransactions(t)
	done, cancel := context.WithCancel(background)
	cancel()
	var late, early error
	var result client.TransactionResult
	c.run(time.Minute, func() {
		p := c.producer()
		result, late = p.Transaction(within(c, time.Second), hello(), func(*client.Tx) error {
			c.app.Tasks.Sleep(2 * time.Second)
			return nil
		})
		tx := must1(p.Begin(background, hello()))
		early = tx.Rollback(done)
		// Close waits for what goes on in the background.
		must(p.Close(background))
	})
	require.ErrorIs(t, late, context.DeadlineExceeded)
	require.ErrorIs(t, early, context.Canceled)
	require.ErrorIs(t, late, client.ErrTransactionUnknown)
	require.ErrorIs(t, early, client.ErrTransactionUnknown)
	require.Equal(t, client.TransactionUnknown, result.State)
	require.Equal(t, []string{"commit", "rollback"}, s.outcomes())
}

func TestWhatAFunctionDecidesItselfCounts(t *testing.T) {
	c, s := newTransactions(t)
	c.run(time.Minute, func() {
		p := c.producer()
		result, err := p.Transaction(background, hello(), func(tx *client.Tx) error { return tx.Rollback(background) })
		if err != nil || result.State != client.TransactionRolledBack {
			panic(fmt.Sprint(result, err))
		}
		result, err = p.Transaction(background, hello(), func(tx *client.Tx) error {
			must(tx.Commit(background))
			return errBroke
		})
		if !errors.Is(err, errBroke) || result.State != client.TransactionCommitted {
			panic(fmt.Sprint(result, err))
		}
		// It may also use the producer.
		_, err = p.Transaction(background, hello(), func(*client.Tx) error {
			_, err := p.Transaction(background, hello(), committing)
			return err
		})
		must(err)
	})
	require.Equal(t, []string{"rollback", "commit", "commit", "commit"}, s.outcomes())
	require.Len(t, s.ends, 4)
}

func TestCloseWaitsForTransactionsUnderWay(t *testing.T) {
	c, s := newTransactions(t)
	var outcome, refused, begun error
	c.run(time.Minute, func() {
		p := c.producer()
		forgotten := must1(p.Begin(background, hello()))
		inside, released := false, false
		c.app.Tasks.Go("transaction", func() {
			_, outcome = p.Transaction(background, hello(), func(*client.Tx) error {
				inside = true
				c.hold(&released)
				return nil
			})
		})
		c.eventually("the function runs", func() bool { return inside })
		c.app.Tasks.Go("release", func() {
			c.app.Tasks.Sleep(time.Second)
			_, refused = p.Transaction(background, hello(), committing)
			released = true
		})
		must(p.Close(background))
		begun = forgotten.Commit(background)
	})
	require.NoError(t, outcome)
	require.ErrorIs(t, refused, client.ErrClosed)
	require.ErrorIs(t, begun, client.ErrClosed)
	require.ErrorIs(t, begun, client.ErrTransactionUnknown)
	require.Equal(t, []string{"unknown", "commit"}, s.outcomes())
	require.Empty(t, c.machine.TaskNames())
}

func TestCloseWithAContextThatEndsDoesNotWaitForTransactions(t *testing.T) {
	c, s := newTransactions(t)
	var outcome, closing error
	c.run(time.Minute, func() {
		p := c.producer()
		ended := false
		c.app.Tasks.Go("transaction", func() {
			_, outcome = p.Transaction(background, hello(), func(*client.Tx) error {
				c.app.Tasks.Sleep(10 * time.Second)
				return nil
			})
			ended = true
		})
		c.app.Tasks.Sleep(time.Second)
		closing = p.Close(within(c, time.Second))
		c.eventually("the function is done", func() bool { return ended })
	})
	require.ErrorIs(t, closing, context.DeadlineExceeded)
	require.ErrorIs(t, outcome, client.ErrTransactionUnknown)
	require.ErrorIs(t, outcome, client.ErrClosed)
	require.Empty(t, s.ends)
	require.Empty(t, c.machine.TaskNames())
}

func TestTransactionsInANamespaceHaveFullNames(t *testing.T) {
	c, s := newTransactions(t)
	c.names.routes["shop%orders"] = route(1, c.a)
	l := &listener{answer: client.TransactionRolledBack}
	var result client.TransactionResult
	c.run(time.Minute, func() {
		p := c.producer(inShop, l.option())
		result = must1(p.Transaction(background, client.NewMessage("orders", []byte("x")), committing))
		c.eventually("the broker knows the producer", func() bool { return s.producers["shop%producers"] != nil })
		s.check(s.orphan("shop%orders", "UNIQ_KEY", "U", "PGROUP", "shop%producers"))
		c.eventually("it is answered", func() bool { return s.halves[1].outcome == proto.OutcomeRollback })
		must(p.Close(background))
	})
	require.Equal(t, "orders", result.Sent.Queue.Topic)
	require.Equal(t, "shop%producers", c.a.sends[0].property("PGROUP"))
	require.Equal(t, "shop", c.a.sends[0].property("INSTANCE_ID"))
	for _, e := range s.ends {
		require.Equal(t, "shop%producers", e.header.ProducerGroup)
		require.Equal(t, "shop%orders", e.header.Topic)
	}
	require.Equal(t, "orders", l.asked[0].Topic)
	require.Equal(t, "orders", l.asked[0].Queue.Topic)
}

func TestHooksAndTracesTellOfTheEndsOfTransactions(t *testing.T) {
	c, s := newTransactions(t)
	c.names.routes[traceTopic] = route(1, c.b)
	l := &listener{answer: client.TransactionCommitted}
	core, logs := observer.New(zap.ErrorLevel)
	c.app.Log = zap.New(core)
	var lines []string
	var result client.TransactionResult
	c.run(time.Minute, func() {
		p := c.producer(client.WithTrace(client.TraceOptions{}), l.option(), client.WithTransactionHook(client.TransactionHook{
			Name: "journal",
			Before: func(e client.TransactionEnd) {
				lines = append(lines, fmt.Sprint("before ", e.Group, " ", e.State, " ", e.AnswersCheck, " ", e.Message.Tags()))
			},
			After: func(e client.TransactionEnd, err error) {
				lines = append(lines, fmt.Sprint("after ", e.Address, " ", err))
			},
		}), client.WithTransactionHook(client.TransactionHook{Name: "broken", After: func(client.TransactionEnd, error) { panic("a bug") }}))
		result = must1(p.Transaction(background, client.NewMessage("orders", []byte("x"), client.Tag("paid"), client.Keys("k1", "k2")), committing))
		c.eventually("the broker knows the producer", func() bool { return s.producers["producers"] != nil })
		s.check(s.orphan("orders", "UNIQ_KEY", "U", "TAGS", "late"))
		c.eventually("it is answered", func() bool { return s.halves[1].outcome == proto.OutcomeCommit })
		c.app.Tasks.Sleep(soon)
		must(p.Close(background))
	})
	at := c.a.address
	require.Equal(t, []string{
		"before producers COMMIT_MESSAGE false paid", "after " + at + " <nil>", "before producers COMMIT_MESSAGE true late", "after " + at + " <nil>",
	}, lines)
	require.Equal(t, 2, logs.FilterField(zap.String("hook", "broken")).Len())
	records := c.traces()
	require.Len(t, records, 3)
	require.Equal(t, "Pub", records[0][0])
	require.Equal(t, "1", records[0][11], "a half message")
	id := result.Sent.UniqueID
	require.Equal(t, []string{"DefaultRegion", "producers", "orders", id, "paid", "k1 k2", at, "2", id, "COMMIT_MESSAGE", "false"}, records[1][2:])
	require.Equal(t, []string{"DefaultRegion", "producers", "orders", "U", "late", "", at, "2", "U", "COMMIT_MESSAGE", "true"}, records[2][2:])
	require.Equal(t, "EndTransaction", records[2][0])
}

func TestOptionsOfTransactionsAreChecked(t *testing.T) {
	c, _ := newTransactions(t)
	for want, option := range map[string]client.ProducerOption{
		"WithTransactionListener(nil)":   client.WithTransactionListener(nil),
		`WithTransactionListener("a b")`: (&listener{}).option("a b"),
		"WithTransactionChecks(0, 1)":    client.WithTransactionChecks(0, 1),
		"WithTransactionChecks(1, 0)":    client.WithTransactionChecks(1, 0),
		`WithTransactionHook("nothing")`: client.WithTransactionHook(client.TransactionHook{Name: "nothing"}),
	} {
		_, err := client.NewProducer(c.app, client.WithGroup("g"), c.nameServers(), option)
		require.ErrorIs(t, err, client.ErrOption)
		require.ErrorContains(t, err, want)
	}
}

func TestStatesOfTransactionsHaveNames(t *testing.T) {
	require.Equal(t, []string{"UNKNOW", "COMMIT_MESSAGE", "ROLLBACK_MESSAGE", "transaction state 7"}, []string{
		client.TransactionUnknown.String(), client.TransactionCommitted.String(), client.TransactionRolledBack.String(), client.TransactionState(7).String(),
	})
	require.Equal(t, "COMMIT_MESSAGE of transaction T to h:1", client.TransactionEnd{State: client.TransactionCommitted, TransactionID: "T", Address: "h:1"}.String())
}
