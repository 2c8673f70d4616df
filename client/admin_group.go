package client

import (
	"context"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// GroupConfig is what a broker knows of one consumer group.
type GroupConfig = proto.SubscriptionGroupConfig

// UpdateGroup creates a consumer group at one broker, or changes it. All of the settings are taken over, so begin with
// those that Group returns, or with proto.NewSubscriptionGroupConfig. Attributes are changes: "+key" with a value, or "-key".
func (a *Admin) UpdateGroup(ctx context.Context, address string, group GroupConfig) error {
	group.Name = a.full(group.Name)
	request := &transport.Request{Code: proto.ReqUpdateAndCreateSubscriptionGroup, Body: group.Marshal()}
	_, err := a.askBroker(ctx, address, request)
	return err
}

// Group reads the settings of a consumer group at one broker; found is false if the broker does not know it. Brokers before
// 5.0 are asked for all groups.
func (a *Admin) Group(ctx context.Context, address, name string) (group GroupConfig, found bool, err error) {
	header := &proto.GetSubscriptionGroupConfig{Group: a.full(name)}
	group, err = bodyOf(ctx, a, address, proto.ReqGetSubscriptionGroupConfig, header, proto.UnmarshalSubscriptionGroupConfig)
	switch {
	case hasCode(err, proto.RespSubscriptionGroupNotExist):
		return GroupConfig{}, false, nil
	case !hasCode(err, proto.RespRequestCodeNotSupported):
		return group, err == nil, err
	}
	name = a.full(name)
	groups, err := a.Groups(ctx, address)
	for _, group := range groups {
		if group.Name == name {
			return group, true, nil
		}
	}
	return GroupConfig{}, false, err
}

// Groups lists all consumer groups of one broker, by name.
func (a *Admin) Groups(ctx context.Context, address string) ([]GroupConfig, error) {
	table, err := bodyOf(ctx, a, address, proto.ReqGetAllSubscriptionGroupConfig, nil, proto.UnmarshalSubscriptionGroupTable)
	if err != nil {
		return nil, err
	}
	return table.Groups, nil
}

// DeleteGroup removes a consumer group from one broker, and with offsets also how far it has consumed. Members that are
// online make it again with their next heartbeat where brokers create groups by themselves.
func (a *Admin) DeleteGroup(ctx context.Context, address, name string, offsets bool) error {
	header := &proto.DeleteSubscriptionGroup{Group: a.full(name), CleanOffsets: offsets}
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqDeleteSubscriptionGroup, Header: header})
	return err
}
