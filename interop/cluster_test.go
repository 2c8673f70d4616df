//go:build interop

package interop_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

const (
	loopback    = "127.0.0.1"
	brokerName  = "broker-a"
	clusterName = "DefaultCluster"
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
		p := launch(t, tool(t, "mqnamesrv", "--bindAddress", loopback, "--listenPort", "0",
			"--kvConfigPath", filepath.Join(t.TempDir(), "kv.json")))
		c.names = append(c.names, p)
		c.addresses = append(c.addresses, p.announced(t, `The Name Server boot success\. serializeType=JSON, address (\S+)`))
	}
	c.startBroker(t)
	return c
}

// startBroker starts the broker, or starts it again at the same address. It is registered when this returns.
func (c *cluster) startBroker(t *testing.T) {
	t.Helper()
	c.broker = launch(t, tool(t, "mqbroker", "-n", strings.Join(c.addresses, ";"), "--brokerName", brokerName,
		"--brokerClusterName", clusterName, "--bindAddress", loopback, "--listenPort", c.port, "--storePathRootDir", c.directory,
		"--maxMessageSize", strconv.Itoa(bodyMax), "--mappedFileSizeCommitLog", "4194304", "--fastListenEnable", "false", "--log-level", "warn"))
	address := c.broker.announced(t, `The broker\[`+brokerName+`, (\S+)\] boot success`)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	c.port = port
}

// tool is a program of the binary. It sees nothing of the user's files and settings.
func tool(t *testing.T, name string, arguments ...string) *exec.Cmd {
	t.Helper()
	directory, err := workshop()
	require.NoError(t, err)
	command := exec.Command(filepath.Join(directory, name), arguments...)
	command.Env = append(os.Environ(), "NAMESRV_ADDR=", "HOME="+t.TempDir())
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
