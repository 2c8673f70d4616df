package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
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
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
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
		"gantry": "gantry COMMAND", "/opt/bin/mqadmin": "mqadmin COMMAND", "./MQBROKER.exe": "mqbroker [flags]", "mqnamesrv": "mqnamesrv [flags]", "mqcontroller": "mqcontroller [flags]",
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
		"do without slaves by --haListenPort 0":             fmt.Errorf("%w: %w", broker.ErrReplicationListen, env.ErrAddressInUse),
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
	want.Replication = broker.DefaultReplication()
	want.Replication.Listen, want.Replication.TryAgainAfter = "0.0.0.0:10912", 0
	require.Equal(t, want, got)

	store := store.DefaultOptions()
	store.WaitingMax, store.ReplayMax = 0, 0
	store.Cached, store.Zone = osenv.Memory()/100*40, time.Local
	require.Equal(t, store, got.Store)
}

func TestKeysOfCopiesReachTheNode(t *testing.T) {
	load := func(keys map[string]string) broker.Options {
		settings, _, err := config.LoadBroker(config.Machine{HostName: "broker-a", Home: "/home/me", Address: "10.0.0.1", NameServers: "10.0.0.9:9876"},
			config.Source{Name: "test", Keys: keys})
		require.NoError(t, err)
		options, err := brokerOptions(settings)
		require.NoError(t, err)
		return options
	}
	master := load(map[string]string{
		"brokerRole": "SYNC_MASTER", "haListenPort": "7000", "brokerIP2": "10.1.0.1", "inSyncReplicas": "3", "minInSyncReplicas": "2", "totalReplicas": "4",
		"enableAutoInSyncReplicas": "true", "slaveTimeout": "700", "haMaxGapNotInSync": "1000", "haTransferBatchSize": "2000", "haFlowControlEnable": "true",
		"maxHaTransferByteInSecond": "3000", "haSendHeartbeatInterval": "100", "haHousekeepingInterval": "400",
	})
	require.Equal(t, broker.SyncMaster, master.Role)
	require.Equal(t, 700*time.Millisecond, master.Store.ReplicaTimeout)
	require.Equal(t, broker.Replication{
		Listen: "0.0.0.0:7000", AdvertisedIP: netip.MustParseAddr("10.1.0.1"), InSync: 3, MinInSync: 2, Total: 4, AutoInSync: true, GapMax: 1000, BatchBytes: 2000,
		BytesPerSecond: 3000, SignOfLife: 100 * time.Millisecond, SilenceMax: 400 * time.Millisecond, CopyTables: time.Second,
		BehindFor: 2 * time.Second, WaitFor: 700 * time.Millisecond,
	}, master.Replication)
	slave := load(map[string]string{"brokerRole": "SLAVE", "brokerId": "2", "haMasterAddress": "m:10912", "copyTablesInterval": "50", "maxHaTransferByteInSecond": "3000"})
	require.Equal(t, broker.Slave, slave.Role)
	require.EqualValues(t, 2, slave.ID)
	require.Equal(t, "m:10912", slave.Replication.Master)
	require.Empty(t, slave.Replication.Listen, "a slave has no slaves")
	require.Equal(t, 50*time.Millisecond, slave.Replication.CopyTables)
	require.Zero(t, slave.Replication.BytesPerSecond, "the speed counts only with haFlowControlEnable")
	require.Equal(t, "0.0.0.0:0", load(map[string]string{"listenPort": "0"}).Replication.Listen)
}

func TestABrokerSaysWhatItsRoleMeansForAMessage(t *testing.T) {
	says := func(change func(*config.Broker)) string {
		s := config.Broker{BrokerName: "broker-a", BrokerRole: "SYNC_MASTER"}
		s.InSyncReplicas, s.MinInSyncReplicas = 3, 2
		change(&s)
		return copiesPromise(s)
	}
	require.Equal(t, "SYNC_MASTER: an acknowledged message has 3 copies", says(func(*config.Broker) {}))
	require.Contains(t, says(func(s *config.Broker) { s.AutoInSync = true }), "but 2 at least")
	require.Contains(t, says(func(s *config.Broker) { s.BrokerRole = "ASYNC_MASTER" }), "an acknowledged message is here")
	require.Contains(t, says(func(s *config.Broker) { s.BrokerRole, s.BrokerID = "SLAVE", 2 }), "SLAVE 2 of broker-a")
}

