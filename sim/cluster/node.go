package cluster

import (
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/controller"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
)

// service is what all nodes have in common.
type service interface {
	Start() error
	Close() error
}

// Node is a name server, controller or broker on its machine.
type Node struct {
	Machine *sim.Machine
	// Group and ID are the brokerName and brokerId of the next start. 0 is a master.
	Group string
	ID    int64
	// Elected says that controllers give the next start its id and role.
	Elected bool
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
	if !n.Ready() {
		return nil
	}
	switch s := n.service.(type) {
	case *broker.Broker:
		return s
	case member:
		return s.Member.Broker() // nil while its role changes
	}
	return nil
}

// MemberID is the number that controllers have given to the node's broker, 0 if they have not, or it is not ready.
func (n *Node) MemberID() int64 {
	if m, ok := n.service.(member); ok && n.Ready() {
		return m.ID()
	}
	return 0
}

// Drain has the node's broker hand over and be elected last, as an operator would before maintenance. It waits until the broker has answered, which it
// does not if it is stopped meanwhile, and returns who was elected; false if nobody was.
func (n *Node) Drain(e env.Env, deadline env.Instant) (elected int64, ok bool) {
	m, isMember := n.service.(member)
	if !isMember || !n.Ready() {
		return 0, false
	}
	answered := false
	n.Machine.Node(n.Machine.Name(), ".").Tasks.Go("drain", func() {
		now, err := m.Drain(true)
		if answered = true; err == nil {
			elected, ok = now.BrokerID.Value, now.BrokerID.Set
		}
	})
	n.await(e, deadline, &answered)
	return elected, ok
}

// StartTwice starts the node's program once more on its machine, over the same directory, as an operator may by mistake. It waits until that has failed or
// runs, and returns the error; answered is false if the machine went down meanwhile, or it took too long.
func (n *Node) StartTwice(e env.Env, deadline env.Instant) (err error, answered bool) {
	second := n.Machine.Node(n.Machine.Name()+"-twice", ".")
	second.Tasks.Go("start", func() {
		var s service
		if s, err = n.make(n, second); err == nil {
			err = s.Start()
		}
		answered = true
	})
	n.await(e, deadline, &answered)
	return err, answered
}

// await waits until something has happened at the node, which it does not do any more once this boot is over.
func (n *Node) await(e env.Env, deadline env.Instant, done *bool) {
	for boot := n.starts; !*done && !deadline.Reached(e.Clock.Now()) && n.Machine.Up() && n.starts == boot; {
		e.Tasks.Sleep(stopPoll)
	}
}

// Controller is the node's controller while it is ready, or nil.
func (n *Node) Controller() *controller.Server {
	s, ok := n.service.(controllerServer)
	if !ok || !n.Ready() {
		return nil
	}
	return s.Server
}

// Kind is "controller" or "broker".
func (n *Node) Kind() string {
	if n.Controller() != nil {
		return "controller"
	}
	return "broker"
}

// Broken is why a node that is ready has given up for good, or nil.
func (n *Node) Broken() error {
	if b := n.Broker(); b != nil && b.Store() != nil {
		return b.Store().Fenced()
	}
	if c := n.Controller(); c != nil {
		return c.Failed()
	}
	return nil
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

// Starts counts how often the node was started.
func (n *Node) Starts() int { return n.starts }

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
	n.await(e, deadline, &closed)
	if n.starts == boot {
		n.Machine.Crash(sim.KillProcess)
	}
	return err
}

// stopPoll is how often await looks.
const stopPoll = 5 * time.Millisecond
