package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// called runs the program as a shell would, and returns what it printed.
func called(t *testing.T, line ...string) (code int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(line, &console{out: &stdout, err: &stderr})
	return code, stdout.String(), stderr.String()
}

func TestTheNameOfTheProgramChoosesTheTool(t *testing.T) {
	for program, want := range map[string]string{
		"gantry": "gantry COMMAND", "/opt/bin/mqadmin": "mqadmin COMMAND", "./MQBROKER.exe": "mqbroker [flags]", "mqnamesrv": "mqnamesrv [flags]",
	} {
		code, out, _ := called(t, program, "-h")
		require.Zero(t, code, program)
		require.Contains(t, out, "Usage:\n  "+want+"\n", program)
	}
	_, out, _ := called(t, "mqadmin", "topicstatus", "-h")
	require.Contains(t, out, "  mqadmin topicStatus -n localhost:9876 -t orders\n")
}

func TestWrongCommandLinesAreUsageErrors(t *testing.T) {
	t.Setenv("NAMESRV_ADDR", "")
	for line, want := range map[string]string{
		"gantry borker":                              "gantry: there is no command borker: did you mean broker? (see gantry -h)",
		"gantry broker --listenProt 1":               "gantry: there is no option --listenProt: did you mean --listenPort? (see gantry broker -h)",
		"gantry broker --listenPort":                 "gantry: option --listenPort (--listenPort) needs a value (see gantry broker -h)",
		"gantry broker --listenPort=high":            `gantry: the command line: listenPort: "high" is not a whole number`,
		"gantry broker twice":                        `gantry: "twice" is neither an option nor the value of one`,
		"gantry broker -c /no/such/file":             "gantry: the configuration file cannot be read: open /no/such/file",
		"gantry namesrv --log-level=loud":            "gantry: --log-level loud is none of debug, info, warn, error",
		"gantry namesrv --log-format=xml":            "gantry: --log-format xml is neither console nor json",
		"mqadmin topicRoute -n a:1":                  "mqadmin: option -t (--topic) is missing (see mqadmin topicRoute -h)",
		"mqadmin topicList":                          "mqadmin: no name server is given: write -n host:9876, or set NAMESRV_ADDR",
		"mqadmin topicList -n a:1,b:1":               `mqadmin: -n: "a:1,b:1" is not host:port`,
		"mqadmin updateTopic -t x":                   "mqadmin: give either -b (--brokerAddr) or -c (--clusterName)",
		"mqadmin updateTopic -t x -b a -c b":         "mqadmin: give either -b (--brokerAddr) or -c (--clusterName)",
		"mqadmin updateTopic -t x -b a -p 9":         "mqadmin: -p: 9 is none of 2 (write), 4 (read), 6 (both)",
		"mqadmin updateTopic -t x -b a -r 0":         "mqadmin: -r and -w: 0 and 8 are not numbers of queues",
		"mqadmin updateTopic -t x -b a -r many":      `mqadmin: option -r (--readQueueNums): "many" is not a whole number (see mqadmin updateTopic -h)`,
		"mqadmin updateTopic -t x -b a -a k":         `mqadmin: -a: "k" is neither +key=value nor -key`,
		"mqadmin sendMessage -t x -p y -i 1":         "mqadmin: -i 1: queues are numbered at each broker",
		"mqadmin consumeMessage -t x -c 0":           "mqadmin: -c: 0 is not a number of messages",
		"mqadmin consumeMessage -t x -o 1":           "mqadmin: -o 1: offsets count in each queue",
		"mqadmin consumeMessage -t x -s yesterday":   `mqadmin: -s: "yesterday" is neither milliseconds since 1970`,
		"mqadmin queryMsgByKey -t x":                 "mqadmin: option -k (--msgKey) is missing",
		"mqadmin queryMsgByKey -t x -k y -m 65":      "mqadmin: -m: 65 is not a number of messages between 1 and 64",
		"mqadmin queryMsgByKey -t x -k y -b noon":    `mqadmin: -b: "noon" is neither milliseconds since 1970`,
		"mqadmin queryMsgByUniqueKey -t x -i y -g z": "mqadmin: -g and -d: a consumer is named by its group and its client id",
		"mqadmin queryMsgById -t x -i y -f GBK":      "mqadmin: -f GBK: bodies are shown as UTF-8",
		"mqadmin queryMsgById -t x":                  "mqadmin: option -i (--msgId) is missing",
		"mqadmin cleanExpiredCQ -b x -c y":           "mqadmin: give either -b (--brokerAddr) or -c (--cluster)",
		"mqadmin clusterList -i -1":                  "mqadmin: -i: -1 is not a number of seconds",
	} {
		code, out, err := called(t, strings.Fields(line)...)
		require.Equal(t, exitUsage, code, line)
		require.Empty(t, out, line)
		require.Contains(t, err, want, line)
	}
}

