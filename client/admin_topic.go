package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// UpdateTopic creates a topic at one broker, or changes it. Attributes that are not named stay as they are; one whose name begins with
// "-" is removed.
func (a *Admin) UpdateTopic(ctx context.Context, address string, topic TopicConfig) error {
	header := &proto.UpdateAndCreateTopic{
		Topic: a.full(topic.Name), DefaultTopic: proto.DefaultTopic, ReadQueues: topic.ReadQueues, WriteQueues: topic.WriteQueues,
		Perm: topic.Perm, FilterType: topic.FilterType, SysFlags: proto.Some(topic.SysFlags), Ordered: topic.Ordered,
		Attributes: attributeChanges(topic.Attributes),
	}
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqUpdateAndCreateTopic, Header: header})
	return err
}

// attributeChanges writes attributes as the changes they are: "+key=value" or "-key", joined by commas.
func attributeChanges(attributes map[string]string) string {
	var changes []string
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		if strings.HasPrefix(key, "-") {
			changes = append(changes, key)
			continue
		}
		changes = append(changes, "+"+key+"="+attributes[key])
	}
	return strings.Join(changes, ",")
}

// UpdateTopicInCluster is UpdateTopic at all masters of a cluster. It goes on after a failure, and returns the
// addresses where the topic is as wanted now.
func (a *Admin) UpdateTopicInCluster(ctx context.Context, cluster string, topic TopicConfig) ([]string, error) {
	return a.atMasters(ctx, cluster, func(address string) error { return a.UpdateTopic(ctx, address, topic) })
}

func (a *Admin) atMasters(ctx context.Context, cluster string, do func(address string) error) (done []string, err error) {
	masters, err := a.Masters(ctx, cluster)
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, address := range masters {
		if err := do(address); err != nil {
			failures = append(failures, err)
			continue
		}
		done = append(done, address)
	}
	return done, join(failures)
}

// DeleteTopic removes a topic, with its messages, from all masters of a cluster, and then from the name
// servers. If a broker fails, the name servers are left alone, so that it can be repeated.
func (a *Admin) DeleteTopic(ctx context.Context, cluster, topic string) error {
	_, err := a.atMasters(ctx, cluster, func(address string) error { return a.DeleteTopicAt(ctx, address, topic) })
	if err != nil {
		return err
	}
	return a.ForgetTopic(ctx, cluster, topic)
}

// DeleteTopicAt removes a topic, with its messages, from one broker.
func (a *Admin) DeleteTopicAt(ctx context.Context, address, topic string) error {
	header := &proto.DeleteTopicInBroker{Topic: a.full(topic)}
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqDeleteTopicInBroker, Header: header})
	return err
}

// ForgetTopic makes all name servers forget that brokers of a cluster have a topic.
func (a *Admin) ForgetTopic(ctx context.Context, cluster, topic string) error {
	_, err := a.tellNameServers(ctx, proto.ReqDeleteTopicInNameServer, &proto.DeleteTopicInNameServer{Topic: a.full(topic), ClusterName: cluster})
	return err
}

// Topic reads the settings of a topic at one broker; found is false if the broker does not have it. Brokers before 5.0 are asked for
// all topics.
func (a *Admin) Topic(ctx context.Context, address, name string) (topic TopicConfig, found bool, err error) {
	header := &proto.GetTopicConfig{Topic: a.full(name), Logical: proto.Some(false)}
	whole, err := bodyOf(ctx, a, address, proto.ReqGetTopicConfig, header, proto.UnmarshalTopicConfigAndMapping)
	switch {
	case err == nil:
		return whole.Config, true, nil
	case hasCode(err, proto.RespTopicNotExist):
		return TopicConfig{}, false, nil
	case !hasCode(err, proto.RespRequestCodeNotSupported):
		return TopicConfig{}, false, err
	}
	name = a.full(name)
	topics, err := a.TopicsAt(ctx, address)
	for _, topic := range topics {
		if topic.Name == name {
			return topic, true, nil
		}
	}
	return TopicConfig{}, false, err
}

