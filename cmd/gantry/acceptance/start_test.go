package acceptance_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/stretchr/testify/require"
)

func newWorld(t *testing.T) *osenv.World {
	t.Helper()
	world, err := osenv.New(osenv.Options{Node: "app"})
	require.NoError(t, err)
	return world
}

// consumed is a handler that consumes all.
func consumed(context.Context, []*client.Received) error { return nil }

func TestEndToEndWhatCannotStartNamesTheFieldThatIsWrong(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	names, group := client.WithNameServers(c.names), client.WithGroup("g")
	all := client.WithSubscription("orders", client.Tags("*"))
	handler := client.WithHandler(consumed)
	producer := func(options ...client.ProducerOption) error {
		_, err := client.NewProducer(newWorld(t).Env, options...)
		return err
	}
	consumer := func(options ...client.PushOption) error {
		_, err := client.NewPushConsumer(newWorld(t).Env, options...)
		return err
	}
	for name, mistake := range map[string]struct {
		err  error
		want []string
	}{
		"a producer without a name server":          {producer(group), []string{"WithNameServers", "at least one address host:port, or set NAMESRV_ADDR"}},
		"a producer with an empty name server":      {producer(group, client.WithNameServers(" ; ")), []string{"WithNameServers"}},
		"a producer with an address without a port": {producer(group, client.WithNameServers("127.0.0.1")), []string{"WithNameServers", `127.0.0.1`, "host:port"}},
		"a producer with a port that is none":       {producer(group, client.WithNameServers("localhost:many")), []string{"WithNameServers", "localhost:many"}},
		"a producer without a group":                {producer(names), []string{`WithGroup("")`, "blank"}},
		"a producer with a blank group":             {producer(names, client.WithGroup("  ")), []string{`WithGroup("  ")`, "blank"}},
		"a producer with the usual group of Java":   {producer(names, client.WithGroup("DEFAULT_PRODUCER")), []string{"WithGroup", "reserved"}},
		"a producer with an illegal group":          {producer(names, client.WithGroup("a.b")), []string{`WithGroup("a.b")`, "illegal character", "letters, digits"}},
		"a producer with a group in Chinese":        {producer(names, client.WithGroup("订单")), []string{"WithGroup", "illegal character"}},
		"a producer with a group of 121 bytes":      {producer(names, client.WithGroup(strings.Repeat("g", 121))), []string{"WithGroup", "121 characters, at most 120"}},
		"a producer with negative retries":          {producer(names, group, client.WithRetries(-1, 0)), []string{"WithRetries(-1, 0)"}},
		"a producer whose send has no time":         {producer(names, group, client.WithSendTimeout(0)), []string{"WithSendTimeout(0s)"}},

		"a consumer without a name server":      {consumer(group, all, handler), []string{"WithNameServers"}},
		"a consumer without a group":            {consumer(names, all, handler), []string{`WithGroup("")`, "blank"}},
		"a consumer with an illegal group":      {consumer(names, client.WithGroup("#$%"), all, handler), []string{"WithGroup", "illegal character"}},
		"a consumer with the usual group":       {consumer(names, client.WithGroup("DEFAULT_CONSUMER"), all, handler), []string{"WithGroup", "reserved"}},
		"a consumer with a group too long":      {consumer(names, client.WithGroup(strings.Repeat("g", 256)), all, handler), []string{"WithGroup", "256 characters, at most 120"}},
		"a consumer of no topic":                {consumer(names, group, handler, client.WithSubscription("", client.Tags("*"))), []string{`WithSubscription("")`}},
		"a consumer of an illegal topic":        {consumer(names, group, handler, client.WithSubscription("a b", client.Tags("*"))), []string{`WithSubscription("a b")`, "illegal character"}},
		"a consumer of a topic of 128 bytes":    {consumer(names, group, handler, client.WithSubscription(strings.Repeat("t", 128), client.Tags("*"))), []string{"WithSubscription", "128 characters, at most 127"}},
		"a consumer with a handler that is nil": {consumer(names, group, all, client.WithHandler(nil)), []string{"WithHandler(nil)", "Messages"}},
		"one in order whose handler is nil":     {consumer(names, group, all, client.WithOrderlyHandler(nil)), []string{"WithOrderlyHandler(nil)", "Messages"}},
		"a consumer with a batch of 0":          {consumer(names, group, all, handler, client.WithBatchSize(0)), []string{"WithBatchSize(0)", "1 to 1024"}},
		"a consumer with a pull of 1025":        {consumer(names, group, all, handler, client.WithPullBatch(1025, 1)), []string{"WithPullBatch(1025)"}},
		"a consumer without concurrency":        {consumer(names, group, all, handler, client.WithConcurrency(0)), []string{"WithConcurrency(0)"}},
		"a consumer that never times out":       {consumer(names, group, all, handler, client.WithConsumeTimeout(0)), []string{"WithConsumeTimeout(0s)"}},
		"a consumer of an unknown model":        {consumer(names, group, all, handler, client.WithModel(client.Model(7))), []string{"WithModel"}},
	} {
		var wrong *client.OptionError
		require.ErrorAs(t, mistake.err, &wrong, name)
		require.ErrorIs(t, mistake.err, client.ErrOption, name)
		for _, text := range mistake.want {
			require.ErrorContains(t, mistake.err, text, name)
		}
	}
}

