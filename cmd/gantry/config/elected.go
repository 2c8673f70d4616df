package config

import (
	"errors"
	"fmt"
	"time"
)

// Elected is what an operator can set of a broker whose role controllers decide.
type Elected struct {
	ControllerMode bool          `key:"enableControllerMode" default:"false" important:"yes" doc:"controllers elect the master among the brokers of one brokerName, which then need neither brokerId nor brokerRole; what is acknowledged all of the in-sync set has"`
	ControllerAddr string        `key:"controllerAddr" important:"yes" doc:"the controllers, host:port;host:port, with enableControllerMode"`
	BeatInterval   time.Duration `key:"brokerHeartbeatInterval" unit:"ms" default:"300" range:"20 60000" doc:"how often the controllers hear of this broker; Apache's default is 1000"`
	DeadAfter      time.Duration `key:"controllerHeartBeatTimeoutMills" unit:"ms" default:"1500" range:"100 600000" doc:"who is silent for so long is taken for dead, and a new master is elected; Apache's default is 10000"`
	Priority       int32         `key:"brokerElectionPriority" default:"0" unset:"the last" range:"0 2147483646" doc:"of copies that have as much, the one with the smallest number becomes master"`
	Learner        bool          `key:"asyncLearner" default:"false" doc:"this copy is never in the in-sync set, so nobody waits for it and it never becomes master"`
	NotCatchup     time.Duration `key:"haMaxTimeSlaveNotCatchup" unit:"ms" default:"2000" range:"100 600000" doc:"a copy that lacks something for so long leaves the in-sync set; until then sends wait for it; Apache's default is 15000"`
	AllAck         bool          `key:"allAckInSyncStateSet" default:"false" doc:"so it is always with enableControllerMode; without it there is no such set"`
}

// validateElected names the keys that do not fit together.
func (b *Broker) validateElected() error {
	if !b.ControllerMode {
		if b.AllAck {
			return errors.New("allAckInSyncStateSet: only masters that controllers elect have an in-sync set: set enableControllerMode=true and controllerAddr, or inSyncReplicas to the number of copies")
		}
		if b.ControllerAddr != "" {
			return errors.New("controllerAddr: without enableControllerMode=true no controller is asked and nobody is elected: set it, or remove controllerAddr")
		}
		if b.Learner {
			return errors.New("asyncLearner: without enableControllerMode=true there is no in-sync set to stay out of, and the broker is what brokerRole says: set it and controllerAddr, or remove asyncLearner")
		}
		return nil
	}
	var mistakes []error
	wrong := func(format string, values ...any) { mistakes = append(mistakes, fmt.Errorf(format, values...)) }
	if list, err := NameServers(b.ControllerAddr); err != nil || len(list) == 0 {
		wrong("controllerAddr: %q is not host:port;host:port, the addresses of the controllers", b.ControllerAddr)
	}
	if b.BrokerID != 0 || b.IsSlave() {
		wrong("brokerId, brokerRole: with enableControllerMode=true the controllers give ids and roles: remove both keys")
	}
	if b.BrokerRole == syncMaster && b.MinInSyncReplicas < 2 {
		wrong("brokerRole: SYNC_MASTER with enableControllerMode=true promises a second copy, and minInSyncReplicas=1 lets a master that is left alone acknowledge: remove brokerRole, and set minInSyncReplicas to 2 or more if there must always be a second copy")
	}
	if b.InSyncReplicas > max(b.MinInSyncReplicas, 1) && b.BrokerRole != syncMaster {
		wrong("inSyncReplicas: %d with enableControllerMode=true, where all of the in-sync set have what is acknowledged, and minInSyncReplicas, %d, is the least that this may be: remove inSyncReplicas, and set minInSyncReplicas", b.InSyncReplicas, b.MinInSyncReplicas)
	}
	if b.HAMasterAddress != "" {
		wrong("haMasterAddress: with enableControllerMode=true the controllers tell who is master: remove the key")
	}
	if b.HAListenPort == 0 {
		wrong("haListenPort: 0 with enableControllerMode=true: a broker that becomes master gives its log to copies: remove the key or set a port")
	}
	if b.DeadAfter < 3*b.BeatInterval {
		wrong("controllerHeartBeatTimeoutMills: %v is less than three times brokerHeartbeatInterval, %v: a broker would be taken for dead as soon as heartbeats are late", b.DeadAfter, b.BeatInterval)
	}
	return errors.Join(mistakes...)
}
