package acceptance_test

import (
	"strings"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
)

// problems are the lines of consumerStatus that name one.
func problems(text string) (found []string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "problem: ") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

func TestEndToEndMembersWithDifferentSubscriptionsAreDetected(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic, other := c.topic(t, "status", 2), c.topic(t, "status-other", 2)
	for name, second := range map[string][]client.PushOption{
		"other-tags":  {client.WithSubscription(topic, client.Tags("b"))},
		"sql":         {client.WithSubscription(topic, client.SQL("a = 1"))},
		"more-topics": {client.WithSubscription(topic, client.Tags("a")), client.WithSubscription(other, client.Tags("*"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			group := "status-" + name
			c.consume(t, group, topic, client.WithSubscription(topic, client.Tags("a")))
			c.consume(t, group, topic, second...)
			var text string
			soon(t, func() bool {
				// A member that has just come may not be there yet.
				_, text = c.run(t, "consumerStatus", "-g", group)
				return strings.Contains(strings.Join(problems(text), "\n"), "subscribe")
			}, "no problem is found")
			require.NotContains(t, text, "Rebalance OK")
		})
	}
}

func TestEndToEndAGroupThatIsWellIsSaidToBe(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "well", 2)
	var members []*member
	for range 3 {
		members = append(members, c.consume(t, "well", topic, client.WithSubscription(topic, client.Tags("a || b"))))
	}
	sharedOut(t, topic, 4, members...)
	soon(t, func() bool {
		_, text := c.run(t, "consumerStatus", "-g", "well")
		return strings.Contains(text, "Rebalance OK")
	}, "something is wrong with the group")
	connections := c.tool(t, "consumerConnection", "-g", "well")
	require.Contains(t, connections, "a || b")
	require.Equal(t, 3, strings.Count(connections, processtest.Loopback+"@"), "each member once: %s", connections)

	code, text := c.run(t, "consumerStatus", "-g", "nobody")
	require.NotZero(t, code)
	require.Contains(t, text, "nobody")
}

// One instance name for two members makes each of them consume everything, and neither can know. Whoever looks is told.
func TestEndToEndTwoMembersWithOneInstanceNameAreDetected(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "twins", 1)
	for range 2 {
		c.consume(t, "twins", topic, client.WithInstanceName("twin"))
	}
	var text string
	soon(t, func() bool {
		_, text = c.run(t, "consumerStatus", "-g", "twins")
		return len(problems(text)) > 0
	}, "no problem is found")
	require.Contains(t, text, "twin is connected twice: if these are two members, give them different instance names")
}
