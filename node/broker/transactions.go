package broker

import (
	"container/heap"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// transactions knows which half messages wait for the word of their producers, and how those of late have ended (class
// TransactionalMessageServiceImpl). A half message is in the queue of RMQ_SYS_TRANS_HALF_TOPIC, where nobody may consume it.
//
// A committed message says where its half message stands in the log, and a mark in the queue of RMQ_SYS_TRANS_OP_HALF_TOPIC which half messages
// have ended. So the log itself tells after any crash how each transaction has ended, and each ends once; transactionsFile only saves
// reading all of it.
type transactions struct {
	broker  *Broker
	ready   bool // the log was read
	open    map[message.QueueOffset]*transaction
	ended   map[message.QueueOffset]proto.TransactionOutcome // of late
	order   []endedTransaction                               // the same, as they came
	next    message.QueueOffset                              // half messages before it are known
	filed   message.QueueOffset                              // all before it have ended or are named in the file
	due     dueHeap                                          // of open, by their next check
	covered message.LogOffset                                // the file counts all ends that stand before it
	keep    *store.Follower                                  // holds the files of the log that are needed
	changed bool
	counts  transactionCounts
	wake    env.Cond
	tasks   *env.Group
	closing bool
}

// transaction is one whose outcome is not known.
type transaction struct {
	number   message.QueueOffset // in the half queue
	log      message.LogOffset
	storedAt int64
	bornAt   int64
	topic    string        // in which it will be
	immunity time.Duration // no check before it has this age
	own      bool          // the producer has asked for it
	checks   int
	due      env.Instant              // of the next check
	place    int                      // in the heap of checks
	ending   proto.TransactionOutcome // being carried out; OutcomeUnknown: none is
	waiters  []transport.Reply        // who wants to know
}

// endedTransaction is one that has ended.
type endedTransaction struct {
	number  message.QueueOffset
	outcome proto.TransactionOutcome
}

const (
	// transactionsGroup is by which a Java broker keeps how far it has come in the half queue.
	transactionsGroup = "CID_RMQ_SYS_TRANS"
	// endedMax is how many ended transactions are remembered, besides those that the file does not know.
	endedMax = 100_000
)

var (
	halfQueue = store.QueueKey{Topic: proto.HalfTopic, ID: 0}
	opQueue   = store.QueueKey{Topic: proto.OpTopic, ID: 0}
)

func newTransactions(b *Broker) *transactions {
	return &transactions{
		broker: b, open: map[message.QueueOffset]*transaction{}, ended: map[message.QueueOffset]proto.TransactionOutcome{},
		wake: b.env.Tasks.NewCond(), tasks: env.NewGroup(b.env.Tasks),
	}
}

// start leaves the rest to tasks.
func (t *transactions) start() {
	t.tasks.Go("look after transactions", t.run)
	t.tasks.Go("save transactions", func() { t.broker.saveEvery(saveCursorsEvery, "transactions", t.save) })
}

// arrived is told of each half message.
func (t *transactions) arrived() { t.wake.Signal() }

func (t *transactions) run() {
	for !t.closing {
		if !t.ready && !t.recover() {
			continue
		}
		if err := t.collect(); err != nil {
			t.broker.env.Log.Error("transactions are not looked after: the disk cannot be read; it is tried again", zap.Error(err))
			t.broker.pauseFor(tryDeliveryAfter)
			continue
		}
		if next := t.checkDue(); !t.closing && !t.behind() {
			t.wake.WaitUntil(next)
		}
	}
}

// follow reads from the log which of the open transactions have ended.
func (t *transactions) follow() bool {
	b := t.broker
	places := map[message.LogOffset]message.QueueOffset{}
	// order does not matter: each has its own place
	for number, open := range t.open {
		places[open.log] = number
	}
	follower := b.store.Follow("ends of transactions", max(t.covered, b.store.Start()))
	read := b.readLog(follower, "transactions", func() bool { return t.closing }, func(r *message.Record) {
		switch {
		case r.SysFlags.Transaction() == message.TransactionCommitted:
			if number, found := places[r.PreparedAt]; found {
				t.over(number, proto.OutcomeCommit)
			}
		case string(r.Topic) == proto.OpTopic:
			t.rolledBack(numbersIn(r.Body))
		case string(r.Topic) == proto.UncheckableTopic:
			number, _ := message.PropertyBytes(r.Properties, message.PropertyHalfMessageQueueOffset)
			t.rolledBack(numbersIn(number))
		case string(r.Topic) == proto.HalfTopic && r.QueueOffset >= t.next:
			// It was stored since the queue was read.
			t.begin(r)
			places[r.LogOffset] = r.QueueOffset
		}
	})
	if !read {
		follower.Close()
		return false
	}
	t.keep, t.ready = follower, true
	return true
}

// rolledBack notes which of the open transactions have ended without a commit.
func (t *transactions) rolledBack(numbers []message.QueueOffset) {
	for _, number := range numbers {
		if t.open[number] != nil {
			t.over(number, proto.OutcomeRollback)
		}
	}
}

// numbersIn reads the numbers of half messages in a mark: each followed by a comma.
func numbersIn(body []byte) (numbers []message.QueueOffset) {
	for _, text := range strings.Split(string(body), ",") {
		if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
			numbers = append(numbers, message.QueueOffset(n))
		}
	}
	return numbers
}

