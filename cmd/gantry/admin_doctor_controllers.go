package main

import (
	"context"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/client"
)

// electionFacts are those of the controllers that some brokers name.
type electionFacts struct {
	brokers     []*brokerFacts
	controllers []controllerFacts   // those of controllerAddr, and those that these know of
	sets        *client.ReplicaSets // who is registered and who is alive, as the controller that leads knows it; nil with an error
	setsErr     error
}

// controllerFacts are those of one controller.
type controllerFacts struct {
	address string
	peers   []string // addresses of all controllers, as it knows them
	leader  string   // who leads, as far as it knows; "" for nobody
	err     error
}

// examineElections asks the controllers of the brokers that have any.
func (s *session) examineElections(ctx context.Context, x *examination) {
	byAddresses := map[string]*electionFacts{}
	for _, b := range x.answering() {
		addresses := b.config["controllerAddr"]
		if b.config["enableControllerMode"] != "true" || addresses == "" {
			continue
		}
		e := byAddresses[addresses]
		if e == nil {
			e = &electionFacts{}
			e.controllers = s.examineControllers(ctx, strings.Split(addresses, ";"))
			byAddresses[addresses] = e
			x.elections = append(x.elections, e)
		}
		e.brokers = append(e.brokers, b)
	}
	for _, e := range x.elections {
		s.examineSets(ctx, e)
	}
}

// examineControllers asks controllers, and then those that they know besides.
func (s *session) examineControllers(ctx context.Context, addresses []string) (all []controllerFacts) {
	known := map[string]bool{}
	for len(addresses) > 0 {
		var ask []client.Broker
		for _, address := range addresses {
			if address = strings.TrimSpace(address); address != "" && !known[address] {
				known[address] = true
				ask = append(ask, client.Broker{Address: address})
			}
		}
		addresses = nil
		answers, _ := askAll(ask, func(b client.Broker) (controllerFacts, error) { return s.examineController(ctx, b.Address), nil })
		for _, a := range answers {
			all = append(all, a.value)
			addresses = append(addresses, a.value.peers...)
		}
	}
	return all
}

func (s *session) examineController(ctx context.Context, address string) controllerFacts {
	c := controllerFacts{address: address}
	metadata, err := s.admin.ControllerMetadata(ctx, address)
	if err != nil {
		c.err = noController(err)
		return c
	}
	c.leader = metadata.LeaderID
	for _, peer := range newControllersView(metadata).Peers {
		_, at, _ := strings.Cut(peer, ":")
		c.peers = append(c.peers, at)
	}
	return c
}

// examineSets asks the controller that leads, through any that answers.
func (s *session) examineSets(ctx context.Context, e *electionFacts) {
	var names []string
	for _, b := range e.brokers {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, c := range e.controllers {
		if c.err != nil {
			continue
		}
		if e.sets, e.setsErr = s.admin.ReplicaSets(ctx, c.address, names); e.setsErr == nil {
			return
		}
	}
}
