package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/scenario"
	"github.com/spf13/cobra"
)

func listCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the scenarios", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			for _, s := range scenario.All() {
				fmt.Fprintf(cmd.OutOrStdout(), "%-10s %s\n", s.Name, s.About)
			}
		},
	}
}

// find names the scenarios there are if the one asked for is none.
func find(name string) (scenario.Scenario, error) {
	s, ok := scenario.Find(name)
	if ok {
		return s, nil
	}
	var names []string
	for _, s := range scenario.All() {
		names = append(names, s.Name)
	}
	return s, fmt.Errorf("there is no scenario %q: want one of %s", name, strings.Join(names, ", "))
}

func runCommand() *cobra.Command {
	var seed uint64
	var drop []int
	cmd := &cobra.Command{
		Use: "run SCENARIO", Short: "Run one seed of a scenario", Args: cobra.ExactArgs(1),
		Long:    "Run one seed of a scenario. Prints the options drawn from the seed, the verdict, the trace hash and the speed.\nThe same seed gives the same run, byte for byte.",
		Example: "  gantrysim run pubsub --seed 7\n  gantrysim run pubsub --seed 7 --drop 2,5   # without the faults #2 and #5",
	}
	cmd.Flags().Uint64Var(&seed, "seed", 1, "what everything is drawn from")
	cmd.Flags().IntSliceVar(&drop, "drop", nil, "numbers of faults to leave out")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := find(args[0])
		if err != nil {
			return err
		}
		result, took := execute(s, seed, scenario.Options{Drop: set(drop), Progress: progressLine()})
		return show(cmd.OutOrStdout(), result, took)
	}
	return cmd
}

func replayCommand() *cobra.Command {
	var seed uint64
	var drop []int
	var trace string
	cmd := &cobra.Command{
		Use: "replay SCENARIO", Short: "Run one seed and write every step and log line to a file", Args: cobra.ExactArgs(1),
		Example: "  gantrysim replay pubsub --seed 7 --trace trace.txt",
	}
	cmd.Flags().Uint64Var(&seed, "seed", 1, "what everything is drawn from")
	cmd.Flags().IntSliceVar(&drop, "drop", nil, "numbers of faults to leave out")
	cmd.Flags().StringVar(&trace, "trace", "trace.txt", "the file to write")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := find(args[0])
		if err != nil {
			return err
		}
		file, err := os.Create(trace)
		if err != nil {
			return err
		}
		lines := bufio.NewWriterSize(file, 1<<20)
		result, took := execute(s, seed, scenario.Options{Drop: set(drop), Trace: lines})
		if err := errors.Join(lines.Flush(), file.Close()); err != nil {
			return fmt.Errorf("the trace is not whole: %w", err)
		}
		fmt.Fprintln(cmd.OutOrStdout(), "trace in", trace)
		return show(cmd.OutOrStdout(), result, took)
	}
	return cmd
}

// progressLine rewrites one line on a terminal; elsewhere there is none.
func progressLine() func(simulated time.Duration, phase string) {
	if !onTerminal() {
		return nil
	}
	return func(simulated time.Duration, phase string) {
		fmt.Fprintf(os.Stderr, "\r\033[K%s: %s simulated\r", phase, simulated.Round(time.Second))
	}
}

func onTerminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func set(numbers []int) map[int]bool {
	m := map[int]bool{}
	for _, n := range numbers {
		m[n] = true
	}
	return m
}

func execute(s scenario.Scenario, seed uint64, o scenario.Options) (scenario.Result, time.Duration) {
	began := time.Now()
	result := scenario.Execute(s, seed, o)
	return result, time.Since(began)
}

// show prints a result. Everything but the speed is the same at each run; the speed goes to standard error.
func show(out io.Writer, r scenario.Result, took time.Duration) error {
	fmt.Fprintf(out, "scenario %s, seed %d\n", r.Scenario, r.Seed)
	for _, s := range r.Settings {
		fmt.Fprintf(out, "  %-22s %s\n", s.Name, s.Value)
	}
	for _, line := range r.Faults {
		fmt.Fprintln(out, "  fault", line)
	}
	for _, mark := range sortedMarks(r.Marks) {
		fmt.Fprintf(out, "  mark  %-50s %d\n", mark, r.Marks[mark])
	}
	fmt.Fprintf(out, "%d steps, %s simulated, %d operations, trace %016x\n", r.Steps, r.Simulated.Round(time.Millisecond), r.Operations, r.TraceHash)
	fmt.Fprintf(os.Stderr, "%s of computing: %.0f operations and %.1f simulated seconds a second\n",
		took.Round(time.Millisecond), float64(r.Operations)/took.Seconds(), r.Simulated.Seconds()/took.Seconds())
	switch {
	case r.Failure != nil:
		fmt.Fprintln(out, "FAILED:", r.Failure)
		if r.Failure.Kind == sim.FailurePanic {
			fmt.Fprintln(out, r.Failure.Stack)
		}
		fmt.Fprintln(out, "replay:", r.Replay())
		return r.Failure
	case r.Undecided != "":
		fmt.Fprintln(out, "UNDECIDED:", r.Undecided)
	default:
		fmt.Fprintln(out, "ok")
	}
	return nil
}

func sortedMarks(marks map[string]int) []string {
	names := make([]string, 0, len(marks))
	for name := range marks {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
