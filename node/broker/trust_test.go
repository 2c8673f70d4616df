package broker_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

var root = signature.Credentials{AccessKey: "root", SecretKey: "root's secret"}

// guarded lets only users in, and root make them.
func guarded(o *broker.Options) {
	o.Access = guard.Options{
		Authentication: true, Authorization: true, InitialUser: access.User{Name: root.AccessKey, Password: root.SecretKey},
	}
}

// as makes a client that signs.
func (w *world) as(who signature.Credentials) *transport.Client {
	e := w.kernel.Machines()[1].Node("client of "+who.AccessKey, ".")
	return transport.NewClient(e, transport.ClientOptions{Signer: who})
}

// callAs is call for a request that somebody signs.
func (w *world) callAs(who signature.Credentials, request *transport.Request) *wire.Command {
	w.t.Helper()
	was := w.client
	w.client = w.as(who)
	defer func() { w.client = was }()
	return w.call(request)
}

func (w *world) user(name string, rights ...proto.PolicyEntryInfo) signature.Credentials {
	w.t.Helper()
	who := signature.Credentials{AccessKey: name, SecretKey: name + "'s secret"}
	info := proto.UserInfo{Password: who.SecretKey}
	response := w.callAs(root, &transport.Request{Code: proto.ReqAuthCreateUser, Header: &proto.AuthUser{Username: name}, Body: info.Marshal()})
	require.EqualValues(w.t, proto.RespSuccess, response.Code, response.Remark)
	acl := proto.ACLInfo{Subject: "User:" + name, Policies: []proto.PolicyInfo{{Entries: rights}}}
	response = w.callAs(root, &transport.Request{Code: proto.ReqAuthCreateACL, Header: &proto.AuthACL{Subject: acl.Subject}, Body: acl.Marshal()})
	require.EqualValues(w.t, proto.RespSuccess, response.Code, response.Remark)
	return who
}

func may(action, resource string) proto.PolicyEntryInfo {
	return proto.PolicyEntryInfo{Resource: resource, Actions: []string{action}, Decision: proto.DecisionAllow}
}

// servedCodes are those that dispatch.go has a line for.
func servedCodes(t *testing.T) map[string]int32 {
	t.Helper()
	set := token.NewFileSet()
	constants := map[string]int32{}
	for _, file := range []string{"request_codes.go", "request_codes_own.go"} {
		codes, err := parser.ParseFile(set, "../../transport/proto/"+file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(codes, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
				var value int32
				_, err := fmt.Sscan(literal.Value, &value)
				require.NoError(t, err)
				constants[spec.Names[0].Name] = value
			}
			return true
		})
	}
	dispatch, err := parser.ParseFile(set, "dispatch.go", nil, 0)
	require.NoError(t, err)
	served := map[string]int32{}
	ast.Inspect(dispatch, func(node ast.Node) bool {
		if clause, ok := node.(*ast.CaseClause); ok {
			for _, value := range clause.List {
				name := value.(*ast.SelectorExpr).Sel.Name
				served[name] = constants[name]
			}
		}
		return true
	})
	return served
}

// A request whose needs are not written down would be for super users only.
func TestItIsWrittenDownWhatEveryServedRequestNeeds(t *testing.T) {
	served := servedCodes(t)
	require.Greater(t, len(served), 50)
	for name, code := range served {
		require.True(t, access.Knows(code), "%s (%d) is served and stands not in node/access/demand.go", name, code)
	}
}

