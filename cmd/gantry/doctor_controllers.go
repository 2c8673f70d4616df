package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// checkControllers wants controllers that can elect a master, and that they know of each broker that relies on it.
func checkControllers(x *examination) []finding {
	var found []finding
	brokers, controllers := 0, 0
	for _, e := range x.elections {
		brokers, controllers = brokers+len(e.brokers), controllers+len(e.controllers)
		found = append(found, e.checkQuorum()...)
		found = append(found, e.checkRegistered()...)
	}
	if brokers == 0 {
		return []finding{{level: fine, check: "controllers", what: "no broker asks controllers who is master"}}
	}
	return orFine(found, "controllers", fmt.Sprintf("%s answered, one leads and knows of %s", count(controllers, "controller"), count(brokers, "broker")))
}

// checkQuorum wants a controller that leads, and an answer of each.
func (e *electionFacts) checkQuorum() []finding {
	var silent []string
	var found []finding
	refused := true
	for _, c := range e.controllers {
		if c.err == nil && c.leader == "" && e.sets != nil {
			found = append(found, finding{warning, "controllers", c.address + " answers, and knows of no controller that leads, though there is one",
				"look at its log: it has stopped, or hears nothing of the others; start it again"})
		}
		if c.err == nil {
			continue
		}
		silent = append(silent, c.address)
		refused = refused && errors.Is(c.err, env.ErrRefused)
		found = append(found, finding{warning, "controllers", fmt.Sprintf("%s does not answer: %v", c.address, flat(c.err)),
			"start it, or let controllerAddr of brokers name controllers only; while it is away fewer others may fail. If its disk is lost, start it with an empty directory only while all others run, and after the one that leads was started again"})
	}
	all := len(e.controllers)
	switch away := strings.Join(silent, ", "); {
	case len(silent) == all:
		f := finding{warning, "controllers", "no controller answers from here (" + away + "): whether a lost master can be replaced is not known",
			"start them; if they run, ask from where they can be reached"}
		if refused {
			f = finding{broken, "controllers", "no controller runs at " + away + ": masters take no messages, and nobody is elected",
				fmt.Sprintf("start at least %d of them", all/2+1)}
		}
		return []finding{f}
	case errors.Is(e.setsErr, client.ErrNoLeader):
		what := "no controller leads: masters take no messages, and nobody is elected"
		if away != "" {
			what += "; these do not answer: " + away
		}
		return []finding{{broken, "controllers", what, fmt.Sprintf("let at least %d of %d run and reach each other; see what each knows with getControllerMetaData -a, and look at their logs", all/2+1, all)}}
	case e.setsErr != nil:
		found = append(found, finding{skipped, "controllers", fmt.Sprintf("who is registered cannot be asked: %v", e.setsErr), ""})
	}
	return found
}

// flat is an error without the advice that follows it.
func flat(err error) error {
	var failed *failure
	if errors.As(err, &failed) {
		return failed.cause
	}
	return err
}

// checkRegistered wants each broker that lives to be known, and to be heard.
func (e *electionFacts) checkRegistered() []finding {
	if e.sets == nil {
		return nil
	}
	var found []finding
	unknown := map[string]bool{} // broker names that were reported as a whole
	for _, b := range e.brokers {
		set := e.setOf(b.Name)
		// A broker that was given an empty directory is another one at the same address.
		here := slices.DeleteFunc(slices.Clone(set), func(r proto.Replica) bool { return r.Address != b.Address })
		switch {
		case len(set) == 0 && unknown[b.Name]:
		case len(set) == 0:
			unknown[b.Name] = true
			found = append(found, finding{broken, "controllers", "the controllers do not know " + b.Name + ": its master takes no messages, and nobody is elected",
				"if they were told to forget it (cleanBrokerMetadata), or are new: stop its brokers, remove the file brokerIdentity from the directory of each, and start them again, first the one that was master, and the others when gantry admin getSyncStateSet shows it as master"})
		case len(here) == 0:
			found = append(found, finding{broken, "controllers", fmt.Sprintf("the controllers do not know %s: it is no copy that can be elected", b.Broker),
				"look at its log; if they were told to forget it (cleanBrokerMetadata), stop it, remove the file brokerIdentity from its directory, and start it again"})
		case !slices.ContainsFunc(here, func(r proto.Replica) bool { return r.Alive }):
			found = append(found, finding{warning, "controllers", fmt.Sprintf("%s runs, and the controllers hear nothing of it: it cannot be elected", b.Broker),
				"see that it reaches the controllers of its controllerAddr, and look at its log"})
		}
	}
	return found
}

// setOf are all brokers of a broker name that are registered.
func (e *electionFacts) setOf(name string) []proto.Replica {
	for i := range e.sets.Groups {
		if g := &e.sets.Groups[i]; g.BrokerName == name {
			return slices.Concat(g.InSync, g.NotInSync)
		}
	}
	return nil
}
