package client

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// QueuePosition is an offset that a group has in a queue.
type QueuePosition = proto.QueueOffset

// Reset says where a group is to go on.
type Reset struct {
	Group, Topic string
	// To is the time of storing from which on messages are to be consumed. Zero is behind the newest message.
	To time.Time
	// OnlyBack leaves queues alone in which the group is not that far yet. Not all brokers heed it.
	OnlyBack bool
	// Queue is the only queue that is meant, if it is set, and Offset where to go in it, if that is set, whatever To says.
	Queue  proto.Maybe[int32]
	Offset proto.Maybe[int64]
}

// timestamp is To as brokers are told.
func (r *Reset) timestamp() int64 {
	if r.To.IsZero() {
		return -1
	}
	return r.To.UnixMilli()
}

// ResetOffset makes a group go on elsewhere in the queues of one broker, and returns where. Members that are online follow. Brokers that
// reset only through their clients refuse that while nobody is online; then the offsets are committed queue by queue.
func (a *Admin) ResetOffset(ctx context.Context, broker Broker, reset Reset) ([]QueuePosition, error) {
	header := &proto.ResetOffset{
		Topic: a.full(reset.Topic), Group: a.full(reset.Group), Timestamp: reset.timestamp(), Force: !reset.OnlyBack, QueueID: reset.Queue, Offset: reset.Offset,
	}
	table, err := bodyOf(ctx, a, broker.Address, proto.ReqInvokeBrokerToResetOffset, header, proto.UnmarshalResetOffsets)
	if hasCode(err, proto.RespConsumerNotOnline) {
		return a.resetByCommits(ctx, broker, &reset)
	}
	if err != nil {
		return nil, err
	}
	return table.Offsets, nil
}

// resetByCommits does without the help of the broker.
func (a *Admin) resetByCommits(ctx context.Context, broker Broker, reset *Reset) ([]QueuePosition, error) {
	stats, err := a.topicStatsAt(ctx, broker.Address, reset.Topic)
	if err != nil {
		return nil, err
	}
	committed, err := a.ConsumeStats(ctx, broker.Address, reset.Group, reset.Topic)
	if err != nil {
		return nil, err
	}
	var done []QueuePosition
	for _, queue := range stats.Queues {
		if reset.Queue.Set && reset.Queue.Value != queue.Queue.QueueID {
			continue
		}
		at, err := a.resetTarget(ctx, broker.Address, reset, queue)
		if err != nil {
			return done, err
		}
		if reset.OnlyBack {
			at = min(at, committedIn(committed, queue.Queue))
		}
		if err := a.commitAt(ctx, broker.Address, reset.Group, queue.Queue, at); err != nil {
			return done, err
		}
		done = append(done, QueuePosition{Queue: queue.Queue, Offset: at})
	}
	return done, nil
}

// resetTarget is where to go in one queue.
func (a *Admin) resetTarget(ctx context.Context, address string, reset *Reset, queue proto.QueueStats) (int64, error) {
	switch {
	case reset.Offset.Set && reset.Queue.Set:
		return reset.Offset.Value, nil
	case reset.To.IsZero():
		return queue.Max, nil
	}
	header := &proto.SearchOffsetByTimestamp{Topic: queue.Queue.Topic, QueueID: queue.Queue.QueueID, Timestamp: reset.timestamp()}
	response, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqSearchOffsetByTimestamp, Header: header})
	if err != nil {
		return 0, err
	}
	var h proto.OffsetResponse
	if err := h.DecodeFields(response.Fields); err != nil {
		return 0, fmt.Errorf("offset by time in %s: the answer of %s cannot be read: %w", queue.Queue, address, err)
	}
	return h.Offset, nil
}

// committedIn is a great number if the group has none.
func committedIn(stats *ConsumeStats, queue Queue) int64 {
	for i := range stats.Queues {
		if stats.Queues[i].Queue == queue {
			return stats.Queues[i].ConsumerOffset
		}
	}
	return math.MaxInt64
}

func (a *Admin) commitAt(ctx context.Context, address, group string, queue Queue, offset int64) error {
	header := &proto.UpdateConsumerOffset{ConsumerGroup: a.full(group), Topic: queue.Topic, QueueID: queue.QueueID, CommitOffset: offset}
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqUpdateConsumerOffset, Header: header})
	return err
}

// CloneOffsets makes a group go on where another one is, at one broker: in one topic, or in all that the other has offsets
// of if topic is "". With offline also in topics that no member of the other group subscribes.
func (a *Admin) CloneOffsets(ctx context.Context, address, from, to, topic string, offline bool) error {
	header := &proto.CloneGroupOffset{FromGroup: a.full(from), ToGroup: a.full(to), Topic: a.full(topic), Offline: offline}
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqCloneGroupOffset, Header: header})
	return err
}
