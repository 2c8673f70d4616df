// Command gantrysim runs Gantry's nodes in a simulated world, injects faults, and checks what clients
// see. Exit codes: 0 all is well, 1 wrong usage, 2 safety, 3 liveness, 4 panic, 5 not deterministic.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/gantrymq/gantry/sim"
	"github.com/spf13/cobra"
)

// exitUsage is the exit code of a wrong command line; failures have the number of their kind.
const exitUsage = 1

func main() {
	root := &cobra.Command{
		Use:           "gantrysim",
		Short:         "Run Gantry in a simulated world with faults, and check what clients see",
		SilenceErrors: true, SilenceUsage: true,
		Example: "  gantrysim list\n  gantrysim run pubsub --seed 7\n  gantrysim hunt pubsub --for 10m\n  gantrysim meta pubsub --seeds 20\n  gantrysim report pubsub --seed 7 --output run.html",
	}
	root.AddCommand(listCommand(), runCommand(), replayCommand(), huntCommand(), metaCommand(), shrinkCommand(), reportCommand())
	err := root.Execute()
	if err == nil {
		return
	}
	var failure *sim.Failure
	if errors.As(err, &failure) {
		os.Exit(int(failure.Kind))
	}
	fmt.Fprintln(os.Stderr, "gantrysim:", err)
	os.Exit(exitUsage)
}
