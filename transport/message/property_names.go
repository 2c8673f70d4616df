package message

// Names of properties that producers set. The constants' values are the protocol's
// words; class MessageConst has them as PROPERTY_….
const (
	PropertyKeys                  = "KEYS"                           // business keys, separated by one blank
	PropertyTags                  = "TAGS"                           // the one tag of the message
	PropertyWaitForStore          = "WAIT"                           // "false": answer before the message is flushed and replicated; "true" if absent
	PropertyDelayLevel            = "DELAY"                          // number of a delay level, from 1
	PropertyUniqueID              = "UNIQ_KEY"                       // a UniqueID; the broker makes one if it is missing
	PropertyInstance              = "INSTANCE_ID"                    // namespace of the producer
	PropertyBuyer                 = "BUYER_ID"                       // legacy
	PropertyHalfMessage           = "TRAN_MSG"                       // "true" on the half message of a transaction
	PropertyProducerGroup         = "PGROUP"                         // producer group of a transaction
	PropertyCheckImmunitySeconds  = "CHECK_IMMUNITY_TIME_IN_SECONDS" // no transaction check before this age
	PropertyDeliverAtMillis       = "TIMER_DELIVER_MS"               // delivery time, wall milliseconds
	PropertyDelaySeconds          = "TIMER_DELAY_SEC"                // delay from now
	PropertyDelayMillis           = "TIMER_DELAY_MS"                 // delay from now
	PropertyStartDeliverAtMillis  = "__STARTDELIVERTIME"             // delivery time of another vendor; brokers ignore it
	PropertyOrderingKey           = "__SHARDINGKEY"                  // messages with the same one go to the same queue
	PropertyOrderingKeyGoClient   = "SHARDING_KEY"                   // the same, as the Go client writes it
	PropertyOrderingKeyNodeClient = "__SHARDING_KEY"                 // the same, as the ali-ons client writes it
	PropertyCorrelation           = "CORRELATION_ID"                 // ties a reply to its request
	PropertyReplyToClient         = "REPLY_TO_CLIENT"                // client id that waits for the reply
	PropertyTimeToLiveMillis      = "TTL"                            // how long the requester waits
	PropertyMessageType           = "MSG_TYPE"                       // MessageTypeReply on a reply
	PropertyMultiDispatch         = "INNER_MULTI_DISPATCH"           // light queues that get the message too, separated by commas
	PropertyTraceContext          = "TRACE_CONTEXT"                  // context of an outer trace
	PropertyRegion                = "MSG_REGION"                     // region of the broker, from the send response
	PropertyTraceOn               = "TRACE_ON"                       // trace switch, from the send response
	PropertyDuplicateInfo         = "DUP_INFO"                       // legacy
	PropertyExtendedUniqueInfo    = "EXTEND_UNIQ_INFO"               // legacy
	PropertyMQ2                   = "MQ2_FLAG"                       // legacy
	PropertyTransfer              = "TRANSFER_FLAG"                  // legacy
	PropertyCorrection            = "CORRECTION_FLAG"                // legacy

	// MessageTypeReply is the value of PropertyMessageType on a reply.
	MessageTypeReply = "reply"
)

