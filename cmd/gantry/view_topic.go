package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/transport/proto"
)

// topicListView is the answer of topicList.
type topicListView struct {
	Topics       []topicEntry `json:"topics"`
	withClusters bool
}

type topicEntry struct {
	Topic    string   `json:"topic"`
	Clusters []string `json:"clusters,omitempty"`
}

func newTopicListView(topics []string) *topicListView {
	v := &topicListView{Topics: []topicEntry{}}
	for _, topic := range topics {
		v.Topics = append(v.Topics, topicEntry{Topic: topic})
	}
	return v
}

// addCluster notes the cluster of topics.
func (v *topicListView) addCluster(cluster string, topics []string) {
	v.withClusters = true
	for i := range v.Topics {
		if slices.Contains(topics, v.Topics[i].Topic) {
			v.Topics[i].Clusters = append(v.Topics[i].Clusters, cluster)
		}
	}
}

// write is one topic on each line and nothing else, for scripts, unless clusters are shown.
func (v *topicListView) write(out io.Writer, width int) error {
	if v.withClusters {
		t := table.Table{Columns: table.Columns("Cluster", "Topic")}
		for _, entry := range v.Topics {
			t.Add(orDash(strings.Join(entry.Clusters, ",")), entry.Topic)
		}
		return t.Write(out, width)
	}
	var text strings.Builder
	for _, entry := range v.Topics {
		text.WriteString(entry.Topic + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// routeView is the answer of topicRoute.
type routeView struct {
	Topic   string       `json:"topic"`
	Brokers []routeEntry `json:"brokers"`
}

type routeEntry struct {
	Cluster     string           `json:"cluster"`
	Broker      string           `json:"broker"`
	Addresses   map[int64]string `json:"addresses"` // by broker id; 0 is the master
	ReadQueues  int32            `json:"readQueues"`
	WriteQueues int32            `json:"writeQueues"`
	Perm        string           `json:"perm"`
}

func newRoute(topic string, route *proto.Route) *routeView {
	v := &routeView{Topic: topic, Brokers: []routeEntry{}}
	for _, queues := range route.Queues {
		entry := routeEntry{
			Broker: queues.BrokerName, Addresses: map[int64]string{},
			ReadQueues: queues.ReadQueues, WriteQueues: queues.WriteQueues, Perm: queues.Perm.String(),
		}
		for _, broker := range route.Brokers {
			if broker.BrokerName == queues.BrokerName {
				entry.Cluster = broker.Cluster
				entry.Addresses = addressesByID(broker.Addresses)
			}
		}
		v.Brokers = append(v.Brokers, entry)
	}
	slices.SortFunc(v.Brokers, func(a, b routeEntry) int { return strings.Compare(a.Broker, b.Broker) })
	return v
}

func addressesByID(addresses []proto.BrokerAddress) map[int64]string {
	byID := map[int64]string{}
	for _, address := range addresses {
		byID[address.ID] = address.Address
	}
	return byID
}

func (v *routeView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Cluster", "Broker", "Addresses", ">Read queues", ">Write queues", "Perm")}
	for _, entry := range v.Brokers {
		t.Add(entry.Cluster, entry.Broker, listAddresses(entry.Addresses),
			number(entry.ReadQueues), number(entry.WriteQueues), entry.Perm)
	}
	return t.Write(out, width)
}

// listAddresses is "0=10.0.0.1:10911 1=…", the master first.
func listAddresses(byID map[int64]string) string {
	var parts []string
	for id, address := range byID {
		parts = append(parts, fmt.Sprintf("%d=%s", id, address))
	}
	slices.Sort(parts)
	return orDash(strings.Join(parts, " "))
}

// topicStatusView is the answer of topicStatus.
type topicStatusView struct {
	Topic        string        `json:"topic"`
	Queues       []queueStatus `json:"queues"`
	PutPerSecond float64       `json:"topicPutTps"` // at all brokers
}

type queueStatus struct {
	Broker      string `json:"broker"`
	Queue       int32  `json:"queue"`
	MinOffset   int64  `json:"minOffset"`
	MaxOffset   int64  `json:"maxOffset"`   // one past the last message
	LastUpdated moment `json:"lastUpdated"` // store time of the last message
}

// newTopicStatusView puts the queues of all brokers in order.
func newTopicStatusView(topic string, stats *proto.TopicStatsTable) *topicStatusView {
	v := &topicStatusView{Topic: topic, Queues: []queueStatus{}, PutPerSecond: stats.PutPerSecond}
	for _, q := range stats.Queues {
		v.Queues = append(v.Queues, queueStatus{
			Broker: q.Queue.BrokerName, Queue: q.Queue.QueueID,
			MinOffset: q.Min, MaxOffset: q.Max, LastUpdated: moment(q.UpdatedAt),
		})
	}
	slices.SortFunc(v.Queues, func(a, b queueStatus) int {
		if order := strings.Compare(a.Broker, b.Broker); order != 0 {
			return order
		}
		return int(a.Queue) - int(b.Queue)
	})
	return v
}

// keepBrokers leaves out the queues of all other brokers.
func (v *topicStatusView) keepBrokers(names []string) {
	v.Queues = slices.DeleteFunc(v.Queues, func(q queueStatus) bool { return !slices.Contains(names, q.Broker) })
}

func (v *topicStatusView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Broker", ">Queue", ">Min offset", ">Max offset", "Last updated")}
	for _, q := range v.Queues {
		t.Add(q.Broker, number(q.Queue), number(q.MinOffset), number(q.MaxOffset), q.LastUpdated.String())
	}
	if err := t.Write(out, width); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nTopic Put TPS: %s\n", decimal(v.PutPerSecond))
	return err
}

func number[T int | int32 | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

// updatedView is the answer of updateTopic.
type updatedView struct {
	Topic   string   `json:"topic"`
	Brokers []string `json:"brokers"` // addresses where it is as wanted now
	text    string   // the settings
}

// write uses the words of RocketMQ's tool, which scripts wait for.
func (v *updatedView) write(out io.Writer, _ int) error {
	var text strings.Builder
	for _, broker := range v.Brokers {
		fmt.Fprintf(&text, "create topic to %s success.\n", broker)
	}
	if len(v.Brokers) > 0 {
		text.WriteString(v.text + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}
