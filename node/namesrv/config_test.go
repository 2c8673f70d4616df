package namesrv

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func (p *peer) update(text string) *wire.Command {
	p.t.Helper()
	return p.ask(proto.ReqUpdateNameServerConfig, nil, []byte(text))
}

func TestSettingsAreReadAsProperties(t *testing.T) {
	w := newWorld(t, Options{ProtectedKeys: []string{"kvConfigPath", "", "supportActingMaster"}})
	require.Equal(t, `configBlackList=configBlackList;configStorePath;kvConfigPath;rocketmqHome;supportActingMaster
configStorePath=namesrv.properties
deleteTopicWithBrokerRegistration=false
enableAllTopicList=true
enableTopicList=true
kvConfigPath=kvConfig.json
listenPort=9876
needWaitForService=false
notifyMinBrokerIdChanged=false
orderMessageEnable=false
returnOrderTopicConfigToBroker=true
scanNotActiveBrokerInterval=5000
serverChannelMaxIdleTimeSeconds=120
supportActingMaster=false
waitSecondsForService=45
`, string(w.peer().mustAsk(proto.ReqGetNameServerConfig, nil, nil)))
}

func TestChangedSettingsWorkAtOnceAndSurviveALossOfPower(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	require.Equal(t, int32(proto.RespSuccess), p.update("scanNotActiveBrokerInterval=100\nenableTopicList=FALSE\n").Code)
	b := p.broker(0, "TBW102", "orders")
	b.LiveForMillis = 500
	p.mustRegister(b)
	w.wait(time.Second)
	require.Empty(t, w.server.Status().Brokers, "the watch does not sleep out its old interval")
	w.ns.Crash(sim.PowerLoss)
	require.NoError(t, w.boot())
	require.Equal(t, 100*time.Millisecond, w.server.settings.ScanEvery)
	require.True(t, w.server.settings.NoTopicLists)
}

func TestProtectedKeysAreForbidden(t *testing.T) {
	w := newWorld(t, Options{ProtectedKeys: []string{"supportActingMaster"}})
	p := w.peer()
	for _, key := range []string{"configBlackList", "configStorePath", "kvConfigPath", "rocketmqHome", "supportActingMaster"} {
		response := p.update("orderMessageEnable=true\n" + key + "=true\n")
		require.Equal(t, int32(proto.RespNoPermission), response.Code)
		require.Contains(t, response.Remark, key)
	}
	require.False(t, w.server.settings.OrderInRoutes, "all keys are changed or none")
}

func TestUnusableChangesOfSettingsSayWhatToDo(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	for text, says := range map[string]string{
		"listenPort=1":                               "these can be changed while the name server runs: deleteTopicWithBrokerRegistration, ",
		"orderMessageEnable=yes":                     "write true or false",
		"scanNotActiveBrokerInterval=0":              "give a whole number from 1",
		"waitSecondsForService=99999999999999999999": "give a whole number from 1",
		`orderMessageEnable=\u12`:                    "unusable configuration text",
	} {
		response := p.update(text)
		require.Equal(t, int32(proto.RespSystemError), response.Code, text)
		require.Contains(t, response.Remark, says)
	}
	require.Equal(t, int32(proto.RespSuccess), p.update("").Code, "nothing to change")
	require.NotContains(t, w.ns.Disk().Paths(), "namesrv.properties")
}

func TestTheFileOfSettingsKeepsWhatIsNotOurs(t *testing.T) {
	w := newQuietWorld(t, 1, Options{})
	w.writeFile("namesrv.properties", "#comment\nrocketmqHome=/opt/rocketmq\norderMessageEnable=true\nwaitSecondsForService=0\nlistenPort=1234\n")
	require.NoError(t, w.boot())
	require.True(t, w.server.settings.OrderInRoutes)
	require.Equal(t, 45*time.Second, w.server.settings.HoldRoutesFor, "an odd value is ignored")
	require.Equal(t, uint16(9876), w.server.Addr().Port(), "only what may change while running is taken from there")
	require.Equal(t, int32(proto.RespSuccess), w.peer().update("orderMessageEnable=false\nenableTopicList=false").Code)
	content, _ := w.ns.Disk().Content("namesrv.properties")
	require.Equal(t, "rocketmqHome=/opt/rocketmq\nwaitSecondsForService=0\nlistenPort=1234\norderMessageEnable=false\nenableTopicList=false\n", string(content))
}

func TestSettingsThatCannotBeKeptAreNotChanged(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	w.server.env.Disk = &failingDisk{Disk: w.nsEnv.Disk, failAt: 3}
	response := p.update("orderMessageEnable=true")
	require.Equal(t, int32(proto.RespSystemError), response.Code)
	require.Contains(t, response.Remark, "not changed")
	require.False(t, w.server.settings.OrderInRoutes)
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, o := range []Options{
		{Listen: "9876"}, {Listen: ":70000"}, {KVConfigPath: "../kv"}, {ConfigPath: "/x"}, {KVConfigPath: "x", ConfigPath: "./x"}, {ConfigPath: "."},
	} {
		_, err := o.Validate()
		require.ErrorIs(t, err, ErrOption, "%+v", o)
	}
	o, err := Options{}.Validate()
	require.NoError(t, err)
	require.Equal(t, ":9876", o.Listen)
	require.Equal(t, 5*time.Second, o.Settings.ScanEvery)
}
