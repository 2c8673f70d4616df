package broker

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// checkDue asks producers what became of transactions that are due, and gives up those that nobody decides. It returns when to look again.
func (t *transactions) checkDue() env.Instant {
	clock := t.broker.env.Clock
	for len(t.due) > 0 && t.due[0].due.Reached(clock.Now()) && !t.closing {
		open := t.due[0]
		if open.ending != proto.OutcomeUnknown {
			// It is just ending, or may not.
			t.checkAgain(open, checkEnding)
			continue
		}
		t.checkAgain(open, t.broker.options.TransactionCheckEvery)
		t.check(open)
	}
	next := clock.Now().Add(lookAgainAfter)
	if len(t.due) > 0 {
		next = next.Sooner(t.due[0].due)
	}
	return next
}

// checkEnding is when one is looked at again whose end is being stored.
const checkEnding = 100 * time.Millisecond

// checkAgain sets the next check.
func (t *transactions) checkAgain(open *transaction, after time.Duration) {
	open.due = t.broker.env.Clock.Now().Add(after)
	heap.Fix(&t.due, open.place)
}

// dueHeap has open transactions, the one first that is checked next. A look must cost little, however many are open.
type dueHeap []*transaction

// Len is part of heap.Interface, as are the others.
func (h dueHeap) Len() int { return len(h) }

// Less compares.
func (h dueHeap) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].due, h[j].due), cmp.Compare(h[i].number, h[j].number)) < 0
}

// Swap swaps.
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push appends.
func (h *dueHeap) Push(open any) {
	open.(*transaction).place = len(*h)
	*h = append(*h, open.(*transaction))
}

// Pop takes the last one off.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	open := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return open
}

// check asks a producer, or gives up.
func (t *transactions) check(open *transaction) {
	b := t.broker
	half, err := t.read(open)
	switch {
	case errors.Is(err, store.ErrNoRecord):
		// It would be looked for again for ever.
		t.lose(fmt.Errorf("%v: %w", open, err))
		if t.open[open.number] == open {
			t.over(open.number, proto.OutcomeRollback)
		}
		return
	case err != nil:
		b.env.Log.Error("the producer of a transaction cannot be asked: the half message cannot be read", zap.Int64("number", int64(open.number)), zap.Error(err))
		return
	}
	if t.open[open.number] != open || open.ending != proto.OutcomeUnknown {
		return // it has ended meanwhile
	}
	if open.checks >= b.options.TransactionChecksMax {
		t.giveUp(open, half)
		return
	}
	group, _ := message.PropertyBytes(half.Properties, message.PropertyProducerGroup)
	conn := t.producer(string(group), half, open.checks)
	if conn == nil {
		t.counts.unasked++
		b.env.Log.Debug("nobody is there who knows what became of a transaction", zap.ByteString("group", group), zap.Int64("number", int64(open.number)))
		return
	}
	if err := conn.Oneway(t.checkRequest(open, half)); err != nil {
		t.counts.unasked++
		b.env.Log.Debug("a producer was not asked what became of a transaction", zap.ByteString("group", group), zap.Error(err))
		return
	}
	open.checks++
	t.counts.checks++
	t.changed = true
}

// read reads the half message. It waits for the disk.
func (t *transactions) read(open *transaction) (*message.Record, error) {
	raw, err := t.broker.store.RecordBytes(open.log)
	if err != nil {
		return nil, err
	}
	half := &message.Record{}
	_, err = message.DecodeRecord(raw, half, false)
	return half, err
}

// producer is a live connection of a producer group, another one each time. Everybody may say to be of any group: who could not send the message
// is not shown it.
func (t *transactions) producer(group string, half *message.Record, turn int) *transport.Conn {
	g := t.broker.clients.producers[group]
	if g == nil {
		return nil
	}
	var able []*member
	for _, m := range g.members {
		if t.broker.mayDecide(m, half) {
			able = append(able, m)
		}
	}
	if len(able) == 0 {
		return nil
	}
	return able[turn%len(able)].conn
}

// checkRequest asks what became of a transaction (AbstractTransactionalMessageCheckListener.sendCheckMessage).
func (t *transactions) checkRequest(open *transaction, half *message.Record) *transport.Request {
	b := t.broker
	properties := message.ParseProperties(half.Properties)
	shown := *half
	if r, err := t.whole(half); err == nil {
		shown.Topic, shown.QueueID = r.Topic, r.QueueID
	}
	body, err := message.AppendRecord(nil, &shown)
	if err == nil {
		message.PatchRecord(body, shown.QueueOffset, shown.LogOffset, shown.StoredAt)
	}
	unique := properties.Get(message.PropertyUniqueID)
	return &transport.Request{Code: proto.ReqCheckTransactionState, Body: body, Header: &proto.CheckTransactionState{
		Topic: string(shown.Topic), HalfOffset: int64(open.number), LogOffset: int64(open.log), UniqueID: unique, TransactionID: unique,
		OffsetID: message.OffsetID{StoreHost: b.address, LogOffset: open.log}.String(), BrokerName: b.options.Name,
	}}
}

// giveUp puts a transaction that nobody decides where an operator finds it, and ends it with a rollback.
func (t *transactions) giveUp(open *transaction, half *message.Record) {
	b := t.broker
	b.env.Log.Warn("a transaction is given up: its producers were asked often enough; the message is kept in "+proto.UncheckableTopic,
		zap.Int64("number", int64(open.number)), zap.Int("checks", open.checks), zap.Duration("age", time.Duration(int64(b.env.Clock.Wall())-open.storedAt)*time.Millisecond))
	properties := message.ParseProperties(half.Properties)
	properties.Delete(message.PropertySent)
	// A start after a crash knows by it that this was done.
	properties.Set(message.PropertyHalfMessageQueueOffset, strconv.FormatInt(int64(open.number), 10))
	r := *half
	r.Topic, r.QueueID, r.StoreHost, r.Properties = []byte(proto.UncheckableTopic), 0, b.address, encodeProperties(properties)
	open.ending = proto.OutcomeRollback
	b.store.AppendUntilKnown(store.QueueKey{Topic: proto.UncheckableTopic, ID: 0}, []message.Record{r}, &givenUp{t, open})
	b.store.Kick()
}

// givenUp is told whether the copy is stored.
type givenUp struct {
	transactions *transactions
	open         *transaction
}

// Appended ends the transaction: the log tells already that it has no commit, a Java broker looks for the mark.
func (d *givenUp) Appended(result store.AppendResult) {
	t, open := d.transactions, d.open
	if result.Status != store.AppendOK {
		open.ending = proto.OutcomeUnknown
		open.answer(refused(sendCode(result.Status), "the transaction is open yet: %s", result.Reason))
		return
	}
	t.counts.givenUp++
	t.over(open.number, proto.OutcomeRollback)
	t.mark(open.number, ignored{})
	open.answer(refusal{})
}

// String names a transaction.
func (o *transaction) String() string {
	return fmt.Sprintf("transaction %d at %v, checked %d times", o.number, o.log, o.checks)
}
