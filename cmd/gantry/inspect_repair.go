package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/spf13/cobra"
)

func newInspectRepair(f *inspectFlags) *cobra.Command {
	var apply, cut bool
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "Put a damaged store in order, or say what that would do",
		Long: `Says what would put the files of a stopped broker in order, and with --apply does it. Where messages in the log are damaged,
those behind them are kept and only the damaged ones are lost, whose numbers are not given again as far as the queues knew them; with
--cut the log ends there, and all behind is lost.
Keep a copy of the directory first. A repair that was interrupted can be repeated.`,
		Example: `  gantry inspect repair --dir /data/store
  gantry inspect repair --dir /data/store --apply
  gantry inspect repair --dir /data/store --cut --apply`,
		RunE: func(*cobra.Command, []string) error {
			choice, run := store.BridgeDamage, store.PlanRepair
			if cut {
				choice = store.CutDamage
			}
			if apply {
				run = store.Repair
			}
			return f.in(func(e env.Env, options store.Options) error {
				if err := indexFits(e, options); err != nil {
					return err
				}
				plan, err := run(e, options, choice, progress("checking"))
				if err != nil && len(plan.Steps) == 0 {
					return err
				}
				return errors.Join(err, f.show(newRepairView(&plan, apply && err == nil)))
			})
		},
	}
	cmd.Flags().BoolVar(&apply, "apply", false, "do it, instead of only saying what would be done")
	cmd.Flags().BoolVar(&cut, "cut", false, "end the log where the first damage is, instead of keeping what is behind it")
	return cmd
}

// repairView is the answer of inspect repair.
type repairView struct {
	Steps   []string `json:"steps"`
	Applied bool     `json:"applied"` // all of them were carried out
	Left    []string `json:"left"`    // what the next start puts in order, without any repair
	summary string
}

func newRepairView(plan *store.RepairPlan, applied bool) *repairView {
	return &repairView{
		Steps: append([]string{}, plan.Steps...), Applied: applied, Left: append([]string{}, plan.Report.Repairs...), summary: plan.String(),
	}
}

func (v *repairView) write(out io.Writer, _ int) error {
	var text strings.Builder
	for n, step := range v.Steps {
		fmt.Fprintf(&text, "%d. %s\n", n+1, step)
	}
	switch {
	case len(v.Steps) == 0:
		text.WriteString(v.summary + "\n")
		for _, line := range v.Left {
			text.WriteString("repair: " + line + "\n")
		}
	case v.Applied:
		text.WriteString("done: start the broker\n")
	default:
		text.WriteString("this was not done: copy the directory, then run the command again with --apply\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}
