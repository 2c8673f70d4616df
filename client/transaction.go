package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// Errors of transactions, besides those of Send.
var (
	// ErrTransactionUnknown: no broker has confirmed how a transaction ends. It asks producers of the group about it later, see
	// WithTransactionListener. A function that does not know how its transaction ends returns it, or wraps it.
	ErrTransactionUnknown = errors.New("outcome of the transaction is unknown")
	// ErrTransactionEnded: the transaction was decided before, and not so.
	ErrTransactionEnded = errors.New("transaction was decided otherwise")
	// ErrNotSafelyStored: the half message was stored with a status other than SendOK. Nothing was done, and the transaction is rolled back.
	ErrNotSafelyStored = errors.New("half message is not stored safely")
)

// TransactionState is how a transaction ends (enum LocalTransactionState).
type TransactionState int

// The states.
const (
	// TransactionUnknown: nobody knows yet; the broker asks again (UNKNOW).
	TransactionUnknown TransactionState = iota
	// TransactionCommitted: consumers get the message (COMMIT_MESSAGE).
	TransactionCommitted
	// TransactionRolledBack: nobody gets the message (ROLLBACK_MESSAGE).
	TransactionRolledBack
)

// String returns the protocol's name, such as COMMIT_MESSAGE.
func (s TransactionState) String() string {
	switch s {
	case TransactionUnknown:
		return "UNKNOW"
	case TransactionCommitted:
		return "COMMIT_MESSAGE"
	case TransactionRolledBack:
		return "ROLLBACK_MESSAGE"
	}
	return fmt.Sprintf("transaction state %d", int(s))
}

// outcome is the state in requests.
func (s TransactionState) outcome() proto.TransactionOutcome {
	switch s {
	case TransactionCommitted:
		return proto.OutcomeCommit
	case TransactionRolledBack:
		return proto.OutcomeRollback
	}
	return proto.OutcomeUnknown
}

// TransactionResult tells what became of a transaction (class TransactionSendResult).
type TransactionResult struct {
	Sent SendResult // of the half message; its QueueOffset is that among half messages. Empty if the send failed
	// State is what the broker has confirmed: TransactionUnknown if it has confirmed nothing.
	State TransactionState
	// Wanted is what was decided here, whether the broker knows or not.
	Wanted TransactionState
	Tries  int // how often the broker was told
}

// String shows state, wish and message.
func (r TransactionResult) String() string {
	return fmt.Sprintf("%s (wanted %s, told %d times): %s", r.State, r.Wanted, r.Tries, r.Sent)
}

// Tx is a transaction that has begun: the broker has its message, the half message, and shows it to nobody before the commit. Its methods
// may be used by several goroutines at once.
//
// Every Tx must be ended with Commit, Rollback or Leave; Transaction does that by itself.
type Tx struct {
	producer *Producer
	id       string
	message  *Message // as it was sent, in no namespace
	topic    string   // as brokers have it
	sent     SendResult

	// Where the half message stands that counts: brokers move it when they ask about it. An earlier try of the send may have left
	// another one, here or at another broker.
	broker     string // "" if the send failed
	halfOffset int64
	logOffset  int64
	replaced   int64 // where the one stands in whose place it came; 0: there is none

	wanted TransactionState
	left   bool               // to check-backs
	known  bool               // the broker has confirmed what is wanted
	tries  int                // to tell the broker
	ending *env.Future[error] // it is being told; nil: it is not
}

// ID is the id of the transaction: the unique id of its message, by which a listener finds out later what became of it.
func (t *Tx) ID() string { return t.id }

// Sent tells where the half message was stored.
func (t *Tx) Sent() SendResult { return t.sent }

// String shows the id.
func (t *Tx) String() string { return "transaction " + t.id }

