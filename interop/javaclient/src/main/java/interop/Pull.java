package interop;

import com.alibaba.fastjson2.JSONObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Reads every queue of a topic with DefaultMQPullConsumer, commits, and tells all that can be asked about the queues. */
@SuppressWarnings("deprecation")
final class Pull {
    private Pull() {
    }

    static Object run(Call call) throws Exception {
        DefaultMQPullConsumer consumer = call.configure(new DefaultMQPullConsumer(call.text("group")));
        consumer.start();
        try {
            List<JSONObject> queues = new ArrayList<>();
            for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(call.text("topic"))) {
                queues.add(read(call, consumer, queue));
            }
            return queues;
        } finally {
            consumer.shutdown();
        }
    }

    private static JSONObject read(Call call, DefaultMQPullConsumer consumer, MessageQueue queue) throws Exception {
        String expression = call.text("expression") == null ? "*" : call.text("expression");
        long next = consumer.minOffset(queue);
        long max = consumer.maxOffset(queue);
        int count = 0;
        String last = "";
        while (next < max) {
            PullResult pulled = consumer.pull(queue, expression, next, 16);
            for (MessageExt message : pulled.getMsgFoundList() == null ? List.<MessageExt>of() : pulled.getMsgFoundList()) {
                call.event(JSONObject.of("delivery", Messages.delivery(message)));
                count++;
            }
            next = pulled.getNextBeginOffset();
            last = pulled.getPullStatus().name();
        }
        PullStatus end = consumer.pull(queue, expression, max, 16).getPullStatus();
        PullStatus beyond = consumer.pull(queue, expression, max + 100, 16).getPullStatus();
        consumer.updateConsumeOffset(queue, next);
        // persist of one queue does nothing.
        consumer.getOffsetStore().persistAll(Set.of(queue));
        return JSONObject.of("broker", queue.getBrokerName(), "queue", queue.getQueueId(), "count", count)
            .fluentPut("max", max).fluentPut("last", last).fluentPut("end", end.name()).fluentPut("beyond", beyond.name())
            .fluentPut("committed", committed(consumer, queue, next))
            .fluentPut("byTime", consumer.searchOffset(queue, 0));
    }

    /** What the broker says, as soon as it is what was committed: nobody waits for an answer to a commit. */
    private static long committed(DefaultMQPullConsumer consumer, MessageQueue queue, long expected) throws Exception {
        long committed = -1;
        for (int i = 0; i < 50 && committed != expected; i++, Thread.sleep(100)) {
            committed = consumer.fetchConsumeOffset(queue, true);
        }
        return committed;
    }
}
