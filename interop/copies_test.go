//go:build interop

package interop_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// migration is a group of brokers of which one is Apache's and the other one ours, each with a directory. The name server is ours.
type migration struct {
	servers
	directories [2]string // of the first master, and of its slave
	addresses   [2]string // of both
	copiesPort  string    // the first master's replication port
	want        []string  // bodies that consumers are to get
	later       []string  // of these, those that wait when the master goes
	nodes       [2]*process
}

// longDelays have levels that are still waiting when the master goes. Apache's slaves take longer to copy tables.
const longDelays = "1s 40s 100s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s"

func newMigration(t *testing.T) *migration {
	t.Helper()
	root := t.TempDir()
	m := &migration{
		servers:     servers{names: pairNames[:1], brokers: make([]string, 1)},
		directories: [2]string{filepath.Join(root, "master"), filepath.Join(root, "slave")}, addresses: [2]string{freeAddress(t), freeAddress(t)},
		copiesPort: portOf(t, freeAddress(t)),
	}
	_, m.nameServer = startNameServer(t)
	return m
}

// startOurs starts our broker on one of the directories.
func (m *migration) startOurs(t *testing.T, i int, more ...string) {
	t.Helper()
	options := []string{
		"--messageDelayLevel", longDelays, "--slaveReadEnable", "true", "--copyTablesInterval", "200", "--fastListenEnable", "true",
		// How full the machine's disk is must not decide.
		"--diskMaxUsedSpaceRatio", "95",
	}
	for name, value := range fileSizes {
		options = append(options, "--"+name, value)
	}
	_, port, err := net.SplitHostPort(m.addresses[i])
	require.NoError(t, err)
	m.nodes[i], _ = startBroker(t, m.names[0], m.nameServer, m.directories[i], port, append(options, more...)...)
}

// startApaches starts Apache's broker on one of the directories.
func (m *migration) startApaches(t *testing.T, i int, more map[string]string) {
	t.Helper()
	settings := map[string]string{
		"messageDelayLevel": longDelays, "timerWheelEnable": "true", "slaveReadEnable": "true",
		// Without it what waits longer than two days would be put off at the master, which ours never does.
		"timerRollWindowSlot": "604000",
	}
	for key, value := range more {
		settings[key] = value
	}
	s := m.servers
	s.brokers = []string{m.addresses[i]}
	m.nodes[i] = startApacheBroker(t, s, m.directories[i], settings)
}

// wait is how long messages wait that are still to be delivered when the master goes: a delay level, and about that time.
type wait struct {
	level int
	time  time.Duration
}

// fill sends messages, of which a group consumes the first ones, and some that wait.
func (m *migration) fill(t *testing.T, w wait) {
	t.Helper()
	m.makeTopic(t, "orders", 1)
	p := m.producer(t)
	first := sendAll(t, p, "orders", "first", 40)
	reader := m.member(t, "readers", "orders", client.Tags("*"))
	reader.await(t, len(first))
	require.NoError(t, reader.Close(t.Context()))
	m.want = sendAll(t, p, "orders", "second", 60)
	for name, delay := range map[string]client.MessageOption{"level": client.DelayLevel(w.level), "timer": client.DelayFor(w.time)} {
		_, err := p.Send(t.Context(), gantry.NewMessage("orders", []byte(name), delay))
		require.NoError(t, err)
		m.later = append(m.later, name)
	}
	require.NoError(t, p.Close(t.Context()))
}

// followed waits until the slave has the log and the tables of its master.
func (m *migration) followed(t *testing.T) {
	t.Helper()
	admin := m.admin(t)
	eventually(t, "the slave has the log", func() bool {
		master, err := admin.RuntimeInfo(t.Context(), m.addresses[0])
		slave, err2 := admin.RuntimeInfo(t.Context(), m.addresses[1])
		return err == nil && err2 == nil && master["commitLogMaxOffset"] != "0" && master["commitLogMaxOffset"] == slave["commitLogMaxOffset"]
	})
	offset := regexp.MustCompile(`"orders@readers" ?: ?\{\s*"?0"? ?: ?40\b`)
	for file, holds := range map[string]func(content string) bool{
		"topics.json":            func(c string) bool { return strings.Contains(c, `"orders"`) },
		"subscriptionGroup.json": func(c string) bool { return strings.Contains(c, `"readers"`) },
		"consumerOffset.json":    offset.MatchString,
	} {
		eventually(t, "the slave has what the master has in "+file, func() bool {
			content, err := os.ReadFile(filepath.Join(m.directories[1], "config", file))
			return err == nil && holds(string(content))
		})
	}
}

