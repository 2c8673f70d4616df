package client

import (
	"context"
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// SendBatch sends several messages as one request and waits until a broker has stored them, all or none. They must
// have the same topic and the same wait property, no delay, and together no more bytes than WithMaxMessageSize. The
// results are in the order of the messages. Bodies of a batch are not compressed. A selector is asked with the
// first message.
//
// Errors are those of Send. The UniqueID of a *SendError is that of the first message.
func (p *Producer) SendBatch(ctx context.Context, messages []*Message) ([]SendResult, error) {
	call, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer p.end(call)
	o := p.order(call, p.config.retries, p.config.retryCodes)
	s := p.take()
	defer p.give(s)
	uniqueIDs, err := p.prepareBatch(call, s, messages, o)
	if err != nil {
		return nil, err
	}
	result, err := p.deliver(call, s, o)
	if err != nil {
		return nil, err
	}
	return perMessage(result, uniqueIDs), nil
}

// prepareBatch checks the messages, makes the request, and returns their unique ids.
func (p *Producer) prepareBatch(call *env.Call, s *sending, messages []*Message, o order) ([]string, error) {
	if err := p.checkBatch(messages); err != nil {
		return nil, err
	}
	first := messages[0]
	s.message, s.uniqueID, s.began, s.body = first, first.UniqueID(), p.core.env.Clock.Now(), s.body[:0]
	s.fill(p, p.topicOf(first))
	if _, err := p.route(call, s, o); err != nil {
		return nil, p.failed(s, err)
	}
	uniqueIDs := make([]string, len(messages))
	for i, m := range messages {
		id, err := p.addElement(s, m)
		if err != nil {
			return nil, fmt.Errorf("message %d of the batch: %w", i, err)
		}
		if uniqueIDs[i] = id; len(s.body) > p.config.bodyMax {
			return nil, fmt.Errorf("%w: the batch has more than %d bytes with message %d of %d (WithMaxMessageSize); send several batches",
				ErrMessage, p.config.bodyMax, i, len(messages))
		}
	}
	s.uniqueID, s.batch, s.batchIDs = uniqueIDs[0], messages, uniqueIDs
	return uniqueIDs, p.addEnvelope(s, first)
}

// addElement appends one message to the body of the batch and returns its unique id.
func (p *Producer) addElement(s *sending, m *Message) (id string, err error) {
	if err := s.encodeProperties(m); err != nil {
		return "", err
	}
	if id = m.UniqueID(); id == "" {
		if id, err = p.addUniqueID(s); err != nil {
			return "", err
		}
	}
	body, err := message.AppendBatchElement(s.body, &message.BatchElement{
		UserFlags: m.UserFlags, Body: m.Body, Properties: s.properties,
	})
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrMessage, err)
	}
	s.body = body
	return id, nil
}

// addEnvelope completes the header: the batch has a unique id of its own.
func (p *Producer) addEnvelope(s *sending, first *Message) error {
	envelope := &Message{Topic: first.Topic}
	if value, found := first.Properties.Lookup(message.PropertyWaitForStore); found {
		envelope.Properties.Set(message.PropertyWaitForStore, value)
	}
	if err := s.encodeProperties(p.inNamespace(envelope)); err != nil {
		return err
	}
	if _, err := p.addUniqueID(s); err != nil {
		return err
	}
	s.request.Code, s.request.Body = proto.ReqSendBatchMessage, s.body
	s.header.UserFlags, s.header.Batch, s.header.Properties = 0, true, string(s.properties)
	return nil
}

// checkBatch refuses what cannot travel together.
func (p *Producer) checkBatch(messages []*Message) error {
	if len(messages) == 0 {
		return fmt.Errorf("%w: the batch is empty", ErrMessage)
	}
	for i, m := range messages {
		if err := checkMessage(m, p.config.bodyMax); err != nil {
			return fmt.Errorf("message %d of the batch: %w", i, err)
		}
		first := messages[0]
		wrong := ""
		switch {
		case m.Topic != first.Topic:
			wrong = fmt.Sprintf("topic %s differs from %s", m.Topic, first.Topic)
		case m.WaitsForStore() != first.WaitsForStore():
			wrong = "its wait property differs from the first one's"
		case delayed(m):
			wrong = "a delayed message must be sent alone"
		case proto.IsRetryTopic(m.Topic):
			wrong = "messages to a retry topic must be sent alone"
		}
		if wrong != "" {
			return fmt.Errorf("%w: message %d of the batch: %s", ErrMessage, i, wrong)
		}
	}
	return nil
}
