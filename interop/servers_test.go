//go:build interop

package interop_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// servers are a name server and brokers, Gantry's or Apache's.
type servers struct {
	nameServer string
	names      []string        // of the brokers
	brokers    []string        // their addresses
	options    []client.Option // that clients of ours need
}

var pairNames = []string{"broker-a", "broker-b"}

// delays are those of the servers: redeliveries begin at level 3, and nobody wants to wait.
const delays = "1s 2s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s"

// startGantry starts Gantry's, all with more options.
func startGantry(t *testing.T, more ...string) servers {
	t.Helper()
	s := servers{names: pairNames}
	_, s.nameServer = startNameServer(t, more...)
	for _, name := range pairNames {
		_, address := startBroker(t, name, s.nameServer, t.TempDir(), "0",
			append(more, "--messageDelayLevel", delays, "--mappedFileSizeCommitLog", "67108864")...)
		s.brokers = append(s.brokers, address)
	}
	return s
}

func (s servers) admin(t *testing.T) *gantry.Admin {
	t.Helper()
	admin, err := gantry.NewAdmin(adminOptions(s)...)
	require.NoError(t, err)
	closeAtEnd(t, admin)
	return admin
}

// makeTopic makes a topic with so many queues at each broker and returns its name.
func (s servers) makeTopic(t *testing.T, name string, queues int32) string {
	t.Helper()
	admin := s.admin(t)
	eventually(t, "all brokers are registered", func() bool {
		masters, err := admin.Masters(t.Context(), clusterName)
		return err == nil && len(masters) == len(s.names)
	})
	_, err := admin.UpdateTopicInCluster(t.Context(), clusterName, client.TopicConfig{
		Name: name, ReadQueues: queues, WriteQueues: queues, Perm: readAndWrite,
	})
	require.NoError(t, err)
	eventually(t, "a route to all brokers", func() bool {
		brokers, err := admin.BrokersOf(t.Context(), name)
		return err == nil && len(brokers) == len(s.names)
	})
	return name
}

// resetToFirst sends a group back to the first message of a topic.
func (s servers) resetToFirst(t *testing.T, group, topic string) {
	t.Helper()
	admin := s.admin(t)
	brokers, err := admin.BrokersOf(t.Context(), topic)
	require.NoError(t, err)
	for _, broker := range brokers {
		_, err = admin.ResetOffset(t.Context(), broker, client.Reset{Topic: topic, Group: group, To: time.UnixMilli(1)})
		require.NoError(t, err)
	}
}

func adminOptions(s servers) []client.AdminOption {
	options := []client.AdminOption{client.WithNameServers(s.nameServer)}
	for _, o := range s.options {
		options = append(options, o)
	}
	return options
}

func (s servers) puller(t *testing.T, group string, options ...client.ConsumerOption) *gantry.PullConsumer {
	t.Helper()
	for _, o := range s.options {
		options = append(options, o)
	}
	p, err := gantry.NewPullConsumer(append(options, client.WithGroup(group), client.WithNameServers(s.nameServer), client.WithHold(0))...)
	require.NoError(t, err)
	closeAtEnd(t, p)
	return p
}

// stored reads all messages of a topic, queue by queue.
func (s servers) stored(t *testing.T, topic string) []*gantry.Received {
	t.Helper()
	consumer := s.puller(t, "judge")
	queues, err := consumer.Queues(t.Context(), topic)
	require.NoError(t, err)
	var all []*gantry.Received
	for _, queue := range queues {
		end, err := consumer.MaxOffset(t.Context(), queue)
		require.NoError(t, err)
		for next := client.QueueOffset(0); next < end; {
			pulled, err := consumer.Pull(t.Context(), queue, next, 32)
			require.NoError(t, err)
			require.NotEmpty(t, pulled.Messages, "%s at %d of %d: %s", queue, next, end, pulled)
			all = append(all, pulled.Messages...)
			next = pulled.Next
		}
	}
	return all
}

// awaitStored waits for so many messages of a topic, which may be new.
func (s servers) awaitStored(t *testing.T, topic string, count int) []*gantry.Received {
	t.Helper()
	admin := s.admin(t)
	eventually(t, "a route to "+topic, func() bool {
		_, err := admin.Route(t.Context(), topic)
		return err == nil
	})
	var all []*gantry.Received
	eventually(t, "messages of "+topic, func() bool {
		all = s.stored(t, topic)
		return len(all) >= count
	})
	return all
}

// bodies are the sorted texts of messages.
func bodies(all []*gantry.Received) []string {
	var texts []string
	for _, m := range all {
		texts = append(texts, string(m.Body))
	}
	slices.Sort(texts)
	return texts
}

// bodiesSeen are the sorted texts of deliveries.
func bodiesSeen(all []received) []string {
	var texts []string
	for _, d := range all {
		texts = append(texts, string(d.Body))
	}
	slices.Sort(texts)
	return texts
}
