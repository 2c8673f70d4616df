package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"
)

// NameServer is what an operator can set of a name server.
type NameServer struct {
	ListenPort      int    `key:"listenPort" default:"9876" range:"0 65535" important:"yes" doc:"TCP port; 0 is any free one"`
	BindAddress     string `key:"bindAddress" default:"0.0.0.0" important:"yes" doc:"the IP address to listen on; 0.0.0.0 is all"`
	KVConfigPath    string `key:"kvConfigPath" unset:"~/namesrv/kvConfig.json" important:"yes" doc:"the file of the key-value config"`
	ConfigStorePath string `key:"configStorePath" unset:"namesrv.properties beside kvConfigPath" important:"yes" doc:"the file of keys that tools change while it runs, in the same directory; it wins over all others"`
	TLS
	NameServerMetrics
	Access
	ControllerKeys

	OrderMessageEnable     bool          `key:"orderMessageEnable" default:"false" doc:"routes carry the order config of topics"`
	ReturnOrderTopic       bool          `key:"returnOrderTopicConfigToBroker" default:"true" doc:"brokers that register are told the order config"`
	SupportActingMaster    bool          `key:"supportActingMaster" default:"false" doc:"show the smallest slave as master while there is none"`
	NotifyMinBrokerID      bool          `key:"notifyMinBrokerIdChanged" default:"false" doc:"tell brokers when the smallest id of their group changes"`
	DeleteMissingTopics    bool          `key:"deleteTopicWithBrokerRegistration" default:"false" doc:"a registration removes the topics it does not name"`
	EnableAllTopicList     bool          `key:"enableAllTopicList" default:"true" doc:"serve the list of all topics"`
	EnableTopicList        bool          `key:"enableTopicList" default:"true" doc:"serve lists of some topics"`
	NeedWaitForService     bool          `key:"needWaitForService" default:"false" doc:"answer no routes right after the start, so that brokers can register first"`
	WaitForService         time.Duration `key:"waitSecondsForService" unit:"s" default:"45" range:"1 86400" doc:"for how long"`
	ScanInterval           time.Duration `key:"scanNotActiveBrokerInterval" unit:"ms" default:"5000" range:"100 3600000" doc:"pause between searches for silent brokers"`
	MaxIdle                time.Duration `key:"serverChannelMaxIdleTimeSeconds" unit:"s" default:"120" range:"1 86400" doc:"connections without traffic for that long are closed"`
	ControllerInNameServer bool          `key:"enableControllerInNamesrv" default:"false" doc:"run a controller in the same process, with the keys that begin with controller"`
	ConfigurationBlackList string        `key:"configBlackList" default:"configBlackList;configStorePath;kvConfigPath" doc:"keys that tools must not change, with ; between them"`
}

// LoadNameServer applies sources to the defaults, in their order, and checks the result. The warnings
// tell of keys without effect. The error names every key that is wrong, and what to do.
func LoadNameServer(machine Machine, sources ...Source) (NameServer, []string, error) {
	var n NameServer
	warnings, err := read(&n, nameServerRules.with(controllerRules).with(tlsRules).with(metricsRules).with(accessRules), sources)
	if err != nil {
		return n, warnings, err
	}
	if n.KVConfigPath == "" {
		n.KVConfigPath = filepath.Join(machine.Home, "namesrv", "kvConfig.json")
	}
	if n.ConfigStorePath == "" {
		n.ConfigStorePath = filepath.Join(filepath.Dir(n.KVConfigPath), "namesrv.properties")
	}
	if n.StorePath == "" {
		n.StorePath = filepath.Join(filepath.Dir(n.KVConfigPath), "controller")
	}
	return n, warnings, n.validate()
}

func (n *NameServer) validate() error {
	var mistakes []error
	if _, err := netip.ParseAddr(n.BindAddress); err != nil {
		mistakes = append(mistakes, fmt.Errorf("bindAddress: %q is not an IP address", n.BindAddress))
	}
	if directory := filepath.Dir(n.KVConfigPath); filepath.Dir(n.ConfigStorePath) != directory {
		mistakes = append(mistakes, fmt.Errorf("configStorePath: %q is not in the directory of kvConfigPath: move it to %s", n.ConfigStorePath, directory))
	}
	if n.ConfigStorePath == n.KVConfigPath {
		mistakes = append(mistakes, fmt.Errorf("configStorePath: %q is kvConfigPath too: give each its own file", n.ConfigStorePath))
	}
	switch {
	case n.ControllerInNameServer:
		mistakes = append(mistakes, n.ControllerKeys.validate())
	case n.Peers != "":
		mistakes = append(mistakes, errors.New("controllerDLegerPeers: without enableControllerInNamesrv=true there is no controller in this name server: set it, or remove the keys that begin with controller"))
	}
	return errors.Join(append(mistakes, n.TLS.validate(), n.Metrics.validate())...)
}

// nameServerRules are the keys that Apache's name server knows and this one does not honour.
var nameServerRules = rules{
	idle: []idleKeys{
		{"*ThreadPoolNums *QueueCapacity serverWorkerThreads serverSelectorThreads serverCallbackExecutorThreads clientWorkerThreads",
			"it has no thread pools: one task decides, and system calls run beside it"},
		{"serverSocketBacklog serverSocketSndBufSize serverSocketRcvBufSize useEpollNativeSelector writeBufferHighWaterMark " +
			"writeBufferLowWaterMark serverPooledByteBufAllocatorEnable serverOnewaySemaphoreValue serverAsyncSemaphoreValue " +
			"connectTimeoutMillis clientChannelMaxIdleTimeSeconds clientCloseSocketIfTimeout enableShutdownGracefully shutdownWaitTimeSeconds",
			"the operating system and the Go runtime tune sockets, and the limits of connections are fixed"},
		{"rocketmqHome productEnvName", "it reads no file beside those named here"},
	},
	promises: []promise{
		{"clusterTest", "false", "it does not ask another environment for routes"},
	},
}
