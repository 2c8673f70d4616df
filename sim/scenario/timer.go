package scenario

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

var timerScenario = Scenario{
	Name:  "timer",
	About: "messages wait for a delay level or for a time of their own, some are recalled, and each is delivered once and never early, under all faults",
	Marks: []string{
		"send acknowledged", "a timer was acknowledged", "a level was acknowledged", "a timer without an answer", "recalled", "a recall that came too late",
		"a recall without an answer", "delivered", "delivered after a recall without an answer", "delivered while all was quiet", "recalled while all was quiet",
		"refused: send to the topic of timers", "refused: redelivery of a message that waits",
	},
	run: runTimer,
}

// lateTopic takes what waits: nothing else is sent to it.
const lateTopic = "late"

// timerRun is the state of one run.
type timerRun struct {
	*fleet
	longest time.Duration // that a message waits
	levels  float64       // messages with a delay level
	recalls float64
	sent    map[linearizability.Hash]*timedMessage
	order   []*timedMessage
	seen    map[linearizability.Hash]int // how often each is in the queues
	strict  bool                         // brokers' calendars do not step
}

// timedMessage is one that was sent to wait.
type timedMessage struct {
	m            *client.Message
	level        int
	wait         time.Duration // from when it was born; 0 with a level or a time
	at           time.Time     // the time that was asked for
	acknowledged bool
	answer       client.SendResult
	why          error // of the last answer that was none
	recalled     recallOutcome
	slow         bool // the broker's answer was that copies took longer than it waits
}

type recallOutcome int

const (
	notRecalled recallOutcome = iota
	recallUnknown
	recallPromised
	recallRefused
)

func runTimer(r *run) {
	t := &timerRun{sent: map[linearizability.Hash]*timedMessage{}}
	t.fleet = newFleet(r, fleetBounds{
		producers: 3, members: 1, shortest: 5 * time.Second, longest: 40 * time.Second, think: 400 * time.Millisecond, brokers: quickLevels,
	})
	d := r.draw
	t.longest = d.duration("longest time to wait", 500*time.Millisecond, 30*time.Second)
	t.levels = d.share("delay levels", 0.5)
	t.recalls = d.share("recalls", 0.4)
	t.strict = !calendarsStep(t.Schedule)
	t.listen("timers", lateTopic, t.received)
	t.intrude("timers", lateTopic, t.waiting)
	t.send, t.caughtUp, t.finally = t.sendToWait, func() string { return "" }, t.whenDelivered
	t.play(func(c *pubsubClient) (err error) {
		// One try each: then a message is stored once at most.
		c.producer, err = client.NewProducer(c.env, append(t.producerOptions(), client.WithRetries(0, 0))...)
		return err
	})
}

// sendToWait sends a message of one sort or the other, and recalls some.
func (t *timerRun) sendToWait(c *pubsubClient) {
	if c.random.Chance(0.2) {
		t.record(c, marked(t.topics[c.random.IntN(len(t.topics))], c.body()))
		return
	}
	t.Operations++
	wait := time.Duration(c.random.Between(0, int64(t.longest)))
	w := t.newTimed(c, wait)
	switch {
	case c.random.Chance(t.levels):
		w.level, w.wait = int(c.random.Between(1, levels)), 0
		w.m.Properties.Delete(message.PropertyDelayMillis)
		client.DelayLevel(w.level)(w.m)
	case c.random.Chance(0.3):
		w.m.Properties.Delete(message.PropertyDelayMillis)
		w.at, w.wait = c.env.Clock.Wall().Time().Add(wait).Truncate(time.Millisecond), 0
		client.DeliverAt(w.at)(w.m)
	}
	t.sendOne(c, w)
	if w.acknowledged && w.level == 0 && c.random.Chance(t.recalls) {
		c.env.Tasks.Sleep(time.Duration(c.random.Between(0, int64(t.longest))))
		t.recall(c, w)
	}
}

// waiting is one of the messages that wait, or have. One without a handle was due when it came: it went to its queue at once, and may come back.
func (t *timerRun) waiting(random *sim.Stream) (client.SendResult, bool) {
	if len(t.order) == 0 {
		return client.SendResult{}, false
	}
	w := t.order[random.IntN(len(t.order))]
	return w.answer, w.acknowledged && (w.level > 0 || w.answer.RecallHandle != "")
}

func (t *timerRun) newTimed(c *pubsubClient, wait time.Duration) *timedMessage {
	wait = wait.Truncate(time.Millisecond)
	w := &timedMessage{m: client.NewMessage(lateTopic, c.body(), client.DelayFor(wait)), wait: wait}
	oracle.Mark(w.m)
	t.sent[linearizability.HashOf(w.m.Body)] = w
	t.order = append(t.order, w)
	return w
}

func (t *timerRun) sendOne(c *pubsubClient, w *timedMessage) {
	result, err := c.producer.Send(context.Background(), w.m)
	w.why = err
	w.slow = err == nil && result.Status == client.SendFlushSlaveTimeout
	if err != nil || result.Status != client.SendOK {
		t.kernel.Mark("a timer without an answer")
		return
	}
	w.acknowledged, w.answer = true, result
	if w.level > 0 {
		t.kernel.Mark("a level was acknowledged")
		return
	}
	t.kernel.Mark("a timer was acknowledged")
}

