package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
)

// replicaGroup is what the scenario knows of a group.
type replicaGroup struct {
	c       *controllersRun
	name    string
	timeout time.Duration // that its brokers ask for; 0: none
	members []*replica
	ids     map[int64]string // who was told that an id is its own
	// operations are what controllers have answered, and what they have agreed upon.
	operations []linearizability.GroupOperation
	agreed     linearizability.GroupView
	// confirmed are the records that some master has confirmed, which no clean election may lose.
	confirmed []record
	leases    []*lease
}

// record is one record of a log.
type record struct {
	epoch  int32
	number int64 // in all of the run
}

// lease says that a broker may count on being the only master.
type lease struct {
	holder *replica
	boot   int64
	epoch  int32
	until  env.Instant
}

// valid reports whether its holder still lives with it.
func (l *lease) valid(now env.Instant) bool {
	return l.until > now && l.holder.machine.Up() && l.boot == l.holder.incarnation
}

// saw records an answer.
func (g *replicaGroup) saw(o linearizability.GroupOperation) {
	g.c.Operations++
	g.operations = append(g.operations, o)
}

// agreedClient is the client that stands for what controllers have agreed upon.
const agreedClient = 1000

// agree takes over what controllers have agreed upon, at the moment when the first one of them carries it out.
func (g *replicaGroup) agree(view linearizability.GroupView) {
	before := g.agreed
	if slices.Equal(before.InSync, view.InSync) && before.Master == view.Master && before.Epoch == view.Epoch && before.SetEpoch == view.SetEpoch {
		return
	}
	g.agreed = view
	now := int64(g.c.kernel.Now())
	g.saw(linearizability.GroupOperation{Client: agreedClient, Call: now, Return: now, View: view, Deed: "agreed"})
	switch elected := g.memberWith(view.Master); {
	case len(view.InSync) == 0:
		// Tools have forgotten all of it.
		g.confirmed = nil
	case view.Epoch > before.Epoch && !slices.Contains(before.InSync, view.Master) && elected != nil:
		if len(before.InSync) > 0 {
			g.c.kernel.Mark("elected: unclean")
		}
		g.lose(elected.log)
	case view.Epoch == before.Epoch && len(view.InSync) > len(before.InSync):
		g.c.kernel.Mark("a set grew")
	case view.Epoch == before.Epoch && len(view.InSync) < len(before.InSync):
		g.c.kernel.Mark("a set shrank")
	case view.Epoch == before.Epoch && before.Master != 0 && view.Master == 0:
		g.c.kernel.Mark("a master started again")
	}
}

// memberWith is who has an id, or nil.
func (g *replicaGroup) memberWith(id int64) *replica {
	i := slices.IndexFunc(g.members, func(m *replica) bool { return id != 0 && m.id == id })
	if i < 0 {
		return nil
	}
	return g.members[i]
}

// confirm is told that a master counts records as confirmed.
func (g *replicaGroup) confirm(log []record) {
	if len(log) <= len(g.confirmed) {
		return
	}
	if !hasPrefix(log, g.confirmed) {
		g.c.failSafety("%s: a master has confirmed %d records, and lacks some of %d that were confirmed before", g.name, len(log), len(g.confirmed))
	}
	g.confirmed = slices.Clone(log)
	g.c.kernel.Mark("records were confirmed")
}

// lose accepts that what is not in a log is gone.
func (g *replicaGroup) lose(log []record) { g.confirmed = g.confirmed[:common(log, g.confirmed)] }

// survey is called when a broker has lost records. What none of the in-sync set has any more, no controller can bring back.
func (g *replicaGroup) survey() {
	if len(g.agreed.InSync) == 0 {
		return
	}
	// Where one says that it has all that it ever told, it is elected. Where all say that they have lost something, it may be any.
	most, least := -1, len(g.confirmed)
	for _, id := range g.agreed.InSync {
		m := g.memberWith(id)
		if m == nil {
			continue
		}
		has := common(m.log, g.confirmed)
		least = min(least, has)
		if m.wholeNow {
			most = max(most, has)
		}
	}
	if most < 0 {
		most = least
	}
	if most < len(g.confirmed) {
		g.c.kernel.Mark("what was confirmed was lost by all")
		g.confirmed = g.confirmed[:most]
	}
}

// grant is told of a lease. There must not be another one, and who has it has all that was ever confirmed. (Who is elected may be dead
// already, and have lost something. It comes back as another incarnation, which is not master.)
func (g *replicaGroup) grant(l *lease) {
	now := g.c.kernel.Now()
	if !hasPrefix(l.holder.log, g.confirmed) {
		g.c.failSafety("%s serves as the master of epoch %d (%s), and of %d records that were confirmed it has %d", l.holder, l.epoch, g, len(g.confirmed),
			common(l.holder.log, g.confirmed))
	}
	g.leases = slices.DeleteFunc(g.leases, func(o *lease) bool { return !o.valid(now) })
	for _, other := range g.leases {
		if other.holder != l.holder || other.epoch != l.epoch {
			g.c.failSafety("%s: %s holds a lease for epoch %d until %s, and %s was granted one for epoch %d until %s",
				g.name, other.holder, other.epoch, other.until, l.holder, l.epoch, l.until)
		}
	}
	g.leases = append(g.leases, l)
}

// giveUp ends the leases of a broker.
func (g *replicaGroup) giveUp(m *replica) {
	g.leases = slices.DeleteFunc(g.leases, func(l *lease) bool { return l.holder == m })
}

// took is told that a broker has an id for good.
func (g *replicaGroup) took(id int64, code string) {
	if other, taken := g.ids[id]; taken && other != code {
		g.c.failSafety("%s: id %d was given to %s, and to %s", g.name, id, other, code)
	}
	g.ids[id] = code
}

// common is how many records two logs begin with alike.
func common(a, b []record) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func hasPrefix(log, prefix []record) bool { return common(log, prefix) == len(prefix) }

// String names the group.
func (g *replicaGroup) String() string { return fmt.Sprintf("%s: %s", g.name, g.agreed) }
