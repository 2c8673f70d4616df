package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/transport/proto"
)

const (
	brokerName     = "broker-a"
	namePort       = 9876
	controllerPort = 9878
	brokerPort     = 10911
	// segmentBytes is small, so that a broker whose disk is full soon needs room.
	segmentBytes = 1 << 20
)

// group is the nodes of a run.
type group struct {
	network
	directory string
	copies    int
	nodes     map[int]*processtest.Process // by machine
	logs      map[int]*os.File
	admin     *client.Admin
}

// brokers are the machines that have one.
func (g *group) brokers() (list []int) {
	for i := range g.copies {
		list = append(list, firstBroker+i)
	}
	return list
}

func addresses(port int) string {
	var list []string
	for i := range nameServers {
		list = append(list, fmt.Sprintf("%s:%d", address(firstNameServer+i), port))
	}
	return strings.Join(list, ";")
}

// startGroup starts all nodes with empty directories, and waits until the group is whole.
func startGroup(n network, directory string, copies int) (*group, error) {
	g := &group{network: n, directory: directory, copies: copies, nodes: map[int]*processtest.Process{}, logs: map[int]*os.File{}}
	world, err := osenv.New(osenv.Options{Node: "admin"})
	if err != nil {
		return nil, err
	}
	g.admin, err = client.NewAdmin(world.Env, client.WithNameServers(addresses(namePort)), client.WithRequestTimeout(500*time.Millisecond), client.WithDialTimeout(300*time.Millisecond))
	if err != nil {
		return nil, err
	}
	for i := range nameServers {
		if err := g.start(firstNameServer + i); err != nil {
			return g, err
		}
	}
	for _, machine := range g.brokers() {
		if err := g.start(machine); err != nil {
			return g, err
		}
	}
	return g, g.awaitWhole()
}

// home is the directory of a node's files.
func (g *group) home(machine int) string {
	if machine >= firstBroker {
		return filepath.Join(diskOf(g.directory, machine), fmt.Sprint("group", g.copies))
	}
	return filepath.Join(g.directory, fmt.Sprintf("group%d-%d", g.copies, machine))
}

// options are those of a node. Timing is left as it comes.
func (g *group) options(machine int) []string {
	common := []string{"--bindAddress", address(machine), "--log-level", "info"}
	if machine >= firstBroker {
		return append([]string{
			"broker", "--brokerName", brokerName, "-n", addresses(namePort), "--brokerIP1", address(machine), "--listenPort", fmt.Sprint(brokerPort),
			"--storePathRootDir", g.home(machine), "--enableControllerMode", "true", "--controllerAddr", addresses(controllerPort),
			"--mappedFileSizeCommitLog", fmt.Sprint(segmentBytes), "--maxMessageSize", fmt.Sprint(segmentBytes / 4), "--flushDiskType", "SYNC_FLUSH",
			// A full disk is to be met as such. Otherwise the oldest files go, unread or not, and what went is no loss that a broker has to answer for.
			"--cleanFileForciblyEnable", "false",
		}, common...)
	}
	var peers []string
	for i := range nameServers {
		peers = append(peers, fmt.Sprintf("n%d-%s:%d", i, address(firstNameServer+i), controllerPort))
	}
	return append([]string{
		"namesrv", "--listenPort", fmt.Sprint(namePort), "--kvConfigPath", filepath.Join(g.home(machine), "kv.json"), "--enableControllerInNamesrv", "true",
		"--controllerDLegerPeers", strings.Join(peers, ";"), "--controllerDLegerSelfId", fmt.Sprintf("n%d", machine-firstNameServer),
		"--controllerStorePath", filepath.Join(g.home(machine), "controller"),
	}, common...)
}

