package client

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/assign"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// rebalancing is when the queues are shared out next.
type rebalancing struct {
	due     env.Instant
	mute    map[string]bool // broker names that did not answer in this round
	silent  map[string]bool // likewise, when they were asked for an assignment: they may still know the members
	failed  int             // rounds in a row that could not do all they should; at most rebalanceFailuresMax
	changed env.Cond
	rounds  int      // that have ended
	err     error    // of the last round; nil if it did all it should
	over    env.Cond // a round has ended
}

// How often queues are shared out.
const (
	rebalanceEvery       = 20 * time.Second
	rebalanceRetry       = time.Second // after a round that failed; twice as long each time
	rebalanceFailuresMax = 5
	rebalanceSettle      = 500 * time.Millisecond // when a queue is still another member's
)

// rebalanceSoon moves the next round forward.
func (c *PushConsumer) rebalanceSoon(wait time.Duration) {
	due := c.core.env.Clock.Now().Add(wait)
	if due < c.rebalance.due {
		c.rebalance.due = due
		c.rebalance.changed.Broadcast()
	}
}

// rebalanceLoop is the task that shares out queues: every 20 s, and at once when members or subscriptions have changed.
func (c *PushConsumer) rebalanceLoop() {
	r := &c.rebalance
	for c.core.state == open {
		now := c.core.env.Clock.Now()
		if now < r.due {
			r.changed.WaitUntil(r.due)
			continue
		}
		if c.suspended {
			r.due = now.Add(rebalanceEvery)
			continue
		}
		r.due = now.Add(rebalanceEvery)
		balanced := c.rebalanceOnce()
		r.rounds++
		r.over.Broadcast()
		if balanced {
			r.failed = 0
			continue
		}
		c.rebalanceSoon(rebalanceRetry << r.failed)
		r.failed = min(r.failed+1, rebalanceFailuresMax)
	}
}

// rebalanceOnce reports whether all topics were shared out. A topic that cannot be keeps its queues.
func (c *PushConsumer) rebalanceOnce() bool {
	var failures []error
	c.rebalance.mute, c.rebalance.silent = map[string]bool{}, map[string]bool{}
	for _, topic := range c.topics() {
		if c.core.state != open {
			return true
		}
		wanted, err := c.share(topic)
		if err == nil {
			err = c.apply(topic, wanted)
		}
		if err == nil && c.isRetryTopic(topic) {
			err = c.retryTopicEverywhere()
		}
		if err != nil {
			failures = append(failures, err)
			c.core.env.Log.Info("a topic could not be shared out", zap.String("topic", topic), zap.Error(err))
		}
	}
	var surplus []*assignment // of topics that are not subscribed any more
	for _, a := range c.order {
		if c.reader.subscriptions[a.queue.Topic] == nil {
			surplus = append(surplus, a)
		}
	}
	c.rebalance.err = join(failures)
	return c.giveUpTopics(surplus) && len(failures) == 0
}

// giveUpTopics is giveUp for queues of topics that are not subscribed any more.
func (c *PushConsumer) giveUpTopics(surplus []*assignment) bool {
	done := c.giveUp(surplus)
	if len(surplus) > 0 {
		// What they had pulled counted for limits of all topics together.
		c.wakeAll()
	}
	for _, topic := range topicsOf(surplus) {
		c.tellQueues(topic)
	}
	return done
}

