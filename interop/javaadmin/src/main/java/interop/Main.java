package interop;

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * Apache's mqadmin, for tests: each line of standard input is a JSON array, the arguments of one run; each line of standard
 * output is what that run printed. One process serves many runs, because its start takes longer than they do.
 */
public final class Main {
    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            List<String> words = JSON.parseArray(line, String.class);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream errors = new ByteArrayOutputStream();
            System.setOut(new PrintStream(out, true, "UTF-8"));
            PrintStream before = System.err;
            System.setErr(new PrintStream(errors, true, "UTF-8"));
            MQAdminStartup.main0(words.toArray(new String[0]), null);
            System.setErr(before);
            // Commands end well or with a trace on one of the two; main0 has no result.
            answers.println(JSON.toJSONString(JSONObject.of("out", out.toString("UTF-8"), "errors", errors.toString("UTF-8"))));
            answers.flush();
        }
        System.exit(0);
    }
}