// requireSameLog compares the logs of both directories, file by file, as far as the shorter one has been written.
func (m *migration) requireSameLog(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(m.directories[1], "commitlog", "*"))
	require.NoError(t, err)
	compared := 0
	for _, file := range files {
		slave, err := os.ReadFile(file)
		require.NoError(t, err)
		if slave = bytes.TrimRight(slave, "\x00"); len(slave) == 0 {
			continue // Apache's broker makes the next file early
		}
		master, err := os.ReadFile(filepath.Join(m.directories[0], "commitlog", filepath.Base(file)))
		require.NoError(t, err)
		compared += len(slave)
		require.True(t, len(slave) <= len(master) && bytes.Equal(slave, master[:len(slave)]), "%s is another one", filepath.Base(file))
	}
	require.Greater(t, compared, 10_000, "the log is there")
}

// goesOn lets the group go on, at the slave that has become the master.
func (m *migration) goesOn(t *testing.T) {
	t.Helper()
	reader := m.member(t, "readers", "orders", client.Tags("*"))
	reader.await(t, len(m.want))
	require.Subset(t, reader.bodies(), m.want)
	for _, name := range m.later {
		require.NotContains(t, reader.bodies(), name, "it was to wait until now")
	}
	eventually(t, "what waited is delivered", func() bool {
		return slices.Contains(reader.bodies(), m.later[0]) && slices.Contains(reader.bodies(), m.later[1])
	})
	all := m.member(t, "latecomers", "orders", client.Tags("*"))
	all.await(t, 40+len(m.want)+len(m.later))
	m.want = sendAll(t, m.producer(t), "orders", "third", 10)
	eventually(t, "it takes messages", func() bool {
		for _, body := range m.want {
			if !slices.Contains(reader.bodies(), body) {
				return false
			}
		}
		return true
	})
	t.Logf("the group has got %d messages, of which %d were due", len(reader.bodies()), 60+len(m.later)+10)
}

// From Apache's broker to ours: ours follows, and takes its place.
func TestOursFollowsApachesAndTakesItsPlace(t *testing.T) {
	takesMinutes(t)
	t.Parallel()
	javaClient.need(t)
	takeJavaTurn(t)
	m := newMigration(t)
	m.startApaches(t, 0, map[string]string{"haListenPort": m.copiesPort})
	m.startOurs(t, 1, "--brokerRole", "SLAVE", "--brokerId", "1")
	m.fill(t, wait{2, 45 * time.Second})
	m.followed(t)
	status, err := m.admin(t).Copies(t.Context(), m.addresses[0])
	require.NoError(t, err)
	require.True(t, status.Master)
	require.Len(t, status.Slaves, 1, "Apache's master knows it")
	eventually(t, "Apache's master sees that it has all", func() bool {
		status, err := m.admin(t).Copies(t.Context(), m.addresses[0])
		return err == nil && len(status.Slaves) == 1 && status.Slaves[0].InSync && status.Slaves[0].Behind == 0
	})
	m.nodes[0].Kill()
	m.requireSameLog(t)
	m.nodes[1].stop(t)
	m.startOurs(t, 1)
	m.goesOn(t)
}

// The way back: Apache's broker follows ours, and takes its place.
func TestApachesFollowsOursAndTakesItsPlace(t *testing.T) {
	takesMinutes(t)
	t.Parallel()
	javaClient.need(t)
	takeJavaTurn(t)
	m := newMigration(t)
	m.startOurs(t, 0, "--haListenPort", m.copiesPort)
	m.startApaches(t, 1, map[string]string{"brokerRole": "SLAVE", "brokerId": "1"})
	m.fill(t, wait{3, 105 * time.Second})
	m.followed(t)
	eventually(t, "our master sees that it has all", func() bool {
		status, err := m.admin(t).Copies(t.Context(), m.addresses[0])
		return err == nil && len(status.Slaves) == 1 && status.Slaves[0].InSync && status.Slaves[0].Behind == 0
	})
	delays, err := os.ReadFile(filepath.Join(m.directories[1], "config", "delayOffset.json"))
	require.NoError(t, err)
	require.Contains(t, string(delays), "offsetTable")
	m.nodes[0].Kill()
	m.requireSameLog(t)
	m.nodes[1].stopJava(t)
	m.startApaches(t, 1, nil)
	m.goesOn(t)
}

// A slave of Apache's may serve a group of which a master of ours demands copies.
func TestAnApacheSlaveCountsAsACopyOfOurMaster(t *testing.T) {
	takesMinutes(t)
	t.Parallel()
	javaClient.need(t)
	takeJavaTurn(t)
	m := newMigration(t)
	m.startOurs(t, 0, "--haListenPort", m.copiesPort, "--brokerRole", "SYNC_MASTER", "--slaveTimeout", "20000")
	m.startApaches(t, 1, map[string]string{"brokerRole": "SLAVE", "brokerId": "1"})
	m.makeTopic(t, "orders", 1)
	p := m.producer(t, client.WithSendTimeout(patience))
	for i := range 20 {
		result, err := p.Send(t.Context(), gantry.NewMessage("orders", fmt.Append(nil, i)))
		require.NoError(t, err)
		require.Equal(t, client.SendOK, result.Status)
	}
}
