package client

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// KeyQuery asks for messages by key.
type KeyQuery struct {
	Topic string
	Key   string
	// UniqueID: Key is the id that the sender gave the message (UNIQ_KEY). Otherwise it is that or one of its business keys.
	UniqueID bool
	// From and To bound when the messages were stored, both included; zero sets no bound.
	From, To time.Time
	// Max is the number of messages that each broker brings at most, the newest ones; 0 is 64, and brokers bring no more than that.
	Max int
	// Cluster, if it is not empty, is asked at all its masters. Otherwise those of the topic's route are.
	Cluster string
}

// queryMax is what brokers bring at most (maxMsgsNumBatch).
const queryMax = 64

// header is the query as brokers are asked.
func (q *KeyQuery) header() *proto.QueryMessage {
	header := &proto.QueryMessage{Topic: q.Topic, Key: q.Key, Max: int32(cmp.Or(min(q.Max, queryMax), queryMax)), End: math.MaxInt64, UniqueKey: q.UniqueID}
	if !q.From.IsZero() {
		header.Begin = q.From.UnixMilli()
	}
	if !q.To.IsZero() {
		header.End = q.To.UnixMilli()
	}
	return header
}

// wants drops what a broker that compares hashes only has found.
func (q *KeyQuery) wants(topic string, r *Received) bool {
	if topic != q.Topic || q.Key == "" {
		return false
	}
	if r.UniqueID() == q.Key {
		return true
	}
	return !q.UniqueID && slices.Contains(strings.Split(r.Properties.Get(message.PropertyKeys), " "), q.Key)
}

// FindByKey returns messages by key, in the order in which they were stored; none is no error. It goes on after the failure of a
// broker: what the others have comes together with the error.
func (a *Admin) FindByKey(ctx context.Context, q KeyQuery) ([]*Received, error) {
	q.Topic = a.full(q.Topic)
	masters, err := a.mastersFor(ctx, &q)
	if err != nil {
		return nil, err
	}
	var found []*Received
	var failures []error
	for _, master := range masters {
		part, err := a.findByKeyAt(ctx, master, &q)
		if err != nil {
			failures = append(failures, err)
		}
		found = append(found, part...)
	}
	slices.SortStableFunc(found, func(x, y *Received) int { return x.StoredAt.Compare(y.StoredAt) })
	return found, join(failures)
}

// mastersFor lists those that the query names.
func (a *Admin) mastersFor(ctx context.Context, q *KeyQuery) ([]Broker, error) {
	if q.Cluster == "" {
		return a.BrokersOf(ctx, q.Topic)
	}
	brokers, err := a.Brokers(ctx, q.Cluster)
	if err != nil {
		return nil, err
	}
	masters := mastersAmong(brokers)
	if len(masters) == 0 {
		return nil, fmt.Errorf("%w: no master has messages of topic %s to search", ErrNoBroker, q.Topic)
	}
	return masters, nil
}

func (a *Admin) findByKeyAt(ctx context.Context, at Broker, q *KeyQuery) ([]*Received, error) {
	response, err := a.askBroker(ctx, at.Address, &transport.Request{Code: proto.ReqQueryMessage, Header: q.header()})
	if hasCode(err, proto.RespQueryNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	messages, err := a.decoder().decode(response.Body)
	if err != nil {
		return nil, fmt.Errorf("key %s: the answer of %s cannot be read: %w", q.Key, at.Address, err)
	}
	messages = slices.DeleteFunc(messages, func(r *Received) bool { return !q.wants(a.full(r.Topic), r) })
	for _, r := range messages {
		r.Queue.BrokerName = at.Name
	}
	return messages, nil
}

// DeleteExpiredLog makes a broker remove the expired files of its commit log soon, whatever the hour. The answer does not wait
// for it.
func (a *Admin) DeleteExpiredLog(ctx context.Context, address string) error {
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqDeleteExpiredCommitLog})
	return err
}

// CleanExpiredQueues makes a broker remove consume queues that nobody needs: with Gantry those of topics that do not exist, with
// a Java broker also those whose messages have all expired, which then begin at 0 again.
func (a *Admin) CleanExpiredQueues(ctx context.Context, address string) error {
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqCleanExpiredConsumeQueue})
	return err
}

// CleanUnusedTopics makes a broker remove consume queues of topics that do not exist.
func (a *Admin) CleanUnusedTopics(ctx context.Context, address string) error {
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqCleanUnusedTopic})
	return err
}
