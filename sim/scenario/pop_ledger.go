package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file keeps what a group has popped, and says what of that must not be. Receipts of one broker are in the order in which they were made, so what came
// first is known without a clock.

// popGroup is a group whose members pop.
type popGroup struct {
	run       *popRun
	name      string
	invisible time.Duration
	most      int32 // redeliveries
	ordered   bool
	of        map[popKey]*poppedMessage
	dead      map[linearizability.Hash]int // letters
}

// popKey names a message.
type popKey struct {
	queue  client.Queue
	offset client.QueueOffset
}

// poppedMessage is a message as a group has popped it.
type poppedMessage struct {
	holds []popHold // that are known, by the time of the receipt
	// acknowledged is the receipt that was good for it; PoppedAt is 0 if there is none.
	acknowledged proto.PopReceipt
	maybe        bool // an acknowledgement was sent, of which it is not known what came
}

// popHold is a receipt that was good.
type popHold struct {
	receipt   proto.PopReceipt
	delivered bool // the message came with it; otherwise it replaced another one
	unsure    bool // it may have been replaced, which would be a new hold that nobody knows
}

func keyOf(r *client.Received) popKey { return popKey{r.Queue, r.Offset} }

func (g *popGroup) message(r *client.Received) *poppedMessage {
	known := g.of[keyOf(r)]
	if known == nil {
		known = &poppedMessage{}
		g.of[keyOf(r)] = known
	}
	return known
}

// String names the group.
func (g *popGroup) String() string { return "group " + g.name }

// delivered looks at a message that came.
func (g *popGroup) delivered(r *client.Received, receipt proto.PopReceipt) {
	p, known := g.run, g.message(r)
	p.Operations++
	p.kernel.Mark("popped")
	before := int32(0)
	for _, h := range known.holds {
		switch {
		case h.receipt.PoppedAt == receipt.PoppedAt:
			p.failSafety("%v: %v at %d of %v came twice by one pop, %s", g, r, r.Offset, r.Queue, receipt)
		case h.receipt.PoppedAt < receipt.PoppedAt && h.delivered:
			before++
		}
	}
	if before > 0 {
		p.kernel.Mark("popped again")
	}
	if r.Redeliveries < before {
		p.failSafety("%v: %v at %d of %v says that it was delivered %d times before, and has come %d times", g, r, r.Offset, r.Queue, r.Redeliveries, before)
	}
	if r.Redeliveries > g.most {
		p.failSafety("%v: %v at %d of %v is delivered for the %d. time again, and %d are allowed", g, r, r.Offset, r.Queue, r.Redeliveries, g.most)
	}
	if known.acknowledged.PoppedAt > 0 && receipt.PoppedAt > known.acknowledged.PoppedAt {
		p.failSafety("%v: %v at %d of %v was acknowledged (%s) and has come again (%s)", g, r, r.Offset, r.Queue, known.acknowledged, receipt)
	}
	g.hold(r, popHold{receipt: receipt, delivered: true})
}

// hold notes a receipt, and demands that those of a message follow each other: what one holds is not handed out before its time is over.
func (g *popGroup) hold(r *client.Received, h popHold) {
	known := g.message(r)
	known.holds = append(known.holds, h)
	slices.SortFunc(known.holds, func(a, b popHold) int { return int(a.receipt.PoppedAt - b.receipt.PoppedAt) })
	if g.run.steps {
		// The calendar of the broker may have jumped while it was down.
		return
	}
	for i := 1; i < len(known.holds); i++ {
		first, second := known.holds[i-1], known.holds[i]
		if second.delivered && !first.unsure && !g.ordered && second.receipt.PoppedAt+popAhead.Milliseconds() < first.receipt.VisibleAt() {
			g.run.failSafety("%v: %v at %d of %v was held by %s, and was handed out meanwhile (%s)", g, r, r.Offset, r.Queue, first.receipt, second.receipt)
		}
	}
}

// popAhead is by how much a receipt may be ahead of the broker's clock: no two have the same time.
const popAhead = time.Second

// maybeHidden notes that a receipt may be replaced from now on.
func (g *popGroup) maybeHidden(r *client.Received, receipt proto.PopReceipt) {
	for i := range g.message(r).holds {
		if h := &g.message(r).holds[i]; h.receipt.PoppedAt == receipt.PoppedAt {
			h.unsure = true
		}
	}
}

