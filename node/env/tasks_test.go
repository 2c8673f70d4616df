package env_test

import (
	"errors"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/require"
)

func TestIsCrashKnowsOnlyTheSimulatorsPanics(t *testing.T) {
	require.True(t, env.IsCrash(env.Crash{Machine: "m1"}))
	for _, other := range []any{nil, "m1", errors.New("m1"), &env.Crash{Machine: "m1"}} {
		require.False(t, env.IsCrash(other))
	}
}

func TestACrashNamesItsMachine(t *testing.T) {
	require.Equal(t, "machine m1 crashed", env.Crash{Machine: "m1"}.String())
}

// No Tasks is needed to be refused.
func TestAQueueNeedsALimit(t *testing.T) {
	require.PanicsWithValue(t, "env: a Queue needs a limit of at least 1", func() { env.NewQueue[int](nil, 0) })
	require.Panics(t, func() { env.NewQueue[int](nil, -1) })
}
