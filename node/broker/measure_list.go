package broker

import (
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/measure"
)

// The buckets of histograms. Those of metrics that Java's broker has are its own.
var (
	pathScale   = measure.Durations(time.Second, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
	flushScale  = measure.Durations(time.Second, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
	lateScale   = measure.Durations(time.Second, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
	sizeScale   = measure.NewScale(1, 1<<10, 4<<10, 512<<10, 1<<20, 2<<20, 4<<20)
	makeScale   = measure.Durations(time.Millisecond, 10, 100, 1000, 3000, 5000)
	finishScale = measure.Durations(time.Second, 5, 60, 600, 3600, 43_200, 86_400)
	delayScale  = measure.Durations(time.Second, 60, 600, 3600, 43_200, 86_400, 259_200)
	ofTopic     = []string{"topic", "message_type", "is_system"}
	ofGroup     = []string{"consumer_group", "topic", "is_system"}
	ofLag       = []string{"consumer_group", "topic", "is_retry", "is_system"}
	ofQueue     = []string{"consumer_group", "topic", "queue_id"}
	ofDisk      = []string{"storage_type", "storage_medium"}
	ofCreation  = []string{"invocation_status", "is_system"}
	ofConsumers = []string{"consumer_group", "language", "version", "consume_mode", "protocol_type", "is_system"}
)

// catalogue lists the metrics of this file in their order.
var catalogue []*measure.Metric

func define(name string, kind measure.Kind, unit string, labels []string, help string) *measure.Metric {
	m := &measure.Metric{Name: name, Kind: kind, Unit: unit, Labels: labels, Help: help}
	catalogue = append(catalogue, m)
	return m
}

func distribution(name, unit string, scale *measure.Scale, labels []string, help string) *measure.Metric {
	m := define(name, measure.Distribution, unit, labels, help)
	m.Scale = scale
	return m
}

// Metrics lists all that Measure may tell of a broker.
func Metrics() []*measure.Metric { return append(measure.Shared(), slices.Clone(catalogue)...) }

// Metrics of RocketMQ 5, by its names and with its units and labels.
var (
	metricWatermark   = define("rocketmq_processor_watermark", measure.Gauge, "", []string{"processor"}, "What waits: sends for the disk (send), woken pulls for their answer (pull), commits of offsets for the disk (consumer_manager)")
	metricPermission  = define("rocketmq_broker_permission", measure.Gauge, "", nil, "What clients may do: 6 read and write, 4 read, 2 write")
	metricTopics      = define("rocketmq_topic_number", measure.Gauge, "", nil, "Topics, those of the broker itself among them")
	metricGroups      = define("rocketmq_consumer_group_number", measure.Gauge, "", nil, "Consumer groups, those of the broker itself among them")
	metricTPS         = define("rocketmq_broker_tps", measure.Gauge, "", nil, "Messages stored per second in the last minute")
	metricQPS         = define("rocketmq_broker_qps", measure.Gauge, "", nil, "Messages given to consumers per second in the last minute")
	metricIn          = define("rocketmq_messages_in_total", measure.Counter, "", ofTopic, "Messages stored by sends, by the topic that they were sent to, not those that come again and dead letters")
	metricInBytes     = define("rocketmq_throughput_in_total", measure.Counter, "bytes", ofTopic, "Bytes of those messages in the log")
	metricSize        = distribution("rocketmq_message_size", "bytes", sizeScale, ofTopic, "Bytes of each of those messages in the log")
	metricOut         = define("rocketmq_messages_out_total", measure.Counter, "", ofGroup, "Messages given to consumers")
	metricOutBytes    = define("rocketmq_throughput_out_total", measure.Counter, "bytes", ofGroup, "Bytes of those messages")
	metricTopicMade   = distribution("rocketmq_topic_create_execution_time", "ms", makeScale, ofCreation, "How long tools waited for a topic to be made or changed")
	metricGroupMade   = distribution("rocketmq_consumer_group_create_execution_time", "ms", makeScale, ofCreation[:1], "How long tools waited for a consumer group to be made or changed")
	metricProducers   = define("rocketmq_producer_connections", measure.Gauge, "", []string{"language", "version", "protocol_type"}, "Producers that send heartbeats")
	metricConsumers   = define("rocketmq_consumer_connections", measure.Gauge, "", ofConsumers, "Members of consumer groups that send heartbeats")
	metricLag         = define("rocketmq_consumer_lag_messages", measure.Gauge, "", ofLag, "Messages of a topic that a group has not consumed, whether a member is online or not")
	metricLagLatency  = define("rocketmq_consumer_lag_latency", measure.Gauge, "ms", ofLag, "Age of the oldest message that a group has not consumed; 0 without one")
	metricInflight    = define("rocketmq_consumer_inflight_messages", measure.Gauge, "", ofLag, "Messages that members have pulled and not consumed")
	metricQueueing    = define("rocketmq_consumer_queueing_latency", measure.Gauge, "ms", ofLag, "Age of the oldest message that no member has pulled; 0 without one")
	metricWaitingPull = define("rocketmq_consumer_ready_messages", measure.Gauge, "", ofLag, "Messages that no member has pulled")
	metricDeadLetters = define("rocketmq_send_to_dlq_messages_total", measure.Counter, "", ofGroup, "Messages that a group has failed on so often that they became dead letters")
	metricStorage     = define("rocketmq_storage_size", measure.Gauge, "bytes", ofDisk, "Bytes of the files of the log, the queues and the index of keys")
	metricUnflushed   = define("rocketmq_storage_flush_behind_bytes", measure.Gauge, "bytes", ofDisk, "Bytes of the log that are written and not on the medium")
	metricUnindexed   = define("rocketmq_storage_dispatch_behind_bytes", measure.Gauge, "bytes", ofDisk, "Bytes of the log that the index of keys lacks; queues lack nothing that is confirmed")
	metricReserve     = define("rocketmq_storage_message_reserve_time", measure.Gauge, "ms", ofDisk, "Age of the oldest message of the log; 0 without one")
	metricTimerIn     = define("rocketmq_timer_enqueue_total", measure.Counter, "", []string{"topic"}, "Messages that were sent to wait for a time of their own")
	metricTimerOut    = define("rocketmq_timer_dequeue_total", measure.Counter, "", []string{"topic"}, "Of these, those that were due and handed to the store; one that it refuses is tried and counted again")
	metricTimerInLag  = define("rocketmq_timer_enqueue_lag", measure.Gauge, "", ofDisk, "Messages that are not yet in the calendar of those that wait for a time of their own")
	metricTimerInAge  = define("rocketmq_timer_enqueue_latency", measure.Gauge, "ms", ofDisk, "Age of the oldest of them; 0 without one")
	metricTimerOutLag = define("rocketmq_timer_dequeue_lag", measure.Gauge, "", ofDisk, "Messages that wait for a time of their own, due or not, and recalls of them")
	metricTimerLate   = define("rocketmq_timer_dequeue_latency", measure.Gauge, "ms", ofDisk, "How long the first message with a time of its own is due; 0 if none is")
	metricDelayAsked  = distribution("rocketmq_delay_message_latency", "s", delayScale, append([]string{"topic"}, ofDisk...), "How long senders wanted delayed messages to wait")
	metricTiming      = define("rocketmq_timing_messages", measure.Gauge, "", []string{"topic"}, "Messages that wait for a time of their own, by the topic in which they will be")
	metricTimerDue    = define("rocketmq_timer_message_snapshot", measure.Gauge, "", []string{"timer_bound_s"}, "Messages that are due within so many seconds and not within those of the next lower bound; exact to five seconds")
	metricCommits     = define("rocketmq_commit_messages_total", measure.Counter, "", []string{"topic"}, "Transactions that were committed")
	metricRollbacks   = define("rocketmq_rollback_messages_total", measure.Counter, "", []string{"topic"}, "Transactions that were rolled back by their producers")
	metricHalves      = define("rocketmq_half_messages", measure.Gauge, "", []string{"topic"}, "Transactions that are open: begun, and neither committed nor rolled back")
	metricFinish      = distribution("rocketmq_finish_message_latency", "s", finishScale, []string{"topic"}, "From the birth of a message to the commit of its transaction")
)

// Metrics of Gantry's own: what clients and the disk make wait.
var (
	metricAppends        = distribution("gantry_append_seconds", "s", pathScale, nil, "From the arrival of a send to its answer, for those that were stored")
	metricPulls          = distribution("gantry_pull_seconds", "s", pathScale, nil, "How long pulls read, whether they found something or not, without the time for which they were held")
	metricPullsMissed    = define("gantry_pulls_missed_total", measure.Counter, "", nil, "Looks of pulls that found nothing")
	metricHeld           = define("gantry_held_pulls", measure.Gauge, "", nil, "Pulls that are held until a message comes")
	metricRefused        = define("gantry_sends_refused_total", measure.Counter, "", []string{"reason"}, "Sends that the store did not take or could not answer for")
	metricFailed         = define("gantry_sends_failed_total", measure.Counter, "", nil, "Sends that were not stored for any reason")
	metricOnewayFailed   = define("gantry_oneway_sends_failed_total", measure.Counter, "", nil, "Of these, those whose senders do not hear of it")
	metricBusy           = define("gantry_busy_answers_total", measure.Counter, "", nil, "Requests that were answered SYSTEM_BUSY")
	metricConflicts      = define("gantry_subscription_conflicts", measure.Gauge, "", nil, "Members of groups whose subscriptions differ from those of their group")
	metricRegistered     = define("gantry_name_server_registered", measure.Gauge, "", []string{"name_server"}, "1 if the name server took the last registration, otherwise 0")
	metricWritten        = define("gantry_store_written_offset", measure.Gauge, "bytes", nil, "How far the log is in the operating system")
	metricFlushed        = define("gantry_store_flushed_offset", measure.Gauge, "bytes", nil, "How far the log is on the medium; at most gantry_store_written_offset")
	metricConfirmed      = define("gantry_store_confirmed_offset", measure.Gauge, "bytes", nil, "How far consumers may see; at most gantry_store_written_offset")
	metricFirst          = define("gantry_store_first_offset", measure.Gauge, "bytes", nil, "Where the log begins: what was before is removed")
	metricWaitingBytes   = define("gantry_store_waiting_bytes", measure.Gauge, "bytes", nil, "Bytes of messages that wait to be confirmed; from 64 MiB on sends are refused as busy")
	metricWaiting        = define("gantry_store_waiting_appends", measure.Gauge, "", nil, "Sends that wait to be confirmed")
	metricOldestAppend   = define("gantry_store_oldest_append_seconds", measure.Gauge, "s", nil, "How long the oldest of them waits")
	metricFlushes        = distribution("gantry_store_flush_seconds", "s", flushScale, nil, "How long the medium took for each flush of the log")
	metricFlushedBytes   = define("gantry_store_flushed_bytes_total", measure.Counter, "bytes", nil, "Bytes of the log that were flushed")
	metricFenced         = define("gantry_store_fenced", measure.Gauge, "", nil, "1 if the log takes no more messages until a restart, because the disk failed, otherwise 0")
	metricRefusing       = define("gantry_store_refusing", measure.Gauge, "", nil, "1 if messages are refused: the log is fenced, or the disk is full, or queues cannot be written; otherwise 0")
	metricFiles          = define("gantry_store_files_bytes", measure.Gauge, "bytes", []string{"part"}, "Bytes of files, by part: log, queues, index")
	metricQueues         = define("gantry_store_queues", measure.Gauge, "", nil, "Queues that have or had messages")
	metricOpenFiles      = define("gantry_store_open_files", measure.Gauge, "", nil, "Files of the log and of queues that are open")
	metricCleaned        = define("gantry_store_cleaned_files_total", measure.Counter, "", nil, "Files of the log that cleaning has removed")
	metricCleanedBytes   = define("gantry_store_cleaned_bytes_total", measure.Counter, "bytes", nil, "Their bytes")
	metricForced         = define("gantry_store_forced_files_total", measure.Counter, "", nil, "Files that were removed before their time, because the disk was full")
	metricForcedBytes    = define("gantry_store_forced_bytes_total", measure.Counter, "bytes", nil, "Their bytes")
	metricLost           = define("gantry_store_forced_lost_messages_total", measure.Counter, "", nil, "Messages in them that could still be consumed")
	metricDiskUsed       = define("gantry_disk_used_bytes", measure.Gauge, "bytes", nil, "Used bytes of the disk of the store, whoever uses them")
	metricDiskTotal      = define("gantry_disk_total_bytes", measure.Gauge, "bytes", nil, "Bytes of the disk of the store")
	metricDiskRefuse     = define("gantry_disk_refuse_ratio", measure.Gauge, "", nil, "Used share of the disk above which messages are refused (diskSpaceWarningLevelRatio)")
	metricDiskForce      = define("gantry_disk_force_ratio", measure.Gauge, "", nil, "Used share of the disk above which files are removed before their time (diskSpaceCleanForciblyRatio)")
	metricDelayed        = define("gantry_delay_backlog_messages", measure.Gauge, "", []string{"level"}, "Messages that wait for their delay level")
	metricTimers         = define("gantry_timer_waiting_messages", measure.Gauge, "", nil, "Messages that wait for a time of their own, and recalls of them")
	metricLate           = distribution("gantry_delay_lateness_seconds", "s", lateScale, nil, "By how much delayed messages and redeliveries came later than they were due")
	metricDelayLost      = define("gantry_delay_lost_messages_total", measure.Counter, "", nil, "Delayed messages that could not be delivered, because they or their topic are gone")
	metricOpen           = define("gantry_transactions_open", measure.Gauge, "", nil, "Transactions that are open, of all topics")
	metricOldestOpen     = define("gantry_transactions_oldest_open_seconds", measure.Gauge, "s", nil, "Age of the oldest of them; 0 without one")
	metricChecks         = define("gantry_transaction_checks_total", measure.Counter, "", nil, "Questions to producers, what became of a transaction")
	metricUnasked        = define("gantry_transaction_checks_unasked_total", measure.Counter, "", nil, "Questions that were due when no producer of the group could be asked")
	metricGivenUp        = define("gantry_transactions_given_up_total", measure.Counter, "", nil, "Transactions that nobody decided however often producers were asked; their messages are in TRANS_CHECK_MAX_TIME_TOPIC")
	metricDeadTotal      = define("gantry_dead_letters_total", measure.Counter, "", nil, "Messages of all groups that became dead letters; 0 from the start on, so that an alert sees the first one")
	metricSentBack       = define("gantry_messages_sent_back_total", measure.Counter, "", ofGroup[:2], "Messages that a group could not consume and gets again, or that became dead letters")
	metricMembers        = define("gantry_consumer_members", measure.Gauge, "", []string{"consumer_group"}, "Members online of each group that has consumed something")
	metricOldest         = define("gantry_consumer_oldest_unconsumed_seconds", measure.Gauge, "s", ofGroup[:2], "Age of the oldest message that a group has not consumed; 0 without one")
	metricQueueLag       = define("gantry_consumer_queue_lag_messages", measure.Gauge, "", ofQueue, "Messages of a queue that a group has not consumed")
	metricQueueLagAge    = define("gantry_consumer_queue_lag_seconds", measure.Gauge, "s", ofQueue, "Age of the oldest of them; 0 without one")
	metricAgesUnread     = define("gantry_metrics_ages_unread", measure.Gauge, "", nil, "Queues whose oldest message was not looked at this time, because there were too many; their ages are those of an earlier message, or missing")
	metricQueuesUnseen   = define("gantry_metrics_queues_unseen", measure.Gauge, "", nil, "Queues of groups that were not looked at this time, because there were too many")
	metricUncounted      = define("gantry_metrics_uncounted_total", measure.Counter, "", nil, "Messages and pulls whose topic or group had no room in the counts by topic and group")
	metricFilterFailure  = define("gantry_filter_failures_total", measure.Counter, "", []string{"consumer_group"}, "Messages that the filter of a group could not judge, and which it does not get")
	metricRepeatsKnown   = define("gantry_repeats_known_total", measure.Counter, "", nil, "Sends that had been stored before, or were under way, and were answered like the first ones")
	metricRepeatsBelow   = define("gantry_repeats_below_window_total", measure.Counter, "", nil, "Sends that were refused because their sequence is below the window: nobody knows whether they had been stored")
	metricRepeatsRefuse  = define("gantry_repeats_refused_total", measure.Counter, "", nil, "Sends that were refused because of their producer's id or sequence, those below the window among them")
	metricRepeatsPushed  = define("gantry_repeats_producers_pushed_total", measure.Counter, "", nil, "Producers that were forgotten before their time, because there were too many (repeatProducersMax) or too many sends (repeatSendsMax)")
	metricRepeatsOf      = define("gantry_repeats_producers", measure.Gauge, "", nil, "Producers whose sends are known when they come again")
	metricRepeatsSends   = define("gantry_repeats_sends", measure.Gauge, "", nil, "Sends that are known when they come again")
	metricRole           = define("gantry_replication_role", measure.Gauge, "", []string{"role"}, "1 for the role of this broker: ASYNC_MASTER, SYNC_MASTER or SLAVE, or what controllers have made it: elected master or elected copy")
	metricEpoch          = define("gantry_replication_epoch", measure.Gauge, "", nil, "Epoch of the newest part of the log, which grows with each election; only of brokers whose role controllers decide")
	metricCopies         = define("gantry_replication_copies", measure.Gauge, "", nil, "Connections of slaves to this master")
	metricCopiesInSync   = define("gantry_replication_copies_in_sync", measure.Gauge, "", nil, "Of these, those that lack less than haMaxGapNotInSync, or of an elected master those in the in-sync set")
	metricCopiesNeeded   = define("gantry_replication_copies_needed", measure.Gauge, "", nil, "How many copies have what this master acknowledges, its own included: inSyncReplicas, or of an elected master the in-sync set")
	metricCopyBehind     = define("gantry_replication_copy_behind_bytes", measure.Gauge, "bytes", []string{"slave"}, "Bytes of this master's log that a slave lacks, by its address")
	metricCopyLag        = define("gantry_replication_copy_behind_seconds", measure.Gauge, "s", []string{"slave"}, "For how long it lacks the first of them; 0 if it has all")
	metricCopiesRefused  = define("gantry_replication_copies_refused_total", measure.Counter, "", nil, "Connections to the replication port that were refused, because what they reported is not of this master's log; haStatus tells why")
	metricFollowing      = define("gantry_replication_following", measure.Gauge, "", nil, "1 if this slave takes the log of its master, otherwise 0")
	metricDiverged       = define("gantry_replication_diverged", measure.Gauge, "", nil, "1 if this slave does not follow because its log is not that of its master, otherwise 0; haStatus tells more")
	metricSlaveBehind    = define("gantry_replication_behind_bytes", measure.Gauge, "bytes", nil, "Bytes of its master's log that this slave lacked when it last asked")
	metricSlaveBehindFor = define("gantry_replication_behind_seconds", measure.Gauge, "s", nil, "How long ago this slave had all that its master had; one that follows asks every copyTablesInterval, and an elected copy is told all the time")
)