// hidden notes a receipt that has replaced another one.
func (g *popGroup) hidden(r *client.Received, before, receipt proto.PopReceipt) {
	known := g.message(r)
	// The answer may be late: only the receipts tell what came first.
	if known.acknowledged.PoppedAt > 0 && known.acknowledged.PoppedAt < receipt.PoppedAt {
		g.run.failSafety("%v: %v at %d of %v was acknowledged (%s) and got a new receipt (%s)", g, r, r.Offset, r.Queue, known.acknowledged, receipt)
	}
	for _, h := range known.holds {
		if h.receipt.PoppedAt > before.PoppedAt && h.receipt.PoppedAt < receipt.PoppedAt {
			g.run.failSafety("%v: %v at %d of %v is held by %s, and an older receipt (%s) was replaced (%s)", g, r, r.Offset, r.Queue, h.receipt, before, receipt)
		}
	}
	g.hold(r, popHold{receipt: receipt})
}

// maybeAcknowledged notes that a message may not come any more.
func (g *popGroup) maybeAcknowledged(r *client.Received) { g.message(r).maybe = true }

// acknowledged looks at a message of which a broker has said that it was consumed.
func (g *popGroup) acknowledged(r *client.Received, receipt proto.PopReceipt) {
	known := g.message(r)
	if known.acknowledged.PoppedAt > 0 {
		g.run.failSafety("%v: %v at %d of %v was acknowledged twice with success, by %s and %s", g, r, r.Offset, r.Queue, known.acknowledged, receipt)
	}
	known.acknowledged = receipt
	for _, h := range known.holds {
		if h.receipt.PoppedAt > receipt.PoppedAt {
			g.run.failSafety("%v: %v at %d of %v was acknowledged by %s, though a newer receipt holds it (%s)", g, r, r.Offset, r.Queue, receipt, h.receipt)
		}
	}
}

// whenConsumed demands that brokers know what is consumed, too: that the offset of each group is the end of each queue. Then every message was
// acknowledged, or is a dead letter.
func (p *popRun) whenConsumed(probe *pubsubClient) {
	for _, g := range p.groups {
		for _, queue := range p.queues {
			p.awaitFloor(g, queue)
		}
		p.readDeadLetters(probe, g)
		p.demandAll(g)
	}
	if p.kernel.Failure() == nil {
		p.kernel.Mark("popped while all was quiet")
	}
}

// poppedWithin is for the next message of a queue. Messages are hidden for half a minute at most, and then each is acknowledged.
const poppedWithin = time.Minute

// awaitFloor waits until a group has no message of a queue in flight.
func (p *popRun) awaitFloor(g *popGroup, queue client.Queue) {
	var answer *rawAnswer
	settled := func() bool {
		net := newRawClient(p.observer)
		defer net.close()
		answer = net.call(p.address(queue), proto.ReqQueryConsumerOffset, map[string]string{
			"consumerGroup": g.name, "topic": queue.Topic, "queueId": fmt.Sprint(queue.QueueID), "setZeroIfNotFound": "false",
		}, nil)
		return answer != nil && answer.Code == int(proto.RespSuccess) && answer.Fields["offset"] == fmt.Sprint(int64(p.end(queue)))
	}
	for before := ""; !p.await(poppedWithin, settled); before = answer.Fields["offset"] {
		if answer != nil && answer.Code == int(proto.RespSuccess) && answer.Fields["offset"] != before {
			continue // it gets on
		}
		p.failLiveness("after everything healed, %v has not consumed %v, which ends at %d, within %s: %v", g, queue, p.end(queue), poppedWithin, answer)
		return
	}
}

func (p *popRun) readDeadLetters(probe *pubsubClient, g *popGroup) {
	clear(g.dead)
	p.readTopic(probe, proto.DeadLetterTopic(g.name), func(r *client.Received) {
		p.whole(r)
		p.kernel.Mark("a dead letter")
		g.dead[linearizability.HashOf(r.Body)]++
	})
}

// demandAll: each message was acknowledged, or is a dead letter.
func (p *popRun) demandAll(g *popGroup) {
	for _, queue := range p.queues {
		for _, entry := range p.Logs[queue.String()].Entries {
			known := g.of[popKey{queue, client.QueueOffset(entry.Offset)}]
			if g.dead[entry.Hash] == 0 && (known == nil || known.acknowledged.PoppedAt == 0 && !known.maybe) {
				p.failSafety("%v: message %d of %v is lost: nobody has acknowledged it, and it is no dead letter; known of it is %+v", g, entry.Offset, queue, known)
			}
		}
	}
}
