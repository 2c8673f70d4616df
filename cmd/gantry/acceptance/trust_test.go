package acceptance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// The super user of guarded clusters.
const rootPassword = "the password of root"

// guarded starts a name server and a broker that let only users in, with the super user root. The file has root's credentials.
func guarded(t *testing.T) (c *cluster, credentials string) {
	t.Helper()
	c = &cluster{directory: t.TempDir()}
	t.Cleanup(func() {
		for _, node := range c.nodes {
			node.Kill()
		}
		if t.Failed() {
			t.Log(c.transcripts())
		}
	})
	settings := writeFile(t, "access.conf", `authenticationEnabled=true
authorizationEnabled=true
initAuthenticationUser={"username":"root","password":"`+rootPassword+`"}
innerClientAuthenticationCredentials={"accessKey":"inner","secretKey":"the secret of servers"}
`)
	c.options = []string{"-c", settings}
	require.NoError(t, c.startGuardedNames())
	require.NoError(t, c.startBroker("broker-a"))
	credentials = writeFile(t, "root.yml", "accessKey: root\nsecretKey: "+rootPassword+"\n")
	soon(t, func() bool {
		code, text := c.run(t, "clusterList", "--credentials", credentials)
		return code == 0 && strings.Contains(text, "broker-a")
	}, "the broker does not register")
	return c, credentials
}

