package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// benchmark is the clients of a measurement, each in a world of its own, so that they do not share a baton.
type benchmark struct {
	options   benchOptions
	console   *console
	worlds    []*osenv.World
	producers []*client.Producer
	consumers []*client.PullConsumer
}

func newBenchmark(ctx context.Context, o benchOptions, c *console) (*benchmark, error) {
	b := &benchmark{options: o, console: c}
	err := b.makeTopic(ctx)
	for i := 0; i < o.Connections && err == nil; i++ {
		err = b.addClients(i)
	}
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *benchmark) names() client.Option {
	return client.WithNameServers(strings.Split(b.options.NameServers, ";")...)
}

func (b *benchmark) makeTopic(ctx context.Context) error {
	world, err := osenv.New(osenv.Options{Node: "bench admin", ClientTLS: b.options.secrets})
	if err != nil {
		return err
	}
	admin, err := client.NewAdmin(world.Env, b.names())
	if err != nil {
		return err
	}
	topic := proto.NewTopicConfig(b.options.Topic)
	topic.ReadQueues, topic.WriteQueues = int32(b.options.Queues), int32(b.options.Queues)
	patient, stop := context.WithTimeout(ctx, registeredWithin)
	defer stop()
	err = until(patient, client.ErrNoBroker, func() error { return makeTopicEverywhere(patient, admin, topic) })
	return errors.Join(err, admin.Close(ctx))
}

// registeredWithin is how long brokers may take that have just started, or whose group elects its first master.
const registeredWithin = 10 * time.Second

// makeTopicEverywhere makes a topic in all clusters.
func makeTopicEverywhere(ctx context.Context, admin *client.Admin, topic client.TopicConfig) error {
	info, err := admin.Cluster(ctx)
	if err != nil {
		return err
	}
	if len(info.Clusters) == 0 {
		return fmt.Errorf("%w: no broker has registered with the name servers: start one with gantry broker -n and the same addresses", client.ErrNoBroker)
	}
	for _, cluster := range info.Clusters {
		if _, err := admin.UpdateTopicInCluster(ctx, cluster.Name, topic); err != nil {
			return err
		}
	}
	return nil
}

func (b *benchmark) addClients(number int) error {
	world, err := osenv.New(osenv.Options{Node: fmt.Sprint("bench ", number), ClientTLS: b.options.secrets})
	if err != nil {
		return err
	}
	b.worlds = append(b.worlds, world)
	instance := client.WithInstanceName(fmt.Sprint("bench", number))
	producer, err := client.NewProducer(world.Env, b.names(), instance, client.WithGroup("gantry-bench"),
		client.WithSendTimeout(benchTimeout), client.WithCompression(1<<30, 3, 5), client.WithMaxMessageSize(16<<20))
	if err != nil {
		return err
	}
	b.producers = append(b.producers, producer)
	consumer, err := client.NewPullConsumer(world.Env, b.names(), instance, client.WithGroup("gantry-bench"), client.WithHold(0))
	if err != nil {
		return err
	}
	b.consumers = append(b.consumers, consumer)
	return nil
}

// close says goodbye to the brokers.
func (b *benchmark) close() error {
	var errs []error
	for _, p := range b.producers {
		errs = append(errs, p.Close(context.Background()))
	}
	for _, c := range b.consumers {
		errs = append(errs, c.Close(context.Background()))
	}
	for _, w := range b.worlds {
		w.Wait()
	}
	return errors.Join(errs...)
}

// run sends, and then consumes from where the queues ended before.
func (b *benchmark) run(ctx context.Context) (*benchResult, error) {
	starts, err := b.ends(ctx)
	if err != nil {
		return nil, err
	}
	result := &benchResult{Size: b.options.Size, Connections: b.options.Connections, InFlight: b.options.InFlight, Flush: b.options.Flush}
	result.Send, err = b.send(ctx)
	if err != nil || b.options.SkipConsume {
		return result, err
	}
	result.Consume, err = b.consume(ctx, starts)
	if err == nil && result.Consume.Messages < result.Send.Messages {
		err = fmt.Errorf("%d messages were sent and only %d came back", result.Send.Messages, result.Consume.Messages)
	}
	return result, err
}

