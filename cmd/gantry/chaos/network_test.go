package chaos_test

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// The machines. The number of one is the last part of its addresses.
const (
	firstNameServer = 11
	nameServers     = 3
	firstBroker     = 21
	brokersMost     = 3
	clientMachine   = 31
	bridgeMachine   = 0 // has the other ends of all links
)

var machines = []int{firstNameServer, firstNameServer + 1, firstNameServer + 2, firstBroker, firstBroker + 1, firstBroker + 2, clientMachine}

// network is the namespaces of a run. Their names begin with the prefix.
type network struct{ prefix string }

func (n network) space(machine int) string { return fmt.Sprintf("%s-%d", n.prefix, machine) }

func address(machine int) string { return fmt.Sprintf("10.99.0.%d", machine) }

// hardware is the address of a machine's interface; nobody is the one that none has.
func hardware(machine int) string { return fmt.Sprintf("02:67:61:6e:00:%02x", machine) }

const nobody = "02:67:61:6e:ff:ff"

// port is the end of a machine's link at the bridge.
func port(machine int) string { return fmt.Sprintf("m%d", machine) }

// ip carries out commands of ip in the namespace of a machine, all at once.
func (n network) ip(machine int, lines ...string) error {
	command := exec.Command("ip", "-n", n.space(machine), "-batch", "-")
	command.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("ip -n %s: %q: %w: %s", n.space(machine), lines, err, output)
	}
	return nil
}

// build makes the bridge, all machines and their links.
func (n network) build() error {
	if err := do("ip", "netns", "add", n.space(bridgeMachine)); err != nil {
		return err
	}
	if err := n.ip(bridgeMachine, "link add bridge type bridge", "link set bridge up"); err != nil {
		return err
	}
	for _, machine := range machines {
		if err := n.addMachine(machine); err != nil {
			return err
		}
	}
	return nil
}

func (n network) addMachine(machine int) error {
	if err := do("ip", "netns", "add", n.space(machine)); err != nil {
		return err
	}
	link := fmt.Sprintf("link add %s type veth peer name eth0 address %s netns %s", port(machine), hardware(machine), n.space(machine))
	if err := n.ip(bridgeMachine, link, "link set "+port(machine)+" master bridge up"); err != nil {
		return err
	}
	// Without segments that the interface would cut, a lost frame is a lost segment.
	lines := []string{"link set lo up", "link set eth0 gso_max_segs 1", "link set eth0 up", "address add " + address(machine) + "/24 dev eth0"}
	for _, other := range machines {
		lines = append(lines, n.neighbour(other, hardware(other)))
	}
	return n.ip(machine, lines...)
}

func (n network) neighbour(other int, to string) string {
	return fmt.Sprintf("neighbour replace %s lladdr %s dev eth0 nud permanent", address(other), to)
}

// cut lets frames from one machine to all others vanish, or from all others to it, or both.
func (n network) cut(machine int, from, to bool) error { return n.redirect(machine, from, to, nobody) }

// heal undoes every cut of a machine.
func (n network) heal(machine int) error { return n.redirect(machine, true, true, "") }

// redirect sends frames to another hardware address, or with "" to the right one.
func (n network) redirect(machine int, from, to bool, where string) error {
	var lines []string
	for _, other := range machines {
		if other == machine {
			continue
		}
		lines = append(lines, n.neighbour(other, orOwn(where, other)))
		if to {
			if err := n.ip(other, n.neighbour(machine, orOwn(where, machine))); err != nil {
				return err
			}
		}
	}
	if !from {
		return nil
	}
	return n.ip(machine, lines...)
}

func orOwn(where string, machine int) string {
	if where == "" {
		return hardware(machine)
	}
	return where
}

// command runs a program on a machine.
func (n network) command(machine int, program *exec.Cmd) *exec.Cmd {
	command := exec.Command("ip", append([]string{"netns", "exec", n.space(machine)}, program.Args...)...)
	command.Env = program.Env
	return command
}

// remove kills what still runs on the machines, and removes them.
func (n network) remove() error {
	var errs []error
	for _, machine := range append([]int{bridgeMachine}, machines...) {
		output, err := exec.Command("ip", "netns", "pids", n.space(machine)).Output()
		if err != nil {
			continue // it was not made
		}
		for _, field := range bytes.Fields(output) {
			if pid, err := strconv.Atoi(string(field)); err == nil {
				// What has just ended need not be killed.
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		errs = append(errs, do("ip", "netns", "delete", n.space(machine)))
	}
	return errors.Join(errs...)
}
