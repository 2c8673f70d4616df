package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gantrymq/gantry/node/filter"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// filterTable keeps what expressions of subscriptions compile to (class FilterFactory and its cache), also those that do not, and
// counts the messages that expressions could not judge. It is in memory only.
type filterTable struct {
	broker *Broker
	// Two generations. When the fresh one is full it becomes the old one, and what the old one had is forgotten; what is
	// asked for moves to the fresh one. So what is in use stays.
	fresh, old map[expression]*compiled
	freshBytes int // of the texts in fresh

	failures map[string]int64         // messages that could not be judged, by group
	told     map[groupExpression]bool // of which the log tells already
}

// expression is the text of a subscription with its type.
type expression struct{ kind, text string }

// compiled is a filter, or why there is none. It never changes, and pulls share it.
type compiled struct {
	expression expression
	filter     *filter.Filter
	err        error
}

func compile(e expression) *compiled {
	f, err := filter.Compile(e.kind, e.text)
	return &compiled{expression: e, filter: f, err: err}
}

// groupExpression is what a group wants of a topic.
type groupExpression struct {
	group, topic string
	expression
}

const (
	filtersMax      = 1000    // expressions of one generation
	filterBytesMax  = 1 << 20 // of their texts; a compiled expression takes up to thirty times as much
	compileInline   = 2 << 10 // bytes of an expression that is compiled with the baton held; it takes some ten microseconds
	failuresToldMax = 1000    // then the log may tell of some again
	shownMax        = 200     // characters of an expression in logs
)

func newFilterTable(b *Broker) *filterTable {
	return &filterTable{
		broker: b, fresh: map[expression]*compiled{}, old: map[expression]*compiled{},
		failures: map[string]int64{}, told: map[groupExpression]bool{},
	}
}

// known returns what an expression compiles to, if that is remembered, or nil.
func (t *filterTable) known(e expression) *compiled {
	if c := t.fresh[e]; c != nil {
		return c
	}
	c := t.old[e]
	if c != nil {
		t.remember(c)
	}
	return c
}

func (t *filterTable) remember(c *compiled) *compiled {
	size := len(c.expression.text) + len(c.expression.kind)
	if size > filter.LengthMax {
		// It is found to be too long again in no time.
		return c
	}
	if len(t.fresh) >= filtersMax || t.freshBytes+size > filterBytesMax {
		t.old, t.fresh, t.freshBytes = t.fresh, map[expression]*compiled{}, 0
	}
	if t.fresh[c.expression] == nil {
		t.freshBytes += size
	}
	t.fresh[c.expression] = c
	return c
}

// compile does not wait.
func (t *filterTable) compile(e expression) *compiled {
	if c := t.known(e); c != nil {
		return c
	}
	return t.remember(compile(e))
}

// compileFor compiles on behalf of a request. It waits if the expression is long and new.
func (b *Broker) compileFor(in *transport.Incoming, e expression) *compiled {
	if len(e.text) <= compileInline {
		return b.filters.compile(e)
	}
	if c := b.filters.known(e); c != nil {
		return c
	}
	var c *compiled
	b.await(in, func() {
		b.env.Tasks.Offload(func() { c = compile(e) })
	})
	return b.filters.remember(c)
}

// errPropertyFilter: the operator allows tags only.
var errPropertyFilter = errors.New("enablePropertyFilter is false: this broker filters by tags only")

// problem tells why an expression cannot be used, if so.
func (t *filterTable) problem(e expression) error {
	if e.kind != proto.ExpressionTag && t.broker.options.NoPropertyFilter {
		return errPropertyFilter
	}
	return t.compile(e).err
}

// refuseFilter compiles an expression for a consumer, or refuses it. It may wait.
func (b *Broker) refuseFilter(in *transport.Incoming, e expression) (*compiled, refusal) {
	if e.kind != proto.ExpressionTag && b.options.NoPropertyFilter {
		return nil, refused(proto.RespSystemError, "the broker does not support consumer to filter message by %s: %v", e.kind, errPropertyFilter)
	}
	c := b.compileFor(in, e)
	if c.err != nil {
		return nil, refused(proto.RespSubscriptionParseFailed, "parse the consumer's subscription failed: %v", c.err)
	}
	return c, refusal{}
}

// noteFailures counts messages that a pull's expression could not judge, and tells of the first one. They are not delivered, as with
// Java brokers, but unlike there somebody hears of it.
func (t *filterTable) noteFailures(p *pullRequest, count int64, first message.QueueOffset, why error) {
	if count == 0 {
		return
	}
	t.failures[p.group] += count
	what := groupExpression{p.group, p.queue.Topic, p.expression}
	if t.told[what] {
		return
	}
	if len(t.told) >= failuresToldMax {
		clear(t.told)
	}
	t.told[what] = true
	t.broker.env.Log.Warn("messages are not delivered to a group because its filter cannot compare a property of theirs: "+
		"change the expression (a > 5.0 reads more texts than a > 5), or what producers write; more of them are only counted, in filterFailures_<group>",
		zap.String("group", p.group), zap.Stringer("expression", p.expression), zap.Stringer("queue", p.queue), zap.Int64("first", int64(first)), zap.Error(why))
}

// show adds what tools are told.
func (t *filterTable) show(table map[string]string, number func(int64) string) {
	total := int64(0)
	// order does not matter: it is a sum, and a map
	for group, n := range t.failures {
		total += n
		table["filterFailures_"+group] = number(n)
	}
	table["filterFailures"] = number(total)
}

// meaning is equal for expressions that match the same messages, as far as that can be seen.
func (t *filterTable) meaning(e expression) string {
	c := t.compile(e)
	switch {
	case c.err != nil:
		return "not an expression: " + e.kind + " " + e.text
	case len(c.filter.Tags()) > 0:
		return "tags " + strings.Join(slices.Sorted(slices.Values(c.filter.Tags())), " || ")
	}
	return c.filter.Type() + " " + c.filter.String()
}

// String shows type and text, cut if it is long.
func (e expression) String() string {
	text := e.text
	if len(text) > shownMax {
		cut := shownMax
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = fmt.Sprintf("%s… (%d bytes)", text[:cut], len(e.text))
	}
	return e.kind + " " + text
}

// expressionOf is what a subscription filters by.
func expressionOf(s *proto.SubscriptionData) expression {
	return expression{s.ExpressionType, s.Expression}
}
