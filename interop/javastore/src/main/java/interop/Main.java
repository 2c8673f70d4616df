package interop;

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * Apache's message store on a directory, for tests: {@code Main write|append|read <settings> }.
 *
 * <p>{@code write} begins a new directory; {@code append} and {@code read} open one, and report first all that it has.
 * Then each line of standard input is a JSON object: {@code put} a message (not with {@code read}), or {@code find}
 * messages by key. Its end closes the store in order, or kills the process if the settings say so. Each line of standard
 * output is one report.
 */
public final class Main {
    public static void main(String[] arguments) {
        int code = 0;
        try {
            run(arguments);
        } catch (Throwable problem) {
            problem.printStackTrace();
            code = 1;
        }
        // Some of the store's threads are no daemons.
        System.exit(code);
    }

    private static void run(String[] arguments) throws Exception {
        if (arguments.length != 2) {
            throw new IllegalArgumentException("usage: Main write|append|read <settings as JSON>");
        }
        String command = arguments[0];
        Settings settings = JSON.parseObject(arguments[1], Settings.class);
        boolean exists = new File(settings.directory, "commitlog").exists();
        if (exists == command.equals("write")) {
            throw new IllegalStateException(settings.directory + (exists ? " has a store" : " has no store"));
        }
        Directory directory = new Directory(settings);
        if (exists) {
            new Inventory(directory.store).print();
        }
        print("ready", true);
        obey(directory, command.equals("read"));
        if (settings.halt) {
            print("halted", true);
            // Nothing is closed and no hook runs: to the files it is a crash.
            Runtime.getRuntime().halt(0);
        }
        directory.close();
        print("closed", true);
    }

    private static void obey(Directory directory, boolean readOnly) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Putter putter = new Putter(directory.store);
        Finder finder = new Finder(directory.store);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JSONObject order = JSON.parseObject(line);
            if (order.containsKey("find")) {
                directory.catchUp();
                print("found", finder.find(order.getJSONObject("find")));
            } else if (!readOnly) {
                print("stored", putter.put(order.getJSONObject("put")));
            } else {
                throw new IllegalArgumentException("read puts no messages");
            }
        }
    }

    /** Prints a report: an object with one field, on one line, at once. */
    static void print(String name, Object value) {
        System.out.println(JSON.toJSONString(JSONObject.of(name, value)));
        System.out.flush();
    }
}
