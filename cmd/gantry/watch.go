package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/cmd/gantry/monitor"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/node/measure"
	"github.com/gantrymq/gantry/node/namesrv"
)

// The nodes of a process, as they are called where it is watched.
const (
	brokerNode     = "broker"
	nameServerNode = "name server"
	controllerNode = "controller"
)

// watch opens the port by which a process is watched, before its nodes start. It returns nil, which does nothing, if there is to be none.
func watch(settings config.Metrics, port int, out Output, nodes ...monitor.Node) (*monitor.Server, error) {
	if !settings.Enabled() {
		return nil, nil
	}
	labels, err := config.MetricsLabels(settings.Labels)
	if err != nil {
		return nil, wrongUsage("metricsLabel: %w", err)
	}
	own := ownVersion()
	options := monitor.Options{
		Listen: net.JoinHostPort(settings.Host, strconv.Itoa(port)), Profiles: settings.Profiles, Version: own.Version, Revision: own.Revision, Log: out.Log,
	}
	for _, l := range labels {
		options.Labels = append(options.Labels, measure.Label(l))
	}
	server, err := monitor.New(options, nodes...)
	return server, place{listen: options.Listen, listenOption: "--metricsPromExporterPort"}.explainStart(err)
}

// watchedBroker is a broker by the labels of its metrics.
func watchedBroker(cluster, name string) monitor.Node {
	return monitor.Node{Name: brokerNode, Labels: []measure.Label{
		{Name: "cluster", Value: cluster}, {Name: "node_type", Value: "broker"}, {Name: "node_id", Value: name},
	}}
}

// watchedNameServer is a name server that is to listen at an address.
func watchedNameServer(host string, port int) monitor.Node {
	return monitor.Node{Name: nameServerNode, Labels: []measure.Label{
		{Name: "node_type", Value: "namesrv"}, {Name: "node_id", Value: net.JoinHostPort(host, strconv.Itoa(port))},
	}}
}

// announceWatch says where a process is watched.
func announceWatch(server *monitor.Server, out Output) {
	if server != nil {
		out.say(fact("metrics", server.String()))
	}
}

// enter visits a node through its door.
func enter(world *osenv.World, visit func()) {
	call, err := world.Door.Enter(context.Background())
	if err != nil {
		panic(err) // it fails only if the context is done
	}
	defer call.Leave()
	visit()
}

// brokerSource is a broker that has started.
type brokerSource struct{ *running[anyBroker] }

// Snapshot formats outside the node what was gathered in it.
func (s brokerSource) Snapshot() *measure.Snapshot {
	var m *broker.Measurement
	enter(s.world, func() { m = s.node.Measure() })
	snapshot := m.Snapshot()
	snapshot.Add(measure.Tasks, float64(s.world.Tasking()))
	return snapshot
}

// NotReady asks the node.
func (s brokerSource) NotReady() (why string) {
	enter(s.world, func() { why = s.node.NotReady() })
	return why
}

// Broken tells of a fenced log.
func (s brokerSource) Broken() (err error) {
	enter(s.world, func() { err = s.node.Fenced() })
	return err
}

// nameServerSource is a name server that has started.
type nameServerSource struct{ *running[*namesrv.Server] }

// Snapshot formats outside the node what was gathered in it.
func (s nameServerSource) Snapshot() *measure.Snapshot {
	var m *namesrv.Measurement
	enter(s.world, func() { m = s.node.Measure() })
	snapshot := m.Snapshot()
	snapshot.Add(measure.Tasks, float64(s.world.Tasking()))
	return snapshot
}

// NotReady asks the node.
func (s nameServerSource) NotReady() (why string) {
	enter(s.world, func() { why = s.node.NotReady() })
	return why
}

// Broken is nil once the node has let the visitor in.
func (s nameServerSource) Broken() error {
	enter(s.world, func() {})
	return nil
}

// recovery is how far a broker has read its log.
type recovery struct{ done, total atomic.Int64 }

// String is a sentence for who waits for the broker.
func (r *recovery) String() string {
	if r.total.Load() == 0 {
		return "the broker is starting: it opens its store"
	}
	return fmt.Sprintf("the broker is starting: it reads its log, %d of %d bytes so far", r.done.Load(), r.total.Load())
}

// watched notes the progress of recovery, besides what else is done with it.
func (r *recovery) watched(then func(done, total int64)) func(done, total int64) {
	return func(done, total int64) {
		r.done.Store(done)
		r.total.Store(total)
		then(done, total)
	}
}
