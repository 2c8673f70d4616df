package broker

import (
	"fmt"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// serve finds the handler of a request code. One line for each request that this broker knows.
func (b *Broker) serve(in *transport.Incoming) {
	switch in.Command.Code {
	case proto.ReqSendMessage, proto.ReqSendMessageV2, proto.ReqSendBatchMessage:
		b.send(in)
	case proto.ReqPullMessage, proto.ReqLitePullMessage:
		b.pull(in)
	case proto.ReqHeartbeat:
		b.heartbeat(in)
	case proto.ReqUnregisterClient:
		b.unregisterClient(in)
	case proto.ReqGetConsumerListByGroup:
		b.listConsumers(in)
	case proto.ReqCheckClientConfig:
		b.checkClientConfig(in)
	case proto.ReqConsumerSendMessageBack:
		b.sendBack(in)
	case proto.ReqLockBatchQueues:
		b.lockQueues(in)
	case proto.ReqUnlockBatchQueues:
		b.unlockQueues(in)
	case proto.ReqUpdateConsumerOffset:
		b.updateConsumerOffset(in)
	case proto.ReqInvokeBrokerToResetOffset:
		b.resetOffset(in)
	case proto.ReqQueryConsumerOffset:
		b.queryConsumerOffset(in)
	case proto.ReqGetMaxOffset:
		b.maxOffset(in)
	case proto.ReqGetMinOffset:
		b.minOffset(in)
	case proto.ReqSearchOffsetByTimestamp:
		b.offsetByTime(in)
	case proto.ReqGetEarliestMessageStoreTime:
		b.earliestStoreTime(in)
	case proto.ReqViewMessageByID:
		b.viewMessage(in)
	case proto.ReqQueryMessage:
		b.queryMessage(in)
	case proto.ReqUpdateAndCreateTopic:
		b.updateTopic(in)
	case proto.ReqDeleteTopicInBroker:
		b.deleteTopic(in)
	case proto.ReqGetAllTopicConfig:
		b.allTopics(in)
	case proto.ReqGetTopicStatsInfo:
		b.topicStats(in)
	case proto.ReqGetBrokerConfig:
		b.brokerConfig(in)
	case proto.ReqGetBrokerRuntimeInfo:
		b.runtimeInfo(in)
	case proto.ReqDeleteExpiredCommitLog:
		b.deleteExpiredLog(in)
	case proto.ReqCleanExpiredConsumeQueue, proto.ReqCleanUnusedTopic:
		b.cleanQueues(in)
	default:
		in.Reply().Error(proto.RespRequestCodeNotSupported, fmt.Sprintf("request code %d (%s) is not served by this broker", in.Command.Code, proto.RequestName(in.Command.Code)))
	}
}

// decode reads a typed header, or answers what is wrong with it.
func decode(in *transport.Incoming, header proto.HeaderDecoder) bool {
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		in.Reply().Error(proto.RespInvalidParameter, err.Error())
		return false
	}
	return true
}

// await runs what waits on behalf of a request. Meanwhile the messages that came before it in the same burst are stored,
// and the answers of others on its connection are written.
func (b *Broker) await(in *transport.Incoming, work func()) {
	b.kick()
	resume := in.Conn.BeginWait()
	work()
	in.Conn.EndWait(resume)
}
