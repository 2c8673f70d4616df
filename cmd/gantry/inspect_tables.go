package main

import (
	"maps"
	"slices"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/spf13/cobra"
)

func newInspectCheckpoint(f *inspectFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "checkpoint",
		Short: "Show how far the log, queues and the index of keys are durable",
		Long: `Shows what the checkpoint says: up to where the log, queues and the index of keys are durable. A start after a crash reads the
log again from where queues are; what is wrong in the log before the place up to which it is durable is damage. These words are
written in turn into two slots of the file, of which the valid one with the greater sequence counts. Also shows whether a
broker runs or has crashed, and topics that were removed and still have messages in the log.`,
		Example: "  gantry inspect checkpoint --dir /data/store",
		RunE: func(*cobra.Command, []string) error {
			return f.with(func(x *inspection) error {
				c, err := x.store.Checkpoint()
				if err != nil {
					return err
				}
				dropped, err := x.store.Dropped()
				if err != nil {
					return err
				}
				slots, err := x.store.CheckpointSlots()
				if err != nil {
					return err
				}
				v := &checkpointView{
					Running: c.Running, Own: c.Own, Saved: int64(c.Saved), Durable: int64(c.Durable), Entries: c.Entries,
					IndexLog: int64(c.Index.Log), IndexFile: c.Index.File, IndexKeys: max(c.Index.Count-1, 0), IndexInDoubt: c.Index.InDoubt,
					PhysicalAt: moment(c.PhysicalAt), LogicsAt: moment(c.LogicsAt), IndexAt: moment(c.IndexAt), Dropped: []droppedEntry{},
				}
				for _, slot := range slots {
					v.Slots = append(v.Slots, newSlotEntry(slot))
				}
				for _, topic := range slices.Sorted(maps.Keys(dropped)) {
					v.Dropped = append(v.Dropped, droppedEntry{topic, int64(dropped[topic])})
				}
				return x.show(v)
			})
		},
	}
}

// tableNames are what inspect config can be limited to.
var tableNames = []string{"topics", "groups", "offsets"}

func newInspectConfig(f *inspectFlags) *cobra.Command {
	var only, topic, group string
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the tables of topics, groups and consumer offsets",
		Long: `Shows the tables in config/ as the next start would read them: topics, consumer groups, and how far each group has consumed
each queue. Topics and groups that every broker has are shown only if a file names them.`,
		Example: `  gantry inspect config --dir /data/store
  gantry inspect config --dir /data/store --only offsets -g billing`,
		RunE: func(*cobra.Command, []string) error {
			if only != "" && !slices.Contains(tableNames, only) {
				return wrongUsage("--only %s is none of topics, groups, offsets", only)
			}
			return f.in(func(e env.Env, _ store.Options) error {
				tables, err := broker.ReadTables(e)
				if err != nil {
					return &failure{cause: err, code: exitFailed, advice: "repair the file, or put an older copy of it there"}
				}
				return f.show(newTablesView(tables, only, topic, group))
			})
		},
	}
	cmd.Flags().StringVar(&only, "only", "", "show only this `table`: topics, groups or offsets")
	cmd.Flags().StringVarP(&topic, "topic", "t", "", "show only this `topic`")
	cmd.Flags().StringVarP(&group, "group", "g", "", "show only this `group`")
	return cmd
}