func TestSettingsArePrintedInsteadOfUsed(t *testing.T) {
	t.Setenv("NAMESRV_ADDR", "10.0.0.9:9876")
	file := filepath.Join(t.TempDir(), "broker.conf")
	require.NoError(t, os.WriteFile(file, []byte("brokerName=from-file\nlistenPort=1\n"), 0o644))
	code, out, err := called(t, "mqbroker", "-c", file, "-p", "--listenPort", "2")
	require.Zero(t, code, err)
	require.Contains(t, out, "brokerName=from-file\n")
	require.Contains(t, out, "listenPort=2\n")
	require.Contains(t, out, "namesrvAddr=10.0.0.9:9876\n")
	require.Contains(t, out, "regionId=DefaultRegion\n")
	_, important, _ := called(t, "mqbroker", "-c", file, "-m")
	require.NotContains(t, important, "regionId")
	_, out, _ = called(t, "mqnamesrv", "-p")
	require.Contains(t, out, "listenPort=9876\n")
}

func TestHelpListsKeysApartFromOptions(t *testing.T) {
	_, out, _ := called(t, "gantry", "broker", "-h")
	options, keys, found := strings.Cut(out, "Configuration keys")
	require.True(t, found)
	require.NotContains(t, options, "--regionId")
	require.Contains(t, keys, "--regionId text")
	require.Contains(t, keys, "-n, --namesrvAddr text")
	require.Contains(t, options, "-c, --configFile")
}

func TestShellsCanAskForCompletion(t *testing.T) {
	_, out, _ := called(t, "gantry", "__complete", "admin", "topicSt")
	require.Contains(t, out, "topicStatus")
	code, out, _ := called(t, "gantry", "completion", "bash")
	require.Zero(t, code)
	require.Contains(t, out, "bash completion")
}

func TestTheVersionTellsTheProtocol(t *testing.T) {
	code, out, _ := called(t, "gantry", "version")
	require.Zero(t, code)
	require.Contains(t, out, "protocol of RocketMQ ")
	_, out, _ = called(t, "gantry", "version", "--json")
	var v version
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	require.Equal(t, ownVersion(), v)
}

func TestLogsAreLinesOrJSON(t *testing.T) {
	var stderr bytes.Buffer
	c := &console{err: &stderr}
	log, err := (&logOptions{format: "json", level: "warn"}).logger(c)
	require.NoError(t, err)
	log.Info("left out")
	log.Warn("kept")
	var line map[string]any
	require.NoError(t, json.Unmarshal(stderr.Bytes(), &line))
	require.Equal(t, "kept", line["msg"])

	stderr.Reset()
	log, err = (&logOptions{format: "console", level: "info"}).logger(c)
	require.NoError(t, err)
	log.Info("plain")
	require.Contains(t, stderr.String(), "\tINFO\tplain\n")
	require.NotContains(t, stderr.String(), "\x1b")
}

func TestAFailedStartSaysHowToFixIt(t *testing.T) {
	at := place{"0.0.0.0:10911", "--listenPort", "/data", "--storePathRootDir"}
	for want, cause := range map[string]error{
		"another process listens on 0.0.0.0:10911":          fmt.Errorf("listen: %w", env.ErrAddressInUse),
		"another process uses the directory /data":          fmt.Errorf("lock: %w", env.ErrLocked),
		"may not write to the directory /data":              &fs.PathError{Op: "mkdir", Path: "/data", Err: fs.ErrPermission},
		"may not listen on 0.0.0.0:10911":                   fmt.Errorf("listen tcp: %w", fs.ErrPermission),
		"the disk of /data is full":                         env.ErrNoSpace,
		"choose another directory with --storePathRootDir":  env.ErrLocked,
		"choose another port with --listenPort":             env.ErrAddressInUse,
		"change its owner (chown), or choose another with ": fs.ErrPermission,
	} {
		err := at.explainStart(cause)
		require.ErrorContains(t, err, "to fix it: ")
		require.ErrorContains(t, err, want)
		require.ErrorIs(t, err, cause)
		require.Equal(t, exitFailed, exitCode(err))
	}
	require.NoError(t, at.explainStart(nil))
}

func TestErrorsOfToolsHaveTheirExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
	}{
		{fmt.Errorf("x: %w", client.ErrNoNameServer), exitUnreachable},
		{fmt.Errorf("x: %w", client.ErrNotSent), exitUnreachable},
		{fmt.Errorf("x: %w", env.ErrRefused), exitUnreachable},
		{fmt.Errorf("x: %w", client.ErrTopicNotFound), exitFailed},
		{fmt.Errorf("x: %w", client.ErrMessage), exitUsage},
		{&failure{cause: errors.New("x"), code: exitPartly}, exitPartly},
		{errors.New("x"), exitFailed},
	} {
		require.Equal(t, c.code, exitCode(explainAdmin(c.err, "a:1")), c.err)
	}
	require.NoError(t, explainAdmin(nil, "a:1"))
}

