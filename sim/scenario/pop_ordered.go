package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// Ordered pops are for the gRPC proxy, so these members speak the protocol by hand.

// addOrdered lets some members be a group that pops in order.
func (p *popRun) addOrdered() {
	p.groups = append(p.groups, &popGroup{
		run: p, name: "ordered", invisible: p.draw.duration("hidden for, in order", time.Second, 10*time.Second), most: 10_000, ordered: true,
		of: map[popKey]*poppedMessage{}, dead: map[linearizability.Hash]int{},
	})
}

// orderedPopper is one of them.
type orderedPopper struct {
	p        *popRun
	group    *popGroup
	member   *fleetMember
	env      env.Env
	net      *rawClient
	attempts int
	gone     bool
}

func newOrderedPopper(g *popGroup, m *fleetMember) *orderedPopper {
	return &orderedPopper{p: g.run, group: g, member: m, env: m.env, net: newRawClient(m.env)}
}

// Start begins to pop, of one queue after the other.
func (c *orderedPopper) Start(context.Context) error {
	c.env.Tasks.Go("pop in order", func() {
		for i := 0; !c.gone; i++ {
			c.popOnce(c.p.queues[i%len(c.p.queues)])
			c.env.Tasks.Sleep(20 * time.Millisecond)
		}
		c.net.close()
	})
	return nil
}

// Assigned is what every member has: all queues.
func (c *orderedPopper) Assigned(context.Context) ([]client.Queue, error) { return c.p.queues, nil }

// Close ends the application, in the middle of what it does.
func (c *orderedPopper) Close(context.Context) error {
	c.gone = true
	return nil
}

// popOnce pops, once more by the same name if there was no answer, and deals with what comes.
func (c *orderedPopper) popOnce(queue client.Queue) {
	c.attempts++
	attempt := fmt.Sprintf("%s attempt %d", c.member, c.attempts)
	answer := c.pop(queue, attempt)
	if answer == nil || c.member.random.Chance(0.1) {
		if answer = c.pop(queue, attempt); answer != nil && answer.Code == int(proto.RespSuccess) {
			c.p.kernel.Mark("popped in order once more")
		}
	}
	if answer == nil || answer.Code != int(proto.RespSuccess) || c.gone {
		return
	}
	batch, receipts := c.read(queue, answer)
	c.group.inOrder(queue, batch)
	for i, r := range batch {
		c.p.kernel.Mark("popped in order")
		c.group.delivered(r, receipts[i])
	}
	for i, r := range batch {
		c.p.toil(c.env, c.member)
		if c.gone || !c.p.stopped && c.member.random.Chance(c.p.forgets) {
			return // the others behind it come again with it
		}
		c.acknowledge(r, receipts[i])
	}
}

func (c *orderedPopper) pop(queue client.Queue, attempt string) *rawAnswer {
	return c.net.call(c.p.address(queue), proto.ReqPopMessage, map[string]string{
		"consumerGroup": c.group.name, "topic": queue.Topic, "queueId": fmt.Sprint(queue.QueueID), "maxMsgNums": fmt.Sprint(c.p.batch),
		"invisibleTime": fmt.Sprint(c.group.invisible.Milliseconds()), "pollTime": "0", "bornTime": fmt.Sprint(int64(c.env.Clock.Wall())), "initMode": "0",
		"expType": "TAG", "exp": "*", "order": "true", "attemptId": attempt,
	}, nil)
}

// read reads messages and their receipts.
func (c *orderedPopper) read(queue client.Queue, answer *rawAnswer) (batch []*client.Received, receipts []proto.PopReceipt) {
	offsets, err := proto.ParsePopQueueOffsets(answer.Fields["msgOffsetInfo"])
	if err != nil || len(offsets) != 1 {
		c.p.failSafety("a pop of %v was answered with %v: %v", queue, answer, err)
		return nil, nil
	}
	for r, err := range message.DecodeRecords(answer.body, true) {
		if err != nil || len(batch) == len(offsets[0].Offsets) {
			c.p.failSafety("a pop of %v was answered with %v: %v", queue, answer, err)
			return nil, nil
		}
		receipt := proto.PopReceipt{
			StartOffset: offsets[0].Offsets[0], ReviveQueueID: proto.ReviveQueueOrdered, Retry: proto.PopNormal, BrokerName: queue.BrokerName, QueueID: queue.QueueID,
			QueueOffset: offsets[0].Offsets[len(batch)], LogOffset: -1,
		}
		if _, err := fmt.Sscan(answer.Fields["popTime"], &receipt.PoppedAt); err != nil {
			c.p.failSafety("a pop of %v was answered with %v: %v", queue, answer, err)
		}
		receipt.InvisibleMillis = c.group.invisible.Milliseconds()
		received := &client.Received{Queue: queue, Offset: client.QueueOffset(r.QueueOffset), Redeliveries: r.Redeliveries}
		received.Topic, received.Body = string(r.Topic), append([]byte{}, r.Body...)
		if int64(r.QueueOffset) != receipt.QueueOffset {
			c.p.failSafety("a pop of %v has message %d where its offsets say %d", queue, r.QueueOffset, receipt.QueueOffset)
		}
		batch, receipts = append(batch, received), append(receipts, receipt)
	}
	return batch, receipts
}

func (c *orderedPopper) acknowledge(r *client.Received, receipt proto.PopReceipt) {
	c.group.maybeAcknowledged(r)
	answer := c.net.call(c.p.address(r.Queue), proto.ReqAckMessage, map[string]string{
		"consumerGroup": c.group.name, "topic": r.Queue.Topic, "queueId": fmt.Sprint(r.Queue.QueueID), "extraInfo": receipt.String(), "offset": fmt.Sprint(int64(r.Offset)),
	}, nil)
	switch {
	case answer == nil:
	case answer.Code == int(proto.RespSuccess):
		c.group.acknowledged(r, receipt)
	case answer.Code == int(proto.RespNoMessage):
		c.p.kernel.Mark("an old receipt was refused")
	}
}

// inOrder demands of a pop in order that nothing before a message is in flight, but for what has come with it.
func (g *popGroup) inOrder(queue client.Queue, batch []*client.Received) {
	came := map[client.QueueOffset]bool{}
	for i, r := range batch {
		if i > 0 && r.Offset <= batch[i-1].Offset {
			g.run.failSafety("%v: message %d of %v came behind %d in one pop", g, r.Offset, queue, batch[i-1].Offset)
		}
		came[r.Offset] = true
	}
	if len(batch) == 0 {
		return
	}
	last := batch[len(batch)-1].Offset
	for offset := range last {
		known := g.of[popKey{queue, offset}]
		if came[offset] || known != nil && (known.acknowledged.PoppedAt > 0 || known.maybe) {
			continue
		}
		g.run.failSafety("%v: message %d of %v came, and %d before it was not acknowledged", g, last, queue, offset)
	}
}
