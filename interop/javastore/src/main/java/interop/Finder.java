package interop;

import com.alibaba.fastjson2.JSONObject;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.QueryMessageResult;

/** Finds messages by key. */
final class Finder {
    /** The most that a query returns, whatever is asked for (maxMsgsNumBatch). */
    private static final int LIMIT = 64;

    private final DefaultMessageStore store;

    Finder(DefaultMessageStore store) {
        this.store = store;
    }

    /** All messages with the hash of a key, by their places in the log. */
    JSONObject find(JSONObject query) {
        String topic = query.getString("topic");
        String key = query.getString("key");
        List<Long> places = new ArrayList<>();
        QueryMessageResult result = store.queryMessage(topic, key, LIMIT, 0, Long.MAX_VALUE);
        try {
            for (ByteBuffer record : result.getMessageBufferList()) {
                MessageExt message = MessageDecoder.decode(record, false, false);
                places.add(message.getCommitLogOffset());
            }
        } finally {
            result.release();
        }
        return JSONObject.of("topic", topic, "key", key, "logOffsets", places, "indexedTo", result.getIndexLastUpdatePhyoffset());
    }
}
