package scenario_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/sim/scenario"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// must runs a seed and fails the test with everything that is needed to see it again.
func must(t *testing.T, name string, seed uint64) scenario.Result {
	t.Helper()
	s, ok := scenario.Find(name)
	require.True(t, ok, "scenario %s", name)
	result := scenario.Execute(s, seed, scenario.Options{})
	if result.Failure != nil {
		t.Fatalf("%s\nreplay: %s\n%s", result, result.Replay(), result.Failure.Stack)
	}
	return result
}

func TestEveryScenarioKeepsItsPromisesWithAFewSeeds(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 3
	}
	for _, s := range scenario.All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			reached, seeds := map[string]int{}, seeds
			if s.Costly {
				seeds = min(seeds, 12)
			}
			for seed := range seeds {
				for mark, n := range must(t, s.Name, 1000+seed).Marks {
					reached[mark] += n
				}
			}
			for _, mark := range s.Marks {
				if !testing.Short() && reached[mark] == 0 {
					t.Errorf("%s: no seed reached %q", s.Name, mark)
				}
			}
		})
	}
}

func TestEverySeedThatEverFailedPassesNow(t *testing.T) {
	content, err := os.ReadFile("testdata/seeds.txt")
	require.NoError(t, err)
	for _, line := range strings.Split(string(content), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var name string
		var seed uint64
		_, err := fmt.Sscan(line, &name, &seed)
		require.NoError(t, err, "line %q: want scenario, seed and what was wrong", line)
		t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
			t.Parallel()
			must(t, name, seed)
		})
	}
}

func TestOneSeedGivesOneHistory(t *testing.T) {
	for _, s := range scenario.All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			first, second := must(t, s.Name, 7), must(t, s.Name, 7)
			require.Equal(t, first.TraceHash, second.TraceHash)
			require.Equal(t, first.History, second.History)
			require.Equal(t, first.Faults, second.Faults)
			require.NotEqual(t, first.TraceHash, must(t, s.Name, 8).TraceHash, "another seed gives another history")
		})
	}
}

func TestAScheduleWithoutAFaultLeavesTheOthersAsTheyAre(t *testing.T) {
	s, _ := scenario.Find("pubsub")
	whole := scenario.Execute(s, 11, scenario.Options{})
	require.Greater(t, len(whole.Schedule), 2)
	dropped := whole.Schedule[1].Number
	less := scenario.Execute(s, 11, scenario.Options{Drop: map[int]bool{dropped: true}})
	require.Equal(t, whole.Schedule[0], less.Schedule[0])
	require.Equal(t, whole.Schedule[2:], less.Schedule[1:])
}

func TestATraceHasALineForEachStepAndDoesNotChangeTheRun(t *testing.T) {
	s, _ := scenario.Find("pubsub")
	var trace, again bytes.Buffer
	first := scenario.Execute(s, 3, scenario.Options{Trace: &trace})
	second := scenario.Execute(s, 3, scenario.Options{Trace: &again})
	require.Nil(t, first.Failure)
	require.Equal(t, first.TraceHash, second.TraceHash)
	require.True(t, bytes.Equal(trace.Bytes(), again.Bytes()), "the traces are equal byte for byte")
	require.Greater(t, bytes.Count(trace.Bytes(), []byte("\n")), 1000)
}

func TestSecretsAreInNoTraceAndNoLog(t *testing.T) {
	s, _ := scenario.Find("acl")
	for seed := range uint64(3) {
		var trace, log bytes.Buffer
		result := scenario.Execute(s, seed, scenario.Options{Trace: &trace, Log: &log, LogLevel: zapcore.DebugLevel})
		require.Nil(t, result.Failure)
		require.Contains(t, trace.String(), "request denied")
		require.Contains(t, log.String(), "request denied")
		require.NotContains(t, trace.String()+log.String(), "hush-hush-")
	}
}
