package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/scenario"
	"github.com/spf13/cobra"
)

func huntCommand() *cobra.Command {
	h := &hunt{marks: map[string]int{}}
	cmd := &cobra.Command{
		Use: "hunt SCENARIO", Short: "Run seed after seed on all cores until one fails or the time is over", Args: cobra.ExactArgs(1),
		Example: "  gantrysim hunt pubsub --for 10m\n  gantrysim hunt pubsub --from 1 --seeds 500",
	}
	cmd.Flags().DurationVar(&h.limit, "for", 10*time.Minute, "how long to look; 0 means until --seeds are done")
	cmd.Flags().Uint64Var(&h.next, "from", uint64(time.Now().UnixNano()), "the first seed; the time of day unless stated")
	cmd.Flags().Uint64Var(&h.seeds, "seeds", 0, "how many seeds to run; 0 means as many as fit into the time")
	cmd.Flags().IntVar(&h.workers, "workers", runtime.GOMAXPROCS(0), "how many seeds run at once")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := find(args[0])
		if err != nil {
			return err
		}
		if h.workers < 1 {
			return fmt.Errorf("--workers %d: want at least 1", h.workers)
		}
		h.scenario = s
		return h.run(cmd.OutOrStdout())
	}
	return cmd
}

// hunt is a search over seeds. Each seed is a world of its own, so they run in parallel.
type hunt struct {
	scenario scenario.Scenario
	limit    time.Duration
	next     uint64
	seeds    uint64
	workers  int

	mutex      sync.Mutex
	first      uint64
	began      time.Time
	done       uint64
	operations int
	simulated  time.Duration
	undecided  []uint64
	marks      map[string]int
	failed     *scenario.Result
}

func (h *hunt) run(out io.Writer) error {
	h.first, h.began = h.next, time.Now()
	stop := make(chan struct{})
	go h.progress(stop)
	var all sync.WaitGroup
	for range h.workers {
		all.Go(h.work)
	}
	all.Wait()
	close(stop)
	return h.report(out)
}

// take returns the next seed, or false when the hunt is over.
func (h *hunt) take() (uint64, bool) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	over := h.failed != nil || (h.limit > 0 && time.Since(h.began) > h.limit) || (h.seeds > 0 && h.next >= h.first+h.seeds)
	if over {
		return 0, false
	}
	h.next++
	return h.next - 1, true
}

func (h *hunt) work() {
	for {
		seed, ok := h.take()
		if !ok {
			return
		}
		result := scenario.Execute(h.scenario, seed, scenario.Options{})
		h.add(result)
	}
}

func (h *hunt) add(r scenario.Result) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.done++
	h.operations += r.Operations
	h.simulated += r.Simulated
	for mark, n := range r.Marks {
		h.marks[mark] += n
	}
	if r.Undecided != "" {
		h.undecided = append(h.undecided, r.Seed)
	}
	if r.Failure != nil && (h.failed == nil || r.Seed < h.failed.Seed) {
		h.failed = &r
	}
}

// progress rewrites one line on a terminal until stop is closed.
func (h *hunt) progress(stop chan struct{}) {
	if !onTerminal() {
		<-stop
		return
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			fmt.Fprint(os.Stderr, "\r\033[K")
			return
		case <-tick.C:
			fmt.Fprint(os.Stderr, "\r\033[K", h.line())
		}
	}
}

func (h *hunt) line() string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	took := time.Since(h.began)
	return fmt.Sprintf("%s: %d seeds in %s, %.0f operations a second, %.0f simulated seconds a second", h.scenario.Name, h.done,
		took.Round(time.Second), float64(h.operations)/took.Seconds(), h.simulated.Seconds()/took.Seconds())
}

func (h *hunt) report(out io.Writer) error {
	fmt.Fprintln(out, h.line())
	for _, mark := range h.scenario.Marks {
		if h.marks[mark] == 0 {
			fmt.Fprintf(out, "no seed reached: %s\n", mark)
		}
	}
	if len(h.undecided) > 0 {
		fmt.Fprintf(out, "undecided, because the search gave up: seeds %v\n", h.undecided)
	}
	if h.failed == nil {
		fmt.Fprintf(out, "ok: seeds %d to %d\n", h.first, h.next-1)
		return nil
	}
	fmt.Fprintln(out, "FAILED:", h.failed)
	if h.failed.Failure.Kind == sim.FailurePanic {
		fmt.Fprintln(out, h.failed.Failure.Stack)
	}
	fmt.Fprintln(out, "replay:", h.failed.Replay())
	return h.failed.Failure
}
