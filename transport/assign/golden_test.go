package assign_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/transport/assign"
)

// golden is testdata/shares_5.3.2.txt, whose head says how to read it.
type golden struct {
	members map[string][]string
	queues  map[string][]assign.Queue
	refused [][]string
	shares  [][]string
}

func readGolden(t testing.TB) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/shares_5.3.2.txt")
	require.NoError(t, err)
	g := golden{members: map[string][]string{}, queues: map[string][]assign.Queue{}}
	for line := range strings.Lines(string(text)) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case strings.HasPrefix(line, "#"):
		case columns[0] == "members":
			g.members[columns[1]] = columns[2:]
		case columns[0] == "queues":
			for _, text := range columns[2:] {
				g.queues[columns[1]] = append(g.queues[columns[1]], queueOf(t, text))
			}
		case columns[0] == "refused":
			g.refused = append(g.refused, columns[1:])
		default:
			g.shares = append(g.shares, columns)
		}
	}
	return g
}

func queueOf(t testing.TB, text string) assign.Queue {
	t.Helper()
	parts := strings.Split(text, "|")
	require.Len(t, parts, 3)
	return assign.Queue{Topic: parts[0], BrokerName: parts[1], QueueID: int32(number(t, parts[2]))}
}

func number(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// byPrefix resolves rooms as the program that made the file did.
type byPrefix struct{}

func (byPrefix) QueueRoom(q assign.Queue) string { return byPrefix{}.MemberRoom(q.BrokerName) }

func (byPrefix) MemberRoom(name string) string {
	room, _, found := strings.Cut(name, "@")
	if !found {
		return "nowhere"
	}
	return room
}

// javaHash is String.hashCode.
func javaHash(text string) int32 {
	var hash int32
	for _, unit := range utf16.Encode([]rune(text)) {
		hash = 31*hash + int32(unit)
	}
	return hash
}

// assigner is Strategy.Assign, or ForPop with the rest of its arguments.
type assigner func(group, member string, queues []assign.Queue, members []string) ([]assign.Queue, error)

func strategies() map[string]assign.Strategy {
	rooms := assign.MachineRooms{Rooms: []string{"r1", "室", "𝄞"}}
	nearby := func(inner assign.Strategy) assign.Strategy { return assign.Nearby{Inner: inner, Rooms: byPrefix{}} }
	return map[string]assign.Strategy{
		"AVG":                 assign.Average{},
		"AVG_BY_CIRCLE":       assign.AverageByCircle{},
		"CONSISTENT_HASH":     assign.ConsistentHash{},
		"CONSISTENT_HASH 1":   assign.ConsistentHash{VirtualNodes: 1},
		"CONSISTENT_HASH 3":   assign.ConsistentHash{VirtualNodes: 3},
		"CONSISTENT_HASH 100": assign.ConsistentHash{VirtualNodes: 100},
		"CONSISTENT_HASH 3 hashCode<<16": assign.ConsistentHash{VirtualNodes: 3, Hash: func(key string) int64 {
			return int64(javaHash(key)) << 16
		}},
		"CONSISTENT_HASH 4 hashCode%11": assign.ConsistentHash{VirtualNodes: 4, Hash: func(key string) int64 {
			return int64(javaHash(key) % 11)
		}},
		"CONSISTENT_HASH 4 (hashCode>>1)%11": assign.ConsistentHash{VirtualNodes: 4, Hash: func(key string) int64 {
			return int64((javaHash(key) >> 1) % 11)
		}},
		"CONFIG": assign.Fixed{Queues: []assign.Queue{
			{Topic: "orders", BrokerName: "broker-b", QueueID: 0}, {Topic: "orders", BrokerName: "broker-a", QueueID: 10},
		}},
		"MACHINE_ROOM":                                rooms,
		"MACHINE_ROOM r1 室 𝄞":                         rooms,
		"MACHINE_ROOM r1 (empty)":                     assign.MachineRooms{Rooms: []string{"", "r1"}},
		"MACHINE_ROOM_NEARBY-AVG":                     nearby(assign.Average{}),
		"MACHINE_ROOM_NEARBY-AVG_BY_CIRCLE":           nearby(assign.AverageByCircle{}),
		"MACHINE_ROOM_NEARBY-CONSISTENT_HASH":         nearby(assign.ConsistentHash{}),
		"MACHINE_ROOM_NEARBY-MACHINE_ROOM r1 室 𝄞":     nearby(rooms),
		"MACHINE_ROOM_NEARBY-MACHINE_ROOM_NEARBY-AVG": nearby(nearby(assign.Average{})),
	}
}

// assignerOf finds what a row of the file is about.
func assignerOf(t testing.TB, label string) assigner {
	t.Helper()
	if rest, pops := strings.CutPrefix(label, "POP "); pops {
		shared, name, _ := strings.Cut(rest, " ")
		strategy, known := assign.BrokerStrategy(name)
		require.True(t, known, label)
		return func(group, member string, queues []assign.Queue, members []string) ([]assign.Queue, error) {
			return assign.ForPop(strategy, group, member, queues, members, number(t, shared))
		}
	}
	strategy := strategies()[label]
	require.NotNil(t, strategy, label)
	return strategy.Assign
}

// places tells where queues stand in their row, as the file does.
func places(row, share []assign.Queue, pops bool) string {
	found := make([]int, 0, len(share))
	for _, queue := range share {
		found = append(found, slices.IndexFunc(row, func(q assign.Queue) bool {
			return q == queue || queue.QueueID == assign.WholeBroker && q.Topic == queue.Topic && q.BrokerName == queue.BrokerName
		}))
	}
	if pops {
		slices.Sort(found)
	}
	texts := make([]string, 0, len(found))
	for _, place := range found {
		texts = append(texts, strconv.Itoa(place))
	}
	return strings.Join(texts, ",")
}

func TestSharesAreThoseOfApachesClasses(t *testing.T) {
	g := readGolden(t)
	require.Greater(t, len(g.shares), 1000)
	for _, row := range g.shares {
		assigned := assignerOf(t, row[0])
		allQueues, allMembers := g.queues[row[1]], g.members[row[3]]
		queues, members := slices.Clone(allQueues[:number(t, row[2])]), slices.Clone(allMembers[:number(t, row[4])])
		assign.SortQueues(queues)
		assign.SortMembers(members)

		var shares []string
		for _, member := range slices.Compact(slices.Clone(members)) {
			share, err := assigned("group", member, queues, members)
			result := places(allQueues, share, strings.HasPrefix(row[0], "POP "))
			if err != nil {
				result = "error"
			}
			shares = append(shares, strconv.Itoa(slices.Index(allMembers, member))+":"+result)
		}
		require.Equal(t, row[5], strings.Join(shares, " "), "%s, %s queues %s, %s members %s", row[0], row[2], row[1], row[4], row[3])
	}
}

func TestEachStrategyRefusesWhatApachesClassRefuses(t *testing.T) {
	g := readGolden(t)
	queues := g.queues["plain"][:1]
	require.Len(t, g.refused, 6)
	for _, row := range g.refused {
		strategy := strategies()[row[0]]
		require.NotNil(t, strategy, row[0])
		cases := []struct {
			member  string
			queues  []assign.Queue
			members []string
			reason  error
		}{
			{"", queues, []string{"a", ""}, assign.ErrNoMember},
			{"a", nil, []string{"a"}, assign.ErrNoQueues},
			{"a", queues, nil, assign.ErrNoMembers},
			{"a", queues, []string{"b"}, assign.ErrNotMember},
		}
		for i, c := range cases {
			share, err := strategy.Assign("group", c.member, c.queues, c.members)
			// Java gives nothing, without an error, to a member that is not in the list.
			if row[i+1] == "error" || row[i+1] == "0" {
				require.ErrorIs(t, err, c.reason, row[0])
				require.Empty(t, share)
				continue
			}
			require.NoError(t, err, row[0])
			require.Len(t, share, number(t, row[i+1]))
		}
	}
}

func TestStrategiesHaveTheNamesOfApachesClasses(t *testing.T) {
	for label, strategy := range strategies() {
		name, _, _ := strings.Cut(label, " ")
		require.Equal(t, name, strategy.Name())
	}
}