// start starts a node, and waits until it serves. What it says is kept beside its files.
func (g *group) start(machine int) error {
	program, err := built.Command(g.home(machine), "gantry", g.options(machine)...)
	if err != nil {
		return err
	}
	command := g.command(machine, program)
	// Whatever becomes of the test, its nodes do not outlive it.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := os.MkdirAll(g.home(machine), 0o755); err != nil {
		return err
	}
	p, err := processtest.Start(command)
	if err != nil {
		return err
	}
	g.nodes[machine] = p
	started := processtest.NameServerStarted
	if machine >= firstBroker {
		started = processtest.BrokerStarted(brokerName)
	}
	_, err = p.Says(started)
	return err
}

// startAgain starts a node that may need several attempts, as a supervisor makes them.
func (g *group) startAgain(machine int) error {
	for until := time.Now().Add(wholeWithin); ; time.Sleep(100 * time.Millisecond) {
		err := g.start(machine)
		if err == nil || time.Now().After(until) {
			return err
		}
		g.nodes[machine].Kill()
	}
}

func (g *group) kill(machine int) error {
	g.nodes[machine].Kill()
	return nil
}

func (g *group) signal(machine int, signal os.Signal) error {
	return g.nodes[machine].Command.Process.Signal(signal)
}

// state is what the controller that leads says.
func (g *group) state() (proto.ReplicasInfo, error) {
	var errs []error
	for _, controller := range strings.Split(addresses(controllerPort), ";") {
		sets, err := g.admin.ReplicaSets(context.Background(), controller, []string{brokerName})
		if err == nil && len(sets.Groups) == 1 {
			return sets.Groups[0], nil
		}
		errs = append(errs, err)
	}
	return proto.ReplicasInfo{}, fmt.Errorf("no controller knows the group: %w", errors.Join(errs...))
}

// master is the machine of the broker that is master.
func (g *group) master() (int, error) {
	s, err := g.state()
	if err != nil {
		return 0, err
	}
	return g.machineOf(s.MasterAddress)
}

// copyOfMaster is the machine of a broker that is not.
func (g *group) copyOfMaster() (int, error) {
	master, err := g.master()
	if master == firstBroker {
		return firstBroker + 1, err
	}
	return firstBroker, err
}

func (g *group) machineOf(text string) (int, error) {
	for machine := range g.nodes {
		if strings.HasPrefix(text, address(machine)+":") {
			return machine, nil
		}
	}
	return 0, fmt.Errorf("%q is no machine of this group", text)
}

// leader is the machine of the controller that leads.
func (g *group) leader() (int, error) {
	var errs []error
	for _, controller := range strings.Split(addresses(controllerPort), ";") {
		metadata, err := g.admin.ControllerMetadata(context.Background(), controller)
		if err == nil && metadata.LeaderAddress != "" {
			return g.machineOf(metadata.LeaderAddress)
		}
		errs = append(errs, err)
	}
	return 0, fmt.Errorf("no controller leads: %w", errors.Join(errs...))
}

// wholeWithin is how long a healed group may take until all brokers are in sync.
const wholeWithin = time.Minute

// awaitWhole waits until there is a master and all brokers are in sync.
func (g *group) awaitWhole() error {
	for until := time.Now().Add(wholeWithin); ; time.Sleep(20 * time.Millisecond) {
		s, err := g.state()
		if err == nil && s.MasterAddress != "" && len(s.InSync) == g.copies {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("within %v not all brokers are in sync: %+v, %w", wholeWithin, s, err)
		}
	}
}

// close ends all nodes.
func (g *group) close() error {
	for _, node := range g.nodes {
		// A node that stands still cannot be killed while it is waited for.
		_ = node.Command.Process.Signal(syscall.SIGCONT)
		node.Kill()
	}
	return g.admin.Close(context.Background())
}

// tell writes what all nodes said last.
func (g *group) tell(out io.Writer) {
	const most = 6000
	for machine, node := range g.nodes {
		text := node.String()
		fmt.Fprintf(out, "--- %s\n%s\n", address(machine), text[max(0, len(text)-most):])
	}
}

// exitOf waits for a node that was told to stop.
func (g *group) exitOf(machine int) error {
	code, err := g.nodes[machine].Code()
	if err == nil && code != 0 {
		err = &exec.ExitError{ProcessState: g.nodes[machine].Command.ProcessState}
	}
	return err
}
