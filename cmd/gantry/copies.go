package main

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env/osenv"
)

// roles are the values of brokerRole.
var roles = map[string]broker.Role{
	broker.AsyncMaster.String(): broker.AsyncMaster, broker.SyncMaster.String(): broker.SyncMaster, broker.Slave.String(): broker.Slave,
}

// replication are the settings of copies in the node's own words.
func replication(s config.Broker) (broker.Replication, error) {
	r := broker.Replication{
		Listen: replicationListen(s), Master: s.HAMasterAddress,
		InSync: s.InSyncReplicas, MinInSync: s.MinInSyncReplicas, Total: s.TotalReplicas, AutoInSync: s.AutoInSync,
		GapMax: s.MaxGapNotInSync, BatchBytes: s.TransferBatch,
		SignOfLife: s.SignOfLife, SilenceMax: s.Housekeeping, CopyTables: s.CopyTables,
		BehindFor: s.NotCatchup, Learner: s.Learner, WaitFor: s.SlaveTimeout,
	}
	if s.FlowControl {
		r.BytesPerSecond = s.TransferSpeed
	}
	if s.BrokerIP2 != "" {
		ip, err := netip.ParseAddr(s.BrokerIP2)
		if err != nil {
			return r, fmt.Errorf("brokerIP2: %w", err)
		}
		r.AdvertisedIP = ip
	}
	return r, nil
}

// replicationListen is the address of the replication port, or "". A broker that takes any port as its main one takes any other one for this.
func replicationListen(s config.Broker) string {
	if s.HAListenPort == 0 {
		return ""
	}
	return net.JoinHostPort(s.BindAddress, strconv.Itoa(max(s.HAListenPort, 0)))
}

// copiesPromise says what the role of a broker means for a message that it has acknowledged.
func copiesPromise(s config.Broker) string {
	switch {
	case s.ControllerMode:
		return fmt.Sprintf("elected by controllers: an acknowledged message is at all of the in-sync set, which has %d members at least (minInSyncReplicas)", s.MinInSyncReplicas)
	case s.IsSlave():
		return fmt.Sprintf("SLAVE %d of %s: it takes the log of its master", s.BrokerID, s.BrokerName)
	case s.BrokerRole == broker.AsyncMaster.String():
		return s.BrokerRole + ": an acknowledged message is here; slaves follow as they can"
	case s.AutoInSync && s.MinInSyncReplicas < s.InSyncReplicas:
		return fmt.Sprintf("%s: an acknowledged message has %d copies, or as many as keep up, but %d at least (enableAutoInSyncReplicas)", s.BrokerRole, s.InSyncReplicas, s.MinInSyncReplicas)
	}
	return fmt.Sprintf("%s: an acknowledged message has %d copies", s.BrokerRole, s.InSyncReplicas)
}

// warnOfOpenCopies tells that the replication port knows no users, where the main port does.
func warnOfOpenCopies(s config.Broker, out Output) {
	certified := s.Mode == string(osenv.TLSEnforcing) && s.NeedClientAuth == "require"
	if s.HAListenPort == 0 || isOpen(s.Access) || certified || onlyThisMachine(s.BindAddress) {
		return
	}
	out.Log.Warn("the replication port (haListenPort) knows no users: whoever reaches it may read all messages. Let only slaves reach it, by a firewall or by " +
		"tls.server.mode=enforcing with tls.server.need.client.auth=require, or set haListenPort=0 if there are none")
}
