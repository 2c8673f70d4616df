package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/spf13/cobra"
)

// queuePart is what inspect queue is told.
type queuePart struct {
	topic string
	queue int // -1: not given
	from  int64
	limit int
}

func newInspectQueue(f *inspectFlags) *cobra.Command {
	var p queuePart
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Show consume queues: their ranges, what one says of its messages",
		Long: `Lists the consume queues with the number of the first message that the log still has and of the one behind the last. With
--topic and --queue, lists the entries of one queue: where each message stands in the log.`,
		Example: `  gantry inspect queue --dir /data/store
  gantry inspect queue --dir /data/store -t orders -q 0 --from 100 --limit 5`,
		RunE: func(*cobra.Command, []string) error {
			switch {
			case p.queue >= 0 && p.topic == "":
				return wrongUsage("--queue %d: queues are numbered in each topic, so name one with --topic", p.queue)
			case p.limit < 1:
				return wrongUsage("--limit: %d is not a number of entries", p.limit)
			}
			return f.with(func(x *inspection) error {
				if p.queue < 0 {
					return x.queues(p.topic)
				}
				return x.entries(&p)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&p.topic, "topic", "t", "", "show only queues of this `topic`")
	flags.IntVarP(&p.queue, "queue", "q", -1, "list the entries of the queue with this `number`")
	flags.Int64Var(&p.from, "from", -1, "begin at this `number` of a message; -1 is the first that the log still has")
	flags.IntVar(&p.limit, "limit", 20, "list at most this `number` of entries")
	return cmd
}

func (x *inspection) queues(topic string) error {
	keys, err := x.store.Queues()
	if err != nil {
		return err
	}
	slices.SortFunc(keys, compareQueues)
	v := &queuesView{Queues: []queueEntry{}}
	for _, key := range keys {
		if topic != "" && key.Topic != topic {
			continue
		}
		info, err := x.store.Queue(key)
		if errors.Is(err, env.ErrNotExist) {
			// A directory without files, as a removed topic may leave.
			continue
		}
		if errors.Is(err, segment.ErrForeign) {
			x.warnings = append(x.warnings, fmt.Sprintf("queue %v was left out: %v", key, err))
			continue
		}
		if err != nil {
			return err
		}
		v.Queues = append(v.Queues, queueEntry{Topic: key.Topic, Queue: key.ID, First: int64(info.First), End: int64(info.End), Files: info.Files})
	}
	if topic != "" && len(v.Queues) == 0 {
		return &failure{cause: fmt.Errorf("topic %s has no queue here", topic), code: exitFailed, advice: "see those there are with inspect queue"}
	}
	return x.show(v)
}

func (x *inspection) entries(p *queuePart) error {
	key := store.QueueKey{Topic: p.topic, ID: int32(p.queue)}
	info, err := x.store.Queue(key)
	if errors.Is(err, env.ErrNotExist) {
		return &failure{cause: fmt.Errorf("there is no queue %v here", key), code: exitFailed, advice: "see those there are with inspect queue"}
	}
	if err != nil {
		return err
	}
	from := info.First
	if p.from >= 0 {
		from = message.QueueOffset(p.from)
	}
	v := &entriesView{Topic: key.Topic, Queue: key.ID, First: int64(info.First), End: int64(info.End), Entries: []entryView{}}
	err = x.store.Entries(key, from, func(e store.Entry) bool {
		v.Entries = append(v.Entries, entryView{Number: int64(e.Number), LogOffset: int64(e.Log), Size: e.Size, TagHash: e.TagHash, Filler: e.Filler})
		return len(v.Entries) < p.limit
	})
	return errors.Join(err, x.show(v))
}
