package broker_test

import (
	"errors"
	"net/netip"
	"path"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// world is one broker and one client machine in a quiet simulated network.
type world struct {
	t       *testing.T
	kernel  *sim.Kernel
	machine *sim.Machine
	options broker.Options
	broker  *broker.Broker
	client  *transport.Client
	pushed  []*wire.Command        // requests the broker sent to the client
	logged  *observer.ObservedLogs // what the broker has said since its start, from warnings on
}

const address = "10.0.0.1:10911"

// newWorld starts a broker with the options of a test, as changed.
func newWorld(t *testing.T, change ...func(*broker.Options)) *world {
	t.Helper()
	w := prepareWorld(t, change...)
	w.start()
	return w
}

// prepareWorld is newWorld without the start.
func prepareWorld(t *testing.T, change ...func(*broker.Options)) *world {
	t.Helper()
	w := &world{t: t, kernel: sim.New(1, sim.Options{}), options: options()}
	for _, c := range change {
		c(&w.options)
	}
	t.Cleanup(w.kernel.Close)
	w.machine = w.kernel.AddMachine("broker", netip.MustParseAddr("10.0.0.1"))
	e := w.kernel.AddMachine("client", netip.MustParseAddr("10.0.0.2")).Boot("client")
	w.client = transport.NewClient(e, transport.ClientOptions{Handler: transport.HandlerFunc(func(in *transport.Incoming) {
		w.pushed = append(w.pushed, in.Command.Clone())
	})})
	return w
}

func options() broker.Options {
	return broker.Options{
		AdvertisedIP: netip.MustParseAddr("10.0.0.1"),
		Store:        store.Options{LogSegmentSize: 1 << 20, BodySizeMax: 64 << 10, QueueSegmentEntries: 1000, Index: index.Sizes{Slots: 100, Items: 1000}},
	}
}

func (w *world) start() {
	w.t.Helper()
	e := w.machine.Boot("broker")
	core, logged := observer.New(zap.WarnLevel)
	e.Log, w.logged = zap.New(core), logged
	var err error
	w.broker, err = broker.New(e, w.options)
	require.NoError(w.t, err)
	started := false
	e.Tasks.Go("start", func() { err = w.broker.Start(); started = true })
	w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return started })
	require.NoError(w.t, err)
	require.True(w.t, started)
}

func (w *world) restart(style sim.CrashStyle) {
	w.t.Helper()
	w.machine.Crash(style)
	w.start()
}

// run runs fn as a task of the client machine and waits for it.
func (w *world) run(fn func()) {
	w.t.Helper()
	done := false
	w.kernel.Machines()[1].Node("client", ".").Tasks.Go("test", func() { fn(); done = true })
	w.kernel.Run(w.kernel.Now().Add(2*time.Minute), func() bool { return done })
	if f := w.kernel.Failure(); f != nil {
		w.t.Fatalf("%v\n%s", f, f.Stack)
	}
	require.True(w.t, done, "the client's task came to its end")
}

// call sends a request and returns the response, whatever its code.
func (w *world) call(request *transport.Request) *wire.Command {
	w.t.Helper()
	var response *wire.Command
	var err error
	w.run(func() {
		// After a power loss the first call finds the old connection dead.
		for range 2 {
			var conn *transport.Conn
			now := w.kernel.Now()
			if conn, err = w.client.Conn(nil, address, now.Add(5*time.Second)); err == nil {
				response, err = conn.Call(nil, request, now.Add(60*time.Second))
			}
			if !errors.Is(err, transport.ErrClosed) {
				return
			}
		}
	})
	require.NoError(w.t, err)
	return response
}

func sendRequest(topic string, queue int32, body string, properties string) *transport.Request {
	header := &proto.SendMessage{
		ProducerGroup: "p", Topic: topic, DefaultTopic: proto.DefaultTopic, DefaultQueues: 4, QueueID: queue,
		BornAt: 1, Properties: properties,
	}
	return &transport.Request{Code: proto.ReqSendMessageV2, Header: header.Short(), Body: []byte(body)}
}

func pullRequest(topic string, queue int32, from int64, hold time.Duration, tags string) *transport.Request {
	header := &proto.PullMessage{
		ConsumerGroup: "g", Topic: topic, QueueID: queue, QueueOffset: from, MaxMessages: 32,
		Flags: proto.PullSubscription, Expression: tags, ExpressionType: proto.ExpressionTag, HoldForMillis: hold.Milliseconds(),
	}
	if hold > 0 {
		header.Flags |= proto.PullHold
	}
	return &transport.Request{Code: proto.ReqPullMessage, Header: header}
}

func bodies(t *testing.T, response *wire.Command) []string {
	t.Helper()
	var found []string
	for r, err := range message.DecodeRecords(response.Body, true) {
		require.NoError(t, err)
		found = append(found, string(r.Body))
	}
	return found
}

