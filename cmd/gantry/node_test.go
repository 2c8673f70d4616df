package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// transcript is what a node announces.
type transcript struct{ processtest.Transcript }

// waitFor returns the first match of a pattern, its first group if it has one.
func (tr *transcript) waitFor(t *testing.T, pattern string) string {
	t.Helper()
	found, err := tr.Await(pattern, nil)
	require.NoError(t, err, "%s", tr)
	return found
}

// inBackground runs a node until stop is called, which returns its error.
func inBackground(t *testing.T, run func(ctx context.Context, out Output) error) (announced *transcript, stop func() error) {
	t.Helper()
	announced = &transcript{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, Output{Text: announced, Log: zap.NewNop()}) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(20 * time.Second):
			t.Error("the node does not stop")
			return nil
		}
	})
	t.Cleanup(func() { _ = stop() })
	return announced, stop
}

func standaloneIn(t *testing.T, directory string) (announced *transcript, names string, stop func() error) {
	t.Helper()
	announced, stop = inBackground(t, func(ctx context.Context, out Output) error {
		return RunStandalone(ctx, StandaloneOptions{Data: directory, Address: loopback}, out)
	})
	return announced, announced.waitFor(t, processtest.NameServerStarted), stop
}

func TestAStandalonePassesItsTestAndKeepsItsMessages(t *testing.T) {
	if testing.Short() {
		t.Skip("uses real ports and disks")
	}
	directory := t.TempDir()
	announced, names, stop := standaloneIn(t, directory)
	announced.waitFor(t, `The broker\[broker-a, 127\.0\.0\.1:\d+\] boot success\. serializeType=JSON and name server is `+names)
	announced.waitFor(t, `self-test +1000 messages stored in \S+ \(\d+ a second\) and read back in \S+ \(\d+ a second\)`)
	announced.waitFor(t, `flush +SYNC_FLUSH: an acknowledged message is on the medium`)
	announced.waitFor(t, `Stop it with Ctrl-C`)
	code, out, errors := called(t, "mqadmin", "topicList", "-n", names)
	require.Zero(t, code, errors)
	require.NotContains(t, out, selfTestTopic)
	code, _, errors = called(t, "mqadmin", "sendMessage", "-n", names, "-t", "kept", "-p", "over a restart")
	require.Zero(t, code, errors)
	require.NoError(t, stop())
	require.Contains(t, announced.String(), "Stopped.")

	announced, names, stop = standaloneIn(t, directory)
	announced.waitFor(t, `Stop it with Ctrl-C`)
	code, out, errors = called(t, "mqadmin", "consumeMessage", "-n", names, "-t", "kept")
	require.Zero(t, code, errors)
	require.Contains(t, out, "over a restart")
	require.NoError(t, stop())
}

