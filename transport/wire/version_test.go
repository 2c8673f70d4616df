package wire_test

import (
	"testing"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestVersionOrdinalsFollowTheRule(t *testing.T) {
	for name, want := range map[string]struct{ major, minor, patch, ordinal int32 }{
		"4.0.0": {4, 0, 0, 213}, "4.1.0": {4, 1, 0, 233}, "4.2.0": {4, 2, 0, 253}, "4.5.2": {4, 5, 2, 317},
		"4.6.0": {4, 6, 0, 333}, "4.9.3": {4, 9, 3, 399}, "4.9.4": {4, 9, 4, 401}, "4.9.8": {4, 9, 8, 409},
		"5.0.0": {5, 0, 0, 413}, "5.1.4": {5, 1, 4, 441}, "5.2.0": {5, 2, 0, 453}, "5.3.2": {5, 3, 2, 477},
		"5.3.3": {5, 3, 3, 479}, "5.4.0": {5, 4, 0, 493}, "5.9.9": {5, 9, 9, 611},
	} {
		require.Equal(t, want.ordinal, wire.VersionOrdinal(want.major, want.minor, want.patch), name)
		require.Equal(t, name, wire.VersionName(want.ordinal))
		require.Equal(t, name+"-SNAPSHOT", wire.VersionName(want.ordinal-1))
	}
}

func TestVersionConstantsAreThoseOfTheGates(t *testing.T) {
	require.Equal(t,
		[]int{28, 37, 62, 121, 232, 399, 401, 413, 441, 475, 477, 611, 612},
		[]int{wire.V3_0_7_SNAPSHOT, wire.V3_0_11, wire.V3_1_8_SNAPSHOT, wire.V3_4_9, wire.V4_1_0_SNAPSHOT, wire.V4_9_3,
			wire.V4_9_4, wire.V5_0_0, wire.V5_1_4, wire.V5_3_1, wire.V5_3_2, wire.V5_9_9, wire.HIGHER_VERSION})
	require.GreaterOrEqual(t, wire.OwnVersion, wire.V4_9_4)
}

func TestVersionsAreDescribedAsTheProtocolNamesThem(t *testing.T) {
	for ordinal, want := range map[int32]string{
		wire.OwnVersion: "V5_3_2", 232: "V4_1_0_SNAPSHOT", 401: "V4_9_4", 611: "V5_9_9", 612: "HIGHER_VERSION", 9999: "HIGHER_VERSION", 121: "ordinal 121",
	} {
		require.Equal(t, want, wire.VersionDescription(ordinal))
	}
}

func TestVersionsOutsideTheRuleHaveNoName(t *testing.T) {
	for ordinal, want := range map[int32]string{121: "ordinal 121", 211: "ordinal 211", 612: "ordinal 612", -1: "ordinal -1", 0: "ordinal 0"} {
		require.Equal(t, want, wire.VersionName(ordinal))
	}
}
