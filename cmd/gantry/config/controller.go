package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"
)

// ControllerKeys is what an operator can set of a controller, wherever it runs. Whether peers are written right is found by the node.
type ControllerKeys struct {
	Group             string        `key:"controllerDLegerGroup" alias:"controllerGroup" default:"DefaultControllerGroup" doc:"the name of the controllers together"`
	Peers             string        `key:"controllerDLegerPeers" alias:"controllerPeers" important:"yes" doc:"all controllers, this one as well: id-host:port;id-host:port, such as n0-10.0.0.1:9878;n1-10.0.0.2:9878;n2-10.0.0.3:9878; the ids cannot be changed later"`
	Self              string        `key:"controllerDLegerSelfId" alias:"controllerSelfId" important:"yes" doc:"the id of this controller, which listens on the port that it has among the peers"`
	StorePath         string        `key:"controllerStorePath" unset:"~/controller, or controller beside kvConfigPath" important:"yes" doc:"the directory of its files"`
	ElectUnclean      bool          `key:"enableElectUncleanMaster" default:"false" doc:"if nobody who is in sync is alive, make a broker master that may lack messages, which are lost then"`
	NotifyRoles       bool          `key:"notifyBrokerRoleChanged" default:"true" doc:"tell brokers of elections at once; they learn of them with their heartbeats as well"`
	HeartbeatInterval time.Duration `key:"controllerHeartbeatInterval" unit:"ms" default:"100" range:"10 10000" doc:"how often the controller that leads tells the others that it lives; a key of Gantry's own"`
	ElectionTimeout   time.Duration `key:"controllerElectionTimeout" unit:"ms" default:"500" range:"100 60000" doc:"how long the others wait for it before they elect another, the same at all controllers; a key of Gantry's own"`
	BrokerTimeout     time.Duration `key:"controllerBrokerTimeout" unit:"ms" default:"1500" range:"300 60000" doc:"how long a broker may be silent if its heartbeats do not say (controllerHeartBeatTimeoutMills of brokers); a key of Gantry's own"`
}

// Controller is what an operator can set of a controller with a process of its own.
type Controller struct {
	ControllerKeys
	BindAddress string `key:"bindAddress" default:"0.0.0.0" important:"yes" doc:"the IP address to listen on; 0.0.0.0 is all"`
	TLS
	ControllerMetrics
	Access
	ConfigurationBlackList string `key:"configBlackList" default:"configBlackList;configStorePath" doc:"keys that tools must not change, with ; between them"`
}

// ControllerMetrics is Metrics with the port of a controller.
type ControllerMetrics struct {
	Metrics
	MetricsPort int `key:"metricsPromExporterPort" default:"5559" range:"0 65535" doc:"TCP port of /metrics; 0 is any free one; Apache's default is 5557, which brokers have, too"`
}

// LoadController applies sources to the defaults, in their order, and checks the result. The warnings tell of keys without effect. The error
// names every key that is wrong, and what to do.
func LoadController(machine Machine, sources ...Source) (Controller, []string, error) {
	var c Controller
	warnings, err := read(&c, controllerNodeRules(), sources)
	if err != nil {
		return c, warnings, err
	}
	if c.StorePath == "" {
		c.StorePath = filepath.Join(machine.Home, "controller")
	}
	return c, warnings, c.validate()
}

func controllerNodeRules() rules {
	return controllerRules.with(controllerAloneRules).with(tlsRules).with(metricsRules).with(accessRules)
}

func (c *Controller) validate() error {
	var mistakes []error
	if _, err := netip.ParseAddr(c.BindAddress); err != nil {
		mistakes = append(mistakes, fmt.Errorf("bindAddress: %q is not an IP address", c.BindAddress))
	}
	return errors.Join(append(mistakes, c.ControllerKeys.validate(), c.TLS.validate(), c.Metrics.validate())...)
}

func (k *ControllerKeys) validate() error {
	var mistakes []error
	if k.Peers == "" || k.Self == "" {
		mistakes = append(mistakes, errors.New("controllerDLegerPeers and controllerDLegerSelfId: a controller needs both, such as n0-localhost:9878 and n0"))
	}
	if k.ElectionTimeout < 3*k.HeartbeatInterval {
		mistakes = append(mistakes, fmt.Errorf("controllerElectionTimeout: %s is less than three times controllerHeartbeatInterval, which is %s", k.ElectionTimeout, k.HeartbeatInterval))
	}
	return errors.Join(mistakes...)
}

// controllerRules are the keys that Apache's controller knows and this one does not honour, wherever it runs.
var controllerRules = rules{
	idle: []idleKeys{
		{"isProcessReadEvent", "every answer of a controller shows all that was agreed upon before"},
		{"scanInactiveMasterInterval electMasterMaxRetryCount", "brokers that are silent are noticed at once, and elections go on until there is a master"},
		{"mappedFileSize", "the log of a controller is one small file"},
	},
	promises: []promise{
		{"controllerType", "DLedger", "it has one way to agree with other controllers, which are named by controllerDLegerPeers"},
	},
}

// controllerAloneRules are those of a controller with a process of its own. A name server has such keys as well.
var controllerAloneRules = rules{
	idle: []idleKeys{
		{"controllerThreadPoolNums controllerRequestThreadPoolQueueCapacity *ThreadPoolNums *QueueCapacity server[A-Z]* connectTimeoutMillis client[A-Z]* " +
			"useEpollNativeSelector writeBufferHighWaterMark writeBufferLowWaterMark enableShutdownGracefully shutdownWaitTimeSeconds",
			"it has no thread pools, and the operating system and the Go runtime tune sockets"},
		{"scanNotActiveBrokerInterval", "brokers that are silent are always looked for"},
		{"listenPort", "it listens on the port that it has among controllerDLegerPeers"},
		{"configStorePath", "what tools change is kept in controllerStorePath"},
		{"rocketmqHome", "it reads no file beside those named here"},
	},
}
