//go:build interop

package interop_test

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
)

// startApache starts Apache's name server and one broker, each in a virtual machine, with small files.
func startApache(t *testing.T) servers {
	t.Helper()
	home := t.TempDir()
	s := servers{names: pairNames[:1], nameServer: freeAddress(t), brokers: []string{freeAddress(t)}}
	javaServer(t, javaAdmin, "org.apache.rocketmq.namesrv.NamesrvStartup", home, map[string]string{
		"listenPort": portOf(t, s.nameServer), "bindAddress": processtest.Loopback, "kvConfigPath": filepath.Join(home, "kv.json"),
		"configStorePath": filepath.Join(home, "namesrv.properties"),
	}).announced(t, `(The Name Server boot success)`)
	startApacheBroker(t, s, filepath.Join(home, "store"), nil)
	return s
}

// startApacheBroker starts the broker of servers with a store in a directory, and with more settings, or other ones.
func startApacheBroker(t *testing.T, s servers, directory string, more map[string]string) *process {
	t.Helper()
	properties := map[string]string{
		"brokerClusterName": clusterName, "brokerName": s.names[0], "brokerId": "0", "namesrvAddr": s.nameServer,
		"brokerIP1": processtest.Loopback, "bindAddress": processtest.Loopback, "listenPort": portOf(t, s.brokers[0]), "haListenPort": portOf(t, freeAddress(t)),
		"storePathRootDir": directory, "messageDelayLevel": delays, "enablePropertyFilter": "true",
		"traceTopicEnable": "true", "timerWheelEnable": "false",
		// The machine may be slow and its disk rather full.
		"waitTimeMillsInSendQueue": "5000", "osPageCacheBusyTimeOutMills": "10000", "diskMaxUsedSpaceRatio": "95", "diskSpaceWarningLevelRatio": "95",
	}
	maps.Copy(properties, fileSizes)
	maps.Copy(properties, more)
	p := javaServer(t, javaClient, "org.apache.rocketmq.broker.BrokerStartup", t.TempDir(), properties)
	p.announced(t, `(boot success)`)
	return p
}

// fileSizes are those of stores of Apache's brokers. A broker of ours that takes the directory needs them too.
var fileSizes = map[string]string{
	"mappedFileSizeCommitLog": "16777216", "mappedFileSizeConsumeQueue": "60000", "maxHashSlotNum": "10000", "maxIndexNum": "40000",
}

// javaServer starts a class with a properties file.
func javaServer(t *testing.T, project *javaProject, class, home string, properties map[string]string) *process {
	t.Helper()
	var text strings.Builder
	for key, value := range properties {
		fmt.Fprintf(&text, "%s=%s\n", key, value)
	}
	file := filepath.Join(t.TempDir(), "server.properties")
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	// Of two limits of the heap, the later counts.
	command := project.command("-Xmx512m", "-Drocketmq.home.dir="+home, class, "-c", file)
	command.Dir, command.Env = home, append(command.Env, "ROCKETMQ_HOME="+home)
	return launch(t, command)
}

// freeAddress is one on loopback at which nobody listens. The broker wants the port two below, too: if that is taken, it does not start.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", processtest.Loopback+":0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	return listener.Addr().String()
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return port
}
