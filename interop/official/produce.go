package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// window is how many sends are under way at one time.
const window = 16

func produce(s settings) error {
	options := []producer.Option{producer.WithGroupName(s.Group)}
	if s.Endpoint != "" {
		options = append(options, producer.WithNameServerDomain(s.Endpoint))
	} else {
		options = append(options, producer.WithNameServer(s.NameServers))
	}
	p, err := rocketmq.NewProducer(options...)
	if err != nil {
		return err
	}
	if err := p.Start(); err != nil {
		return err
	}
	report{Ready: true}.print()
	return errors.Join(sendAll(p), p.Shutdown())
}

// sendAll sends what standard input orders, until its end.
func sendAll(p rocketmq.Producer) error {
	orders := make(chan order)
	var senders sync.WaitGroup
	for range window {
		senders.Go(func() {
			for o := range orders {
				send(p, o)
			}
		})
	}
	defer senders.Wait()
	defer close(orders)
	known := map[string]bool{}
	for in := json.NewDecoder(os.Stdin); ; {
		var o order
		err := in.Decode(&o)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("order: %w", err)
		}
		if known[o.Topic] {
			orders <- o
			continue
		}
		// While the client learns a route, sends side by side can fail: it stores the queues of
		// the topic before the addresses of their brokers.
		send(p, o)
		known[o.Topic] = true
	}
}

func send(p rocketmq.Producer, o order) {
	result, err := p.SendSync(context.Background(), messageOf(o))
	if err != nil {
		report{Outcome: &outcome{Number: o.Number, Error: err.Error()}}.print()
		return
	}
	report{Outcome: &outcome{
		Number: o.Number, Status: statusName(result.Status), UniqueID: result.MsgID, OffsetID: result.OffsetMsgID,
		Broker: result.MessageQueue.BrokerName, Queue: result.MessageQueue.QueueId, Offset: result.QueueOffset,
	}}.print()
}

func statusName(status primitive.SendStatus) string {
	if status == primitive.SendOK {
		return "SEND_OK"
	}
	return fmt.Sprint(status)
}

func messageOf(o order) *primitive.Message {
	m := primitive.NewMessage(o.Topic, o.Body)
	for name, value := range o.Properties {
		m.WithProperty(name, value)
	}
	if o.Tag != "" {
		m.WithTag(o.Tag)
	}
	if len(o.Keys) > 0 {
		m.WithKeys(o.Keys)
	}
	return m
}
