package client

import (
	"context"
	"strings"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// UpdateTopics is UpdateTopic for several topics in one request. If a name or a number is refused, no topic is changed; after attributes that are
// refused, or a failure, those before it are. Brokers before 5.3 do not know the request.
func (a *Admin) UpdateTopics(ctx context.Context, address string, topics []TopicConfig) error {
	list := proto.TopicConfigList{Topics: make([]TopicConfig, len(topics))}
	for i, topic := range topics {
		topic.Name, topic.Attributes = a.full(topic.Name), signed(topic.Attributes)
		list.Topics[i] = topic
	}
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqUpdateAndCreateTopicList, Body: list.Marshal()})
	return err
}

// UpdateGroups is UpdateGroup for several groups in one request, as UpdateTopics is for topics; attributes without a sign are set, too. Brokers
// before 5.3.1 do not know the request.
func (a *Admin) UpdateGroups(ctx context.Context, address string, groups []GroupConfig) error {
	list := proto.GroupConfigList{Groups: make([]GroupConfig, len(groups))}
	for i, group := range groups {
		group.Name, group.Attributes = a.full(group.Name), signed(group.Attributes)
		list.Groups[i] = group
	}
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqUpdateAndCreateSubscriptionGroupList, Body: list.Marshal()})
	return err
}

// signed writes attributes as the changes they are: "+key" with a value, or "-key".
func signed(attributes map[string]string) map[string]string {
	changes := make(map[string]string, len(attributes))
	// order does not matter: it is a map again
	for key, value := range attributes {
		if !strings.HasPrefix(key, "+") && !strings.HasPrefix(key, "-") {
			key = "+" + key
		}
		changes[key] = value
	}
	return changes
}
