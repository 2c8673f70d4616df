package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

func endToEnd(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real processes")
	}
}

func TestEndToEndNothingAcknowledgedIsLostWhenABrokerIsKilled(t *testing.T) {
	endToEnd(t)
	first, firstAddress := nameServerProcess(t)
	second, secondAddress := nameServerProcess(t)
	names := firstAddress + ";" + secondAddress
	directory := t.TempDir()
	brokerA, address := brokerProcess(t, "broker-a", names, filepath.Join(directory, "a"), "0")
	brokerB, _ := brokerProcess(t, "broker-b", names, filepath.Join(directory, "b"), "0")
	makeLoadTopic(t, firstAddress, secondAddress)

	l := startLoad(t, names, "load", 8)
	l.await(t, "broker-a", 1000)
	brokerA.Kill()
	l.await(t, "broker-b", 500)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	brokerA, _ = brokerProcess(t, "broker-a", names, filepath.Join(directory, "a"), port)
	l.await(t, "broker-a", 500)
	// Either name server is enough.
	first.Kill()
	l.await(t, "broker-a", 100)
	l.await(t, "broker-b", 100)
	l.stop()
	l.requireAllStored(t)
	l.requireFewFailures(t)
	require.NoError(t, l.session.close())

	for _, p := range []process{brokerA, brokerB, second} {
		require.Zero(t, p.stop(t, syscall.SIGTERM))
		require.Contains(t, p.Out.String(), "has stopped.")
	}
}

// makeLoadTopic makes a topic at both brokers, and waits until each name server routes to both.
func makeLoadTopic(t *testing.T, nameServers ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	topic := proto.NewTopicConfig("load")
	topic.ReadQueues, topic.WriteQueues = 4, 4
	for _, names := range nameServers {
		s, err := newSession(names, zap.NewNop())
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			masters, err := s.admin.Masters(ctx, "DefaultCluster")
			return err == nil && len(masters) == 2
		}, 20*time.Second, patience, "both brokers register")
		require.NoError(t, s.makeTopic(ctx, "DefaultCluster", topic))
		require.NoError(t, s.close())
	}
}

func TestEndToEndSignalsStopInOrder(t *testing.T) {
	endToEnd(t)
	names, namesAddress := nameServerProcess(t)
	directory := t.TempDir()
	broker, _ := brokerProcess(t, "broker-a", namesAddress, directory, "0")
	tool := launch(t, "mqadmin", "clusterList", "-n", namesAddress)
	require.Zero(t, tool.code(t))
	require.FileExists(t, filepath.Join(directory, "abort"), "a running broker leaves the mark by which a crash is known")
	require.Zero(t, broker.stop(t, syscall.SIGTERM))
	require.Contains(t, broker.Err.String(), "stopping in order after terminated; interrupting twice (Ctrl-C) stops at once")
	require.Contains(t, broker.Out.String(), "The broker[broker-a] has stopped.")
	require.NoFileExists(t, filepath.Join(directory, "abort"))

	// The broker took its leave: nobody is listed any more.
	tool = launch(t, "mqadmin", "clusterList", "-n", namesAddress, "--json")
	require.Zero(t, tool.code(t))
	require.Contains(t, tool.Out.String(), `"brokers": []`)
	require.Zero(t, names.stop(t, os.Interrupt))
	require.Contains(t, names.Out.String(), "The Name Server has stopped.")
}

func TestEndToEndAStandaloneServesAtOnce(t *testing.T) {
	endToEnd(t)
	p := launch(t, "gantry", "standalone", "--data", t.TempDir(), "--namesrvPort", "0", "--brokerPort", "0")
	address := p.says(t, `address (\S+)`)
	p.says(t, `self-test +1000 messages stored in`)
	p.says(t, `Stop it with Ctrl-C`)
	sent := launch(t, "gantry", "admin", "sendMessage", "-n", address, "-t", "hello", "-p", "first light")
	require.Zero(t, sent.code(t))
	read := launch(t, "gantry", "admin", "consumeMessage", "-n", address, "-t", "hello")
	require.Zero(t, read.code(t))
	require.Contains(t, read.Out.String(), "first light")
	require.Zero(t, p.stop(t, os.Interrupt))
}

