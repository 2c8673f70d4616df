package access

import (
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// What requests need is read from the same fields and bodies, by the same decoders, as their handlers read it from. Otherwise a request could show
// one name here and another there.

type gather = func(n *needs, command *wire.Command) error

// all needs everything that each of the parts needs.
func all(parts ...gather) gather {
	return func(n *needs, command *wire.Command) error {
		for _, part := range parts {
			if err := part(n, command); err != nil {
				return err
			}
		}
		return nil
	}
}

// topic needs the topic in a field. A missing name is a name that rules only cover with *.
func topic(field string, actions Actions) gather {
	return func(n *needs, command *wire.Command) error {
		n.add(TopicResource(command.Fields.String(field)), actions)
		return nil
	}
}

// ifGiven needs something only if a field is there and not empty.
func ifGiven(field string, part gather) gather {
	return func(n *needs, command *wire.Command) error {
		if command.Fields.String(field) == "" {
			return nil
		}
		return part(n, command)
	}
}

func topicIf(field string, actions Actions) gather { return ifGiven(field, topic(field, actions)) }

func group(field string, actions Actions) gather {
	return func(n *needs, command *wire.Command) error {
		n.add(GroupResource(command.Fields.String(field)), actions)
		return nil
	}
}

func groupIf(field string, actions Actions) gather { return ifGiven(field, group(field, actions)) }

// consumes needs the topic in field "topic", and a group.
func consumes(groupField string, actions Actions) gather {
	return all(topic("topic", actions), group(groupField, actions))
}

// topics and groups need each of the names in a field.
func topics(field string, actions Actions) gather { return list(field, ";", TopicResource, actions) }
func groups(field string, actions Actions) gather { return list(field, ",", GroupResource, actions) }

func list(field, separator string, resource func(string) Resource, actions Actions) gather {
	return func(n *needs, command *wire.Command) error {
		for name := range strings.SplitSeq(command.Fields.String(field), separator) {
			if name != "" {
				n.add(resource(name), actions)
			}
		}
		return nil
	}
}

// cluster needs the cluster of this server.
func cluster(actions Actions) gather {
	return func(n *needs, _ *wire.Command) error {
		n.add(ClusterResource(n.cluster), actions)
		return nil
	}
}

// clusterOf needs the cluster in a field, or that of this server without one.
func clusterOf(field string, actions Actions) gather {
	return func(n *needs, command *wire.Command) error {
		name := command.Fields.String(field)
		if name == "" {
			name = n.cluster
		}
		n.add(ClusterResource(name), actions)
		return nil
	}
}

// SendNeed is what whoever sends to a topic needs: Pub on it. To a retry topic only members of its group send. Java's broker believes the group that such
// a request names; here it is that of the topic.
func SendNeed(topic string) Need {
	if proto.IsRetryTopic(topic) {
		return Need{GroupResource(topic), ActionSub}
	}
	return Need{TopicResource(topic), ActionPub}
}

// sends needs what is needed to send to the topic in a field.
func sends(field string) gather {
	return func(n *needs, command *wire.Command) error {
		need := SendNeed(command.Fields.String(field))
		n.add(need.Resource, need.Actions)
		return nil
	}
}

// replies needs nothing for the topic of replies, to which everybody who is asked answers, and for others what sends does.
func replies(field string) gather {
	send := sends(field)
	return func(n *needs, command *wire.Command) error {
		if command.Fields.String(field) == proto.ReplyTopic(n.cluster) {
			return nil
		}
		return send(n, command)
	}
}

// route needs any right on a topic that a client or tool may have.
func route(n *needs, command *wire.Command) error {
	r := TopicResource(command.Fields.String("topic"))
	if r.Kind == KindGroup {
		n.add(r, ActionSub|ActionGet)
		return nil
	}
	n.add(r, ActionPub|ActionSub|ActionGet)
	return nil
}

// acknowledges needs Sub on the topic and group that a message was popped from. The retry topic of a pop has the name of the topic in it.
func acknowledges(n *needs, command *wire.Command) error {
	n.popped(command.Fields.String("topic"), command.Fields.String("consumerGroup"))
	return nil
}

func acknowledgesMany(n *needs, command *wire.Command) error {
	body, err := proto.UnmarshalBatchAckMessage(command.Body)
	if err != nil {
		return err
	}
	for i := range body.Acks {
		n.popped(body.Acks[i].Topic, body.Acks[i].ConsumerGroup)
	}
	return nil
}

func (n *needs) popped(topic, group string) {
	for _, separator := range []string{"_", "+"} {
		if real, ok := strings.CutPrefix(topic, proto.RetryTopic(group)+separator); ok {
			topic = real
			break
		}
	}
	n.add(TopicResource(topic), ActionSub)
	n.add(GroupResource(group), ActionSub)
}

// heartbeat needs Sub on the groups of consumers and their topics. Producers may say what they like.
func heartbeat(n *needs, command *wire.Command) error {
	data, err := proto.UnmarshalHeartbeatData(command.Body)
	if err != nil {
		return err
	}
	for i := range data.Consumers {
		n.add(GroupResource(data.Consumers[i].Group), ActionSub)
		for _, subscription := range data.Consumers[i].Subscriptions {
			n.add(TopicResource(subscription.Topic), ActionSub)
		}
	}
	return nil
}

func locks(n *needs, command *wire.Command) error {
	body, err := proto.UnmarshalLockBatch(command.Body)
	if err != nil {
		return err
	}
	n.add(GroupResource(body.ConsumerGroup), ActionSub)
	for _, queue := range body.Queues {
		n.add(TopicResource(queue.Topic), ActionSub)
	}
	return nil
}

func assignment(n *needs, command *wire.Command) error {
	body, err := proto.UnmarshalQueryAssignment(command.Body)
	if err != nil {
		return err
	}
	n.add(TopicResource(body.Topic), ActionSub)
	n.add(GroupResource(body.ConsumerGroup), ActionSub)
	return nil
}

func topicList(n *needs, command *wire.Command) error {
	body, err := proto.UnmarshalTopicConfigList(command.Body)
	if err != nil {
		return err
	}
	for i := range body.Topics {
		n.add(TopicResource(body.Topics[i].Name), ActionCreate)
	}
	return nil
}

// A group is made and changed by the same request.

func groupConfig(n *needs, command *wire.Command) error {
	body, err := proto.UnmarshalSubscriptionGroupConfig(command.Body)
	if err != nil {
		return err
	}
	n.add(GroupResource(body.Name), ActionCreate|ActionUpdate)
	return nil
}

func groupList(n *needs, command *wire.Command) error {
	body, err := proto.UnmarshalGroupConfigList(command.Body)
	if err != nil {
		return err
	}
	for i := range body.Groups {
		n.add(GroupResource(body.Groups[i].Name), ActionCreate|ActionUpdate)
	}
	return nil
}

func requestMode(n *needs, command *wire.Command) error {
	body, err := proto.UnmarshalSetMessageRequestMode(command.Body)
	if err != nil {
		return err
	}
	n.add(TopicResource(body.Topic), ActionUpdate)
	n.add(GroupResource(body.ConsumerGroup), ActionUpdate)
	return nil
}
