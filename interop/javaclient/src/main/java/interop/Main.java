package interop;

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * Apache's client, for tests: {@code Main producer|consumer|calls <settings> }.
 *
 * <p>A producer or a consumer is a peer as package interop describes it. With {@code calls} each line of standard input is
 * a call (see {@link Call}); calls run side by side. The end of standard input ends the process in order.
 */
public final class Main {
    public static void main(String[] arguments) {
        int code = 0;
        try {
            JSONObject settings = JSON.parseObject(arguments[1]);
            switch (arguments[0]) {
                case "producer": Peer.produce(settings); break;
                case "consumer": Peer.consume(settings); break;
                case "calls": Call.serve(); break;
                default: throw new IllegalArgumentException(arguments[0] + " is not a role");
            }
        } catch (Throwable problem) {
            problem.printStackTrace();
            code = 1;
        }
        // Some threads of the client are no daemons.
        System.exit(code);
    }

    /** Standard input, line by line. */
    static BufferedReader input() {
        return new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    }

    /** Prints an object on one line, at once. Many threads call it. */
    static synchronized void print(JSONObject report) {
        byte[] line = (JSON.toJSONString(report) + "\n").getBytes(StandardCharsets.UTF_8);
        System.out.write(line, 0, line.length);
        System.out.flush();
    }
}