// topicsOf lists the topics of some queues, each once, sorted.
func topicsOf(list []*assignment) []string {
	var topics []string
	for _, a := range list {
		topics = append(topics, a.queue.Topic)
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// share decides which queues of a topic this consumer is to hold.
func (c *PushConsumer) share(topic string) ([]wantedQueue, error) {
	if c.lite != nil && c.lite.mode == modeAssign {
		return pulls(c.lite.fixedOf(topic)), nil
	}
	deadline := c.core.env.Clock.Now().Add(c.config.requestTimeout)
	t, err := c.core.routes.forConsumer(nil, topic, deadline)
	if err == nil && c.isRetryTopic(topic) && c.retryTopicEverywhere() != nil {
		t, err = c.core.routes.fetch(nil, topic, false, deadline)
	}
	if errors.Is(err, ErrTopicNotFound) && c.isPopRetryTopic(topic) {
		// Brokers make it when something that was popped comes again, and that may never be.
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if c.asksBrokers() {
		wanted, decided, err := c.askAssignment(t)
		if decided {
			return wanted, err
		}
	}
	queues, err := c.shareByMembers(t)
	return pulls(queues), err
}

// shareByMembers decides as all members of the group do, each for itself.
func (c *PushConsumer) shareByMembers(t *topic) ([]Queue, error) {
	queues := slices.Clone(t.subscribe)
	assign.SortQueues(queues)
	if c.push.model == Broadcasting {
		return queues, nil
	}
	members, err := c.members(t)
	if err != nil {
		return nil, err
	}
	return c.allocate(queues, members)
}

// retryTopicEverywhere returns ErrTopicNotFound while the route of the retry topic lacks a broker of the group's topics. Brokers make it one by
// one as they hear of the group; what fails at one that an early route lacks would not come again before the route is refreshed.
func (c *PushConsumer) retryTopicEverywhere() error {
	retry := c.core.routes.topics[proto.RetryTopic(c.config.group)]
	if retry == nil {
		return nil
	}
	has := brokerNamesOf(retry.subscribe)
	for _, topic := range c.topics() {
		t := c.core.routes.topics[topic]
		if t == nil {
			continue
		}
		for _, name := range brokerNamesOf(t.subscribe) {
			if !slices.Contains(has, name) {
				return fmt.Errorf("%w: %s at broker %s", ErrTopicNotFound, retry.name, name)
			}
		}
	}
	return nil
}

// members lists the members of the group, sorted. All members ask the brokers of the topic in the same order, so that they see the
// same list even if brokers differ for a while. A list without this consumer is that of a broker which has just begun to
// learn the group: to act on it would be to give everything up.
func (c *PushConsumer) members(t *topic) ([]string, error) {
	var failures []error
	own := c.core.ids.clientID()
	for _, name := range brokerNamesOf(t.subscribe) {
		address, ok := c.core.brokers.named(name).reader(proto.MasterID)
		if !ok || c.rebalance.mute[name] {
			continue
		}
		deadline := c.core.env.Clock.Now().Add(c.config.requestTimeout)
		c.core.beats.ensure(nil, address, deadline)
		list, err := c.membersAt(address, deadline)
		if err == nil && slices.Contains(list, own) {
			return list, nil
		}
		if err == nil {
			err = fmt.Errorf("%s does not know this member yet", address)
		}
		c.rebalance.mute[name] = hasNoAnswer(err)
		failures = append(failures, err)
	}
	if len(failures) == 0 {
		return nil, fmt.Errorf("%w: none of the brokers of %s answers, or none is known", ErrNoBroker, t.name)
	}
	return nil, join(failures)
}

func brokerNamesOf(queues []Queue) []string {
	var names []string
	for _, q := range queues {
		names = append(names, q.BrokerName)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (c *PushConsumer) membersAt(address string, deadline env.Instant) ([]string, error) {
	request := &transport.Request{Code: proto.ReqGetConsumerListByGroup, Header: &proto.GetConsumerListByGroup{ConsumerGroup: c.config.group}}
	response, err := c.core.ask(nil, address, request, deadline)
	if err != nil {
		return nil, err
	}
	list, err := proto.UnmarshalConsumerList(response.Body)
	if err != nil {
		return nil, err
	}
	assign.SortMembers(list.ClientIDs)
	return list.ClientIDs, nil
}

// allocate asks the strategy, which may be the application's, without the baton.
func (c *PushConsumer) allocate(queues []Queue, members []string) (share []Queue, err error) {
	own := c.core.ids.clientID()
	c.core.env.Tasks.Offload(func() {
		panicked := contained(func() {
			share, err = c.push.strategy.Assign(c.config.group, own, slices.Clone(queues), slices.Clone(members))
		})
		err = errors.Join(err, panicked)
	})
	if err != nil {
		return nil, fmt.Errorf("strategy %s: %w", c.push.strategy.Name(), err)
	}
	share = slices.Clone(share)
	for i := range share {
		share[i] = c.config.space.fullQueue(share[i])
	}
	// What the topic does not have cannot be consumed.
	return slices.DeleteFunc(share, func(q Queue) bool { return !slices.Contains(queues, q) }), nil
}

// byBroker goes over the queues of each broker name, by name.
func byBroker(queues []Queue) iter.Seq2[string, []Queue] {
	return func(yield func(string, []Queue) bool) {
		for _, name := range brokerNamesOf(queues) {
			some := slices.DeleteFunc(slices.Clone(queues), func(q Queue) bool { return q.BrokerName != name })
			if !yield(name, some) {
				return
			}
		}
	}
}
