package controller

import (
	"cmp"
	"slices"

	"github.com/gantrymq/gantry/transport/proto"
)

// Commands are checked when they are proposed, for a quick and clear answer, and again here, where it counts: between the two other
// commands may have been applied.

// appliers carry out the commands. A refusal leaves the state as it was.
var appliers = map[kind]func(*state, *command) *refusal{
	kindApplyID: (*state).applyID, kindRegister: (*state).register, kindElect: (*state).elect,
	kindAlterSet: (*state).alterSet, kindClean: (*state).clean, kindTimeout: (*state).raiseTimeout,
}

// apply carries out a command that unmarshalCommand has read, wholly or not at all.
func (s *state) apply(c *command) *refusal { return appliers[c.Kind](s, c) }

// find returns a group that has members, or refuses.
func (s *state) find(name string) (*group, *refusal) {
	g := s.groups[name]
	if g == nil || len(g.Members) == 0 {
		return nil, refused(proto.RespControllerBrokerMetadataNotExist, "no broker named %s has an id: start its brokers with enableControllerMode=true", name)
	}
	return g, nil
}

// findMember finds who has an id, or refuses in the way that makes a broker register.
func (s *state) findMember(name string, id int64) (*group, *member, *refusal) {
	g := s.groups[name]
	if g == nil || g.member(id) == nil {
		return nil, nil, refused(proto.RespControllerBrokerNeedToBeRegistered, "%s has no broker with id %d: if it was forgotten, or these are other controllers, remove brokerIdentity from its directory and start it again, and it applies for an id", name, id)
	}
	return g, g.member(id), nil
}

// nextID is the id to apply for.
func (s *state) nextID(name string) int64 {
	if g := s.groups[name]; g != nil {
		return g.NextID
	}
	return 1
}

// applyID gives an id to who applies for it first. The group begins with its first member.
func (s *state) applyID(c *command) *refusal {
	if r := s.checkID(c); r != nil {
		return r
	}
	g := s.groups[c.Name]
	if g == nil {
		g = &group{Name: c.Name, NextID: 1}
		s.groups[c.Name] = g
	}
	if g.member(c.ID) != nil {
		return nil // who applies again has it already
	}
	// Where all members were forgotten the brokers that come may belong to another cluster.
	g.Cluster = c.Cluster
	g.Members = append(g.Members, member{ID: c.ID, CheckCode: c.CheckCode, Incarnation: unregistered})
	g.NextID = c.ID + 1
	return nil
}

// checkID tells why an id cannot be had.
func (s *state) checkID(c *command) *refusal {
	g := s.groups[c.Name]
	if g != nil && len(g.Members) > 0 && g.Cluster != c.Cluster {
		return refused(proto.RespControllerInvalidRequest, "clusterName: %s belongs to the cluster %s, not to %s", c.Name, g.Cluster, c.Cluster)
	}
	if g != nil {
		if m := g.member(c.ID); m != nil && m.CheckCode == c.CheckCode {
			return nil
		}
	}
	if next := s.nextID(c.Name); c.ID != next {
		return refused(proto.RespControllerBrokerIDInvalid, "appliedBrokerId: %d of %s is not free: apply for %d", c.ID, c.Name, next)
	}
	return nil
}

// register notes where a broker is, and what its start means for the group.
func (s *state) register(c *command) *refusal {
	g, m, r := s.checkRegister(c)
	if r != nil {
		return r
	}
	m.Address, m.HAAddress = c.Address, c.HAAddress
	incarnation := c.Incarnation
	if incarnation == nextIncarnation {
		incarnation = max(m.Incarnation, 0) + 1
	}
	if incarnation == m.Incarnation {
		m.TimeoutMillis = max(m.TimeoutMillis, c.TimeoutMillis)
		return nil // it asks again
	}
	// The old incarnation is dead, and its leases with it.
	m.Incarnation, m.TimeoutMillis = incarnation, c.TimeoutMillis
	g.startedAgain(c)
	return nil
}

// checkRegister finds who registers.
func (s *state) checkRegister(c *command) (*group, *member, *refusal) {
	g, m, r := s.findMember(c.Name, c.ID)
	switch {
	case r != nil:
		return nil, nil, r
	case g.Cluster != c.Cluster:
		return nil, nil, refused(proto.RespControllerInvalidRequest, "clusterName: %s belongs to the cluster %s, not to %s", c.Name, g.Cluster, c.Cluster)
	case c.Incarnation != nextIncarnation && c.Incarnation < m.Incarnation:
		return nil, nil, refused(proto.RespControllerBrokerNeedToBeRegistered,
			"gantryIncarnation: %s id %d has started for the %d. time already, this registration is of the %d. time", c.Name, c.ID, m.Incarnation, c.Incarnation)
	}
	return g, m, nil
}

