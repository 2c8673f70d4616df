package acceptance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

func TestEndToEndATopicOf127CharactersIsServed(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "%|-_"+strings.Repeat("t", 123), 1)
	sendNumbered(t, c.producer(t), topic, 3)
	gets(t, numbers(3), c.consume(t, "longtopic", topic))

	code, text := c.run(t, "updateTopic", "-c", "DefaultCluster", "-t", strings.Repeat("t", 128))
	require.NotZero(t, code)
	require.Contains(t, text, "128 characters, at most 127")
}

func TestEndToEndATopicThatNobodyMadeIsMadeByTheFirstMessage(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	p := c.producer(t, client.WithTopicCreation("TBW102", 3))
	sendNumbered(t, p, "made-by-sending", 4)
	require.Contains(t, c.tool(t, "topicList"), "made-by-sending")
	gets(t, numbers(4), c.consume(t, "made-by-sending", "made-by-sending"))
	queues, err := p.Queues(background, "made-by-sending")
	require.NoError(t, err)
	require.Zero(t, len(queues)%3, "each broker that got a message has three queues: %v", queues)
}

func TestEndToEndWithoutAutomaticCreationAnUnknownTopicIsRefused(t *testing.T) {
	endToEnd(t)
	c := own(t, "--autoCreateTopicEnable", "false", "--autoCreateSubscriptionGroup", "false")
	p := c.producer(t)
	_, err := p.Send(background, client.NewMessage("unknown", []byte("x")))
	require.ErrorIs(t, err, client.ErrTopicNotFound)
	require.ErrorContains(t, err, "unknown")
	outcome := make(chan error, 1)
	require.NoError(t, p.SendAsync(background, client.NewMessage("unknown", []byte("x")), func(_ client.SendResult, err error) { outcome <- err }))
	require.ErrorIs(t, <-outcome, client.ErrTopicNotFound, "the callback is told")
	code, text := c.run(t, "sendMessage", "-t", "unknown", "-p", "x")
	require.Equal(t, 1, code)
	require.Contains(t, text, "to fix it: see the topics there are with topicList, or make it with updateTopic")

	c.tool(t, "updateTopic", "-c", "DefaultCluster", "-t", "known", "-r", "2", "-w", "2")
	c.routed(t, c.newAdmin(t), "known", 1)
	sendNumbered(t, p, "known", 3)
	// Nor are groups made. The broker refuses to serve this one until somebody makes it.
	consumer := c.consume(t, "known", "known", client.WithHeartbeat(time.Second))
	c.tool(t, "updateSubGroup", "-c", "DefaultCluster", "-g", "known")
	gets(t, numbers(3), consumer)
}

// A consumer may be there before its topic.
func TestEndToEndAConsumerWaitsForATopicThatDoesNotExistYet(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	consumer := c.consume(t, "early", "early", client.WithRouteRefresh(glance))
	sendNumbered(t, c.producer(t), c.topic(t, "early", 1), 3)
	soon(t, func() bool { return len(different(consumer)) == 3 }, "messages do not come")
}

func TestEndToEndReservedTopicsCannotBeMadeOrDeleted(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	for _, topic := range []string{"TBW102", "SELF_TEST_TOPIC", "SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC", "OFFSET_MOVED_EVENT", "BenchmarkTest", "rmq_sys_mine"} {
		code, text := c.run(t, "updateTopic", "-c", "DefaultCluster", "-t", topic)
		require.NotZero(t, code, topic)
		require.Contains(t, text, topic)
		require.Contains(t, text, "system topic", topic)
		code, text = c.run(t, "deleteTopic", "-c", "DefaultCluster", "-t", topic)
		require.NotZero(t, code, "%s: %s", topic, text)
	}
	for topic, want := range map[string]string{"": "-t (--topic) is missing", "a b": "illegal character", "a.b": "illegal character", "  ": "blank"} {
		code, text := c.run(t, "updateTopic", "-c", "DefaultCluster", "-t", topic)
		require.NotZero(t, code, topic)
		require.Contains(t, text, want, topic)
	}
}

// A topic that is not writable any more has no queues for producers that know its new route, and what it has is read all the same.
func TestEndToEndATopicMayBeClosedForWriting(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "readonly", 1)
	sendNumbered(t, c.producer(t), topic, 2)
	c.tool(t, "updateTopicPerm", "-c", "DefaultCluster", "-t", topic, "-p", "4")
	a := c.newAdmin(t)
	soon(t, func() bool {
		route, err := a.Route(background, topic)
		return err == nil && !route.Queues[0].Perm.Writable() && !route.Queues[1].Perm.Writable()
	}, "the route says that it may be written")
	_, err := c.producer(t).Send(background, client.NewMessage(topic, []byte("x")))
	require.ErrorContains(t, err, topic)
	require.ErrorIs(t, err, client.ErrNoBroker)
	gets(t, numbers(2), c.consume(t, topic, topic))
}