func TestWhoMayNotSendChangesNothing(t *testing.T) {
	w := newWorld(t, guarded, fastPort)
	alice := w.user("alice", may("Pub", "Topic:orders"))
	sent := w.callAs(alice, sendRequest("orders", 0, "hello", ""))
	require.EqualValues(t, proto.RespSuccess, sent.Code, sent.Remark)
	for _, response := range []*wire.Command{
		w.callAs(alice, sendRequest("bills", 0, "hello", "")),
		w.call(sendRequest("orders", 0, "hello", "")),
		w.callAt("10.0.0.1:10909", sendRequest("orders", 0, "hello", "")),
		w.callAs(signature.Credentials{AccessKey: "alice", SecretKey: "guessed"}, sendRequest("orders", 0, "hello", "")),
	} {
		require.EqualValues(t, proto.RespNoPermission, response.Code)
		require.Contains(t, response.Remark, "has no permission")
	}
	topics := w.callAs(root, &transport.Request{Code: proto.ReqGetAllTopicConfig})
	require.NotContains(t, string(topics.Body), "bills", "a topic that nobody may send to is not made")
	_, end := w.broker.Store().Bounds(store.QueueKey{Topic: "orders"})
	require.EqualValues(t, 1, end)
}

func TestOnewayRequestsThatAreDeniedChangeNothing(t *testing.T) {
	w := newWorld(t, guarded)
	var err error
	w.run(func() { err = w.client.Oneway(nil, address, sendRequest("orders", 0, "hello", ""), time.Second) })
	require.NoError(t, err)
	w.callAs(root, &transport.Request{Code: proto.ReqGetBrokerRuntimeInfo})
	_, end := w.broker.Store().Bounds(store.QueueKey{Topic: "orders"})
	require.Zero(t, end)
}

func TestAMessageIsShownByItsPlaceOnlyToWhoMayReadItsTopic(t *testing.T) {
	w := newWorld(t, guarded)
	alice := w.user("alice", may("All", "Topic:orders"), may("Sub", "Group:g"))
	for _, topic := range []string{"orders", "bills"} {
		require.EqualValues(t, proto.RespSuccess, w.callAs(root, sendRequest(topic, 0, topic, "")).Code)
	}
	places := map[string]int64{}
	for _, topic := range []string{"orders", "bills"} {
		pulled := w.callAs(root, pullRequest(topic, 0, 0, 0, "*"))
		for r, err := range message.DecodeRecords(pulled.Body, true) {
			require.NoError(t, err)
			places[topic] = int64(r.LogOffset)
		}
	}
	view := func(place int64) *wire.Command {
		return w.callAs(alice, &transport.Request{Code: proto.ReqViewMessageByID, Header: &proto.ViewMessageByID{Topic: "orders", Offset: place}})
	}
	require.EqualValues(t, proto.RespSuccess, view(places["orders"]).Code)
	require.EqualValues(t, proto.RespNoPermission, view(places["bills"]).Code, "it is of another topic than the request says")
	back := func(place int64) *wire.Command {
		return w.callAs(alice, &transport.Request{Code: proto.ReqConsumerSendMessageBack,
			Header: &proto.ConsumerSendMessageBack{Group: "g", OriginTopic: "orders", LogOffset: place}})
	}
	require.EqualValues(t, proto.RespSuccess, back(places["orders"]).Code)
	require.EqualValues(t, proto.RespNoPermission, back(places["bills"]).Code)
}

func TestAPullThatIsHeldEndsWhenRightsChange(t *testing.T) {
	w := newWorld(t, guarded)
	alice := w.user("alice", may("Sub", "Topic:orders"), may("Sub", "Group:g"))
	require.EqualValues(t, proto.RespSuccess, w.callAs(root, sendRequest("orders", 0, "first", "")).Code)
	client := w.as(alice)
	var held *wire.Command
	var err error
	e := w.kernel.Machines()[1].Node("held", ".")
	e.Tasks.Go("held pull", func() {
		var conn *transport.Conn
		if conn, err = client.Conn(nil, address, env.Never); err == nil {
			held, err = conn.Call(nil, pullRequest("orders", 0, 1, 30*time.Second, "*"), env.Never)
		}
	})
	w.kernel.Run(w.kernel.Now().Add(time.Second), nil)
	require.Nil(t, held)
	response := w.callAs(root, &transport.Request{Code: proto.ReqAuthDeleteUser, Header: &proto.AuthUser{Username: "alice"}})
	require.EqualValues(t, proto.RespSuccess, response.Code, response.Remark)
	w.kernel.Run(w.kernel.Now().Add(time.Second), func() bool { return held != nil })
	require.NoError(t, err)
	require.EqualValues(t, proto.RespPullRetryImmediately, held.Code)
	require.EqualValues(t, proto.RespNoPermission, w.callAs(alice, pullRequest("orders", 0, 1, 0, "*")).Code)
}

