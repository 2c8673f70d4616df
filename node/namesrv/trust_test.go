package namesrv

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
	"github.com/stretchr/testify/require"
)

func TestItIsWrittenDownWhatEveryServedRequestNeeds(t *testing.T) {
	for code := range handlers {
		require.True(t, access.Knows(code), "%s (%d) is served and stands not in node/access/demand.go", proto.RequestName(code), code)
	}
}

func TestOnlyServersAndUsersWithRightsAreLetIn(t *testing.T) {
	inner := signature.Credentials{AccessKey: "inner", SecretKey: "inner secret"}
	root := signature.Credentials{AccessKey: "root", SecretKey: "root's secret"}
	w := newWorld(t, Options{Access: guard.Options{
		Authentication: true, Authorization: true, Inner: inner, InitialUser: access.User{Name: "root", Password: root.SecretKey},
	}})
	p := w.peer()
	as := func(who signature.Credentials) {
		p.client = transport.NewClient(p.env, transport.ClientOptions{Signer: who, DialTimeout: time.Second})
	}
	code := func(code int32, header proto.HeaderEncoder, body []byte) int32 { return p.ask(code, header, body).Code }
	b := p.broker(0, "orders", "bills")
	body := b.body.Marshal()
	b.BodyChecksum = proto.BodyChecksum(body)

	require.EqualValues(t, proto.RespNoPermission, code(proto.ReqRegisterBroker, &b.RegisterBroker, body))
	as(inner)
	registered := p.ask(proto.ReqRegisterBroker, &b.RegisterBroker, body)
	require.EqualValues(t, proto.RespSuccess, registered.Code, registered.Remark)

	as(root)
	alice := signature.Credentials{AccessKey: "alice", SecretKey: "alice's secret"}
	info := proto.UserInfo{Password: alice.SecretKey}
	p.mustAsk(proto.ReqAuthCreateUser, &proto.AuthUser{Username: "alice"}, info.Marshal())
	acl := proto.ACLInfo{Subject: "User:alice", Policies: []proto.PolicyInfo{{Entries: []proto.PolicyEntryInfo{
		{Resource: "Topic:orders", Actions: []string{"Pub"}, Decision: "Allow"},
		{Resource: "Cluster:DefaultCluster", Actions: []string{"All"}, Decision: "Allow"},
	}}}}
	p.mustAsk(proto.ReqAuthCreateACL, &proto.AuthACL{Subject: acl.Subject}, acl.Marshal())

	as(alice)
	require.EqualValues(t, proto.RespSuccess, code(proto.ReqGetRouteInfoByTopic, &proto.GetRouteInfoByTopic{Topic: "orders"}, nil))
	require.EqualValues(t, proto.RespNoPermission, code(proto.ReqGetRouteInfoByTopic, &proto.GetRouteInfoByTopic{Topic: "bills"}, nil))
	put := &proto.PutKVConfig{Namespace: "n", Key: "k", Value: "v"}
	require.EqualValues(t, proto.RespNoPermission, code(proto.ReqPutKVConfig, put, nil), "rights on one cluster are none on the name server")
	require.EqualValues(t, proto.RespSuccess, code(proto.ReqUnregisterBroker, &proto.UnregisterBroker{
		BrokerName: b.BrokerName, BrokerAddress: b.BrokerAddress, ClusterName: "DefaultCluster"}, nil), "but they are for the brokers of that cluster")
	as(root)
	p.mustAsk(proto.ReqPutKVConfig, put, nil)
}

// A request names the cluster of its broker, and the broker may be of another one.
func TestRightsOnOneClusterAreNoneOnTheBrokersOfAnother(t *testing.T) {
	inner := signature.Credentials{AccessKey: "inner", SecretKey: "inner secret"}
	w := newWorld(t, Options{Access: guard.Options{Authentication: true, Authorization: true, Inner: inner}})
	p := w.peer()
	as := func(who signature.Credentials) {
		p.client = transport.NewClient(p.env, transport.ClientOptions{Signer: who, DialTimeout: time.Second})
	}
	as(inner)
	b := p.broker(0, "orders", "bills")
	p.mustRegister(b)
	mallory := signature.Credentials{AccessKey: "mallory", SecretKey: "mallory's secret"}
	info := proto.UserInfo{Password: mallory.SecretKey}
	p.mustAsk(proto.ReqAuthCreateUser, &proto.AuthUser{Username: "mallory"}, info.Marshal())
	acl := proto.ACLInfo{Subject: "User:mallory", Policies: []proto.PolicyInfo{{Entries: []proto.PolicyEntryInfo{
		{Resource: "Cluster:other", Actions: []string{"All"}, Decision: "Allow"}, {Resource: "Topic:*", Actions: []string{"All"}, Decision: "Allow"},
	}}}}
	p.mustAsk(proto.ReqAuthCreateACL, &proto.AuthACL{Subject: acl.Subject}, acl.Marshal())

	as(mallory)
	taken := *b
	taken.ClusterName, taken.BrokerAddress = "other", "10.9.9.9:10911"
	require.EqualValues(t, proto.RespNoPermission, p.register(&taken).Code)
	for code, header := range map[int32]proto.HeaderEncoder{
		proto.ReqUnregisterBroker: &proto.UnregisterBroker{BrokerName: b.BrokerName, BrokerAddress: b.BrokerAddress, ClusterName: "other"},
		proto.ReqQueryDataVersion: &proto.QueryDataVersion{BrokerName: b.BrokerName, BrokerAddress: b.BrokerAddress, ClusterName: "other"},
		proto.ReqBrokerHeartbeat:  &proto.BrokerHeartbeat{BrokerName: b.BrokerName, BrokerAddress: b.BrokerAddress, ClusterName: "other"},
	} {
		require.EqualValues(t, proto.RespNoPermission, p.ask(code, header, nil).Code, proto.RequestName(code))
	}
	require.Equal(t, b.BrokerAddress, p.route("orders").Brokers[0].Addresses[0].Address)
	looks := proto.ACLInfo{Subject: acl.Subject, Policies: []proto.PolicyInfo{{Entries: []proto.PolicyEntryInfo{{Resource: "Cluster:DefaultCluster", Actions: []string{"Get"}, Decision: "Allow"}}}}}
	as(inner)
	p.mustAsk(proto.ReqAuthCreateACL, &proto.AuthACL{Subject: acl.Subject}, looks.Marshal())
	as(mallory)
	asked := &proto.QueryDataVersion{BrokerName: b.BrokerName, BrokerAddress: b.BrokerAddress, ClusterName: "DefaultCluster"}
	require.EqualValues(t, proto.RespNoPermission, p.ask(proto.ReqQueryDataVersion, asked, nil).Code, "it would be a sign of life")
	taken.BrokerName = "broker-b"
	require.EqualValues(t, proto.RespSuccess, p.register(&taken).Code, "a name that nobody has")
}
