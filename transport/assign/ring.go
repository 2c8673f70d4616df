package assign

import (
	"slices"
	"strconv"
)

// ring is a circle of hashes with the virtual nodes of members on it (class ConsistentHashRouter).
type ring struct {
	hash   func(key string) int64
	places []int64          // ascending, once newRing is over; the keys of owners
	owners map[int64]string // who stands at a place
	nodes  map[string]int   // how many places a member has
}

// newRing puts members on a ring. There must be at least one, and one virtual node of it.
func newRing(members []string, virtualNodes int, hash func(key string) int64) *ring {
	count := len(members) * virtualNodes
	r := &ring{
		hash:   hash,
		places: make([]int64, 0, count),
		owners: make(map[int64]string, count),
		nodes:  make(map[string]int, len(members)),
	}
	for _, member := range members {
		// A member that is listed twice goes on counting from the nodes it still has, which may use a number again.
		first := r.nodes[member]
		for k := first; k < first+virtualNodes; k++ {
			r.put(hash(member+"-"+strconv.Itoa(k)), member)
		}
	}
	slices.Sort(r.places)
	return r
}

// put lets the later of two nodes with one hash win.
func (r *ring) put(place int64, member string) {
	if former, taken := r.owners[place]; taken {
		r.nodes[former]--
	} else {
		r.places = append(r.places, place)
	}
	r.owners[place] = member
	r.nodes[member]++
}

// owner is the member at the place of the key, or at the next one. After the last comes the first.
func (r *ring) owner(key string) string {
	next, _ := slices.BinarySearch(r.places, r.hash(key))
	if next == len(r.places) {
		next = 0
	}
	return r.owners[r.places[next]]
}
