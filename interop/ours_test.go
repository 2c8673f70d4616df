//go:build interop

package interop_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

const readAndWrite = proto.PermReadWrite

// slot is the place of a message.
type slot struct {
	queue  int32
	offset int64
}

func (c *cluster) producer(t *testing.T, options ...client.ProducerOption) *gantry.Producer {
	t.Helper()
	p, err := gantry.NewProducer(append(options, client.WithGroup("ours"), client.WithNameServers(strings.Join(c.addresses, ";")))...)
	require.NoError(t, err)
	closeAtEnd(t, p)
	return p
}

func (c *cluster) consumer(t *testing.T, group string) *gantry.PullConsumer {
	t.Helper()
	p, err := gantry.NewPullConsumer(client.WithGroup(group), client.WithNameServers(strings.Join(c.addresses, ";")), client.WithHold(0))
	require.NoError(t, err)
	closeAtEnd(t, p)
	return p
}

func closeAtEnd(t *testing.T, role interface{ Close(context.Context) error }) {
	t.Helper()
	// The context of the test has ended by then.
	t.Cleanup(func() { require.NoError(t, role.Close(context.Background())) })
}

// stored reads all messages of a topic. No queue may have a hole.
func (c *cluster) stored(t *testing.T, topic string) map[slot]*gantry.Received {
	t.Helper()
	consumer := c.consumer(t, "judge")
	queues, err := consumer.Queues(t.Context(), topic)
	require.NoError(t, err)
	found := map[slot]*gantry.Received{}
	for _, queue := range queues {
		end, err := consumer.MaxOffset(t.Context(), queue)
		require.NoError(t, err)
		for next := client.QueueOffset(0); next < end; {
			pulled, err := consumer.Pull(t.Context(), queue, next, 32)
			require.NoError(t, err)
			require.NotEmpty(t, pulled.Messages, "%s at %d of %d: %s", queue, next, end, pulled)
			for _, m := range pulled.Messages {
				require.Equal(t, next, m.Offset, "%s has a hole", queue)
				found[slot{queue.QueueID, int64(m.Offset)}] = m
				next++
			}
		}
	}
	return found
}

// requireCommitted waits until a group has consumed a topic up to its end. Most clients commit without waiting for
// an answer, so the broker may hear of it after they have ended.
func (c *cluster) requireCommitted(t *testing.T, group, topic string) {
	t.Helper()
	consumer := c.consumer(t, group)
	queues, err := consumer.Queues(t.Context(), topic)
	require.NoError(t, err)
	for _, queue := range queues {
		end, err := consumer.MaxOffset(t.Context(), queue)
		require.NoError(t, err)
		eventually(t, fmt.Sprintf("%s commits %d for %s", group, end, queue), func() bool {
			committed, found, err := consumer.Committed(t.Context(), queue)
			require.NoError(t, err)
			return found && committed == end
		})
	}
	// It must leave, or it would have a share of the queues.
	require.NoError(t, consumer.Close(t.Context()))
}

// ownProperties are what an application gave a message: those that the protocol, the broker or a client adds are left out.
func ownProperties(all map[string]string) map[string]string {
	own := map[string]string{}
	for name, value := range all {
		if !protocolsOwn[name] {
			own[name] = value
		}
	}
	return own
}

var protocolsOwn = map[string]bool{
	message.PropertyTags: true, message.PropertyKeys: true, message.PropertyUniqueID: true, message.PropertyCluster: true,
	message.PropertyRegion: true, message.PropertyTraceOn: true, message.PropertySent: true, "WAIT": true, "__CRC32#": true, "MIN_OFFSET": true, "MAX_OFFSET": true, "CONSUME_START_TIME": true,
	// What a client makes of the separator at the end.
	"": true,
}
