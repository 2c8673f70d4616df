package client_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// course is what happens to one transaction.
type course struct {
	done   bool   // what belongs to it becomes durable
	says   string // how its function ends
	fault  string // what happens when the broker is told
	asked  bool   // the broker asks while the function runs
	result client.TransactionResult
	err    error
}

func drawCourse(t *rapid.T) *course {
	return &course{
		done:  rapid.Bool().Draw(t, "done"),
		says:  rapid.SampledFrom([]string{"what it knows", "unknown", "panic"}).Draw(t, "says"),
		fault: rapid.SampledFrom([]string{"none", "lost", "answer lost", "busy", "refused", "cut off"}).Draw(t, "fault"),
		asked: rapid.Bool().Draw(t, "asked"),
	}
}

// do is the function of a transaction.
func (o *course) do() error {
	switch {
	case o.says == "unknown":
		return client.ErrTransactionUnknown
	case o.says == "panic":
		panic("a bug")
	case o.done:
		return nil
	}
	return errBroke
}

// disturb does what is to happen to the first end of a transaction.
func (o *course) disturb(s *transactor, in *transport.Incoming) bool {
	fault, e := o.fault, s.ends[len(s.ends)-1]
	o.fault = "none"
	switch fault {
	case "none":
		return false
	case "answer lost":
		for _, h := range s.halves {
			if int64(h.record.LogOffset) == e.header.LogOffset {
				h.outcome = e.header.Outcome
			}
		}
	case "busy":
		in.Reply().Error(proto.RespSystemBusy, "not now")
	case "refused":
		in.Reply().Error(proto.RespIllegalOperation, "never")
	case "cut off":
		in.Conn.Close()
	}
	return true
}

// Whatever is lost: what is durable and what the broker does never differ, and no result claims what the broker does not have.
func TestPropTransactionsEndAsWhatBelongsToThem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		courses := rapid.SliceOfN(rapid.Custom(drawCourse), 1, 6).Draw(rt, "courses")
		together := rapid.Bool().Draw(rt, "together")
		c, s := newTransactions(t)
		byID := map[string]*course{}
		listener := client.WithTransactionListener(func(_ context.Context, m *client.Received) client.TransactionState {
			if byID[m.TransactionID].done {
				return client.TransactionCommitted
			}
			return client.TransactionRolledBack
		})
		s.first = func(in *transport.Incoming) bool {
			e := s.ends[len(s.ends)-1].header
			return !e.AnswersCheck && e.Outcome != proto.OutcomeUnknown && byID[e.UniqueID].disturb(s, in)
		}
		c.run(10*time.Minute, func() {
			p := c.knownProducer(s, listener, client.WithSendTimeout(2*time.Second), client.WithTryTimeout(time.Second))
			ended := 0
			for _, o := range courses {
				c.app.Tasks.Go("transaction", func() {
					o.result, o.err = p.Transaction(background, hello(), func(tx *client.Tx) error {
						byID[tx.ID()] = o
						if o.asked {
							s.check(s.move(s.last(tx.ID())))
							c.app.Tasks.Sleep(soon)
						}
						return o.do()
					})
					ended++
				})
				if !together {
					c.app.Tasks.Sleep(10 * time.Second)
				}
			}
			c.eventually("all have returned", func() bool { return ended == len(courses) })
			c.eventually("the broker has heard of all", func() bool {
				for _, id := range slices.Sorted(maps.Keys(byID)) {
					if n := s.last(id); s.halves[n].outcome == proto.OutcomeUnknown {
						s.check(n)
					}
				}
				c.app.Tasks.Sleep(2 * time.Second)
				return s.unended(byID) == 0
			})
			must(p.Close(background))
		})
		require.Len(rt, byID, len(courses))
		for i, h := range s.halves {
			if o := byID[s.idOf(i)]; h.outcome != proto.OutcomeUnknown {
				require.Equal(rt, o.done, h.outcome == proto.OutcomeCommit, "%+v", o)
			}
		}
		for _, o := range courses {
			require.Equal(rt, o.result.State == client.TransactionUnknown, errors.Is(o.err, client.ErrTransactionUnknown), fmt.Sprintf("%+v", o))
			require.Equal(rt, o.result.State != client.TransactionUnknown && o.done, o.result.State == client.TransactionCommitted)
		}
	})
}

// last is the number of the half message of a transaction that counts.
func (s *transactor) last(id string) int {
	for i := len(s.halves) - 1; i >= 0; i-- {
		if s.idOf(i) == id {
			return i
		}
	}
	panic("no half message of " + id)
}

func (s *transactor) unended(ids map[string]*course) (n int) {
	for id := range ids {
		if s.halves[s.last(id)].outcome == proto.OutcomeUnknown {
			n++
		}
	}
	return n
}
