package broker

import (
	"errors"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// deleteExpiredLog handles DELETE_EXPIRED_COMMITLOG: expired files of the log go in the next rounds of cleaning, whatever the
// hour. It is answered at once.
func (b *Broker) deleteExpiredLog(in *transport.Incoming) {
	b.store.CleanNow()
	in.Reply().Success(nil)
}

// cleanQueues handles CLEAN_EXPIRED_CONSUMEQUEUE and CLEAN_UNUSED_TOPIC: it removes the queues and offsets of topics that
// are in no table, as a removal that failed leaves them. Queues of topics that exist stay, also those whose messages have all
// expired: a Java broker removes them, and then counts their messages from 0 again, so that consumers miss what comes next.
func (b *Broker) cleanQueues(in *transport.Incoming) {
	reply := in.Reply()
	var err error
	b.await(in, func() { err = b.topics.sweep() })
	if err != nil {
		reply.Error(proto.RespSystemError, err.Error())
		return
	}
	reply.Success(nil)
}

// sweep removes what belongs to topics that the table has not. Nobody can make one of them meanwhile. It waits.
func (t *topicTable) sweep() error {
	t.change.Acquire(nil, env.Never)
	defer t.change.Release()
	var errs []error
	for _, name := range t.orphans() {
		t.broker.env.Log.Info("queues of a topic that does not exist are removed", zap.String("topic", name))
		errs = append(errs, t.broker.dropTopic(name))
	}
	return errors.Join(errs...)
}

// orphans lists the topics that have queues and are not in the table.
func (t *topicTable) orphans() []string {
	var names []string
	for _, key := range t.broker.store.Queues() {
		if t.byName[key.Topic] == nil && !slices.Contains(names, key.Topic) {
			names = append(names, key.Topic)
		}
	}
	return names
}