// close stops the broker in order, within a minute.
func (w *world) close() {
	w.t.Helper()
	var closed bool
	var err error
	w.machine.Node("closer", ".").Tasks.Go("close", func() { err = w.broker.Close(); closed = true })
	w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return closed })
	require.NoError(w.t, err)
	require.True(w.t, closed, "Close returns")
}

// clientEnv is the client's world, for tests that need more than one call at a time.
func (w *world) clientEnv() env.Env { return w.kernel.Machines()[1].Node("client", ".") }

// pass lets simulated time pass.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.kernel.Run(w.kernel.Now().Add(d), nil)
	if f := w.kernel.Failure(); f != nil {
		w.t.Fatalf("%v\n%s", f, f.Stack)
	}
}

// begin sends a request and returns where its response will appear.
func (w *world) begin(request *transport.Request) **wire.Command {
	w.t.Helper()
	var response *wire.Command
	w.clientEnv().Tasks.Go("call", func() {
		conn, err := w.client.Conn(nil, address, env.Never)
		if err == nil {
			response, _ = conn.Call(nil, request, w.kernel.Now().Add(5*time.Minute))
		}
	})
	return &response
}

// oneway sends a request that is not answered, and waits until the broker has handled it.
func (w *world) oneway(request *transport.Request) {
	w.t.Helper()
	w.run(func() { require.NoError(w.t, w.client.Oneway(nil, address, request, time.Second)) })
	w.pass(10 * time.Millisecond)
}

// succeeds makes a call that must succeed.
func (w *world) succeeds(request *transport.Request) *wire.Command {
	w.t.Helper()
	response := w.call(request)
	require.EqualValues(w.t, proto.RespSuccess, response.Code, response.Remark)
	return response
}

// refused makes a call that must be refused with a code and, in the remark, its reason.
func (w *world) refused(request *transport.Request, code int32, remark string) {
	w.t.Helper()
	response := w.call(request)
	require.Equal(w.t, proto.ResponseName(code), proto.ResponseName(response.Code), response.Remark)
	require.Contains(w.t, response.Remark, remark)
}

// file is what the broker's disk shows.
func (w *world) file(name string) string {
	w.t.Helper()
	content, ok := w.machine.Disk().Content(name)
	require.True(w.t, ok, "the file %s exists; there are %v", name, w.machine.Disk().Paths())
	return string(content)
}

// write puts a file on the disk of a broker that does not run, durably.
func (w *world) write(name, content string) {
	w.t.Helper()
	e := w.machine.Boot("setup")
	done, err := false, error(nil)
	e.Tasks.Go("write "+name, func() {
		err = writeFile(e.Disk, name, content)
		done = true
	})
	w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return done })
	require.NoError(w.t, err)
	w.machine.Shutdown()
}

// writeFile makes or replaces a file.
func writeFile(disk env.Disk, name, content string) error {
	if err := disk.Remove(name); err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	f, err := disk.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(f.WriteAt([]byte(content), 0), f.Sync(0, int64(len(content))), disk.SyncDir(path.Dir(name)))
}

// slowDisk makes each sync of the broker's disk take so long.
func (w *world) slowDisk(d time.Duration) {
	o := w.machine.Disk().Options()
	o.SyncMin, o.SyncMax = d, d
	w.machine.Disk().SetOptions(o)
}

func commitRequest(group, topic string, queue int32, offset int64) *transport.Request {
	return &transport.Request{Code: proto.ReqUpdateConsumerOffset, Header: &proto.UpdateConsumerOffset{
		ConsumerGroup: group, Topic: topic, QueueID: queue, CommitOffset: offset,
	}}
}

// queryRequest asks for a committed offset; a group that has none gets no answer but "not found".
func queryRequest(group, topic string, queue int32) *transport.Request {
	return &transport.Request{Code: proto.ReqQueryConsumerOffset, Header: &proto.QueryConsumerOffset{
		ConsumerGroup: group, Topic: topic, QueueID: queue, ZeroIfUnknown: proto.Some(false),
	}}
}

func deleteTopicRequest(topic string) *transport.Request {
	return &transport.Request{Code: proto.ReqDeleteTopicInBroker, Header: &proto.DeleteTopicInBroker{Topic: topic}}
}

func updateTopicRequest(topic string, change func(*proto.UpdateAndCreateTopic)) *transport.Request {
	header := &proto.UpdateAndCreateTopic{Topic: topic, DefaultTopic: proto.DefaultTopic, ReadQueues: 4, WriteQueues: 4, Perm: proto.PermReadWrite}
	if change != nil {
		change(header)
	}
	return &transport.Request{Code: proto.ReqUpdateAndCreateTopic, Header: header}
}

func runtimeRequest() *transport.Request {
	return &transport.Request{Code: proto.ReqGetBrokerRuntimeInfo}
}