func TestAccountsAndTheirKeyOutliveALossOfPower(t *testing.T) {
	w := newWorld(t, guarded)
	alice := w.user("alice", may("Pub", "Topic:orders"))
	w.restart(sim.PowerLoss)
	require.EqualValues(t, proto.RespSuccess, w.callAs(alice, sendRequest("orders", 0, "hello", "")).Code)
	require.EqualValues(t, proto.RespNoPermission, w.callAs(alice, sendRequest("bills", 0, "hello", "")).Code)
}

func TestABrokerWithOptionsThatContradictEachOtherIsRefused(t *testing.T) {
	o := options()
	o.Access = guard.Options{Authorization: true}
	require.ErrorContains(t, o.Validate(), "authorizationEnabled")
}

// beginAs sends a half message to a topic.
func (w *world) beginAs(who signature.Credentials, topic, body string) half {
	w.t.Helper()
	sent := w.callAs(who, sendRequest(topic, 1, body, "TRAN_MSG\x01true\x02PGROUP\x01p\x02UNIQ_KEY\x01unique-"+body+"\x02"))
	require.EqualValues(w.t, proto.RespSuccess, sent.Code, sent.Remark)
	id, err := message.ParseOffsetID(sent.Fields.String("msgId"))
	require.NoError(w.t, err)
	var number int64
	_, err = fmt.Sscan(sent.Fields.String("queueOffset"), &number)
	require.NoError(w.t, err)
	return half{number, int64(id.LogOffset), "unique-" + body}
}

func TestATransactionIsEndedOnlyByWhoMaySendToItsTopicWhateverTheRequestSays(t *testing.T) {
	w := newWorld(t, guarded)
	alice, bob := w.user("alice", may("Pub", "Topic:orders")), w.user("bob", may("Pub", "Topic:bills"), may("Sub", "Topic:orders"))
	// As old clients do, and those with namespaces, and those that answer the check of a Java broker; and as who means mischief.
	for i, said := range []string{"", "orders", "namespace%orders", proto.HalfTopic, "bills"} {
		for _, outcome := range []proto.TransactionOutcome{proto.OutcomeCommit, proto.OutcomeRollback} {
			h := w.beginAs(alice, "orders", fmt.Sprint(i, outcome))
			end := endRequest(h, outcome)
			end.Header.(*proto.EndTransaction).Topic = said
			denied := w.callAs(bob, end)
			require.EqualValues(t, proto.RespNoPermission, denied.Code, "%q: %s", said, denied.Remark)
			require.Contains(t, denied.Remark, "Topic:orders (Pub)")
			ended := w.callAs(alice, end)
			require.EqualValues(t, proto.RespSuccess, ended.Code, "%q: %s", said, ended.Remark)
		}
	}
	_, end := w.broker.Store().Bounds(store.QueueKey{Topic: "orders", ID: 1})
	require.EqualValues(t, 5, end)
}

func TestOnlyProducersWhoMaySendAMessageAreAskedWhatBecameOfIt(t *testing.T) {
	w := newWorld(t, guarded, func(o *broker.Options) { o.TransactionTimeout, o.TransactionCheckEvery = time.Second, time.Second })
	alice, bob := w.user("alice", may("Pub", "Topic:orders")), w.user("bob", may("Pub", "Topic:bills"))
	asked := map[string]int{}
	for _, who := range []signature.Credentials{bob, alice} {
		e := w.kernel.Machines()[1].Node("producer of "+who.AccessKey, ".")
		client := transport.NewClient(e, transport.ClientOptions{Signer: who, Handler: transport.HandlerFunc(func(in *transport.Incoming) {
			asked[who.AccessKey]++
		})})
		was := w.client
		w.client = client
		require.EqualValues(t, proto.RespSuccess, w.call(producerHeartbeat("p")).Code)
		w.client = was
	}
	w.beginAs(alice, "orders", "secret")
	w.pass(5 * time.Second)
	require.Positive(t, asked["alice"])
	require.Zero(t, asked["bob"], "to be asked is to see the message")
}

