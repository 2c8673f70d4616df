package proto

import "strconv"

// Response codes (class ResponseCode): how a request ended. The comment holds the
// protocol's own name, which ResponseName returns, and its meaning.
const (
	RespRPCTimeout                           = -1006 // RPC_TIME_OUT: never on the wire: the 5.x RPC client timed out
	RespRPCSendToChannelFailed               = -1004 // RPC_SEND_TO_CHANNEL_FAILED: never on the wire: the 5.x RPC client could not write
	RespRPCAddressIsNull                     = -1002 // RPC_ADDR_IS_NULL: never on the wire: the 5.x RPC client knows no address
	RespRPCUnknown                           = -1000 // RPC_UNKNOWN: never on the wire: the 5.x RPC client failed otherwise
	RespSuccess                              = 0     // SUCCESS: done
	RespSystemError                          = 1     // SYSTEM_ERROR: any failure, including "no such consumer group" and "no message there"
	RespSystemBusy                           = 2     // SYSTEM_BUSY: overloaded, try again or elsewhere
	RespRequestCodeNotSupported              = 3     // REQUEST_CODE_NOT_SUPPORTED: unknown request code on this port
	RespTransactionFailed                    = 4     // TRANSACTION_FAILED: reserved
	RespFlushDiskTimeout                     = 10    // FLUSH_DISK_TIMEOUT: send: stored, but the flush was not over in time
	RespSlaveNotAvailable                    = 11    // SLAVE_NOT_AVAILABLE: send: stored, but no slave is in sync
	RespFlushSlaveTimeout                    = 12    // FLUSH_SLAVE_TIMEOUT: send: stored, but the slaves did not acknowledge in time
	RespMessageIllegal                       = 13    // MESSAGE_ILLEGAL: a message, or an offset of an acknowledgement, breaks a limit
	RespServiceNotAvailable                  = 14    // SERVICE_NOT_AVAILABLE: the store takes no writes: disk full, starting, not master
	RespVersionNotSupported                  = 15    // VERSION_NOT_SUPPORTED: reserved
	RespNoPermission                         = 16    // NO_PERMISSION: permission bits, access control or a protected setting forbid it
	RespTopicNotExist                        = 17    // TOPIC_NOT_EXIST: broker: unknown topic; name server: no route
	RespTopicExistAlready                    = 18    // TOPIC_EXIST_ALREADY: reserved
	RespPullNotFound                         = 19    // PULL_NOT_FOUND: pull: nothing at this offset yet
	RespPullRetryImmediately                 = 20    // PULL_RETRY_IMMEDIATELY: pull: nothing matched, go on from the next offset
	RespPullOffsetMoved                      = 21    // PULL_OFFSET_MOVED: pull: the offset is outside the queue, use the next offset of the answer
	RespQueryNotFound                        = 22    // QUERY_NOT_FOUND: no such offset, message or key
	RespSubscriptionParseFailed              = 23    // SUBSCRIPTION_PARSE_FAILED: the filter expression does not compile
	RespSubscriptionNotExist                 = 24    // SUBSCRIPTION_NOT_EXIST: the broker has not heard of this group or topic in a heartbeat
	RespSubscriptionNotLatest                = 25    // SUBSCRIPTION_NOT_LATEST: the broker holds an older version of the subscription
	RespSubscriptionGroupNotExist            = 26    // SUBSCRIPTION_GROUP_NOT_EXIST: unknown group, and groups are not created by themselves
	RespFilterDataNotExist                   = 27    // FILTER_DATA_NOT_EXIST: the broker has not compiled this SQL filter
	RespFilterDataNotLatest                  = 28    // FILTER_DATA_NOT_LATEST: the broker has compiled an older version of this SQL filter
	RespInvalidParameter                     = 29    // INVALID_PARAMETER: since 5.3.2; before, 1 or 13 stood in the same places
	RespTransactionShouldCommit              = 200   // TRANSACTION_SHOULD_COMMIT: historical
	RespTransactionShouldRollback            = 201   // TRANSACTION_SHOULD_ROLLBACK: historical
	RespTransactionStateUnknown              = 202   // TRANSACTION_STATE_UNKNOW: historical
	RespTransactionStateGroupWrong           = 203   // TRANSACTION_STATE_GROUP_WRONG: historical
	RespNoBuyerID                            = 204   // NO_BUYER_ID: historical, but producers retry on it
	RespNotInCurrentUnit                     = 205   // NOT_IN_CURRENT_UNIT: historical, but producers retry on it
	RespConsumerNotOnline                    = 206   // CONSUMER_NOT_ONLINE: the group or client has no connection
	RespConsumeMessageTimeout                = 207   // CONSUME_MSG_TIMEOUT: a request passed on to a client timed out
	RespNoMessage                            = 208   // NO_MESSAGE: acknowledgement of an offset beyond the queue
	RespPollingFull                          = 209   // POLLING_FULL: too many held pops
	RespPollingTimeout                       = 210   // POLLING_TIMEOUT: a pop arrived too late or was held in vain
	RespBrokerNotExist                       = 211   // BROKER_NOT_EXIST: broker container: no such broker
	RespBrokerDispatchNotComplete            = 212   // BROKER_DISPATCH_NOT_COMPLETE: reset of offsets refused until the queues have caught up
	RespBroadcastConsumption                 = 213   // BROADCAST_CONSUMPTION: statistics of a broadcasting group, which keeps its offsets itself
	RespFlowControl                          = 215   // FLOW_CONTROL: since 5.0
	RespNotLeaderForQueue                    = 501   // NOT_LEADER_FOR_QUEUE: static topic: another broker leads the queue
	RespIllegalOperation                     = 604   // ILLEGAL_OPERATION: recall or end of a transaction that makes no sense
	RespGoAway                               = 1500  // GO_AWAY: since 5.2: the server is shutting down, connect elsewhere
	RespControllerFencedMasterEpoch          = 2000  // CONTROLLER_FENCED_MASTER_EPOCH: the sender is not the master of this epoch any more
	RespControllerFencedSyncStateSetEpoch    = 2001  // CONTROLLER_FENCED_SYNC_STATE_SET_EPOCH: the in-sync set has changed meanwhile
	RespControllerInvalidMaster              = 2002  // CONTROLLER_INVALID_MASTER: the sender is not the master
	RespControllerInvalidReplicas            = 2003  // CONTROLLER_INVALID_REPLICAS: a proposed member is not a replica
	RespControllerMasterNotAvailable         = 2004  // CONTROLLER_MASTER_NOT_AVAILABLE: no master can be elected now
	RespControllerInvalidRequest             = 2005  // CONTROLLER_INVALID_REQUEST: a field is missing or makes no sense
	RespControllerBrokerNotAlive             = 2006  // CONTROLLER_BROKER_NOT_ALIVE: a proposed broker is not alive
	RespControllerNotLeader                  = 2007  // CONTROLLER_NOT_LEADER: another controller leads
	RespControllerBrokerMetadataNotExist     = 2008  // CONTROLLER_BROKER_METADATA_NOT_EXIST: unknown broker name
	RespControllerInvalidCleanBrokerMetadata = 2009  // CONTROLLER_INVALID_CLEAN_BROKER_METADATA: clean-up request that makes no sense
	RespControllerBrokerNeedToBeRegistered   = 2010  // CONTROLLER_BROKER_NEED_TO_BE_REGISTERED: the broker has to register first
	RespControllerMasterStillExist           = 2011  // CONTROLLER_MASTER_STILL_EXIST: the master is still alive, no election
	RespControllerElectMasterFailed          = 2012  // CONTROLLER_ELECT_MASTER_FAILED: the election failed
	RespControllerAlterSyncStateSetFailed    = 2013  // CONTROLLER_ALTER_SYNC_STATE_SET_FAILED: the in-sync set was not changed
	RespControllerBrokerIDInvalid            = 2014  // CONTROLLER_BROKER_ID_INVALID: the broker id is taken
	RespControllerJRaftInternalError         = 2015  // CONTROLLER_JRAFT_INTERNAL_ERROR: inside a JRaft controller
	RespControllerBrokerLiveInfoNotExists    = 2016  // CONTROLLER_BROKER_LIVE_INFO_NOT_EXISTS: nothing is known of this broker
	RespUserNotExist                         = 3001  // USER_NOT_EXIST: since 5.3
	RespPolicyNotExist                       = 3002  // POLICY_NOT_EXIST: since 5.3
)

