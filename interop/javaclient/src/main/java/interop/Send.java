package interop;

import com.alibaba.fastjson2.JSONArray;
import com.alibaba.fastjson2.JSONObject;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.selector.SelectMessageQueueByHash;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.Message;

/** Sends the orders in "messages", in the way "mode": sync, async, oneway, batch, ordered (by the property "key"). */
final class Send {
    private Send() {
    }

    static Object run(Call call) throws Exception {
        DefaultMQProducer producer = call.configure(new DefaultMQProducer(call.text("group"), call.signer()));
        producer.setMaxMessageSize(8 << 20);
        producer.setSendMsgTimeout(10_000);
        if (call.text("compress") != null) {
            producer.setCompressType(CompressionType.valueOf(call.text("compress")));
        }
        if (call.is("plain")) {
            producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        }
        producer.start();
        try {
            return send(call, producer);
        } finally {
            // Traces leave in the background, and shutdown sends what is left of them.
            producer.shutdown();
        }
    }

    private static Object send(Call call, DefaultMQProducer producer) throws Exception {
        List<Message> messages = new ArrayList<>();
        JSONArray orders = call.arguments.getJSONArray("messages");
        for (int i = 0; i < orders.size(); i++) {
            messages.add(Messages.of(orders.getJSONObject(i), call.text("topic")));
        }
        if (call.text("mode").equals("batch")) {
            return List.of(Messages.outcome(0, producer.send(messages)));
        }
        List<JSONObject> outcomes = new ArrayList<>();
        List<CompletableFuture<SendResult>> later = new ArrayList<>();
        for (int i = 0; i < messages.size(); i++) {
            try {
                SendResult result = one(call.text("mode"), producer, messages.get(i), later);
                if (result != null) {
                    outcomes.add(Messages.outcome(i, result));
                }
            } catch (Exception problem) {
                outcomes.add(Messages.failure(i, problem));
            }
        }
        for (int i = 0; i < later.size(); i++) {
            outcomes.add(Messages.outcome(i, later.get(i).get()));
        }
        if (call.number("linger") > 0) {
            Thread.sleep(call.number("linger"));
        }
        return outcomes;
    }

    private static SendResult one(String mode, DefaultMQProducer producer, Message message,
        List<CompletableFuture<SendResult>> later) throws Exception {
        switch (mode) {
            case "sync":
                return producer.send(message);
            case "async":
                later.add(async(producer, message));
                return null;
            case "oneway":
                producer.sendOneway(message);
                return null;
            case "ordered":
                return producer.send(message, new SelectMessageQueueByHash(), message.getUserProperty("key"));
            default:
                throw new IllegalArgumentException(mode + " is not a mode");
        }
    }

    private static CompletableFuture<SendResult> async(DefaultMQProducer producer, Message message) throws Exception {
        CompletableFuture<SendResult> future = new CompletableFuture<>();
        producer.send(message, new SendCallback() {
            @Override public void onSuccess(SendResult result) {
                future.complete(result);
            }

            @Override public void onException(Throwable problem) {
                future.completeExceptionally(problem);
            }
        });
        return future;
    }
}
