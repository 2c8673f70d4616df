package client

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
)

// This file decides, from how brokers served lately, which of them are worth a try. It asks nobody: time comes as an
// argument.

// FaultStep says how long a broker is passed over after a try that took a while ("latencyMax" and
// "notAvailableDuration").
type FaultStep struct {
	Latency time.Duration // the step counts for tries that took so long or longer
	Rest    time.Duration // how long the broker rests then
}

// String shows the step as "550ms: rest 2s".
func (s FaultStep) String() string { return fmt.Sprintf("%s: rest %s", s.Latency, s.Rest) }

// DefaultFaultSteps are those of Java clients from 5.1.4 on.
func DefaultFaultSteps() []FaultStep {
	return []FaultStep{
		{50 * time.Millisecond, 0}, {100 * time.Millisecond, 0}, {550 * time.Millisecond, 2 * time.Second},
		{1800 * time.Millisecond, 5 * time.Second}, {3 * time.Second, 6 * time.Second},
		{5 * time.Second, 10 * time.Second}, {15 * time.Second, 30 * time.Second},
	}
}

// isolated is the latency that a failed try counts as.
const isolated = 10 * time.Second

// reach is what a try tells about whether a broker can be reached.
type reach int

const (
	reachAsBefore reach = iota // nothing new
	reachable
	unreachable
)

// outcome is what a try tells about its broker.
type outcome struct {
	latency time.Duration
	reach   reach
}

// outcomeOf judges a try that took so long and ended with err. It reports false if the broker has nothing to do with how the
// try ended. blamed are the answers after which another broker may do better: only they speak against a broker, since one
// that refuses a wrong message serves well. detecting says that somebody will find out when an unreachable broker is
// back; gaveUp, that it was the caller who ended the try.
func outcomeOf(took time.Duration, err error, blamed map[int32]bool, detecting, gaveUp bool) (outcome, bool) {
	var answer *ResponseError
	switch {
	case err == nil:
		return outcome{took, reachable}, true
	case errors.As(err, &answer) && blamed[answer.Code]:
		return outcome{isolated, unreachable}, true
	case errors.As(err, &answer):
		return outcome{took, reachable}, true
	case errors.Is(err, transport.ErrBusy), errors.Is(err, ErrClosed):
		return outcome{}, false
	case gaveUp, errors.Is(err, transport.ErrCancelled), errors.Is(err, ErrNoBroker):
		return outcome{took, reachAsBefore}, true
	case detecting:
		return outcome{isolated, unreachable}, true
	}
	return outcome{isolated, reachable}, true
}

// faults is what a producer knows of how brokers served (class LatencyFaultToleranceImpl).
type faults struct {
	steps    []FaultStep // by latency
	byBroker map[string]*fault
}

// fault is what is known of one broker.
type fault struct {
	restsUntil  env.Instant
	unreachable bool
	checkedAt   env.Instant
}

func newFaults(steps []FaultStep) *faults {
	return &faults{steps: steps, byBroker: map[string]*fault{}}
}

// note takes over what a try tells. A rest only ever gets longer.
func (f *faults) note(brokerName string, o outcome, now env.Instant) {
	b := f.byBroker[brokerName]
	if b == nil {
		b = &fault{}
		f.byBroker[brokerName] = b
	}
	b.restsUntil = max(b.restsUntil, now.Add(f.rest(o.latency)))
	if o.reach != reachAsBefore {
		b.unreachable = o.reach == unreachable
	}
}

// rest is that of the highest step that the latency reaches.
func (f *faults) rest(latency time.Duration) time.Duration {
	rest := time.Duration(0)
	for _, step := range f.steps {
		if latency >= step.Latency {
			rest = step.Rest
		}
	}
	return rest
}

// available reports whether a broker does not rest.
func (f *faults) available(brokerName string, now env.Instant) bool {
	b := f.byBroker[brokerName]
	return b == nil || now >= b.restsUntil
}

// reachable reports whether a broker served in the last try that tells.
func (f *faults) reachable(brokerName string) bool {
	b := f.byBroker[brokerName]
	return b == nil || !b.unreachable
}

// due lists, in order, the unreachable brokers whose last check is so long ago, and notes that they are checked now.
func (f *faults) due(every time.Duration, now env.Instant) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(f.byBroker)) {
		if b := f.byBroker[name]; b.unreachable && now.Sub(b.checkedAt) >= every {
			b.checkedAt = now
			names = append(names, name)
		}
	}
	return names
}

// recovered notes that a broker answered a check. It rests on as long as it should.
func (f *faults) recovered(brokerName string) {
	if b := f.byBroker[brokerName]; b != nil {
		b.unreachable = false
	}
}

// forget drops what is known of a broker.
func (f *faults) forget(brokerName string) { delete(f.byBroker, brokerName) }
