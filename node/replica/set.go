package replica

import (
	"fmt"
	"slices"
	"strings"
)

// BrokerID is the number of a broker within its group, as the controller has given it: 1 or more.
type BrokerID int64

// Set is a set of brokers of one group, sorted.
type Set []BrokerID

// NewSet sorts, and leaves out what comes twice.
func NewSet(ids ...BrokerID) Set {
	s := Set(slices.Clone(ids))
	slices.Sort(s)
	return slices.Compact(s)
}

// Has reports whether a broker is in the set.
func (s Set) Has(id BrokerID) bool {
	_, found := slices.BinarySearch(s, id)
	return found
}

// With is the set with one more broker, Without with one less, and Union all brokers of both.
func (s Set) With(id BrokerID) Set { return NewSet(append(slices.Clone(s), id)...) }

// Without is the set with one less.
func (s Set) Without(id BrokerID) Set {
	return slices.DeleteFunc(slices.Clone(s), func(other BrokerID) bool { return other == id })
}

// Union is all brokers of both.
func (s Set) Union(other Set) Set { return NewSet(append(slices.Clone(s), other...)...) }

// Equal reports whether both have the same brokers.
func (s Set) Equal(other Set) bool { return slices.Equal(s, other) }

// String lists the brokers.
func (s Set) String() string {
	parts := make([]string, len(s))
	for i, id := range s {
		parts[i] = fmt.Sprint(int64(id))
	}
	return "{" + strings.Join(parts, " ") + "}"
}
