package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file is about redeliveries in a world in which nothing is broken.

// redeliverySlack is how much later than its time a message may come again: less than from one level to the next, and enough for two packets that
// are sent again.
const redeliverySlack = 500 * time.Millisecond

// slack is redeliverySlack, or more where a copy must have the message first: two more packets may be sent again, that to the copy and its answer.
func (y *retry) slack() time.Duration {
	if y.elected {
		return redeliverySlack + 2*sim.DefaultLinks().RetransmitAfter
	}
	return redeliverySlack
}

// whenDrained waits until no copy can come any more, and counts them. Then it looks how exactly delays are kept.
func (y *retry) whenDrained(probe *pubsubClient) {
	settled := y.observer.Clock.Now().Add(membersSettle)
	// A copy that is on its way has to wait for its level, and then may fail again.
	for copies := -1; copies != y.copyCount() || y.unfinished() != ""; {
		copies = y.copyCount()
		y.observer.Tasks.Sleep(y.delay(levels) + 5*time.Second)
	}
	for _, group := range y.list {
		y.judgeCopies(group)
	}
	if y.kernel.Failure() != nil {
		return
	}
	if y.kernel.Marks()["a member crashed: "+sim.PowerLoss.String()] > 0 {
		// Until brokers miss its heartbeats it may keep a retry queue to itself.
		y.observer.Tasks.Sleep(settled.Sub(y.observer.Clock.Now()))
	}
	for _, group := range y.list {
		if group.most > 0 {
			y.demandInTime(probe, group)
		}
	}
	y.demandOldLimit(probe)
}

func (y *retry) copyCount() (count int) {
	for _, group := range y.list {
		for _, queue := range y.queuesOf(group) {
			count += len(group.copies[queue])
		}
	}
	return count
}

// demandInTime sends two messages that fail once, and demands that they come again when their time has come.
func (y *retry) demandInTime(probe *pubsubClient, group *retryGroup) {
	for range 2 {
		queue := y.queues[probe.random.IntN(len(y.queues))]
		hash, body := y.probeBody(probe)
		group.forced[hash] = retryPlan{success: 1, reject: -1, levels: y.kernel.Stream("levels of the probe").Derive(hash.String())}
		if y.sendQuietly(probe, queue, body) == nil {
			return
		}
		t := group.message(hash)
		if !y.await(wakeWithin+y.handling, func() bool { return len(t.failures) > 0 }) {
			y.failLiveness("nothing is broken, and group %s did not get a message of %v within %s", group.name, queue, wakeWithin)
			return
		}
		f := t.failures[0]
		level := f.level
		if level == 0 {
			level = 3
		}
		due := f.ended.Add(y.delay(level) + y.slack() + y.handling)
		if !y.await(due.Sub(y.observer.Clock.Now()), func() bool { return t.succeeded > 0 }) {
			y.failLiveness("nothing is broken, and group %s did not get a message of %v again within %s after %s, level %d", group.name, queue, y.slack(), y.delay(level), level)
			return
		}
		y.kernel.Mark("redelivered in time while all was quiet")
	}
}

func (y *retry) probeBody(probe *pubsubClient) (linearizability.Hash, []byte) {
	body := probe.body()
	return linearizability.HashOf(body), body
}

// sendQuietly sends though the final logs were read: nobody judges these messages.
func (y *retry) sendQuietly(probe *pubsubClient, queue client.Queue, body []byte) *client.SendResult {
	result, err := probe.steady.SendTo(context.Background(), queue, marked(queue.Topic, body))
	if err != nil {
		y.failLiveness("%v refuses a message though nothing is broken: %v", queue, err)
		return nil
	}
	return &result
}

// demandOldLimit gives a message back as clients do that do not say how often it may come again: then the setting of the group counts, which a
// tool has changed.
func (y *retry) demandOldLimit(probe *pubsubClient) {
	queue := y.queues[probe.random.IntN(len(y.queues))]
	hash, body := y.probeBody(probe)
	sent := y.sendQuietly(probe, queue, body)
	if sent == nil {
		return
	}
	t := y.old.message(hash)
	t.uniqueID, t.origins = sent.UniqueID, []string{sent.OffsetID}
	id, err := message.ParseOffsetID(sent.OffsetID)
	if err != nil {
		y.failSafety("%v: %v", sent, err)
		return
	}
	net, at := newRawClient(y.observer), id.LogOffset
	for times := 0; times <= y.old.most; times++ {
		asked := y.observer.Clock.Now()
		answer := net.call(y.address(queue), proto.ReqConsumerSendMessageBack, map[string]string{
			"offset": fmt.Sprint(int64(at)), "group": y.old.name, "delayLevel": "0",
		}, nil)
		if answer == nil || answer.Code != int(proto.RespSuccess) {
			y.failLiveness("nothing is broken, and a message does not go back to %s: %v", queue.BrokerName, answer)
			return
		}
		copied := y.awaitCopy(times)
		if copied == nil || y.kernel.Failure() != nil {
			return
		}
		y.demandOldCopy(copied, times, asked)
		at = copied.LogOffset
	}
	y.kernel.Mark("dead letter by the group's own limit")
}

// awaitCopy waits for the next copy of the only message that the old client has.
func (y *retry) awaitCopy(before int) *client.Received {
	find := func() (found *client.Received) {
		count := 0
		for _, queue := range y.queuesOf(y.old) {
			for _, r := range y.old.copies[queue] {
				if count++; found == nil || r.Redeliveries > found.Redeliveries {
					found = r
				}
			}
		}
		if count <= before {
			return nil
		}
		return found
	}
	limit := y.delay(3+before) + serveWithin
	if !y.await(limit, func() bool { return find() != nil }) {
		y.failLiveness("nothing is broken, and a message that went back %d times is nowhere after %s", before+1, limit)
		return nil
	}
	return find()
}

func (y *retry) demandOldCopy(r *client.Received, times int, asked env.Instant) {
	if dead := !isRetry(r.Queue); int(r.Redeliveries) != times+1 || dead != (times == y.old.most) {
		y.failSafety("%v was redelivered %d times after it went back %d times, and the group allows %d", r, r.Redeliveries, times+1, y.old.most)
	}
	if waited := y.observer.Clock.Now().Sub(asked); isRetry(r.Queue) && waited < y.delay(3+times)-time.Millisecond {
		y.failSafety("%v came again after %s, and its level is %s", r, waited, y.delay(3+times))
	}
}
