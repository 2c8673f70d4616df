package client

import (
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// checkFilters asks brokers whether they can evaluate the filters that are not tags (CHECK_CLIENT_CONFIG). Otherwise the
// application would see nothing but an empty topic.
func (c *PushConsumer) checkFilters(call *env.Call) error {
	for _, topic := range c.topics() {
		if err := c.checkFilter(call, c.reader.subscriptions[topic].data); err != nil {
			return err
		}
	}
	return nil
}

// checkFilter returns the refusal of a broker. A broker that cannot be asked refuses nothing: it will be heard when it is pulled from.
func (c *PushConsumer) checkFilter(call *env.Call, s proto.SubscriptionData) error {
	t := c.core.routes.topics[s.Topic]
	if s.ExpressionType == proto.ExpressionTag || t == nil || len(t.subscribe) == 0 {
		return nil
	}
	deadline := c.core.deadline(call, c.config.requestTimeout)
	address, _, err := newAsker(c).member(t.subscribe[0], deadline)
	if err != nil {
		return nil
	}
	body := &proto.ClientConfigCheck{ClientID: c.core.ids.clientID(), Group: c.config.group, Subscription: &s}
	_, err = c.core.ask(call, address, &transport.Request{Code: proto.ReqCheckClientConfig, Body: body.Marshal()}, deadline)
	switch {
	case err == nil, hasCode(err, proto.RespRequestCodeNotSupported):
		return nil
	case hasNoAnswer(err):
		c.core.env.Log.Info("a filter could not be checked", zap.String("topic", s.Topic), zap.Error(err))
		return nil
	}
	return fmt.Errorf("filter of topic %s, %q: %w", s.Topic, s.Expression, err)
}
