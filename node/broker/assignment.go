package broker

import (
	"slices"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/assign"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// queryAssignment handles QUERY_ASSIGNMENT: which queues of a topic a member of a group is to pull, or to pop of (class QueryAssignmentProcessor). It
// may wait for a name server.
//
// Answers: success, with the queues, which may be none, or without a list: then the member keeps what it has; invalid parameter.
func (b *Broker) queryAssignment(in *transport.Incoming) {
	asked, err := proto.UnmarshalQueryAssignment(in.Command.Body)
	if err != nil {
		in.Reply().Error(proto.RespInvalidParameter, err.Error())
		return
	}
	if r := refuseAssignment(asked); r.code != 0 {
		in.Reply().Error(r.code, r.remark)
		return
	}
	var queues []proto.Queue
	b.await(in, func() { queues = b.routes.readable(asked.Topic) })
	var answer proto.Assignment
	mode := b.modes.of(asked.ConsumerGroup, asked.Topic)
	if b.topics.inBatches(asked.Topic) || asked.Model == proto.Broadcasting {
		mode.Mode = proto.ModePull // these cannot be popped
	}
	if share, ok := b.share(asked, mode, queues); ok {
		assigned := make([]proto.AssignedQueue, len(share))
		for i, q := range share {
			assigned[i] = proto.AssignedQueue{Queue: q, Mode: mode.Mode}
		}
		answer.Queues = proto.Some(assigned)
	}
	in.Reply().Success(answer.Marshal())
}

func refuseAssignment(asked *proto.QueryAssignment) refusal {
	switch {
	case asked.Topic == "":
		return refused(proto.RespInvalidParameter, "topic is empty")
	case asked.ConsumerGroup == "":
		return refused(proto.RespInvalidParameter, "consumerGroup is empty")
	case asked.ClientID == "":
		return refused(proto.RespInvalidParameter, "clientId is empty")
	case asked.Model != proto.Clustering && asked.Model != proto.Broadcasting:
		return refused(proto.RespInvalidParameter, "messageModel is neither CLUSTERING nor BROADCASTING")
	}
	return refusal{}
}

// share works out the part of one member. It reports false if it cannot say: members without a word keep what they have, those with an
// empty list drop everything. A Java broker gives an empty list to a member that it does not know; here that member keeps what it has
// until its heartbeat has come.
func (b *Broker) share(asked *proto.QueryAssignment, mode proto.SetMessageRequestMode, queues []proto.Queue) ([]proto.Queue, bool) {
	switch {
	case len(queues) == 0:
		return nil, false
	case asked.Model == proto.Broadcasting || b.options.NoServerBalance:
		return queues, true
	}
	strategy, known := assign.BrokerStrategy(asked.Strategy)
	if !known {
		return nil, false
	}
	members := b.clients.idsOf(asked.ConsumerGroup)
	assign.SortMembers(members)
	var share []proto.Queue
	var err error
	if mode.Mode == proto.ModePop {
		share, err = assign.ForPop(strategy, asked.ConsumerGroup, asked.ClientID, queues, members, int(mode.PopShareQueues))
	} else {
		share, err = strategy.Assign(asked.ConsumerGroup, asked.ClientID, queues, members)
	}
	if err != nil {
		b.env.Log.Debug("queues are not assigned", zap.Stringer("request", asked), zap.Error(err))
		return nil, false
	}
	return share, true
}

// idsOf lists the client ids of a group, each once. The list is the caller's.
func (t *clientTable) idsOf(group string) (ids []string) {
	g := t.consumers[group]
	if g == nil {
		return nil
	}
	for _, m := range g.members {
		if !slices.Contains(ids, m.clientID) {
			ids = append(ids, m.clientID)
		}
	}
	return ids
}
