package interop;

import com.alibaba.fastjson2.JSONObject;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

/**
 * Consumes until it is stopped; each message is an event. Arguments: "orderly", "broadcast", "sql" or "expression",
 * "sleep" (ms for each message), "failures" (how often each message fails), "maxReconsume"; "pop" (brokers assign queues, and may have them popped),
 * with "invisible" (ms), "popBatch" and "popLimit"; "hang" (a message is never done with).
 */
final class Push {
    private final Call call;

    private Push(Call call) {
        this.call = call;
    }

    static Object run(Call call) throws Exception {
        DefaultMQPushConsumer consumer = call.configure(new DefaultMQPushConsumer(call.text("group"), call.signer()));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        if (call.text("sql") != null) {
            consumer.subscribe(call.text("topic"), MessageSelector.bySql(call.text("sql")));
        } else {
            String expression = call.text("expression");
            consumer.subscribe(call.text("topic"), expression == null ? "*" : expression);
        }
        if (call.is("broadcast")) {
            consumer.setMessageModel(MessageModel.BROADCASTING);
        }
        if (call.arguments.containsKey("maxReconsume")) {
            consumer.setMaxReconsumeTimes(call.number("maxReconsume"));
        }
        if (call.is("pop")) {
            pop(call, consumer);
        }
        Push push = new Push(call);
        if (call.is("orderly")) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) ->
                push.consume(messages) ? ConsumeOrderlyStatus.SUCCESS : ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT);
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) ->
                push.consume(messages) ? ConsumeConcurrentlyStatus.CONSUME_SUCCESS : ConsumeConcurrentlyStatus.RECONSUME_LATER);
        }
        consumer.start();
        call.await();
        consumer.shutdown();
        return true;
    }

    private static void pop(Call call, DefaultMQPushConsumer consumer) {
        consumer.setClientRebalance(false);
        if (call.number("invisible") > 0) {
            consumer.setPopInvisibleTime(call.number("invisible"));
        }
        if (call.number("popBatch") > 0) {
            consumer.setPopBatchNums(call.number("popBatch"));
            consumer.setPopThresholdForQueue(call.number("popLimit"));
        }
    }

    /** Whether all went well. The client gives one message at a time, its default. */
    private boolean consume(List<MessageExt> messages) {
        boolean well = true;
        for (MessageExt message : messages) {
            try {
                long from = System.currentTimeMillis();
                Thread.sleep(call.number("sleep"));
                JSONObject seen = Messages.delivery(message);
                // Two processes may not have a queue at the same time.
                seen.fluentPut("from", from).fluentPut("until", System.currentTimeMillis());
                call.event(JSONObject.of("delivery", seen));
                if (call.is("hang")) {
                    Thread.sleep(Long.MAX_VALUE);
                }
            } catch (Exception problem) {
                throw new IllegalStateException(problem);
            }
            well &= message.getReconsumeTimes() >= call.number("failures");
        }
        return well;
    }
}
