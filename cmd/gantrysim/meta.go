package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/scenario"
	"github.com/spf13/cobra"
)

// processorCounts are the values of GOMAXPROCS under which a seed must give the same output.
var processorCounts = []int{1, 2, 8}

func metaCommand() *cobra.Command {
	var seed, seeds uint64
	var others []string
	cmd := &cobra.Command{
		Use: "meta SCENARIO", Short: "Prove that one seed gives one history", Args: cobra.ExactArgs(1),
		Long: "Run each seed in separate processes with GOMAXPROCS 1, 2 and 8, and compare everything they print, the trace hash\n" +
			"included. With --also, other builds of this program, such as one with the race detector, are compared too.",
		Example: "  gantrysim meta pubsub --seeds 20\n  go build -race -o /tmp/race ./cmd/gantrysim && gantrysim meta pubsub --also /tmp/race",
	}
	cmd.Flags().Uint64Var(&seed, "seed", 1, "the first seed")
	cmd.Flags().Uint64Var(&seeds, "seeds", 1, "how many seeds")
	cmd.Flags().StringSliceVar(&others, "also", nil, "other builds of this program")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := find(args[0]); err != nil {
			return err
		}
		own, err := os.Executable()
		if err != nil {
			return err
		}
		builds := append([]string{own}, others...)
		for s := seed; s < seed+seeds; s++ {
			if err := compare(builds, args[0], s); err != nil {
				fmt.Fprintln(cmd.OutOrStdout(), "FAILED:", err)
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s seed %d: %d runs, one history\n", args[0], s, len(builds)*len(processorCounts))
		}
		return nil
	}
	return cmd
}

// compare runs one seed in every way and demands equal output.
func compare(builds []string, name string, seed uint64) error {
	var first []byte
	for _, build := range builds {
		for _, count := range processorCounts {
			run := exec.Command(build, "run", name, "--seed", strconv.FormatUint(seed, 10))
			run.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(count))
			output, err := run.Output()
			if err != nil && len(output) == 0 {
				return fmt.Errorf("%s: %w", run, err)
			}
			if first == nil {
				first = output
			}
			if !bytes.Equal(first, output) {
				return &sim.Failure{Kind: sim.FailureNotDeterministic, Err: fmt.Errorf("%s seed %d gave two histories:\n%s", name, seed, difference(first, output))}
			}
		}
	}
	return nil
}

// difference shows the first line in which two outputs differ.
func difference(a, b []byte) string {
	left, right := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(left), len(right)) {
		if !bytes.Equal(left[i], right[i]) {
			return fmt.Sprintf("line %d\n  %s\n  %s", i+1, left[i], right[i])
		}
	}
	return fmt.Sprintf("one has %d lines, the other %d", len(left), len(right))
}

func shrinkCommand() *cobra.Command {
	var seed uint64
	cmd := &cobra.Command{
		Use: "shrink SCENARIO", Short: "Find a smaller schedule of faults that still makes a seed fail", Args: cobra.ExactArgs(1),
		Example: "  gantrysim shrink pubsub --seed 7",
	}
	cmd.Flags().Uint64Var(&seed, "seed", 1, "a seed that fails")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := find(args[0])
		if err != nil {
			return err
		}
		result := scenario.Execute(s, seed, scenario.Options{})
		if result.Failure == nil {
			return fmt.Errorf("%s seed %d does not fail: there is nothing to shrink", s.Name, seed)
		}
		drop := map[int]bool{}
		list := ""
		runs := 1
		for _, f := range result.Schedule {
			drop[f.Number] = true
			runs++
			smaller := scenario.Execute(s, seed, scenario.Options{Drop: drop})
			if smaller.Failure == nil || smaller.Failure.Kind != result.Failure.Kind {
				delete(drop, f.Number)
				continue
			}
			list += "," + strconv.Itoa(f.Number)
		}
		last, took := execute(s, seed, scenario.Options{Drop: drop})
		fmt.Fprintf(cmd.OutOrStdout(), "%d of %d faults are enough, found with %d runs\n", len(last.Schedule), len(result.Schedule), runs)
		if list != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "replay: %s --drop %s\n", result.Replay(), list[1:])
		}
		return show(cmd.OutOrStdout(), last, took)
	}
	return cmd
}
