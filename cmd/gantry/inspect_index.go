package main

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/spf13/cobra"
)

func newInspectIndex(f *inspectFlags) *cobra.Command {
	var topic, key string
	var limit int
	cmd := &cobra.Command{
		Use:   "index",
		Short: "Show the index of keys: its files, messages with a key",
		Long: `Lists the files of the index of keys. With --topic and --key, lists the messages to which the index leads and that have the
key, the newest first.

This shows what the files say. A broker that runs has the keys of newer messages in its memory, and finds their messages, too:
ask it with gantry admin queryMsgByKey.`,
		Example: `  gantry inspect index --dir /data/store
  gantry inspect index --dir /data/store -t orders -k order-17`,
		RunE: func(*cobra.Command, []string) error {
			switch {
			case (topic == "") != (key == ""):
				return wrongUsage("keys belong to topics: give both --topic and --key, or neither")
			case limit < 1:
				return wrongUsage("--limit: %d is not a number of messages", limit)
			}
			return f.with(func(x *inspection) error {
				if topic == "" {
					return x.indexFiles()
				}
				return x.search(topic, key, limit)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&topic, "topic", "t", "", "the `topic` to search")
	flags.StringVarP(&key, "key", "k", "", "a business `key`, or the id that the sender gave the message")
	flags.IntVar(&limit, "limit", 64, "list at most this `number` of messages")
	return cmd
}

func (x *inspection) indexFiles() error {
	files, err := x.store.IndexFiles()
	if err != nil {
		return err
	}
	checkpoint, err := x.store.Checkpoint()
	if err != nil {
		return err
	}
	v := &indexView{Files: []indexEntry{}, Running: checkpoint.Running}
	for _, file := range files {
		h := file.Header
		v.Files = append(v.Files, indexEntry{
			Path: file.Path, Keys: h.Count - 1, UsedSlots: h.Used, BeginLog: int64(h.BeginLog), EndLog: int64(h.EndLog),
			BeginAt: moment(h.BeginAt), EndAt: moment(h.EndAt),
		})
	}
	return x.show(v)
}

// search reads the messages to which the index leads, and shows those that have the key.
func (x *inspection) search(topic, key string, limit int) error {
	checkpoint, err := x.store.Checkpoint()
	if err != nil {
		return err
	}
	v := &searchView{Records: []recordView{}, Running: checkpoint.Running}
	seen := map[message.LogOffset]bool{}
	var failed error
	err = x.store.Find(topic, key, func(at message.LogOffset) bool {
		if seen[at] {
			return true // a message may have one key twice, and a Java broker may have added it twice
		}
		seen[at] = true
		r, err := x.store.Record(at)
		switch {
		case errors.Is(err, store.ErrNoRecord):
			v.Gone++
		case err != nil:
			failed = err
		case string(r.Topic) == topic && hasIndexKey(r, key):
			v.Records = append(v.Records, newRecordView(r))
		default:
			v.Others++
		}
		return failed == nil && len(v.Records) < limit
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if err := x.show(v); err != nil || len(v.Records) > 0 {
		return err
	}
	return v.nothing(topic, key)
}

// nothing is the failure of a search of the files that found no message.
func (v *searchView) nothing(topic, key string) error {
	cause, advice := fmt.Errorf("the index leads to no message of topic %s with the key %s", topic, key), "see how far it is with inspect index and inspect checkpoint"
	if v.Running {
		cause = fmt.Errorf("the files of the index lead to no message of topic %s with the key %s", topic, key)
		advice = "if the broker runs, it knows the keys of newer messages: ask it with gantry admin queryMsgByKey; if it has crashed, start it"
	}
	return &failure{cause: cause, code: exitFailed, advice: advice}
}

func hasIndexKey(r *message.Record, key string) bool {
	for found := range message.IndexKeys(r.Properties) {
		if string(found) == key {
			return true
		}
	}
	return false
}
