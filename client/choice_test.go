package client

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func someTopic(brokerNames ...string) *topic {
	t := &topic{}
	for _, name := range brokerNames {
		for id := range int32(2) {
			t.publish = append(t.publish, target{Queue: Queue{BrokerName: name, QueueID: id}})
		}
	}
	return t
}

func TestTheChoicePrefersBrokersThatServeAndThenTheRoom(t *testing.T) {
	topic := someTopic("north@a", "north@b", "south@c", "d")
	c := &choice{rooms: []string{"north"}, faults: newFaults(DefaultFaultSteps())}
	picked := func(avoid string) map[string]bool {
		names := map[string]bool{}
		for range 20 {
			names[c.pick(topic, avoid, at(0)).BrokerName] = true
		}
		return names
	}
	require.Equal(t, map[string]bool{"north@a": true, "north@b": true}, picked(""))
	require.Equal(t, map[string]bool{"north@b": true}, picked("north@a"))
	c.faults.note("north@b", outcome{isolated, reachable}, at(0))
	require.Equal(t, map[string]bool{"north@a": true}, picked(""))
	require.Equal(t, map[string]bool{"south@c": true, "d": true}, picked("north@a"), "nobody left in the room serves")
	for _, name := range []string{"north@a", "south@c", "d"} {
		c.faults.note(name, outcome{isolated, unreachable}, at(0))
	}
	require.Equal(t, map[string]bool{"north@b": true}, picked(""), "the one that can be reached")
	require.Equal(t, map[string]bool{"north@a": true}, picked("north@b"), "none can be reached: the room decides")
	c.faults = newFaults(DefaultFaultSteps())
	require.Len(t, picked(""), 2)
}

// Whatever is known of brokers, the chosen one fulfils the first wish that any fulfils, and queues that are alike are
// used alike.
func TestPropThePickSuitsAtLeastAsWellAsAllOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"x@a", "x@b", "y@c", "d"}[:rapid.IntRange(1, 4).Draw(t, "brokers")]
		topic := someTopic(names...)
		topic.cursor = rapid.IntRange(0, 100).Draw(t, "cursor")
		c := &choice{rooms: rapid.SampledFrom([][]string{nil, {"x"}, {"y", "z"}}).Draw(t, "rooms")}
		if rapid.Bool().Draw(t, "tolerant") {
			c.faults = newFaults(DefaultFaultSteps())
			for _, name := range names {
				latency := time.Duration(rapid.SampledFrom([]int{1, 600, 10_000}).Draw(t, "latency")) * time.Millisecond
				c.faults.note(name, outcome{latency, rapid.SampledFrom([]reach{reachable, unreachable}).Draw(t, "reach")}, at(0))
			}
		}
		avoid := rapid.SampledFrom(append(names, "")).Draw(t, "avoid")
		now := at(time.Duration(rapid.IntRange(0, 11).Draw(t, "now")) * time.Second)
		rank := func(name string) int {
			for i, w := range wishes {
				if name != avoid && c.suits(name, w, now) {
					return i
				}
			}
			return len(wishes)
		}
		best, alike := len(wishes), map[string]bool{}
		for _, name := range names {
			best = min(best, rank(name))
		}
		for _, to := range topic.publish {
			if rank(to.BrokerName) == best {
				alike[fmt.Sprint(to.Queue)] = true
			}
		}
		used := map[string]bool{}
		for range alike {
			picked := c.pick(topic, avoid, now)
			require.Equal(t, best, rank(picked.BrokerName))
			used[fmt.Sprint(picked.Queue)] = true
		}
		require.Equal(t, alike, used)
	})
}
