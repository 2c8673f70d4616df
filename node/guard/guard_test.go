package guard_test

import (
	"net/netip"
	pathpkg "path"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

const address = "10.0.0.1:10911"

// world is a node with a guard, which does nothing but count the requests that the guard lets through.
type world struct {
	t       *testing.T
	kernel  *sim.Kernel
	machine *sim.Machine
	options guard.Options
	env     env.Env
	guard   *guard.Guard
	server  *transport.Server
	tasks   *env.Group
	near    env.Env
	logged  *observer.ObservedLogs
	through int // requests that handlers have seen
	changes int // times that rules have changed
}

var root = signature.Credentials{AccessKey: "root", SecretKey: "root's secret"}

// users wants signatures and rights, with root as super user.
func users() guard.Options {
	return guard.Options{Authentication: true, Authorization: true, InitialUser: access.User{Name: root.AccessKey, Password: root.SecretKey}}
}

func newWorld(t *testing.T, options guard.Options) *world {
	t.Helper()
	w := &world{t: t, kernel: sim.New(1, sim.Options{}), options: options}
	t.Cleanup(w.kernel.Close)
	w.machine = w.kernel.AddMachine("node", netip.MustParseAddr("10.0.0.1"))
	w.near = w.kernel.AddMachine("client", netip.MustParseAddr("10.0.0.2")).Boot("client")
	w.boot()
	return w
}

func (w *world) boot() {
	w.env = w.machine.Boot("node")
	core, logged := observer.New(zap.InfoLevel)
	w.env.Log, w.logged = zap.New(core), logged
}

// start loads the guard and opens a port.
func (w *world) start() error {
	w.t.Helper()
	var err error
	w.on(w.env, func() {
		w.guard, err = guard.New(w.env, w.options, guard.Place{
			Directory: "config", Cluster: "DefaultCluster", Name: "broker-a", Address: func() string { return address }, Changed: func() { w.changes++ },
			Await: func(in *transport.Incoming, work func()) {
				resume := in.Conn.BeginWait()
				work()
				in.Conn.EndWait(resume)
			},
		})
		if err == nil {
			err = w.guard.Load()
		}
		if err != nil {
			return
		}
		w.tasks = env.NewGroup(w.env.Tasks)
		w.guard.Start(w.tasks)
		w.server = transport.NewServer(w.env, transport.ServerOptions{Handler: transport.HandlerFunc(w.serve)})
		_, err = w.server.Listen(address)
	})
	return err
}

func (w *world) serve(in *transport.Incoming) {
	if !w.guard.Admit(in) {
		return
	}
	w.through++
	if !w.guard.Serve(in) {
		in.Reply().Success(nil)
	}
}

func (w *world) on(e env.Env, fn func()) {
	w.t.Helper()
	done := false
	e.Tasks.Go("test", func() { fn(); done = true })
	w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return done })
	if f := w.kernel.Failure(); f != nil {
		w.t.Fatalf("%v\n%s", f, f.Stack)
	}
	require.True(w.t, done)
}

func (w *world) pass(d time.Duration) { w.kernel.Run(w.kernel.Now().Add(d), nil) }

// restart is a loss of power.
func (w *world) restart() {
	w.t.Helper()
	w.machine.Crash(sim.PowerLoss)
	w.boot()
	require.NoError(w.t, w.start())
}

// call asks as somebody and returns the answer.
func (w *world) call(as signature.Credentials, request *transport.Request) *wire.Command {
	w.t.Helper()
	options := transport.ClientOptions{}
	if as.Valid() {
		options.Signer = as
	}
	var response *wire.Command
	var err error
	w.on(w.near, func() {
		client := transport.NewClient(w.near, options)
		defer client.Close()
		var conn *transport.Conn
		deadline := w.kernel.Now().Add(30 * time.Second)
		if conn, err = client.Conn(nil, address, deadline); err == nil {
			response, err = conn.Call(nil, request, deadline)
		}
	})
	require.NoError(w.t, err)
	return response
}

// ok is call for a request that has to succeed.
func (w *world) ok(as signature.Credentials, request *transport.Request) *wire.Command {
	w.t.Helper()
	response := w.call(as, request)
	require.Equal(w.t, int32(proto.RespSuccess), response.Code, response.Remark)
	return response
}

