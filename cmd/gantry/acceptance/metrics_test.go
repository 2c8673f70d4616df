package acceptance_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/gantrymq/gantry/internal/promtest"
	"github.com/stretchr/testify/require"
)

// Options that open the port of metrics at any free one.
var watchedOptions = []string{"--metricsExporterType", "PROM", "--metricsPromExporterPort", "0"}

// watched is a process whose metrics can be scraped.
type watched struct {
	*processtest.Process
	base string // URL without a path
}

// watch starts the binary, which ends with the test, and waits until it says where it is watched.
func watch(t *testing.T, arguments ...string) watched {
	t.Helper()
	command, err := built.Command(t.TempDir(), "gantry", arguments...)
	require.NoError(t, err)
	p := processtest.Launch(t, command)
	base, err := p.Says(`metrics +(http://\S+)/metrics`)
	require.NoError(t, err)
	return watched{p, base}
}

// get asks for a path with a connection of its own, so that none is left when leaks are looked for.
func get(t *testing.T, base, path string) (code int, text string) {
	t.Helper()
	code, text, err := tryGet(base + path)
	require.NoError(t, err)
	return code, text
}

func tryGet(address string) (code int, text string, err error) {
	one := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	response, err := one.Get(address)
	if err != nil {
		return 0, "", err
	}
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), errors.Join(err, response.Body.Close())
}

func (w watched) scrape(t *testing.T) *promtest.Scrape {
	t.Helper()
	code, text := get(t, w.base, "/metrics")
	require.Equal(t, 200, code, text)
	scrape, err := promtest.ReadScrape(strings.NewReader(text))
	require.NoError(t, err)
	return scrape
}

// value is the sum of the series with these labels, 0 if there are none.
func value(s *promtest.Scrape, metric string, labels ...string) float64 {
	sum, _ := s.Sum(metric, labels...)
	return sum
}

// shows waits until a metric has a value.
func (w watched) shows(t *testing.T, want float64, metric string, labels ...string) {
	t.Helper()
	var last *promtest.Scrape
	soon(t, func() bool {
		last = w.scrape(t)
		got, found := last.Sum(metric, labels...)
		return found > 0 && got == want
	}, "%s%v is not %g", metric, labels, want)
}

// watchedStandalone is a name server and a broker in one watched process.
func watchedStandalone(t *testing.T, more ...string) (watched, *cluster) {
	t.Helper()
	directory := t.TempDir()
	arguments := append([]string{"standalone", "--data", directory, "--namesrvPort", "0", "--brokerPort", "0", "--skipSelfTest"}, watchedOptions...)
	w := watch(t, append(arguments, more...)...)
	names, err := w.Says(processtest.NameServerStarted)
	require.NoError(t, err)
	return w, &cluster{directory: directory, names: names}
}

