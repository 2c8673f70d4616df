package client_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// world is a simulated network: name servers and brokers that remember what they were asked, and
// a machine for the application under test.
type world struct {
	t       *testing.T
	kernel  *sim.Kernel
	machine *sim.Machine
	app     env.Env
	servers int
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	k := sim.New(seed, sim.Options{StepsMax: 3_000_000})
	t.Cleanup(k.Close)
	w := &world{t: t, kernel: k, machine: k.AddMachine("app", netip.MustParseAddr("10.0.9.1"))}
	w.app = w.machine.Boot("app")
	return w
}

// boot switches on one more machine.
func (w *world) boot(name string) env.Env {
	w.servers++
	address := netip.AddrFrom4([4]byte{10, 0, 0, byte(w.servers)})
	return w.kernel.AddMachine(name, address).Boot(name)
}

// nameServer starts a name server that knows the given routes.
func (w *world) nameServer(name string) *nameServer {
	n := newNameServer(w.boot(name))
	n.address = fmt.Sprintf("10.0.0.%d:9876", w.servers)
	n.start(":9876")
	return n
}

// broker starts a member of a broker name.
func (w *world) broker(name string, id int64) *broker {
	b := newBroker(w.boot(fmt.Sprintf("%s/%d", name, id)), name, id)
	b.address = fmt.Sprintf("10.0.0.%d:10911", w.servers)
	b.host = netip.MustParseAddrPort(b.address)
	b.start(":10911")
	return b
}

// run lets the application run to its end, which must come within the time, and fails the test
// if anything broke. The application must not end the test itself.
func (w *world) run(within time.Duration, application func()) {
	w.t.Helper()
	w.kernel.Run(w.kernel.Now().Add(10*time.Millisecond), nil)
	ended := false
	w.app.Tasks.Go("application", func() {
		application()
		ended = true
	})
	w.kernel.Run(w.kernel.Now().Add(within), func() bool { return ended })
	if failure := w.kernel.Failure(); failure != nil {
		w.t.Fatalf("%v\n%s", failure, failure.Stack)
	}
	require.True(w.t, ended, "the application did not end within %s; tasks: %q", within, w.machine.TaskNames())
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.kernel.Run(w.kernel.Now().Add(d), nil)
	if failure := w.kernel.Failure(); failure != nil {
		w.t.Fatalf("%v\n%s", failure, failure.Stack)
	}
}

// fake is what both kinds of server have in common.
type fake struct {
	env     env.Env
	address string
	server  *transport.Server
	codes   []int32 // of all requests, in order
	// intercept answers a request in place of the server, or lets it pass by returning false.
	intercept func(in *transport.Incoming) bool
}

// silent is an interceptor that answers nothing but who comes, without which producers send nothing, and who goes.
func silent(in *transport.Incoming) bool {
	return in.Command.Code != proto.ReqHeartbeat && in.Command.Code != proto.ReqUnregisterClient
}

// refusing answers requests of one code with an error.
func refusing(request, response int32) func(*transport.Incoming) bool {
	return func(in *transport.Incoming) bool {
		if in.Command.Code != request {
			return false
		}
		in.Reply().Error(response, "refused by the test")
		return true
	}
}

func (f *fake) start(address string) {
	f.env.Tasks.Go("listen", func() {
		if _, err := f.server.Listen(address); err != nil {
			panic(err)
		}
	})
}

func (f *fake) take(in *transport.Incoming) bool {
	f.codes = append(f.codes, in.Command.Code)
	return f.intercept != nil && f.intercept(in)
}

// count is how often a code was asked.
func (f *fake) count(code int32) int {
	n := 0
	for _, c := range f.codes {
		if c == code {
			n++
		}
	}
	return n
}

// nameServer knows routes and a key-value configuration.
type nameServer struct {
	fake
	routes  map[string]*proto.Route
	cluster *proto.ClusterInfo
	kv      map[string]string
	deleted []string
}

func newNameServer(e env.Env) *nameServer {
	n := &nameServer{routes: map[string]*proto.Route{}, kv: map[string]string{}, cluster: &proto.ClusterInfo{}}
	n.env = e
	n.server = transport.NewServer(e, transport.ServerOptions{Handler: n})
	return n
}