// denied is call for a request that must not go through, and returns why.
func (w *world) denied(as signature.Credentials, request *transport.Request) string {
	w.t.Helper()
	before := w.through
	response := w.call(as, request)
	require.Equal(w.t, int32(proto.RespNoPermission), response.Code, response.Remark)
	require.Equal(w.t, before, w.through, "no handler has seen it")
	return response.Remark
}

func sendTo(topic string) *transport.Request {
	return &transport.Request{Code: proto.ReqSendMessageV2, Header: (&proto.SendMessage{Topic: topic}).Short(), Body: []byte("x")}
}

func makeUser(code int32, name string, info proto.UserInfo) *transport.Request {
	return &transport.Request{Code: code, Header: &proto.AuthUser{Username: name}, Body: info.Marshal()}
}

func aclOf(code int32, user, resource, action, decision string) *transport.Request {
	acl := proto.ACLInfo{Subject: "User:" + user, Policies: []proto.PolicyInfo{{Entries: []proto.PolicyEntryInfo{
		{Resource: resource, Actions: []string{action}, Decision: decision}}}}}
	return &transport.Request{Code: code, Header: &proto.AuthACL{Subject: acl.Subject}, Body: acl.Marshal()}
}

var alice = signature.Credentials{AccessKey: "alice", SecretKey: "alice's secret"}

// withAlice makes alice, who may send to orders.
func (w *world) withAlice() {
	w.t.Helper()
	w.ok(root, makeUser(proto.ReqAuthCreateUser, "alice", proto.UserInfo{Password: alice.SecretKey}))
	w.ok(root, aclOf(proto.ReqAuthCreateACL, "alice", "Topic:orders", "Pub", "Allow"))
}

func TestOnlyWhoMayGetsThrough(t *testing.T) {
	w := newWorld(t, users())
	require.NoError(t, w.start())
	w.withAlice()
	w.ok(alice, sendTo("orders"))
	require.Contains(t, w.denied(alice, sendTo("bills")), "no ACL allows it")
	require.Contains(t, w.denied(signature.Credentials{}, sendTo("orders")), "not signed")
	require.Contains(t, w.denied(signature.Credentials{AccessKey: "alice", SecretKey: "guessed"}, sendTo("orders")), "signature is wrong")
	require.Contains(t, w.denied(alice, makeUser(proto.ReqAuthCreateUser, "eve", proto.UserInfo{Password: "x"})), "no ACL allows it")
	large := sendTo("orders")
	large.Body = make([]byte, 200_000)
	w.ok(alice, large)
	require.Contains(t, w.denied(signature.Credentials{AccessKey: "alice", SecretKey: "guessed"}, large), "signature is wrong")
}

func TestAccountsOutliveALossOfPower(t *testing.T) {
	w := newWorld(t, users())
	require.NoError(t, w.start())
	w.withAlice()
	w.restart()
	w.ok(alice, sendTo("orders"))
	w.denied(alice, sendTo("bills"))
}

func TestSecretsAreInNoFileAndInNoLogLine(t *testing.T) {
	w := newWorld(t, users())
	require.NoError(t, w.start())
	w.withAlice()
	w.denied(alice, sendTo("bills"))
	files := 0
	for _, path := range w.machine.Disk().Paths() {
		content := w.content(path)
		require.NotContains(t, content, "secret", path)
		files++
	}
	require.GreaterOrEqual(t, files, 2, "the accounts and their key")
	for _, line := range w.logged.All() {
		for _, field := range line.Context {
			require.NotContains(t, field.String, "alice's secret")
			require.NotContains(t, field.String, "root's secret")
		}
	}
}

func TestTheAuditLogTellsWhoWantedWhatAndWhichRuleDecided(t *testing.T) {
	w := newWorld(t, users())
	require.NoError(t, w.start())
	w.withAlice()
	w.denied(alice, sendTo("bills"))
	w.ok(alice, sendTo("orders"))
	var lines []string
	for _, line := range w.logged.All() {
		if line.LoggerName != "audit" || !strings.HasPrefix(line.Message, "request") {
			continue
		}
		fields := line.ContextMap()
		require.True(t, strings.HasPrefix(fields["from"].(string), "10.0.0.2:"))
		text := line.Message
		for _, key := range []string{"who", "request", "what", "about", "rule"} {
			if value, there := fields[key]; there {
				text += " | " + value.(string)
			}
		}
		lines = append(lines, text)
	}
	require.Equal(t, []string{
		"request of administration allowed | User:root | AUTH_CREATE_USER | username=alice | super user",
		"request of administration allowed | User:root | AUTH_CREATE_ACL | subject=User:alice | super user",
		"request denied | User:alice | SEND_MESSAGE_V2 | Topic:bills (Pub) | no ACL allows it: no matched policies",
	}, lines)
}

