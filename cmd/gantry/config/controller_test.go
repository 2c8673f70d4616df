package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func controllerFrom(t *testing.T, text string) (Controller, []string, error) {
	t.Helper()
	return LoadController(testMachine, fromText(t, text))
}

const onePeer = "controllerDLegerPeers=n0-localhost:9878\ncontrollerDLegerSelfId=n0\n"

func TestAControllerTakesTheKeysOfApaches(t *testing.T) {
	c, warnings, err := controllerFrom(t, onePeer+"controllerDLegerGroup=g\nenableElectUncleanMaster=true\ncontrollerStorePath=/data/c\n"+
		"controllerThreadPoolNums=16\nisProcessReadEvent=true\nlistenPort=19876\ncontrollerType=DLedger\n")
	require.NoError(t, err)
	require.Len(t, warnings, 3)
	require.Equal(t, "n0-localhost:9878", c.Peers)
	require.Equal(t, []string{"g", "n0", "/data/c"}, []string{c.Group, c.Self, c.StorePath})
	require.True(t, c.ElectUnclean)
	require.True(t, c.NotifyRoles)
	require.Equal(t, 1500*time.Millisecond, c.BrokerTimeout)

	c, _, err = controllerFrom(t, "controllerPeers=n0-a:1\ncontrollerSelfId=n0")
	require.NoError(t, err)
	require.Equal(t, "n0-a:1", c.Peers, "shorter names are known as well")
	require.Equal(t, "/home/me/controller", c.StorePath)
}

func TestAControllerNeedsToKnowTheOthers(t *testing.T) {
	_, _, err := controllerFrom(t, "")
	require.ErrorContains(t, err, "controllerDLegerPeers and controllerDLegerSelfId: a controller needs both")
	_, _, err = controllerFrom(t, onePeer+"controllerType=jRaft")
	require.ErrorContains(t, err, "controllerType=jRaft is refused")
	_, _, err = controllerFrom(t, onePeer+"controllerHeartbeatInterval=400")
	require.ErrorContains(t, err, "controllerElectionTimeout: 500ms is less than three times")
	_, _, err = controllerFrom(t, onePeer+"bindAddress=here")
	require.ErrorContains(t, err, "bindAddress")
}

func TestANameServerCanHaveAController(t *testing.T) {
	_, _, err := nameServerFrom(t, "enableControllerInNamesrv=true")
	require.ErrorContains(t, err, "a controller needs both")
	n, _, err := nameServerFrom(t, onePeer+"enableControllerInNamesrv=true\nkvConfigPath=/data/kv.json")
	require.NoError(t, err)
	require.True(t, n.ControllerInNameServer)
	require.Equal(t, "/data/controller", n.StorePath)
	n, _, err = nameServerFrom(t, "controllerDLegerSelfId=n0")
	require.NoError(t, err, "keys of a controller that does not run harm nobody")
	require.False(t, n.ControllerInNameServer)
	_, _, err = nameServerFrom(t, onePeer)
	require.ErrorContains(t, err, "controllerDLegerPeers: without enableControllerInNamesrv=true there is no controller in this name server")
}
