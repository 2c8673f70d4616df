package interop;

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONArray;
import com.alibaba.fastjson2.JSONObject;
import java.io.BufferedReader;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;

/** The two roles that every peer of the tests has. */
final class Peer {
    /** How many sends are under way at one time. */
    private static final int WINDOW = 16;
    /** How often, and after how many ms, something is tried again that asked a name server that is away. */
    private static final int TRIES = 40;
    private static final long PAUSE = 300;

    private Peer() {
    }

    static void produce(JSONObject settings) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(settings.getString("group"));
        find(producer, settings);
        producer.start();
        Main.print(JSONObject.of("ready", true));
        ExecutorService senders = Executors.newFixedThreadPool(WINDOW);
        BufferedReader in = Main.input();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JSONObject order = JSON.parseObject(line);
            senders.submit(() -> {
                Main.print(JSONObject.of("outcome", send(producer, order)));
                return null;
            });
        }
        senders.shutdown();
        if (!senders.awaitTermination(60, TimeUnit.SECONDS)) {
            throw new IllegalStateException("sends do not end");
        }
        producer.shutdown();
    }

    private static JSONObject send(DefaultMQProducer producer, JSONObject order) throws InterruptedException {
        int number = order.getIntValue("number");
        for (int tries = 0; ; tries++) {
            try {
                return Messages.outcome(number, producer.send(Messages.of(order, order.getString("topic"))));
            } catch (Exception problem) {
                if (tries == TRIES || !unlucky(problem)) {
                    return Messages.failure(number, problem);
                }
                Thread.sleep(PAUSE + tries * 37L);
            }
        }
    }

    /** Whether a call failed because it asked a name server that is away: each asks one only, and the choice is left to chance. */
    private static boolean unlucky(Exception problem) {
        return problem.toString().contains("connect to null failed");
    }

    static void consume(JSONObject settings) throws Exception {
        DefaultMQPushConsumer consumer = null;
        for (int tries = 0; consumer == null; tries++) {
            try {
                consumer = begin(settings);
            } catch (IllegalStateException problem) {
                if (tries == TRIES || !unlucky(problem)) {
                    throw problem;
                }
                Thread.sleep(PAUSE);
            }
        }
        Main.print(JSONObject.of("ready", true));
        while (System.in.read() >= 0) {
            // Only the end counts.
        }
        consumer.shutdown();
    }

    /** A consumer that has started; one that fails to start cannot be started again. */
    private static DefaultMQPushConsumer begin(JSONObject settings) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(settings.getString("group"));
        find(consumer, settings);
        String expression = settings.getString("expression");
        consumer.subscribe(settings.getString("topic"), expression == null ? "*" : expression);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                show(message);
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return consumer;
    }

    private static void show(MessageExt message) {
        try {
            JSONObject seen = Messages.delivery(message);
            // The words of peers have the body, however long.
            seen.put("body", java.util.Base64.getEncoder().encodeToString(message.getBody()));
            Main.print(JSONObject.of("delivery", seen));
        } catch (Exception problem) {
            throw new IllegalStateException(problem);
        }
    }

    /** Name servers come from a list, or from an endpoint whose URL the client puts together from system properties. */
    private static void find(ClientConfig client, JSONObject settings) {
        JSONArray names = settings.getJSONArray("nameServers");
        if (names != null) {
            client.setNamesrvAddr(String.join(";", names.toJavaList(String.class)));
        }
        client.setPollNameServerInterval(2000);
    }
}