func TestChangesOfAccountsCountAtOnce(t *testing.T) {
	w := newWorld(t, users())
	require.NoError(t, w.start())
	w.withAlice()
	w.ok(root, makeUser(proto.ReqAuthUpdateUser, "alice", proto.UserInfo{Status: "disable"}))
	require.Contains(t, w.denied(alice, sendTo("orders")), "disabled")
	w.ok(root, makeUser(proto.ReqAuthUpdateUser, "alice", proto.UserInfo{Status: "enable"}))
	w.ok(alice, sendTo("orders"))
	w.ok(root, aclOf(proto.ReqAuthUpdateACL, "alice", "Topic:orders", "Pub", "Deny"))
	require.Contains(t, w.denied(alice, sendTo("orders")), "Custom entry Topic:orders Pub Deny")
	w.ok(root, &transport.Request{Code: proto.ReqAuthDeleteACL, Header: &proto.AuthDeleteACL{Subject: "User:alice", Resource: "Topic:orders"}})
	require.Contains(t, w.denied(alice, sendTo("orders")), "no ACL allows it")
	w.ok(root, makeUser(proto.ReqAuthDeleteUser, "alice", proto.UserInfo{}))
	require.Contains(t, w.denied(alice, sendTo("orders")), "there is no such user")
	require.Positive(t, w.changes)
}

func TestUsersAndRightsAreShown(t *testing.T) {
	w := newWorld(t, users())
	require.NoError(t, w.start())
	w.withAlice()
	w.ok(root, aclOf(proto.ReqAuthUpdateACL, "alice", "Cluster:*", "Get", "Allow"))
	ask := func(as signature.Credentials) *proto.UserInfo {
		info, err := proto.UnmarshalUserInfo(w.ok(as, &transport.Request{Code: proto.ReqAuthGetUser, Header: &proto.AuthUser{Username: "alice"}}).Body)
		require.NoError(t, err)
		return info
	}
	require.Equal(t, &proto.UserInfo{Username: "alice", Password: alice.SecretKey, Type: "Normal", Status: "enable"}, ask(root))
	require.Equal(t, &proto.UserInfo{Username: "alice", Type: "Normal", Status: "enable"}, ask(alice), "only super users see passwords")
	list, err := proto.UnmarshalUsers(w.ok(alice, &transport.Request{Code: proto.ReqAuthListUser, Header: &proto.AuthListUser{Filter: "o"}}).Body)
	require.NoError(t, err)
	require.Equal(t, []proto.UserInfo{{Username: "root", Type: "Super", Status: "enable"}}, list)
	acl, err := proto.UnmarshalACLInfo(w.ok(root, &transport.Request{Code: proto.ReqAuthGetACL, Header: &proto.AuthACL{Subject: "User:alice"}}).Body)
	require.NoError(t, err)
	require.Len(t, acl.Policies[0].Entries, 2)
	acls, err := proto.UnmarshalACLs(w.ok(root, &transport.Request{Code: proto.ReqAuthListACL, Header: &proto.AuthListACL{ResourceFilter: "orders"}}).Body)
	require.NoError(t, err)
	require.Len(t, acls[0].Policies[0].Entries, 1)
	require.Empty(t, w.ok(root, &transport.Request{Code: proto.ReqAuthGetUser, Header: &proto.AuthUser{Username: "eve"}}).Body)
	require.Empty(t, w.ok(root, &transport.Request{Code: proto.ReqAuthGetACL, Header: &proto.AuthACL{Subject: "User:root"}}).Body)
	require.Empty(t, w.ok(root, &transport.Request{Code: proto.ReqAuthListACL, Header: &proto.AuthListACL{SubjectFilter: "eve"}}).Body)
	require.Empty(t, w.ok(root, &transport.Request{Code: proto.ReqAuthListUser, Header: &proto.AuthListUser{Filter: "eve"}}).Body)
}