func (t *timerRun) recall(c *pubsubClient, w *timedMessage) {
	if w.answer.RecallHandle == "" {
		// Its time had come when it was sent.
		return
	}
	_, err := c.producer.Recall(context.Background(), lateTopic, w.answer.RecallHandle)
	w.why = err
	var refusal *client.ResponseError
	w.slow = errors.As(err, &refusal) && refusal.Code == proto.RespFlushSlaveTimeout
	switch {
	case err == nil:
		w.recalled = recallPromised
		t.kernel.Mark("recalled")
		if t.seen[linearizability.HashOf(w.m.Body)] > 0 {
			t.failSafety("%v was recalled, and is in its queue already", w.m)
		}
	case errors.As(err, &refusal) && refusal.Code == proto.RespIllegalOperation:
		w.recalled = recallRefused
		t.kernel.Mark("a recall that came too late")
	default:
		w.recalled = recallUnknown
		t.kernel.Mark("a recall without an answer")
	}
}

// received looks at a message that came.
func (t *timerRun) received(r *client.Received) {
	t.whole(r)
	w := t.sent[linearizability.HashOf(r.Body)]
	if w == nil {
		t.failSafety("%v at %d of %v was never sent", r, r.Offset, r.Queue)
		return
	}
	t.kernel.Mark("delivered")
	t.demandNotEarly(r, w)
	if w.recalled == recallPromised {
		t.failSafety("%v at %d of %v was delivered though its recall was promised", r, r.Offset, r.Queue)
	}
	if w.recalled == recallUnknown {
		t.kernel.Mark("delivered after a recall without an answer")
	}
}

// demandNotEarly compares the time when a message was put into its queue with the one when it was due.
func (t *timerRun) demandNotEarly(r *client.Received, w *timedMessage) {
	if !t.strict {
		return
	}
	// Clocks of clients and brokers are the same where calendars do not step.
	due := r.BornAt.Add(w.wait + time.Duration(w.level)*400*time.Millisecond)
	if !w.at.IsZero() {
		due = w.at
	}
	if r.StoredAt.Before(due) {
		t.failSafety("%v at %d of %v was due at %v and came at %v", r, r.Offset, r.Queue, due, r.StoredAt)
	}
}

// whenDelivered waits until nothing can wait any more, and reads what was delivered. Then it demands that timers are exact.
func (t *timerRun) whenDelivered(probe *pubsubClient) {
	t.observer.Tasks.Sleep(max(t.longest, levels*400*time.Millisecond) + wakeWithin)
	t.readLate(probe)
	for _, w := range t.order {
		t.demandOnce(w)
	}
	if t.kernel.Failure() == nil {
		t.demandExact(probe)
	}
}

// readLate reads all of the late topic.
func (t *timerRun) readLate(probe *pubsubClient) {
	t.seen = map[linearizability.Hash]int{}
	t.readTopic(probe, lateTopic, func(r *client.Received) {
		t.received(r)
		t.seen[linearizability.HashOf(r.Body)]++
	})
}

func (t *timerRun) acknowledged() []*timedMessage {
	return slices.DeleteFunc(slices.Clone(t.order), func(w *timedMessage) bool { return !w.acknowledged })
}

// demandOnce: what was acknowledged is there once, unless it was recalled, and nothing is there twice.
func (t *timerRun) demandOnce(w *timedMessage) {
	switch n := t.seen[linearizability.HashOf(w.m.Body)]; {
	case n > 1:
		t.failSafety("%v was delivered %d times", w.m, n)
	case n == 1 && w.recalled == recallPromised:
		t.failSafety("%v was delivered though its recall was promised", w.m)
	case !t.strict && w.level == 0:
		// A calendar that was set back by an hour lets it wait for an hour more.
	case n == 0 && w.acknowledged && (w.recalled == notRecalled || w.recalled == recallRefused):
		t.failSafety("%v, acknowledged as %v, was not delivered", w.m, w.answer)
	}
}

// exactWithin is how late a timer may be where nothing is broken.
const exactWithin = 100 * time.Millisecond

// exactly is how late a timer may be in this run. What copies must have may get lost on its way to them, and is sent again after a while.
func (t *timerRun) exactly() time.Duration {
	if t.elected {
		return exactWithin + resentWithin
	}
	return exactWithin
}

// resentWithin is how long it takes until what got lost twice is there.
const resentWithin = 2 * time.Second

// impatient reports whether brokers wait for copies for less time than it takes until what got lost is there: then even where nothing is broken they may have to
// answer that they do not know.
func (t *timerRun) impatient() bool { return t.elected && t.waitsForCopies < resentWithin }

// demandExact sends one message to wait and recalls another one, in a world in which nothing is broken.
func (t *timerRun) demandExact(probe *pubsubClient) {
	probe.producer = probe.steady
	wait := time.Duration(probe.random.Between(int64(time.Second), int64(5*time.Second)))
	stays, goes := t.newTimed(probe, wait), t.newTimed(probe, wait)
	t.sendOne(probe, stays)
	sent := t.observer.Clock.Now()
	t.sendOne(probe, goes)
	t.recall(probe, goes)
	// Where calendars were set back, what is due now may have been due before.
	if !stays.acknowledged || !goes.acknowledged || goes.recalled != recallPromised && t.strict {
		if (stays.slow || goes.slow) && t.impatient() {
			t.kernel.Mark("copies were too slow for a timer while all was quiet")
			return
		}
		t.failLiveness("nothing is broken, and a timer (%v), or its recall (%v), is refused", stays.why, goes.why)
		return
	}
	t.kernel.Mark("recalled while all was quiet")
	t.observer.Tasks.Sleep(wait + t.exactly() - t.observer.Clock.Now().Sub(sent))
	t.readLate(probe)
	t.demandOnce(goes)
	if t.seen[linearizability.HashOf(stays.m.Body)] != 1 {
		t.failLiveness("nothing is broken, and a message that was to wait for %v did not come within %v more", wait, t.exactly())
	}
	t.kernel.Mark("delivered while all was quiet")
}
