package client

import (
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// How often messages come again unless an option says otherwise.
const (
	redeliveriesUsual   = 16
	redeliveriesInOrder = 1<<31 - 1
)

// redeliveriesMax is how often a message comes again before it becomes a dead letter.
func (c *PushConsumer) redeliveriesMax() int32 {
	switch {
	case c.push.redeliveriesMax >= 0:
		return int32(c.push.redeliveriesMax)
	case c.push.inOrder:
		return redeliveriesInOrder
	}
	return redeliveriesUsual
}

// sendBackTimeout bounds a send-back.
const sendBackTimeout = 5 * time.Second

// sendBack gives a message back to the group, to be delivered again after a delay. It reports whether the message is safe
// with a broker.
func (c *PushConsumer) sendBack(queue Queue, m *Received, level int) bool {
	err := c.askToTakeBack(queue, m, level)
	if err == nil {
		return true
	}
	c.core.env.Log.Warn("a broker did not take a message back; it is sent to the retry topic instead", zap.Stringer("message", m), zap.Error(err))
	return c.sendToRetryTopic(m, level)
}

// askToTakeBack asks the master that has the message to store it for later (CONSUMER_SEND_MSG_BACK).
func (c *PushConsumer) askToTakeBack(queue Queue, m *Received, level int) error {
	b := c.core.brokers.byName[queue.BrokerName]
	if b == nil {
		return fmt.Errorf("%w: no route names broker %q", ErrNoBroker, queue.BrokerName)
	}
	master, ok := b.master()
	if !ok {
		return fmt.Errorf("%w: %s has no master now", ErrNoBroker, queue.BrokerName)
	}
	request := &transport.Request{Code: proto.ReqConsumerSendMessageBack, Header: &proto.ConsumerSendMessageBack{
		LogOffset: int64(m.LogOffset), Group: c.config.group, DelayLevel: int32(level), OffsetID: m.OffsetID.String(),
		OriginTopic: c.config.space.full(m.Topic), RedeliveriesMax: proto.Some(c.redeliveriesMax()),
	}}
	_, err := c.core.ask(nil, master, request, c.core.env.Clock.Now().Add(sendBackTimeout))
	return err
}

// sendToRetryTopic sends a copy of a message to the group, through any broker. A copy that waits for a flush or for slaves is not safe yet:
// another master may be elected that lacks it.
func (c *PushConsumer) sendToRetryTopic(m *Received, level int) bool {
	result, err := c.inner.transmit(c.retryMessage(m, level))
	if err == nil && (result.Status == SendFlushDiskTimeout || result.Status == SendFlushSlaveTimeout) {
		err = fmt.Errorf("it is stored, but with status %s", result.Status)
	}
	if err != nil {
		c.core.env.Log.Warn("a message could not be sent to the retry topic", zap.Stringer("message", m), zap.Error(err))
		return false
	}
	return true
}

// retryMessage is the copy of a message that goes to the retry topic. Brokers read from it how often it was delivered.
func (c *PushConsumer) retryMessage(m *Received, level int) *Message {
	again := &Message{
		Topic: proto.RetryTopic(c.config.group), UserFlags: m.UserFlags, Body: m.Body, Properties: m.Properties.Clone(),
	}
	p, most := &again.Properties, c.redeliveriesMax()
	times := m.Redeliveries + 1
	if level < 0 {
		// There is no other way to say so: brokers make a dead letter of what was delivered more often than it may be.
		most = 0
	}
	if level <= 0 {
		level = levelExpired + int(m.Redeliveries)
	}
	if p.Get(message.PropertyOriginOffsetID) == "" {
		p.Set(message.PropertyOriginOffsetID, m.OffsetID.String())
	}
	p.Set(message.PropertyRetryTopic, c.config.space.full(m.Topic))
	p.Set(message.PropertyRedeliveries, strconv.Itoa(int(times)))
	p.Set(message.PropertyRedeliveriesMax, strconv.Itoa(int(most)))
	p.Set(message.PropertyDelayLevel, strconv.Itoa(level))
	p.Delete(message.PropertyHalfMessage)
	return again
}

// newInnerProducer makes a producer that shares the core of a consumer. It belongs to a group that no broker hears of
// (CLIENT_INNER_PRODUCER): nobody asks it anything.
func newInnerProducer(k *core) *Producer {
	config := *k.config
	config.group = proto.InnerProducerGroup
	tasks := k.env.Tasks
	return &Producer{
		core: k, config: &config, random: k.env.Rand.Stream("inner producer"), exchanges: exchanges{tasks: tasks},
		window: newWindow(tasks, config.windowMessages, config.windowBytes), finished: tasks.NewCond(),
	}
}
