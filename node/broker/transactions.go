package broker

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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
	ended   map[message.QueueOffset]proto.TransactionOutcome // of late, and all behind first
	order   []message.QueueOffset                            // of ended, as they came
	next    message.QueueOffset                              // half messages before it are known
	oldest  message.QueueOffset                              // all before it have ended, as the file says
	due     env.Instant                                      // when the next check is
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
	ending   proto.TransactionOutcome // being carried out; OutcomeUnknown: none is
	waiters  []transport.Reply        // who wants to know
}

const (
	// transactionsFile is Gantry's own.
	transactionsFile = "transactions.json"
	// transactionsGroup is by which a Java broker keeps how far it has come in the half queue.
	transactionsGroup = "CID_RMQ_SYS_TRANS"
	// endedMax is how many ended transactions are remembered, besides those behind the first one that is open.
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

// transactionsDocument is the file.
type transactionsDocument struct {
	// Half: all half messages before this number have ended.
	Half message.QueueOffset `json:"half"`
	// Covered: how the others have ended that did so before this place in the log, is in Ended.
	Covered message.LogOffset                                `json:"covered"`
	Ended   map[message.QueueOffset]proto.TransactionOutcome `json:"ended,omitempty"`
	Checks  map[message.QueueOffset]int                      `json:"checks,omitempty"`
}

// recover reads which transactions are open. It reports whether that went well.
func (t *transactions) recover() bool {
	b := t.broker
	in := transactionsDocument{Half: -1}
	err := loadDocument(b.env, transactionsFile, func(content []byte) error { return json.Unmarshal(content, &in) })
	if err == nil && in.Covered > b.store.Confirmed() {
		err = fmt.Errorf("it knows the log up to %d, which ends at %d", in.Covered, b.store.Confirmed())
	}
	if err != nil {
		b.env.Log.Warn("which transactions are open is read from all of the log", zap.Error(err))
		in = transactionsDocument{Half: -1}
	}
	first, _ := b.store.Bounds(halfQueue)
	if in.Half < 0 {
		// A Java broker may have been here before.
		java, _ := b.offsets.get(transactionsGroup, proto.HalfTopic, halfQueue.ID)
		in.Half = message.QueueOffset(java)
	}
	clear(t.open)
	clear(t.ended)
	t.order, t.next, t.covered = nil, max(in.Half, first), in.Covered
	t.oldest, t.due = t.next, env.Never
	for _, number := range slices.Sorted(maps.Keys(in.Ended)) {
		t.remember(number, in.Ended[number])
	}
	if err := t.collect(); err != nil {
		b.env.Log.Error("transactions wait: the disk cannot be read; it is tried again", zap.Error(err))
		t.broker.pauseFor(tryDeliveryAfter)
		return false
	}
	// order does not matter: each is looked at alone
	for number, checks := range in.Checks {
		if open := t.open[number]; open != nil {
			open.checks = checks
		}
	}
	return t.follow()
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
	lose := func(err error) {
		t.broker.env.Log.Error("a half message cannot be read, and its transaction is given up", zap.Error(err))
	}
	return t.broker.readQueue(halfQueue, &t.next, func() bool { return t.closing }, lose, func(r *message.Record) { t.begin(r) })
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
	t.changed, t.due = true, t.due.Sooner(open.due)
	return open
}

// over notes how a transaction has ended.
func (t *transactions) over(number message.QueueOffset, outcome proto.TransactionOutcome) {
	delete(t.open, number)
	t.remember(number, outcome)
	t.changed = true
}

func (t *transactions) remember(number message.QueueOffset, outcome proto.TransactionOutcome) {
	if _, known := t.ended[number]; !known {
		t.order = append(t.order, number)
	}
	t.ended[number] = outcome
	// A start reads the half queue from the first open one on, and must know all that have ended behind it.
	for len(t.order) > endedMax && t.open[t.order[0]] == nil && t.order[0] < t.oldest {
		delete(t.ended, t.order[0])
		t.order = t.order[1:]
	}
}

// first is the first half message that is open, or the next one to come.
func (t *transactions) first() message.QueueOffset {
	first := t.next
	// order does not matter: the least counts
	for number := range t.open {
		first = min(first, number)
	}
	return first
}

// save writes the file. What it says must not be ahead of the log: that is made durable first.
func (t *transactions) save() error {
	b := t.broker
	if !t.ready {
		return nil
	}
	covered, out := b.store.Confirmed(), t.document()
	oldest := covered
	// order does not matter: the least counts
	for _, open := range t.open {
		oldest = min(oldest, open.log)
	}
	t.keep.MoveTo(oldest)
	if !t.changed {
		return nil
	}
	t.changed = false
	err := b.store.Flush()
	var text []byte
	if err == nil {
		text, err = json.Marshal(out)
	}
	if err == nil {
		err = saveDocument(b.env.Disk, transactionsFile, text)
	}
	if err != nil {
		t.changed = true
		return err
	}
	t.covered, t.oldest = covered, out.Half
	b.offsets.set(transactionsGroup, proto.HalfTopic, halfQueue.ID, int64(out.Half))
	return nil
}

func (t *transactions) document() transactionsDocument {
	out := transactionsDocument{
		Half: t.first(), Covered: t.broker.store.Confirmed(), Ended: map[message.QueueOffset]proto.TransactionOutcome{}, Checks: map[message.QueueOffset]int{},
	}
	// order does not matter: JSON sorts the keys
	for number, outcome := range t.ended {
		out.Ended[number] = outcome
	}
	// order does not matter: JSON sorts the keys
	for number, open := range t.open {
		if open.checks > 0 {
			out.Checks[number] = open.checks
		}
	}
	return out
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