// Transaction sends a message that consumers get only if what belongs to it is done ("sendMessageInTransaction"). It sends the half message, calls
// do if a broker has stored it with SendOK, and then tells the broker: commit if do returns nil, rollback if it returns an error. If the
// error is or wraps ErrTransactionUnknown, or do panics, which is logged, the broker is left to ask; so it is if it cannot be told. What
// do does should be durable, with the id of the transaction, when it returns nil: after a crash any producer of the group may be asked.
//
// A transaction is over for sure if the State of the result is not TransactionUnknown. Then the error is that of do, or nil. Otherwise it
// is, or wraps, ErrTransactionUnknown. If do was not called the error is another one: that of the send, ErrMessage, ErrNotSafelyStored. A half
// message that may be stored all the same is rolled back when the broker asks this producer, and by the listener of any other one.
//
// The send has the send timeout, and telling the broker has it once more, in which a broker that does not answer, or is busy, is told
// again; so a committed message may be delivered twice. do takes the time it likes, runs on the caller's goroutine and may use this
// producer, but must not wait for its Close. If ctx ends meanwhile, do is not told; the broker is still told, in the background, and the error says
// ErrTransactionUnknown.
//
// The message is not changed. A delay level (DELAY) is left out, as in Java; other delays are refused with ErrMessage.
func (p *Producer) Transaction(ctx context.Context, m *Message, do func(tx *Tx) error) (TransactionResult, error) {
	if do == nil {
		return TransactionResult{}, &OptionError{Option: "Transaction", Value: "nil", Want: "a function"}
	}
	call, err := p.begin(ctx)
	if err != nil {
		return TransactionResult{}, err
	}
	defer p.end(call)
	t, err := p.beginTransaction(call, m)
	if t == nil || err != nil {
		return t.result(), err
	}
	failure := p.execute(t, do)
	if t.left || !t.decided() && errors.Is(failure, ErrTransactionUnknown) {
		t.leave()
		return t.result(), unknownFor(failure)
	}
	wanted := t.wanted
	if !t.decided() {
		wanted = stateFor(failure)
	}
	err = t.end(call, nil, wanted)
	return t.result(), join(slices.DeleteFunc([]error{failure, err}, func(err error) bool { return err == nil }))
}

// execute runs the application's part, without the baton.
func (p *Producer) execute(t *Tx, do func(tx *Tx) error) error {
	var failure, panicked error
	p.core.env.Tasks.Offload(func() { panicked = contained(func() { failure = do(t) }) })
	if panicked == nil {
		return failure
	}
	// What it had done by then may be durable: to roll back could lose the message.
	p.core.env.Log.Error("the function of a transaction panicked", zap.Stringer("transaction", t), zap.Error(panicked))
	return fmt.Errorf("%w: its function panicked: %w", ErrTransactionUnknown, panicked)
}

// stateFor is what a function decides by its error.
func stateFor(failure error) TransactionState {
	if failure == nil {
		return TransactionCommitted
	}
	return TransactionRolledBack
}

// unknownFor is the error of a transaction that is left to check-backs.
func unknownFor(failure error) error {
	if failure == nil {
		return ErrTransactionUnknown
	}
	if errors.Is(failure, ErrTransactionUnknown) {
		return failure
	}
	return fmt.Errorf("%w: %w", ErrTransactionUnknown, failure)
}

