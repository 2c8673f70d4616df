package acceptance_test

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
)

// elected is three name servers with controllers, and brokers of one group.
type elected struct {
	*cluster
	controllers []string
}

// electedBroker is the name that the brokers share.
const electedBroker = "broker-a"

// startElected starts them, and waits until all brokers are in sync.
func startElected(t *testing.T, brokers ...string) *elected {
	t.Helper()
	return startElectedWith(t, nil, brokers...)
}

// startElectedWith gives the brokers more options.
func startElectedWith(t *testing.T, options []string, brokers ...string) *elected {
	t.Helper()
	c := &elected{cluster: &cluster{directory: t.TempDir(), options: options, nodes: map[string]*processtest.Process{}, addresses: map[string]string{}}}
	c.killAtTheEnd(t)
	c.startNameServers(t)
	for _, node := range brokers {
		c.startElectedBroker(t, node)
	}
	soon(t, func() bool { return c.inSync(t) == len(brokers) }, "not all brokers are in sync")
	return c
}

// startNameServers starts them with controllers at free ports, which all must know before any of them starts.
func (c *elected) startNameServers(t *testing.T) {
	t.Helper()
	var peers, names []string
	for i, address := range freeAddresses(t, 3) {
		c.controllers = append(c.controllers, address)
		peers = append(peers, fmt.Sprintf("n%d-%s", i, address))
	}
	for i := range peers {
		home := filepath.Join(c.directory, fmt.Sprint("names", i))
		p, err := launch(home, append([]string{"namesrv"}, processtest.NameServerOptions(home, "--enableControllerInNamesrv", "true", "--log-level", "warn",
			"--controllerDLegerPeers", strings.Join(peers, ";"), "--controllerDLegerSelfId", fmt.Sprint("n", i), "--controllerStorePath", filepath.Join(home, "controller"))...)...)
		require.NoError(t, err)
		c.nodes[fmt.Sprint("names", i)] = p
		address, err := p.Says(processtest.NameServerStarted)
		require.NoError(t, err)
		names = append(names, address)
	}
	c.names = strings.Join(names, ";")
}

// freeAddresses are addresses of loopback that nobody listens at.
func freeAddresses(t *testing.T, count int) (addresses []string) {
	t.Helper()
	for range count {
		listener, err := net.Listen("tcp", processtest.Loopback+":0")
		require.NoError(t, err)
		// All are held until the last one is known, so that they differ.
		defer func() { require.NoError(t, listener.Close()) }()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses
}

// startElectedBroker starts a broker of the group, at the ports that it had before if it is started again.
func (c *elected) startElectedBroker(t *testing.T, node string) {
	t.Helper()
	if c.addresses[node] == "" {
		c.addresses[node] = freeAddresses(t, 1)[0]
	}
	_, port, err := net.SplitHostPort(c.addresses[node])
	require.NoError(t, err)
	options := []string{"broker", "--brokerName", electedBroker, "-n", c.names, "--bindAddress", processtest.Loopback, "--listenPort", port,
		"--haListenPort", freePort(t), "--fastListenEnable", "false", "--storePathRootDir", filepath.Join(c.directory, node), "--mappedFileSizeCommitLog", "33554432",
		"--log-level", "warn", "--enableControllerMode", "true", "--controllerAddr", strings.Join(c.controllers, ";")}
	p, err := launch(c.directory, append(options, c.options...)...)
	require.NoError(t, err)
	c.nodes[node] = p
	_, err = p.Says(processtest.BrokerStarted(electedBroker))
	require.NoError(t, err)
}

func freePort(t *testing.T) string {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddresses(t, 1)[0])
	require.NoError(t, err)
	return port
}

// inSync is how many brokers have all that is acknowledged, 0 if nobody is master.
func (c *elected) inSync(t *testing.T) int {
	t.Helper()
	sets, err := c.newAdmin(t).ReplicaSets(background, c.controllers[0], []string{electedBroker})
	if err != nil || len(sets.Groups) == 0 || sets.Groups[0].MasterAddress == "" {
		return 0
	}
	return len(sets.Groups[0].InSync)
}

// master is the node whose broker is master.
func (c *elected) master(t *testing.T) string {
	t.Helper()
	sets, err := c.newAdmin(t).ReplicaSets(background, c.controllers[0], []string{electedBroker})
	require.NoError(t, err)
	for node, address := range c.addresses {
		if address == sets.Groups[0].MasterAddress {
			return node
		}
	}
	require.Fail(t, "nobody is master", "%+v", sets.Groups[0])
	return ""
}

// sender sends one message after the other and remembers what became of each.
type sender struct {
	producer *client.Producer
	topic    string
	ended    chan struct{}
	all      sync.WaitGroup

	mutex    sync.Mutex
	sent     int
	acked    []string
	failures []error
	last     time.Time     // of the last acknowledgement
	pause    time.Duration // the longest between two
}

