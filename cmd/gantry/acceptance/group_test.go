package acceptance_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// sharedOut waits until the members hold all queues of a topic, each queue one of them, and each about the same number.
func sharedOut(t *testing.T, topic string, queues int, members ...*member) {
	t.Helper()
	var held map[client.Queue]int
	var counts []int
	soon(t, func() bool {
		held, counts = map[client.Queue]int{}, nil
		total := 0
		for _, m := range members {
			mine := m.holds(t, topic)
			for _, queue := range mine {
				held[queue]++
			}
			total += len(mine)
			counts = append(counts, len(mine))
		}
		return len(held) == queues && total == queues && slices.Max(counts)-slices.Min(counts) <= 1
	}, "%d queues are not shared out: %v, %v", queues, counts, held)
}

// Members come and go while messages are sent. Each message is consumed, and nearly all of them once.
func TestEndToEndAGroupSharesQueuesAmongItsMembersAsTheyComeAndGo(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "crowd", 4)
	const queues = 8
	p := c.producer(t)
	sent := 0
	more := func() {
		for range 40 {
			send(t, p, client.NewMessage(topic, fmt.Append(nil, sent)))
			sent++
		}
	}
	var all, here []*member
	for _, size := range []int{1, 2, 3, 5, 3, 2, 1} {
		for len(here) < size {
			m := c.consume(t, "crowd", topic)
			here, all = append(here, m), append(all, m)
		}
		for len(here) > size {
			here[0].leave(t)
			here = here[1:]
		}
		more()
		sharedOut(t, topic, queues, here...)
		more()
	}
	soon(t, func() bool { return len(different(all...)) == sent }, "messages do not come")
	require.Less(t, len(bodies(all...))-sent, sent/4, "far more were delivered twice than a change of members can explain")
	soon(t, func() bool { return c.lag(t, "crowd", topic) == 0 }, "offsets are not stored")
}

func TestEndToEndMembersBeyondTheQueuesHoldNoneUntilOthersLeave(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "surplus", 1)
	p := c.producer(t)
	var members []*member
	for range 4 {
		members = append(members, c.consume(t, "surplus", topic))
	}
	soon(t, func() bool { return holders(t, topic, members) == 2 }, "two queues are not held by two members")
	sendRange(t, p, topic, 1, 20)
	soon(t, func() bool { return len(different(members...)) == 20 }, "messages do not come")
	var left []*member
	for _, m := range slices.Clone(members) {
		if len(members) > 2 && len(m.holds(t, topic)) > 0 {
			m.leave(t)
			left, members = append(left, m), slices.DeleteFunc(members, func(other *member) bool { return other == m })
		}
	}
	sharedOut(t, topic, 2, members...)
	sendRange(t, p, topic, 21, 40)
	soon(t, func() bool { return len(different(append(left, members...)...)) == 40 }, "messages do not come")
	require.Subset(t, different(members...), between(21, 40), "the heirs get what is sent after the others have left")
}

// holders is how many members hold queues.
func holders(t *testing.T, topic string, members []*member) int {
	t.Helper()
	count := 0
	for _, m := range members {
		if len(m.holds(t, topic)) > 0 {
			count++
		}
	}
	return count
}

func TestEndToEndGroupsDoNotDisturbEachOther(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "apart", 2)
	sendNumbered(t, c.producer(t), topic, 30)
	for _, group := range []string{"apart-1", "apart-2", "apart-3"} {
		gets(t, numbers(30), c.consume(t, group, topic))
	}
}

func TestEndToEndBroadcastingDeliversEveryMessageToEveryMember(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	for _, size := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(size, " members"), func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprint("broadcast-", size)
			topic := c.topic(t, name, 2)
			p := c.producer(t)
			var members []*member
			for i := range size {
				members = append(members, c.consume(t, name, topic, client.WithModel(client.Broadcasting), client.WithInstanceName(fmt.Sprint("member-", i))))
			}
			sendNumbered(t, p, topic, 20)
			for _, m := range members {
				gets(t, numbers(20), m)
				require.Len(t, m.holds(t, topic), 4, "each member holds all queues")
			}
			// One that fails does not come again.
			failing := c.consumeWith(t, name, topic, func(*client.Received) error { return client.RetryAfter(1) }, client.WithModel(client.Broadcasting), client.WithInstanceName("failing"))
			gets(t, numbers(20), failing)
			time.Sleep(1500 * time.Millisecond)
			gets(t, numbers(20), failing)
		})
	}
}

func TestEndToEndAGroupSubscribesSeveralTopics(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	p := c.producer(t)
	topics := []string{c.topic(t, "several-0", 2), c.topic(t, "several-1", 2), c.topic(t, "several-2", 2)}
	var options []client.PushOption
	for _, topic := range topics {
		options = append(options, client.WithSubscription(topic, client.Tags("*")))
	}
	first, second := c.consume(t, "several", topics[0], options...), c.consume(t, "several", topics[0], options...)
	want := map[string]int{}
	for _, topic := range topics {
		sharedOut(t, topic, 4, first, second)
		sendNumbered(t, p, topic, 10)
		want[topic] = 10
	}
	got := map[string]int{}
	soon(t, func() bool {
		clear(got)
		for _, d := range append(first.deliveries(), second.deliveries()...) {
			got[d.Topic]++
		}
		return maps.Equal(want, got)
	}, "messages of three topics do not come: %v", got)

	require.NoError(t, first.Unsubscribe(background, "several-1"))
	require.NoError(t, second.Unsubscribe(background, "several-1"))
	soon(t, func() bool { return len(first.holds(t, "several-1"))+len(second.holds(t, "several-1")) == 0 }, "queues of the topic are still held")
	sendNumbered(t, p, "several-1", 5)
	sendNumbered(t, p, "several-2", 5)
	soon(t, func() bool { return len(bodies(first, second)) == 35 }, "messages of the other topic do not come")
	time.Sleep(200 * time.Millisecond)
	require.Len(t, bodies(first, second), 35)
}
