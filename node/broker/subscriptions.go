package broker

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// What members subscribe. Java brokers keep one set for each group, which the heartbeat that came last has written: members that
// differ get what another one wants, and lose messages silently. Here a pull that does not carry its subscription counts as its
// own member says; the group's set serves only those that have said nothing. And where members differ, it is told: each
// queue has one reader, so what the others want of it is lost all the same.

// subscribe takes over what a heartbeat says for the group. It reports whether topics were added or removed.
func (g *consumerGroup) subscribe(fresh []proto.SubscriptionData) (changed bool) {
	g.subscriptions, changed = merged(g.subscriptions, fresh)
	return changed
}

// merged replaces subscriptions whose versions have grown, adds new topics, and drops those that are not named any more.
func merged(known, fresh []proto.SubscriptionData) (list []proto.SubscriptionData, topicsChanged bool) {
	list = slices.DeleteFunc(slices.Clone(known), func(old proto.SubscriptionData) bool { return index(fresh, old.Topic) < 0 })
	topicsChanged = len(list) < len(known)
	for _, s := range fresh {
		i := index(list, s.Topic)
		switch {
		case i < 0:
			list = append(list, s)
			topicsChanged = true
		case s.Version > list[i].Version:
			list[i] = s
		}
	}
	return list, topicsChanged
}

func index(subscriptions []proto.SubscriptionData, topic string) int {
	return slices.IndexFunc(subscriptions, func(s proto.SubscriptionData) bool { return s.Topic == topic })
}

func of(subscriptions []proto.SubscriptionData, topic string) *proto.SubscriptionData {
	if i := index(subscriptions, topic); i >= 0 {
		return &subscriptions[i]
	}
	return nil
}

// subscription is what counts for a pull that does not carry one: what the member of its connection has said, or else the
// group. nil: nobody has said anything.
func (t *clientTable) subscription(group, topic string, conn *transport.Conn) *proto.SubscriptionData {
	g := t.consumers[group]
	if g == nil {
		return nil
	}
	if m := find(g.members, conn); m != nil {
		if own := of(m.subscriptions, topic); own != nil {
			return own
		}
	}
	return of(g.subscriptions, topic)
}

// memberSubscribes takes over what a member says for itself, tells of expressions that cannot be served, and of members that differ.
func (t *clientTable) memberSubscribes(g *consumerGroup, m *member, fresh []proto.SubscriptionData) {
	before := m.subscriptions
	m.told = true
	m.subscriptions, _ = merged(before, fresh)
	for i := range m.subscriptions {
		s := &m.subscriptions[i]
		old := of(before, s.Topic)
		if old != nil && expressionOf(old) == expressionOf(s) {
			continue
		}
		if err := t.broker.filters.problem(expressionOf(s)); err != nil {
			t.broker.env.Log.Warn("a consumer subscribes with an expression that cannot be used, so its pulls are refused: correct the expression",
				zap.String("group", g.name), zap.String("client", m.clientID), zap.String("topic", s.Topic), zap.Stringer("expression", expressionOf(s)), zap.Error(err))
		}
	}
	sameAsBefore := slices.EqualFunc(before, m.subscriptions, func(a, b proto.SubscriptionData) bool {
		return a.Topic == b.Topic && expressionOf(&a) == expressionOf(&b)
	})
	if !sameAsBefore || before == nil {
		t.compareMembers(g)
	}
}

// subscriptionConflict is a member that subscribes a topic differently than most of its group, so that messages of
// queues that it reads are lost to the others, or to it.
type subscriptionConflict struct {
	Group, Topic, ClientID string
	Expression             string // with its type; "" if the member does not subscribe the topic
	Others                 string // what most others do, or of two the one that was first; "" if they do not
}

// String says who differs and how.
func (c subscriptionConflict) String() string {
	show := func(e string) string { return cmp.Or(e, "nothing") }
	return "client " + c.ClientID + " of group " + c.Group + " subscribes " + show(c.Expression) + " of topic " + c.Topic + ", others " + show(c.Others)
}

// conflicts lists the members that subscribe differently than most of their groups, by group, topic and client id. An empty name
// stands for all groups. The list is the caller's.
func (t *clientTable) conflicts(group string) []subscriptionConflict {
	if group != "" {
		if g := t.consumers[group]; g != nil {
			return slices.Clone(g.conflicts)
		}
		return nil
	}
	var all []subscriptionConflict
	for _, name := range sortedNames(t.consumers) {
		all = append(all, t.consumers[name].conflicts...)
	}
	return all
}

// countConflicts is how many conflicts there are now.
func (t *clientTable) countConflicts() int64 {
	n := 0
	// order does not matter: it is a sum
	for _, g := range t.consumers {
		n += len(g.conflicts)
	}
	return int64(n)
}

// compareMembers finds the conflicts of a group anew, and tells of those that were not there before.
func (t *clientTable) compareMembers(g *consumerGroup) {
	before := g.conflicts
	g.conflicts = t.findConflicts(g)
	for _, c := range g.conflicts {
		if slices.Contains(before, c) {
			continue
		}
		t.conflictsSeen++
		t.broker.env.Log.Warn("members of a group subscribe different messages, and some of these will be consumed by nobody: "+
			"let all of them subscribe the same, or put them into different groups",
			zap.String("group", c.Group), zap.String("topic", c.Topic), zap.String("client", c.ClientID), zap.String("expression", c.Expression), zap.String("others", c.Others))
	}
}

func (t *clientTable) findConflicts(g *consumerGroup) []subscriptionConflict {
	var members []*member
	var topics []string
	for _, m := range g.members {
		if m.told {
			members = append(members, m)
		}
		for _, s := range m.subscriptions {
			topics = append(topics, s.Topic)
		}
	}
	if len(members) < 2 {
		return nil
	}
	var found []subscriptionConflict
	slices.Sort(topics)
	for _, topic := range slices.Compact(topics) {
		found = append(found, t.conflictsOf(g, topic, members)...)
	}
	return found
}

// conflictsOf compares what members want of one topic.
func (t *clientTable) conflictsOf(g *consumerGroup, topic string, members []*member) (found []subscriptionConflict) {
	if g.consumeType == proto.ConsumePull {
		// Such members may choose topics and queues by themselves.
		members = slices.DeleteFunc(slices.Clone(members), func(m *member) bool { return of(m.subscriptions, topic) == nil })
	}
	meanings := make([]string, len(members))
	count := map[string]int{}
	for i, m := range members {
		if s := of(m.subscriptions, topic); s != nil {
			meanings[i] = t.broker.filters.meaning(expressionOf(s))
		}
		count[meanings[i]]++
	}
	usual := 0
	for i, meaning := range meanings {
		if count[meaning] > count[meanings[usual]] {
			usual = i
		}
	}
	others := shown(members[usual], topic)
	for i, m := range members {
		if meanings[i] != meanings[usual] {
			found = append(found, subscriptionConflict{g.name, topic, m.clientID, shown(m, topic), others})
		}
	}
	slices.SortStableFunc(found, func(a, b subscriptionConflict) int { return strings.Compare(a.ClientID, b.ClientID) })
	return found
}

// shown is what a member wants of a topic, for people.
func shown(m *member, topic string) string {
	if s := of(m.subscriptions, topic); s != nil {
		return expressionOf(s).String()
	}
	return ""
}