// ends are the queues and where they end now.
func (b *benchmark) ends(ctx context.Context) (map[client.Queue]client.QueueOffset, error) {
	consumer := b.consumers[0]
	queues, err := consumer.Queues(ctx, b.options.Topic)
	for began := time.Now(); err != nil && time.Since(began) < benchTimeout; queues, err = consumer.Queues(ctx, b.options.Topic) {
		// The broker tells the name server of a new topic right after it has answered.
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		return nil, err
	}
	ends := map[client.Queue]client.QueueOffset{}
	for _, queue := range queues {
		if ends[queue], err = consumer.MaxOffset(ctx, queue); err != nil {
			return nil, err
		}
	}
	return ends, nil
}

// send shares the messages among all senders.
func (b *benchmark) send(ctx context.Context) (benchPhase, error) {
	body := make([]byte, b.options.Size)
	for i := range body {
		body[i] = byte(i)
	}
	m := newMeter("sending", b.options.Messages)
	var left atomic.Int64
	left.Store(int64(b.options.Messages))
	var all sync.WaitGroup
	for _, producer := range b.producers {
		for range b.options.InFlight {
			all.Go(func() {
				local := m.local()
				defer m.merge(local)
				for left.Add(-1) >= 0 && !m.failed() {
					began := time.Now()
					_, err := producer.Send(ctx, client.NewMessage(b.options.Topic, body))
					if err != nil {
						m.fail(err)
						return
					}
					local.record(time.Since(began), 1, len(body))
				}
			})
		}
	}
	all.Wait()
	return m.end()
}

// consume reads every queue from where it ended before the measurement to its end.
func (b *benchmark) consume(ctx context.Context, starts map[client.Queue]client.QueueOffset) (benchPhase, error) {
	m := newMeter("consuming", b.options.Messages)
	turns := make(chan client.Queue, len(starts))
	for queue := range starts {
		turns <- queue
	}
	close(turns)
	var all sync.WaitGroup
	for _, consumer := range b.consumers {
		all.Go(func() {
			local := m.local()
			defer m.merge(local)
			for queue := range turns {
				if err := drain(ctx, consumer, queue, starts[queue], local); err != nil {
					m.fail(err)
				}
			}
		})
	}
	all.Wait()
	return m.end()
}

// drain reads one queue to its end.
func drain(ctx context.Context, consumer *client.PullConsumer, queue client.Queue, from client.QueueOffset, local *localMeter) error {
	for {
		began := time.Now()
		result, err := consumer.Pull(ctx, queue, from, 32)
		if err != nil {
			return err
		}
		if result.Next >= result.Max && len(result.Messages) == 0 {
			return nil
		}
		bytes := 0
		for _, message := range result.Messages {
			bytes += len(message.Body)
		}
		local.record(time.Since(began), len(result.Messages), bytes)
		from = result.Next
	}
}

// meter gathers what many goroutines measure.
type meter struct {
	mutex    sync.Mutex
	latency  *hdrhistogram.Histogram
	messages int
	bytes    int
	err      error
	began    time.Time
	cpu      time.Duration
	bar      *progressbar.ProgressBar
}

// Latencies from a microsecond to a minute, to three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 60_000_000, 3) }

