package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/gantrymq/gantry/cmd/gantry/commandline"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// explainFlag says which option has what wrong value, and what it wants. The library would say how it parses.
func explainFlag(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return wrongUsage("%w (see %s -h)", err, cmd.CommandPath())
	}
	flag := invalid.GetFlag()
	problem := fmt.Sprintf("%s: %q is not %s", optionName(flag), invalid.GetValue(), wantedBy(flag.Value.Type(), errors.Is(err, strconv.ErrRange)))
	var parsing *strconv.NumError
	if !errors.As(err, &parsing) && flag.Value.Type() != "duration" {
		// A kind of option that explains itself.
		problem = fmt.Sprintf("%s: %q: %v", optionName(flag), invalid.GetValue(), invalid.Unwrap())
	}
	return &commandline.UsageError{Path: cmd.CommandPath(), Problem: problem}
}

// optionName is how an option is named where something is wrong with it.
func optionName(flag *pflag.Flag) string {
	if flag.Shorthand == "" {
		return "option --" + flag.Name
	}
	return "option -" + flag.Shorthand + " (--" + flag.Name + ")"
}

// wantedBy says what a flag of a type takes, with the bounds if a number is beyond them.
func wantedBy(kind string, beyond bool) string {
	between := func(least int64, most uint64) string {
		if !beyond {
			return ""
		}
		return fmt.Sprintf(" between %d and %d", least, most)
	}
	switch kind {
	case "bool":
		return "true or false"
	case "int32":
		return "a whole number" + between(math.MinInt32, math.MaxInt32)
	case "int", "int64":
		return "a whole number" + between(math.MinInt64, math.MaxInt64)
	case "uint", "uint64":
		return "a whole number" + cmp.Or(between(0, math.MaxUint64), " from 0 on")
	case "float64":
		return "a number"
	case "duration":
		return "a time such as 500ms, 30s or 2m"
	}
	return "of the kind " + kind
}
