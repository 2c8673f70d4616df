package client

import (
	"slices"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
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

// SQL takes messages whose properties fulfil an SQL92 expression. Brokers evaluate it, if they are configured to.
func SQL(expression string) Filter {
	return Filter{kind: proto.ExpressionSQL, expression: expression}
}

// String shows the expression.
func (f Filter) String() string {
	if f.expression == "" {
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