// startedAgain deals with a new incarnation. A master is master for one incarnation only: what it had not written to its disk is gone,
// and its epoch must not stand for two different logs. A member that may lack what was confirmed must not be elected.
func (g *group) startedAgain(c *command) {
	if g.Master == c.ID {
		g.Master = nobody
	}
	if !g.isInSync(c.ID) {
		return
	}
	short := c.LogEnd < g.Confirmed && c.LastEpoch <= g.Epoch
	if c.Whole && !short {
		return
	}
	if !g.leaveSet(c.ID) && short {
		// It is the last one: what it lacks, nobody has any more.
		g.Confirmed = c.LogEnd
	}
}

// raiseTimeout lets the leases of an incarnation be longer. They become shorter only with the next one.
func (s *state) raiseTimeout(c *command) *refusal {
	_, m, r := s.findMember(c.Name, c.ID)
	if r != nil {
		return r
	}
	if m.Incarnation == c.Incarnation {
		m.TimeoutMillis = max(m.TimeoutMillis, c.TimeoutMillis)
	}
	return nil
}

// elect makes a member master. The set keeps its members: the ones that do not follow are taken out only when the new master asks for
// that. It may be dead already, and come back with less than they have.
func (s *state) elect(c *command) *refusal {
	g, r := s.checkElect(c)
	if r != nil {
		return r
	}
	switch c.Why {
	case whyFirst:
		g.changeSet([]int64{c.ID})
	case whyUnclean:
		g.changeSet([]int64{c.ID})
		g.Confirmed = min(g.Confirmed, c.LogEnd)
	default:
		g.SetEpoch++
	}
	g.Master = c.ID
	g.Epoch++
	return nil
}

// checkElect tells why a member cannot be elected.
func (s *state) checkElect(c *command) (*group, *refusal) {
	g, r := s.find(c.Name)
	if r != nil {
		return nil, r
	}
	m := g.member(c.ID)
	switch {
	case g.Epoch != c.MasterEpoch:
		return nil, refused(proto.RespControllerFencedMasterEpoch, "%s has had another election meanwhile: epoch %d", c.Name, g.Epoch)
	case m == nil || m.Incarnation != c.Incarnation || m.Incarnation == unregistered:
		return nil, refused(proto.RespControllerElectMasterFailed, "%s id %d is gone, or has started again", c.Name, c.ID)
	case g.Master == c.ID:
		return nil, refused(proto.RespControllerMasterStillExist, "%s id %d is the master already", c.Name, c.ID)
	case c.Why == whyFirst && len(g.InSync) > 0:
		return nil, refused(proto.RespControllerElectMasterFailed, "%s has an in-sync set already: %v", c.Name, g.InSync)
	case c.Why != whyFirst && c.Why != whyUnclean && !g.isInSync(c.ID):
		return nil, refused(proto.RespControllerElectMasterFailed, "%s id %d is not in sync and may lack messages: in sync are %v", c.Name, c.ID, g.InSync)
	case g.Epoch == epochMax || g.SetEpoch == epochMax:
		return nil, refused(proto.RespControllerElectMasterFailed, "%s has no epochs left", c.Name)
	}
	return g, nil
}

// alterSet puts another in-sync set in place of the one that the master knows.
func (s *state) alterSet(c *command) *refusal {
	g, again, r := s.checkAlterSet(c)
	if r == nil && !again {
		r = g.checkNewSet(c)
	}
	if r != nil {
		return r
	}
	switch {
	case !again:
		g.changeSet(slices.Clone(c.NewSet))
	case c.SetEpoch == g.SetEpoch && g.SetEpoch < epochMax:
		// A master asks for the set that there is to be sure that nothing it has asked for before can happen any more.
		g.SetEpoch++
	}
	g.Confirmed = max(g.Confirmed, c.Confirmed)
	return nil
}