func TestToolsLookAtAClusterAndChangeIt(t *testing.T) {
	if testing.Short() {
		t.Skip("uses real ports and disks")
	}
	announced, names, stop := standaloneIn(t, t.TempDir())
	announced.waitFor(t, `Stop it with Ctrl-C`)
	tool := func(want int, line string) string {
		t.Helper()
		code, out, errors := called(t, append([]string{"mqadmin"}, strings.Fields(line)...)...)
		require.Equal(t, want, code, "%s: %s%s", line, out, errors)
		return out + errors
	}
	require.Regexp(t, `^create topic to 127\.0\.0\.1:\d+ success\.\ntopic orders: 4 read queues, 2 write queues, RW-\n$`,
		tool(0, "updatetopic -n "+names+" -cDefaultCluster -t orders -r=4 -writeQueueNums 2"))
	tool(0, "updateTopic -n "+names+" -c DefaultCluster -t ordered -w 3 -o true -a +message.type=FIFO")
	require.Contains(t, tool(0, "topicList -n "+names), "\nordered\norders\n")
	require.Contains(t, tool(0, "topicList -c -n "+names), "DefaultCluster  orders\n")
	require.Regexp(t, `DefaultCluster  broker-a  0=127\.0\.0\.1:\d+ +4 +2  RW-\n`, tool(0, "topicRoute -l -t orders -n "+names))
	require.Contains(t, tool(0, "clusterList -m -n "+names), "DefaultCluster  broker-a   0  ASYNC_MASTER  127.0.0.1:")

	require.Contains(t, tool(0, "sendMessage -n "+names+" -t orders -p first -k 7 -c paid -b broker-a -i 1"), "broker-a      1       0  SEND_OK")
	require.Contains(t, tool(0, "sendMessage -n "+names+" -t orders -p second -b broker-a -i 1"), "broker-a      1       1  SEND_OK")
	require.Contains(t, tool(1, "sendMessage -n "+names+" -t orders -p third -b broker-x"), "no such queue to send to at broker broker-x")
	require.Regexp(t, `broker-a +1 +0 +2  20`, tool(0, "topicStatus -t orders -n "+names))
	require.Regexp(t, `paid  7     first\n.*second\n$`, tool(0, "consumeMessage -t orders -n "+names))
	require.NotContains(t, tool(0, "consumeMessage -t orders -b broker-a -i 1 -o 1 -n "+names), "first")
	require.NotContains(t, tool(0, "consumeMessage -t orders -c 1 -n "+names), "second")
	require.NotContains(t, tool(0, "consumeMessage -t orders -s 4102444800000 -n "+names), "first")

	require.Contains(t, tool(1, "topicRoute -t nosuch -n "+names), "to fix it: see the topics there are")
	require.Contains(t, tool(1, "consumeMessage -t orders -b broker-a -i 9 -n "+names), "no such queue to read")
	require.Contains(t, tool(1, "clusterList -c nowhere -n "+names), "no broker of a cluster")
	require.NoError(t, stop())
	require.Contains(t, tool(4, "topicList -n "+names), "to fix it: see that name servers run at "+names)
}

func TestToolsFindMessages(t *testing.T) {
	if testing.Short() {
		t.Skip("uses real ports and disks")
	}
	announced, names, stop := standaloneIn(t, t.TempDir())
	announced.waitFor(t, `Stop it with Ctrl-C`)
	tool := func(want int, line string) string {
		t.Helper()
		code, out, errors := called(t, append([]string{"mqadmin"}, append(strings.Fields(line), "-n", names)...)...)
		require.Equal(t, want, code, "%s: %s%s", line, out, errors)
		return out + errors
	}
	var sent sentView
	require.NoError(t, json.Unmarshal([]byte(tool(0, "sendMessage -t orders -p first -k order-7 -c paid --json")), &sent))
	tool(0, "sendMessage -t orders -p second -k order-7")
	require.Regexp(t, `paid  order-7  first\n.*order-7  second\n$`, tool(0, "queryMsgByKey -t orders -k order-7"))
	require.NotContains(t, tool(0, "queryMsgByKey -t orders -k order-7 -m 1"), "first")
	require.Contains(t, tool(1, "queryMsgByKey -t orders -k order-7 -b 4102444800000"), "no message of topic orders has the key order-7")
	require.Contains(t, tool(1, "queryMsgByKey -t orders -k none --json"), `"messages": []`)
	require.Contains(t, tool(1, "queryMsgByKey -t nowhere -k none"), "see the topics there are")

	require.Regexp(t, `Keys +order-7\n(.*\n)+Message Body +first\n`, tool(0, "queryMsgByUniqueKey -t orders -i "+sent.MessageID))
	require.Regexp(t, `OffsetID +`+sent.OffsetMsgID, tool(0, "queryMsgByUniqueKey -t orders -a -c DefaultCluster -i "+sent.MessageID))
	for _, id := range []string{sent.OffsetMsgID, sent.MessageID} {
		require.Regexp(t, `Message Body +first\n`, tool(0, "queryMsgById -t orders -i "+id))
	}
	require.Contains(t, tool(1, "queryMsgById -t orders -i 0A00000100002A9F0000000000000000"), "the name servers know no broker at 10.0.0.1:10911")
	require.Contains(t, tool(3, "queryMsgById -t orders -i "+sent.OffsetMsgID+",0A00000100002A9F0000000000000000"), "first")

	require.Regexp(t, `^deleteExpiredCommitLog at 127\.0\.0\.1:\d+ success\n$`, tool(0, "deleteExpiredCommitLog"))
	require.Regexp(t, `^cleanExpiredCQ at 127\.0\.0\.1:\d+ success\n$`, tool(0, "cleanExpiredCQ -c DefaultCluster"))
	tool(1, "cleanExpiredCQ -c nowhere")
	tool(4, "cleanExpiredCQ -b 127.0.0.1:1")
	tool(0, "updateTopic -c DefaultCluster -t orders -a +reserve.time=86400000")
	require.NoError(t, stop())
}