// Serve answers what clients and tools ask.
func (n *nameServer) Serve(in *transport.Incoming) {
	if n.take(in) {
		return
	}
	reply, fields := in.Reply(), in.Command.Fields
	switch in.Command.Code {
	case proto.ReqGetRouteInfoByTopic:
		route := n.routes[fields.String("topic")]
		if route == nil {
			reply.Error(proto.RespTopicNotExist, "No topic route info in name server for the topic")
			return
		}
		reply.Success(route.Marshal(proto.FormStrict))
	case proto.ReqGetBrokerClusterInfo:
		reply.Success(n.cluster.Marshal())
	case proto.ReqGetAllTopicListFromNameServer, proto.ReqGetTopicsByCluster:
		list := &proto.TopicList{}
		for topic := range n.routes {
			list.Topics = append(list.Topics, topic)
		}
		slices.Sort(list.Topics)
		reply.Success(list.Marshal())
	case proto.ReqDeleteTopicInNameServer:
		n.deleted = append(n.deleted, fields.String("topic")+" of "+fields.String("clusterName"))
		reply.Success(nil)
	case proto.ReqWipeWritePermOfBroker:
		reply.Send(proto.RespSuccess, &proto.WipeWritePermOfBrokerResponse{Topics: 3}, nil)
	case proto.ReqAddWritePermOfBroker:
		reply.Send(proto.RespSuccess, &proto.AddWritePermOfBrokerResponse{Topics: 3}, nil)
	default:
		n.serveConfig(in)
	}
}

func (n *nameServer) serveConfig(in *transport.Incoming) {
	reply, fields := in.Reply(), in.Command.Fields
	key := fields.String("namespace") + "/" + fields.String("key")
	switch in.Command.Code {
	case proto.ReqPutKVConfig:
		n.kv[key] = fields.String("value")
		reply.Success(nil)
	case proto.ReqGetKVConfig:
		value, found := n.kv[key]
		if !found {
			reply.Error(proto.RespQueryNotFound, "no such key")
			return
		}
		reply.Send(proto.RespSuccess, &proto.GetKVConfigResponse{Value: value}, nil)
	case proto.ReqDeleteKVConfig:
		delete(n.kv, key)
		reply.Success(nil)
	case proto.ReqGetKVListByNamespace:
		reply.Success((&proto.KVTable{Table: n.kv}).Marshal())
	default:
		reply.Error(proto.RespRequestCodeNotSupported, "not by this test")
	}
}

// route makes a route over the masters among some brokers, each with so many queues.
func route(queues int32, members ...*broker) *proto.Route {
	r := &proto.Route{}
	for _, b := range members {
		known := r.Broker(b.name)
		if known == nil {
			r.Brokers = append(r.Brokers, proto.BrokerRoute{Cluster: "c", BrokerName: b.name})
			r.Queues = append(r.Queues, proto.QueueRoute{
				BrokerName: b.name, ReadQueues: queues, WriteQueues: queues, Perm: proto.PermReadWrite,
			})
			known = r.Broker(b.name)
		}
		known.Addresses = append(known.Addresses, proto.BrokerAddress{ID: b.id, Address: b.address})
	}
	return r
}

// sent is a send as it arrived.
type sent struct {
	code   int32
	header proto.SendMessage
	body   []byte
	oneway bool
}

// property is the value of a property of the send.
func (s sent) property(name string) string {
	return message.PropertyString([]byte(s.header.Properties), name)
}

// broker stores messages in memory.
type broker struct {
	fake
	name       string
	id         int64
	host       netip.AddrPort
	queues     map[client.Queue][]message.Record
	sends      []sent
	heartbeats []*proto.HeartbeatData
	left       []proto.UnregisterClient
	pulls      []proto.PullMessage
	committed  map[string]int64
	topics     []proto.UpdateAndCreateTopic
	suggested  int64 // answered to pulls
	delta      int64 // likewise
	minOffset  int64
	groups     *groups // nil: none of that
	pops       *pops   // likewise
}

func newBroker(e env.Env, name string, id int64) *broker {
	b := &broker{name: name, id: id, queues: map[client.Queue][]message.Record{}, committed: map[string]int64{}}
	b.env = e
	b.server = transport.NewServer(e, transport.ServerOptions{Handler: b})
	return b
}

