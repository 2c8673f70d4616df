package scenario

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/transport/proto"
)

var flowScenario = Scenario{
	Name:  "flow-control",
	About: "producers overload brokers with small limits and slow disks, and slow consumers with small limits follow, under all faults",
	Marks: []string{
		"send acknowledged", "send refused", "send without an answer", "refused as busy: the disk", "refused as busy: the connection", "refused: the body is too large",
		"asynchronous send acknowledged", "asynchronous send failed", "the window is full", "one-way is out", "one-way refused by the client", "batch acknowledged", "a batch was split", "a message is too large for a batch",
		"backlog looked at", "a backlog was near its limit", "a member's queues looked at", "a member's queue was full", "a member joined", "a member crashed: process killed",
		"one-way refused and counted", "one-way behind a full connection accounted for", "went to another broker", "all serve again",
	},
	run: runFlow,
}

// flowControl is the state of one run.
type flowControl struct {
	*fleet
	waitingMax, unansweredMax int           // limits of each broker
	bodyLimit                 int           // the largest body that brokers take
	largest                   int           // what one append may take in the log, by what was sent so far
	sendTimeout               time.Duration // of all producers
	burst                     int           // sends at once of one producer, at most
	sending                   []*flowSend   // under way
	limits                    consumeLimits
	handling                  time.Duration
	got                       map[linearizability.Hash]bool
	padding                   int // the smallest body
	working                   map[*fleetMember]int
	began                     env.Instant
}

// consumeLimits are those of each member.
type consumeLimits struct {
	messages, bytes, span int // of each queue
	pullBatch             int
	concurrency           int
}

// flowSend is a send under way.
type flowSend struct {
	what  string
	began env.Instant
	limit time.Duration
}

func runFlow(r *run) {
	f := &flowControl{got: map[linearizability.Hash]bool{}, working: map[*fleetMember]int{}}
	f.fleet = newFleet(r, fleetBounds{
		producers: 3, members: 3, shortest: 3 * time.Second, longest: 10 * time.Second, think: 800 * time.Millisecond,
		brokers: f.drawBrokers, also: []fault.Kind{fault.SlowDisk, fault.StuckSync, fault.StuckSync, fault.FullDisk},
	})
	d := r.draw
	f.crowded = true
	f.burst = int(d.number("sends at once", 1, 30))
	f.padding = int(d.number("smallest body", 13, 300))
	f.sendTimeout = d.duration("send timeout", 500*time.Millisecond, 4*time.Second)
	f.handling = d.duration("longest call of a handler", 0, 500*time.Millisecond)
	f.limits = consumeLimits{
		messages: int(d.number("messages of a queue", 1, 40)), bytes: int(d.number("bytes of a queue", 100, 10_000)), span: int(d.number("span of a queue", 1, 60)),
		pullBatch: int(d.number("messages of a pull", 1, 32)), concurrency: int(d.number("calls of handlers", 1, 10)),
	}
	for _, m := range f.members {
		m.options = f.memberOptions
	}
	f.observer.Tasks.Go("watch sends", f.watchSends)
	f.observer.Tasks.Go("watch backlogs", f.watchBacklogs)
	f.observer.Tasks.Go("look at brokers", f.lookAtBrokers)
	f.observer.Tasks.Go("look at members", f.lookAtMembers)
	f.send, f.caughtUp, f.finally = f.overload, f.missing, f.demandLast
	f.play(f.connectProducers)
}

// drawBrokers makes the limits of brokers small.
func (f *flowControl) drawBrokers(d *draw, o *broker.Options) {
	f.waitingMax = int(d.number("bytes that may wait for the disk", 1<<10, 40<<10))
	f.unansweredMax = int(d.number("unanswered requests of a connection", 20, 60))
	f.bodyLimit = int(d.number("largest body that brokers take", 2<<10, 16<<10))
	o.Store.WaitingMax, o.Store.BodySizeMax = f.waitingMax, f.bodyLimit
	o.Store.FlushTimeout = d.duration("flush timeout", 100*time.Millisecond, 5*time.Second)
	o.Store.BusyAfter = d.duration("a write is slow after", time.Millisecond, time.Second)
	o.Limits.Unanswered = f.unansweredMax
}

