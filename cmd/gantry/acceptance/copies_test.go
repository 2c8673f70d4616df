package acceptance_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
)

// couple is a name server and the brokers of one group, each a process. A directory may be that of a master and of a slave in turn.
type couple struct {
	*cluster
	ports map[string]string // by directory
}

func newCouple(t *testing.T) *couple {
	t.Helper()
	c := &couple{cluster: &cluster{directory: t.TempDir()}, ports: map[string]string{}}
	c.killAtTheEnd(t)
	require.NoError(t, c.startNames())
	return c
}

// start starts a broker of the group on a directory. It has the same port whenever it is started.
func (c *couple) start(t *testing.T, directory string, options ...string) {
	t.Helper()
	if c.ports[directory] == "" {
		c.ports[directory] = "0"
	}
	_, copiesPort, err := net.SplitHostPort(freeAddress(t))
	require.NoError(t, err)
	usual := processtest.BrokerOptions("broker-a", c.names, filepath.Join(c.directory, directory), c.ports[directory],
		"--mappedFileSizeCommitLog", "33554432", "--log-level", "warn", "--haListenPort", copiesPort, "--slaveReadEnable", "true", "--copyTablesInterval", "100")
	p, err := launch(c.directory, slices.Concat([]string{"broker"}, usual, options)...)
	require.NoError(t, err)
	c.nodes[directory] = p
	address, err := p.Says(processtest.BrokerStarted("broker-a"))
	require.NoError(t, err)
	c.addresses[directory] = address
	_, c.ports[directory], err = net.SplitHostPort(address)
	require.NoError(t, err)
}

// The roles, as an operator writes them.
var (
	syncMaster  = []string{"--brokerRole", "SYNC_MASTER", "--slaveTimeout", "20000"}
	asyncMaster = []string{"--brokerRole", "ASYNC_MASTER"}
	aSlave      = []string{"--brokerRole", "SLAVE", "--brokerId", "1"}
)

// copies is what haStatus says of a broker.
type copies struct {
	Brokers []struct {
		Master  bool
		LogEnd  int64
		Why     string `json:"whyRefused"`
		InSync  int    `json:"inSyncSlaves"`
		Slaves  []struct{ Acked, BehindBytes int64 }
		Follows struct {
			LogEnd    int64
			Connected bool
			Diverged  string
		}
	}
}

func (c *couple) copies(t *testing.T, directory string) (v copies) {
	t.Helper()
	text := c.tool(t, "haStatus", "-b", c.addresses[directory], "--json")
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	require.Len(t, v.Brokers, 1)
	return v
}

// followed waits until a slave has all that its master has.
func (c *couple) followed(t *testing.T, master, slave string) {
	t.Helper()
	soon(t, func() bool {
		m, s := c.copies(t, master).Brokers[0], c.copies(t, slave).Brokers[0]
		return m.Master && !s.Master && m.InSync == 1 && m.Slaves[0].BehindBytes == 0 && m.LogEnd > 0 && s.Follows.Connected && s.Follows.LogEnd == m.LogEnd
	}, "the slave does not have what its master has")
}

// group makes a group, and waits until a slave knows it: a slave makes none, and reads for those that its master has.
func (c *couple) group(t *testing.T, name, slave string) {
	t.Helper()
	c.tool(t, "updateSubGroup", "-c", "DefaultCluster", "-g", name)
	soon(t, func() bool {
		groups, err := os.ReadFile(filepath.Join(c.directory, slave, "config", "subscriptionGroup.json"))
		return err == nil && strings.Contains(string(groups), name)
	}, "the slave does not copy tables")
}

// sendByTool sends messages with the bodies from first on, one process for each.
func (c *couple) sendByTool(t *testing.T, topic string, first, count int) {
	t.Helper()
	for i := range count {
		require.Contains(t, c.tool(t, "sendMessage", "-t", topic, "-p", fmt.Sprint(first+i)), "SEND_OK")
	}
}

// makeOrders makes the topic orders, with one queue.
func (c *couple) makeOrders(t *testing.T) {
	t.Helper()
	soon(t, func() bool {
		code, _ := c.run(t, "updateTopic", "-c", "DefaultCluster", "-t", "orders", "-r", "1", "-w", "1")
		return code == 0
	}, "the topic cannot be made")
	c.routed(t, c.newAdmin(t), "orders", 1)
}

