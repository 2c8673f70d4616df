package client

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// Filter says which messages of a topic a consumer wants. The zero value takes all.
type Filter struct {
	kind       string // proto.ExpressionTag or proto.ExpressionSQL; "" is tags
	expression string
	tags       []string // sorted; empty: all
}

// Tags takes messages with one of the tags of an expression such as "paid || shipped". Blanks around tags do not
// count; "" and "*" take all.
func Tags(expression string) Filter {
	f := Filter{kind: proto.ExpressionTag, expression: proto.SubscribeAll}
	for tag := range strings.SplitSeq(expression, "||") {
		if tag = strings.TrimSpace(tag); tag != "" && tag != proto.SubscribeAll {
			f.tags = append(f.tags, tag)
		}
	}
	if len(f.tags) > 0 {
		f.expression = strings.Join(f.tags, " || ")
	}
	slices.Sort(f.tags)
	f.tags = slices.Compact(f.tags)
	return f
}

// SQL takes messages whose properties fulfil an SQL92 expression, such as "region = 'north' AND size > 5.0". Brokers evaluate it, unless
// their "enablePropertyFilter" is off. They refuse an expression that they cannot read: a pull fails with a *ResponseError of
// code proto.RespSubscriptionParseFailed, whose text says what to write instead. All members of a group must subscribe the same.
func SQL(expression string) Filter {
	return Filter{kind: proto.ExpressionSQL, expression: expression}
}

// String shows the expression.
func (f Filter) String() string {
	if f.expression == "" && f.kind != proto.ExpressionSQL {
		return proto.SubscribeAll
	}
	return f.expression
}

// wants reports whether a tag passes. Brokers compare hashes only, so it is looked at again here.
func (f Filter) wants(tag string) bool {
	return len(f.tags) == 0 || slices.Contains(f.tags, tag)
}

// data is the subscription as brokers are told. Versions of one client must grow.
func (f Filter) data(topic string, version int64) proto.SubscriptionData {
	d := proto.SubscriptionData{
		Topic: topic, Expression: f.String(), ExpressionType: f.kind, Tags: f.tags, Version: version,
	}
	if d.ExpressionType == "" {
		d.ExpressionType = proto.ExpressionTag
	}
	for _, tag := range f.tags {
		d.TagHashes = append(d.TagHashes, proto.TagHash(tag))
	}
	return d
}

// checkFilters asks a broker of each topic whether it can serve a filter that is not of tags (CHECK_CLIENT_CONFIG). The error is
// that of the first one that refuses. Brokers that cannot be asked now will tell when they are pulled from.
func (c *PullConsumer) checkFilters(call *env.Call, deadline env.Instant) error {
	for _, topic := range slices.Sorted(maps.Keys(c.subscriptions)) {
		s := c.subscriptions[topic]
		if s == nil || s.data.ExpressionType == proto.ExpressionTag {
			continue
		}
		refused, err := c.checkFilter(call, s, deadline)
		switch {
		case refused, errors.Is(err, ErrClosed), err != nil && call.Err() != nil:
			return fmt.Errorf("filter %q of topic %s: %w", s.filter, topic, err)
		case err != nil:
			c.core.env.Log.Info("a filter cannot be checked yet", zap.String("topic", topic), zap.Stringer("filter", s.filter), zap.Error(err))
		}
	}
	return nil
}

// checkFilter reports with an error whether it is a broker's refusal.
func (c *PullConsumer) checkFilter(call *env.Call, s *subscribed, deadline env.Instant) (refused bool, err error) {
	known, err := c.core.routes.forConsumer(call, s.data.Topic, deadline)
	if err != nil {
		return false, err
	}
	address, err := c.reader(call, known.subscribe[0], deadline)
	if err != nil {
		return false, err
	}
	check := &proto.ClientConfigCheck{ClientID: c.core.ids.clientID(), Group: c.config.group, Subscription: &s.data}
	_, err = c.core.ask(call, address, &transport.Request{Code: proto.ReqCheckClientConfig, Body: check.Marshal()}, deadline)
	var answer *ResponseError
	return errors.As(err, &answer), err
}
