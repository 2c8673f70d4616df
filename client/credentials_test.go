package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
	"github.com/stretchr/testify/require"
)

func TestEveryRequestOfEveryRoleIsSigned(t *testing.T) {
	c := tracedCluster(t)
	seen, unsigned := map[int32]bool{}, map[int32]bool{}
	watch := func(in *transport.Incoming) bool {
		command := in.Command
		seen[command.Code] = true
		if command.Fields.String("AccessKey") != "orders" || command.Fields.String("SecurityToken") != "token" ||
			!signature.Verify(command.Fields, command.Body, command.Version, "12345678") {
			unsigned[command.Code] = true
		}
		return false
	}
	for _, server := range []*fake{&c.names.fake, &c.a.fake, &c.b.fake} {
		server.intercept = watch
	}
	who := client.WithCredentials("orders", "12345678", "token")
	c.run(time.Minute, func() {
		p := c.producer(who, client.WithTrace(client.TraceOptions{}))
		_, err := p.Send(background, hello())
		must(err)
		must(p.SendOneway(background, hello()))
		must(p.Close(background))
		admin := adminOf(c, who)
		_, err = admin.Cluster(background)
		must(err)
		must(admin.Close(background))
	})
	for _, code := range []int32{proto.ReqGetRouteInfoByTopic, proto.ReqSendMessageV2, proto.ReqHeartbeat, proto.ReqUnregisterClient, proto.ReqGetBrokerClusterInfo} {
		require.True(t, seen[code], proto.RequestName(code))
	}
	require.NotEmpty(t, c.traces(), "the producer of traces is signed, too")
	require.Empty(t, unsigned)
}

// adminOf makes an Admin; it is called by the application.
func adminOf(c *cluster, options ...client.AdminOption) *client.Admin {
	a, err := client.NewAdmin(c.app, append([]client.AdminOption{c.nameServers()}, options...)...)
	must(err)
	return a
}

func TestHalfCredentialsAreRefused(t *testing.T) {
	c := newCluster(t, 1)
	for _, half := range []client.Option{client.WithCredentials("orders", ""), client.WithCredentials("", "12345678")} {
		_, err := client.NewAdmin(c.app, client.WithNameServers(c.names.address), half)
		var wrong *client.OptionError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, "WithCredentials", wrong.Option)
		require.NotContains(t, err.Error(), "12345678")
	}
}

// answerAboutAccounts is a broker that knows alice and ben.
func answerAboutAccounts(in *transport.Incoming) {
	var body []byte
	switch in.Command.Code {
	case proto.ReqAuthGetUser:
		body = []byte(`{"username":"alice","userType":"Normal","userStatus":"enable"}`)
	case proto.ReqAuthListUser:
		body = []byte(`[{"username":"alice"},{"username":"ben"}]`)
	case proto.ReqAuthListACL:
		body = []byte(`[{"subject":"User:alice","policies":[]}]`)
	case proto.ReqGetBrokerClusterACLConfig:
		body = []byte(`{"globalWhiteAddrs":["10.0.0.1"],"plainAccessConfigs":[{"accessKey":"RocketMQ","admin":true}]}`)
	case proto.ReqGetBrokerClusterACLInfo:
		in.Reply().Send(proto.RespSuccess, &proto.ACLInfoResponse{BrokerName: "a", Version: proto.DataVersion{Counter: 3}}, nil)
		return
	}
	in.Reply().Success(body)
}

func TestAdministratorsLookAfterUsersAndRights(t *testing.T) {
	c := newCluster(t, 1)
	var asked []string
	c.a.intercept = func(in *transport.Incoming) bool {
		asked = append(asked, proto.RequestName(in.Command.Code)+" "+in.Command.Fields.String("username")+in.Command.Fields.String("subject")+in.Command.Fields.String("accessKey")+" "+string(in.Command.Body))
		answerAboutAccounts(in)
		return true
	}
	c.run(time.Minute, func() {
		admin, at := adminOf(c), c.a.address
		must(admin.CreateUser(background, at, client.UserInfo{Username: "alice", Password: "secret"}))
		must(admin.UpdateUser(background, at, client.UserInfo{Username: "alice", Status: "disable"}))
		must(admin.DeleteUser(background, at, "alice"))
		user, found, err := admin.User(background, at, "alice")
		must(err)
		require.True(t, found)
		require.Equal(t, "Normal", user.Type)
		users, err := admin.Users(background, at, "")
		must(err)
		require.Len(t, users, 2)
		acl := client.ACLInfo{Subject: "User:alice", Policies: []proto.PolicyInfo{{Entries: []proto.PolicyEntryInfo{{Resource: "Topic:orders", Actions: []string{"Pub"}, Decision: "Allow"}}}}}
		must(admin.CreateACL(background, at, acl))
		must(admin.UpdateACL(background, at, acl))
		must(admin.DeleteACL(background, at, "User:alice", "", "Topic:orders"))
		_, found, err = admin.ACL(background, at, "User:alice")
		must(err)
		require.False(t, found, "an answer without a body")
		acls, err := admin.ACLs(background, at, "", "")
		must(err)
		require.Len(t, acls, 1)
		must(admin.UpdatePlainAccount(background, at, client.PlainAccountChange{AccessKey: "RocketMQ", SecretKey: "12345678"}))
		must(admin.DeletePlainAccount(background, at, "RocketMQ"))
		must(admin.SetWhiteAddresses(background, at, []string{"10.0.0.*"}, ""))
		version, err := admin.PlainAccountsVersion(background, at)
		must(err)
		require.EqualValues(t, 3, version.Version.Counter)
		accounts, white, err := admin.PlainAccounts(background, at)
		must(err)
		require.Equal(t, []client.PlainAccount{{AccessKey: "RocketMQ", Admin: true}}, accounts)
		require.Equal(t, []string{"10.0.0.1"}, white)
		must(admin.Close(background))
	})
	require.Equal(t, []string{
		`AUTH_CREATE_USER alice {"password":"secret","username":"alice"}`,
		`AUTH_UPDATE_USER alice {"userStatus":"disable","username":"alice"}`,
		`AUTH_DELETE_USER alice `,
		`AUTH_GET_USER alice `,
		`AUTH_LIST_USER  `,
		`AUTH_CREATE_ACL User:alice {"policies":[{"entries":[{"actions":["Pub"],"decision":"Allow","resource":"Topic:orders"}]}],"subject":"User:alice"}`,
		`AUTH_UPDATE_ACL User:alice {"policies":[{"entries":[{"actions":["Pub"],"decision":"Allow","resource":"Topic:orders"}]}],"subject":"User:alice"}`,
		`AUTH_DELETE_ACL User:alice `,
		`AUTH_GET_ACL User:alice `,
		`AUTH_LIST_ACL  `,
		`UPDATE_AND_CREATE_ACL_CONFIG RocketMQ `,
		`DELETE_ACL_CONFIG RocketMQ `,
		`UPDATE_GLOBAL_WHITE_ADDRS_CONFIG  `,
		`GET_BROKER_CLUSTER_ACL_INFO  `,
		`GET_BROKER_CLUSTER_ACL_CONFIG  `,
	}, asked)
}