func TestAMessageIsConsumedDirectlyOnlyForWhoMayConsumeItsTopic(t *testing.T) {
	w := newWorld(t, guarded)
	alice := w.user("alice", may("Sub", "Topic:orders"), may("Sub", "Group:g"))
	for topic, code := range map[string]int32{"orders": proto.RespSystemError, "bills": proto.RespNoPermission} {
		sent := w.callAs(root, sendRequest(topic, 0, topic, ""))
		response := w.callAs(alice, directlyRequest("one", sent.Fields.String("msgId")))
		require.EqualValues(t, code, response.Code, "%s: %s", topic, response.Remark)
	}
	h := w.beginAs(root, "orders", "half")
	id := message.OffsetID{StoreHost: netip.MustParseAddrPort(address), LogOffset: message.LogOffset(h.log)}
	response := w.callAs(root, directlyRequest("one", id.String()))
	require.EqualValues(t, proto.RespMessageIllegal, response.Code, "nobody is handed what is not committed: %s", response.Remark)
}

// A pull that makes its group waits for the disk, and may be admitted by rights that are gone when it would be held.
func TestAPullThatWaitsForTheDiskWhileRightsChangeIsNotHeldAfterwards(t *testing.T) {
	for after := time.Duration(0); after < 1500*time.Millisecond; after += 150 * time.Millisecond {
		w := newWorld(t, guarded)
		alice := w.user("alice", may("Sub", "Topic:orders"), may("Sub", "Group:g"))
		require.EqualValues(t, proto.RespSuccess, w.callAs(root, sendRequest("orders", 0, "first", "")).Code)
		w.slowDisk(300 * time.Millisecond)
		disable := &transport.Request{Code: proto.ReqAuthUpdateUser, Header: &proto.AuthUser{Username: "alice"}, Body: (&proto.UserInfo{Status: proto.UserDisabled}).Marshal()}
		w.client = w.as(root)
		disabled := w.begin(disable)
		w.pass(after)
		w.client = w.as(alice)
		held := w.begin(pullRequest("orders", 0, 1, 30*time.Second, "*"))
		w.pass(5 * time.Second)
		require.NotNil(t, *disabled)
		require.EqualValues(t, proto.RespSuccess, (*disabled).Code)
		require.NotNil(t, *held, "the pull came %s after the change began", after)
		require.NotEqualValues(t, proto.RespSuccess, (*held).Code)
	}
}

func TestOffsetsAreClonedOnlyInTopicsThatWhoAsksMayChange(t *testing.T) {
	w := newWorld(t, guarded)
	alice := w.user("alice", may("Update", "Topic:orders"), may("Update", "Group:mine"))
	for _, topic := range []string{"orders", "bills"} {
		require.EqualValues(t, proto.RespSuccess, w.callAs(root, sendRequest(topic, 0, topic, "")).Code)
		require.EqualValues(t, proto.RespSuccess, w.callAs(root, commitRequest("theirs", topic, 0, 1)).Code)
	}
	clone := func(topic string) *wire.Command {
		return w.callAs(alice, &transport.Request{Code: proto.ReqCloneGroupOffset, Header: &proto.CloneGroupOffset{FromGroup: "theirs", ToGroup: "mine", Topic: topic, Offline: true}})
	}
	denied := clone("")
	require.EqualValues(t, proto.RespNoPermission, denied.Code, "all topics of a group are more than one")
	require.Contains(t, denied.Remark, "Topic:bills")
	require.NotEqualValues(t, proto.RespSuccess, w.callAs(root, queryRequest("mine", "orders", 0)).Code, "nothing was cloned")
	cloned := clone("orders")
	require.EqualValues(t, proto.RespSuccess, cloned.Code, cloned.Remark)
	require.Equal(t, "1", w.callAs(root, queryRequest("mine", "orders", 0)).Fields.String("offset"))
}