func TestEndToEndMetricsTellWhatWentInAndOutAndWhatWaits(t *testing.T) {
	endToEnd(t)
	w, c := watchedStandalone(t)
	const topic, group = "orders", "billing"
	c.tool(t, "updateTopic", "-c", "DefaultCluster", "-t", topic, "-r", "1", "-w", "1")
	before := w.scrape(t)
	require.Zero(t, value(before, "rocketmq_messages_in_total", "topic", topic))
	require.Zero(t, value(before, "gantry_append_seconds_count"))
	require.InDelta(t, 1, value(before, "gantry_ready", "node_type", "broker"), 0)
	require.InDelta(t, 1, value(before, "rocketmq_topic_create_execution_time_count", "invocation_status", "success"), 0)

	p := c.producer(t)
	sendNumbered(t, p, topic, 5)
	sent := w.scrape(t)
	require.InDelta(t, 5, value(sent, "rocketmq_messages_in_total", "topic", topic, "message_type", "normal", "is_system", "false"), 0)
	require.InDelta(t, 5, value(sent, "rocketmq_message_size_count", "topic", topic), 0)
	require.Greater(t, value(sent, "rocketmq_throughput_in_total", "topic", topic), 5*100.0)
	require.InDelta(t, 5, value(sent, "gantry_append_seconds_count"), 0)
	require.InDelta(t, 5, value(sent, "rocketmq_rpc_latency_count", "request_code", "SEND_MESSAGE_V2", "response_code", "SUCCESS", "result", "success"), 0)
	require.GreaterOrEqual(t, value(sent, "gantry_store_flush_seconds_count"), 1.0)
	require.Positive(t, value(sent, "gantry_append_seconds_sum"))
	require.Equal(t, value(sent, "gantry_store_written_offset"), value(sent, "gantry_store_confirmed_offset"))
	require.Zero(t, value(sent, "rocketmq_messages_out_total", "topic", topic))
	w.shows(t, 1, "rocketmq_producer_connections", "language", "go", "protocol_type", "remoting")

	m := c.consume(t, group, topic)
	gets(t, numbers(5), m)
	of := []string{"consumer_group", group, "topic", topic}
	w.shows(t, 5, "rocketmq_messages_out_total", of...)
	w.shows(t, 0, "rocketmq_consumer_lag_messages", of...)
	w.shows(t, 0, "rocketmq_consumer_lag_latency", of...)
	w.shows(t, 1, "rocketmq_consumer_connections", "consumer_group", group, "consume_mode", "push")
	w.shows(t, 1, "gantry_consumer_members", "consumer_group", group)
	require.Positive(t, value(w.scrape(t), "gantry_held_pulls"))

	m.leave(t)
	sendNumbered(t, p, topic, 3)
	w.shows(t, 3, "rocketmq_consumer_lag_messages", append(of, "is_retry", "false")...)
	w.shows(t, 3, "rocketmq_consumer_ready_messages", of...)
	w.shows(t, 3, "gantry_consumer_queue_lag_messages", append(of, "queue_id", "0")...)
	w.shows(t, 0, "gantry_consumer_members", "consumer_group", group)
	young := value(w.scrape(t), "gantry_consumer_oldest_unconsumed_seconds", of...)
	time.Sleep(50 * time.Millisecond)
	late := w.scrape(t)
	old := value(late, "gantry_consumer_oldest_unconsumed_seconds", of...)
	require.GreaterOrEqual(t, old, young+0.05)
	require.Less(t, old, patience.Seconds())
	require.InDelta(t, old*1000, value(late, "rocketmq_consumer_lag_latency", of...), 1)
	require.InDelta(t, old, value(late, "gantry_consumer_queue_lag_seconds", of...), 0.001)
	require.InDelta(t, 8, value(late, "rocketmq_messages_in_total", "topic", topic), 0)
	stop(t, w.Process)
}

func TestEndToEndABrokerIsReadyOnceANameServerHasIt(t *testing.T) {
	endToEnd(t)
	names, watchedAt := freeAddress(t), freeAddress(t)
	_, port, _ := strings.Cut(watchedAt, ":")
	command, err := built.Command(t.TempDir(), "gantry", append([]string{"broker", "--metricsExporterType", "PROM", "--metricsPromExporterPort", port},
		processtest.BrokerOptions("broker-a", names, t.TempDir(), "0")...)...)
	require.NoError(t, err)
	broker := processtest.Launch(t, command)
	_, err = broker.Says(processtest.BrokerStarted("broker-a"))
	require.NoError(t, err)
	base := "http://" + watchedAt
	code, text := get(t, base, "/readyz")
	require.Equal(t, 503, code)
	require.Contains(t, text, "no name server has taken the registration of this broker yet, so clients cannot find it")
	code, text = get(t, base, "/healthz")
	require.Equal(t, 200, code, text)
	w := watched{broker, base}
	require.Zero(t, value(w.scrape(t), "gantry_ready"))
	_, found := w.scrape(t).Sum("gantry_name_server_registered", "name_server", names)
	require.Equal(t, 1, found)

	_, namesPort, _ := strings.Cut(names, ":")
	server := watch(t, append([]string{"namesrv", "--bindAddress", processtest.Loopback, "--listenPort", namesPort, "--kvConfigPath", filepath.Join(t.TempDir(), "kv.json")}, watchedOptions...)...)
	soon(t, func() bool { code, _ = get(t, base, "/readyz"); return code == 200 }, "the broker does not get ready")
	require.InDelta(t, 1, value(w.scrape(t), "gantry_ready"), 0)
	server.shows(t, 1, "gantry_namesrv_brokers", "broker_cluster", "DefaultCluster")

	// Who dies takes no leave: the name server tells.
	broker.Kill()
	server.shows(t, 1, "gantry_namesrv_brokers_left_total", "reason", "disconnected")
	stop(t, server.Process)
}