func TestEndToEndASlaveTakesThePlaceOfAMasterThatWasKilled(t *testing.T) {
	endToEnd(t)
	c := newCouple(t)
	c.start(t, "one", syncMaster...)
	c.start(t, "two", aSlave...)
	c.makeOrders(t)
	c.sendByTool(t, "orders", 0, 3)
	p := c.producer(t)
	for i := 3; i < 40; i++ {
		send(t, p, client.NewMessage("orders", fmt.Append(nil, i)))
	}
	text := c.tool(t, "haStatus", "-c", "DefaultCluster")
	require.Contains(t, text, "SYNC_MASTER\nits log ends at ")
	require.Contains(t, text, "2 copies are needed; 1 of 1 slaves keep up")
	require.Contains(t, text, "broker-a (slave 1) at "+c.addresses["two"]+": a slave of 127.0.0.1:")
	require.Contains(t, c.tool(t, "clusterList"), "SLAVE")
	c.followed(t, "one", "two")
	c.group(t, "readers", "two")
	_, said := c.run(t, "doctor")
	require.Contains(t, said, "1 master and 1 slave get on")

	c.nodes["one"].Kill()
	// What was acknowledged, consumers get from the slave.
	gets(t, numbers(40), c.consume(t, "readers", "orders"))
	code, said := c.run(t, "doctor")
	require.NotZero(t, code)
	require.Contains(t, said, "broker-a has no master")
	require.Contains(t, said, "start the slave with the longest log")

	stop(t, c.nodes["two"])
	c.start(t, "two", asyncMaster...)
	gets(t, numbers(40), c.consume(t, "latecomers", "orders"))
	c.sendByTool(t, "orders", 40, 2)

	c.start(t, "one", aSlave...)
	c.followed(t, "two", "one")
	c.group(t, "others", "one")
	stop(t, c.nodes["two"])
	gets(t, numbers(42), c.consume(t, "others", "orders"))
}

func TestEndToEndASlaveThatHasDivergedIsRefusedAndSaysSo(t *testing.T) {
	endToEnd(t)
	c := newCouple(t)
	c.start(t, "one", asyncMaster...)
	c.start(t, "two", aSlave...)
	c.makeOrders(t)
	c.sendByTool(t, "orders", 0, 2)
	c.followed(t, "one", "two")
	// Both are masters for a while, one after the other, with messages that the other one lacks.
	c.nodes["two"].Kill()
	c.sendByTool(t, "orders", 2, 2)
	c.nodes["one"].Kill()
	c.start(t, "two", asyncMaster...)
	soon(t, func() bool { code, _ := c.run(t, "sendMessage", "-t", "orders", "-p", "x"); return code == 0 }, "the new master takes nothing")
	c.start(t, "one", aSlave...)
	soon(t, func() bool { return c.copies(t, "one").Brokers[0].Follows.Diverged != "" }, "the slave follows another log")
	one := c.copies(t, "one").Brokers[0]
	require.False(t, one.Follows.Connected)
	require.Contains(t, one.Follows.Diverged, "that of the slave ends at")
	require.Contains(t, one.Follows.Diverged, "make the slave anew with an empty directory")
	require.Contains(t, c.tool(t, "haStatus", "-b", c.addresses["one"]), "does not follow: ")
	require.Zero(t, c.copies(t, "two").Brokers[0].InSync)
	code, said := c.run(t, "doctor")
	require.NotZero(t, code)
	require.Contains(t, said, "does not follow: its log is not that of its master")
	gets(t, []string{"0", "1", "x"}, c.consume(t, "readers", "orders"))
}

func TestEndToEndASlaveServesReadsOnlyAndSaysWhereToSend(t *testing.T) {
	endToEnd(t)
	c := newCouple(t)
	c.start(t, "one", asyncMaster...)
	c.start(t, "two", aSlave...)
	code, text := c.run(t, "updateTopic", "-b", c.addresses["two"], "-t", "orders")
	require.Equal(t, 1, code, text)
	require.Contains(t, text, "this broker is a slave of broker-a and does not serve request code 17 (UPDATE_AND_CREATE_TOPIC): send it to the master")
	require.Contains(t, c.tool(t, "getBrokerConfig", "-b", c.addresses["two"]), "SLAVE")
	require.Contains(t, c.tool(t, "brokerStatus", "-b", c.addresses["two"]), "behindMasterBytes")
}

