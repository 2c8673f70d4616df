package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// A broker tells tools every key that an operator can set, with the value in force.
func TestABrokerTellsToolsAllKeysOfItsConfiguration(t *testing.T) {
	if testing.Short() {
		t.Skip("uses real ports and disks")
	}
	path := filepath.Join(t.TempDir(), "broker.conf")
	text := strings.Join([]string{
		"brokerName=broker-b", "brokerClusterName=east", "brokerIP1=127.0.0.1", "bindAddress=127.0.0.1", "listenPort=0",
		"storePathRootDir=" + t.TempDir(), "flushDiskType=ASYNC_FLUSH", "mappedFileSizeCommitLog=1048576", "maxMessageSize=65536",
		"maxHashSlotNum=100", "maxIndexNum=1000", "fileReservedTime=48", "deleteWhen=04;05", "regionId=a b=c\\\\d", "brokerPermission=4",
		"autoCreateTopicEnable=false", "autoCreateSubscriptionGroup=false", "longPollingEnable=false", "defaultTopicQueueNums=5",
		"flushConsumerOffsetInterval=7000", "registerNameServerPeriod=5000", "slaveReadEnable=true", "accessMessageInMemoryMaxRatio=33",
	}, "\n")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	file, err := config.ReadFile(path)
	require.NoError(t, err)
	settings, _, err := config.LoadBroker(thisMachine(), file)
	require.NoError(t, err)
	announced, stop := inBackground(t, func(ctx context.Context, out Output) error { return RunBroker(ctx, settings, out) })
	address := announced.waitFor(t, processtest.BrokerStarted("broker-b"))
	told := toldBy(t, address)
	require.NoError(t, stop())

	asked := map[string]string{}
	for key, value := range config.Values(&settings) {
		asked[key] = value
		got, ok := told.Get(key)
		require.True(t, ok, "%s is missing", key)
		switch key {
		case "listenPort":
			value = address[strings.LastIndex(address, ":")+1:] // 0 stands for the one it got
		case "haListenPort":
			require.NotContains(t, []string{"-1", "0"}, got, "it is the one that it got")
			continue
		}
		require.Equal(t, value, got, key)
	}
	require.Equal(t, "48", asked["fileReservedTime"])
	require.Equal(t, "10000", asked["registerNameServerPeriod"], "the least that it may be")
	for _, entry := range told {
		require.Contains(t, asked, entry.Key, "no operator can set it")
	}
	require.Len(t, told, len(asked), "each key once")
}

// toldBy is what a broker answers to GET_BROKER_CONFIG.
func toldBy(t *testing.T, address string) (told proto.ConfigText) {
	t.Helper()
	s, err := newSession(address, zap.NewNop())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	told, err = s.admin.BrokerConfig(ctx, address)
	require.NoError(t, err)
	require.NoError(t, s.close())
	return told
}