func TestEndToEndAGroupOf120CharactersIsServed(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "longgroup", 1)
	group := "%|-_" + strings.Repeat("g", 116)
	p := c.producer(t, client.WithGroup(group))
	sendNumbered(t, p, topic, 3)
	gets(t, numbers(3), c.consume(t, group, topic))
}

// freeAddress is an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", processtest.Loopback+":0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func TestEndToEndAWrongAddressIsNamedByWhoeverUsesItFirst(t *testing.T) {
	endToEnd(t)
	shared(t)
	nobody := freeAddress(t)
	names, group := client.WithNameServers(nobody), client.WithGroup("g")
	p, err := client.NewProducer(newWorld(t).Env, names, group)
	require.NoError(t, err)
	began := time.Now()
	_, err = p.Send(background, client.NewMessage("orders", []byte("x")))
	require.ErrorIs(t, err, client.ErrNoNameServer)
	require.ErrorContains(t, err, nobody)
	require.ErrorContains(t, err, "safe to send it again")
	require.Less(t, time.Since(began), 10*time.Second)
	leave(t, p)

	consumer, err := client.NewPushConsumer(newWorld(t).Env, names, group, client.WithSubscription("orders", client.Tags("*")), client.WithHandler(consumed))
	require.NoError(t, err)
	err = consumer.Start(background)
	require.ErrorIs(t, err, client.ErrNoNameServer)
	require.ErrorContains(t, err, nobody)
	leave(t, consumer)

	code, text := gantry(t, "admin", "topicList", "-n", nobody)
	require.Equal(t, 4, code)
	require.Contains(t, text, nobody)
	require.Contains(t, text, "to fix it: see that name servers run")
	for line, want := range map[string]string{
		"admin topicList":                   "no name server is given: write -n host:9876, or set NAMESRV_ADDR",
		"admin topicList -n here":           "host:port",
		"admin topicList -n here:70000":     "70000",
		"broker -n here --listenPort 0":     "here",
		"admin consumeMessage -n " + nobody: "-t (--topic) is missing",
	} {
		code, text := gantry(t, strings.Fields(line)...)
		require.Equal(t, 2, code, "%s: %s", line, text)
		require.Contains(t, text, want, line)
	}
}

func TestEndToEndAConsumerIsStartedOnce(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	m := c.consume(t, "once", c.topic(t, "once", 1))
	require.ErrorContains(t, m.Start(background), "was started before")
	m.leave(t)
	require.ErrorIs(t, m.Start(background), client.ErrClosed)
}

func TestEndToEndAConsumerWithoutASubscriptionDoesNotStart(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "later", 1)
	names, group := client.WithNameServers(c.names), client.WithGroup("later")
	m := &member{}
	var err error
	m.PushConsumer, err = client.NewPushConsumer(newWorld(t).Env, names, group, client.WithHandler(m.handler(func(*client.Received) error { return nil })), client.WithConsumeFrom(client.FromFirst))
	require.NoError(t, err)
	defer m.leave(t)
	err = m.Start(background)
	require.ErrorIs(t, err, client.ErrOption)
	require.ErrorContains(t, err, "WithSubscription")
	require.NoError(t, m.Subscribe(background, topic, client.Tags("*")))
	require.NoError(t, m.Start(background), "a topic was subscribed meanwhile")
	sendNumbered(t, c.producer(t), topic, 2)
	gets(t, numbers(2), m)
}

func TestEndToEndWithoutAHandlerMessagesComeInALoop(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "loop", 1)
	sendNumbered(t, c.producer(t), topic, 3)
	m := &member{}
	m.start(t, c, "loop", client.WithSubscription(topic, client.Tags("*")), client.WithConsumeFrom(client.FromFirst))
	var got []string
	for message, err := range m.Messages(background) {
		require.NoError(t, err)
		if got = append(got, string(message.Body)); len(got) == 3 {
			break
		}
	}
	require.ElementsMatch(t, numbers(3), got)

	handled := c.consume(t, "loop-handled", topic)
	for _, err := range handled.Messages(background) {
		require.ErrorIs(t, err, client.ErrOption)
		require.ErrorContains(t, err, "has no handler")
	}
}

func TestEndToEndWhatIsClosedSaysSo(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	p := c.producer(t)
	leave(t, p)
	_, err := p.Send(background, client.NewMessage("orders", []byte("x")))
	require.ErrorIs(t, err, client.ErrClosed)
	leave(t, p)
}