// connectProducers makes one producer that tries again elsewhere and one that does not.
func (f *flowControl) connectProducers(c *pubsubClient) (err error) {
	options := append(f.producerOptions(), client.WithSendTimeout(f.sendTimeout), client.WithTryTimeout(f.sendTimeout/3),
		client.WithWindow(10+c.random.IntN(f.burst), 1<<20), client.WithOutputLimit(batchLimitMax+64<<10), client.WithMaxMessageSize(batchLimitMax))
	if c.producer, err = client.NewProducer(c.env, options...); err != nil {
		return err
	}
	c.steady, err = client.NewProducer(c.env, append(options, client.WithRetries(0, 0))...)
	return err
}

// batchLimitMax is the largest batch that producers may send, in bytes.
const batchLimitMax = 20 << 10

// overload begins a few sends at once, which end by themselves.
func (f *flowControl) overload(c *pubsubClient) {
	if f.began == 0 {
		f.began = c.env.Clock.Now()
	}
	way := f.drawWay(c)
	alike := c.random.Chance(0.5)
	for range 1 + c.random.IntN(f.burst) {
		if !alike {
			way = f.drawWay(c)
		}
		if len(f.sending) > 150 {
			return
		}
		f.busy++
		c.env.Tasks.Go("send", func() {
			f.Operations++
			way(c)
			f.busy--
		})
	}
}

// drawWay chooses how to send.
func (f *flowControl) drawWay(c *pubsubClient) func(c *pubsubClient) {
	switch {
	case c.random.Chance(0.3):
		return f.sendAsync
	case c.random.Chance(0.25):
		return f.sendOneway
	case c.random.Chance(0.05):
		return f.sendSplit
	}
	return f.sendAndWait
}

// body makes one that is not too small, and now and then too large for the broker.
func (f *flowControl) body(c *pubsubClient) []byte {
	body := c.body()
	want := f.padding
	if c.random.Chance(0.03) {
		want = f.bodyLimit + 1 + c.random.IntN(1000)
	}
	for len(body) < want {
		body = append(body, byte(c.random.Uint64()))
	}
	return body
}

// account notes how much of the log what is about to be sent may take.
func (f *flowControl) account(messages ...*client.Message) {
	size := 0
	for _, m := range messages {
		size += recordOverhead + len(m.Body) + m.Properties.EncodedLength()
	}
	f.largest = max(f.largest, size)
}

// recordOverhead is more than a record takes besides what its sender gave.
const recordOverhead = 400

// message makes one of a drawn topic.
func (f *flowControl) message(c *pubsubClient) *client.Message {
	m := marked(f.topics[c.random.IntN(len(f.topics))], f.body(c))
	f.account(m)
	return m
}

// track notes a send under way. The function that it returns notes its end.
func (f *flowControl) track(what string, c *pubsubClient, limit time.Duration) (ended func()) {
	s := &flowSend{what: fmt.Sprintf("%s of producer %d", what, c.number), began: f.kernel.Now(), limit: limit}
	f.sending = append(f.sending, s)
	return func() {
		f.sending = slices.DeleteFunc(f.sending, func(other *flowSend) bool { return other == s })
	}
}

// watchSends is the task that looks for sends that take longer than their timeout.
func (f *flowControl) watchSends() {
	for {
		f.observer.Tasks.Sleep(tickEvery)
		for _, s := range f.sending {
			took := f.kernel.Now().Sub(s.began)
			if took > s.limit+sendSlack && took > s.limit+sendSlack+f.pauses(s.began) {
				f.failSafety("%s with a timeout of %s has not ended after %s", s.what, s.limit, took)
				return
			}
		}
	}
}

// sendSlack is how late a send may tell that it is over.
const sendSlack = 500 * time.Millisecond

// pauses is how long clients may have been paused since.
func (f *flowControl) pauses(since env.Instant) (pauses time.Duration) {
	for _, s := range f.Schedule {
		if s.Kind == fault.PauseClient && f.began.Add(s.At+s.For) >= since {
			pauses += s.For
		}
	}
	return pauses
}

// flowPending is a message that was sent and not judged yet: what tries before the last one did is not known, so it may be in any queue.
type flowPending struct {
	queues  []client.Queue
	entries []linearizability.Pending
}