// checkAlterSet looks at who asks. It reports whether the set is already the one that is wanted, because it was asked for before.
func (s *state) checkAlterSet(c *command) (g *group, again bool, r *refusal) {
	g = s.groups[c.Name]
	if g == nil || len(g.Members) == 0 {
		return nil, false, refused(proto.RespControllerAlterSyncStateSetFailed, "brokerName: no broker named %s has an id", c.Name)
	}
	isMaster := g.Master == c.ID && g.Epoch == c.MasterEpoch
	same := slices.Equal(g.InSync, c.NewSet)
	// The answer to the first try may have been lost, so the second one knows the epoch before, or this one.
	again = same && isMaster && (c.SetEpoch == g.SetEpoch || c.SetEpoch == g.SetEpoch-1)
	switch {
	case again:
		return g, true, nil
	case same:
		return nil, false, refused(proto.RespControllerAlterSyncStateSetFailed, "syncStateSet: %v is that of %s already, of set epoch %d", g.InSync, c.Name, g.SetEpoch)
	case g.Master != c.ID:
		return nil, false, refused(proto.RespControllerInvalidMaster, "masterBrokerId: %d is not the master of %s: %d is", c.ID, c.Name, g.Master)
	case g.Epoch != c.MasterEpoch:
		return nil, false, refused(proto.RespControllerFencedMasterEpoch, "masterEpoch: that of %s is %d, not %d", c.Name, g.Epoch, c.MasterEpoch)
	case g.SetEpoch != c.SetEpoch:
		return nil, false, refused(proto.RespControllerFencedSyncStateSetEpoch, "syncStateSetEpoch: that of %s is %d, not %d", c.Name, g.SetEpoch, c.SetEpoch)
	}
	return g, false, nil
}

// checkNewSet looks at who is in the new set.
func (g *group) checkNewSet(c *command) *refusal {
	for _, id := range c.NewSet {
		if g.member(id) == nil {
			return refused(proto.RespControllerInvalidReplicas, "syncStateSet: %s has no broker with id %d", g.Name, id)
		}
	}
	for _, caught := range c.Incarnations {
		// Who has started again since may have lost what it had.
		if m := g.member(caught.BrokerID); slices.Contains(c.NewSet, caught.BrokerID) && m.Incarnation != caught.Incarnation {
			return refused(proto.RespControllerBrokerNotAlive, "gantryIncarnations: %s id %d has started again: it is incarnation %d now, not %d",
				g.Name, caught.BrokerID, m.Incarnation, caught.Incarnation)
		}
	}
	switch {
	case !slices.Contains(c.NewSet, c.ID):
		return refused(proto.RespControllerAlterSyncStateSetFailed, "syncStateSet: %v lacks the master %d", c.NewSet, c.ID)
	case g.SetEpoch == epochMax:
		return refused(proto.RespControllerAlterSyncStateSetFailed, "%s has no set epochs left", g.Name)
	}
	return nil
}

// clean forgets members. What a group has counted stays when all of it goes, because brokers that come later under its name must not get
// ids and epochs that were used.
func (s *state) clean(c *command) *refusal {
	g, whole, r := s.checkClean(c)
	if r != nil {
		return r
	}
	if whole {
		g.Members, g.Master, g.Confirmed = nil, nobody, 0
		if len(g.InSync) > 0 {
			g.changeSet(nil)
		}
		return nil
	}
	g.Members = slices.DeleteFunc(g.Members, func(m member) bool { return slices.Contains(c.IDs, m.ID) })
	return nil
}

// checkClean tells who cannot be forgotten, and whether all of the group is to go.
func (s *state) checkClean(c *command) (g *group, whole bool, r *refusal) {
	const code = proto.RespControllerInvalidCleanBrokerMetadata
	g = s.groups[c.Name]
	if g == nil || len(g.Members) == 0 {
		return nil, false, refused(code, "brokerName: no broker named %s has an id", c.Name)
	}
	if c.Cluster != "" && c.Cluster != g.Cluster {
		return nil, false, refused(code, "clusterName: %s belongs to the cluster %s, not to %s", c.Name, g.Cluster, c.Cluster)
	}
	for _, id := range c.IDs {
		if g.member(id) == nil {
			return nil, false, refused(code, "brokerControllerIdsToClean: %s has no broker with id %d", c.Name, id)
		}
	}
	if len(c.IDs) == 0 || len(c.IDs) == len(g.Members) {
		return g, true, nil
	}
	for _, id := range c.IDs {
		if id == g.Master || g.isInSync(id) {
			return nil, false, refused(code, "brokerControllerIdsToClean: %s id %d is the master or in sync: take it out of the in-sync set first (stop it, or elect another master), "+
				"or clean all of the group", c.Name, id)
		}
	}
	return g, false, nil
}

// sortedIDs is a set of ids.
func sortedIDs(ids []int64) []int64 {
	sorted := slices.Clone(ids)
	slices.SortFunc(sorted, cmp.Compare[int64])
	return slices.Compact(sorted)
}
