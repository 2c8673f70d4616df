package interop;

import com.alibaba.fastjson2.JSONObject;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** DefaultLitePullConsumer, with shared queues and with queues of its own choice. */
final class Lite {
    private Lite() {
    }

    /** Polls "count" messages of a subscribed topic and commits them. */
    static Object run(Call call) throws Exception {
        DefaultLitePullConsumer consumer = call.configure(new DefaultLitePullConsumer(call.text("group")));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setAutoCommit(false);
        String expression = call.text("expression");
        consumer.subscribe(call.text("topic"), expression == null ? "*" : expression);
        consumer.start();
        try {
            int polled = show(call, consumer, call.number("count"), 20_000);
            // What has been committed goes to the broker later; the shutdown sends it at the latest.
            consumer.commitSync();
            return JSONObject.of("polled", polled, "assigned", consumer.assignment().size());
        } finally {
            consumer.shutdown();
        }
    }

    private static int show(Call call, DefaultLitePullConsumer consumer, int count, long patience) throws Exception {
        int polled = 0;
        for (long end = System.currentTimeMillis() + patience; polled < count && System.currentTimeMillis() < end; ) {
            for (MessageExt message : consumer.poll(200)) {
                call.event(JSONObject.of("delivery", Messages.delivery(message)));
                polled++;
            }
        }
        return polled;
    }

    /** Goes through one queue that has "count" messages: all, again from the middle, none of five more while paused, those. */
    static Object assign(Call call) throws Exception {
        DefaultLitePullConsumer consumer = call.configure(new DefaultLitePullConsumer(call.text("group")));
        consumer.setAutoCommit(false);
        consumer.start();
        try {
            return walk(call, consumer);
        } finally {
            consumer.shutdown();
        }
    }

    private static JSONObject walk(Call call, DefaultLitePullConsumer consumer) throws Exception {
        Collection<MessageQueue> queues = consumer.fetchMessageQueues(call.text("topic"));
        MessageQueue queue = queues.stream().filter(q -> q.getBrokerName().equals(call.text("broker"))).findFirst().get();
        int count = call.number("count");
        consumer.assign(List.of(queue));
        settle();
        consumer.seekToBegin(queue);
        List<Long> all = poll(consumer, count, 10_000);
        settle();
        consumer.seek(queue, count / 2);
        List<Long> again = poll(consumer, count - count / 2, 10_000);
        consumer.pause(List.of(queue));
        // The pull that is under way brings what comes first.
        sendTo(call, queue, 1);
        List<Long> before = poll(consumer, 1, 3000);
        sendTo(call, queue, 5);
        List<Long> paused = poll(consumer, 1, 1500);
        consumer.resume(List.of(queue));
        List<Long> resumed = poll(consumer, 6 - before.size(), 10_000);
        resumed.addAll(0, before);
        consumer.commitSync(Map.of(queue, (long) count - 1), true);
        long committed = -1;
        for (int i = 0; i < 50 && committed != count - 1; i++, Thread.sleep(100)) {
            committed = consumer.committed(queue);
        }
        settle();
        consumer.seekToEnd(queue);
        List<Long> end = poll(consumer, 1, 1000);
        return JSONObject.of("queues", queues.size(), "all", all, "again", again, "paused", paused, "resumed", resumed)
            .fluentPut("committed", committed).fluentPut("end", end)
            .fluentPut("byTime", consumer.offsetForTimestamp(queue, 0L));
    }

    /**
     * Lets the pull that is to be replaced get to the broker. A seek in the moment before is lost in the client, whatever the broker does: in
     * DefaultLitePullConsumerImpl, nextPullOffset of the cancelled task takes the offset to seek to, and the next task finds none.
     */
    private static void settle() throws InterruptedException {
        Thread.sleep(500);
    }

    private static void sendTo(Call call, MessageQueue queue, int count) throws Exception {
        DefaultMQProducer producer = call.configure(new DefaultMQProducer(call.text("group") + "-sender"));
        producer.start();
        for (int i = 0; i < count; i++) {
            producer.send(new Message(queue.getTopic(), new byte[] {'x'}), queue);
        }
        producer.shutdown();
    }

    private static List<Long> poll(DefaultLitePullConsumer consumer, int count, long patience) {
        List<Long> offsets = new ArrayList<>();
        for (long end = System.currentTimeMillis() + patience; offsets.size() < count && System.currentTimeMillis() < end; ) {
            for (MessageExt message : consumer.poll(200)) {
                offsets.add(message.getQueueOffset());
            }
        }
        return offsets;
    }
}