func (f *flowControl) beginSend(c *pubsubClient, m *client.Message, only *client.Queue) (p flowPending) {
	for _, queue := range f.queues {
		if queue.Topic == m.Topic && (only == nil || *only == queue) {
			p.queues = append(p.queues, queue)
			p.entries = append(p.entries, f.recorder.BeginSend(c.number, queue.String(), linearizability.HashOf(m.Body), only == nil, c.now()))
		}
	}
	return p
}

// endSend notes how a send ended. What a refusal says is looked at, too.
func (f *flowControl) endSend(c *pubsubClient, p flowPending, result client.SendResult, err error) {
	for i, queue := range p.queues {
		if err == nil && queue == result.Queue {
			f.fleetEnded(c, p.entries[i], queue, result)
		}
	}
	var failed *client.SendError
	switch {
	case err == nil:
		return
	case !errors.As(err, &failed):
		// Nothing was sent at all.
		f.refuse(c, p)
		return
	case !failed.MaybeStored:
		f.refuse(c, p)
	default:
		f.kernel.Mark("send without an answer")
	}
	for _, attempt := range failed.Attempts {
		f.lookAtRefusal(attempt.Err)
	}
}

// fleetEnded notes an acknowledgement.
func (f *flowControl) fleetEnded(c *pubsubClient, pending linearizability.Pending, queue client.Queue, result client.SendResult) {
	c.ended(pending, queue, result, nil)
}

// refuse notes that a message is surely not stored.
func (f *flowControl) refuse(c *pubsubClient, p flowPending) {
	for _, pending := range p.entries {
		f.recorder.Refuse(pending, c.now())
	}
	f.kernel.Mark("send refused")
}

// What a refusal of a busy broker tells: how much there is to do, and for how long it has been waiting.
var (
	busyDisk       = regexp.MustCompile(`\d+ appends with \d+ bytes wait for the disk, the oldest for [\d.]+(ms|s|m)?`)
	busyConnection = regexp.MustCompile(`^\[OVERLOAD\]\d+ requests of this connection wait for an answer, and some have for [\d.]+(ms|s|m)?`)
)

func (f *flowControl) lookAtRefusal(err error) {
	var answer *client.ResponseError
	if !errors.As(err, &answer) {
		return
	}
	switch {
	case answer.Code == proto.RespMessageIllegal:
		f.kernel.Mark("refused: the body is too large")
	case answer.Code != proto.RespSystemBusy:
	case busyDisk.MatchString(answer.Remark):
		f.kernel.Mark("refused as busy: the disk")
	case busyConnection.MatchString(answer.Remark):
		f.kernel.Mark("refused as busy: the connection")
	default:
		f.failSafety("a busy broker does not tell how much there is to do: %v", answer)
	}
}

// sendAndWait sends to one queue, or wherever the client wants, with further tries.
func (f *flowControl) sendAndWait(c *pubsubClient) {
	m := f.message(c)
	ended := f.track("a send", c, f.sendTimeout)
	defer ended()
	if c.random.Chance(0.5) {
		p := f.beginSend(c, m, nil)
		result, err := c.producer.Send(context.Background(), m)
		f.endSend(c, p, result, err)
		return
	}
	queue := c.queue()
	m.Topic = queue.Topic
	p := f.beginSend(c, m, &queue)
	result, err := c.steady.SendTo(context.Background(), queue, m)
	f.endSend(c, p, result, err)
}

// sendAsync sends in the background. The callback comes once, or not at all if the call says why.
func (f *flowControl) sendAsync(c *pubsubClient) {
	m := f.message(c)
	ended := f.track("an asynchronous send", c, f.sendTimeout)
	p, calls := f.beginSend(c, m, nil), 0
	f.busy++
	over := func() {
		ended()
		f.busy--
	}
	done := func(result client.SendResult, err error) {
		if calls++; calls > 1 {
			f.failSafety("the callback of an asynchronous send was called %d times", calls)
			return
		}
		f.endSend(c, p, result, err)
		if err == nil {
			f.kernel.Mark("asynchronous send acknowledged")
		} else {
			f.kernel.Mark("asynchronous send failed")
		}
		over()
	}
	send := c.producer.SendAsync
	if c.random.Chance(0.5) {
		send = c.producer.TrySendAsync
	}
	if err := send(context.Background(), m, done); err != nil {
		if calls > 0 {
			f.failSafety("an asynchronous send failed with %v, and its callback was called", err)
		}
		calls++
		if errors.Is(err, client.ErrWindow) {
			f.kernel.Mark("the window is full")
		}
		f.refuse(c, p)
		over()
	}
}

