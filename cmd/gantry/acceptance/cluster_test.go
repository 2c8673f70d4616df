package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// background bounds calls that have no bound of their own.
var background = context.Background()

// cluster is a name server and brokers, each a process on loopback with a directory below directory.
type cluster struct {
	directory string
	names     string   // address of the name server
	options   []string // more options for brokers
	nodes     map[string]*processtest.Process
	addresses map[string]string // of brokers
}

// shared is the cluster that tests share: a name server, broker-a and broker-b, with the usual settings. Nobody may stop its nodes.
func shared(t *testing.T) *cluster {
	t.Helper()
	require.NoError(t, startShared())
	return sharedCluster
}

// killAtTheEnd kills what still runs when the test is over, and shows what all have said if it has failed.
func (c *cluster) killAtTheEnd(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		for _, node := range c.nodes {
			node.Kill()
		}
		if t.Failed() {
			t.Log(c.transcripts())
		}
	})
}

// own starts a cluster with broker-a for one test. Options are those of `gantry broker`.
func own(t *testing.T, options ...string) *cluster {
	t.Helper()
	c := &cluster{directory: t.TempDir(), options: options}
	c.killAtTheEnd(t)
	require.NoError(t, c.startNames())
	require.NoError(t, c.startBroker("broker-a"))
	require.NoError(t, c.connect())
	return c
}

func (c *cluster) startNames() error {
	c.nodes, c.addresses = map[string]*processtest.Process{}, map[string]string{}
	if err := os.MkdirAll(c.directory, 0o755); err != nil {
		return err
	}
	p, err := launch(c.directory, append([]string{"namesrv"}, processtest.NameServerOptions(c.directory)...)...)
	if err != nil {
		return err
	}
	c.nodes["names"] = p
	c.names, err = p.Says(processtest.NameServerStarted)
	return err
}

// startBroker starts a broker, at the port that it had before if it is started again.
func (c *cluster) startBroker(name string) error {
	port := "0"
	if before, again := c.addresses[name]; again {
		_, port, _ = net.SplitHostPort(before)
	}
	options := processtest.BrokerOptions(name, c.names, filepath.Join(c.directory, name), port, "--mappedFileSizeCommitLog", "33554432", "--log-level", "warn")
	p, err := launch(c.directory, slices.Concat([]string{"broker"}, options, c.options)...)
	if err != nil {
		return err
	}
	c.nodes[name] = p
	c.addresses[name], err = p.Says(processtest.BrokerStarted(name))
	return err
}

// connect waits until the name server knows all brokers.
func (c *cluster) connect() error {
	world, err := osenv.New(osenv.Options{Node: "admin"})
	if err != nil {
		return err
	}
	a, err := client.NewAdmin(world.Env, client.WithNameServers(c.names))
	if err != nil {
		return err
	}
	var masters []string
	for until := time.Now().Add(patience); len(masters) < len(c.addresses) && time.Now().Before(until); time.Sleep(glance) {
		masters, err = a.Masters(background, "DefaultCluster")
	}
	if len(masters) < len(c.addresses) {
		err = fmt.Errorf("only %v of %v registered: %w", masters, c.addresses, err)
	}
	return errors.Join(err, a.Close(background))
}

// transcripts are what all nodes said.
func (c *cluster) transcripts() string {
	var text strings.Builder
	for name, node := range c.nodes {
		fmt.Fprintf(&text, "%s: %s\n", name, node)
	}
	return text.String()
}

// topic makes a topic at every broker, with so many queues at each, and waits until it is in the route.
func (c *cluster) topic(t *testing.T, name string, queues int) string {
	t.Helper()
	a := c.newAdmin(t)
	config := proto.NewTopicConfig(name)
	config.ReadQueues, config.WriteQueues = int32(queues), int32(queues)
	masters, err := a.UpdateTopicInCluster(background, "DefaultCluster", config)
	require.NoError(t, err)
	c.routed(t, a, name, len(masters))
	return name
}

// routed waits until the route of a topic names so many brokers.
func (c *cluster) routed(t *testing.T, a *client.Admin, topic string, brokers int) {
	t.Helper()
	soon(t, func() bool {
		route, err := a.Route(background, topic)
		return err == nil && len(route.Queues) == brokers
	}, "topic %s is not in the route of %d brokers", topic, brokers)
}

func (c *cluster) newAdmin(t *testing.T) *client.Admin {
	t.Helper()
	world, err := osenv.New(osenv.Options{Node: "admin"})
	require.NoError(t, err)
	a, err := client.NewAdmin(world.Env, client.WithNameServers(c.names))
	require.NoError(t, err)
	t.Cleanup(func() { leave(t, a) })
	return a
}

// tool runs `gantry admin` with the cluster's name server, requires that it succeeds, and returns what it printed.
func (c *cluster) tool(t *testing.T, command string, arguments ...string) string {
	t.Helper()
	code, text := c.run(t, command, arguments...)
	require.Zero(t, code, "gantry admin %s %q: %s", command, arguments, text)
	return text
}

// run runs `gantry admin` and returns its exit code and all that it printed.
func (c *cluster) run(t *testing.T, command string, arguments ...string) (code int, text string) {
	t.Helper()
	return gantry(t, append([]string{"admin", command, "-n", c.names}, arguments...)...)
}

// gantry runs the binary to its end.
func gantry(t *testing.T, arguments ...string) (code int, text string) {
	t.Helper()
	p, err := launch(t.TempDir(), arguments...)
	require.NoError(t, err)
	code, err = p.Code()
	require.NoError(t, err)
	return code, p.Out.String() + p.Err.String()
}

// soon requires that something becomes true.
func soon(t *testing.T, condition func() bool, format string, values ...any) {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(glance) {
		if condition() {
			return
		}
	}
	require.True(t, condition(), append([]any{format}, values...)...)
}

// leave closes a producer, a consumer or an Admin.
func leave(t *testing.T, role interface{ Close(context.Context) error }) {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	require.NoError(t, role.Close(ctx))
}
