package access

import (
	"fmt"
	"strings"
)

// Actions are things that can be done with a resource, as a set (class Action).
type Actions uint16

// The actions. ActionAll in a rule stands for every action.
const (
	ActionAll Actions = 1 << iota
	ActionPub
	ActionSub
	ActionCreate
	ActionUpdate
	ActionDelete
	ActionGet
	ActionList
)

// actionNames are the protocol's words, in the order of the bits.
var actionNames = []string{"All", "Pub", "Sub", "Create", "Update", "Delete", "Get", "List"}

// Names are the protocol's words for the actions.
func (a Actions) Names() []string {
	var names []string
	for i, name := range actionNames {
		if a&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String joins the names.
func (a Actions) String() string { return strings.Join(a.Names(), ",") }

// ParseActions reads names in any case. Unlike Java's broker, which drops names that it does not know, it refuses them: a rule that
// forgets a word allows or denies something else than its writer means.
func ParseActions(names []string) (Actions, error) {
	var set Actions
	for _, name := range names {
		action, err := parseAction(strings.TrimSpace(name))
		if err != nil {
			return 0, err
		}
		set |= action
	}
	if set == 0 {
		return 0, fmt.Errorf("actions: none are named: want some of %s", strings.Join(actionNames, ", "))
	}
	return set, nil
}

func parseAction(name string) (Actions, error) {
	for i, known := range actionNames {
		if strings.EqualFold(name, known) {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("actions: %q is none of %s", name, strings.Join(actionNames, ", "))
}
