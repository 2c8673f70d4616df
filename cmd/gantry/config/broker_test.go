package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var testMachine = Machine{HostName: "broker-host", Home: "/home/me", Address: "192.168.1.2", NameServers: "10.0.0.9:9876"}

func fromText(t *testing.T, text string) Source {
	t.Helper()
	source, err := parse("broker.conf", []byte(text))
	require.NoError(t, err)
	return source
}

func loadText(t *testing.T, text string) (Broker, []string) {
	t.Helper()
	b, warnings, err := LoadBroker(testMachine, fromText(t, text))
	require.NoError(t, err)
	return b, warnings
}

func mistakeIn(t *testing.T, text string) string {
	t.Helper()
	_, _, err := LoadBroker(testMachine, fromText(t, text))
	require.Error(t, err)
	return err.Error()
}

func TestWhatNobodySetsTakesTheValueOfTheMachine(t *testing.T) {
	b, warnings := loadText(t, "")
	require.Empty(t, warnings)
	require.Equal(t, "broker-host", b.BrokerName)
	require.Equal(t, "192.168.1.2", b.BrokerIP1)
	require.Equal(t, "10.0.0.9:9876", b.NamesrvAddr)
	require.Equal(t, "/home/me/store", b.StorePathRootDir)
	require.Equal(t, "SYNC_FLUSH", b.FlushDiskType)
	require.Equal(t, 10911, b.ListenPort)
	require.Equal(t, 5*time.Second, b.OffsetsInterval)
}

// The file that Apache ships as conf/broker.conf, with the keys that most people add.
const everybodys = `
brokerClusterName = DefaultCluster
brokerName = broker-a
brokerId = 0
deleteWhen = 04
fileReservedTime = 48
brokerRole = ASYNC_MASTER
flushDiskType = ASYNC_FLUSH
namesrvAddr=10.0.0.1:9876;10.0.0.2:9876
brokerIP1=10.0.0.7
listenPort=10921
storePathRootDir=/data/store
storePathCommitLog=/data/store/commitlog
autoCreateTopicEnable=FALSE
mapedFileSizeCommitLog=134217728
sendMessageThreadPoolNums=16
pullMessageThreadPoolNums=16
messageDelayLevel=1s 5s 10s
enableControllerMode=false
`

func TestAFileAsEverybodyHasItIsRead(t *testing.T) {
	b, warnings := loadText(t, everybodys)
	require.Equal(t, "broker-a", b.BrokerName)
	require.Equal(t, "ASYNC_FLUSH", b.FlushDiskType)
	require.Equal(t, 10921, b.ListenPort)
	require.Equal(t, int64(128<<20), b.MappedFileSizeCommitLog)
	require.False(t, b.AutoCreateTopicEnable)
	require.Equal(t, 48*time.Hour, b.FileReservedTime)
	require.Equal(t, "04", b.DeleteWhen)
	require.Equal(t, "1s 5s 10s", b.MessageDelayLevel)
	require.Equal(t, []string{
		"pullMessageThreadPoolNums, sendMessageThreadPoolNums have no effect in Gantry because it has no thread pools: one task decides, and system calls run beside it",
	}, warnings)
}

func TestLaterSourcesWinAndWarningsAreGivenOnce(t *testing.T) {
	file := fromText(t, "listenPort=1\nregionId=file\ntimerPrecisionMs=1000")
	line := Source{Name: "the command line", Keys: map[string]string{"listenPort": "2", "timerPrecisionMs": "100"}}
	b, warnings, err := LoadBroker(testMachine, file, line)
	require.NoError(t, err)
	require.Equal(t, 2, b.ListenPort)
	require.Equal(t, "file", b.RegionID)
	require.Len(t, warnings, 1)
}

func TestPromisesThatAreNotKeptAreRefused(t *testing.T) {
	for _, line := range []string{
		"enableDLegerCommitLog=true", "enableSlaveActingMaster=true", "enableRemoteEscape=true",
		"authenticationProvider=com.example.Own", "duplicationEnable=TRUE", "storeType=defaultRocksDB", "metricsInDelta=true",
		"storePathCommitLog=/disk1,/disk2", "storePathIndex=/elsewhere",
	} {
		require.Contains(t, mistakeIn(t, line), line+" is refused, because ", line)
	}
	for _, line := range []string{"brokerId=0", "duplicationEnable=False", "inSyncReplicas=1", "metricsExporterType=DISABLE", "readOnlyCommitLogStorePaths="} {
		_, warnings := loadText(t, line)
		require.Empty(t, warnings, line)
	}
	require.Equal(t, "broker.conf: duplicationEnable=true is refused, because copies are made by slaves: set brokerRole=SLAVE for them; remove the key or set it to false",
		mistakeIn(t, "duplicationEnable=true"))
}

