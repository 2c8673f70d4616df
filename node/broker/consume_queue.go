package broker

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// entriesMax bounds the entries of one answer; each takes about a hundred bytes there.
const entriesMax = 10_000

// queryConsumeQueue handles QUERY_CONSUME_QUEUE: what a queue says of some of its messages, and what a group subscribes of the topic. It waits
// for the disk. Where a Java broker has no entry for the index it answers without a body, on which its tool fails; here the answer has the
// range of the queue.
//
// Answers: success, with a remark if there is no such index; system error (no such queue, or it cannot be read); invalid parameter.
func (b *Broker) queryConsumeQueue(in *transport.Incoming) {
	var h proto.QueryConsumeQueue
	if !decode(in, &h) {
		return
	}
	reply, key := in.Reply(), queueKey(h.Topic, h.QueueID)
	first, end := b.store.Bounds(key)
	if end == 0 {
		reply.Error(proto.RespSystemError, fmt.Sprintf("%d@%s is not exist!", h.QueueID, h.Topic))
		return
	}
	part := proto.ConsumeQueuePart{Min: int64(first), Max: int64(end)}
	b.describeFilter(&part, &h)
	var found bool
	var err error
	var body []byte
	b.await(in, func() {
		var entries []store.Entry
		entries, found, err = b.store.Entries(key, message.QueueOffset(h.Index), min(int(h.Count), entriesMax))
		inBatches := b.store.InBatches(key)
		// Some thousand entries take milliseconds to be written.
		b.env.Tasks.Offload(func() {
			if found {
				part.Entries = shownEntries(entries, inBatches)
			}
			body = part.Marshal()
		})
	})
	switch {
	case err != nil:
		reply.Error(proto.RespSystemError, err.Error())
	case !found:
		reply.SendFields(proto.RespSuccess, fmt.Sprintf("Index %d of %d@%s is not exist!", h.Index, h.QueueID, h.Topic), nil, nil, body)
	default:
		reply.Success(body)
	}
}

// describeFilter adds what the group of a query subscribes, if it names one. The text about the filter is in the words of a Java broker, which
// compiles no tags, and so has nothing to tell of them.
func (b *Broker) describeFilter(part *proto.ConsumeQueuePart, h *proto.QueryConsumeQueue) {
	if h.ConsumerGroup == "" {
		return
	}
	part.Subscription = b.clients.anySubscription(h.ConsumerGroup, h.Topic)
	switch s := part.Subscription; {
	case s == nil:
		part.FilterData = fmt.Sprintf("%s@%s is not online!", h.ConsumerGroup, h.Topic)
	case s.ExpressionType == proto.ExpressionTag:
		part.FilterData = "null"
	default:
		part.FilterData = filterData(h.ConsumerGroup, s)
	}
}

// filterData has the names of class ConsumerFilterData.
func filterData(group string, s *proto.SubscriptionData) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	// Comparisons are to be read by people.
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "\t")
	err := encoder.Encode(struct {
		Version    int64  `json:"clientVersion"`
		Group      string `json:"consumerGroup"`
		Expression string `json:"expression"`
		Type       string `json:"expressionType"`
		Topic      string `json:"topic"`
	}{s.Version, group, s.Expression, s.ExpressionType, s.Topic})
	if err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// shownEntries is what tools are told of entries.
func shownEntries(entries []store.Entry, inBatches bool) []proto.ConsumeQueueEntry {
	shown := make([]proto.ConsumeQueueEntry, len(entries))
	for i, e := range entries {
		shown[i] = proto.ConsumeQueueEntry{LogOffset: int64(e.Log), Size: e.Size, TagHash: e.TagHash, Note: noteOn(e, inBatches)}
	}
	return shown
}

// noteOn says what the other fields of an entry cannot tell; mostly there is nothing.
func noteOn(e store.Entry, inBatches bool) string {
	switch {
	case e.Filler:
		return "the message is gone"
	case inBatches:
		return proto.MessagesNote(int64(e.Number), int64(e.Number)+int64(e.Count))
	case e.TagHash < math.MinInt32:
		// A Java broker with enableConsumeQueueExt has written it. Its second file is not read here.
		return fmt.Sprintf("Cq extend not exist!addr: %d", e.TagHash)
	}
	return ""
}