// sendOneway sends without an answer. Only that it was not sent at all can be known.
func (f *flowControl) sendOneway(c *pubsubClient) {
	m := f.message(c)
	ended := f.track("a one-way send", c, f.sendTimeout)
	defer ended()
	p := f.beginSend(c, m, nil)
	send := c.producer.SendOneway
	if c.random.Chance(0.5) {
		send = c.producer.TrySendOneway
	}
	switch err := send(context.Background(), m); {
	case err == nil:
		f.kernel.Mark("one-way is out")
	case errors.Is(err, client.ErrBusy):
		f.refuse(c, p)
		f.kernel.Mark("one-way refused by the client")
	}
}

// sendSplit cuts a list of messages into batches and sends them, one after the other.
func (f *flowControl) sendSplit(c *pubsubClient) {
	topic := f.topics[c.random.IntN(len(f.topics))]
	var messages []*client.Message
	for range 1 + c.random.IntN(30) {
		messages = append(messages, marked(topic, f.body(c)))
	}
	limit := 600 + c.random.IntN(8000)
	next := 0
	for piece, err := range client.SplitBatches(messages, limit) {
		for _, m := range piece {
			if next >= len(messages) || m != messages[next] {
				f.failSafety("message %d of %d is missing in the batches, or stands elsewhere", next, len(messages))
				return
			}
			next++
		}
		if size := batchBytes(piece); err == nil && size > limit {
			f.failSafety("a batch of %d messages has %d bytes, the limit is %d", len(piece), size, limit)
		}
		if err != nil {
			f.kernel.Mark("a message is too large for a batch")
			if len(piece) != 1 || batchBytes(piece)+batchIDRoom <= limit {
				f.failSafety("%d messages with %d bytes in a batch, limit %d, were refused: %v", len(piece), batchBytes(piece), limit, err)
			}
			continue
		}
		f.sendPiece(c, piece)
	}
	if next != len(messages) {
		f.failSafety("the batches have %d of %d messages", next, len(messages))
	}
}

// batchIDRoom is what the longest unique id takes that a client adds to a message of a batch.
const batchIDRoom = 66

// batchBytes is what messages take in a batch without what clients add: sizes and flags, the body, and each property with its two separators.
func batchBytes(messages []*client.Message) (size int) {
	for _, m := range messages {
		size += 4 + 4 + 4 + 4 + 4 + len(m.Body) + 2
		for _, p := range m.Properties {
			size += len(p.Name) + 1 + len(p.Value) + 1
		}
	}
	return size
}

// sendPiece sends one batch.
func (f *flowControl) sendPiece(c *pubsubClient, piece []*client.Message) {
	f.account(piece...)
	ended := f.track("a batch", c, f.sendTimeout)
	defer ended()
	if len(piece) > 1 {
		f.kernel.Mark("a batch was split")
	}
	pending := make([]flowPending, len(piece))
	for i, m := range piece {
		pending[i] = f.beginSend(c, m, nil)
	}
	results, err := c.producer.SendBatch(context.Background(), piece)
	if errors.Is(err, client.ErrMessage) {
		f.failSafety("a batch that was cut to its limit is refused by the client: %v", err)
	}
	for i := range piece {
		if err != nil {
			f.endSend(c, pending[i], client.SendResult{}, err)
			continue
		}
		f.endSend(c, pending[i], results[i], nil)
		f.kernel.Mark("batch acknowledged")
		if i > 0 && (results[i].Queue != results[0].Queue || results[i].QueueOffset != results[0].QueueOffset+client.QueueOffset(i)) {
			f.failSafety("message %d of a batch is in %v at %d, the first one in %v at %d", i, results[i].Queue, results[i].QueueOffset, results[0].Queue, results[0].QueueOffset)
		}
	}
}