func TestChangesThatMakeNoSenseAreRefusedAndChangeNothing(t *testing.T) {
	w := newWorld(t, users())
	require.NoError(t, w.start())
	w.withAlice()
	before := w.content("config/auth/accounts.json")
	for _, c := range []struct {
		request *transport.Request
		code    int32
		remark  string
	}{
		{makeUser(proto.ReqAuthCreateUser, "", proto.UserInfo{Password: "x"}), proto.RespInvalidParameter, "username"},
		{makeUser(proto.ReqAuthCreateUser, "alice", proto.UserInfo{Password: "x"}), proto.RespNoPermission, "the user exists"},
		{makeUser(proto.ReqAuthCreateUser, "eve", proto.UserInfo{}), proto.RespNoPermission, "password"},
		{makeUser(proto.ReqAuthCreateUser, "eve", proto.UserInfo{Password: "x", Type: "King"}), proto.RespNoPermission, "userType"},
		{makeUser(proto.ReqAuthUpdateUser, "eve", proto.UserInfo{Password: "x"}), proto.RespNoPermission, "there is no such user"},
		{&transport.Request{Code: proto.ReqAuthCreateUser, Header: &proto.AuthUser{Username: "eve"}, Body: []byte("{")}, proto.RespInvalidParameter, "UserInfo"},
		{aclOf(proto.ReqAuthCreateACL, "eve", "Topic:orders", "Pub", "Allow"), proto.RespNoPermission, "there is no such user"},
		{aclOf(proto.ReqAuthCreateACL, "alice", "orders", "Pub", "Allow"), proto.RespNoPermission, "resource"},
		{&transport.Request{Code: proto.ReqAuthCreateACL, Header: &proto.AuthACL{Subject: "User:alice"}, Body: []byte(`{"policies":[]}`)}, proto.RespSystemError, "policies"},
		{&transport.Request{Code: proto.ReqAuthDeleteACL, Header: &proto.AuthDeleteACL{Subject: "User:root"}}, proto.RespNoPermission, "no ACL"},
		{&transport.Request{Code: proto.ReqUpdateAndCreateACLConfig, Header: &proto.UpdateAndCreateACLConfig{AccessKey: "rocketmq3"}}, proto.RespUpdateACLConfigFailed, "aclEnable"},
		{&transport.Request{Code: proto.ReqGetBrokerClusterACLInfo}, proto.RespSystemError, "aclEnable"},
	} {
		response := w.call(root, c.request)
		require.Equal(t, c.code, response.Code, "%s: %s", c.remark, response.Remark)
		require.Contains(t, response.Remark, c.remark)
	}
	require.Equal(t, before, w.content("config/auth/accounts.json"))
}

func TestOnlySuperUsersMakeSuperUsers(t *testing.T) {
	w := newWorld(t, users())
	require.NoError(t, w.start())
	w.withAlice()
	w.ok(root, aclOf(proto.ReqAuthUpdateACL, "alice", "Cluster:*", "Update", "Allow"))
	w.ok(alice, makeUser(proto.ReqAuthCreateUser, "eve", proto.UserInfo{Password: "eve's secret"}))
	for _, request := range []*transport.Request{
		makeUser(proto.ReqAuthCreateUser, "king", proto.UserInfo{Password: "x", Type: "Super"}),
		makeUser(proto.ReqAuthUpdateUser, "eve", proto.UserInfo{Type: "Super"}),
		makeUser(proto.ReqAuthUpdateUser, "root", proto.UserInfo{Password: "stolen"}),
		makeUser(proto.ReqAuthDeleteUser, "root", proto.UserInfo{}),
	} {
		response := w.call(alice, request)
		require.Equal(t, int32(proto.RespNoPermission), response.Code)
		require.Contains(t, response.Remark, "only super users")
	}
	w.ok(root, makeUser(proto.ReqAuthCreateUser, "king", proto.UserInfo{Password: "king's secret", Type: "Super"}))
}

// content is what a file shows.
func (w *world) content(path string) string {
	content, _ := w.machine.Disk().Content(path)
	return string(content)
}

