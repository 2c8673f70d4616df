package namesrv

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// registration is what a broker says of itself (ReqRegisterBroker).
type registration struct {
	cluster, brokerName string
	address, haAddress  string
	id                  int64
	liveFor             time.Duration // > 0
	modern              bool          // since 5.0: it sent "enableActingMaster", of whatever value
	actingMaster        bool
	zone                string
	connection          uint64
	table               proto.TopicTable
	filterServers       []string
	dropMissing         bool // topics that it does not name are gone
}

// isUpdate reports whether it tells of a change of one topic ("incremental registration"). Such
// a thing looks like a full registration but for the number of its topics.
func (r *registration) isUpdate() bool { return len(r.table.Topics) == 1 }

// Why a registration is refused. Each is wrapped with who refused whom.
var (
	errUnusable  = errors.New("the registration is unusable")
	errLimit     = errors.New("a limit of this name server is reached")
	errLate      = errors.New("the registration came late: this broker has registered over a newer connection")
	errOutranked = errors.New("another broker has this id with a later state version")
	errTaken     = errors.New("register broker failed: another broker, which registered over a newer connection, has this id")
	errNotInFull = errors.New("register broker failed: a change of one topic must not come before the first full registration")
)

// admission is the outcome of a registration.
type admission struct {
	isNew   bool // this id at this address was not there
	master  string
	haOf    string // replication address of the master
	notices []notice
	left    departures // members that the registration pushed out
}

// notice is something to tell members of a group (ReqNotifyMinBrokerIDChange).
type notice struct {
	to     []string // addresses
	header proto.NotifyMinBrokerIDChange
}

// register takes in what a broker says of itself, or refuses it without a trace, except that a broker
// that claims an id in vain loses the id it had before: it says that it is not that any more.
func (t *table) register(r *registration, now env.Instant) (admission, error) {
	if err := r.check(t.limits); err != nil {
		return admission{}, err
	}
	g := t.groups[r.brokerName]
	if err := t.admit(g, r); err != nil {
		var a admission
		if errors.Is(err, errOutranked) || errors.Is(err, errTaken) {
			a.left = t.remove([]string{g.name}, func(_ *group, m *member) bool { return m.address == r.address })
		}
		return a, fmt.Errorf("%w (%s)", err, r)
	}
	if g == nil {
		g = &group{name: r.brokerName}
		t.groups[g.name] = g
	}
	g.cluster, g.actingMaster, g.zone = r.cluster, r.actingMaster, r.zone
	a := t.enter(g, r, now)
	if r.speaksFor(g) {
		t.takeTopics(g, r)
	}
	return a, nil
}

// check looks at the registration alone.
func (r *registration) check(limits Limits) error {
	for _, text := range []struct{ field, value string }{
		{"clusterName", r.cluster}, {"brokerName", r.brokerName}, {"brokerAddr", r.address},
	} {
		if text.value == "" {
			return fmt.Errorf("%w: %s is empty", errUnusable, text.field)
		}
	}
	for _, text := range []string{r.cluster, r.brokerName, r.address, r.haAddress, r.zone} {
		if len(text) > limits.NameBytes {
			return fmt.Errorf("%w: the name or address %.40q… has %d bytes, the limit is %d", errLimit, text, len(text), limits.NameBytes)
		}
	}
	if r.id < 0 {
		return fmt.Errorf("%w: brokerId is %d: 0 is the master, slaves have greater ids", errUnusable, r.id)
	}
	if err := checkBrokerAddress(r.address); err != nil {
		return fmt.Errorf("%w: brokerAddr: %w", errUnusable, err)
	}
	return r.checkTopics(limits)
}

func (r *registration) checkTopics(limits Limits) error {
	if n := len(r.table.Topics); n > limits.TopicsPerBroker {
		return fmt.Errorf("%w: %d topics in one registration, the limit is %d", errLimit, n, limits.TopicsPerBroker)
	}
	for i := range r.table.Topics {
		name := r.table.Topics[i].Name
		if name == "" || len(name) > limits.NameBytes {
			return fmt.Errorf("%w: a topic's name has %d bytes, from 1 to %d are allowed: %.40q", errLimit, len(name), limits.NameBytes, name)
		}
	}
	return nil
}

// checkBrokerAddress refuses what would spoil routes: some clients cut them apart at commas
// and colons by hand.
func checkBrokerAddress(address string) error {
	host, port, err := splitAddress(address)
	switch {
	case err != nil:
		return err
	case host == "" || port == 0 || strings.ContainsAny(host, ",;{}\"'\\ \t\r\n"):
		return fmt.Errorf("%q is not host:port that a client could connect to", address)
	}
	return nil
}

// admit compares the registration with what is there.
func (t *table) admit(g *group, r *registration) error {
	if g == nil {
		g = &group{name: r.brokerName}
		if len(t.groups) >= t.limits.BrokerNames {
			return fmt.Errorf("%w: %d broker names", errLimit, len(t.groups))
		}
	}
	if self := g.byAddress(r.address); self != nil && self.connection > r.connection {
		return errLate
	}
	holder := g.byID(r.id)
	known := holder != nil && holder.address == r.address
	if holder != nil && !known {
		if err := r.challenge(holder); err != nil {
			return err
		}
	}
	switch {
	case r.isUpdate() && !known:
		return errNotInFull
	case holder == nil && len(g.members) >= t.limits.MembersPerName:
		return fmt.Errorf("%w: %d brokers of one name", errLimit, len(g.members))
	}
	return t.roomForTopics(g, r)
}

// challenge decides which of two addresses has an id. The later state version (the
// controller's epoch) wins. Among equals the broker that connected last wins, and keeps the id for as long as it lives: if
// two processes were given one id by mistake, routes do not swing between them.
func (r *registration) challenge(holder *member) error {
	state := r.table.Version.StateVersion
	switch {
	case state < holder.stateVersion:
		return fmt.Errorf("%w: %s with %d", errOutranked, holder.address, holder.stateVersion)
	case state == holder.stateVersion && r.connection < holder.connection:
		return fmt.Errorf("%w: %s; give each broker an id of its own", errTaken, holder.address)
	}
	return nil
}

func (t *table) roomForTopics(g *group, r *registration) error {
	added := 0
	for i := range r.table.Topics {
		if t.entry(r.table.Topics[i].Name, g.name) == nil {
			added++
		}
	}
	if g.topics+added > t.limits.TopicsPerBroker {
		return fmt.Errorf("%w: %d topics of one broker and %d more, the limit is %d", errLimit, g.topics, added, t.limits.TopicsPerBroker)
	}
	return nil
}