// Numbers that brokers of 4.x to 5.3.2 used for failures of access control
// administration. Since 5.0 they mean what the constants above say.
const (
	RespUpdateACLConfigFailed                  = 209 // UPDATE_AND_CREATE_ACL_CONFIG_FAILED
	RespDeleteACLConfigFailed                  = 210 // DELETE_ACL_CONFIG_FAILED
	RespUpdateGlobalWhiteAddressesConfigFailed = 211 // UPDATE_GLOBAL_WHITE_ADDRS_CONFIG_FAILED
)

// ResponseName returns the protocol's name of a response code, such as
// "TOPIC_NOT_EXIST", or "response 999" for a number nobody has given a meaning.
// Numbers with two meanings get the newer name.
func ResponseName(code int32) string {
	if name, known := responseNames[code]; known {
		return name
	}
	return "response " + strconv.Itoa(int(code))
}

var responseNames = map[int32]string{
	RespRPCTimeout:                           "RPC_TIME_OUT",
	RespRPCSendToChannelFailed:               "RPC_SEND_TO_CHANNEL_FAILED",
	RespRPCAddressIsNull:                     "RPC_ADDR_IS_NULL",
	RespRPCUnknown:                           "RPC_UNKNOWN",
	RespSuccess:                              "SUCCESS",
	RespSystemError:                          "SYSTEM_ERROR",
	RespSystemBusy:                           "SYSTEM_BUSY",
	RespRequestCodeNotSupported:              "REQUEST_CODE_NOT_SUPPORTED",
	RespTransactionFailed:                    "TRANSACTION_FAILED",
	RespFlushDiskTimeout:                     "FLUSH_DISK_TIMEOUT",
	RespSlaveNotAvailable:                    "SLAVE_NOT_AVAILABLE",
	RespFlushSlaveTimeout:                    "FLUSH_SLAVE_TIMEOUT",
	RespMessageIllegal:                       "MESSAGE_ILLEGAL",
	RespServiceNotAvailable:                  "SERVICE_NOT_AVAILABLE",
	RespVersionNotSupported:                  "VERSION_NOT_SUPPORTED",
	RespNoPermission:                         "NO_PERMISSION",
	RespTopicNotExist:                        "TOPIC_NOT_EXIST",
	RespTopicExistAlready:                    "TOPIC_EXIST_ALREADY",
	RespPullNotFound:                         "PULL_NOT_FOUND",
	RespPullRetryImmediately:                 "PULL_RETRY_IMMEDIATELY",
	RespPullOffsetMoved:                      "PULL_OFFSET_MOVED",
	RespQueryNotFound:                        "QUERY_NOT_FOUND",
	RespSubscriptionParseFailed:              "SUBSCRIPTION_PARSE_FAILED",
	RespSubscriptionNotExist:                 "SUBSCRIPTION_NOT_EXIST",
	RespSubscriptionNotLatest:                "SUBSCRIPTION_NOT_LATEST",
	RespSubscriptionGroupNotExist:            "SUBSCRIPTION_GROUP_NOT_EXIST",
	RespFilterDataNotExist:                   "FILTER_DATA_NOT_EXIST",
	RespFilterDataNotLatest:                  "FILTER_DATA_NOT_LATEST",
	RespInvalidParameter:                     "INVALID_PARAMETER",
	RespTransactionShouldCommit:              "TRANSACTION_SHOULD_COMMIT",
	RespTransactionShouldRollback:            "TRANSACTION_SHOULD_ROLLBACK",
	RespTransactionStateUnknown:              "TRANSACTION_STATE_UNKNOW",
	RespTransactionStateGroupWrong:           "TRANSACTION_STATE_GROUP_WRONG",
	RespNoBuyerID:                            "NO_BUYER_ID",
	RespNotInCurrentUnit:                     "NOT_IN_CURRENT_UNIT",
	RespConsumerNotOnline:                    "CONSUMER_NOT_ONLINE",
	RespConsumeMessageTimeout:                "CONSUME_MSG_TIMEOUT",
	RespNoMessage:                            "NO_MESSAGE",
	RespPollingFull:                          "POLLING_FULL",
	RespPollingTimeout:                       "POLLING_TIMEOUT",
	RespBrokerNotExist:                       "BROKER_NOT_EXIST",
	RespBrokerDispatchNotComplete:            "BROKER_DISPATCH_NOT_COMPLETE",
	RespBroadcastConsumption:                 "BROADCAST_CONSUMPTION",
	RespFlowControl:                          "FLOW_CONTROL",
	RespNotLeaderForQueue:                    "NOT_LEADER_FOR_QUEUE",
	RespIllegalOperation:                     "ILLEGAL_OPERATION",
	RespGoAway:                               "GO_AWAY",
	RespControllerFencedMasterEpoch:          "CONTROLLER_FENCED_MASTER_EPOCH",
	RespControllerFencedSyncStateSetEpoch:    "CONTROLLER_FENCED_SYNC_STATE_SET_EPOCH",
	RespControllerInvalidMaster:              "CONTROLLER_INVALID_MASTER",
	RespControllerInvalidReplicas:            "CONTROLLER_INVALID_REPLICAS",
	RespControllerMasterNotAvailable:         "CONTROLLER_MASTER_NOT_AVAILABLE",
	RespControllerInvalidRequest:             "CONTROLLER_INVALID_REQUEST",
	RespControllerBrokerNotAlive:             "CONTROLLER_BROKER_NOT_ALIVE",
	RespControllerNotLeader:                  "CONTROLLER_NOT_LEADER",
	RespControllerBrokerMetadataNotExist:     "CONTROLLER_BROKER_METADATA_NOT_EXIST",
	RespControllerInvalidCleanBrokerMetadata: "CONTROLLER_INVALID_CLEAN_BROKER_METADATA",
	RespControllerBrokerNeedToBeRegistered:   "CONTROLLER_BROKER_NEED_TO_BE_REGISTERED",
	RespControllerMasterStillExist:           "CONTROLLER_MASTER_STILL_EXIST",
	RespControllerElectMasterFailed:          "CONTROLLER_ELECT_MASTER_FAILED",
	RespControllerAlterSyncStateSetFailed:    "CONTROLLER_ALTER_SYNC_STATE_SET_FAILED",
	RespControllerBrokerIDInvalid:            "CONTROLLER_BROKER_ID_INVALID",
	RespControllerJRaftInternalError:         "CONTROLLER_JRAFT_INTERNAL_ERROR",
	RespControllerBrokerLiveInfoNotExists:    "CONTROLLER_BROKER_LIVE_INFO_NOT_EXISTS",
	RespUserNotExist:                         "USER_NOT_EXIST",
	RespPolicyNotExist:                       "POLICY_NOT_EXIST",
}