// write replaces a file as a person would.
func (w *world) write(path, content string) {
	w.t.Helper()
	var err error
	w.on(w.env, func() {
		_ = w.env.Disk.Remove(path)
		var f env.File
		if f, err = w.env.Disk.Create(path); err == nil {
			err = f.WriteAt([]byte(content), 0)
			_ = f.Sync(0, int64(len(content)))
			_ = f.Close()
			_ = w.env.Disk.SyncDir(pathpkg.Dir(path))
		}
	})
	require.NoError(w.t, err)
}

func TestAFileThatPeopleChangeIsReadAgain(t *testing.T) {
	w := newWorld(t, users())
	require.NoError(t, w.start())
	w.withAlice()
	text := w.content("config/auth/accounts.json")
	w.write("config/auth/accounts.json", strings.Replace(text, "Topic:orders", "Topic:bills", 1))
	w.pass(6 * time.Second)
	w.ok(alice, sendTo("bills"))
	w.denied(alice, sendTo("orders"))

	// A file that is broken, or gone, changes nothing, and is not written over.
	for _, broken := range []string{`{"users":[`, ""} {
		w.write("config/auth/accounts.json", broken)
		w.pass(20 * time.Second)
		w.ok(alice, sendTo("bills"))
		response := w.call(root, makeUser(proto.ReqAuthCreateUser, "eve", proto.UserInfo{Password: "x"}))
		require.Contains(t, response.Remark, "cannot be read")
	}
	require.Equal(t, 2, w.logged.FilterMessageSnippet("file of users cannot be read").Len(), "each is said once")

	// A password that somebody has written by hand works, and is sealed.
	w.write("config/auth/accounts.json", `{"users":[{"username":"alice","password":"alice's secret","userType":"Super"}]}`)
	w.pass(6 * time.Second)
	w.ok(alice, sendTo("orders"))
	require.NotContains(t, w.content("config/auth/accounts.json"), "secret")
}

func TestANodeDoesNotStartWithAFileThatCannotBeRead(t *testing.T) {
	for problem, prepare := range map[string]func(w *world){
		"accounts.json": func(w *world) { w.write("config/auth/accounts.json", "{") },
		"cannot be open": func(w *world) {
			require.NoError(t, w.start())
			w.machine.Crash(sim.PowerLoss)
			w.boot()
			w.write("config/auth/accounts.key", strings.Repeat("00", 32))
		},
		"accounts.key is missing": func(w *world) {
			require.NoError(t, w.start())
			w.machine.Crash(sim.PowerLoss)
			w.boot()
			w.on(w.env, func() { _ = w.env.Disk.Remove("config/auth/accounts.key") })
		},
		"it is not a key": func(w *world) {
			require.NoError(t, w.start())
			w.machine.Crash(sim.PowerLoss)
			w.boot()
			w.write("config/auth/accounts.key", "short")
		},
	} {
		w := newWorld(t, users())
		prepare(w)
		require.ErrorContains(t, w.start(), problem)
	}
}

func TestOptionsThatContradictEachOtherAreNamed(t *testing.T) {
	for option, options := range map[string]guard.Options{
		"aclEnable":                            {Plain: true, Authentication: true},
		"authorizationEnabled":                 {Authorization: true},
		"migrateAuthFromV1Enabled":             {Plain: true, Migrate: true},
		"initAuthenticationUser":               {InitialUser: access.User{Name: "root"}},
		"innerClientAuthenticationCredentials": {Inner: signature.Credentials{AccessKey: "inner"}},
	} {
		require.ErrorContains(t, options.Validate(), option)
	}
	user, err := guard.ParseInitialUser(`{"username":"root","password":"secret"}`)
	require.NoError(t, err)
	require.Equal(t, access.User{Name: "root", Password: "secret", Super: true}, user)
	credentials, err := guard.ParseCredentials(`{"accessKey":"inner","secretKey":"secret"}`)
	require.NoError(t, err)
	require.Equal(t, signature.Credentials{AccessKey: "inner", SecretKey: "secret"}, credentials)
	for _, wrong := range []string{"{", `{"username":"root"}`, `{"password":"secret"}`} {
		_, err := guard.ParseInitialUser(wrong)
		require.ErrorContains(t, err, "want JSON")
		require.NotContains(t, err.Error(), "secret")
		_, err = guard.ParseCredentials(wrong)
		require.ErrorContains(t, err, "want JSON")
	}
}

