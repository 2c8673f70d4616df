package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// load sends messages from several goroutines and remembers which were acknowledged, and where.
type load struct {
	session  *session
	producer *client.Producer
	topic    string
	cancel   func()
	senders  sync.WaitGroup

	mutex  sync.Mutex
	acked  map[slot]string
	failed []error // not counting those that stop cut short
	twice  []slot  // acknowledged for two messages: the first was lost
}

func startLoad(t *testing.T, nameServers, topic string, senders int) *load {
	t.Helper()
	session, err := newSession(nameServers, zap.NewNop())
	require.NoError(t, err)
	producer, err := session.producer("load", client.WithTryTimeout(time.Second), client.WithRouteRefresh(200*time.Millisecond))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{session: session, producer: producer, topic: topic, cancel: cancel, acked: map[slot]string{}}
	for sender := range senders {
		l.senders.Go(func() { l.send(ctx, sender) })
	}
	t.Cleanup(l.stop)
	return l
}

func (l *load) send(ctx context.Context, sender int) {
	for i := 0; ctx.Err() == nil; i++ {
		// Bodies of some hundred bytes make the log roll into several files.
		body := fmt.Sprintf("%d/%d %s", sender, i, strings.Repeat("x", 500))
		result, err := l.producer.Send(ctx, client.NewMessage(l.topic, []byte(body)))
		l.mutex.Lock()
		if err == nil {
			at := slot{result.Queue, result.QueueOffset}
			if _, taken := l.acked[at]; taken {
				l.twice = append(l.twice, at)
			}
			l.acked[at] = body
		} else if ctx.Err() == nil {
			l.failed = append(l.failed, err)
		}
		l.mutex.Unlock()
	}
}

// ackedAt counts the acknowledged messages of a broker.
func (l *load) ackedAt(broker string) int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	count := 0
	for at := range l.acked {
		if at.queue.BrokerName == broker {
			count++
		}
	}
	return count
}

// await waits until a broker has acknowledged so many more messages.
func (l *load) await(t *testing.T, broker string, more int) {
	t.Helper()
	goal := l.ackedAt(broker) + more
	require.Eventually(t, func() bool { return l.ackedAt(broker) >= goal }, 30*time.Second, 20*time.Millisecond,
		"%s does not acknowledge %d more messages", broker, more)
}

func (l *load) stop() {
	l.cancel()
	l.senders.Wait()
	_ = leave(l.producer)
}

// requireAllStored reads every queue from its beginning to its end. Each acknowledged message must stand where
// the broker said, no message may be missing in between, and what came without an
// acknowledgement must be one that was sent.
func (l *load) requireAllStored(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	consumer, err := l.session.pullConsumer("check", client.WithHold(0))
	require.NoError(t, err)
	defer func() { require.NoError(t, leave(consumer)) }()
	queues, err := consumer.Queues(ctx, l.topic)
	require.NoError(t, err)
	require.Empty(t, l.twice)
	stored := map[slot]string{}
	for _, queue := range queues {
		readWhole(t, ctx, consumer, queue, stored)
	}
	for at, body := range l.acked {
		require.Equal(t, body, stored[at], "acknowledged at %s %d", at.queue, at.offset)
	}
	t.Logf("%d messages acknowledged, %d stored, %d sends failed", len(l.acked), len(stored), len(l.failed))
}

// requireFewFailures says that senders hardly notice when one of two brokers is away: a try that fails is
// followed by one at the other.
func (l *load) requireFewFailures(t *testing.T) {
	t.Helper()
	if len(l.failed) > len(l.acked)/20 {
		t.Errorf("%d sends failed and %d succeeded; the first: %v", len(l.failed), len(l.acked), l.failed[0])
	}
}

func readWhole(t *testing.T, ctx context.Context, consumer *client.PullConsumer, queue client.Queue, stored map[slot]string) {
	t.Helper()
	next, err := consumer.MinOffset(ctx, queue)
	require.NoError(t, err)
	end, err := consumer.MaxOffset(ctx, queue)
	require.NoError(t, err)
	for next < end {
		pulled, err := consumer.Pull(ctx, queue, next, 32)
		require.NoError(t, err)
		require.NotEmpty(t, pulled.Messages, "%s at %d of %d: %s", queue, next, end, pulled)
		for _, m := range pulled.Messages {
			require.Equal(t, next, m.Offset, "%s has a hole", queue)
			stored[slot{queue, m.Offset}] = string(m.Body)
			next++
		}
	}
}
