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
	case proto.ReqSendReplyMessage, proto.ReqSendReplyMessageV2:
		b.sendReply(in)
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
	case proto.ReqQueryAssignment:
		b.queryAssignment(in)
	case proto.ReqEndTransaction:
		b.endTransaction(in)
	case proto.ReqRecallMessage:
		b.recall(in)
	default:
		b.servePop(in)
	}
}

// servePop finds the handlers of requests by which members of groups pop.
func (b *Broker) servePop(in *transport.Incoming) {
	switch in.Command.Code {
	case proto.ReqPopMessage:
		b.pop(in)
	case proto.ReqAckMessage:
		b.acknowledge(in)
	case proto.ReqBatchAckMessage:
		b.acknowledgeMany(in)
	case proto.ReqChangeMessageInvisibleTime:
		b.changeInvisible(in)
	case proto.ReqNotification:
		b.notify(in)
	case proto.ReqPollingInfo:
		b.pollingInfo(in)
	case proto.ReqPeekMessage:
		b.peek(in)
	default:
		b.administer(in)
	}
}

// administer finds the handlers of requests by which tools change something.
func (b *Broker) administer(in *transport.Incoming) {
	switch in.Command.Code {
	case proto.ReqUpdateAndCreateTopic:
		b.updateTopic(in)
	case proto.ReqUpdateAndCreateTopicList:
		b.updateTopics(in)
	case proto.ReqDeleteTopicInBroker:
		b.deleteTopic(in)
	case proto.ReqUpdateBrokerConfig:
		b.updateConfig(in)
	case proto.ReqUpdateAndCreateSubscriptionGroup:
		b.updateGroup(in)
	case proto.ReqUpdateAndCreateSubscriptionGroupList:
		b.updateGroups(in)
	case proto.ReqDeleteSubscriptionGroup:
		b.deleteGroup(in)
	case proto.ReqCloneGroupOffset:
		b.cloneOffsets(in)
	case proto.ReqDeleteExpiredCommitLog:
		b.deleteExpiredLog(in)
	case proto.ReqCleanExpiredConsumeQueue, proto.ReqCleanUnusedTopic:
		b.cleanQueues(in)
	case proto.ReqInvokeBrokerToResetOffset:
		b.resetOffset(in)
	case proto.ReqUpdateAndGetGroupForbidden:
		b.groupForbidden(in)
	case proto.ReqSetMessageRequestMode:
		b.setRequestMode(in)
	default:
		b.inspect(in)
	}
}

// inspect finds the handlers of requests by which tools, and clients, look at something.
func (b *Broker) inspect(in *transport.Incoming) {
	switch in.Command.Code {
	case proto.ReqViewMessageByID:
		b.viewMessage(in)
	case proto.ReqQueryMessage:
		b.queryMessage(in)
	case proto.ReqGetAllTopicConfig:
		b.allTopics(in)
	case proto.ReqGetSystemTopicListFromBroker:
		b.systemTopics(in)
	case proto.ReqGetTopicStatsInfo:
		b.topicStats(in)
	case proto.ReqGetBrokerConfig:
		b.brokerConfig(in)
	case proto.ReqGetBrokerRuntimeInfo:
		b.runtimeInfo(in)
	case proto.ReqGetTopicConfig:
		b.oneTopic(in)
	case proto.ReqGetAllSubscriptionGroupConfig:
		b.allGroups(in)
	case proto.ReqGetSubscriptionGroupConfig:
		b.oneGroup(in)
	case proto.ReqGetConsumerConnectionList:
		b.listConsumerConnections(in)
	case proto.ReqGetProducerConnectionList:
		b.listProducerConnections(in)
	case proto.ReqGetAllProducerInfo:
		b.listProducers(in)
	case proto.ReqGetConsumerRunningInfo:
		b.runningInfo(in)
	case proto.ReqConsumeMessageDirectly:
		b.consumeDirectly(in)
	case proto.ReqInvokeBrokerToGetConsumerStatus:
		b.consumerStatus(in)
	case proto.ReqGetConsumeStats:
		b.consumeStats(in)
	case proto.ReqGetBrokerConsumeStats:
		b.brokerConsumeStats(in)
	case proto.ReqQueryConsumeTimeSpan:
		b.consumeTimeSpan(in)
	case proto.ReqQueryConsumeQueue:
		b.queryConsumeQueue(in)
	case proto.ReqQueryTopicConsumeByWho:
		b.consumersOfTopic(in)
	case proto.ReqQueryTopicsByConsumer:
		b.topicsOfConsumer(in)
	case proto.ReqQuerySubscriptionByConsumer:
		b.subscriptionOfConsumer(in)
	case proto.ReqQueryCorrectionOffset:
		b.correctionOffsets(in)
	case proto.ReqViewBrokerStatsData:
		b.viewStatistics(in)
	default:
		b.copyOrTell(in)
	}
}

// copyOrTell finds the handlers of requests by which slaves copy tables, and tools look at copies.
func (b *Broker) copyOrTell(in *transport.Incoming) {
	switch in.Command.Code {
	case proto.ReqGetAllConsumerOffset:
		b.allOffsets(in)
	case proto.ReqGetAllDelayOffset:
		b.allDelayOffsets(in)
	case proto.ReqGetAllMessageRequestMode:
		b.allRequestModes(in)
	case proto.ReqCopyTables:
		b.copyTables(in)
	case proto.ReqGetTimerCheckPoint:
		b.timerCheckpoint(in)
	case proto.ReqGetTimerMetrics:
		b.timerMetrics(in)
	case proto.ReqGetBrokerHAStatus:
		b.copiesStatus(in)
	case proto.ReqExchangeBrokerHAInfo:
		b.exchangeMaster(in)
	case proto.ReqResetMasterFlushOffset:
		b.resetMasterFlush(in)
	default:
		if b.guard.Serve(in) || b.serveGroup(in) {
			return
		}
		in.Reply().Error(proto.RespRequestCodeNotSupported, fmt.Sprintf("request code %d (%s) is not served by this broker", in.Command.Code, proto.RequestName(in.Command.Code)))
	}
}

// serveGroup finds the handlers of requests between the brokers of a group and their controllers, and reports whether there is one.
func (b *Broker) serveGroup(in *transport.Incoming) bool {
	switch in.Command.Code {
	case proto.ReqNotifyBrokerRoleChanged:
		if b.options.Election != nil {
			b.options.Election.Notified()
		}
	case proto.ReqGetBrokerEpochCache:
		b.epochCache(in)
	case proto.ReqDrainBroker:
		b.drain(in)
	default:
		return false
	}
	return true
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
