package acceptance_test

import (
	"slices"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

func TestEndToEndATagExpressionBringsTheMessagesItSays(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "tags", 2)
	p := c.producer(t)
	for _, tag := range []string{"a", "b", "c", "", "a b", "日本", "Aa", "BB"} {
		var options []client.MessageOption
		if tag != "" {
			options = append(options, client.Tag(tag))
		}
		send(t, p, client.NewMessage(topic, []byte("<"+tag+">"), options...))
	}
	all := []string{"<a>", "<b>", "<c>", "<>", "<a b>", "<日本>", "<Aa>", "<BB>"}
	for name, filter := range map[string]struct {
		expression string
		want       []string
	}{
		"star":            {"*", all},
		"nothing":         {"", all},
		"blanks":          {"   ", all},
		"one":             {"a", []string{"<a>"}},
		"one-in-blanks":   {"  a  ", []string{"<a>"}},
		"two":             {"a || b", []string{"<a>", "<b>"}},
		"two-tight":       {"a||b", []string{"<a>", "<b>"}},
		"the-same-twice":  {"a || a", []string{"<a>"}},
		"empty-parts":     {"a || || b ||", []string{"<a>", "<b>"}},
		"unknown":         {"nobody", nil},
		"one-unknown":     {"nobody || c", []string{"<c>"}},
		"with-a-blank":    {"a b", []string{"<a b>"}},
		"unicode":         {"日本", []string{"<日本>"}},
		"case-matters":    {"A", nil},
		"the-same-hash":   {"Aa", []string{"<Aa>"}}, // Java's hashes of Aa and BB are equal
		"many":            {"a || b || c || d || e || f || g", []string{"<a>", "<b>", "<c>"}},
		"star-among-tags": {"* || a", []string{"<a>"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gets(t, filter.want, c.consume(t, "tags-"+name, topic, client.WithSubscription(topic, client.Tags(filter.expression))))
		})
	}
}

// What a filter passes over is passed over for good: it does not come when the filter changes later. A pull that has begun keeps the
// old filter, so the first messages afterwards may be passed over too.
func TestEndToEndAFilterMayChangeWhileTheGroupRuns(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "change", 1)
	p := c.producer(t, client.WithSelector(func(*client.Message, []client.Queue) int { return 0 }))
	m := c.consume(t, "change", topic, client.WithSubscription(topic, client.Tags("a")))
	both := func(first, second string) {
		send(t, p, client.NewMessage(topic, []byte(first), client.Tag("a")))
		send(t, p, client.NewMessage(topic, []byte(second), client.Tag("b")))
	}
	both("a1", "b1")
	gets(t, []string{"a1"}, m)
	soon(t, func() bool { return c.lag(t, "change", topic) == 0 }, "what was filtered away counts as consumed")
	require.NoError(t, m.Subscribe(background, topic, client.Tags("b")))
	soon(t, func() bool {
		both("a2", "b2")
		return slices.Contains(different(m), "b2")
	}, "the new filter does not count")
	require.NotContains(t, different(m), "b1")
}
