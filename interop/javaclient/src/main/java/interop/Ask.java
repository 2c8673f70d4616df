package interop;

import com.alibaba.fastjson2.JSONObject;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Requests and replies. */
final class Ask {
    private Ask() {
    }

    /** Answers each request with its body and "!", until it is stopped. */
    static Object reply(Call call) throws Exception {
        DefaultMQProducer producer = call.configure(new DefaultMQProducer(call.text("group") + "-replies"));
        producer.start();
        DefaultMQPushConsumer consumer = call.configure(new DefaultMQPushConsumer(call.text("group")));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(call.text("topic"), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                try {
                    String answer = new String(message.getBody(), StandardCharsets.UTF_8) + "!";
                    Message reply = MessageUtil.createReplyMessage(message, answer.getBytes(StandardCharsets.UTF_8));
                    call.event(JSONObject.of("replied", producer.send(reply, 5000).getSendStatus().name()));
                } catch (Exception problem) {
                    call.event(JSONObject.of("failed", problem.toString()));
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        call.await();
        consumer.shutdown();
        producer.shutdown();
        return true;
    }

    /**
     * Asks each of "bodies", one after the other, with callbacks: the form of request that waits gives up at once in this
     * release, because it takes the acknowledgement of the request for the answer. A callback is told of both.
     */
    static Object request(Call call) throws Exception {
        DefaultMQProducer producer = call.configure(new DefaultMQProducer(call.text("group")));
        producer.start();
        try {
            List<String> answers = new ArrayList<>();
            for (String body : call.arguments.getJSONArray("bodies").toJavaList(String.class)) {
                CompletableFuture<String> answer = new CompletableFuture<>();
                producer.request(message(call, body), callback(answer), 15_000);
                answers.add(answer.get());
            }
            return answers;
        } finally {
            producer.shutdown();
        }
    }

    private static RequestCallback callback(CompletableFuture<String> answer) {
        return new RequestCallback() {
            @Override public void onSuccess(Message message) {
                if (message != null) {
                    answer.complete(text(message));
                }
            }

            @Override public void onException(Throwable problem) {
                answer.completeExceptionally(problem);
            }
        };
    }

    private static Message message(Call call, String body) {
        return new Message(call.text("topic"), body.getBytes(StandardCharsets.UTF_8));
    }

    private static String text(Message message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }
}
