package client

import (
	"context"
	"fmt"
	"strconv"

	"github.com/gantrymq/gantry/transport/proto"
)

// TransactionListener says how a transaction ends that a broker asks about (interface TransactionListener, "checkLocalTransaction"). It gets the half message;
// its TransactionID is the id that Tx.ID told. The transaction may be one of another producer of the group, so the answer must come from where what
// belongs to the transaction is durable. If there is nothing, because it has not happened, or not yet, the answer is TransactionRolledBack or, if it
// might still happen elsewhere, TransactionUnknown: then the broker asks again, usually after 30 s and 15 times in all.
//
// It runs on a goroutine of its own, may block, and may use this package, but must not wait for Close of its own producer. The context does not
// end. A panic counts as TransactionUnknown, as does any other number. A message may be asked about again after it was answered.
type TransactionListener func(ctx context.Context, half *Received) TransactionState

// WithTransactionListener sets who answers when brokers ask about transactions. A producer without listener answers for those of its own that it
// remembers, and else with unknown. The topics may be left out; the brokers of those that are named know this producer soon after it was made, and
// can ask it about transactions of before. Otherwise they know it once it has sent something.
func WithTransactionListener(listener TransactionListener, topics ...string) ProducerOption {
	return producerOption(func(c *config) { c.listener, c.listens, c.listenerTopics = listener, true, topics })
}

// WithTransactionChecks bounds how many calls of the listener run at once ("checkThreadPoolMaxSize"), from 1, and how many questions wait for that
// ("checkRequestHoldMax"), from 1; further ones are dropped, and brokers ask again. The defaults are 1 and 2000. Waiting half messages never take
// more than 64 MiB.
func WithTransactionChecks(atOnce, waiting int) ProducerOption {
	return producerOption(func(c *config) { c.checksAtOnce, c.checksWaiting = atOnce, waiting })
}

// TransactionEnd describes to hooks how a broker is told of the end of a transaction (class EndTransactionContext).
type TransactionEnd struct {
	Group         string
	Message       *Message // it must not be changed, nor kept; its Body may be missing
	UniqueID      string   // of Message
	TransactionID string
	Address       string           // of the broker; "" if none is known
	State         TransactionState // what the broker is told
	AnswersCheck  bool             // the broker has asked ("fromTransactionCheck")
}

// String tells what is told to whom.
func (e TransactionEnd) String() string {
	return fmt.Sprintf("%s of transaction %s to %s", e.State, e.TransactionID, e.Address)
}

// TransactionHook watches how brokers are told of ends of transactions (interface EndTransactionHook): once each, however many tries that takes. It
// does not see answers that a transaction is still under way. Its functions run like those of a SendHook.
type TransactionHook struct {
	Name   string
	Before func(TransactionEnd) // may be nil
	// After is told why the broker has not confirmed it; nil if it has, or was told that nobody knows. It may be nil.
	After func(TransactionEnd, error)
}

// WithTransactionHook adds a hook around each end of a transaction. Hooks run in the order in which they were added.
func WithTransactionHook(hook TransactionHook) ProducerOption {
	return producerOption(func(c *config) { c.transactionHooks = append(c.transactionHooks, hook) })
}

// withEndHooks runs the hooks around tell.
func (p *Producer) withEndHooks(about TransactionEnd, tell func() error) error {
	if len(p.config.transactionHooks) == 0 {
		return tell()
	}
	p.core.env.Tasks.Offload(func() {
		for _, h := range p.config.transactionHooks {
			if h.Before != nil {
				p.runEndHook(h.Name, "before", func() { h.Before(about) })
			}
		}
	})
	failure := tell()
	p.core.env.Tasks.Offload(func() {
		for _, h := range p.config.transactionHooks {
			if h.After != nil {
				p.runEndHook(h.Name, "after", func() { h.After(about, failure) })
			}
		}
	})
	return failure
}

func (p *Producer) runEndHook(name, where string, run func()) {
	if err := contained(run); err != nil {
		p.report(name, where, err)
	}
}

// transactionChecks are about options of transactions.
func (c *config) transactionChecks() []check {
	checks := []check{
		{!c.listens || c.listener != nil, "WithTransactionListener", "nil", "a function"},
		{c.checksAtOnce > 0 && c.checksWaiting > 0, "WithTransactionChecks", fmt.Sprintf("%d, %d", c.checksAtOnce, c.checksWaiting), "numbers from 1"},
	}
	for _, topic := range c.listenerTopics {
		if err := proto.ValidateTopic(c.space.full(topic)); err != nil {
			checks = append(checks, check{false, "WithTransactionListener", strconv.Quote(topic), "names of topics; " + err.Error()})
		}
	}
	for _, h := range c.transactionHooks {
		checks = append(checks, check{h.Name != "" && (h.Before != nil || h.After != nil), "WithTransactionHook", strconv.Quote(h.Name), "a name, and one function at least"})
	}
	return checks
}
