package monitor

import (
	"context"
	"errors"
	"sync"

	"github.com/gantrymq/gantry/node/measure"
)

// Source is a node that serves. Its methods visit the node: they wait for its baton, and may be called by any goroutine.
type Source interface {
	// Snapshot tells all that is measured.
	Snapshot() *measure.Snapshot
	// NotReady tells why the node does not serve as it should, or "".
	NotReady() string
	// Broken is why the node must be started again by somebody, or nil.
	Broken() error
}

// Subject is a node of this process. It may be used by any goroutine.
type Subject struct {
	Node

	mu       sync.Mutex
	doing    func() string
	source   Source
	scrapes  *visits[*measure.Snapshot]
	readies  *visits[string]
	healths  *visits[error]
	stopping bool
}

// Node is who is watched.
type Node struct {
	Name string
	// Labels are those that the metrics of the node will have, for as long as it has none.
	Labels []measure.Label
}

// String is the name.
func (n Node) String() string { return n.Name }

// newSubject is a node that is about to be started.
func newSubject(node Node) *Subject {
	return &Subject{Node: node, doing: func() string { return "the " + node.Name + " is starting" }}
}

// Starting gives a sentence about how far the start is. It may be called by any goroutine.
func (s *Subject) Starting(doing func() string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doing = doing
}

// Serves tells that the node has started.
func (s *Subject) Serves(source Source) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.source = source
	s.scrapes = &visits[*measure.Snapshot]{make: source.Snapshot, patience: visitMax}
	s.readies = &visits[string]{make: source.NotReady, patience: visitMax}
	s.healths = &visits[error]{make: source.Broken, patience: visitMax}
}

// Stops tells that the node is being stopped. It is not visited any more.
func (s *Subject) Stops() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
}

// notServing tells why the node cannot be visited, or "".
func (s *Subject) notServing() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		return "the " + s.Name + " is shutting down"
	case s.source == nil:
		return s.doing()
	}
	return ""
}

// notReady tells why the node is not ready, or "".
func (s *Subject) notReady(ctx context.Context) string {
	if why := s.notServing(); why != "" {
		return why
	}
	why, err := s.readies.get(ctx)
	if err != nil {
		return s.Name + ": " + err.Error()
	}
	return why
}

// unhealthy tells why the process should not go on, or "". A node that starts or stops is healthy.
func (s *Subject) unhealthy(ctx context.Context) string {
	if s.notServing() != "" {
		return ""
	}
	broken, err := s.healths.get(ctx)
	if err = errors.Join(err, broken); err != nil {
		return s.Name + ": " + err.Error()
	}
	return ""
}

// snapshot of a node that does not serve tells just that.
func (s *Subject) snapshot(ctx context.Context) (*measure.Snapshot, error) {
	if s.notServing() != "" {
		waits := &measure.Snapshot{Common: s.Labels}
		waits.AddFlag(measure.Ready, false)
		return waits, nil
	}
	return s.scrapes.get(ctx)
}
