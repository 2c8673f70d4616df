package interop;

import java.io.File;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.TopicAttributes;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.attribute.CQType;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.config.FlushDiskType;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/** An open store. */
final class Directory {
    final DefaultMessageStore store;

    Directory(Settings settings) throws Exception {
        BrokerConfig broker = new BrokerConfig();
        store = new DefaultMessageStore(config(settings), new BrokerStatsManager(broker),
            (topic, queue, offset, tagHash, storedAt, filterBits, properties) -> { }, broker, topics(settings));
        if (!store.load()) {
            throw new IllegalStateException("the store does not load " + settings.directory);
        }
        store.start();
        catchUp();
    }

    /** Of topics that are not in the table the queues are simple ones. */
    private static ConcurrentMap<String, TopicConfig> topics(Settings settings) {
        TopicConfig topic = new TopicConfig(settings.batchTopic);
        topic.setAttributes(Map.of(TopicAttributes.QUEUE_TYPE_ATTRIBUTE.getName(), CQType.BatchCQ.toString()));
        ConcurrentMap<String, TopicConfig> topics = new ConcurrentHashMap<>();
        topics.put(settings.batchTopic, topic);
        return topics;
    }

    private static MessageStoreConfig config(Settings settings) {
        MessageStoreConfig config = new MessageStoreConfig();
        config.setStorePathRootDir(settings.directory);
        config.setStorePathCommitLog(settings.directory + File.separator + "commitlog");
        config.setMappedFileSizeCommitLog(settings.logFileSize);
        config.setMappedFileSizeConsumeQueue(settings.queueEntries * 20);
        config.setMapperFileSizeBatchConsumeQueue(settings.queueEntries * 46);
        config.setMaxHashSlotNum(settings.indexSlots);
        config.setMaxIndexNum(settings.indexItems);
        config.setEnabledAppendPropCRC(settings.checksums);
        config.setForceVerifyPropCRC(settings.checksums);
        config.setFlushDiskType(settings.syncFlush ? FlushDiskType.SYNC_FLUSH : FlushDiskType.ASYNC_FLUSH);
        config.setAutoMessageVersionOnTopicLen(true);
        // Tests run side by side, and nobody replicates.
        config.setHaListenPort(0);
        // How full the machine's disk is must not decide.
        config.setDiskMaxUsedSpaceRatio(99);
        config.setCleanFileForciblyEnable(false);
        return config;
    }

    /** Waits until queues and index have all that the log has. */
    void catchUp() throws InterruptedException {
        while (store.dispatchBehindBytes() > 0) {
            Thread.sleep(10);
        }
    }

    void close() throws InterruptedException {
        // Otherwise the store believes that it could not close in order, and leaves its crash marker.
        catchUp();
        store.shutdown();
    }
}