// startGuardedNames starts the name server with the options of brokers.
func (c *cluster) startGuardedNames() error {
	c.nodes, c.addresses = map[string]*processtest.Process{}, map[string]string{}
	p, err := launch(c.directory, append(append([]string{"namesrv"}, processtest.NameServerOptions(c.directory)...), c.options...)...)
	if err != nil {
		return err
	}
	c.nodes["names"] = p
	c.names, err = p.Says(processtest.NameServerStarted)
	return err
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// sends tries to send once as somebody.
func (c *cluster) sends(t *testing.T, topic string, options ...client.ProducerOption) error {
	t.Helper()
	_, err := c.producer(t, options...).Send(background, client.NewMessage(topic, []byte("hello")))
	return err
}

// deniedBy requires that an error is a denial, and says which rule it was.
func deniedBy(t *testing.T, err error, rule string) {
	t.Helper()
	var answer *client.ResponseError
	require.ErrorAs(t, err, &answer)
	require.EqualValues(t, proto.RespNoPermission, answer.Code)
	require.Contains(t, answer.Remark, rule)
}

func TestEndToEndOnlyUsersDoWhatTheirRightsSay(t *testing.T) {
	endToEnd(t)
	c, root := guarded(t)
	as := func(command string, arguments ...string) string {
		t.Helper()
		return c.tool(t, command, append(arguments, "--credentials", root)...)
	}
	everywhere := []string{"-c", "DefaultCluster", "--nameServers"}
	as("updateTopic", "-c", "DefaultCluster", "-t", "orders", "-r", "1", "-w", "1")
	require.Contains(t, as("createUser", append(everywhere, "-u", "alice", "-p", "alice's password")...), "create user to "+c.addresses["broker-a"]+" success.")
	as("createUser", append(everywhere, "-u", "ben", "-p", "ben's password")...)
	as("createAcl", append(everywhere, "-s", "User:alice", "-r", "Topic:orders", "-a", "Pub", "-d", "Allow")...)
	as("createAcl", append(everywhere, "-s", "User:ben", "-r", "Topic:orders,Group:billing", "-a", "Sub", "-d", "Allow")...)
	alice, ben := client.WithCredentials("alice", "alice's password"), client.WithCredentials("ben", "ben's password")

	consumer := c.consume(t, "billing", "orders", ben)
	require.NoError(t, c.sends(t, "orders", alice))
	gets(t, []string{"hello"}, consumer)

	deniedBy(t, c.sends(t, "bills", alice), "User:alice has no permission to access Topic:bills")
	deniedBy(t, c.sends(t, "orders", ben), "Topic:orders (Pub)")
	deniedBy(t, c.sends(t, "orders", client.WithCredentials("alice", "guessed")), "signature is wrong")
	deniedBy(t, c.sends(t, "orders"), "not signed")
	require.NotContains(t, as("topicList"), "bills", "a topic that nobody may send to is not made")
	code, text := c.run(t, "deleteTopic", "-c", "DefaultCluster", "-t", "orders")
	require.Equal(t, 1, code, text)
	require.Contains(t, text, "--credentials")

	require.Contains(t, as("listAcl", "-c", "DefaultCluster"), "User:alice  Custom  Topic:orders")
	require.NotContains(t, as("listUser", "-c", "DefaultCluster", "--json"), "password")
	require.Contains(t, as("getBrokerConfig", "-c", "DefaultCluster"), "(hidden)")

	as("updateAcl", "-c", "DefaultCluster", "-s", "User:alice", "-r", "Topic:orders", "-a", "Pub", "-d", "Deny")
	deniedBy(t, c.sends(t, "orders", alice), "Custom entry Topic:orders Pub Deny")
	as("deleteUser", append(everywhere, "-u", "ben")...)
	code, _ = c.run(t, "getUser", "-c", "DefaultCluster", "-u", "ben", "--credentials", root)
	require.Equal(t, 1, code)

	stop(t, c.nodes["broker-a"])
	require.Contains(t, c.nodes["broker-a"].Err.String(), "request denied", "the audit log")
	require.NoError(t, c.startBroker("broker-a"))
	soon(t, func() bool {
		err := c.sends(t, "orders", alice)
		return err != nil && strings.Contains(err.Error(), "Custom entry Topic:orders Pub Deny")
	}, "rights outlive a restart")
	for _, node := range c.nodes {
		require.NotContains(t, node.Out.String()+node.Err.String(), "password of root")
	}
}

// plainAccounts are accounts of ACL 1.0, one of which may send to a topic.
func plainAccounts(topic string) string {
	return "accounts:\n- {accessKey: operator, secretKey: 12345678, admin: true}\n- {accessKey: RocketMQ, secretKey: 12345678, topicPerms: [" + topic + "=PUB]}\n"
}

func TestEndToEndAccountsOfVersionOneAreReadAgainWhenTheirFileChanges(t *testing.T) {
	endToEnd(t)
	c := own(t)
	require.NoError(t, os.MkdirAll(filepath.Join(c.directory, "broker-b", "config"), 0o755))
	file := filepath.Join(c.directory, "broker-b", "config", "plain_acl.yml")
	require.NoError(t, os.WriteFile(file, []byte(plainAccounts("orders")), 0o600))
	stop(t, c.nodes["broker-a"])
	delete(c.addresses, "broker-a")
	c.options = []string{"--aclEnable", "true"}
	require.NoError(t, c.startBroker("broker-b"))
	operator := writeFile(t, "operator.yml", "accessKey: operator\nsecretKey: '12345678'\n")
	for _, topic := range []string{"orders", "bills"} {
		soon(t, func() bool {
			code, _ := c.run(t, "updateTopic", "-b", c.addresses["broker-b"], "-t", topic, "--credentials", operator)
			return code == 0
		}, "the broker makes no topic")
		c.routed(t, c.newAdmin(t), topic, 1)
	}
	rocket := client.WithCredentials("RocketMQ", "12345678")
	require.NoError(t, c.sends(t, "orders", rocket))
	deniedBy(t, c.sends(t, "bills", rocket), "defaultTopicPerm=DENY")
	require.NoError(t, os.WriteFile(file, []byte(plainAccounts("bills")), 0o600))
	soon(t, func() bool { return c.sends(t, "bills", rocket) == nil }, "the changed file is not read")
	deniedBy(t, c.sends(t, "orders", rocket), "defaultTopicPerm=DENY")

	c.tool(t, "updateAclConfig", "-b", c.addresses["broker-b"], "-a", "newcomer", "-s", "87654321", "-t", "orders=PUB", "--credentials", operator)
	require.NoError(t, c.sends(t, "orders", client.WithCredentials("newcomer", "87654321")))
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(content), "87654321", "a request leaves only sealed secrets behind")
	code, text := c.run(t, "updateAclConfig", "-b", c.addresses["broker-b"], "-a", "stranger", "-s", "87654321", "-m", "true")
	require.Equal(t, 1, code, text)
	require.Contains(t, c.tool(t, "getAclConfig", "-b", c.addresses["broker-b"], "--credentials", operator), "newcomer")
}

func TestEndToEndANodeThatEverybodyCanUseSaysSo(t *testing.T) {
	endToEnd(t)
	p, err := launch(t.TempDir(), "namesrv", "--listenPort", "0")
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	_, err = p.Says(processtest.NameServerStarted)
	require.NoError(t, err)
	stop(t, p)
	require.Contains(t, p.Out.String(), "OPEN: whoever reaches this port may do everything")
	require.Contains(t, p.Err.String(), "this node is open")
	code, text := gantry(t, "broker", "--authorizationEnabled", "true", "--storePathRootDir", t.TempDir())
	require.Equal(t, 2, code)
	require.Contains(t, text, "authorizationEnabled: it needs authenticationEnabled=true")
	code, text = gantry(t, "namesrv", "--authenticationEnabled", "true", "--initAuthenticationUser", "root:hidden-secret", "--listenPort", "0")
	require.Equal(t, 2, code)
	require.Contains(t, text, "initAuthenticationUser: want JSON")
	require.NotContains(t, text, "hidden-secret")
}
