package main

import (
	"errors"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/spf13/cobra"
)

// Exit codes of inspect check, beside those of all commands.
const (
	exitRepairs = 5 // something is left for the next start to put in order
	exitDamaged = 6 // something is wrong that no crash leaves
)

func newInspectCheck(f *inspectFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Verify all files of a broker that is stopped",
		Long: `Reads all of the log, the queues and the index of keys of a broker that is stopped, and compares them with each other, and reads
what a member of an elected group keeps beside them. It changes nothing.

Exit codes: 0 all is in order; 5 a crash, a repair or somebody who removed queues or the index of keys left something that the next
start puts in order; 6 something is damaged;
1 it could not be checked, also because the broker runs; 2 the command line is wrong.`,
		Example: `  gantry inspect check --dir /data/store
  gantry inspect check -c broker.conf --json`,
		RunE: func(*cobra.Command, []string) error {
			return f.in(func(e env.Env, options store.Options) error {
				if err := indexFits(e, options); err != nil {
					return err
				}
				report, err := store.Check(e, options, progress("checking"))
				if err != nil {
					return err
				}
				damage, err := broker.CheckMember(e.Disk)
				if err != nil {
					return err
				}
				report.Damage = append(report.Damage, damage...)
				v := newCheckView(&report)
				return errors.Join(f.show(v), v.verdict())
			})
		},
	}
}

// verdict is the failure that carries the exit code.
func (v *checkView) verdict() error {
	switch v.State {
	case stateDamaged:
		return &failure{cause: errors.New("the store is damaged"), code: exitDamaged,
			advice: "see what a repair would do with inspect repair; keep a copy of the directory first"}
	case stateRepairs:
		cause := errors.New("the broker has crashed")
		if v.Clean {
			cause = errors.New("the next start has something to put in order")
		}
		return &failure{cause: cause, code: exitRepairs, advice: "start it: it puts in order what is listed as repair"}
	}
	return nil
}
