package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// ErrRecallHandle: the text is not the recall handle of a message of that topic.
var ErrRecallHandle = errors.New("not a recall handle of this topic")

// Recall withdraws a message that waits for its time (DelayFor, DeliverAt), by the handle of its SendResult ("recallMessage"). It returns the unique id
// of the message when the broker promises not to deliver it. A *ResponseError says why it does not: the time has come, or the broker takes no
// recalls; after any other error, or one with the code SYSTEM_ERROR, the message may be delivered or not.
func (p *Producer) Recall(ctx context.Context, topic, handle string) (uniqueID string, err error) {
	topic = p.config.space.full(topic)
	name, err := brokerOfHandle(topic, handle)
	if err != nil {
		return "", err
	}
	call, err := p.core.enter(ctx)
	if err != nil {
		return "", err
	}
	defer call.Leave()
	deadline := p.core.deadline(call, p.config.sendTimeout)
	if _, err := p.core.routes.forProducer(call, topic, deadline); err != nil {
		return "", err
	}
	b := p.core.brokers.byName[name]
	if b == nil {
		return "", fmt.Errorf("%w: no route of %s leads to %s", ErrNoBroker, topic, name)
	}
	address, ok := b.master()
	if !ok {
		return "", fmt.Errorf("%w: %s has no master now", ErrNoBroker, name)
	}
	header := &proto.RecallMessage{ProducerGroup: p.config.group, Topic: topic, Handle: handle}
	response, err := p.core.ask(call, address, &transport.Request{Code: proto.ReqRecallMessage, Header: header}, deadline)
	if err != nil {
		return "", err
	}
	var answer proto.RecallMessageResponse
	if err := answer.DecodeFields(response.Fields); err != nil {
		return "", fmt.Errorf("recall: the answer cannot be read: %w", err)
	}
	return answer.UniqueID, nil
}

// brokerOfHandle is the broker where the message of a handle waits.
func brokerOfHandle(topic, handle string) (string, error) {
	raw, err := base64.URLEncoding.DecodeString(handle)
	if err != nil {
		raw, err = base64.RawURLEncoding.DecodeString(handle)
	}
	words := strings.Split(string(raw), " ")
	if err != nil || len(words) != 5 || words[0] != "v1" || words[1] != topic {
		return "", fmt.Errorf("%w: %q of %s: use RecallHandle of the SendResult", ErrRecallHandle, handle, topic)
	}
	return words[2], nil
}