func TestServersAmongThemselvesHaveASuperUser(t *testing.T) {
	options := users()
	options.Inner = signature.Credentials{AccessKey: "inner", SecretKey: "inner secret"}
	w := newWorld(t, options)
	require.NoError(t, w.start())
	w.ok(options.Inner, &transport.Request{Code: proto.ReqRegisterBroker})
	w.options.Inner.SecretKey = "another secret"
	w.restart()
	require.Equal(t, 1, w.logged.FilterMessageSnippet("innerClientAuthenticationCredentials").Len(), "the user that is there stays as it is")
}

func TestWithoutAccessControlEverybodyMayAndChangesAreOnRecord(t *testing.T) {
	w := newWorld(t, guard.Options{})
	require.NoError(t, w.start())
	w.ok(signature.Credentials{}, sendTo("orders"))
	w.ok(signature.Credentials{}, makeUser(proto.ReqAuthCreateUser, "root", proto.UserInfo{Password: "root's secret", Type: "Super"}))
	info, err := proto.UnmarshalUserInfo(w.ok(signature.Credentials{}, &transport.Request{Code: proto.ReqAuthGetUser, Header: &proto.AuthUser{Username: "root"}}).Body)
	require.NoError(t, err)
	require.Empty(t, info.Password, "passwords are not shown to everybody")
	require.Equal(t, 1, w.logged.FilterMessage("request of administration allowed").Len())
	// What was made before access control was on counts once it is.
	w.options = guard.Options{Authentication: true, Authorization: true}
	w.restart()
	w.ok(root, sendTo("orders"))
	w.denied(signature.Credentials{}, sendTo("orders"))
}

const plainText = `
globalWhiteRemoteAddresses: [10.9.9.9]
accounts:
- {accessKey: RocketMQ, secretKey: 12345678, topicPerms: ["orders=PUB"]}
- {accessKey: rocketmq2, secretKey: 87654321, admin: true}
`

var (
	rocket      = signature.Credentials{AccessKey: "RocketMQ", SecretKey: "12345678"}
	rocketAdmin = signature.Credentials{AccessKey: "rocketmq2", SecretKey: "87654321"}
)

func TestAccountsOfVersionOneDecideAndAreChangedByTools(t *testing.T) {
	w := newWorld(t, guard.Options{Plain: true})
	w.write("config/plain_acl.yml", plainText)
	w.write("config/acl/more.yml", "accounts: [{accessKey: rocketmq4, secretKey: 12345678, defaultTopicPerm: PUB}]")
	require.NoError(t, w.start())
	w.ok(rocket, sendTo("orders"))
	require.Contains(t, w.denied(rocket, sendTo("bills")), "defaultTopicPerm=DENY")
	w.ok(signature.Credentials{AccessKey: "rocketmq4", SecretKey: "12345678"}, sendTo("bills"))

	change := &proto.UpdateAndCreateACLConfig{AccessKey: "rocketmq3", SecretKey: "abcdefgh", DefaultTopicPerm: "PUB"}
	require.Contains(t, w.denied(rocket, &transport.Request{Code: proto.ReqUpdateAndCreateACLConfig, Header: change}), "admin: true")
	w.ok(rocketAdmin, &transport.Request{Code: proto.ReqUpdateAndCreateACLConfig, Header: change})
	w.ok(signature.Credentials{AccessKey: "rocketmq3", SecretKey: "abcdefgh"}, sendTo("bills"))
	require.NotContains(t, w.content("config/plain_acl.yml"), "abcdefgh")
	w.ok(rocketAdmin, &transport.Request{Code: proto.ReqUpdateAndCreateACLConfig, Header: &proto.UpdateAndCreateACLConfig{AccessKey: "rocketmq4", DefaultTopicPerm: "DENY"}})
	w.denied(signature.Credentials{AccessKey: "rocketmq4", SecretKey: "12345678"}, sendTo("bills"))
	w.ok(rocketAdmin, &transport.Request{Code: proto.ReqDeleteACLConfig, Header: &proto.DeleteACLConfig{AccessKey: "RocketMQ"}})
	w.denied(rocket, sendTo("orders"))

	var info proto.ACLInfoResponse
	require.NoError(t, info.DecodeFields(w.ok(rocketAdmin, &transport.Request{Code: proto.ReqGetBrokerClusterACLInfo}).Fields))
	require.Equal(t, int64(2), info.Version.Counter)
	require.Equal(t, int64(1), info.Files["config/acl/more.yml"].Counter)
	require.Equal(t, "broker-a", info.BrokerName)

	w.restart()
	w.ok(signature.Credentials{AccessKey: "rocketmq3", SecretKey: "abcdefgh"}, sendTo("bills"))
	config, err := proto.UnmarshalACLConfig(w.ok(rocketAdmin, &transport.Request{Code: proto.ReqGetBrokerClusterACLConfig}).Body)
	require.NoError(t, err)
	require.Equal(t, []string{"10.9.9.9"}, config.WhiteAddresses)
	require.Len(t, config.Accounts, 3)
	for _, account := range config.Accounts {
		require.Empty(t, account.SecretKey)
	}
}

