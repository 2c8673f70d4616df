package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func nameServerFrom(t *testing.T, text string) (NameServer, []string, error) {
	t.Helper()
	return LoadNameServer(testMachine, fromText(t, text))
}

func TestANameServerKeepsItsFilesInOneDirectory(t *testing.T) {
	n, warnings, err := nameServerFrom(t, "")
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, "/home/me/namesrv/kvConfig.json", n.KVConfigPath)
	require.Equal(t, "/home/me/namesrv/namesrv.properties", n.ConfigStorePath)

	n, _, err = nameServerFrom(t, "kvConfigPath=/data/kv.json")
	require.NoError(t, err)
	require.Equal(t, "/data/namesrv.properties", n.ConfigStorePath)

	_, _, err = nameServerFrom(t, "kvConfigPath=/data/kv.json\nconfigStorePath=/etc/n.properties")
	require.ErrorContains(t, err, "configStorePath: \"/etc/n.properties\" is not in the directory of kvConfigPath")
	_, _, err = nameServerFrom(t, "kvConfigPath=/data/kv.json\nconfigStorePath=/data/kv.json")
	require.ErrorContains(t, err, "give each its own file")
}

func TestANameServerRefusesWhatItDoesNotDo(t *testing.T) {
	_, _, err := nameServerFrom(t, "clusterTest=true")
	require.ErrorContains(t, err, "it does not ask another environment for routes")
	_, _, err = nameServerFrom(t, "listenPorts=1")
	require.ErrorContains(t, err, "did you mean listenPort?")
	_, _, err = nameServerFrom(t, "bindAddress=localhost")
	require.ErrorContains(t, err, "bindAddress")
	n, warnings, err := nameServerFrom(t, "listenPort=9877\ndefaultThreadPoolNums=16\nproductEnvName=center")
	require.NoError(t, err)
	require.Equal(t, 9877, n.ListenPort)
	require.Len(t, warnings, 2)
}
