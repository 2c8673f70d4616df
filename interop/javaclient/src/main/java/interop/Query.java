package interop;

import com.alibaba.fastjson2.JSONObject;
import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;

/** Looks for messages by "offsetId", "uniqueId" and "key". */
final class Query {
    private Query() {
    }

    static Object run(Call call) throws Exception {
        DefaultMQProducer client = call.configure(new DefaultMQProducer(call.text("group")));
        client.start();
        try {
            JSONObject found = new JSONObject();
            String topic = call.text("topic");
            if (call.text("offsetId") != null) {
                found.put("byOffsetId", Messages.delivery(client.viewMessage(topic, call.text("offsetId"))));
            }
            if (call.text("uniqueId") != null) {
                found.put("byUniqueId", Messages.delivery(client.viewMessage(topic, call.text("uniqueId"))));
            }
            List<JSONObject> byKey = new ArrayList<>();
            try {
                for (MessageExt message : client.queryMessage(topic, call.text("key"), 32, 0, Long.MAX_VALUE).getMessageList()) {
                    byKey.add(Messages.delivery(message));
                }
            } catch (MQClientException none) {
                // That is how it says that there is no such message.
                found.put("none", none.toString());
            }
            found.put("byKey", byKey);
            return found;
        } finally {
            client.shutdown();
        }
    }
}