func startSender(p *client.Producer, topic string) *sender {
	s := &sender{producer: p, topic: topic, ended: make(chan struct{}), last: time.Now()}
	for range 4 {
		s.all.Go(s.loop)
	}
	return s
}

func (s *sender) loop() {
	for {
		select {
		case <-s.ended:
			return
		case <-time.After(5 * time.Millisecond):
			s.one()
		}
	}
}

func (s *sender) one() {
	s.mutex.Lock()
	s.sent++
	body := fmt.Sprint(s.sent)
	s.mutex.Unlock()
	result, err := s.producer.Send(background, client.NewMessage(s.topic, []byte(body)))
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case err != nil:
		s.failures = append(s.failures, err)
	case result.Status == client.SendOK:
		now := time.Now()
		s.acked, s.pause, s.last = append(s.acked, body), max(s.pause, now.Sub(s.last)), now
	}
}

// acknowledged is how many there are so far.
func (s *sender) acknowledged() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.acked)
}

// more waits until so many more messages are acknowledged.
func (s *sender) more(t *testing.T, count int) {
	t.Helper()
	enough := s.acknowledged() + count
	soon(t, func() bool { return s.acknowledged() >= enough }, "messages are not acknowledged any more")
}

func (s *sender) stop() {
	close(s.ended)
	s.all.Wait()
}

// requireAllThere reads the topic and requires each message that was acknowledged, once.
func (c *elected) requireAllThere(t *testing.T, s *sender) {
	t.Helper()
	m := c.consume(t, "reader", s.topic)
	soon(t, func() bool { return len(different(m)) >= len(s.acked) }, "messages that were acknowledged do not come")
	require.Subset(t, bodies(m), s.acked)
	require.Equal(t, different(m), bodies(m), "a message is stored twice")
}

func (c *elected) electedTopic(t *testing.T, name string) string {
	t.Helper()
	soon(t, func() bool {
		code, _ := c.run(t, "updateTopic", "-t", name, "-c", "DefaultCluster", "-r", "4", "-w", "4")
		return code == 0
	}, "topic %s is not made", name)
	return name
}

func TestEndToEndAKilledMasterIsFollowedByACopyThatHasEverything(t *testing.T) {
	endToEnd(t)
	c := startElected(t, "one", "two")
	s := startSender(c.producer(t), c.electedTopic(t, "killed"))
	s.more(t, 100)
	victim := c.master(t)
	c.nodes[victim].Kill()
	s.more(t, 100)
	require.NotEqual(t, victim, c.master(t))
	c.startElectedBroker(t, victim)
	soon(t, func() bool { return c.inSync(t) == 2 }, "the broker that was killed does not come back")
	s.stop()
	t.Logf("%d acknowledged, %d failed, the longest pause was %v", len(s.acked), len(s.failures), s.pause)
	c.requireAllThere(t, s)
}

func TestEndToEndADrainedMasterHandsOverAndStaysACopy(t *testing.T) {
	endToEnd(t)
	c := startElected(t, "one", "two")
	s := startSender(c.producer(t), c.electedTopic(t, "drained"))
	s.more(t, 100)
	master := c.master(t)
	code, said := c.run(t, "drain", "-b", c.addresses[master])
	require.Zero(t, code, said)
	require.Contains(t, said, "has handed over")
	require.NotEqual(t, master, c.master(t))
	s.more(t, 100)
	soon(t, func() bool { return c.inSync(t) == 2 }, "the broker that was drained is no copy")
	code, said = c.run(t, "drain", "-b", c.addresses[master])
	require.Zero(t, code, said)
	require.Contains(t, said, "is elected only if nobody else can be")
	stop(t, c.nodes[master])
	s.more(t, 100)
	s.stop()
	require.Empty(t, s.failures, "no send fails when a broker is drained before it is stopped")
	code, said = c.run(t, "getBrokerEpoch", "-b", electedBroker)
	require.Zero(t, code, said)
	require.Regexp(t, electedBroker+` +\d+ +127\.0\.0\.1:\d+ +2 `, said)
	code, said = c.run(t, "haStatus", "-b", c.addresses[c.master(t)])
	require.Zero(t, code, said)
	require.Contains(t, said, "elected master")
	c.requireAllThere(t, s)
}

func TestEndToEndAMasterThatStopsHandsOverAndNoSendIsInDoubt(t *testing.T) {
	endToEnd(t)
	c := startElected(t, "one", "two")
	s := startSender(c.producer(t), c.electedTopic(t, "handed"))
	s.more(t, 100)
	master := c.master(t)
	stop(t, c.nodes[master])
	s.more(t, 100)
	require.NotEqual(t, master, c.master(t))
	s.stop()
	t.Logf("%d acknowledged, %d refused, the longest pause was %v", len(s.acked), len(s.failures), s.pause)
	for _, err := range s.failures {
		var failed *client.SendError
		require.ErrorAs(t, err, &failed)
		require.False(t, failed.MaybeStored, "who hands over has answered what it took: %v", err)
	}
	c.requireAllThere(t, s)
}
