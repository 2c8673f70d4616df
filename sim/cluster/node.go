package cluster

import (
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
)

// service is what all nodes have in common.
type service interface {
	Start() error
	Close() error
}

// Node is a name server or broker on its machine.
type Node struct {
	Machine *sim.Machine
	make    func(n *Node, e env.Env) (service, error)
	service service
	ready   bool
	starts  int
	// StartError is why the last start failed, nil while it runs or has not been started. A disk fault may be the reason.
	StartError error
}

// String names the machine.
func (n *Node) String() string { return n.Machine.Name() }

// Ready reports whether the node has started and runs.
func (n *Node) Ready() bool { return n.ready && n.Machine.Up() }

// Broker is the node's broker while it is ready, or nil.
func (n *Node) Broker() *broker.Broker {
	b, _ := n.service.(*broker.Broker)
	if !n.Ready() {
		return nil
	}
	return b
}

// Start switches the machine on and starts the node, if it is down.
func (n *Node) Start() {
	if n.Machine.Up() {
		return
	}
	n.ready, n.StartError, n.service = false, nil, nil
	n.starts++
	e := n.Machine.Boot(n.Machine.Name())
	e.Tasks.Go("start", func() { n.start(e) })
}

func (n *Node) start(e env.Env) {
	s, err := n.make(n, e)
	if err == nil {
		n.service = s
		err = s.Start()
	}
	if err != nil {
		n.StartError = fmt.Errorf("%s did not start: %w", n, err)
		return
	}
	n.ready = true
}

// Crash ends the node at once.
func (n *Node) Crash(style sim.CrashStyle) {
	n.ready = false
	n.Machine.Crash(style)
}

// Stop closes the node in order and switches its machine off. The caller is a task of another machine, by whose
// e it waits; after the deadline the node is killed.
func (n *Node) Stop(e env.Env, deadline env.Instant) error {
	if !n.Ready() {
		n.Crash(sim.KillProcess)
		return nil
	}
	n.ready = false
	closed, err := false, error(nil)
	boot := n.starts
	n.Machine.Node(n.Machine.Name(), ".").Tasks.Go("close", func() {
		err = n.service.Close()
		closed = true
	})
	for !closed && !deadline.Reached(e.Clock.Now()) && n.Machine.Up() && n.starts == boot {
		e.Tasks.Sleep(stopPoll)
	}
	if n.starts == boot {
		n.Machine.Crash(sim.KillProcess)
	}
	return err
}

// stopPoll is how often Stop looks.
const stopPoll = 5 * time.Millisecond
