package speed_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// node is a broker in one process, and its name server in another.
type node struct {
	process       *processtest.Process // of the broker
	names, broker string               // addresses
}

// start starts both. The broker flushes now and then: the disk is not what is measured here. They end with the benchmark.
func start(b *testing.B) *node {
	b.Helper()
	n := &node{}
	_, n.names = launch(b, processtest.NameServerStarted, "namesrv", processtest.NameServerOptions(b.TempDir())...)
	n.process, n.broker = launch(b, processtest.BrokerStarted("a"),
		"broker", processtest.BrokerOptions("a", n.names, b.TempDir(), "0", "--flushDiskType", "ASYNC_FLUSH")...)
	return n
}

// launch starts the binary as a server and waits until it says where it listens.
func launch(b *testing.B, pattern, server string, options ...string) (p *processtest.Process, address string) {
	b.Helper()
	command, err := built.Command(b.TempDir(), "gantry", append([]string{server, "--log-level", "error"}, options...)...)
	require.NoError(b, err)
	p = processtest.Launch(b, command)
	address, err = p.Says(pattern)
	require.NoError(b, err)
	return p, address
}

// memory is what a node's process has of its own, in bytes, files in the cache not counted.
func (n *node) memory(b *testing.B) int64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.process.Command.Process.Pid))
	if os.IsNotExist(err) {
		b.Skip("the memory of processes is known on Linux only")
	}
	require.NoError(b, err)
	var kib int64
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			_, err := fmt.Sscan(text, &kib)
			require.NoError(b, err)
		}
	}
	require.NotZero(b, kib)
	return kib << 10
}

// settled waits until garbage is collected, which happens every 2 minutes at the latest, or soon if much was made. It returns
// the least memory that was seen.
func (n *node) settled(b *testing.B) int64 {
	b.Helper()
	least := n.memory(b)
	for range 20 {
		time.Sleep(100 * time.Millisecond)
		least = min(least, n.memory(b))
	}
	return least
}

// admin runs fn with a client for administration.
func (n *node) admin(b *testing.B, fn func(ctx context.Context, admin *client.Admin)) {
	b.Helper()
	admin, err := client.NewAdmin(newWorld(b).Env, client.WithNameServers(n.names))
	require.NoError(b, err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	fn(ctx, admin)
	require.NoError(b, admin.Close(ctx))
}

// makeTopic makes a topic and waits until the name server knows it.
func (n *node) makeTopic(b *testing.B, topic string, queues int) {
	b.Helper()
	config := proto.NewTopicConfig(topic)
	config.ReadQueues, config.WriteQueues = int32(queues), int32(queues)
	n.admin(b, func(ctx context.Context, admin *client.Admin) {
		require.NoError(b, admin.UpdateTopic(ctx, n.broker, config))
		for {
			if _, err := admin.Route(ctx, topic); err == nil {
				return
			}
			require.NoError(b, ctx.Err())
			time.Sleep(20 * time.Millisecond)
		}
	})
}

// holds waits until the broker holds so many pulls.
func (n *node) holds(b *testing.B, pulls int) {
	b.Helper()
	n.admin(b, func(ctx context.Context, admin *client.Admin) {
		for {
			info, err := admin.RuntimeInfo(ctx, n.broker)
			require.NoError(b, err, "the broker holds fewer than %d pulls", pulls)
			if info["pullWaitingRequests"] == strconv.Itoa(pulls) {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}