func TestEndToEndAMasterWithoutItsSlavesAcknowledgesNothing(t *testing.T) {
	endToEnd(t)
	c := newCouple(t)
	c.start(t, "one", "--brokerRole", "SYNC_MASTER", "--slaveTimeout", "300", "--minInSyncReplicas", "2")
	soon(t, func() bool {
		code, _ := c.run(t, "updateTopic", "-c", "DefaultCluster", "-t", "orders")
		return code == 0
	}, "the topic cannot be made")
	code, text := c.run(t, "sendMessage", "-t", "orders", "-p", "x")
	require.NotZero(t, code, text)
	require.Contains(t, text, "minInSyncReplicas wants 2")
	code, text = c.run(t, "doctor")
	require.NotZero(t, code)
	require.Contains(t, text, "wants 2 copies of each message, and has 1")
	c.start(t, "two", aSlave...)
	soon(t, func() bool { code, _ := c.run(t, "sendMessage", "-t", "orders", "-p", "x"); return code == 0 }, "with its slave the master takes nothing")
}

func TestEndToEndConfigurationsThatPromiseTooMuchAreRefused(t *testing.T) {
	endToEnd(t)
	for line, want := range map[string]string{
		"--brokerRole SLAVE":                          "brokerId: 0 is the master's: give a slave (brokerRole=SLAVE) an id of its own",
		"--brokerRole SLAVE --brokerId 1":             "namesrvAddr: a slave asks name servers where its master is",
		"--brokerId 1":                                "brokerId: 1 is the id of a slave",
		"--brokerRole SYNC_MASTER --inSyncReplicas 1": "inSyncReplicas: 1 with brokerRole=SYNC_MASTER promises no second copy",
		"--brokerRole SYNC_MASTER --haListenPort 0":   "haListenPort: 0 with brokerRole=SYNC_MASTER lets no slave in",
		"--inSyncReplicas 2":                          "which waits for no slave, is a promise that is not kept",
		"--brokerRole SYNC_MASTER --minInSyncReplicas 3 --inSyncReplicas 2": "minInSyncReplicas: 3 is more than inSyncReplicas, 2",
		"--brokerRole SYNC_MASTER --totalReplicas 1":                        "totalReplicas: 1 is less than inSyncReplicas, 2",
		"--haHousekeepingInterval 5000":                                     "haHousekeepingInterval: 5s is not longer than haSendHeartbeatInterval, 5s",
		"--enableSlaveActingMaster true":                                    "no option --enableSlaveActingMaster",
	} {
		code, text := gantry(t, append([]string{"broker", "--storePathRootDir", t.TempDir()}, strings.Fields(line)...)...)
		require.Equal(t, 2, code, "%s: %s", line, text)
		require.Contains(t, text, want, line)
	}
}

// Encryption is that of the node, at the replication port too; requests for tables are signed as servers sign.
func TestEndToEndCopiesOfGuardedBrokersAreEncryptedAndSigned(t *testing.T) {
	endToEnd(t)
	c := newCouple(t)
	settings := writeFile(t, "access.conf", `authenticationEnabled=true
authorizationEnabled=true
initAuthenticationUser={"username":"root","password":"`+rootPassword+`"}
innerClientAuthenticationCredentials={"accessKey":"inner","secretKey":"the secret of servers"}
tls.server.mode=enforcing
tls.enable=true
tls.client.authServer=false
`)
	root := []string{"--credentials", writeFile(t, "root.yml", "accessKey: root\nsecretKey: "+rootPassword+"\n"), "--tls.enable", "true", "--tls.client.authServer", "false"}
	c.start(t, "one", append([]string{"-c", settings}, syncMaster...)...)
	c.start(t, "two", append([]string{"-c", settings}, aSlave...)...)
	as := func(command string, arguments ...string) (int, string) {
		return c.run(t, command, slices.Concat(arguments, root)...)
	}
	soon(t, func() bool {
		code, _ := as("updateTopic", "-c", "DefaultCluster", "-t", "orders", "-r", "1", "-w", "1")
		return code == 0
	}, "the topic cannot be made")
	soon(t, func() bool {
		code, text := as("sendMessage", "-t", "orders", "-p", "x")
		return code == 0 && strings.Contains(text, "SEND_OK")
	}, "the slave does not follow")
	soon(t, func() bool {
		topics, err := os.ReadFile(filepath.Join(c.directory, "two", "config", "topics.json"))
		return err == nil && strings.Contains(string(topics), "orders")
	}, "the slave does not copy tables")
	_, text := as("haStatus", "-b", c.addresses["two"])
	port := strings.Fields(text[strings.Index(text, "a slave of ")+len("a slave of "):])[0]
	plain, err := net.Dial("tcp", port)
	require.NoError(t, err)
	defer plain.Close()
	_, err = plain.Write(make([]byte, 8))
	require.NoError(t, err)
	n, err := plain.Read(make([]byte, 100))
	require.Error(t, err, "%d bytes were given to a connection that is not encrypted", n)
}