func TestOneNodeCannotTakeWhatAnotherHas(t *testing.T) {
	if testing.Short() {
		t.Skip("uses real ports and disks")
	}
	directory := t.TempDir()
	settings := func(store string) config.Broker {
		b, _, err := config.LoadBroker(config.Machine{HostName: "broker-a", Home: directory, Address: loopback},
			config.Source{Keys: map[string]string{"storePathRootDir": filepath.Join(directory, store), "listenPort": "0", "bindAddress": loopback}})
		require.NoError(t, err)
		return b
	}
	announced, stop := inBackground(t, func(ctx context.Context, out Output) error { return RunBroker(ctx, settings("one"), out) })
	announced.waitFor(t, processtest.BrokerStarted("broker-a"))
	out := Output{Text: &transcript{}, Log: zap.NewNop()}
	err := RunBroker(context.Background(), settings("one"), out)
	require.ErrorContains(t, err, "another process uses the directory "+filepath.Join(directory, "one"))

	require.NoError(t, os.WriteFile(filepath.Join(directory, "file"), nil, 0o644))
	err = RunBroker(context.Background(), settings("file"), out)
	require.ErrorContains(t, err, filepath.Join(directory, "file"))
	require.NoError(t, stop())
}

func TestTwoNameServersCannotHaveOnePort(t *testing.T) {
	settings := func(port string) config.NameServer {
		n, _, err := config.LoadNameServer(config.Machine{Home: t.TempDir()}, config.Source{Keys: map[string]string{"listenPort": port, "bindAddress": loopback}})
		require.NoError(t, err)
		return n
	}
	announced, stop := inBackground(t, func(ctx context.Context, out Output) error { return RunNameServer(ctx, settings("0"), out) })
	address := announced.waitFor(t, processtest.NameServerStarted)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	err = RunNameServer(context.Background(), settings(port), Output{Text: &transcript{}, Log: zap.NewNop()})
	require.ErrorContains(t, err, "another process listens on "+address)
	require.NoError(t, stop())
}

func TestSettingsOfANameServerAreItsOptions(t *testing.T) {
	settings, _, err := config.LoadNameServer(config.Machine{Home: "/home/me"}, config.Source{Keys: map[string]string{
		"orderMessageEnable": "true", "returnOrderTopicConfigToBroker": "false", "waitSecondsForService": "7", "enableTopicList": "false",
	}})
	require.NoError(t, err)
	options := nameServerOptions(settings)
	require.Equal(t, "0.0.0.0:9876", options.Listen)
	require.Equal(t, "kvConfig.json", options.KVConfigPath)
	require.Equal(t, "namesrv.properties", options.ConfigPath)
	require.True(t, options.Settings.OrderInRoutes)
	require.True(t, options.Settings.NoOrderToBrokers)
	require.True(t, options.Settings.NoTopicLists)
	require.False(t, options.Settings.NoAllTopicList)
	require.Equal(t, 7*time.Second, options.Settings.HoldRoutesFor)
	require.Equal(t, 2*time.Minute, options.IdleTimeout)
}
