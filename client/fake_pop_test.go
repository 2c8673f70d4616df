package client_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// pops is what a fake broker does for consumers that pop: it hides messages, gives out receipts and checks them, and has what was not
// acknowledged in time come again through the retry topic.
type pops struct {
	next    map[client.Queue]int64  // what was popped of each queue
	holds   map[client.Queue]*holds // by queue
	asked   []proto.PopMessage
	acks    []proto.AckMessage
	batches []*proto.BatchAckMessage
	hides   []proto.ChangeMessageInvisibleTime
	times   []env.Instant // of hides
	// answer changes the header of an answer; nil: it stays.
	answer func(*proto.PopMessageResponse)
	// assignment answers QUERY_ASSIGNMENT; nil: that is not supported.
	assignment func(*proto.QueryAssignment) *proto.Assignment
	queries    []*proto.QueryAssignment
}

// holds are the receipts that hold messages of a queue, by offset.
type holds struct {
	receipts map[int64]proto.PopReceipt
}

func newPops() *pops {
	return &pops{next: map[client.Queue]int64{}, holds: map[client.Queue]*holds{}}
}

// popping makes the brokers of a cluster serve pops.
func newPopCluster(t *testing.T, seed uint64) *cluster {
	t.Helper()
	c := newGroupCluster(t, seed)
	c.a.pops, c.b.pops = newPops(), newPops()
	return c
}

// serve reports whether it has dealt with a request.
func (p *pops) serve(b *broker, in *transport.Incoming) bool {
	fields := in.Command.Fields
	switch in.Command.Code {
	case proto.ReqPopMessage:
		var h proto.PopMessage
		must(h.DecodeFields(fields))
		p.asked = append(p.asked, h)
		p.pop(b, in.Reply(), h)
	case proto.ReqAckMessage:
		var h proto.AckMessage
		must(h.DecodeFields(fields))
		p.acks = append(p.acks, h)
		p.settle(in.Reply(), client.Queue{Topic: h.Topic, BrokerName: b.name, QueueID: h.QueueID}, h.QueueOffset, h.CheckPoint)
	case proto.ReqBatchAckMessage:
		p.batch(b, in)
	case proto.ReqChangeMessageInvisibleTime:
		p.hide(b, in)
	case proto.ReqQueryAssignment:
		return p.assign(in)
	default:
		return false
	}
	return true
}

func (p *pops) assign(in *transport.Incoming) bool {
	q := must1(proto.UnmarshalQueryAssignment(in.Command.Body))
	p.queries = append(p.queries, q)
	if p.assignment == nil {
		return false
	}
	in.Reply().Success(p.assignment(q).Marshal())
	return true
}

func (p *pops) of(q client.Queue) *holds {
	if p.holds[q] == nil {
		p.holds[q] = &holds{receipts: map[int64]proto.PopReceipt{}}
	}
	return p.holds[q]
}

// pop answers at once if there is something, and holds the request if there is not.
func (p *pops) pop(b *broker, reply transport.Reply, h proto.PopMessage) {
	until := b.env.Clock.Now().Add(time.Duration(h.HoldForMillis) * time.Millisecond)
	b.env.Tasks.Go("hold pop", func() {
		for {
			if !reply.Alive() {
				return
			}
			if response, body := p.take(b, h); len(body) > 0 {
				reply.Send(proto.RespSuccess, response, body)
				return
			}
			now := b.env.Clock.Now()
			if until.Reached(now) {
				reply.Error(proto.RespPollingTimeout, "nothing to pop")
				return
			}
			b.env.Tasks.Sleep(min(50*time.Millisecond, until.Sub(now)))
		}
	})
}

// take pops what there is, messages that come again first.
func (p *pops) take(b *broker, h proto.PopMessage) (*proto.PopMessageResponse, []byte) {
	p.revive(b, h.ConsumerGroup)
	response := &proto.PopMessageResponse{PoppedAt: int64(b.env.Clock.Wall()), InvisibleMillis: h.InvisibleMillis, ReviveQueueID: 3}
	var starts []proto.PopStart
	var offsets []proto.PopQueueOffsets
	var body []byte
	left := int(h.MaxMessages)
	for _, q := range slices.SortedFunc(maps.Keys(b.queues), client.Queue.Compare) {
		topic, retry := proto.SplitPopRetryTopic(h.ConsumerGroup, q.Topic)
		if topic != h.Topic || h.QueueID >= 0 && q.QueueID != h.QueueID && retry == proto.PopNormal {
			continue
		}
		list := proto.PopQueueOffsets{Retry: retry, QueueID: q.QueueID}
		for ; left > 0 && p.next[q] < int64(len(b.queues[q])); left-- {
			offset := p.next[q]
			p.next[q]++
			list.Offsets = append(list.Offsets, offset)
			receipt := proto.PopReceipt{
				StartOffset: list.Offsets[0], PoppedAt: response.PoppedAt, InvisibleMillis: h.InvisibleMillis, ReviveQueueID: 3, Retry: retry,
				BrokerName: b.name, QueueID: q.QueueID, QueueOffset: offset, LogOffset: -1,
			}
			p.of(q).receipts[offset] = receipt
			body = must1(message.AppendRecord(body, p.record(b, q, receipt, topic)))
		}
		if len(list.Offsets) > 0 {
			starts = append(starts, proto.PopStart{Retry: retry, QueueID: q.QueueID, Offset: list.Offsets[0]})
			offsets = append(offsets, list)
		}
	}
	response.StartOffsets, response.MessageOffsets = proto.FormatPopStarts(starts), proto.FormatPopQueueOffsets(offsets)
	if p.answer != nil {
		p.answer(response)
	}
	return response, body
}