// behind reports whether there are half messages that are not known.
func (t *transactions) behind() bool {
	_, end := t.broker.store.Bounds(halfQueue)
	return t.next < end
}

// collect reads new half messages.
func (t *transactions) collect() error {
	return t.broker.readQueue(halfQueue, &t.next, func() bool { return t.closing }, t.lose, func(r *message.Record) { t.begin(r) })
}

// lose tells of half messages that can never be committed.
func (t *transactions) lose(err error) {
	t.broker.env.Log.Error("a half message cannot be read, and its transaction is given up", zap.Error(err))
}

// begin adds a transaction, unless it is known.
func (t *transactions) begin(r *message.Record) *transaction {
	number := r.QueueOffset
	if known := t.open[number]; known != nil {
		return known
	}
	if _, ended := t.ended[number]; ended {
		return nil
	}
	o := &t.broker.options
	open := &transaction{number: number, log: r.LogOffset, storedAt: r.StoredAt, bornAt: r.BornAt, topic: t.broker.topicName(realTopic(r)), immunity: o.TransactionTimeout}
	if value, found := message.PropertyBytes(r.Properties, message.PropertyCheckImmunitySeconds); found {
		if n, err := strconv.ParseInt(string(value), 10, 32); err == nil && n > 0 {
			open.immunity, open.own = time.Duration(n)*time.Second, true
		}
	}
	now := t.broker.env.Clock
	age := min(max(time.Duration(int64(now.Wall())-r.StoredAt)*time.Millisecond, 0), open.immunity)
	open.due = now.Now().Add(open.immunity - age)
	t.open[number] = open
	heap.Push(&t.due, open)
	t.changed = true
	return open
}

// over notes how a transaction has ended.
func (t *transactions) over(number message.QueueOffset, outcome proto.TransactionOutcome) {
	if open := t.open[number]; open != nil {
		heap.Remove(&t.due, open.place)
	}
	delete(t.open, number)
	t.remember(number, outcome)
	t.changed = true
}

func (t *transactions) remember(number message.QueueOffset, outcome proto.TransactionOutcome) {
	if _, known := t.ended[number]; known {
		return
	}
	t.order = append(t.order, endedTransaction{number, outcome})
	t.ended[number] = outcome
	// A start takes all from filed on for open that it does not know to have ended.
	for len(t.order) > endedMax && t.order[0].number < t.filed {
		delete(t.ended, t.order[0].number)
		t.order = t.order[1:]
	}
}

// close ends the checks and saves the file.
func (t *transactions) close() error {
	t.closing = true
	t.wake.Broadcast()
	t.tasks.Wait()
	err := t.save()
	if t.keep != nil {
		t.keep.Close()
	}
	return err
}

// String tells how many are open.
func (t *transactions) String() string {
	return fmt.Sprintf("%d open transactions, %d ended of late", len(t.open), len(t.ended))
}