func TestDefaultsAreThoseOfTheNodes(t *testing.T) {
	settings, _, err := config.LoadBroker(config.Machine{HostName: "broker-a", Home: "/home/me", Address: "10.0.0.1"})
	require.NoError(t, err)
	got, err := brokerOptions(settings)
	require.NoError(t, err)
	want := broker.DefaultOptions()
	want.Listen, want.FastListen = "0.0.0.0:10911", "0.0.0.0:10909"
	want.AdvertisedIP, want.Store = netip.MustParseAddr("10.0.0.1"), got.Store
	// What no key sets is left to the node.
	want.HeldPullsMax, want.TopicsMax, want.GroupsMax, want.ShutdownGrace, want.TimersMax, want.TransactionsMax = 0, 0, 0, 0, 0, 0
	want.Settings = got.Settings
	require.Equal(t, want, got)

	store := store.DefaultOptions()
	store.WaitingMax, store.ReplayMax = 0, 0
	store.Cached, store.Zone = osenv.Memory()/100*40, time.Local
	require.Equal(t, store, got.Store)
}

func TestAQueueIsChosenOnlyAtTheBrokerThatWasNamed(t *testing.T) {
	route := &client.Route{Queues: []proto.QueueRoute{
		{BrokerName: "broker-a", WriteQueues: 4, Perm: proto.PermReadWrite},
		{BrokerName: "broker-b", WriteQueues: 4, Perm: proto.PermRead},
	}}
	queue, err := (&letter{topic: "t", broker: "broker-a", queue: 3}).choose(route)
	require.NoError(t, err)
	require.Equal(t, client.Queue{Topic: "t", BrokerName: "broker-a", QueueID: 3}, queue)
	queue, err = (&letter{topic: "t", broker: "broker-a", queue: -1}).choose(route)
	require.NoError(t, err)
	require.Contains(t, []int32{0, 1, 2, 3}, queue.QueueID)
	for _, wrong := range []letter{{broker: "broker-a", queue: 4}, {broker: "broker-b", queue: 0}, {broker: "broker-c", queue: -1}} {
		_, err := wrong.choose(route)
		require.ErrorContains(t, err, "no such queue")
	}
}

func TestTimesAreReadAsRocketMQWritesThem(t *testing.T) {
	at, err := parseTime("1795234728469")
	require.NoError(t, err)
	require.Equal(t, int64(1795234728469), at.UnixMilli())
	at, err = parseTime("2026-11-21#12:00:00:005")
	require.NoError(t, err)
	require.Equal(t, int64(noon()), at.UnixMilli())
	at, err = parseTime("")
	require.NoError(t, err)
	require.Equal(t, time.Time{}, at)
	_, err = parseTime("2026-11-21")
	require.Error(t, err)
}

func TestSettingsOfTheStoreAreInItsOwnWords(t *testing.T) {
	settings, _, err := config.LoadBroker(config.Machine{HostName: "broker-a", Home: "/home/me", Address: "10.0.0.1"}, config.Source{Keys: map[string]string{
		"fileReservedTime": "48", "deleteWhen": "16;04", "diskMaxUsedSpaceRatio": "60", "diskSpaceWarningLevelRatio": "70", "cleanFileForciblyEnable": "false",
		"cleanResourceInterval": "2000", "deleteFileBatchMax": "3", "deleteCommitLogFilesInterval": "50", "messageIndexEnable": "false",
		"maxHashSlotNum": "100", "maxIndexNum": "400", "osPageCacheBusyTimeOutMills": "500", "accessMessageInMemoryMaxRatio": "50",
		"maxTransferCountOnMessageInDisk": "8", "maxTransferBytesOnMessageInDisk": "65536", "openQueueFilesMax": "99",
		"checkpointInterval": "3000", "checkpointLogBytes": "2097152",
	}})
	require.NoError(t, err)
	options, err := storeOptions(settings, 1000)
	require.NoError(t, err)
	require.Equal(t, 48*time.Hour, options.KeepFor)
	require.Equal(t, []int{4, 16}, options.DeleteAt)
	require.Equal(t, store.DiskUse{Expire: 0.60, Force: 0.70, Refuse: 0.70}, options.DiskUse, "where messages are refused files go")
	require.True(t, options.NeverForce)
	require.True(t, options.DisableIndex)
	require.Equal(t, []time.Duration{2 * time.Second, 50 * time.Millisecond, 500 * time.Millisecond, 3 * time.Second},
		[]time.Duration{options.CleanEvery, options.DeletePause, options.BusyAfter, options.CheckpointEvery})
	require.Equal(t, []int{3, 8, 65536, 99}, []int{options.DeleteMax, options.ColdCountMax, options.ColdBytesMax, options.OpenFilesMax})
	require.Equal(t, []int64{500, 2 << 20}, []int64{options.Cached, options.CheckpointBytes})
	require.Equal(t, "100 400", fmt.Sprint(options.Index.Slots, options.Index.Items))
	unknown, err := storeOptions(settings, 0)
	require.NoError(t, err)
	require.Zero(t, unknown.Cached, "where the memory is not known all is taken to be in it")
}
