package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/client"
)

// checkNameServers wants an answer of each.
func checkNameServers(x *examination) []finding {
	var found []finding
	for _, n := range x.nameServers {
		if n.err != nil {
			found = append(found, finding{broken, "name servers", fmt.Sprintf("%s does not answer: %v", n.address, n.err),
				"start it, or take it out of -n, and out of namesrvAddr of brokers and clients"})
		}
	}
	return orFine(found, "name servers", count(len(x.nameServers), "name server")+" answered")
}

// place is what a broker has to itself.
type brokerPlace struct {
	name string
	id   int64
}

// checkAgreement compares what name servers know. Brokers register at each of them.
func checkAgreement(x *examination) []finding {
	addresses := map[brokerPlace]map[string][]string{} // name servers by broker and address
	answering := 0
	for _, n := range x.nameServers {
		if n.info == nil {
			continue
		}
		answering++
		for _, b := range n.info.Brokers {
			for _, a := range b.Addresses {
				p := brokerPlace{b.BrokerName, a.ID}
				if addresses[p] == nil {
					addresses[p] = map[string][]string{}
				}
				addresses[p][a.Address] = append(addresses[p][a.Address], n.address)
			}
		}
	}
	var found []finding
	for p, at := range addresses {
		found = append(found, disagreement(p, at, answering)...)
	}
	slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.what, b.what) })
	return orFine(found, "registrations", "name servers agree on "+count(len(addresses), "broker"))
}

// disagreement is about one broker: where it is, by each address, and how many name servers there are.
func disagreement(p brokerPlace, at map[string][]string, servers int) []finding {
	if len(at) > 1 {
		var parts []string
		for address, by := range at {
			parts = append(parts, fmt.Sprintf("%s (says %s)", address, strings.Join(by, ", ")))
		}
		slices.Sort(parts)
		return []finding{{broken, "registrations", fmt.Sprintf("two brokers are called %s with id %d: %s", p.name, p.id, strings.Join(parts, " and ")),
			"give each broker its own brokerName or brokerId and start it again; if it has moved, wait two minutes"}}
	}
	for address, by := range at {
		if len(by) < servers {
			return []finding{{warning, "registrations", fmt.Sprintf("%s at %s is registered only at %s", p.name, address, strings.Join(by, ", ")),
				"let namesrvAddr of the broker name all name servers; see whether it can reach the others"}}
		}
	}
	return nil
}

// checkMasters wants a master of each broker name, and brokers at all.
func checkMasters(x *examination) []finding {
	var found []finding
	if len(x.brokers) == 0 {
		return []finding{{broken, "brokers", "no broker is registered", "start one with gantry broker -n, and look at its log if it is running"}}
	}
	seen := map[string]client.Broker{}
	masters, elected := map[string]bool{}, map[string]bool{}
	for i := range x.brokers {
		b := x.brokers[i].Broker
		masters[b.Name] = masters[b.Name] || b.IsMaster()
		elected[b.Name] = elected[b.Name] || x.brokers[i].isElected()
		if other, twice := seen[b.Address]; twice {
			found = append(found, finding{broken, "brokers", fmt.Sprintf("%s is the address of both %s (id %d) and %s (id %d)", b.Address, other.Name, other.ID, b.Name, b.ID),
				"one of them advertises the wrong address: set brokerIP1 and listenPort of each, and start it again"})
		}
		seen[b.Address] = b
	}
	for name, has := range masters {
		switch what := fmt.Sprintf("%s has no master: nobody can send to it", name); {
		case has:
		case elected[name]:
			found = append(found, finding{broken, "brokers", what, "its controllers elect one as soon as somebody who is in sync is alive: see who that is with gantry admin getSyncStateSet, start those brokers, and look at the log of the leading controller"})
		default:
			found = append(found, finding{broken, "brokers", what, "start its master again (brokerId=0), and look at its log; if its disk is lost, start the slave with the longest log (haStatus) as the master, with brokerId=0 and brokerRole=SYNC_MASTER or ASYNC_MASTER"})
		}
	}
	slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.what, b.what) })
	return orFine(found, "brokers", "masters were found of "+count(len(masters), "broker name"))
}

// checkIdentity compares what brokers say of themselves with what they are registered as. Somebody else may have taken an address.
func checkIdentity(x *examination) []finding {
	var found []finding
	for _, b := range x.answering() {
		for key, registered := range map[string]string{
			"brokerName": b.Name, "brokerClusterName": b.Cluster, "brokerId": number(b.ID),
		} {
			if says := b.setting(key, registered); says != registered {
				found = append(found, finding{broken, "identities", fmt.Sprintf("at %s, registered with %s %s, a broker answers that has %s", b.Address, key, registered, says),
					"two brokers use one address or name: set brokerIP1, listenPort, brokerName and brokerId of each, and start it again"})
			}
		}
	}
	slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.what, b.what) })
	return orFine(found, "identities", "brokers are who they are registered as")
}

// checkPermissions finds brokers that may not be written to or read.
func checkPermissions(x *examination) []finding {
	var found []finding
	for _, b := range x.answering() {
		switch perm := b.setting("brokerPermission", "6"); perm {
		case "6":
		case "4":
			found = append(found, finding{warning, "permissions", fmt.Sprintf("%s takes no messages (brokerPermission=4)", b.Broker), allow(b)})
		case "2":
			found = append(found, finding{warning, "permissions", fmt.Sprintf("%s gives no messages to consumers (brokerPermission=2)", b.Broker), allow(b)})
		default:
			found = append(found, finding{warning, "permissions", fmt.Sprintf("%s has brokerPermission=%s", b.Broker, perm), allow(b)})
		}
	}
	for _, name := range x.wiped() {
		found = append(found, finding{warning, "permissions", fmt.Sprintf("the write permission of %s is wiped: producers do not send to it", name),
			"gantry admin addWritePerm -b " + name + ", unless it is to be stopped"})
	}
	return orFine(found, "permissions", "brokers may be written to and read")
}

func allow(b *brokerFacts) string {
	return "gantry admin updateBrokerConfig -b " + b.Address + " -k brokerPermission -v 6, unless it is meant so"
}

// wiped are the broker names that name servers let nobody write to, although their brokers would. It shows at the topic that each broker
// has under its own name.
func (x *examination) wiped() []string {
	var names []string
	for _, b := range x.answering() {
		if b.ownRoute == nil || b.setting("brokerPermission", "6") == "4" {
			continue
		}
		for _, q := range b.ownRoute.Queues {
			if q.BrokerName == b.Name && !q.Perm.Writable() {
				names = append(names, b.Name)
			}
		}
	}
	return names
}