func TestEndToEndMistakesAreNamed(t *testing.T) {
	endToEnd(t)
	directory := t.TempDir()
	file := filepath.Join(directory, "broker.conf")
	require.NoError(t, os.WriteFile(file, []byte("brokerName=a\nenableSlaveActingMaster=true\nlistenProt=10911\n"), 0o644))
	for line, want := range map[string][]string{
		"gantry standalone --address here": {"gantry: --address: \"here\" is not an IP address, such as 192.168.1.2\n"},
		"mqbroker --listenProt 1":          {"mqbroker: there is no option --listenProt: did you mean --listenPort? (see mqbroker -h)\n"},
		"mqbroker -c " + file: {
			"mqbroker: 2 mistakes\n",
			file + ": enableSlaveActingMaster=true is refused, because no slave does a master's work beside being a slave",
			file + ": listenProt is not a key: did you mean listenPort?\n",
		},
	} {
		p := launch(t, strings.Fields(line)[0], strings.Fields(line)[1:]...)
		require.Equal(t, exitUsage, p.code(t), line)
		require.Empty(t, p.Out.String())
		for _, text := range want {
			require.Contains(t, p.Err.String(), text)
		}
	}
}

func TestEndToEndTwoBrokersCannotShare(t *testing.T) {
	endToEnd(t)
	_, names := nameServerProcess(t)
	directory := t.TempDir()
	_, address := brokerProcess(t, "broker-a", names, directory, "0")
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	second := launch(t, "mqbroker", "-n", names, "--bindAddress", loopback, "--listenPort", "0", "--storePathRootDir", directory)
	require.Equal(t, exitFailed, second.code(t))
	require.Contains(t, second.Err.String(), "to fix it: another process uses the directory "+directory)
	// The next port may be another test's.
	third := launch(t, "mqbroker", "-n", names, "--bindAddress", loopback, "--listenPort", port, "--haListenPort", "0", "--storePathRootDir", t.TempDir())
	require.Equal(t, exitFailed, third.code(t))
	require.Contains(t, third.Err.String(), "to fix it: another process listens on "+address)
}

// TestEndToEndWhatAKilledBrokerLeavesIsInspected sends, finds by key, kills the broker, and looks into its files.
func TestEndToEndWhatAKilledBrokerLeavesIsInspected(t *testing.T) {
	endToEnd(t)
	_, names := nameServerProcess(t)
	directory := filepath.Join(t.TempDir(), "store")
	broker, _ := brokerProcess(t, "broker-a", names, directory, "0")
	tool := func(want int, program string, line ...string) string {
		t.Helper()
		p := launch(t, program, line...)
		require.Equal(t, want, p.code(t), "%s %q: %s%s", program, line, p.Out.String(), p.Err.String())
		return p.Out.String() + p.Err.String()
	}
	var sent sentView
	require.NoError(t, json.Unmarshal([]byte(tool(0, "mqadmin", "sendMessage", "-n", names, "-t", "orders", "-p", "first light", "-k", "order-7", "--json")), &sent))
	require.Contains(t, tool(0, "mqadmin", "queryMsgByKey", "-n", names, "-t", "orders", "-k", "order-7"), "first light")
	require.Contains(t, tool(0, "mqadmin", "queryMsgByUniqueKey", "-n", names, "-t", "orders", "-i", sent.MessageID), "first light")
	require.Contains(t, tool(1, "gantry", "inspect", "check", "--dir", directory), "stop the broker that uses "+directory)
	require.Contains(t, tool(0, "gantry", "inspect", "log", "--dir", directory, "--from", "-1"), "order-7")
	broker.Kill()

	// What was in memory only is missing in the queue or the index, or not: it depends on when the broker died.
	p := launch(t, "gantry", "inspect", "check", "--dir", directory)
	require.Contains(t, []int{exitDone, exitRepairs}, p.code(t), p.Err.String())
	require.Contains(t, p.Out.String(), "not closed in order: ")
	require.NotContains(t, p.Out.String(), "damage: ")
	require.Contains(t, tool(0, "gantry", "inspect", "log", "--dir", directory, "--at", "0"), "first light")

	broker, _ = brokerProcess(t, "broker-a", names, directory, "0")
	require.Contains(t, tool(0, "mqadmin", "queryMsgByKey", "-n", names, "-t", "orders", "-k", "order-7"), "first light")
	require.Zero(t, broker.stop(t, syscall.SIGTERM))
	require.Contains(t, tool(0, "gantry", "inspect", "check", "--dir", directory), "all is in order")
	require.Contains(t, tool(0, "gantry", "inspect", "index", "--dir", directory, "-t", "orders", "-k", sent.MessageID), "order-7")
	require.Contains(t, tool(0, "gantry", "inspect", "repair", "--dir", directory), "nothing is to be repaired")
}
