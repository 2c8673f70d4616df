package interop;

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import java.io.BufferedReader;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.remoting.RPCHook;

/**
 * One call: {@code {"id":1,"call":"push","arguments":{…}} } begins it, {@code {"id":1,"stop":true} } ends one that waits
 * for it. It prints {@code {"id":1,"event":…} } any number of times, and last {@code {"id":1,"result":…} } or
 * {@code {"id":1,"error":"…"} }.
 */
final class Call {
    /** What a call does; the result is printed. */
    interface Work {
        Object run(Call call) throws Exception;
    }

    private static final Map<String, Work> ALL = new HashMap<>();

    static {
        ALL.put("send", Send::run);
        ALL.put("push", Push::run);
        ALL.put("pull", Pull::run);
        ALL.put("lite", Lite::run);
        ALL.put("assign", Lite::assign);
        ALL.put("reply", Ask::reply);
        ALL.put("request", Ask::request);
        ALL.put("query", Query::run);
    }

    final JSONObject arguments;
    private final int id;
    private final CountDownLatch stopped = new CountDownLatch(1);

    private Call(int id, JSONObject arguments) {
        this.id = id;
        this.arguments = arguments;
    }

    static void serve() throws Exception {
        Map<Integer, Call> running = new HashMap<>();
        Main.print(JSONObject.of("ready", true));
        BufferedReader in = Main.input();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JSONObject words = JSON.parseObject(line);
            int id = words.getIntValue("id");
            if (words.getBooleanValue("stop")) {
                running.remove(id).stopped.countDown();
                continue;
            }
            Call call = new Call(id, words.getJSONObject("arguments"));
            running.put(id, call);
            Thread thread = new Thread(() -> call.run(ALL.get(words.getString("call"))), "call " + id);
            thread.setDaemon(true);
            thread.start();
        }
    }

    private void run(Work work) {
        try {
            Main.print(JSONObject.of("id", id, "result", work.run(this)));
        } catch (Throwable problem) {
            StringWriter text = new StringWriter();
            problem.printStackTrace(new PrintWriter(text));
            Main.print(JSONObject.of("id", id, "error", text.toString()));
        }
    }

    String text(String name) {
        return arguments.getString(name);
    }

    boolean is(String name) {
        return arguments.getBooleanValue(name);
    }

    int number(String name) {
        return arguments.getIntValue(name);
    }

    /** Who signs requests, or null. */
    RPCHook signer() {
        if (text("accessKey") == null) {
            return null;
        }
        return new AclClientRPCHook(new SessionCredentials(text("accessKey"), text("secretKey")));
    }

    /** Gives a client what all clients need. */
    <T extends ClientConfig> T configure(T client) {
        client.setNamesrvAddr(text("nameServers"));
        if (text("namespace") != null) {
            client.setNamespace(text("namespace"));
        }
        if (text("namespaceV2") != null) {
            client.setNamespaceV2(text("namespaceV2"));
        }
        client.setEnableTrace(is("trace"));
        // Partners find one another through what the name server and the broker tell: look often.
        client.setPollNameServerInterval(2000);
        client.setHeartbeatBrokerInterval(2000);
        client.setPersistConsumerOffsetInterval(500);
        return client;
    }

    void event(Object event) {
        Main.print(JSONObject.of("id", id, "event", event));
    }

    /** Waits until the test stops the call. */
    void await() throws InterruptedException {
        event(JSONObject.of("ready", true));
        stopped.await();
    }
}
