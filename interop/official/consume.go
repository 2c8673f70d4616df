package main

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func consume(s settings) error {
	options := []consumer.Option{
		consumer.WithGroupName(s.Group), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}
	if s.Endpoint != "" {
		options = append(options, consumer.WithNameServerDomain(s.Endpoint))
	} else {
		options = append(options, consumer.WithNameServer(s.NameServers))
	}
	c, err := rocketmq.NewPushConsumer(options...)
	if err != nil {
		return err
	}
	if err := c.Subscribe(s.Topic, selector(s.Expression), show); err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	report{Ready: true}.print()
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return c.Shutdown()
}

func selector(expression string) consumer.MessageSelector {
	if expression == "" {
		expression = "*"
	}
	return consumer.MessageSelector{Type: consumer.TAG, Expression: expression}
}

func show(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	for _, m := range messages {
		report{Delivery: &delivery{
			Topic: m.Topic, Tag: m.GetTags(), Keys: strings.Fields(m.GetKeys()), Properties: m.GetProperties(), Body: m.Body,
			OffsetID: m.OffsetMsgId, Broker: m.Queue.BrokerName, Queue: m.Queue.QueueId, Offset: m.QueueOffset,
			UserFlags: m.Flag, Redeliveries: m.ReconsumeTimes,
		}}.print()
	}
	return consumer.ConsumeSuccess, nil
}