// TopicsAt lists all topics of one broker with their settings, by name.
func (a *Admin) TopicsAt(ctx context.Context, address string) ([]TopicConfig, error) {
	table, err := bodyOf(ctx, a, address, proto.ReqGetAllTopicConfig, nil, proto.UnmarshalTopicTable)
	if err != nil {
		return nil, err
	}
	return table.Topics, nil
}

// Topics lists all topics a name server knows, sorted.
func (a *Admin) Topics(ctx context.Context) ([]string, error) {
	return a.topics(ctx, proto.ReqGetAllTopicListFromNameServer, nil)
}

// TopicsOfCluster lists the topics of one cluster, sorted.
func (a *Admin) TopicsOfCluster(ctx context.Context, cluster string) ([]string, error) {
	return a.topics(ctx, proto.ReqGetTopicsByCluster, &proto.GetTopicsByCluster{Cluster: cluster})
}

func (a *Admin) topics(ctx context.Context, code int32, header proto.HeaderEncoder) ([]string, error) {
	response, err := a.askNameServer(ctx, code, header)
	if err != nil {
		return nil, err
	}
	list, err := proto.UnmarshalTopicList(response.Body)
	if err != nil {
		return nil, err
	}
	slices.Sort(list.Topics)
	return list.Topics, nil
}

// Route is the route of a topic as a name server knows it now. The error is ErrTopicNotFound if it knows none.
func (a *Admin) Route(ctx context.Context, topic string) (*Route, error) {
	response, err := a.askNameServer(ctx, proto.ReqGetRouteInfoByTopic, &proto.GetRouteInfoByTopic{Topic: a.full(topic)})
	if hasCode(err, proto.RespTopicNotExist) {
		return nil, fmt.Errorf("%w: %s: %w", ErrTopicNotFound, topic, err)
	}
	if err != nil {
		return nil, err
	}
	return proto.UnmarshalRoute(response.Body)
}

// TopicStats tells how far the queues of a topic reach, at all its masters, in the order of queues.
func (a *Admin) TopicStats(ctx context.Context, topic string) (*TopicStats, error) {
	route, err := a.Route(ctx, topic)
	if err != nil {
		return nil, err
	}
	whole := &TopicStats{}
	for i := range route.Brokers {
		address, ok := route.Brokers[i].Master()
		if !ok {
			continue
		}
		part, err := a.topicStatsAt(ctx, address, topic)
		if err != nil {
			return nil, err
		}
		whole.Queues = append(whole.Queues, part.Queues...)
		whole.PutPerSecond += part.PutPerSecond
	}
	slices.SortFunc(whole.Queues, func(a, b proto.QueueStats) int { return a.Queue.Compare(b.Queue) })
	return whole, nil
}

func (a *Admin) topicStatsAt(ctx context.Context, address, topic string) (*TopicStats, error) {
	header := &proto.GetTopicStatsInfo{Topic: a.full(topic)}
	response, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqGetTopicStatsInfo, Header: header})
	if err != nil {
		return nil, err
	}
	return proto.UnmarshalTopicStatsTable(response.Body)
}

// ViewMessage reads a message by where it is stored. The error is a *ResponseError if there is none.
func (a *Admin) ViewMessage(ctx context.Context, id message.OffsetID) (*Received, error) {
	header := &proto.ViewMessageByID{Offset: int64(id.LogOffset)}
	response, err := a.askBroker(ctx, id.StoreHost.String(), &transport.Request{Code: proto.ReqViewMessageByID, Header: header})
	if err != nil {
		return nil, err
	}
	messages, err := a.decoder().decode(response.Body)
	if err == nil && len(messages) == 0 {
		err = errors.New("there is no message in it")
	}
	if err != nil {
		return nil, fmt.Errorf("message %s: the answer of %s cannot be read: %w", id, id.StoreHost, err)
	}
	return messages[0], nil
}