func TestUnknownKeysAreRefusedWithTheNearest(t *testing.T) {
	require.Equal(t, "broker.conf: brokerNmae is not a key: did you mean brokerName?", mistakeIn(t, "brokerNmae=a"))
	require.Equal(t, "broker.conf: listenport is not a key: did you mean listenPort?", mistakeIn(t, "listenport=1"))
	require.Equal(t, "broker.conf: fileReservedTimes is not a key: did you mean fileReservedTime?", mistakeIn(t, "fileReservedTimes=1"))
	require.Contains(t, mistakeIn(t, "xyzzy=1"), "xyzzy is not a key: remove it")
}

func TestEveryMistakeNamesItsKey(t *testing.T) {
	for line, want := range map[string]string{
		"listenPort=high":                      `listenPort: "high" is not a whole number`,
		"listenPort=70000":                     "listenPort: 70000 is not between 0 and 65535",
		"longPollingEnable=yes":                `longPollingEnable: "yes" is neither true nor false`,
		"fileReservedTime=0":                   "fileReservedTime: 0 is not between 1 and 876000",
		"deleteWhen=04;24":                     `deleteWhen: "24" is not an hour between 0 and 23; write several with ; between them`,
		"deleteWhen=4h":                        `deleteWhen: "4h" is not an hour`,
		"deleteWhen=;":                         "deleteWhen: no hour is given",
		"diskMaxUsedSpaceRatio=96":             "diskMaxUsedSpaceRatio: 96 is not between 10 and 95",
		"diskSpaceCleanForciblyRatio=90":       "diskSpaceCleanForciblyRatio: 90 is not between 30 and 85",
		"diskSpaceWarningLevelRatio=95":        "diskSpaceWarningLevelRatio: 95 is not between 35 and 90",
		"maxIndexNum=1":                        "maxIndexNum: 1 is not between 2 and 80000000",
		"flushDiskType=sync":                   `flushDiskType: "sync" is not one of SYNC_FLUSH, ASYNC_FLUSH`,
		"brokerIP1=0.0.0.0":                    `brokerIP1: "0.0.0.0" is not an IP address that clients can reach`,
		"bindAddress=here":                     `bindAddress: "here" is not an IP address`,
		"namesrvAddr=a:9876,b:9876":            `namesrvAddr: "a:9876,b:9876" is not host:port`,
		"messageDelayLevel=1s 2x":              `messageDelayLevel: "2x" is no time of a delay level`,
		"mapperFileSizeBatchConsumeQueue=6000": "mapperFileSizeBatchConsumeQueue: 6000 is not a multiple of 46",
		"mappedFileSizeConsumeQueue=6001":      "mappedFileSizeConsumeQueue: 6001 is not a multiple of 20",
		"mapedFileSizeCommitLog=1000000":       "maxMessageSize: 4194304 does not fit into a commit log file of 1000000 bytes: lower it to 933440 or less",
		"mapedFileSizeConsumeQueue=20\nmappedFileSizeConsumeQueue=40": "are the same key and say different things",
	} {
		require.Contains(t, mistakeIn(t, line), want, line)
	}
	both := mistakeIn(t, "listenPort=high\nbrokerNmae=a")
	require.Contains(t, both, "listenPort")
	require.Contains(t, both, "brokerNmae")
}

func TestTheLicenceOfApachesExamplesIsSkipped(t *testing.T) {
	b, _ := loadText(t, "<!--\n  ~ Licensed to somebody\n  -->\nbrokerName=a\n")
	require.Equal(t, "a", b.BrokerName)
	_, err := parse("broker.conf", []byte("<!-- never closed"))
	require.ErrorIs(t, err, errOpenComment)
}

func TestFilesAreReadAsJavaReadsThem(t *testing.T) {
	source := fromText(t, "a=1 # kept\n! comment\nb : 2\nc 3\nd = x\\\n  y\ne=\\u0041\nf=${HOME}\na=last\ng = naïve")
	require.Equal(t, map[string]string{"a": "last", "b": "2", "c": "3", "d": "xy", "e": "A", "f": "${HOME}", "g": "naïve"}, source.Keys)
}

func TestAFileThatIsNotThereIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broker.conf")
	_, err := ReadFile(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, path)
	require.NoError(t, os.WriteFile(path, []byte("brokerName=a"), 0o644))
	source, err := ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, Source{Name: path, Keys: map[string]string{"brokerName": "a"}}, source)
}

func TestHoursAreReadInAnyOrder(t *testing.T) {
	for text, want := range map[string][]int{"04": {4}, "4": {4}, "23; 00;4;04": {0, 4, 23}, "05;": {5}} {
		hours, err := Hours(text)
		require.NoError(t, err, text)
		require.Equal(t, want, hours, text)
	}
	for _, wrong := range []string{"", " ", "-1", "24", "4,5", "04:00"} {
		_, err := Hours(wrong)
		require.Error(t, err, wrong)
	}
}
