package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// kept is a keeper of a file with a text.
func kept(t *testing.T, text string) settingsKeeper {
	t.Helper()
	path := filepath.Join(t.TempDir(), "broker.conf")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o640))
	return settingsKeeper{path: path}
}

func (k settingsKeeper) text(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(k.path)
	require.NoError(t, err)
	return string(content)
}

func changed(pairs ...string) (changes proto.ConfigText) {
	for i := 0; i < len(pairs); i += 2 {
		changes = append(changes, proto.ConfigEntry{Key: pairs[i], Value: pairs[i+1]})
	}
	return changes
}

func TestAChangedSettingStandsWhereItStoodAndANewOneAtTheEnd(t *testing.T) {
	k := kept(t, "# mine\nbrokerName=a\n regionId : east \\\n  coast\n\n# regionId=no\nlistenPort=10921")
	note, err := k.save(changed("regionId", " a=b\\", "slaveReadEnable", "true"))
	require.NoError(t, err)
	require.Empty(t, note)
	require.Equal(t, "# mine\nbrokerName=a\nregionId=\\ a=b\\\\\n\n# regionId=no\nlistenPort=10921\nslaveReadEnable=true\n", k.text(t))
	info, err := os.Stat(k.path)
	require.NoError(t, err)
	require.EqualValues(t, 0o640, info.Mode().Perm(), "its readers stay the same")
	source, err := config.ReadFile(k.path)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"brokerName": "a", "regionId": " a=b\\", "listenPort": "10921", "slaveReadEnable": "true"}, source.Keys)
}

func TestALicenceAndWindowsLinesStayAsTheyAre(t *testing.T) {
	k := kept(t, "<!-- \n a licence\n -->\r\nregionId=a\r\nbrokerName=b\r\n")
	_, err := k.save(changed("regionId", "c"))
	require.NoError(t, err)
	require.Equal(t, "<!-- \n a licence\n -->\r\nregionId=c\nbrokerName=b\r\n", k.text(t))
}

func TestAFileThatABrokerCannotStartWithIsNotWritten(t *testing.T) {
	k := kept(t, "regionId=a\n")
	_, err := k.save(changed("maxTransferCountOnMessageInMemory", "0"))
	require.ErrorContains(t, err, k.path+": maxTransferCountOnMessageInMemory: 0 is not between 1 and 100000")
	require.Equal(t, "regionId=a\n", k.text(t))
	left, err := os.ReadDir(filepath.Dir(k.path))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing else is left behind")
}

func TestTheFileBehindALinkIsWritten(t *testing.T) {
	k := kept(t, "regionId=a\n")
	link := settingsKeeper{path: filepath.Join(t.TempDir(), "link.conf")}
	require.NoError(t, os.Symlink(k.path, link.path))
	_, err := link.save(changed("regionId", "b"))
	require.NoError(t, err)
	require.Equal(t, "regionId=b\n", k.text(t))
}

func TestWhatTheNextStartWillNotSeeIsTold(t *testing.T) {
	note, err := settingsKeeper{}.save(changed("regionId", "b"))
	require.NoError(t, err)
	require.Contains(t, note, "it was started without a configuration file (-c)")
	_, err = settingsKeeper{}.save(changed("slaveReadEnable", "perhaps"))
	require.ErrorContains(t, err, "the request: slaveReadEnable")

	k := kept(t, "")
	k.typed = config.Source{Name: "the command line", Keys: map[string]string{"regionId": "typed"}}
	note, err = k.save(changed("regionId", "b", "slaveReadEnable", "true"))
	require.NoError(t, err)
	require.Contains(t, note, "its command line sets regionId, which wins over the file")
}

// TestTheFileOfEncryptionCountsWhenSettingsAreSaved: the keys that it holds are needed by those beside it.
func TestTheFileOfEncryptionCountsWhenSettingsAreSaved(t *testing.T) {
	encryption := filepath.Join(t.TempDir(), "tls.properties")
	require.NoError(t, os.WriteFile(encryption, []byte("tls.server.certPath=/certificates/broker.pem\n"), 0o600))
	k := kept(t, "tls.config.file="+encryption+"\ntls.test.mode.enable=false\n")
	_, err := k.save(changed("regionId", "b"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(encryption, []byte("tls.server.mode=perhaps\n"), 0o600))
	_, err = k.save(changed("regionId", "c"))
	require.ErrorContains(t, err, encryption+": tls.server.mode")
	require.Contains(t, k.text(t), "regionId=b")

	alone := settingsKeeper{typed: config.Source{Name: "the command line", Keys: map[string]string{"tls.config.file": encryption}}}
	_, err = alone.save(changed("regionId", "b"))
	require.ErrorContains(t, err, encryption+": tls.server.mode", "without a configuration file, too")
}

// TestAToolChangesTheFileOfARunningBroker goes the whole way, and the next start sees it.
func TestAToolChangesTheFileOfARunningBroker(t *testing.T) {
	if testing.Short() {
		t.Skip("uses real ports and disks")
	}
	k := kept(t, "brokerIP1=127.0.0.1\nbindAddress=127.0.0.1\nlistenPort=0\nregionId=a\nmappedFileSizeCommitLog=1048576\nmaxMessageSize=65536\nstorePathRootDir="+t.TempDir())
	load := func() config.Broker {
		file, err := config.ReadFile(k.path)
		require.NoError(t, err)
		settings, _, err := config.LoadBroker(thisMachine(), file)
		require.NoError(t, err)
		return settings
	}
	settings := load()
	announced, stop := inBackground(t, func(ctx context.Context, out Output) error { return runBroker(ctx, settings, out, k.save) })
	address := announced.waitFor(t, `The broker\[.*, (\S+)\] boot success`)
	tool, err := net.Dial("tcp", address)
	require.NoError(t, err)
	request := wire.Command{Header: wire.Header{Code: proto.ReqUpdateBrokerConfig, Version: wire.OwnVersion}, Body: changed("regionId", "b").Marshal()}
	_, err = tool.Write(wire.AppendCommand(nil, &request))
	require.NoError(t, err)
	_, err = tool.Read(make([]byte, 1))
	require.NoError(t, err, "there is an answer")
	require.NoError(t, tool.Close())
	region, _ := toldBy(t, address).Get("regionId")
	require.Equal(t, "b", region)
	require.NoError(t, stop())
	require.Equal(t, "b", load().RegionID)
}
