package access

import "slices"

// Need is what a request needs: one of the actions on a resource.
type Need struct {
	Resource Resource // literal
	Actions  Actions
}

// String is one word and the actions, such as "Topic:orders (Pub)".
func (n Need) String() string { return n.Resource.String() + " (" + n.Actions.String() + ")" }

// needs gathers what one request needs, each resource once.
type needs struct {
	cluster string // of this server
	list    []Need
}

func (n *needs) add(resource Resource, actions Actions) {
	need := Need{resource, actions}
	if !slices.Contains(n.list, need) {
		n.list = append(n.list, need)
	}
}
