package broker_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func configRequest(pairs ...string) *transport.Request {
	var text proto.ConfigText
	for i := 0; i < len(pairs); i += 2 {
		text = append(text, proto.ConfigEntry{Key: pairs[i], Value: pairs[i+1]})
	}
	return &transport.Request{Code: proto.ReqUpdateBrokerConfig, Body: text.Marshal()}
}

// setting is what tools are told of a key.
func (w *world) setting(key string) string {
	w.t.Helper()
	text, err := proto.ParseConfigText(w.succeeds(&transport.Request{Code: proto.ReqGetBrokerConfig}).Body)
	require.NoError(w.t, err)
	value, _ := text.Get(key)
	return value
}

// saver keeps what it is asked to save, or fails.
type saver struct {
	saved []proto.ConfigText
	note  string
	err   error
}

func (s *saver) use(o *broker.Options) {
	o.SaveSettings = func(changes proto.ConfigText) (string, error) {
		if s.err == nil {
			s.saved = append(s.saved, changes)
		}
		return s.note, s.err
	}
	o.Settings = proto.ConfigText{{Key: "regionId", Value: "DefaultRegion"}, {Key: "fileReservedTime", Value: "72"}, {Key: "slaveReadEnable", Value: "false"}}
}

func TestASettingThatIsChangedIsInForceAndSaved(t *testing.T) {
	s := &saver{note: "with a note"}
	w := newWorld(t, s.use)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	response := w.succeeds(configRequest("brokerPermission", "4", "regionId", "east", "maxTransferCountOnMessageInMemory", "1"))
	require.Equal(t, "with a note", response.Remark)
	require.Equal(t, "4", w.setting("brokerPermission"))
	require.Equal(t, "east", w.setting("regionId"))
	require.Equal(t, []proto.ConfigText{{
		{Key: "brokerPermission", Value: "4"}, {Key: "regionId", Value: "east"}, {Key: "maxTransferCountOnMessageInMemory", Value: "1"},
	}}, s.saved)
	w.refused(sendBackRequest("g", 0, 0, -1), proto.RespNoPermission, "sending message is forbidden")
	w.succeeds(configRequest("brokerPermission", "6"))
	w.succeeds(sendRequest("orders", 0, "y", ""))
	require.Len(t, bodies(t, w.succeeds(pullRequest("orders", 0, 0, 0, "*"))), 1)
	require.Equal(t, "east", w.succeeds(sendRequest("orders", 0, "z", "")).Fields.String("MSG_REGION"))
}

func TestEveryLiveSettingCanBeSet(t *testing.T) {
	w := newWorld(t)
	for key, value := range map[string]string{
		"autoCreateSubscriptionGroup": "false", "longPollingEnable": "FALSE", "enablePropertyFilter": "false", "slaveReadEnable": "true",
		"shortPollingTimeMills": "10", "flushConsumerOffsetInterval": "100", "channelExpiredTimeout": "1000", "lockMaxLiveTime": "1000",
		"registerNameServerPeriod": "10000", "registerBrokerTimeoutMills": "100", "maxTransferBytesOnMessageInMemory": "1024",
		"maxTransferCountOnMessageInMemory": "1", "regionId": "x", "brokerPermission": "2", "autoCreateTopicEnable": "false", "serverLoadBalancerEnable": "false",
		"loadBalancePollNameServerInterval": "1000",
	} {
		response := w.succeeds(configRequest(key, value))
		require.Contains(t, response.Remark, "in force until the broker stops", key)
		require.EqualValues(t, proto.RespSuccess, w.call(configRequest(key, value)).Code, "again %s", key)
	}
	w.refused(heartbeatOf("new"), proto.RespSubscriptionGroupNotExist, "new")
	w.refused(pullRequest("orders", 0, 0, 0, "*"), proto.RespNoPermission, "pulling message is forbidden")
}

// heartbeatOf is a pull that would make a group.
func heartbeatOf(group string) *transport.Request { return commitRequest(group, "orders", 0, 0) }

func TestASettingThatCannotBeChangedIsRefusedWithItsKeyAndTheOthersStay(t *testing.T) {
	s := &saver{}
	w := newWorld(t, s.use)
	w.refused(configRequest("regionId", "east", "fileReservedTime", "48"), proto.RespInvalidParameter, "fileReservedTime is read only when the broker starts")
	w.refused(configRequest("regionId", "east", "listenPort", "1"), proto.RespInvalidParameter, "listenPort is read only when the broker starts")
	w.refused(configRequest("regionId", "east", "nonesuch", "1"), proto.RespInvalidParameter, "nonesuch is not a key of this broker")
	for _, key := range []string{"brokerConfigPath", "rocketmqHome", "configBlackList"} {
		w.refused(configRequest("regionId", "east", key, "1"), proto.RespNoPermission, key+" cannot be changed from afar")
	}
	for key, value := range map[string]string{
		"regionId": "", "brokerPermission": "7", "slaveReadEnable": "yes", "longPollingEnable": "1", "shortPollingTimeMills": "0",
		"channelExpiredTimeout": "999", "registerNameServerPeriod": "9999", "maxTransferCountOnMessageInMemory": "x", "maxTransferBytesOnMessageInMemory": "1023",
	} {
		w.refused(configRequest("lockMaxLiveTime", "5000", key, value), proto.RespInvalidParameter, key+": ")
	}
	w.refused(&transport.Request{Code: proto.ReqUpdateBrokerConfig, Body: []byte(`a=\uzzzz`)}, proto.RespSystemError, "unusable configuration text")
	require.Equal(t, "DefaultRegion", w.setting("regionId"))
	require.Empty(t, s.saved)
	w.succeeds(configRequest("fileReservedTime", "72", "listenPort", "10911"))
	require.Empty(t, s.saved, "it asks for what is in force")
	w.succeeds(&transport.Request{Code: proto.ReqUpdateBrokerConfig})
}

func TestASettingThatCannotBeSavedIsNotInForce(t *testing.T) {
	s := &saver{err: errors.New("no space left")}
	w := newWorld(t, s.use)
	w.refused(configRequest("regionId", "east"), proto.RespInvalidParameter, "the settings are as they were: no space left")
	require.Equal(t, "DefaultRegion", w.setting("regionId"))
}

func TestTopicsThatSendsMakeCanBeSwitchedOffAndOn(t *testing.T) {
	w := newWorld(t)
	w.succeeds(configRequest("autoCreateTopicEnable", "false"))
	w.refused(sendRequest("orders", 0, "x", ""), proto.RespTopicNotExist, "orders")
	require.Equal(t, "false", w.setting("autoCreateTopicEnable"))
	w.succeeds(configRequest("autoCreateTopicEnable", "true"))
	w.succeeds(sendRequest("orders", 0, "x", ""))

	w = newWorld(t, noAutoTopics)
	w.refused(sendRequest("orders", 0, "x", ""), proto.RespTopicNotExist, "orders")
	w.succeeds(configRequest("autoCreateTopicEnable", "true"))
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.options.NoAutoTopics = false
	w.restart(sim.PowerLoss)
	w.succeeds(sendRequest("bills", 0, "x", ""))
}

// TestNameServersHearOfANewPermission at once: routes carry it.
func TestNameServersHearOfANewPermission(t *testing.T) {
	w := prepareWorld(t, withNameServers("10.0.1.3:9876"))
	s := w.addNameServer("ns", 3)
	w.start()
	w.succeeds(configRequest("brokerPermission", "4"))
	w.pass(time.Second)
	tables := s.registrations(t)
	require.Equal(t, proto.PermRead, tables[len(tables)-1]["BenchmarkTest"].Perm)
}
