package client

import (
	"context"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// RequestMode is how the members of a group get messages of a topic.
type RequestMode = proto.SetMessageRequestMode

// SetRequestMode says at one broker how the members of a group get messages of a topic from now on, by pulls or by POP. Topic and group must be
// there. Our brokers serve pulls only; brokers before 5.0 do not know the request.
func (a *Admin) SetRequestMode(ctx context.Context, address string, mode RequestMode) error {
	mode.Topic, mode.ConsumerGroup = a.full(mode.Topic), a.full(mode.ConsumerGroup)
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqSetMessageRequestMode, Body: mode.Marshal()})
	return err
}

// GroupMayRead reports whether a broker lets a group read a topic, as far as SetGroupMayRead has said. Neither needs to be there.
func (a *Admin) GroupMayRead(ctx context.Context, address, group, topic string) (bool, error) {
	return a.forbidden(ctx, address, &proto.UpdateAndGetGroupForbidden{Group: a.full(group), Topic: a.full(topic)})
}

// SetGroupMayRead lets a group read a topic of one broker, or keeps it from it, until it is called again. It returns what counts now. Brokers
// before 5.0 do not know the request. A Java broker that lets a group read one topic again lets it read all, and forgets that when it starts anew.
func (a *Admin) SetGroupMayRead(ctx context.Context, address, group, topic string, mayRead bool) (bool, error) {
	return a.forbidden(ctx, address, &proto.UpdateAndGetGroupForbidden{Group: a.full(group), Topic: a.full(topic), Readable: proto.Some(mayRead)})
}

func (a *Admin) forbidden(ctx context.Context, address string, header *proto.UpdateAndGetGroupForbidden) (bool, error) {
	answer, err := bodyOf(ctx, a, address, proto.ReqUpdateAndGetGroupForbidden, header, proto.UnmarshalGroupForbidden)
	if err != nil {
		return false, err
	}
	return answer.Readable, nil
}