func TestAnOpenReplicationPortIsSaidToBeOne(t *testing.T) {
	warned := func(change func(*config.Broker)) int {
		seen, logs := observer.New(zap.WarnLevel)
		s := config.Broker{BindAddress: "0.0.0.0"}
		s.HAListenPort, s.Authentication = 10912, true
		change(&s)
		warnOfOpenCopies(s, Output{Log: zap.New(seen)})
		return logs.Len()
	}
	require.Equal(t, 1, warned(func(*config.Broker) {}))
	require.Equal(t, 1, warned(func(s *config.Broker) { s.Mode = "enforcing" }), "whoever can encrypt may read")
	require.Zero(t, warned(func(s *config.Broker) { s.Mode, s.NeedClientAuth = "enforcing", "require" }))
	require.Zero(t, warned(func(s *config.Broker) { s.HAListenPort = 0 }))
	require.Zero(t, warned(func(s *config.Broker) { s.BindAddress = "127.0.0.1" }))
	require.Zero(t, warned(func(s *config.Broker) { s.Authentication = false }), "of that warnIfOpen warns")
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

func TestAControllerRunsInAProcessOfItsOwnAndInThatOfANameServer(t *testing.T) {
	if testing.Short() {
		t.Skip("uses real ports and disks")
	}
	address := freeAddress(t)
	keys := config.ControllerKeys{
		Group: "g", Peers: "n0-" + address, Self: "n0", StorePath: filepath.Join(t.TempDir(), "ctrl"),
		HeartbeatInterval: 50 * time.Millisecond, ElectionTimeout: 200 * time.Millisecond, BrokerTimeout: time.Second, NotifyRoles: true,
	}
	alone, _, err := config.LoadController(thisMachine(), config.Source{Keys: map[string]string{"controllerDLegerPeers": keys.Peers, "controllerDLegerSelfId": "n0"}})
	require.NoError(t, err)
	alone.ControllerKeys, alone.BindAddress = keys, loopback
	announced, stop := inBackground(t, func(ctx context.Context, out Output) error { return RunController(ctx, alone, out) })
	announced.waitFor(t, `The Controller Server boot success\. serializeType=JSON, address (\S+)`)
	requireController(t, address)
	require.NoError(t, stop())

	names, _, err := config.LoadNameServer(thisMachine(), config.Source{Keys: map[string]string{
		"kvConfigPath": filepath.Join(t.TempDir(), "kv.json"), "listenPort": "0", "bindAddress": loopback, "enableControllerInNamesrv": "true",
		"controllerDLegerPeers": keys.Peers, "controllerDLegerSelfId": "n0",
	}})
	require.NoError(t, err)
	names.StorePath = keys.StorePath
	names.Group = "g"
	announced, stop = inBackground(t, func(ctx context.Context, out Output) error { return RunNameServer(ctx, names, out) })
	announced.waitFor(t, `The ControllerManager boot success\. serializeType=JSON, address (\S+)`)
	requireController(t, address)
	require.NoError(t, stop())
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", loopback+":0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// requireController uses every admin command of controllers on one that leads.
func requireController(t *testing.T, address string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, out, _ := called(t, "mqadmin", "getControllerMetaData", "-a", address)
		return strings.Contains(out, "#ControllerLeaderId\tn0\n#ControllerLeaderAddress\t"+address+"\n#Peer:\tn0:"+address)
	}, 10*time.Second, 20*time.Millisecond)
	code, out, errText := called(t, "mqadmin", "updateControllerConfig", "-a", address, "-k", "enableElectUncleanMaster", "-v", "true")
	require.Zero(t, code, errText)
	require.Contains(t, out, "update controller config success!["+address+"]\nenableElectUncleanMaster : true\n")
	_, out, _ = called(t, "mqadmin", "getControllerConfig", "-a", address, "--json")
	require.Contains(t, out, `"enableElectUncleanMaster": "true"`)
	_, _, errText = called(t, "mqadmin", "updateControllerConfig", "-a", address, "-k", "controllerStorePath", "-v", "/")
	require.Contains(t, errText, "controllerStorePath cannot be changed while the controller runs")
	_, _, errText = called(t, "mqadmin", "getSyncStateSet", "-a", address, "-b", "broker-a")
	require.Contains(t, errText, "no controller knows of broker-a")
	_, _, errText = called(t, "mqadmin", "electMaster", "-a", address, "-c", "c", "-bn", "broker-a", "-b", "1")
	require.Contains(t, errText, "CONTROLLER_BROKER_METADATA_NOT_EXIST")
	_, _, errText = called(t, "mqadmin", "cleanBrokerMetadata", "-a", address, "-c", "c", "-bn", "broker-a", "-b", "1;2")
	require.Contains(t, errText, "CONTROLLER_INVALID_CLEAN_BROKER_METADATA")
}

func TestWrongPeersOfAControllerAreUsageErrors(t *testing.T) {
	for line, want := range map[string]string{
		"mqcontroller": "controllerDLegerPeers and controllerDLegerSelfId: a controller needs both",
		"mqcontroller --controllerDLegerPeers here --controllerDLegerSelfId n0":               `controllerDLegerPeers: "here": write id-host:port`,
		"mqcontroller --controllerDLegerPeers n0-a:1 --controllerDLegerSelfId n1":             `"n1" is none of the peers n0-a:1`,
		"gantry controller --controllerDLegerPeers n0-a:1;n0-b:1 --controllerDLegerSelfId n0": "n0 is there twice",
	} {
		code, _, errText := called(t, strings.Fields(line)...)
		require.Equal(t, exitUsage, code, line)
		require.Contains(t, errText, want, line)
	}
}
