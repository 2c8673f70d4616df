package scenario_test

import (
	"testing"

	"github.com/gantrymq/gantry/sim/scenario"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPubsubKeepsItsPromisesWithAFewSeeds(t *testing.T) {
	s, ok := scenario.Find("pubsub")
	require.True(t, ok)
	for seed := range uint64(5) {
		result := scenario.Execute(s, seed, scenario.Options{})
		if result.Failure != nil {
			t.Fatalf("%s\nreplay: %s\n%s", result, result.Replay(), result.Failure.Stack)
		}
	}
}
