package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAMasterWaitsForNobodyUnlessItIsToldTo(t *testing.T) {
	b, warnings := loadText(t, "")
	require.Empty(t, warnings)
	require.Equal(t, "ASYNC_MASTER", b.BrokerRole)
	require.Equal(t, 10912, b.HAListenPort)
	require.Equal(t, 1, b.InSyncReplicas)
	require.Equal(t, 1, b.TotalReplicas)
	require.False(t, b.IsSlave())
}

func TestAMasterThatWaitsHasTwoCopiesUnlessItIsToldOtherwise(t *testing.T) {
	b, _ := loadText(t, "brokerRole=SYNC_MASTER")
	require.Equal(t, [3]int{2, 1, 2}, [3]int{b.InSyncReplicas, b.MinInSyncReplicas, b.TotalReplicas})
	b, _ = loadText(t, "brokerRole=SYNC_MASTER\nminInSyncReplicas=3")
	require.Equal(t, [3]int{3, 3, 3}, [3]int{b.InSyncReplicas, b.MinInSyncReplicas, b.TotalReplicas}, "more must keep up, so more must have it")
	b, _ = loadText(t, "brokerRole=SYNC_MASTER\ninSyncReplicas=2\ntotalReplicas=3\nenableAutoInSyncReplicas=true")
	require.Equal(t, [3]int{2, 1, 3}, [3]int{b.InSyncReplicas, b.MinInSyncReplicas, b.TotalReplicas})
	require.True(t, b.AutoInSync)
}

func TestTheReplicationPortFollowsTheMainOne(t *testing.T) {
	for text, want := range map[string]int{
		"listenPort=10921": 10922, "listenPort=10921\nhaListenPort=7000": 7000, "haListenPort=0": 0, "listenPort=65535": 0,
		"listenPort=0": -1, "brokerRole=SLAVE\nbrokerId=1": 0, "brokerRole=SLAVE\nbrokerId=1\nhaListenPort=10912": 0,
	} {
		b, _ := loadText(t, text)
		require.Equal(t, want, b.HAListenPort, text)
	}
}

func TestASlaveOfApachesIsConfiguredAsItWas(t *testing.T) {
	b, warnings := loadText(t, `
brokerRole=SLAVE
brokerId=1
haListenPort=10912
haMasterAddress=10.0.0.1:10912
brokerIP2=10.0.1.7
slaveReadEnable=true
haSendHeartbeatInterval=2000
haHousekeepingInterval=9000
haTransferBatchSize=32768
haFlowControlEnable=true
maxHaTransferByteInSecond=1048576
slaveTimeout=1500
inSyncReplicas=3
totalReplicas=3
copyTablesInterval=500
syncFromLastFile=true
`)
	require.Equal(t, []string{"syncFromLastFile has no effect in Gantry because a slave always wants all that its master has"}, warnings)
	require.True(t, b.IsSlave())
	require.EqualValues(t, 1, b.BrokerID)
	require.Equal(t, "10.0.0.1:10912", b.HAMasterAddress)
	require.Equal(t, "10.0.1.7", b.BrokerIP2)
	require.Equal(t, []time.Duration{2 * time.Second, 9 * time.Second, 1500 * time.Millisecond, 500 * time.Millisecond},
		[]time.Duration{b.SignOfLife, b.Housekeeping, b.SlaveTimeout, b.CopyTables})
	require.True(t, b.FlowControl)
	require.EqualValues(t, 1<<20, b.TransferSpeed)
	require.Equal(t, 32768, b.TransferBatch)
	require.Equal(t, [2]int{3, 3}, [2]int{b.InSyncReplicas, b.TotalReplicas})
}

func TestPromisesOfCopiesThatCannotBeKeptAreRefusedWithWhatToSet(t *testing.T) {
	for text, want := range map[string]string{
		"brokerRole=SLAVE":                                              "brokerId: 0 is the master's: give a slave (brokerRole=SLAVE) an id of its own among the brokers called broker-host, 1 or more",
		"brokerId=1":                                                    "brokerId: 1 is the id of a slave: remove the key or set it to 0, or set brokerRole=SLAVE",
		"brokerRole=SYNC_MASTER\nbrokerId=2":                            "brokerId: 2 is the id of a slave",
		"brokerRole=SYNC_MASTER\ninSyncReplicas=1":                      "inSyncReplicas: 1 with brokerRole=SYNC_MASTER promises no second copy: remove the key or set it to 2 or more",
		"brokerRole=SYNC_MASTER\nhaListenPort=0":                        "haListenPort: 0 with brokerRole=SYNC_MASTER lets no slave in",
		"brokerRole=SYNC_MASTER\ninSyncReplicas=3\ntotalReplicas=2":     "totalReplicas: 2 is less than inSyncReplicas, 3: nothing could be acknowledged",
		"brokerRole=SYNC_MASTER\ninSyncReplicas=2\nminInSyncReplicas=3": "minInSyncReplicas: 3 is more than inSyncReplicas, 2",
		"inSyncReplicas=2":                                              "inSyncReplicas: 2 with brokerRole=ASYNC_MASTER, which waits for no slave, is a promise that is not kept",
		"minInSyncReplicas=2":                                           "inSyncReplicas: 2 with brokerRole=ASYNC_MASTER",
		"haSendHeartbeatInterval=20000":                                 "haHousekeepingInterval: 20s is not longer than haSendHeartbeatInterval, 20s",
		"haListenPort=10909":                                            "haListenPort: 10909 is taken by listenPort or by the port two below it",
		"haListenPort=10911":                                            "haListenPort: 10911 is taken by listenPort",
		"haMasterAddress=10.0.0.1":                                      `haMasterAddress: "10.0.0.1" is not host:port`,
		"haMasterAddress=10.0.0.1:10912;10.0.0.2:10912":                 `is not host:port, the replication port of the master`,
		"brokerIP2=here":                                                `brokerIP2: "here" is not an IP address that slaves can reach`,
		"brokerIP2=0.0.0.0":                                             `brokerIP2: "0.0.0.0" is not an IP address`,
		"haTransferBatchSize=100":                                       "haTransferBatchSize: 100 is not between 1024 and 4194240",
		"brokerRole=MASTER":                                             `brokerRole: "MASTER" is not one of ASYNC_MASTER, SYNC_MASTER, SLAVE`,
	} {
		require.Contains(t, mistakeIn(t, text), want, text)
	}
	lost := testMachine
	lost.NameServers = ""
	_, _, err := LoadBroker(lost, fromText(t, "brokerRole=SLAVE\nbrokerId=1\nhaMasterAddress=10.0.0.1:10912"))
	require.ErrorContains(t, err, "namesrvAddr: a slave asks name servers where its master is, from which it copies tables")
}

func TestAllMistakesOfCopiesAreTold(t *testing.T) {
	all := mistakeIn(t, "brokerRole=SYNC_MASTER\nbrokerId=1\ninSyncReplicas=1\nbrokerIP2=here")
	for _, key := range []string{"brokerId: ", "inSyncReplicas: ", "brokerIP2: "} {
		require.Contains(t, all, key)
	}
}
