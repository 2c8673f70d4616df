package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const electedBroker = "namesrvAddr=10.0.0.9:9876\nenableControllerMode=true\ncontrollerAddr=10.0.0.1:9878;10.0.0.2:9878\n"

func TestABrokerThatControllersElectNeedsTheirAddresses(t *testing.T) {
	b, warnings := loadText(t, electedBroker+"minInSyncReplicas=2\nallAckInSyncStateSet=true")
	require.Empty(t, warnings)
	require.True(t, b.ControllerMode)
	b, _ = loadText(t, electedBroker+"minInSyncReplicas=2\nbrokerRole=SYNC_MASTER")
	require.Equal(t, 2, b.MinInSyncReplicas, "they say the same")
	require.Equal(t, 10912, b.HAListenPort)
	for line, want := range map[string]string{
		"enableControllerMode=true":                                  "controllerAddr: ",
		electedBroker + "brokerId=1\nbrokerRole=SLAVE":               "the controllers give ids and roles",
		electedBroker + "haListenPort=0":                             "haListenPort: 0 with enableControllerMode=true",
		electedBroker + "controllerHeartBeatTimeoutMills=500":        "less than three times brokerHeartbeatInterval",
		electedBroker + "brokerRole=SYNC_MASTER":                     "minInSyncReplicas=1 lets a master that is left alone acknowledge",
		electedBroker + "inSyncReplicas=2":                           "inSyncReplicas: 2 with enableControllerMode=true",
		electedBroker + "haMasterAddress=10.0.0.1:10912":             "haMasterAddress: with enableControllerMode=true",
		"controllerAddr=10.0.0.1:9878":                               "controllerAddr: without enableControllerMode=true no controller is asked",
		"asyncLearner=true":                                          "asyncLearner: without enableControllerMode=true there is no in-sync set to stay out of",
		electedBroker + "minInSyncReplicas=3\ntotalReplicas=2":       "totalReplicas: 2 is less than minInSyncReplicas, 3",
		electedBroker + "minInSyncReplicas=3\ninSyncReplicas=2":      "with enableControllerMode=true it says everything: remove inSyncReplicas",
		"allAckInSyncStateSet=true":                                  "set enableControllerMode=true and controllerAddr",
		"enableControllerMode=true\ncontrollerAddr=10.0.0.1:9878:10": "is not host:port;host:port",
	} {
		require.Contains(t, mistakeIn(t, line), want, line)
	}
	require.NotContains(t, mistakeIn(t, electedBroker+"minInSyncReplicas=3\ntotalReplicas=2"), " inSyncReplicas", "that key was not set, and is refused here")
}
