package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDelayLevelsAreReadInTheirOrder(t *testing.T) {
	levels, err := DelayLevels(" 1s  5m 2h 1d ")
	require.NoError(t, err)
	require.Equal(t, []time.Duration{time.Second, 5 * time.Minute, 2 * time.Hour, 24 * time.Hour}, levels)
	for _, wrong := range []string{"", " ", "s", "1", "0s", "-1s", "1.5s", "1x", "366d", "9999999999s", "1s 2"} {
		_, err := DelayLevels(wrong)
		require.Error(t, err, wrong)
	}
}
