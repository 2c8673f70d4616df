package filter_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gantrymq/gantry/node/filter"
)

// requireRead checks that a property is, or is not, read as a number that is equal to a constant.
func requireRead(t *testing.T, constant, value, wanted string) {
	t.Helper()
	compiled, err := filter.Compile(filter.TypeSQL92, "a = "+constant)
	require.NoError(t, err)
	require.Equal(t, wanted, resultFor(t, compiled, lookupIn(map[string]string{"a": value})), "%q = %s", value, constant)
}

func TestPropertiesAreReadAsJavaReadsIntegers(t *testing.T) {
	for value, result := range map[string]string{
		"5": "T", "+5": "T", "005": "T", "-5": "F", "2147483647": "F", "-2147483648": "F",
		"": "E", "+": "E", "-": "E", "--5": "E", " 5": "E", "5 ": "E", "5.0": "E", "5L": "E", "0x5": "E", "5_0": "E", "٥": "E",
		"2147483648": "E", "-2147483649": "E", "99999999999999999999": "E",
	} {
		requireRead(t, "5", value, result)
	}
	for value, result := range map[string]string{
		"9223372036854775807": "T", "+9223372036854775807": "T", "5": "F", "-9223372036854775808": "F",
		"9223372036854775808": "E", "-9223372036854775809": "E", "92233720368547758070": "E", "5.0": "E",
	} {
		requireRead(t, "9223372036854775807", value, result)
	}
	requireRead(t, "-9223372036854775807", "-9223372036854775807", "T")
}

func TestPropertiesAreReadAsJavaReadsDoubles(t *testing.T) {
	for value, result := range map[string]string{
		"12": "T", "12.": "T", "12.0": "T", "+1.2e1": "T", ".12E+2": "T", "120e-1": "T", "0012": "T",
		" \t12\x00\n": "T", "12d": "T", "12F": "T", "12.0D": "T", "1.2e1f": "T",
		"0xCp0": "T", "0X.cP+4": "T", "0xc.p0": "T", "0x18p-1d": "T",
		"-12": "F", "NaN": "F", "-NaN": "F", "Infinity": "F", "-Infinity": "F", "1e400": "F", "-1e400": "F", "1e-400": "F",
		"": "E", " ": "E", ".": "E", "-": "E", "+-12": "E", "e1": "E", "1e": "E", "1e+": "E", "1 2": "E", "1_2": "E",
		"12dd": "E", "12Fd": "E", "12L": "E", "d": "E", "0x": "E", "0xp0": "E", "0x.p0": "E", "0xC": "E", "0xCp": "E", "0xCpf": "E",
		"nan": "E", "inf": "E", "infinity": "E", "NaNd": "E", "\u00a012": "E", "\u200212": "E", "١٢": "E",
	} {
		requireRead(t, "12.0", value, result)
	}
}

// The reference orders doubles as Double.compareTo does.
func TestEveryDoubleHasItsPlaceInTheOrder(t *testing.T) {
	order := []string{"-Infinity", "-1e400", "-1.5", "-0.0", "0.0", "5e-324", "1.5", "1e400", "Infinity", "NaN", "-NaN"}
	equal := map[string]string{"-1e400": "-Infinity", "Infinity": "1e400", "-NaN": "NaN"}
	compiled, err := filter.Compile(filter.TypeSQL92, "a < b")
	require.NoError(t, err)
	for i, left := range order {
		for j, right := range order {
			isLess := i < j && equal[right] != left
			less := compiled.Matches(lookupIn(map[string]string{"a": left, "b": right}))
			require.Equal(t, isLess, less, "%s < %s", left, right)
		}
	}
}
