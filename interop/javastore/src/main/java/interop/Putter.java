package interop;

import com.alibaba.fastjson2.JSONObject;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.Base64;
import java.util.Map;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExtBrokerInner;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.PutMessageResult;

/** Puts messages into a store, as a broker does for a producer. */
final class Putter {
    private final DefaultMessageStore store;

    Putter(DefaultMessageStore store) {
        this.store = store;
    }

    JSONObject put(JSONObject order) throws UnknownHostException {
        PutMessageResult result = store.putMessage(message(order));
        JSONObject report = JSONObject.of("status", result.getPutMessageStatus().name());
        if (result.getAppendMessageResult() != null) {
            report.put("offset", result.getAppendMessageResult().getLogicsOffset());
            report.put("logOffset", result.getAppendMessageResult().getWroteOffset());
            report.put("size", result.getAppendMessageResult().getWroteBytes());
            report.put("storedAt", result.getAppendMessageResult().getStoreTimestamp());
        }
        return report;
    }

    private static MessageExtBrokerInner message(JSONObject order) throws UnknownHostException {
        MessageExtBrokerInner message = new MessageExtBrokerInner();
        message.setTopic(order.getString("topic"));
        message.setQueueId(order.getIntValue("queue"));
        message.setBody(Base64.getDecoder().decode(order.getString("body")));
        message.setFlag(order.getIntValue("userFlags"));
        message.setSysFlag(order.getIntValue("sysFlags"));
        message.setBornTimestamp(order.getLongValue("bornAt"));
        message.setReconsumeTimes(order.getIntValue("redeliveries"));
        message.setPreparedTransactionOffset(order.getLongValue("preparedAt"));
        message.setBornHost(host(order.getString("bornHost")));
        message.setStoreHost(host(order.getString("storeHost")));
        for (Map.Entry<String, Object> property : order.getJSONObject("properties").entrySet()) {
            MessageAccessor.putProperty(message, property.getKey(), (String) property.getValue());
        }
        message.setPropertiesString(MessageDecoder.messageProperties2String(message.getProperties()));
        return message;
    }

    /** From address:port, where the address may be IPv6 without brackets. */
    private static InetSocketAddress host(String text) throws UnknownHostException {
        int colon = text.lastIndexOf(':');
        return new InetSocketAddress(InetAddress.getByName(text.substring(0, colon)), Integer.parseInt(text.substring(colon + 1)));
    }
}
