package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file tells a second time, in a way of its own, what the rights of an account mean.

// aclRule is what one entry of an ACL says of its resource: actions, and how they are meant. 0: there is no entry.
type aclRule uint8

const (
	rulePub aclRule = 1 << iota
	ruleSub
	ruleCreate
	ruleUpdate
	ruleGet
	ruleDeny
	ruleElsewhere // it counts only for addresses that nobody has
	ruleAll       = rulePub | ruleSub | ruleCreate | ruleUpdate | ruleGet
)

// ruledResources are what rules are about. Of those that cover one name, each stands before those that say less.
var ruledResources = [...]string{
	"Topic:topic0", "Topic:topic1", "Topic:topic*", "Topic:made*", "Topic:*", "Group:crew0", "Group:crew*", "Group:*", "*",
}

// policies of an ACL: the second counts only where no entry of the first is about a request.
var ruledPolicies = [...]string{proto.PolicyCustom, proto.PolicyDefault}

// standing is an account at one moment.
type standing struct {
	exists, disabled bool
	password         int
	rules            [len(ruledPolicies)][len(ruledResources)]aclRule
}

// wish is what a request needs: one of some actions on a resource.
type wish struct {
	resource string // "Topic:name" or "Group:name"
	actions  aclRule
}

// String is one word and the actions.
func (w wish) String() string { return w.resource + " " + strings.Join(w.actions.names(), ",") }

// names are the protocol's words for the actions.
func (r aclRule) names() []string {
	if r&ruleAll == ruleAll {
		return []string{"All"}
	}
	var names []string
	for i, name := range []string{"Pub", "Sub", "Create", "Update", "Get"} {
		if r&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// lets reports whether a request with a password is allowed that needs all of some things.
func (s standing) lets(password int, wishes []wish) bool {
	if !s.exists || s.disabled || s.password != password {
		return false
	}
	return !slices.ContainsFunc(wishes, func(w wish) bool { return !s.grants(w) })
}

func (s standing) grants(w wish) bool {
	for _, rules := range s.rules {
		for i, rule := range rules {
			if rule&w.actions != 0 && rule&ruleElsewhere == 0 && covers(ruledResources[i], w.resource) {
				return rule&ruleDeny == 0
			}
		}
	}
	return false
}

func covers(resource, name string) bool {
	if beginning, ok := strings.CutSuffix(resource, "*"); ok {
		return strings.HasPrefix(name, beginning)
	}
	return resource == name
}

// hasACL reports whether there is any entry.
func (s standing) hasACL() bool { return s.rules != standing{}.rules }

// entry is a rule as requests have it.
func (r aclRule) entry(resource string) proto.PolicyEntryInfo {
	e := proto.PolicyEntryInfo{Resource: resource, Actions: r.names(), Decision: proto.DecisionAllow}
	if r&ruleDeny != 0 {
		e.Decision = proto.DecisionDeny
	}
	if r&ruleElsewhere != 0 {
		e.Sources = []string{"10.99.0.0/16"}
	}
	return e
}

// info are all rules as requests have them.
func (s standing) info(account string) client.ACLInfo {
	info := client.ACLInfo{Subject: proto.SubjectUser + account}
	for p, rules := range s.rules {
		policy := proto.PolicyInfo{Type: ruledPolicies[p]}
		for i, rule := range rules {
			if rule != 0 {
				policy.Entries = append(policy.Entries, rule.entry(ruledResources[i]))
			}
		}
		if len(policy.Entries) > 0 {
			info.Policies = append(info.Policies, policy)
		}
	}
	return info
}

// drawRule makes one that is about a resource. Nobody gets a right on clusters, which everything ("*") would be.
func drawRule(random *sim.Stream, resource string) aclRule {
	rule := aclRule(1 + random.IntN(int(ruleAll)))
	if random.Chance(0.5) {
		rule = ruleAll
	}
	if random.Chance(0.2) {
		rule |= ruleDeny
	}
	if random.Chance(0.1) {
		rule |= ruleElsewhere
	}
	if resource == "*" {
		rule = rule&^(ruleUpdate|ruleCreate) | ruleGet
	}
	return rule
}

// drawStanding makes an account that may do something.
func drawStanding(random *sim.Stream) standing {
	s := standing{exists: true, disabled: random.Chance(0.1)}
	for p := range ruledPolicies {
		for i, resource := range ruledResources {
			if random.Chance(0.3) {
				s.rules[p][i] = drawRule(random, resource)
			}
		}
	}
	return s
}

// readStanding turns around what a broker says of an account.
func readStanding(user client.UserInfo, found bool, acl client.ACLInfo) (s standing, err error) {
	if !found {
		return s, nil
	}
	s.exists, s.disabled = true, strings.EqualFold(user.Status, proto.UserDisabled)
	for s.password = 0; aclPassword(user.Username, s.password) != user.Password; s.password++ {
		if s.password == aclPasswords {
			return s, fmt.Errorf("%s has a password that nobody has set", user.Username)
		}
	}
	for _, policy := range acl.Policies {
		p := slices.Index(ruledPolicies[:], policy.Type)
		for _, entry := range policy.Entries {
			i := slices.Index(ruledResources[:], entry.Resource)
			if p < 0 || i < 0 {
				return s, fmt.Errorf("%s has an entry that nobody has made: %s of %s", user.Username, entry.Resource, policy.Type)
			}
			s.rules[p][i] = readRule(entry)
		}
	}
	return s, nil
}

func readRule(entry proto.PolicyEntryInfo) (rule aclRule) {
	for _, name := range entry.Actions {
		for bit := rulePub; bit <= ruleGet; bit <<= 1 {
			if name == "All" || slices.Contains(bit.names(), name) {
				rule |= bit
			}
		}
	}
	if entry.Decision == proto.DecisionDeny {
		rule |= ruleDeny
	}
	if len(entry.Sources) > 0 {
		rule |= ruleElsewhere
	}
	return rule
}