func TestGlobalAddressesOfVersionOneAreChanged(t *testing.T) {
	w := newWorld(t, guard.Options{Plain: true})
	w.write("config/plain_acl.yml", plainText)
	require.NoError(t, w.start())
	white := func(file string, addresses ...string) *transport.Request {
		return &transport.Request{Code: proto.ReqUpdateGlobalWhiteAddressesConfig, Header: &proto.UpdateGlobalWhiteAddressesConfig{Addresses: addresses, File: file}}
	}
	for _, request := range []*transport.Request{white("", "nowhere"), white("/etc/passwd", "10.0.0.2")} {
		require.Equal(t, int32(proto.RespUpdateGlobalWhiteAddressesConfigFailed), w.call(rocketAdmin, request).Code)
	}
	w.denied(signature.Credentials{}, sendTo("orders"))
	w.ok(rocketAdmin, white("", "10.0.0.*", "192.168.0.1"))
	w.ok(signature.Credentials{}, sendTo("orders"))
	response := w.call(rocketAdmin, &transport.Request{Code: proto.ReqDeleteACLConfig, Header: &proto.DeleteACLConfig{AccessKey: "nobody"}})
	require.Equal(t, int32(proto.RespDeleteACLConfigFailed), response.Code)
}

func TestFilesOfVersionOneAreReadAgain(t *testing.T) {
	w := newWorld(t, guard.Options{Plain: true})
	require.NoError(t, w.start(), "without a file nobody may do anything")
	w.denied(rocketAdmin, sendTo("orders"))
	w.write("config/plain_acl.yml", plainText)
	w.pass(6 * time.Second)
	w.ok(rocketAdmin, sendTo("orders"))
	w.write("config/plain_acl.yml", "accounts: [{accessKey: x}]")
	w.pass(20 * time.Second)
	w.ok(rocketAdmin, sendTo("orders"))
	require.Equal(t, 1, w.logged.FilterMessageSnippet("files of ACL 1.0 cannot be read").Len())
	response := w.call(rocketAdmin, &transport.Request{Code: proto.ReqDeleteACLConfig, Header: &proto.DeleteACLConfig{AccessKey: "RocketMQ"}})
	require.Contains(t, response.Remark, "cannot be read")
}

func TestAccountsOfVersionOneBecomeUsers(t *testing.T) {
	options := users()
	options.Migrate = true
	w := newWorld(t, options)
	w.write("config/plain_acl.yml", plainText)
	require.NoError(t, w.start())
	w.ok(rocket, sendTo("orders"))
	w.denied(rocket, sendTo("bills"))
	w.ok(rocketAdmin, sendTo("bills"))
	w.ok(root, sendTo("bills"))
}

func TestAChangeThatCannotBeSavedIsNotMade(t *testing.T) {
	w := newWorld(t, users())
	require.NoError(t, w.start())
	w.withAlice()
	healthy := w.machine.Disk().Options()
	full := healthy
	full.Full = true
	w.machine.Disk().SetOptions(full)
	response := w.call(root, makeUser(proto.ReqAuthUpdateUser, "alice", proto.UserInfo{Status: "disable"}))
	require.Equal(t, int32(proto.RespSystemError), response.Code)
	w.ok(alice, sendTo("orders"))
	w.machine.Disk().SetOptions(healthy)
	w.restart()
	w.ok(alice, sendTo("orders"))
}
