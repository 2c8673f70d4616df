package client

import (
	"slices"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
)

// broker is one broker name and where its members are. Routes point to it, so a new master is
// seen by all topics at once.
type broker struct {
	name      string
	cluster   string
	addresses []proto.BrokerAddress // by id; replaced, never changed
	last      string                // the last master that a route has named
}

// master is the address of the member that takes writes.
func (b *broker) master() (string, bool) { return b.member(proto.MasterID) }

func (b *broker) member(id int64) (string, bool) {
	for _, a := range b.addresses {
		if a.ID == id {
			return a.Address, true
		}
	}
	return "", false
}

// reader is the address to read from: the wanted member; if that is a slave that is gone, the next
// slave; else any.
func (b *broker) reader(id int64) (string, bool) {
	if address, ok := b.member(id); ok {
		return address, true
	}
	if id != proto.MasterID {
		if address, ok := b.member(id + 1); ok {
			return address, true
		}
	}
	if len(b.addresses) == 0 {
		return "", false
	}
	return b.addresses[0].Address, true
}

// brokers is the table of all broker names that routes speak of.
type brokers struct {
	byName map[string]*broker
	sorted []*broker        // by name
	moved  func(old string) // is told of the address of a master that is one no more
}

func newBrokers(moved func(old string)) *brokers {
	return &brokers{byName: map[string]*broker{}, moved: moved}
}

// named returns the entry of a name and makes one without addresses if there is none.
func (t *brokers) named(name string) *broker {
	if b := t.byName[name]; b != nil {
		return b
	}
	b := &broker{name: name}
	t.byName[name] = b
	at, _ := slices.BinarySearchFunc(t.sorted, name, func(b *broker, name string) int { return strings.Compare(b.name, name) })
	t.sorted = slices.Insert(t.sorted, at, b)
	return b
}

// learn takes the addresses that a route names. It reports whether one of them is new.
func (t *brokers) learn(route *proto.Route) bool {
	news := false
	for i := range route.Brokers {
		told := &route.Brokers[i]
		b := t.named(told.BrokerName)
		if len(told.Addresses) == 0 {
			continue // nothing is known of it just now
		}
		for _, a := range told.Addresses {
			news = news || !slices.Contains(b.addresses, a)
		}
		b.cluster, b.addresses = told.Cluster, told.Addresses
		now, has := b.master()
		if has && b.last != "" && now != b.last {
			t.moved(b.last)
		}
		if has {
			b.last = now
		}
	}
	return news
}

// keep forgets the names for which wanted is false.
func (t *brokers) keep(wanted map[string]bool) {
	t.sorted = slices.DeleteFunc(t.sorted, func(b *broker) bool {
		if !wanted[b.name] {
			delete(t.byName, b.name)
			return true
		}
		return false
	})
}
