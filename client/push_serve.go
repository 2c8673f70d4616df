package client

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// serve answers what brokers ask a consumer. It runs as the reader of a connection: what takes time becomes a task.
func (c *PushConsumer) serve(in *transport.Incoming) bool {
	var err error
	switch in.Command.Code {
	case proto.ReqNotifyConsumerIDsChanged:
		err = c.serveMembers(in)
	case proto.ReqResetConsumerClientOffset:
		err = c.serveReset(in)
	case proto.ReqGetConsumerStatusFromClient:
		err = c.serveStatus(in)
	case proto.ReqGetConsumerRunningInfo:
		err = c.serveRunningInfo(in)
	case proto.ReqConsumeMessageDirectly:
		err = c.serveDirectly(in)
	default:
		return false
	}
	if err != nil {
		c.core.env.Log.Warn("a request of a broker cannot be served", zap.String("request", proto.RequestName(in.Command.Code)), zap.Error(err))
		in.Reply().Error(proto.RespSystemError, err.Error())
	}
	return true
}

// ofGroup returns an error if a request is not about the group of this consumer.
func (c *PushConsumer) ofGroup(group string) error {
	if group != c.config.group || !c.started {
		return fmt.Errorf("consumer group %q does not run in this client", group)
	}
	return nil
}

// serveMembers shares out queues when members came or went (NOTIFY_CONSUMER_IDS_CHANGED).
func (c *PushConsumer) serveMembers(in *transport.Incoming) error {
	var h proto.NotifyConsumerIDsChanged
	if err := h.DecodeFields(in.Command.Fields); err != nil {
		return err
	}
	if err := c.ofGroup(h.ConsumerGroup); err != nil {
		return err
	}
	c.rebalance.failed = 0
	c.rebalanceSoon(0)
	in.Reply().Success(nil)
	return nil
}

// serveReset moves queues of a topic elsewhere (RESET_CONSUMER_CLIENT_OFFSET).
func (c *PushConsumer) serveReset(in *transport.Incoming) error {
	var h proto.ResetOffset
	err := h.DecodeFields(in.Command.Fields)
	table, unreadable := proto.UnmarshalResetOffsets(in.Command.Body)
	if err := errors.Join(err, unreadable); err != nil {
		return err
	}
	if err := c.ofGroup(h.Group); err != nil {
		return err
	}
	reply := in.Reply()
	c.core.start("reset offsets", func() {
		for _, to := range table.Offsets {
			if a := c.assigned[to.Queue]; a != nil && a.popped == nil && to.Queue.Topic == h.Topic {
				c.reset(a, QueueOffset(max(to.Offset, 0)))
			}
		}
		c.wakeAll()
		reply.Success(nil)
	})
	return nil
}

// reset makes a queue go on from another offset. What handlers make of its messages from now on is ignored.
func (c *PushConsumer) reset(a *assignment, to QueueOffset) {
	if a.dropped {
		return
	}
	c.core.env.Log.Warn("an offset was reset from outside", zap.Stringer("queue", a.queue), zap.Int64("from", int64(a.committed())), zap.Int64("to", int64(to)))
	a.restart(to)
	// The pull that the broker holds is of no use any more.
	c.startPulling(a)
	// The store has something else, or did not get this one yet.
	a.stored, a.marked = offsetUnknown, to
	a.sentElsewhere(to)
	_ = c.persist([]*assignment{a}, c.core.env.Clock.Now().Add(c.config.requestTimeout))
}

// serveStatus tells the offsets of a topic (GET_CONSUMER_STATUS_FROM_CLIENT).
func (c *PushConsumer) serveStatus(in *transport.Incoming) error {
	var h proto.GetConsumerStatus
	if err := h.DecodeFields(in.Command.Fields); err != nil {
		return err
	}
	if err := c.ofGroup(h.Group); err != nil {
		return err
	}
	status := &proto.ConsumerStatus{}
	for _, a := range c.order {
		if a.queue.Topic == h.Topic && a.popped == nil {
			status.Queues = append(status.Queues, proto.QueueOffset{Queue: a.queue, Offset: int64(a.committed())})
		}
	}
	in.Reply().Success(status.Marshal())
	return nil
}

// serveDirectly has the handler consume one message now (CONSUME_MESSAGE_DIRECTLY).
func (c *PushConsumer) serveDirectly(in *transport.Incoming) error {
	var h proto.ConsumeMessageDirectly
	if err := h.DecodeFields(in.Command.Fields); err != nil {
		return err
	}
	if err := c.ofGroup(h.ConsumerGroup); err != nil {
		return err
	}
	if c.push.handler == nil {
		return errors.New("this consumer has no handler: its messages go to loops")
	}
	reply, body := in.Reply(), slices.Clone(in.Command.Body)
	c.working++
	c.core.env.Tasks.Go("consume directly", func() {
		c.consumeDirectly(reply, h.BrokerName, body)
		c.oneLess()
	})
	return nil
}

func (c *PushConsumer) consumeDirectly(reply transport.Reply, brokerName string, body []byte) {
	messages, err := c.reader.decode(Queue{}, Filter{}, 0, 0, body)
	if err == nil && len(messages) == 0 {
		err = errors.New("the request holds no message")
	}
	if err != nil {
		reply.Error(proto.RespSystemError, err.Error())
		return
	}
	for _, m := range messages {
		m.Queue.BrokerName = brokerName
	}
	c.restore(messages)
	began := c.core.env.Clock.Now()
	err = c.handle(messages[:1])
	result := &proto.ConsumeMessageDirectlyResult{
		Ordered: c.push.inOrder, ManualCommit: c.push.manualCommit, SpentMillis: c.core.env.Clock.Now().Sub(began).Milliseconds(),
	}
	result.Result = resultOf(err)
	if err != nil {
		result.Remark = err.Error()
	}
	reply.Success(result.Marshal())
}

// resultOf is what tools are told of an error.
func resultOf(err error) proto.ConsumeResult {
	var panicked *handlerPanic
	switch {
	case err == nil:
		return proto.ResultSuccess
	case errors.Is(err, CommitNow):
		return proto.ResultCommit
	case errors.Is(err, RollbackNow):
		return proto.ResultRollback
	case errors.As(err, &panicked):
		return proto.ResultException
	}
	return proto.ResultLater
}
