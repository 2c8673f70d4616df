package speed_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// node is a broker in one process, and its name server in another.
type node struct {
	command       *exec.Cmd // of the broker
	names, broker string    // addresses
}

// start starts both. The broker flushes now and then: the disk is not what is measured here. They end with the benchmark.
func start(b *testing.B) *node {
	b.Helper()
	n := &node{}
	_, n.names = launch(b, `The Name Server boot success\. serializeType=JSON, address (\S+)`,
		"namesrv", "--bindAddress", "127.0.0.1", "--listenPort", "0", "--kvConfigPath", filepath.Join(b.TempDir(), "kv.json"))
	n.command, n.broker = launch(b, `The broker\[\S+, (\S+)\] boot success`,
		"broker", "-n", n.names, "--bindAddress", "127.0.0.1", "--listenPort", "0", "--fastListenEnable", "false", "--brokerName", "a",
		"--storePathRootDir", b.TempDir(), "--flushDiskType", "ASYNC_FLUSH")
	return n
}

// launch starts the binary and waits until it says where it listens.
func launch(b *testing.B, pattern string, arguments ...string) (command *exec.Cmd, address string) {
	b.Helper()
	binary, err := build()
	require.NoError(b, err)
	command = exec.Command(binary, append(arguments, "--log-level", "error")...)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, command.Start())
	b.Cleanup(func() {
		// Nothing of it is needed any more.
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	expression := regexp.MustCompile(pattern)
	for said := bufio.NewScanner(out); said.Scan(); {
		if found := expression.FindStringSubmatch(said.Text()); found != nil {
			// What else it says is read, lest it wait.
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return command, found[1]
		}
	}
	b.Fatalf("gantry %q does not say where it listens", arguments)
	return nil, ""
}

// memory is what a node's process has of its own, in bytes, files in the cache not counted.
func (n *node) memory(b *testing.B) int64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.command.Process.Pid))
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
