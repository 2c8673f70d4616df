package interop;

import com.alibaba.fastjson2.JSONArray;
import com.alibaba.fastjson2.JSONObject;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.Map;
import java.util.Random;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageClientIDSetter;
import org.apache.rocketmq.common.message.MessageExt;

/** Messages as the tests write them. */
final class Messages {
    /** Of longer bodies only the hash is shown. */
    private static final int SHOWN = 4096;

    private Messages() {
    }

    /** The message of an order: tag, keys, properties, delay (a level), and body (base64) or noise (so many random bytes). */
    static Message of(JSONObject order, String topic) {
        Message message = new Message(topic, body(order));
        if (order.getString("tag") != null) {
            message.setTags(order.getString("tag"));
        }
        JSONArray keys = order.getJSONArray("keys");
        if (keys != null && !keys.isEmpty()) {
            message.setKeys(keys.toJavaList(String.class));
        }
        JSONObject properties = order.getJSONObject("properties");
        if (properties != null) {
            properties.forEach((name, value) -> message.putUserProperty(name, value.toString()));
        }
        if (order.getIntValue("delay") > 0) {
            message.setDelayTimeLevel(order.getIntValue("delay"));
        }
        return message;
    }

    private static byte[] body(JSONObject order) {
        if (order.containsKey("noise")) {
            byte[] noise = new byte[order.getIntValue("noise")];
            new Random(1).nextBytes(noise);
            return noise;
        }
        return Base64.getDecoder().decode(order.getString("body"));
    }

    static JSONObject outcome(int number, SendResult result) {
        return JSONObject.of("number", number, "status", result.getSendStatus().name())
            .fluentPut("uniqueId", result.getMsgId()).fluentPut("offsetId", result.getOffsetMsgId())
            .fluentPut("broker", result.getMessageQueue().getBrokerName())
            .fluentPut("queue", result.getMessageQueue().getQueueId()).fluentPut("offset", result.getQueueOffset());
    }

    static JSONObject failure(int number, Throwable problem) {
        return JSONObject.of("number", number, "error", problem.toString());
    }

    static JSONObject delivery(MessageExt message) throws Exception {
        JSONObject seen = new JSONObject();
        seen.put("topic", message.getTopic());
        seen.put("tag", message.getTags());
        seen.put("keys", message.getKeys() == null ? Collections.emptyList() : Arrays.asList(message.getKeys().split(" ")));
        Map<String, String> properties = message.getProperties();
        seen.put("properties", properties);
        byte[] body = message.getBody();
        if (body.length <= SHOWN) {
            seen.put("body", Base64.getEncoder().encodeToString(body));
        }
        seen.put("bodyHash", hash(body));
        seen.put("uniqueId", MessageClientIDSetter.getUniqID(message));
        seen.put("offsetId", offsetId(message));
        seen.put("broker", message.getBrokerName());
        seen.put("queue", message.getQueueId());
        seen.put("offset", message.getQueueOffset());
        seen.put("userFlags", message.getFlag());
        seen.put("redeliveries", message.getReconsumeTimes());
        seen.put("bornAt", message.getBornTimestamp());
        seen.put("storedAt", message.getStoreTimestamp());
        return seen;
    }

    /** The id that says where the message is stored: getMsgId has the sender's. */
    private static String offsetId(MessageExt message) {
        java.net.InetSocketAddress host = (java.net.InetSocketAddress) message.getStoreHost();
        ByteBuffer place = ByteBuffer.allocate(host.getAddress().getAddress().length + 12);
        place.put(host.getAddress().getAddress()).putInt(host.getPort()).putLong(message.getCommitLogOffset());
        StringBuilder text = new StringBuilder();
        for (byte one : place.array()) {
            text.append(String.format("%02X", one));
        }
        return text.toString();
    }

    private static String hash(byte[] body) throws Exception {
        StringBuilder text = new StringBuilder();
        for (byte one : MessageDigest.getInstance("SHA-256").digest(body)) {
            text.append(String.format("%02x", one));
        }
        return text.toString();
    }
}