// Serve answers what clients and tools ask.
func (b *broker) Serve(in *transport.Incoming) {
	b.record(in)
	if b.take(in) || b.pops != nil && b.pops.serve(b, in) || b.groups != nil && b.groups.serve(b, in) {
		return
	}
	reply := in.Reply()
	switch in.Command.Code {
	case proto.ReqSendMessageV2, proto.ReqSendBatchMessage, proto.ReqSendReplyMessageV2:
		b.store(in)
	case proto.ReqPullMessage, proto.ReqLitePullMessage:
		b.pull(in)
	case proto.ReqHeartbeat, proto.ReqUnregisterClient, proto.ReqDeleteTopicInBroker, proto.ReqUpdateAndCreateTopic:
		reply.Success(nil)
	case proto.ReqGetBrokerRuntimeInfo:
		reply.Success((&proto.KVTable{Table: map[string]string{"brokerVersionDesc": "V5_3_2"}}).Marshal())
	case proto.ReqGetTopicStatsInfo:
		b.stats(in)
	default:
		b.serveOffsets(in)
	}
}

// record keeps what tests look at, answered or not.
func (b *broker) record(in *transport.Incoming) {
	switch c := in.Command; c.Code {
	case proto.ReqSendMessageV2, proto.ReqSendBatchMessage, proto.ReqSendReplyMessageV2:
		s := sent{code: c.Code, body: slices.Clone(c.Body), oneway: c.IsOneway()}
		must(proto.DecodeSendMessage(c.Code, c.Fields, &s.header))
		b.sends = append(b.sends, s)
	case proto.ReqPullMessage, proto.ReqLitePullMessage:
		var h proto.PullMessage
		must(h.DecodeFields(c.Fields))
		b.pulls = append(b.pulls, h)
	case proto.ReqHeartbeat:
		data, err := proto.UnmarshalHeartbeatData(c.Body)
		must(err)
		b.heartbeats = append(b.heartbeats, data)
	case proto.ReqUnregisterClient:
		var h proto.UnregisterClient
		must(h.DecodeFields(c.Fields))
		b.left = append(b.left, h)
	case proto.ReqUpdateAndCreateTopic:
		var h proto.UpdateAndCreateTopic
		must(h.DecodeFields(c.Fields))
		b.topics = append(b.topics, h)
	}
}

// must stops the node of the fake, and with it the run.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// store takes the last send.
func (b *broker) store(in *transport.Incoming) {
	s := b.sends[len(b.sends)-1]
	queue := client.Queue{Topic: s.header.Topic, BrokerName: b.name, QueueID: s.header.QueueID}
	response := &proto.SendMessageResponse{
		QueueID: queue.QueueID, QueueOffset: int64(len(b.queues[queue])),
		TransactionID: s.property(message.PropertyUniqueID),
	}
	if s.code == proto.ReqSendBatchMessage {
		for element, err := range message.DecodeBatch(s.body) {
			must(err)
			response.OffsetID += b.append(queue, element.Body, element.Properties, 0) + ","
		}
		response.OffsetID = response.OffsetID[:len(response.OffsetID)-1]
	} else {
		response.OffsetID = b.append(queue, s.body, []byte(s.header.Properties), message.SysFlags(s.header.SysFlags))
	}
	in.Reply().Send(proto.RespSuccess, response, nil)
}

// append adds a message to a queue and returns its offset id.
func (b *broker) append(queue client.Queue, body, properties []byte, flags message.SysFlags) string {
	r := message.Record{
		QueueID: queue.QueueID, QueueOffset: message.QueueOffset(len(b.queues[queue])),
		LogOffset: message.LogOffset(1000 * len(b.queues[queue])), SysFlags: flags,
		BornAt: int64(b.env.Clock.Wall()), BornHost: b.host, StoredAt: int64(b.env.Clock.Wall()), StoreHost: b.host,
		Body: slices.Clone(body), Topic: []byte(queue.Topic), Properties: slices.Clone(properties),
	}
	if b.groups != nil {
		// Messages that come back are known by it.
		r.LogOffset = message.LogOffset(1000 * b.groups.stored)
		b.groups.stored++
	}
	b.queues[queue] = append(b.queues[queue], r)
	return r.OffsetID().String()
}

// pull answers at once, whatever the client would allow, and filters nothing.
func (b *broker) pull(in *transport.Incoming) { b.answerPull(in.Reply(), b.pulls[len(b.pulls)-1]) }

