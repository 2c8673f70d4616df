package config

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Copies is what an operator can set of the copies of a broker's log: of those that a master serves, and of how a slave follows.
type Copies struct {
	HAListenPort      int           `key:"haListenPort" default:"-1" unset:"the port after listenPort, of a master" range:"-1 65535" doc:"TCP port on which a master gives its log to slaves; 0 is none, and so is that of a slave; whoever reaches it can read all messages"`
	HAMasterAddress   string        `key:"haMasterAddress" unset:"what name servers say" doc:"where a slave finds the replication port of its master, host:port; its tables come from the address that name servers know"`
	BrokerIP2         string        `key:"brokerIP2" unset:"brokerIP1" doc:"the IP address at which slaves are told to find the replication port"`
	InSyncReplicas    int           `key:"inSyncReplicas" default:"0" unset:"2 for a SYNC_MASTER, otherwise 1" range:"0 64" doc:"how many copies have what a SYNC_MASTER acknowledges and shows, its own included"`
	MinInSyncReplicas int           `key:"minInSyncReplicas" default:"1" range:"1 64" doc:"how many of them must keep up for a SYNC_MASTER to take messages, and the fewest that enableAutoInSyncReplicas makes do with"`
	TotalReplicas     int           `key:"totalReplicas" default:"0" unset:"inSyncReplicas" range:"0 64" doc:"how many copies the group has"`
	AutoInSync        bool          `key:"enableAutoInSyncReplicas" default:"false" doc:"let a SYNC_MASTER acknowledge with fewer copies than inSyncReplicas while others do not keep up, but not with fewer than minInSyncReplicas"`
	SlaveTimeout      time.Duration `key:"slaveTimeout" unit:"ms" default:"3000" range:"1 600000" doc:"how long a send waits for copies; then it is answered FLUSH_SLAVE_TIMEOUT, and the message may be stored or not"`
	MaxGapNotInSync   int64         `key:"haMaxGapNotInSync" default:"268435456" range:"1 1099511627776" doc:"how many bytes a copy may lack that keeps up"`
	TransferBatch     int           `key:"haTransferBatchSize" default:"262144" range:"1024 4194240" doc:"most bytes of the log that one frame carries to a slave"`
	FlowControl       bool          `key:"haFlowControlEnable" default:"false" doc:"bound what each slave is sent by maxHaTransferByteInSecond"`
	TransferSpeed     int64         `key:"maxHaTransferByteInSecond" default:"104857600" range:"1024 1099511627776" doc:"most bytes a second to each slave, with haFlowControlEnable"`
	SignOfLife        time.Duration `key:"haSendHeartbeatInterval" unit:"ms" default:"5000" range:"10 600000" doc:"longest silence of a master or slave at the replication port"`
	Housekeeping      time.Duration `key:"haHousekeepingInterval" unit:"ms" default:"20000" range:"20 3600000" doc:"who is silent there for longer is taken for dead; more than haSendHeartbeatInterval of both"`
	CopyTables        time.Duration `key:"copyTablesInterval" unit:"ms" default:"1000" range:"10 600000" doc:"how often a slave looks whether its master has changed topics, groups, offsets and the like; a key of Gantry's own"`
}

// The values of brokerRole.
const (
	asyncMaster = "ASYNC_MASTER"
	syncMaster  = "SYNC_MASTER"
	slave       = "SLAVE"
)

// IsSlave reports whether the broker takes the log of another one.
func (b *Broker) IsSlave() bool { return b.BrokerRole == slave }

// completeCopies puts numbers where they follow from others.
func (b *Broker) completeCopies() {
	switch {
	case b.IsSlave():
		b.HAListenPort = 0
	case b.HAListenPort < 0 && b.ListenPort == 65535:
		b.HAListenPort = 0
	case b.HAListenPort < 0 && b.ListenPort > 0:
		b.HAListenPort = b.ListenPort + 1
	}
	if b.InSyncReplicas == 0 {
		b.InSyncReplicas = 1 // also with controllers, where all of the in-sync set count
		if b.BrokerRole == syncMaster {
			b.InSyncReplicas = 2
		}
		// Who asks for more that keep up asks for more that have each message.
		b.InSyncReplicas = max(b.InSyncReplicas, b.MinInSyncReplicas)
	}
	if b.TotalReplicas == 0 {
		b.TotalReplicas = b.InSyncReplicas
	}
}

