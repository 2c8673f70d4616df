package chaos_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// How a slow link treats each frame, in each direction.
const (
	slowLatency = 50 * time.Millisecond
	slowJitter  = 20 * time.Millisecond // more or less, so frames overtake each other
	slowLoss    = 0.01
)

// slow takes a machine's link off the bridge and lets a relay carry its frames. The function undoes that.
func (n network) slow(machine int) (heal func() error, err error) {
	near, far := fmt.Sprintf("s%d", machine), fmt.Sprintf("f%d", machine)
	err = n.ip(bridgeMachine, "link add "+near+" type veth peer name "+far, "link set "+near+" master bridge up", "link set "+far+" up promisc on",
		"link set "+port(machine)+" promisc on nomaster")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	relay := n.command(bridgeMachine, exec.Command(self))
	relay.Env = append(os.Environ(), relayVariable+"="+port(machine)+" "+far)
	relay.Stderr = os.Stderr
	if err := relay.Start(); err != nil {
		return nil, err
	}
	return func() error {
		killed := relay.Process.Kill()
		// It was killed, and says so.
		_ = relay.Wait()
		return errors.Join(killed, n.ip(bridgeMachine, "link delete "+near, "link set "+port(machine)+" promisc off master bridge"))
	}, nil
}

// runRelay carries frames between two interfaces, late, and not all of them, until it is killed.
func runRelay(names string) error {
	var one, other string
	if _, err := fmt.Sscan(names, &one, &other); err != nil {
		return err
	}
	a, err := openInterface(one)
	if err != nil {
		return err
	}
	b, err := openInterface(other)
	if err != nil {
		return err
	}
	failed := make(chan error)
	go func() { failed <- carry(a, b) }()
	go func() { failed <- carry(b, a) }()
	return <-failed
}

// Of linux/if_packet.h: a frame comes with what the interface still had to do to it, such as its checksum, and is sent on with the same.
const (
	packetVirtualHeader  = 15 // PACKET_VNET_HDR
	packetIgnoreOutgoing = 23 // PACKET_IGNORE_OUTGOING
)

// everyProtocol is ETH_P_ALL as the network writes it.
const everyProtocol = syscall.ETH_P_ALL<<8&0xff00 | syscall.ETH_P_ALL>>8

func openInterface(name string) (int, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0, err
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, everyProtocol)
	if err != nil {
		return 0, fmt.Errorf("a socket for frames of %s: %w", name, err)
	}
	for _, option := range []int{packetVirtualHeader, packetIgnoreOutgoing} {
		if err := syscall.SetsockoptInt(fd, syscall.SOL_PACKET, option, 1); err != nil {
			return 0, fmt.Errorf("option %d of %s: %w", option, name, err)
		}
	}
	return fd, syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: everyProtocol, Ifindex: i.Index})
}

// carry takes frames from one socket to another.
func carry(from, to int) error {
	room := make([]byte, 1<<17)
	for {
		size, err := syscall.Read(from, room)
		if errors.Is(err, syscall.EINTR) || errors.Is(err, syscall.ENETDOWN) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading frames: %w", err)
		}
		if rand.Float64() < slowLoss {
			continue
		}
		frame := append([]byte(nil), room[:size]...)
		late := slowLatency - slowJitter + rand.N(2*slowJitter)
		// A frame that is not taken is lost as well.
		time.AfterFunc(late, func() { _, _ = syscall.Write(to, frame) })
	}
}