func (b *broker) answerPull(reply transport.Reply, h proto.PullMessage) {
	records := b.queues[client.Queue{Topic: h.Topic, BrokerName: b.name, QueueID: h.QueueID}]
	response := &proto.PullMessageResponse{
		SuggestedBrokerID: b.suggested, Min: b.minOffset, Max: int64(len(records)), Next: h.QueueOffset, OffsetDelta: b.delta,
	}
	code := int32(proto.RespPullNotFound)
	var body []byte
	switch {
	case h.QueueOffset < b.minOffset:
		code, response.Next = proto.RespPullOffsetMoved, b.minOffset
	case h.QueueOffset > response.Max:
		code, response.Next = proto.RespPullOffsetMoved, response.Max
	case h.QueueOffset < response.Max:
		code = proto.RespSuccess
		response.Next = min(response.Max, h.QueueOffset+int64(h.MaxMessages))
		for i := range records[h.QueueOffset:response.Next] {
			var err error
			body, err = message.AppendRecord(body, &records[h.QueueOffset+int64(i)])
			must(err)
		}
	}
	reply.Send(code, response, body)
}

func (b *broker) stats(in *transport.Incoming) {
	table := &proto.TopicStatsTable{PutPerSecond: 1}
	topic := in.Command.Fields.String("topic")
	for id := range int32(2) {
		q := client.Queue{Topic: topic, BrokerName: b.name, QueueID: id}
		table.Queues = append(table.Queues, proto.QueueStats{Queue: q, Max: int64(len(b.queues[q]))})
	}
	in.Reply().Success(table.Marshal(proto.FormFastJSON))
}

func (b *broker) serveOffsets(in *transport.Incoming) {
	reply, fields := in.Reply(), in.Command.Fields
	key := fields.String("consumerGroup") + "@" + fields.String("topic") + "@" + fields.String("queueId")
	switch in.Command.Code {
	case proto.ReqUpdateConsumerOffset:
		var h proto.UpdateConsumerOffset
		must(h.DecodeFields(fields))
		b.committed[key] = h.CommitOffset
		reply.Success(nil)
	case proto.ReqQueryConsumerOffset:
		offset, found := b.committed[key]
		if !found {
			reply.Error(proto.RespQueryNotFound, "Not found")
			return
		}
		reply.Send(proto.RespSuccess, &proto.OffsetResponse{Offset: offset}, nil)
	case proto.ReqGetMinOffset:
		reply.Send(proto.RespSuccess, &proto.OffsetResponse{Offset: 3}, nil)
	case proto.ReqGetMaxOffset:
		reply.Send(proto.RespSuccess, &proto.OffsetResponse{Offset: 42}, nil)
	case proto.ReqSearchOffsetByTimestamp:
		var h proto.SearchOffsetByTimestamp
		must(h.DecodeFields(fields))
		reply.Send(proto.RespSuccess, &proto.OffsetResponse{Offset: h.Timestamp / 1000}, nil)
	case proto.ReqGetEarliestMessageStoreTime:
		reply.Send(proto.RespSuccess, &proto.TimestampResponse{Timestamp: b.minOffset - 1}, nil)
	default:
		reply.Error(proto.RespRequestCodeNotSupported, "not by this test")
	}
}

// cluster is the usual start of a test: one name server, two brokers, and a topic with two queues at each.
type cluster struct {
	*world
	names *nameServer
	a, b  *broker
}

func newCluster(t *testing.T, seed uint64) *cluster {
	t.Helper()
	w := newWorld(t, seed)
	c := &cluster{world: w, names: w.nameServer("names"), a: w.broker("a", 0), b: w.broker("b", 0)}
	c.names.routes["orders"] = route(2, c.a, c.b)
	return c
}

// servers is the option that every client of the cluster needs.
func (c *cluster) nameServers() client.Option { return client.WithNameServers(c.names.address) }

// producer makes a producer; it is called by the application.
func (c *cluster) producer(options ...client.ProducerOption) *client.Producer {
	p, err := client.NewProducer(c.app, append([]client.ProducerOption{
		client.WithGroup("producers"), c.nameServers(),
	}, options...)...)
	must(err)
	return p
}

// consumer makes a pull consumer; it is called by the application.
func (c *cluster) consumer(options ...client.ConsumerOption) *client.PullConsumer {
	p, err := client.NewPullConsumer(c.app, append([]client.ConsumerOption{
		client.WithGroup("consumers"), c.nameServers(),
	}, options...)...)
	must(err)
	return p
}

// sends are those that arrived at either broker.
func (c *cluster) sends() []sent { return append(slices.Clone(c.a.sends), c.b.sends...) }
