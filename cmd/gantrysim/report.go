package main

import (
	"fmt"
	"os"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/sim/scenario"
	"github.com/spf13/cobra"
)

func reportCommand() *cobra.Command {
	var seed uint64
	var output, queue string
	cmd := &cobra.Command{
		Use: "report SCENARIO", Short: "Draw the operations on one queue as an HTML page", Args: cobra.ExactArgs(1),
		Example: "  gantrysim report pubsub --seed 7 --output run.html\n  gantrysim report pubsub --seed 7 --queue topic0@broker1:0",
	}
	cmd.Flags().Uint64Var(&seed, "seed", 1, "what everything is drawn from")
	cmd.Flags().StringVar(&output, "output", "report.html", "the page to write")
	cmd.Flags().StringVar(&queue, "queue", "", "the queue to draw; the first one unless stated")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := find(args[0])
		if err != nil {
			return err
		}
		result := scenario.Execute(s, seed, scenario.Options{})
		if queue == "" {
			if queue = firstQueue(result.History); queue == "" {
				return fmt.Errorf("%s seed %d sent nothing, so there is nothing to draw", s.Name, seed)
			}
		}
		file, err := os.Create(output)
		if err != nil {
			return err
		}
		defer file.Close()
		options := linearizability.Options{Logs: result.Logs}
		if err := linearizability.WriteReport(file, result.History, options, queue, linearizability.KindSend, nil); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n%s: operations on %s\n", result, output, queue)
		return nil
	}
	return cmd
}

func firstQueue(history linearizability.History) string {
	for _, o := range history {
		if o.Kind == linearizability.KindSend {
			return o.Queue
		}
	}
	return ""
}