// Begin sends a half message and returns when a broker has stored it with SendOK. It is the first part of Transaction; the caller does the rest. While
// the Tx is not ended, this producer answers check-backs about it with unknown; if this process ends, others are asked.
//
// Errors are those of Send, and ErrNotSafelyStored.
func (p *Producer) Begin(ctx context.Context, m *Message) (*Tx, error) {
	call, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer p.end(call)
	t, err := p.beginTransaction(call, m)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// beginTransaction returns the Tx with an error too if a half message was stored.
func (p *Producer) beginTransaction(call *env.Call, m *Message) (*Tx, error) {
	half, err := p.halfMessage(m)
	if err != nil {
		return nil, err
	}
	s, o := p.take(), p.order(call, p.config.retries, p.config.retryCodes)
	defer p.give(s)
	s.header.Topic, s.began = p.topicOf(half), p.core.env.Clock.Now()
	if _, err := p.route(call, s, o); err != nil {
		return nil, p.failed(s, err)
	}
	if half.UniqueID() == "" {
		// Before it is sent: the broker may ask about it before its answer is here. The route, with which came a connection, is known.
		half.Properties.Set(message.PropertyUniqueID, p.core.ids.uniqueID())
	}
	if err := p.prepare(s, half); err != nil {
		return nil, err
	}
	s.header.SysFlags = int32(message.SysFlags(s.header.SysFlags).WithTransaction(message.TransactionPrepared))
	t := &Tx{producer: p, id: half.UniqueID(), message: half, topic: s.header.Topic}
	if !p.transactions.add(t) {
		return nil, fmt.Errorf("%w: a transaction with the unique id %s is under way", ErrMessage, t.id)
	}
	return t, p.sendHalf(call, s, o, t)
}

// sendHalf makes sure that the transaction can go on.
func (p *Producer) sendHalf(call *env.Call, s *sending, o order, t *Tx) error {
	sent, err := p.deliver(call, s, o)
	if err != nil {
		var failed *SendError
		if errors.As(err, &failed) && failed.MaybeStored {
			// Nothing will be done for it: if the broker asks here, that is known.
			t.wanted = TransactionRolledBack
			p.transactions.keep(t)
		} else {
			p.transactions.forget(t)
		}
		return err
	}
	place, err := message.ParseOffsetID(sent.OffsetID)
	if err != nil {
		t.wanted = TransactionRolledBack
		p.transactions.keep(t)
		return fmt.Errorf("%w: the answer does not say where the half message stands: %w", ErrTransactionUnknown, err)
	}
	t.sent, t.broker, t.halfOffset, t.logOffset = sent, sent.Queue.BrokerName, int64(sent.QueueOffset), int64(place.LogOffset)
	if sent.Status == SendOK {
		return nil
	}
	unsafe := fmt.Errorf("%w: %s", ErrNotSafelyStored, sent)
	if err := t.end(call, nil, TransactionRolledBack); err != nil {
		return join([]error{unsafe, err})
	}
	return unsafe
}

// halfMessage makes the message of a transaction.
func (p *Producer) halfMessage(m *Message) (*Message, error) {
	if err := checkMessage(m, p.config.bodyMax); err != nil {
		return nil, err
	}
	half := *m
	half.Properties = m.Properties.Clone()
	half.Properties.Delete(message.PropertyDelayLevel)
	switch {
	case isReply(m):
		return nil, fmt.Errorf("%w: a reply cannot be part of a transaction", ErrMessage)
	case proto.IsRetryTopic(m.Topic):
		return nil, fmt.Errorf("%w: %s cannot be the topic of a transaction", ErrMessage, m.Topic)
	case delayed(&half):
		return nil, fmt.Errorf("%w: the message of a transaction cannot be delayed: leave out %s", ErrMessage, strings.Join([]string{
			message.PropertyDelaySeconds, message.PropertyDelayMillis, message.PropertyDeliverAtMillis}, ", "))
	}
	half.Properties.Set(message.PropertyHalfMessage, "true")
	half.Properties.Set(message.PropertyProducerGroup, p.config.group)
	return &half, nil
}

// CheckAfter sets how old a transaction must be before the broker asks about it (property CHECK_IMMUNITY_TIME_IN_SECONDS), in whole seconds, instead of the
// broker's setting, which is usually 6 s. Apache's brokers then refuse to commit or roll back what is older, unless they have asked.
func CheckAfter(age time.Duration) MessageOption {
	return Property(message.PropertyCheckImmunitySeconds, strconv.FormatInt(int64((age+time.Second-1)/time.Second), 10))
}
