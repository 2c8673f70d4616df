package client

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
)

// This file decides, from a route alone, which queues there are.

// publishQueues lists the queues a producer may use, in the order in which it uses them
// (class TopicPublishInfo). A topic with an order configuration has all queues named
// there, even those of brokers that are down, so that the place of a key never shifts.
func publishQueues(topic string, r *proto.Route) []Queue {
	if queues := orderedQueues(topic, r.OrderConfig); len(queues) > 0 {
		return queues
	}
	var queues []Queue
	for _, q := range byBrokerName(r.Queues) {
		b := r.Broker(q.BrokerName)
		if !q.Perm.Writable() || b == nil {
			continue
		}
		if _, hasMaster := b.Master(); hasMaster {
			queues = appendQueues(queues, topic, q.BrokerName, q.WriteQueues)
		}
	}
	return queues
}

// orderedQueues reads an order configuration: "broker-a:4;broker-b:8".
func orderedQueues(topic, config string) []Queue {
	var queues []Queue
	for entry := range strings.SplitSeq(config, ";") {
		name, count, _ := strings.Cut(entry, ":")
		if n, err := strconv.ParseInt(strings.TrimSpace(count), 10, 32); err == nil {
			queues = appendQueues(queues, topic, strings.TrimSpace(name), int32(n))
		}
	}
	return queues
}

// subscribeQueues lists the queues a consumer may read, whether or not a master is alive.
func subscribeQueues(topic string, r *proto.Route) []Queue {
	var queues []Queue
	for _, q := range byBrokerName(r.Queues) {
		if q.Perm.Readable() {
			queues = appendQueues(queues, topic, q.BrokerName, q.ReadQueues)
		}
	}
	return queues
}

func byBrokerName(queues []proto.QueueRoute) []proto.QueueRoute {
	return slices.SortedStableFunc(slices.Values(queues), func(a, b proto.QueueRoute) int {
		return strings.Compare(a.BrokerName, b.BrokerName)
	})
}

func appendQueues(queues []Queue, topic, brokerName string, count int32) []Queue {
	for id := range count {
		queues = append(queues, Queue{Topic: topic, BrokerName: brokerName, QueueID: id})
	}
	return queues
}

// borrowRoute makes a route for a topic that does not exist yet out of that of the topic it
// will be created from: no more queues than wanted.
func borrowRoute(r *proto.Route, wanted int32) *proto.Route {
	borrowed := *r
	borrowed.Queues = slices.Clone(r.Queues)
	for i := range borrowed.Queues {
		q := &borrowed.Queues[i]
		n := min(wanted, q.ReadQueues)
		q.ReadQueues, q.WriteQueues = n, n
	}
	return &borrowed
}
