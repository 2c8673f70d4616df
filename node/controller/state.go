package controller

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
)

// state is what the controllers agree upon (class ReplicasInfoManager). It is pure: it changes by apply and nothing else, and the same commands
// in the same order make the same state on every controller. Options must have no say in it, because they may differ between controllers.
type state struct {
	groups map[string]*group // by broker name
}

// nobody is the id of no broker: ids begin at 1.
const nobody = 0

// group is one broker name: brokers of which one is master and the others copy.
//
// While InSync is not empty: Master is nobody or in InSync, and InSync is a part of Members.
type group struct {
	Name    string   `json:"name"`
	Cluster string   `json:"cluster"`
	Members []member `json:"members"` // by id
	// NextID is greater than every id that a member ever had, so that none is used twice.
	NextID int64 `json:"nextId"`
	Master int64 `json:"master"` // id, or nobody
	// Epoch (masterEpoch) counts elections. Each master, and each incarnation of one, has an epoch of its own.
	Epoch int32 `json:"epoch"`
	// InSync (syncStateSet) are the ids of those that have all that was ever confirmed, sorted. It is empty only before the first election of a group, also of one that was forgotten and comes again.
	InSync []int64 `json:"inSync"`
	// SetEpoch (syncStateSetEpoch) counts changes of InSync, and elections.
	SetEpoch int32 `json:"setEpoch"`
	// Confirmed is a log offset: all of InSync have the log up to here. It is what masters have told, so more may be confirmed.
	Confirmed int64 `json:"confirmed"`
}

// member is one broker of a group.
type member struct {
	ID        int64  `json:"id"`
	CheckCode string `json:"checkCode"` // who it was that applied for the id
	Address   string `json:"address"`   // ip:port; "" until it has registered
	HAAddress string `json:"haAddress"`
	// Incarnation grows with each start of the broker; unregistered before the first registration.
	Incarnation int64 `json:"incarnation"`
	// TimeoutMillis bounds the leases of this incarnation: no heartbeat is promised more. A leader that has just been elected knows nothing of
	// promises that were made before it, and waits for so long.
	TimeoutMillis int64 `json:"timeoutMillis"`
}

// unregistered is the incarnation of a member that has an id and nothing more.
const unregistered = -1

func newState() *state { return &state{groups: map[string]*group{}} }

// names lists the broker names, sorted.
func (s *state) names() []string { return slices.Sorted(maps.Keys(s.groups)) }

// members counts those of all groups.
func (s *state) members() (count int) {
	// order does not matter: the numbers are added up
	for _, g := range s.groups {
		count += len(g.Members)
	}
	return count
}

// member finds a member, or nil. It points into the group.
func (g *group) member(id int64) *member {
	i, ok := slices.BinarySearchFunc(g.Members, id, func(m member, id int64) int { return cmp.Compare(m.ID, id) })
	if !ok {
		return nil
	}
	return &g.Members[i]
}

func (g *group) isInSync(id int64) bool { return slices.Contains(g.InSync, id) }

// leaveSet takes a member out of the in-sync set, unless it is the last one: somebody must have what was confirmed.
func (g *group) leaveSet(id int64) bool {
	if len(g.InSync) < 2 {
		return false
	}
	g.changeSet(slices.DeleteFunc(slices.Clone(g.InSync), func(other int64) bool { return other == id }))
	return true
}

func (g *group) changeSet(ids []int64) {
	g.InSync = ids
	g.SetEpoch++
}

// String is one line about the group.
func (g *group) String() string {
	ids := make([]int64, len(g.Members))
	for i := range g.Members {
		ids[i] = g.Members[i].ID
	}
	return fmt.Sprintf("%s/%s master %d epoch %d, in sync %v set epoch %d, confirmed %d, members %v, next id %d",
		g.Cluster, g.Name, g.Master, g.Epoch, g.InSync, g.SetEpoch, g.Confirmed, ids, g.NextID)
}

// clone shares nothing with g.
func (g *group) clone() *group {
	c := *g
	c.Members, c.InSync = slices.Clone(g.Members), slices.Clone(g.InSync)
	return &c
}

// snapshotVersion is that of the text below.
const snapshotVersion = 1

// document is a state as text.
type document struct {
	Version int      `json:"v"`
	Groups  []*group `json:"groups"` // by name
}

// marshal writes the state so that unmarshalState reads the same.
func (s *state) marshal() []byte {
	d := document{Version: snapshotVersion, Groups: []*group{}}
	for _, name := range s.names() {
		d.Groups = append(d.Groups, s.groups[name])
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic(err) // there are only numbers and texts
	}
	return text
}

// unmarshalState reads what marshal has written, and refuses what no state can be. The error is errDamaged, or errNewer.
func unmarshalState(text []byte) (*state, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("%w: snapshot: %w", errDamaged, err)
	}
	if d.Version != snapshotVersion {
		return nil, fmt.Errorf("%w: snapshot of version %d", errNewer, d.Version)
	}
	s := newState()
	for _, g := range d.Groups {
		if g == nil || s.groups[g.Name] != nil {
			return nil, fmt.Errorf("%w: snapshot: a group is there twice, or not at all", errDamaged)
		}
		if err := g.check(); err != nil {
			return nil, fmt.Errorf("%w: snapshot: group %q: %w", errDamaged, g.Name, err)
		}
		s.groups[g.Name] = g
	}
	return s, nil
}

// check tells which invariant of a group is broken.
func (g *group) check() error {
	ascending := slices.IsSortedFunc(g.Members, func(a, b member) int { return cmp.Or(cmp.Compare(a.ID, b.ID), -1) })
	switch {
	case !ascending || len(g.Members) > 0 && (g.Members[0].ID < 1 || g.Members[len(g.Members)-1].ID >= g.NextID) || g.NextID < 1:
		return fmt.Errorf("the ids %v do not ascend from 1 to below %d", g.Members, g.NextID)
	case !slices.IsSortedFunc(g.InSync, func(a, b int64) int { return cmp.Or(cmp.Compare(a, b), -1) }):
		return fmt.Errorf("the in-sync set %v does not ascend", g.InSync)
	case slices.ContainsFunc(g.InSync, func(id int64) bool { return g.member(id) == nil }):
		return fmt.Errorf("the in-sync set %v has somebody who is no member", g.InSync)
	case g.Master != nobody && !g.isInSync(g.Master):
		return fmt.Errorf("the master %d is not in the in-sync set %v", g.Master, g.InSync)
	case g.Epoch < 0 || g.SetEpoch < 0 || g.Confirmed < 0:
		return fmt.Errorf("an epoch or offset is negative")
	}
	return nil
}

// epochMax is where counting ends: the protocol's epochs have 32 bits.
const epochMax = math.MaxInt32
