//go:build interop

package interop_test

import (
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
)

const (
	brokerName  = "broker-a"
	clusterName = "DefaultCluster" // that of all brokers, unless they are told another
	// bodyMax is small, so that it is cheap to exceed.
	bodyMax = 256 << 10
)

// cluster is some name servers and one broker.
type cluster struct {
	names     []*process
	addresses []string // of the name servers
	broker    *process
	directory string // of the broker
	port      string // of the broker; "0" before it has one
}

func startCluster(t *testing.T, nameServers int) *cluster {
	t.Helper()
	c := &cluster{directory: t.TempDir(), port: "0"}
	for range nameServers {
		p, address := startNameServer(t)
		c.names, c.addresses = append(c.names, p), append(c.addresses, address)
	}
	c.startBroker(t)
	return c
}

// startBroker starts the broker, or starts it again at the same address. It is registered when this returns.
func (c *cluster) startBroker(t *testing.T) {
	t.Helper()
	var address string
	c.broker, address = startBroker(t, brokerName, strings.Join(c.addresses, ";"), c.directory, c.port,
		"--maxMessageSize", strconv.Itoa(bodyMax), "--mappedFileSizeCommitLog", "4194304")
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	c.port = port
}

// startNameServer starts Gantry's and returns its address.
func startNameServer(t *testing.T, more ...string) (p *process, address string) {
	t.Helper()
	p = launch(t, tool(t, "mqnamesrv", processtest.NameServerOptions(t.TempDir(), more...)...))
	return p, p.announced(t, processtest.NameServerStarted)
}

// startBroker starts Gantry's and returns its address.
func startBroker(t *testing.T, name, nameServers, directory, port string, more ...string) (p *process, address string) {
	t.Helper()
	options := processtest.BrokerOptions(name, nameServers, directory, port, "--log-level", "warn")
	p = launch(t, tool(t, "mqbroker", append(options, more...)...))
	return p, p.announced(t, processtest.BrokerStarted(name))
}

// tool is a program of the binary. It sees nothing of the user's files and settings.
func tool(t *testing.T, name string, arguments ...string) *exec.Cmd {
	t.Helper()
	_, err := workshop()
	require.NoError(t, err)
	command, err := built.Command(t.TempDir(), name, arguments...)
	require.NoError(t, err)
	return command
}

// makeTopic makes a topic and waits until every name server knows its route.
func (c *cluster) makeTopic(t *testing.T, name string, queues int32) {
	t.Helper()
	for _, address := range c.addresses {
		admin, err := gantry.NewAdmin(client.WithNameServers(address))
		require.NoError(t, err)
		eventually(t, "a route at "+address+" to the broker", func() bool {
			masters, err := admin.Masters(t.Context(), clusterName)
			return err == nil && len(masters) == 1
		})
		_, err = admin.UpdateTopicInCluster(t.Context(), clusterName, client.TopicConfig{
			Name: name, ReadQueues: queues, WriteQueues: queues, Perm: readAndWrite,
		})
		require.NoError(t, err)
		eventually(t, "a route at "+address+" to the topic", func() bool {
			_, err := admin.Route(t.Context(), name)
			return err == nil
		})
		require.NoError(t, admin.Close(t.Context()))
	}
}

// settings are those of a peer that is given all name servers.
func (c *cluster) settings(group string) settings {
	return settings{NameServers: c.addresses, Group: group}
}
