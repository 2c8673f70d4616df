package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// pickyValue explains by itself what it wants.
type pickyValue struct{}

func (pickyValue) String() string   { return "" }
func (pickyValue) Set(string) error { return errors.New("write something else") }
func (pickyValue) Type() string     { return "picky" }

func TestValuesThatOptionsCannotHaveAreExplained(t *testing.T) {
	for words, want := range map[string]string{
		"--count many":                   `option -c (--count): "many" is not a whole number (see tool -h)`,
		"-c 1.5":                         `option -c (--count): "1.5" is not a whole number (see tool -h)`,
		"-c 3000000000":                  `option -c (--count): "3000000000" is not a whole number between -2147483648 and 2147483647 (see tool -h)`,
		"--size x":                       `option --size: "x" is not a whole number (see tool -h)`,
		"--size 99999999999999999999":    `option --size: "99999999999999999999" is not a whole number between -9223372036854775808 and 9223372036854775807 (see tool -h)`,
		"--offset 99999999999999999999":  `option --offset: "99999999999999999999" is not a whole number between -9223372036854775808 and 9223372036854775807 (see tool -h)`,
		"--seed -1":                      `option --seed: "-1" is not a whole number from 0 on (see tool -h)`,
		"--seed=99999999999999999999999": `option --seed: "99999999999999999999999" is not a whole number between 0 and 18446744073709551615 (see tool -h)`,
		"--order=maybe":                  `option --order: "maybe" is not true or false (see tool -h)`,
		"--for soon":                     `option --for: "soon" is not a time such as 500ms, 30s or 2m (see tool -h)`,
		"--rate fast":                    `option --rate: "fast" is not a number (see tool -h)`,
		"--picky x":                      `option --picky: "x": write something else (see tool -h)`,
	} {
		cmd := &cobra.Command{Use: "tool", Run: func(*cobra.Command, []string) {}}
		cmd.Flags().Int32P("count", "c", 0, "")
		cmd.Flags().Int("size", 0, "")
		cmd.Flags().Int64("offset", 0, "")
		cmd.Flags().Uint64("seed", 0, "")
		cmd.Flags().Bool("order", false, "")
		cmd.Flags().Duration("for", time.Second, "")
		cmd.Flags().Float64("rate", 0, "")
		cmd.Flags().Var(pickyValue{}, "picky", "")
		err := explainFlag(cmd, cmd.ParseFlags(strings.Fields(words)))
		require.EqualError(t, err, want)
		require.Equal(t, exitUsage, exitCode(err))
	}
}

func TestToolsSayNothingOfHowTheyParse(t *testing.T) {
	t.Setenv("NAMESRV_ADDR", "a:1")
	for line, want := range map[string]string{
		"gantry admin updateTopic -t x -b a -r many":   "option -r (--readQueueNums): \"many\" is not a whole number (see gantry admin updateTopic -h)",
		"mqadmin updateSubGroup -g x -b a -s perhaps":  "option -s (--consumeEnable): \"perhaps\" is not true or false (see mqadmin updateSubGroup -h)",
		"mqadmin updateSubGroup -g x -b a -i 9e":       "option -i (--brokerId): \"9e\" is not a whole number",
		"gantry inspect queue --dir x --limit several": "option --limit: \"several\" is not a whole number (see gantry inspect queue -h)",
	} {
		code, out, err := called(t, strings.Fields(line)...)
		require.Equal(t, exitUsage, code, line)
		require.Empty(t, out, line)
		require.Contains(t, err, want, line)
		require.NotContains(t, err, "strconv", line)
	}
}
