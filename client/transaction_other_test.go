package client_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// losesFirstAnswers lets a broker store half messages without an answer, so many of them.
func (s *transactor) losesFirstAnswers(count int) {
	serve := s.b.intercept
	s.b.intercept = func(in *transportIncoming) bool {
		s.silent = len(s.halves) < count
		return serve(in)
	}
}

// retries are options of sends that are tried again soon.
func retries(l *listener) []client.ProducerOption {
	return []client.ProducerOption{l.option(), client.WithSendTimeout(3 * time.Second), client.WithTryTimeout(time.Second), client.WithRetries(2, 0)}
}

// A try of the send that was not answered has left a half message: its work is done, and consumers have the other one.
func TestTheHalfMessageOfAnEarlierTryIsDropped(t *testing.T) {
	c, s := newTransactions(t)
	l := &listener{answer: client.TransactionCommitted}
	c.run(time.Minute, func() {
		p := c.knownProducer(s, retries(l)...)
		s.losesFirstAnswers(1)
		result := must1(p.Transaction(background, hello(), committing))
		if result.Sent.Tries != 2 || result.State != client.TransactionCommitted {
			panic(result.String())
		}
		for range 2 {
			s.check(0)
		}
		c.eventually("it is dropped", func() bool { return s.halves[0].outcome == proto.OutcomeRollback })
		// The one that counts may be asked about again: its commit may have been lost.
		s.check(1)
		c.eventually("it is committed", func() bool { return len(s.ends) == 4 })
		must(p.Close(background))
	})
	require.Empty(t, l.asked)
	require.Equal(t, []string{"rollback", "commit"}, s.outcomes())
	require.Equal(t, proto.OutcomeCommit, s.ends[3].header.Outcome)
}

// Nothing was done for a send that failed, however many half messages it has left.
func TestAllHalfMessagesOfASendThatFailedAreRolledBack(t *testing.T) {
	c, s := newTransactions(t)
	l := &listener{answer: client.TransactionCommitted}
	c.run(time.Minute, func() {
		p := c.knownProducer(s, retries(l)...)
		s.silent = true
		_, err := p.Transaction(background, hello(), committing)
		var failed *client.SendError
		if !errors.As(err, &failed) || len(s.halves) < 2 {
			panic(err)
		}
		for n := range s.halves {
			s.check(n)
			c.eventually("it is rolled back", func() bool { return s.halves[n].outcome == proto.OutcomeRollback })
		}
		must(p.Close(background))
	})
	require.Empty(t, l.asked)
}

// The broker with the half message that counts does not hear of the commit, and another half message is asked about: that one takes its place.
func TestACommitThatIsNotHeardCountsForAnotherHalfMessage(t *testing.T) {
	c, s := newTransactions(t)
	l := &listener{}
	c.run(time.Minute, func() {
		p := c.knownProducer(s, retries(l)...)
		s.losesFirstAnswers(1)
		tx := must1(p.Begin(background, hello()))
		s.losing(10, false)
		if err := tx.Commit(background); !errors.Is(err, client.ErrTransactionUnknown) {
			panic(err)
		}
		s.first = nil
		s.check(0)
		c.eventually("it is committed", func() bool { return s.halves[0].outcome == proto.OutcomeCommit })
		c.app.Tasks.Sleep(soon)
		must(tx.Commit(background))
		s.check(1)
		c.eventually("the other one is not", func() bool { return s.halves[1].outcome == proto.OutcomeRollback })
		must(p.Close(background))
	})
	require.Empty(t, l.asked)
}
