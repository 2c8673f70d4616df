//go:build interop

package interop_test

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// keyQuery asks for the messages of a topic with a key.
type keyQuery struct {
	Topic string `json:"topic"`
	Key   string `json:"key"`
}

// String is the text that the index hashes.
func (q keyQuery) String() string { return q.Topic + "#" + q.Key }

// expected are the places of all letters with a key, for each key of any letter, and nothing for a key of none.
func (s *shelf) expected() map[keyQuery][]int64 {
	places := map[keyQuery][]int64{{Topic: topics[0].Topic, Key: "nobody's"}: nil}
	for l := range s.all() {
		for _, key := range l.letter.keys() {
			query := keyQuery{l.letter.Topic, key}
			places[query] = append(places[query], l.log)
		}
	}
	for _, found := range places {
		slices.Sort(found)
	}
	return places
}

// all are the letters that the log has.
func (s *shelf) all() iter.Seq[*shelved] {
	return func(yield func(l *shelved) bool) {
		for _, q := range append(slices.Collect(maps.Values(s.queues)), s.hidden) {
			for _, l := range q {
				if l.log >= s.start && !yield(l) {
					return
				}
			}
		}
	}
}

// queries are all keys, in a stable order.
func (s *shelf) queries() []keyQuery {
	var all []keyQuery
	for query := range s.expected() {
		all = append(all, query)
	}
	slices.SortFunc(all, func(a, b keyQuery) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// requireFound compares the answers to queries with what was put.
func (s *shelf) requireFound(t *testing.T, who string, found map[keyQuery][]int64) {
	t.Helper()
	expected := s.expected()
	require.Len(t, found, len(expected), who)
	for query, places := range found {
		require.Equal(t, expected[query], places, "%s: %s", who, query)
	}
}
