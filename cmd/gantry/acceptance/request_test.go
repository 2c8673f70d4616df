package acceptance_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// answering starts a consumer that answers each request with "re: " and its body.
func (c *cluster) answering(t *testing.T, group, topic string) *member {
	t.Helper()
	m := &member{}
	handler := func(ctx context.Context, messages []*client.Received) error {
		_, err := m.Reply(ctx, messages[0], append([]byte("re: "), messages[0].Body...), client.Property("by", group))
		return err
	}
	m.start(t, c, group, client.WithSubscription(topic, client.Tags("*")), client.WithConsumeFrom(client.FromFirst), client.WithHandler(handler))
	return m
}

func TestEndToEndARequestGetsItsOwnReply(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "questions", 2)
	for range 2 {
		c.answering(t, "answers", topic)
	}
	p := c.producer(t)
	var askers sync.WaitGroup
	failures := make([]error, 30)
	for i := range failures {
		askers.Go(func() {
			reply, err := p.Request(background, client.NewMessage(topic, fmt.Append(nil, "question ", i)), patience)
			if err == nil && (string(reply.Body) != fmt.Sprint("re: question ", i) || reply.Properties.Get("by") != "answers") {
				err = fmt.Errorf("question %d got %q", i, reply.Body)
			}
			failures[i] = err
		})
	}
	askers.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
}

func TestEndToEndARequestInTheBackgroundGetsItsReplyToo(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "background", 1)
	c.answering(t, "background", topic)
	outcome := make(chan string, 1)
	require.NoError(t, c.producer(t).RequestAsync(background, client.NewMessage(topic, []byte("x")), patience, func(reply *client.Received, err error) {
		if err != nil {
			outcome <- err.Error()
			return
		}
		outcome <- string(reply.Body)
	}))
	require.Equal(t, "re: x", <-outcome)
}

func TestEndToEndARequestThatNobodyAnswersSaysSo(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "unanswered", 1)
	p := c.producer(t)
	began := time.Now()
	_, err := p.Request(background, client.NewMessage(topic, []byte("x")), time.Second)
	require.ErrorIs(t, err, client.ErrNoReply)
	require.ErrorIs(t, err, client.ErrTimeout)
	require.ErrorContains(t, err, topic)
	require.Less(t, time.Since(began), 5*time.Second)

	// What is no request cannot be answered.
	m := c.consume(t, "unanswered", topic)
	send(t, p, client.NewMessage(topic, []byte("no question")))
	soon(t, func() bool { return len(m.deliveries()) == 2 }, "messages do not come")
	for _, d := range m.deliveries() {
		if string(d.Body) == "no question" {
			_, err := m.Reply(background, d.Received, []byte("y"))
			require.ErrorIs(t, err, client.ErrNoRequest)
		}
	}
}
