package client

import (
	"context"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// What brokers tell of the clients that are connected to them.
type (
	// ConsumerConnection is the members of a consumer group.
	ConsumerConnection = proto.ConsumerConnection
	// ProducerConnection is the members of a producer group.
	ProducerConnection = proto.ProducerConnection
	// ProducerTable lists all producers of a broker.
	ProducerTable = proto.ProducerTable
	// RunningInfo is what a consumer says of itself.
	RunningInfo = proto.ConsumerRunningInfo
	// DirectResult tells how a consumer took a message that was handed to it.
	DirectResult = proto.ConsumeMessageDirectlyResult
	// ConsumerStatus tells how far members are by their own accounts.
	ConsumerStatus = proto.ConsumerStatus
)

// Consumers tells who is connected to a broker in a consumer group, and what they consume. found is false if nobody is.
func (a *Admin) Consumers(ctx context.Context, address, group string) (members *ConsumerConnection, found bool, err error) {
	header := &proto.GetConsumerConnectionList{ConsumerGroup: a.full(group)}
	members, err = bodyOf(ctx, a, address, proto.ReqGetConsumerConnectionList, header, proto.UnmarshalConsumerConnection)
	if hasCode(err, proto.RespConsumerNotOnline) {
		return &ConsumerConnection{}, false, nil
	}
	return members, err == nil && len(members.Members) > 0, err
}

// Producers tells who is connected to a broker in a producer group; found is false if nobody is.
func (a *Admin) Producers(ctx context.Context, address, group string) (members *ProducerConnection, found bool, err error) {
	header := &proto.GetProducerConnectionList{ProducerGroup: a.full(group)}
	members, err = bodyOf(ctx, a, address, proto.ReqGetProducerConnectionList, header, proto.UnmarshalProducerConnection)
	// Brokers answer a group without members like any failure.
	if hasCode(err, proto.RespSystemError) {
		return &ProducerConnection{}, false, nil
	}
	return members, err == nil && len(members.Members) > 0, err
}

// AllProducers lists all producers that are connected to a broker.
func (a *Admin) AllProducers(ctx context.Context, address string) (*ProducerTable, error) {
	return bodyOf(ctx, a, address, proto.ReqGetAllProducerInfo, nil, proto.UnmarshalProducerTable)
}

// RunningInfo asks a consumer, through a broker that it is connected to, what it does. With stack it adds what its threads
// do. It may take several seconds. The error is a *ResponseError if the client is not connected, or does not answer.
func (a *Admin) RunningInfo(ctx context.Context, address, group, clientID string, stack bool) (*RunningInfo, error) {
	header := &proto.GetConsumerRunningInfo{ConsumerGroup: a.full(group), ClientID: clientID, StackDump: stack}
	request := &transport.Request{Code: proto.ReqGetConsumerRunningInfo, Header: header}
	response, err := a.askBrokerLong(ctx, address, request)
	return readBody(address, request.Code, response, err, proto.UnmarshalConsumerRunningInfo)
}

// ConsumeDirectly hands a stored message to one consumer of a group, whatever the group has consumed, and tells how it
// took it. Offsets are not changed. The message is read from the broker that the id names, to which the client
// must be connected. It may take several seconds.
func (a *Admin) ConsumeDirectly(ctx context.Context, group, clientID, topic string, id message.OffsetID) (*DirectResult, error) {
	address := id.StoreHost.String()
	header := &proto.ConsumeMessageDirectly{ConsumerGroup: a.full(group), ClientID: clientID, Topic: a.full(topic), OffsetID: id.String()}
	request := &transport.Request{Code: proto.ReqConsumeMessageDirectly, Header: header}
	response, err := a.askBrokerLong(ctx, address, request)
	return readBody(address, request.Code, response, err, proto.UnmarshalConsumeMessageDirectlyResult)
}

// ConsumerStatus asks the members of a group that are connected to a broker how far they are in a topic; only the one with
// a client id or address if that is not "". It may take several seconds. The error is a *ResponseError if none is online.
func (a *Admin) ConsumerStatus(ctx context.Context, address, group, topic, client string) (*ConsumerStatus, error) {
	header := &proto.GetConsumerStatus{Topic: a.full(topic), Group: a.full(group), ClientAddress: client}
	request := &transport.Request{Code: proto.ReqInvokeBrokerToGetConsumerStatus, Header: header}
	response, err := a.askBrokerLong(ctx, address, request)
	return readBody(address, request.Code, response, err, proto.UnmarshalConsumerStatus)
}

// TopicsOfGroup lists the topics that a group subscribes or has offsets of at one broker.
func (a *Admin) TopicsOfGroup(ctx context.Context, address, group string) ([]string, error) {
	header := &proto.QueryTopicsByConsumer{Group: a.full(group)}
	list, err := bodyOf(ctx, a, address, proto.ReqQueryTopicsByConsumer, header, proto.UnmarshalTopicList)
	if err != nil {
		return nil, err
	}
	return list.Topics, nil
}

// GroupsOfTopic lists the groups that subscribe a topic or have offsets of it at one broker.
func (a *Admin) GroupsOfTopic(ctx context.Context, address, topic string) ([]string, error) {
	header := &proto.QueryTopicConsumeByWho{Topic: a.full(topic)}
	list, err := bodyOf(ctx, a, address, proto.ReqQueryTopicConsumeByWho, header, proto.UnmarshalGroupList)
	if err != nil {
		return nil, err
	}
	return list.Groups, nil
}
