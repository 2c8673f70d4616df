package client

import (
	"context"
	"fmt"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// QueueEntries is what a broker's consume queue says of some of its messages.
type QueueEntries = proto.ConsumeQueuePart

// EntriesQuery asks for entries of one queue of a broker.
type EntriesQuery struct {
	Topic string
	Queue int32
	From  int64 // number of the first message
	Count int32 // messages; our brokers tell of 10,000 at once
	// Group, if it is not empty, is one whose subscription is told, too.
	Group string
}

// QueueEntries reads where the messages of a queue stand in the log of a broker, without reading them. If the queue does not have the first one, Entries
// is nil, and the error is a *ResponseError if there is no such queue. Java brokers tell of the messages of one file of the queue at most, and
// nothing, which is an error, if they do not have the first one.
func (a *Admin) QueueEntries(ctx context.Context, address string, q EntriesQuery) (*QueueEntries, error) {
	header := &proto.QueryConsumeQueue{Topic: a.full(q.Topic), QueueID: q.Queue, Index: q.From, Count: q.Count, ConsumerGroup: a.full(q.Group)}
	request := &transport.Request{Code: proto.ReqQueryConsumeQueue, Header: header}
	response, err := a.askBroker(ctx, address, request)
	if err == nil && len(response.Body) == 0 {
		return nil, fmt.Errorf("%s: %s tells nothing: %s", proto.RequestName(request.Code), address, response.Remark)
	}
	return readBody(address, request.Code, response, err, proto.UnmarshalConsumeQueuePart)
}
