package filter

import "slices"

// textSet is a set of texts that remembers the order they were written in.
type textSet struct {
	list []string
	// index is there for long lists only: comparing with a few is faster than hashing.
	index map[string]struct{}
}

// indexedFrom is the length from which a list is worth an index; BenchmarkIn decided.
const indexedFrom = 9

func newTextSet(list []string) textSet {
	set := textSet{list: list}
	if len(list) < indexedFrom {
		return set
	}
	set.index = make(map[string]struct{}, len(list))
	for _, text := range list {
		set.index[text] = struct{}{}
	}
	return set
}

func (s *textSet) contains(text string) bool {
	if s.index == nil {
		return slices.Contains(s.list, text)
	}
	_, ok := s.index[text]
	return ok
}