func TestEndToEndABrokerThatStartsIsHealthyAndNotReady(t *testing.T) {
	endToEnd(t)
	w, c := watchedStandalone(t)
	send(t, c.producer(t), client.NewMessage("kept", []byte("body")))
	w.Kill()
	// Without a checkpoint the broker warns that it reads all of its log, and it waits until somebody reads the warning.
	require.NoError(t, os.Remove(filepath.Join(c.directory, "store", "checkpoint")))

	at := freeAddress(t)
	_, port, _ := strings.Cut(at, ":")
	command, err := built.Command(t.TempDir(), "gantry", "standalone", "--metricsExporterType", "PROM", "--metricsPromExporterPort", port,
		"--data", c.directory, "--namesrvPort", "0", "--brokerPort", "0", "--skipSelfTest")
	require.NoError(t, err)
	warnings, full := fullPipe(t)
	command.Stderr = full
	again := processtest.Launch(t, command)
	base := "http://" + at
	starts := func() bool {
		code, text, err := tryGet(base + "/readyz")
		return err == nil && code == 503 && strings.Contains(text, "the broker is starting")
	}
	soon(t, starts, "it does not say that it starts")
	code, text := get(t, base, "/healthz")
	require.Equal(t, 200, code, text)
	require.Zero(t, value(watched{again, base}.scrape(t), "gantry_ready", "node_id", "broker-a"))

	require.True(t, starts(), "it does not wait")
	go func() {
		// It ends when the pipe is closed.
		_, _ = io.Copy(&again.Err, warnings)
	}()
	_, err = again.Err.Await("all queues are built again from the log", nil)
	require.NoError(t, err)
	soon(t, func() bool { code, _, err := tryGet(base + "/readyz"); return err == nil && code == 200 }, "it does not get ready")
	require.InDelta(t, 1, value(watched{again, base}.scrape(t), "gantry_ready", "node_id", "broker-a"), 0)
	require.InDelta(t, 0, value(watched{again, base}.scrape(t), "gantry_store_first_offset"), 0)
	stop(t, again)
}

// fullPipe returns a pipe that takes nothing more before something was read from it.
func fullPipe(t *testing.T) (reading, writing *os.File) {
	t.Helper()
	reading, writing, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() {
		reading.Close()
		writing.Close()
	})
	require.NoError(t, writing.SetWriteDeadline(time.Now().Add(glance)))
	for err == nil {
		_, err = writing.Write(make([]byte, 1<<10))
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	return reading, writing
}

func TestEndToEndAPortOfMetricsThatIsTakenIsNamed(t *testing.T) {
	endToEnd(t)
	w, _ := watchedStandalone(t)
	address, err := url.Parse(w.base)
	require.NoError(t, err)
	for _, node := range []string{"broker --listenPort 0 --fastListenEnable false", "namesrv --listenPort 0", "standalone --namesrvPort 0 --brokerPort 0"} {
		code, text := gantry(t, append(strings.Fields(node), "--metricsExporterType", "PROM", "--metricsPromExporterPort", address.Port())...)
		require.Equal(t, 1, code, text)
		require.Contains(t, text, "another process listens on "+address.Host)
		require.Contains(t, text, "choose another port with --metricsPromExporterPort")
	}
	code, _ := get(t, w.base, "/debug/pprof/")
	require.Equal(t, 404, code, "profiles are not served unless asked for")
	code, err = w.Stop(syscall.SIGINT)
	require.NoError(t, err)
	require.Zero(t, code)
	_, _, err = tryGet(w.base + "/healthz")
	require.Error(t, err, "the port is closed")
}

func TestEndToEndKeysOfMetricsThatCannotBeAreNamed(t *testing.T) {
	endToEnd(t)
	for line, want := range map[string]string{
		"broker --metricsExporterType OTLP_GRPC":        `"OTLP_GRPC" is not one of DISABLE, PROM`,
		"broker --metricsLabel room":                    `metricsLabel: "room" is not name:value`,
		"broker --metricsLabel node_id:7":               "metricsLabel: the label node_id is there already",
		"namesrv --metricsLabel 7:x":                    `"7" cannot be the name of a label`,
		"standalone --metricsPromExporterHost here":     `metricsPromExporterHost: "here" is not an IP address`,
		"broker --metricsOtelCardinalityLimit 1":        "1 is not between 100 and 1000000",
		"broker --metricsPromExporterPort 70000 -n a:1": "70000 is not between 0 and 65535",
	} {
		code, text := gantry(t, strings.Fields(line)...)
		require.Equal(t, 2, code, "%s: %s", line, text)
		require.Contains(t, text, want, line)
	}
}
