package main

import (
	"net/netip"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
)

// anyBroker is a broker of either kind: one whose role is configured, or one that controllers elect. The calls need the baton.
type anyBroker interface {
	server
	Close() error
	Address() netip.AddrPort
	Measure() *broker.Measurement
	NotReady() string
	Fenced() error
}

// makeBroker makes the kind that the options ask for.
func makeBroker(e env.Env, options broker.Options) (anyBroker, error) {
	if len(options.Membership.Controllers) > 0 {
		return broker.NewMember(e, options)
	}
	return broker.New(e, options)
}

// membership are the settings of elections in the node's own words; none without enableControllerMode.
func membership(s config.Broker) (m broker.Membership, err error) {
	if !s.ControllerMode {
		return m, nil
	}
	m = broker.Membership{BeatEvery: s.BeatInterval, DeadAfter: s.DeadAfter, Priority: s.Priority}
	m.Controllers, err = config.NameServers(s.ControllerAddr)
	return m, err
}