// Names of properties that brokers set.
const (
	PropertyCluster                  = "CLUSTER"                        // cluster of the storing broker
	PropertyRealTopic                = "REAL_TOPIC"                     // where a delayed, timed or half message is really meant to go
	PropertyRealQueueID              = "REAL_QID"                       // and to which queue
	PropertyRetryTopic               = "RETRY_TOPIC"                    // original topic of a retried message
	PropertyOriginOffsetID           = "ORIGIN_MESSAGE_ID"              // OffsetID of the first copy
	PropertyRedeliveries             = "RECONSUME_TIME"                 // set by a client that sends a retry itself; used and removed by the broker
	PropertyRedeliveriesMax          = "MAX_RECONSUME_TIMES"            // likewise
	PropertyDeadLetterOriginTopic    = "DLQ_ORIGIN_TOPIC"               // in dead letters
	PropertyDeadLetterOriginOffsetID = "DLQ_ORIGIN_MESSAGE_ID"          // in dead letters
	PropertyTransactionID            = "__transactionId__"              // equal to the UniqueID
	PropertyTransactionChecks        = "TRANSACTION_CHECK_TIMES"        // checks of the transaction so far
	PropertyHalfMessageQueueOffset   = "TRAN_PREPARED_QUEUE_OFFSET"     // queue offset of the half message
	PropertyInnerCount               = "INNER_NUM"                      // messages in an inner batch
	PropertyInnerBase                = "INNER_BASE"                     // queue offset of the first of them
	PropertyMultiQueueOffset         = "INNER_MULTI_QUEUE_OFFSET"       // queue offsets, parallel to PropertyMultiDispatch
	PropertyTimerEnqueuedAtMillis    = "TIMER_ENQUEUE_MS"               // book-keeping of the timer wheel
	PropertyTimerDequeuedAtMillis    = "TIMER_DEQUEUE_MS"               // book-keeping of the timer wheel
	PropertyTimerRolls               = "TIMER_ROLL_TIMES"               // book-keeping of the timer wheel
	PropertyTimerDueAtMillis         = "TIMER_OUT_MS"                   // delivery time of a timed message
	PropertyTimerDeleteUniqueID      = "TIMER_DEL_UNIQKEY"              // the timed message to be withdrawn
	PropertyTimerDelayLevel          = "TIMER_DELAY_LEVEL"              // delay level carried through the timer
	PropertyReceipt                  = "POP_CK"                         // receipt handle of a popped message
	PropertyReceiptOffset            = "POP_CK_OFFSET"                  // offset of its check point
	PropertyFirstPoppedAtMillis      = "1ST_POP_TIME"                   // when it was first popped
	PropertyBornAtMillis             = "BORN_TIMESTAMP"                 // original born time of a message that is sent again inside
	PropertyBornHost                 = "__BORNHOST"                     // original born host of a message a proxy sends
	PropertyForwardQueueID           = "PROPERTY_FORWARD_QUEUE_ID"      // routing inside version 5
	PropertyRedirect                 = "REDIRECT"                       // routing inside version 5
	PropertyTransientTopicFlags      = "__RMQ.TRANSIENT.TOPIC_SYS_FLAG" // added on delivery, never stored
	PropertyTransientGroupFlags      = "__RMQ.TRANSIENT.GROUP_SYS_FLAG" // added on delivery, never stored
	PropertyReplyPushedAtMillis      = "PUSH_REPLY_TIME"                // when a reply was pushed
	PropertyArrivedAtMillis          = "ARRIVE_TIME"                    // when a reply arrived
	PropertySent                     = "GANTRY_SENT"                    // Gantry's own: the producer's id and the sequence, from the header of the send; not taken from a client's properties
	PropertyRecordChecksum           = "__CRC32#"                       // checksum of a whole record, its last property; ten digits, the lowest first
)

// Names of properties that the consuming client adds after a pull.
const (
	PropertyQueueMin               = "MIN_OFFSET"         // of the queue, from the response
	PropertyQueueMax               = "MAX_OFFSET"         // of the queue, from the response
	PropertyConsumeStartedAtMillis = "CONSUME_START_TIME" // when the listener was called
)

// ReservedProperty reports whether an application must not set the property itself
// (STRING_HASH_SET of class MessageConst).
func ReservedProperty(name string) bool { return reservedProperties[name] }

// reservedProperties is only ever looked up, never walked.
var reservedProperties = map[string]bool{
	PropertyKeys: true, PropertyTags: true, PropertyWaitForStore: true, PropertyDelayLevel: true,
	PropertyUniqueID: true, PropertyInstance: true, PropertyBuyer: true, PropertyHalfMessage: true,
	PropertyProducerGroup: true, PropertyDeliverAtMillis: true, PropertyDelaySeconds: true,
	PropertyDelayMillis: true, PropertyStartDeliverAtMillis: true, PropertyCorrelation: true,
	PropertyReplyToClient: true, PropertyTimeToLiveMillis: true, PropertyMessageType: true,
	PropertyRegion: true, PropertyTraceOn: true, PropertyDuplicateInfo: true,
	PropertyExtendedUniqueInfo: true, PropertyMQ2: true, PropertyTransfer: true, PropertyCorrection: true,

	PropertyCluster: true, PropertyRealTopic: true, PropertyRealQueueID: true, PropertyRetryTopic: true,
	PropertyOriginOffsetID: true, PropertyRedeliveries: true, PropertyRedeliveriesMax: true,
	PropertyDeadLetterOriginTopic: true, PropertyDeadLetterOriginOffsetID: true,
	PropertyHalfMessageQueueOffset: true, PropertyMultiQueueOffset: true,
	PropertyTimerEnqueuedAtMillis: true, PropertyTimerDequeuedAtMillis: true, PropertyTimerRolls: true,
	PropertyTimerDueAtMillis: true, PropertyTimerDeleteUniqueID: true, PropertyTimerDelayLevel: true,
	PropertyReceipt: true, PropertyReceiptOffset: true, PropertyFirstPoppedAtMillis: true,
	PropertyBornAtMillis: true, PropertyBornHost: true, PropertyReplyPushedAtMillis: true,
	PropertyArrivedAtMillis: true, PropertyRecordChecksum: true, PropertySent: true,

	PropertyQueueMin: true, PropertyQueueMax: true, PropertyConsumeStartedAtMillis: true,
}
