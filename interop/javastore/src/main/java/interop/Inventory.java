package interop;

import com.alibaba.fastjson2.JSONObject;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.GetMessageResult;
import org.apache.rocketmq.store.GetMessageStatus;
import org.apache.rocketmq.store.queue.ConsumeQueueInterface;
import org.apache.rocketmq.store.queue.CqUnit;

/** Reports all that a store has, queue by queue, as consumers would be given it. */
final class Inventory {
    private final DefaultMessageStore store;

    Inventory(DefaultMessageStore store) {
        this.store = store;
    }

    void print() throws Exception {
        Main.print("log", JSONObject.of("min", store.getMinPhyOffset(), "max", store.getMaxPhyOffset()));
        for (Map.Entry<String, Map<Integer, ConsumeQueueInterface>> topic : sorted().entrySet()) {
            for (ConsumeQueueInterface queue : topic.getValue().values()) {
                printQueue(queue);
            }
        }
    }

    private Map<String, Map<Integer, ConsumeQueueInterface>> sorted() {
        Map<String, Map<Integer, ConsumeQueueInterface>> topics = new TreeMap<>();
        store.getConsumeQueueTable().forEach((topic, queues) -> topics.put(topic, new TreeMap<>(queues)));
        return topics;
    }

    private void printQueue(ConsumeQueueInterface queue) throws Exception {
        String topic = queue.getTopic();
        int id = queue.getQueueId();
        long min = store.getMinOffsetInQueue(topic, id);
        long max = store.getMaxOffsetInQueue(topic, id);
        Main.print("queue", JSONObject.of("topic", topic, "queue", id, "min", min, "max", max));
        for (long at = min; at < max; ) {
            GetMessageResult result = store.getMessage("interop", topic, id, at, 32, null);
            try {
                if (result.getStatus() != GetMessageStatus.FOUND || result.getNextBeginOffset() <= at) {
                    Main.print("unreadable", JSONObject.of("topic", topic, "queue", id, "offset", at, "status", result.getStatus().name()));
                    return;
                }
                for (ByteBuffer record : result.getMessageBufferList()) {
                    Main.print("message", describe(record, queue));
                }
                at = result.getNextBeginOffset();
            } finally {
                result.release();
            }
        }
    }

    /** The record as it is stored, and what the store's own decoder and its queue say about it. */
    private static JSONObject describe(ByteBuffer record, ConsumeQueueInterface queue) throws GeneralSecurityException {
        byte[] raw = new byte[record.remaining()];
        record.duplicate().get(raw);
        // Bodies are not inflated, and their checksums are compared.
        MessageExt message = MessageDecoder.decode(ByteBuffer.wrap(raw), true, false);
        if (message == null) {
            return JSONObject.of("topic", queue.getTopic(), "queue", queue.getQueueId(), "record", Base64.getEncoder().encodeToString(raw));
        }
        // The decoder leaves out a body of no bytes.
        byte[] body = message.getBody() == null ? new byte[0] : message.getBody();
        CqUnit entry = queue.get(message.getQueueOffset());
        JSONObject report = new JSONObject();
        report.put("topic", message.getTopic());
        report.put("queue", message.getQueueId());
        report.put("offset", message.getQueueOffset());
        report.put("logOffset", message.getCommitLogOffset());
        report.put("size", message.getStoreSize());
        report.put("storedAt", message.getStoreTimestamp());
        report.put("bornHost", message.getBornHostString());
        report.put("storeHost", message.getStoreHost().toString());
        report.put("entry", JSONObject.of("logOffset", entry.getPos(), "size", entry.getSize(), "tagHash", entry.getTagsCode()));
        report.put("bodyHash", hexadecimal(MessageDigest.getInstance("SHA-256").digest(body)));
        report.put("properties", message.getProperties());
        report.put("record", Base64.getEncoder().encodeToString(raw));
        return report;
    }

    private static String hexadecimal(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte b : bytes) {
            text.append(String.format("%02x", b));
        }
        return text.toString();
    }
}