// record is a message as it is sent: what comes again has its first topic, and a receipt.
func (p *pops) record(b *broker, q client.Queue, receipt proto.PopReceipt, topic string) *message.Record {
	r := b.queues[q][receipt.QueueOffset]
	if receipt.Retry != proto.PopNormal {
		list := message.ParseProperties(r.Properties)
		list.Set(message.PropertyReceipt, receipt.String())
		r.Topic, r.Properties = []byte(topic), must1(list.Append(nil))
	}
	return &r
}

// revive moves messages whose time is over to the retry topic.
func (p *pops) revive(b *broker, group string) {
	now := int64(b.env.Clock.Wall())
	for _, q := range slices.SortedFunc(maps.Keys(p.holds), client.Queue.Compare) {
		topic, _ := proto.SplitPopRetryTopic(group, q.Topic)
		retry := client.Queue{Topic: proto.PopRetryTopic(group, topic, proto.PopRetryV1), BrokerName: b.name}
		for _, offset := range slices.Sorted(maps.Keys(p.holds[q].receipts)) {
			if p.holds[q].receipts[offset].VisibleAt() > now {
				continue
			}
			delete(p.holds[q].receipts, offset)
			r := b.queues[q][offset]
			b.append(retry, r.Body, r.Properties, 0)
			again := &b.queues[retry][len(b.queues[retry])-1]
			again.Redeliveries, again.BornAt = r.Redeliveries+1, r.BornAt
		}
	}
}

// held reports whether a receipt holds a message.
func (p *pops) held(q client.Queue, offset int64, text string) bool {
	receipt, found := p.of(q).receipts[offset]
	return found && receipt.String() == text
}

func (p *pops) settle(reply transport.Reply, q client.Queue, offset int64, text string) {
	if !p.held(q, offset, text) {
		reply.Error(proto.RespNoMessage, "the receipt holds nothing")
		return
	}
	delete(p.of(q).receipts, offset)
	reply.Success(nil)
}

func (p *pops) batch(b *broker, in *transport.Incoming) {
	body := must1(proto.UnmarshalBatchAckMessage(in.Command.Body))
	p.batches = append(p.batches, body)
	refused := false
	for _, a := range body.Acks {
		q := client.Queue{Topic: proto.PopRetryTopic(a.ConsumerGroup, a.Topic, proto.PopRetry(a.Retry)), BrokerName: b.name, QueueID: a.QueueID}
		for offset := a.StartOffset; offset < a.StartOffset+int64(8*len(a.Bits)); offset++ {
			if !a.Has(offset) {
				continue
			}
			receipt := p.of(q).receipts[offset]
			if receipt.StartOffset != a.StartOffset || receipt.PoppedAt != a.PoppedAt || receipt.InvisibleMillis != a.InvisibleMillis {
				refused = true
				continue
			}
			delete(p.of(q).receipts, offset)
		}
	}
	if refused {
		in.Reply().Error(proto.RespNoMessage, "a receipt holds nothing")
		return
	}
	in.Reply().Success(nil)
}

func (p *pops) hide(b *broker, in *transport.Incoming) {
	var h proto.ChangeMessageInvisibleTime
	must(h.DecodeFields(in.Command.Fields))
	p.hides, p.times = append(p.hides, h), append(p.times, b.env.Clock.Now())
	q := client.Queue{Topic: h.Topic, BrokerName: b.name, QueueID: h.QueueID}
	if !p.held(q, h.QueueOffset, h.CheckPoint) {
		in.Reply().Error(proto.RespNoMessage, "the receipt holds nothing")
		return
	}
	receipt := p.of(q).receipts[h.QueueOffset]
	receipt.StartOffset, receipt.PoppedAt, receipt.InvisibleMillis, receipt.ReviveQueueID = h.QueueOffset, int64(b.env.Clock.Wall()), h.InvisibleMillis, 5
	p.of(q).receipts[h.QueueOffset] = receipt
	in.Reply().Send(proto.RespSuccess, &proto.ChangeMessageInvisibleTimeResponse{
		PoppedAt: receipt.PoppedAt, InvisibleMillis: receipt.InvisibleMillis, ReviveQueueID: receipt.ReviveQueueID,
	}, nil)
}

// holding counts the messages that are held.
func (p *pops) holding() (n int) {
	for _, h := range p.holds {
		n += len(h.receipts)
	}
	return n
}

// bodyOf is the body of a message of put, without the name of the queue.
func bodyOf(m *client.PoppedMessage) string {
	_, number, _ := strings.Cut(string(m.Body), "#")
	return fmt.Sprintf("%s%d#%s", m.Queue.BrokerName, m.Queue.QueueID, number)
}
