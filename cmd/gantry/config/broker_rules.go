package config

// brokerRules are the keys that Apache's broker knows and this one does not honour. Where such a
// key only tunes a mechanism that is not here, it is accepted and said to be idle. Where an
// operator would rely on it, only the value that asks for nothing is accepted.
var brokerRules = rules{
	idle: []idleKeys{
		{"deleteConsumeQueueFilesInterval destroyMapedFileIntervalForcibly redeleteHangedFileInterval",
			"a file that can go is removed at once, also while somebody reads it"},
		{"*ThreadPoolNums *PoolQueueCapacity serverWorkerThreads serverSelectorThreads serverCallbackExecutorThreads " +
			"clientWorkerThreads useReentrantLockWhenPutMessage asyncSendEnable maxAsyncPutMessageRequests putMessageTimeout " +
			"enableBuildConsumeQueueConcurrently",
			"it has no thread pools: one task decides, and system calls run beside it"},
		{"waitTimeMillsIn*Queue brokerFastFailureEnable fastFailIfNoBufferInStorePool",
			"it bounds the bytes that wait for the disk instead of their time, and refuses sends beyond that"},
		{"serverSocketBacklog serverSocketSndBufSize serverSocketRcvBufSize clientSocketSndBufSize clientSocketRcvBufSize " +
			"useEpollNativeSelector writeBufferHighWaterMark writeBufferLowWaterMark serverPooledByteBufAllocatorEnable " +
			"serverOnewaySemaphoreValue serverAsyncSemaphoreValue connectTimeoutMillis clientChannelMaxIdleTimeSeconds " +
			"clientCloseSocketIfTimeout serverChannelMaxIdleTimeSeconds enableNetWorkFlowControl transferMsgByHeap forwardTimeout",
			"the operating system and the Go runtime tune sockets, and the limits of connections are fixed"},
		{"flushCommitLogLeastPages flushCommitLogThoroughInterval flushCommitLogTimed commitIntervalCommitLog " +
			"commitCommitLogLeastPages commitCommitLogThoroughInterval flushConsumeQueueLeastPages flushConsumeQueueThoroughInterval " +
			"transientStorePoolEnable transientStorePoolSize warmMapedFileEnable flushLeastPagesWhenWarmMapedFile " +
			"coldDataFlowControlEnable coldDataScanEnable dataReadAheadEnable coldCtrStrategyEnable usePIDColdCtrStrategy " +
			"cgColdReadThreshold globalColdReadThreshold",
			"it writes by calls that cover many messages at once, not through mapped pages"},
		{"checkCRCOnRecover enabledAppendPropCRC forceVerifyPropCRC readUnCommitted offsetCheckInSlave validateSystemTopicWhenUpdateTopic",
			"it always writes and verifies checksums of whole records, shows only what is confirmed, and protects system topics"},
		{"messageIndexSafe", "its checkpoint always says how far the index of keys is durable"},
		{"maxMsgsNumBatch defaultQueryMaxNum", "a query by key brings at most 64 messages, one by unique key 32"},
		{"timer[A-LN-VX-Z]* timerMetric*", "timers are read from the log, exact to the millisecond, and delivered until that succeeds"},
		{"enableScheduleAsyncDeliver flushDelayOffsetInterval delayOffsetUpdateVersionStep",
			"it delivers what is due with few writes, and the log itself says what was delivered"},
		{"transactionOp* transactionMetric* checkTransactionMessageEnable",
			"each transaction that ends is marked at once"},
		{"popC[a-z]* popFromRetryProbability popLong* popPollingMap* popResponse* popRevive* popConsumer* enablePop* initPopOffsetByCheckMsgInMem " +
			"revive* retrieveMessageFromPopRetryTopicV1 enableSkipLongAwaitingAck enableRetryTopicV2 appendAckAsync appendCkAsync " +
			"skipWhenCKRePutReachMaxTimes",
			"what is popped and not acknowledged stays in its queue, and is handed out from there again"},
		{"maxSlaveResendLength maxChecksumRange compatibleWithOldNameSrv enableSplitMetadata splitMetadataSize " +
			"sendHeartbeatTimeoutMillis brokerNotActiveTimeoutMillis syncMasterFlushOffsetWhenStartup",
			"copies are counted by what they report to have on their disks, and tables are copied whole"},
		{"syncFromLastFile", "a slave always wants all that its master has"},
		{"skipPreOnline lockInStrictMode syncBrokerMemberGroupPeriod",
			"no slave acts as master, so a master has nothing to take back from one"},
		{"syncBrokerMetadataPeriod checkSyncStateSetPeriod syncControllerMetadataPeriod",
			"it hears what the controllers have decided with each heartbeat, and looks after the in-sync set all the time"},
		{"dLegerGroup dLegerPeers dLegerSelfId disappearTimeAfterStart", "this version does not speak the protocol of DLedger"},
		{"rmqAddressServerDomain rmqAddressServerSubGroup fetchNamesrvAddrInterval updateNameServerAddrPeriod",
			"it takes name servers from namesrvAddr only"},
		{"forceRegister compressedRegister enableSplitRegistration splitRegistrationSize enableSingleTopicRegister",
			"it always sends its whole topic table in one registration"},
		{"enableShutdownGracefully shutdownWaitTimeSeconds",
			"it always lets requests under way end before it stops, for at most 3 s"},
		{"enableCalcFilterBitMap enableConsumeQueueExt filterSupportRetry expectConsumerNumUseFilter " +
			"maxErrorRateOfBloomFilter filterDataCleanTimeSpan maxFilterMessageSize",
			"it judges messages by what is in them, without tables beside the queues, and redelivered ones not again"},
		{"enableCompaction compactionScheduleInternal maxLmqConsumeQueueNum traceOn msgTraceTopicName " +
			"litePullMessageEnable enableMixedMessageType allowRecallWhenBrokerNotWriteable clearRetryTopicWhenDeleteTopic " +
			"disableConsumeIfConsumerReadSlowly consumerFallbehindThreshold enableBroadcastOffsetStore broadcastOffsetExpire*",
			"this version does not have the part of the broker that it tunes"},
		{"notifyConsumerIdsChangedEnable realTimeNotifyConsumerChange subscriptionExpiredTimeout enableFastChannelEventProcess " +
			"useServerSideResetOffset consumerOffsetUpdateVersionStep enableRegisterProducer useStaticSubscription enableCreateSysGroup " +
			"maxTopicLength",
			"its tables of clients and groups need no tuning"},
		{"estimateAccumulation enableDetailStat autoDeleteUnusedStats maxStatsIdleTimeInMinutes isolateLogEnable rocketmqHome",
			"its counts need no tuning, and it logs to standard error"},
		{"configBlackList", "what tools may change of a broker is fixed: updateBrokerConfig says which keys"},
	},
	promises: []promise{
		{"fetchControllerAddrByDnsLookup", "false", "it would use only one of the addresses that a name has: list them in controllerAddr"},
		{"enableDLegerCommitLog", "false", "this version does not speak the protocol of DLedger: set brokerRole of a master and its slaves"},
		{"duplicationEnable", "false", "copies are made by slaves: set brokerRole=SLAVE for them"},
		{"enableSlaveActingMaster", "false", noActing}, {"enableRemoteEscape", "false", noActing},
		{"storeType", "default", "it keeps queues and tables in files, not in RocksDB"},
		{"configManagerVersion", "v1", "it keeps tables in files, not in RocksDB"},
		{"replicasPerDiskPartition", "1", "it looks at how full its disk is, whoever has filled it"},
		{"readOnlyCommitLogStorePaths", "", "all of the store lies below storePathRootDir"},
		{"fetchNamesrvAddrByAddressServer", "false", "it takes name servers from namesrvAddr only"},
		{"fetchNameSrvAddrByDnsLookup", "false", "it would use only one of the addresses that a name has: list them in namesrvAddr"},
		{"clusterTopicEnable", "true", "its topic of the cluster's name can always be used"},
		{"brokerTopicEnable", "true", "its topic of the broker's name can always be used"},
		{"traceTopicEnable", "false", "it makes no trace topic by itself: with autoCreateTopicEnable the first trace makes it"},
		{"rejectPullConsumerEnable", "false", "it cannot tell such consumers apart, and would serve them"},
		{"startAcceptSendRequestTimeStamp", "0", "it takes messages as soon as it runs"},
		{"enableLmq", "false", noLightQueues}, {"enableMultiDispatch", "false", noLightQueues},
	},
	paths: map[string]string{
		"storePathCommitLog": "commitlog", "storePathConsumeQueue": "consumequeue", "storePathIndex": "index",
		"storeCheckpoint": "checkpoint", "abortFile": "abort", "authConfigPath": "config/auth",
	},
}

const (
	noActing      = "no slave does a master's work beside being a slave: to let it take over, start it as the master, with brokerRole=SYNC_MASTER or ASYNC_MASTER and brokerId=0"
	noLightQueues = "it has no light queues"
)