// validateCopies names the keys that cannot keep together what the role promises.
func (b *Broker) validateCopies() error {
	var mistakes []error
	wrong := func(format string, values ...any) { mistakes = append(mistakes, fmt.Errorf(format, values...)) }
	switch {
	case b.IsSlave() && b.BrokerID == 0:
		wrong("brokerId: 0 is the master's: give a slave (brokerRole=SLAVE) an id of its own among the brokers called %s, 1 or more", b.BrokerName)
	case !b.IsSlave() && b.BrokerID != 0:
		wrong("brokerId: %d is the id of a slave: remove the key or set it to 0, or set brokerRole=SLAVE", b.BrokerID)
	}
	if b.TotalReplicas < b.InSyncReplicas {
		// Of an elected master minInSyncReplicas is what was set: the other key follows from it.
		key := "inSyncReplicas"
		if b.ControllerMode && b.InSyncReplicas == b.MinInSyncReplicas {
			key = "minInSyncReplicas"
		}
		wrong("totalReplicas: %d is less than %s, %d: nothing could be acknowledged; raise it to the number of brokers called %s, or lower %s", b.TotalReplicas, key, b.InSyncReplicas, b.BrokerName, key)
	}
	switch {
	case b.InSyncReplicas >= b.MinInSyncReplicas:
	case b.ControllerMode:
		wrong("minInSyncReplicas: %d is more than inSyncReplicas, %d: with enableControllerMode=true it says everything: remove inSyncReplicas", b.MinInSyncReplicas, b.InSyncReplicas)
	default:
		wrong("minInSyncReplicas: %d is more than inSyncReplicas, %d: lower it, or raise inSyncReplicas", b.MinInSyncReplicas, b.InSyncReplicas)
	}
	if b.Housekeeping <= b.SignOfLife {
		wrong("haHousekeepingInterval: %v is not longer than haSendHeartbeatInterval, %v: whoever has nothing to say would be taken for dead", b.Housekeeping, b.SignOfLife)
	}
	return errors.Join(append(mistakes, b.validateMaster(), b.validateSlave(), b.validateAddresses(), b.validateElected())...)
}

func (b *Broker) validateMaster() error {
	switch {
	case b.ControllerMode:
	case b.BrokerRole == syncMaster && b.InSyncReplicas < 2:
		return fmt.Errorf("inSyncReplicas: 1 with brokerRole=SYNC_MASTER promises no second copy: remove the key or set it to 2 or more; to acknowledge without slaves set brokerRole=ASYNC_MASTER")
	case b.BrokerRole == syncMaster && b.HAListenPort == 0:
		return fmt.Errorf("haListenPort: 0 with brokerRole=SYNC_MASTER lets no slave in, so nothing would ever be acknowledged: remove the key or set a port, or set brokerRole=ASYNC_MASTER")
	case b.BrokerRole == asyncMaster && b.InSyncReplicas > 1:
		return fmt.Errorf("inSyncReplicas: %d with brokerRole=ASYNC_MASTER, which waits for no slave, is a promise that is not kept: remove the key and minInSyncReplicas, or set brokerRole=SYNC_MASTER", b.InSyncReplicas)
	case b.HAListenPort > 0 && (b.HAListenPort == b.ListenPort || b.FastListenEnable && b.HAListenPort == b.ListenPort-2):
		return fmt.Errorf("haListenPort: %d is taken by listenPort or by the port two below it (fastListenEnable): set another one", b.HAListenPort)
	}
	return nil
}

func (b *Broker) validateSlave() error {
	if b.IsSlave() && b.NamesrvAddr == "" {
		return errors.New("namesrvAddr: a slave asks name servers where its master is, from which it copies tables of topics, groups and offsets: name the name servers of its master")
	}
	return nil
}

func (b *Broker) validateAddresses() error {
	var mistakes []error
	if list, err := NameServers(b.HAMasterAddress); err != nil || len(list) > 1 {
		mistakes = append(mistakes, fmt.Errorf("haMasterAddress: %q is not host:port, the replication port of the master", b.HAMasterAddress))
	}
	if ip, err := netip.ParseAddr(b.BrokerIP2); b.BrokerIP2 != "" && (err != nil || ip.IsUnspecified()) {
		mistakes = append(mistakes, fmt.Errorf("brokerIP2: %q is not an IP address that slaves can reach", b.BrokerIP2))
	}
	return errors.Join(mistakes...)
}