func newMeter(what string, messages int) *meter {
	m := &meter{latency: newHistogram(), began: time.Now(), cpu: cpuTime()}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		m.bar = progressbar.NewOptions(messages, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	return m
}

// localMeter is one goroutine's.
type localMeter struct {
	parent   *meter
	latency  *hdrhistogram.Histogram
	messages int
	bytes    int
	unshown  int
}

func (m *meter) local() *localMeter { return &localMeter{parent: m, latency: newHistogram()} }

func (l *localMeter) record(took time.Duration, messages, bytes int) {
	// Beyond a minute the histogram keeps nothing: such a send has failed anyway.
	_ = l.latency.RecordValue(took.Microseconds())
	l.messages += messages
	l.bytes += bytes
	if l.unshown += messages; l.unshown >= 1000 && l.parent.bar != nil {
		_ = l.parent.bar.Add(l.unshown)
		l.unshown = 0
	}
}

func (m *meter) merge(l *localMeter) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.latency.Merge(l.latency)
	m.messages += l.messages
	m.bytes += l.bytes
}

func (m *meter) fail(err error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.err = errors.Join(m.err, err)
}

func (m *meter) failed() bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.err != nil
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (m *meter) end() (benchPhase, error) {
	if m.bar != nil {
		_ = m.bar.Finish()
	}
	took, cpu := time.Since(m.began), cpuTime()-m.cpu
	micros := func(quantile float64) float64 { return float64(m.latency.ValueAtQuantile(quantile)) }
	return benchPhase{
		Messages: m.messages, Seconds: took.Seconds(),
		PerSecond: float64(m.messages) / took.Seconds(), MebibytesPerSecond: float64(m.bytes) / took.Seconds() / (1 << 20),
		CPUMicros: float64(cpu.Microseconds()) / float64(max(m.messages, 1)),
		P50:       micros(50), P90: micros(90), P99: micros(99), P999: micros(99.9), Max: float64(m.latency.Max()),
	}, m.err
}

// benchResult is the table at the end.
type benchResult struct {
	Size        int        `json:"size"`
	Connections int        `json:"connections"`
	InFlight    int        `json:"inFlight"`
	Flush       string     `json:"flush,omitempty"` // of the own broker
	Send        benchPhase `json:"send"`
	Consume     benchPhase `json:"consume"`
}

// benchPhase is one row. Latencies are in microseconds: of a send, and of a pull of up to 32 messages.
type benchPhase struct {
	Messages           int     `json:"messages"`
	Seconds            float64 `json:"seconds"`
	PerSecond          float64 `json:"messagesPerSecond"`
	MebibytesPerSecond float64 `json:"mebibytesPerSecond"`
	CPUMicros          float64 `json:"cpuMicrosPerMessage"`
	P50                float64 `json:"p50Micros"`
	P90                float64 `json:"p90Micros"`
	P99                float64 `json:"p99Micros"`
	P999               float64 `json:"p999Micros"`
	Max                float64 `json:"maxMicros"`
}

func (r *benchResult) write(out io.Writer, width int) error {
	_, err := fmt.Fprintf(out, "%d connections, %d in flight on each, bodies of %d bytes, %s\n",
		r.Connections, r.InFlight, r.Size, cmp.Or(r.Flush, "flushed as the brokers are set"))
	if err != nil {
		return err
	}
	t := table.Table{Columns: table.Columns("", ">messages", ">messages/s", ">MiB/s", ">CPU µs", ">p50 µs", ">p90 µs", ">p99 µs", ">p99.9 µs", ">max µs")}
	for _, row := range []struct {
		name  string
		phase benchPhase
	}{{"send", r.Send}, {"consume", r.Consume}} {
		p := row.phase
		if p.Messages == 0 {
			continue
		}
		t.Add(row.name, fmt.Sprint(p.Messages), fmt.Sprintf("%.0f", p.PerSecond), fmt.Sprintf("%.1f", p.MebibytesPerSecond), fmt.Sprintf("%.2f", p.CPUMicros),
			fmt.Sprintf("%.0f", p.P50), fmt.Sprintf("%.0f", p.P90), fmt.Sprintf("%.0f", p.P99), fmt.Sprintf("%.0f", p.P999), fmt.Sprintf("%.0f", p.Max))
	}
	return t.Write(out, width)
}
