package client

import (
	"fmt"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/assign"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// wantedQueue is a queue that this consumer is to hold, and how it gets messages of it.
type wantedQueue struct {
	Queue
	mode proto.MessageRequestMode
}

// pulls are wanted queues that are pulled.
func pulls(queues []Queue) []wantedQueue {
	wanted := make([]wantedQueue, len(queues))
	for i, q := range queues {
		wanted[i] = wantedQueue{q, proto.ModePull}
	}
	return wanted
}

// inMode are those of wanted that are held in one way.
func inMode(wanted []wantedQueue, mode proto.MessageRequestMode) (queues []Queue) {
	for _, w := range wanted {
		if w.mode == mode {
			queues = append(queues, w.Queue)
		}
	}
	return queues
}

// asksBrokers reports whether brokers decide which queues are held.
func (c *PushConsumer) asksBrokers() bool {
	return c.config.pop.asksBrokers && !c.push.inOrder && c.push.model == Clustering
}

// askAssignment asks brokers which queues of a topic are this consumer's (QUERY_ASSIGNMENT). It reports false if members are to share them out
// by themselves: no broker has answered yet since the consumer started, and none does now. Once a broker has answered, members rely on
// that, and an error means that the consumer keeps what it has: some would pull what others pop otherwise.
func (c *PushConsumer) askAssignment(t *topic) (wanted []wantedQueue, decided bool, err error) {
	list, err := c.queryEach(t)
	if err != nil {
		if c.decided[t.name] {
			return nil, true, err
		}
		c.core.env.Log.Info("no broker tells which queues to hold: the members share them out", zap.String("topic", t.name), zap.Error(err))
		return nil, false, nil
	}
	c.decided[t.name] = true
	if !list.Queues.Set {
		return nil, true, fmt.Errorf("no broker has a valid assignment of %s: it may not know this member, or the strategy %s", t.name, c.push.strategyName())
	}
	wanted, err = wantedOf(t.name, list.Queues.Value)
	return wanted, true, err
}

// wantedOf takes an assignment that a broker has sent.
func wantedOf(topic string, list []proto.AssignedQueue) (wanted []wantedQueue, err error) {
	for _, q := range list {
		least := int32(0)
		if q.Mode == proto.ModePop {
			least = assign.WholeBroker
		}
		if q.Queue.Topic != topic || q.Queue.BrokerName == "" || q.Queue.QueueID < least {
			return nil, fmt.Errorf("the assignment of %s holds %s to be consumed by %s", topic, q.Queue, q.Mode)
		}
		wanted = append(wanted, wantedQueue{q.Queue, q.Mode})
	}
	return wanted, nil
}

// queryEach asks one broker of a topic after the other. All members ask in the same order, as for members.
func (c *PushConsumer) queryEach(t *topic) (*proto.Assignment, error) {
	var failures []error
	for _, name := range brokerNamesOf(t.subscribe) {
		address, ok := c.core.brokers.named(name).reader(proto.MasterID)
		if !ok || c.rebalance.silent[name] {
			continue
		}
		list, err := c.query(t.name, address)
		if err == nil {
			return list, nil
		}
		c.rebalance.silent[name] = hasNoAnswer(err)
		failures = append(failures, err)
	}
	if len(failures) == 0 {
		return nil, fmt.Errorf("%w: none of the brokers of %s answers, or none is known", ErrNoBroker, t.name)
	}
	return nil, join(failures)
}

// queryTries is how often a broker is asked that does not answer in time; each try has more of it.
const queryTries = 3

func (c *PushConsumer) query(topic, address string) (list *proto.Assignment, err error) {
	k := c.core
	k.beats.ensure(nil, address, k.env.Clock.Now().Add(c.config.requestTimeout))
	body := &proto.QueryAssignment{
		Topic: topic, ConsumerGroup: c.config.group, ClientID: k.ids.clientID(), Strategy: c.push.strategyName(), Model: c.push.model,
	}
	for try := range queryTries {
		patience := c.config.requestTimeout * time.Duration(try+1) / queryTries
		request := &transport.Request{Code: proto.ReqQueryAssignment, Body: body.Marshal()}
		response, failure := k.ask(nil, address, request, k.env.Clock.Now().Add(patience))
		if failure == nil {
			return proto.UnmarshalAssignment(response.Body)
		}
		if err = failure; !transport.MaybeCarriedOut(err) {
			break
		}
	}
	return nil, err
}

// followPops subscribes to what was popped from a topic and comes again, while the topic is pulled: nobody else brings it then. While it
// is popped, brokers do. Names of the second form are taken as they are, though no application could give them.
func (c *PushConsumer) followPops(topic string, wanted []wantedQueue) {
	pulled, popped := inMode(wanted, proto.ModePull), inMode(wanted, proto.ModePop)
	if c.isRetryTopic(topic) || c.isPopRetryTopic(topic) || (len(pulled) > 0) == (len(popped) > 0) {
		return
	}
	changed := false
	for _, form := range []proto.PopRetry{proto.PopRetryV1, proto.PopRetryV2} {
		name := proto.PopRetryTopic(c.config.group, topic, form)
		switch known := c.reader.subscriptions[name] != nil; {
		case len(pulled) > 0 && !known:
			c.reader.subscribe(name, Tags(proto.SubscribeAll))
			changed = true
		case len(popped) > 0 && known:
			delete(c.reader.subscriptions, name)
			changed = true
		}
	}
	if changed {
		c.core.beats.announce()
		c.rebalanceSoon(0)
	}
}

// isPopRetryTopic reports whether a topic brings what was popped by the group, and not consumed.
func (c *PushConsumer) isPopRetryTopic(topic string) bool {
	_, form := proto.SplitPopRetryTopic(c.config.group, topic)
	return form != proto.PopNormal
}

// takeOnPops begins to pop queues.
func (c *PushConsumer) takeOnPops(queues []Queue) {
	for _, queue := range queues {
		if c.core.state != open || c.reader.subscriptions[queue.Topic] == nil || c.assigned[queue] != nil {
			continue
		}
		a := c.newAssignment(queue, 0, offsetUnknown)
		a.popped = newPopQueue()
		c.hold(a)
	}
}
