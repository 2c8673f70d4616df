package client

import (
	"strings"

	"github.com/gantrymq/gantry/node/env"
)

// choice is what a producer prefers when a message may go to any queue (class MQFaultStrategy). It asks nobody: time comes as
// an argument.
type choice struct {
	rooms  []string // machine rooms; none: all are alike
	faults *faults  // nil: all brokers are alike
}

// health is how well a broker must have served to be chosen.
type health int

const (
	anyHealth health = iota
	mustBeReachable
	mustBeAvailable
)

// wish is what is asked of a target.
type wish struct {
	health health
	inRoom bool
}

// wishes come in this order: the first that a target fulfils decides. A broker that serves is worth leaving the
// room.
var wishes = [...]wish{
	{mustBeAvailable, true}, {mustBeAvailable, false},
	{mustBeReachable, true}, {mustBeReachable, false},
	{anyHealth, true}, {anyHealth, false},
}

// pick returns the target whose turn it is, among those that suit best. It passes over those of one broker name, if there
// are others.
func (c *choice) pick(t *topic, avoid string, now env.Instant) target {
	for _, w := range wishes {
		for range t.publish {
			if chosen := t.turn(); chosen.BrokerName != avoid && c.suits(chosen.BrokerName, w, now) {
				return chosen
			}
		}
	}
	return t.turn()
}

func (c *choice) suits(brokerName string, w wish, now env.Instant) bool {
	if w.inRoom && !c.inRoom(brokerName) {
		return false
	}
	switch {
	case c.faults == nil || w.health == anyHealth:
		return true
	case w.health == mustBeReachable:
		return c.faults.reachable(brokerName)
	}
	return c.faults.available(brokerName, now)
}

func (c *choice) inRoom(brokerName string) bool {
	if len(c.rooms) == 0 {
		return true
	}
	room := roomOf(brokerName)
	for _, wanted := range c.rooms {
		if room == wanted {
			return true
		}
	}
	return false
}

// roomOf is the machine room that a broker name begins with, or "": "<room>@<name>".
func roomOf(brokerName string) string {
	room, _, found := strings.Cut(brokerName, "@")
	if !found {
		return ""
	}
	return room
}
