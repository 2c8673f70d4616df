package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/table"
)

// queuePartView is the answer of queryCq.
type queuePartView struct {
	Broker       string           `json:"broker,omitempty"` // its name; absent if it was asked by its address
	Address      string           `json:"address"`
	Topic        string           `json:"topic"`
	Queue        int32            `json:"queue"`
	First        int64            `json:"first"`
	End          int64            `json:"end"`
	Group        string           `json:"group,omitempty"`
	Subscription *subscribedTopic `json:"subscription,omitempty"`
	FilterData   string           `json:"filterData,omitempty"` // the broker's own words
	Entries      []queuePartEntry `json:"entries"`
}

// subscribedTopic is what a group wants of the topic.
type subscribedTopic struct {
	Expression string `json:"expression"`
	Type       string `json:"type"`
	Version    int64  `json:"version"`
}

type queuePartEntry struct {
	entryView
	Note      string `json:"note,omitempty"`
	Extension string `json:"extension,omitempty"`
	// Of brokers that keep a bit for each filter: these, and whether the group's takes the message.
	FilterBits string `json:"filterBits,omitempty"`
	Matches    bool   `json:"matches,omitempty"`
}

func newQueuePartView(broker client.Broker, q *entriesQuery, found *client.QueueEntries) *queuePartView {
	v := &queuePartView{
		Broker: broker.Name, Address: broker.Address, Topic: q.Topic, Queue: q.Queue, First: found.Min, End: found.Max,
		Group: q.Group, FilterData: found.FilterData, Entries: []queuePartEntry{},
	}
	if s := found.Subscription; s != nil {
		v.Subscription = &subscribedTopic{Expression: s.Expression, Type: s.ExpressionType, Version: s.Version}
	}
	numbers := found.Numbers(q.From)
	for i, e := range found.Entries {
		v.Entries = append(v.Entries, queuePartEntry{
			entryView: entryView{Number: numbers[i], LogOffset: e.LogOffset, Size: e.Size, TagHash: e.TagHash},
			Note:      e.Note, Extension: e.Extension, FilterBits: e.FilterBits, Matches: e.Matches,
		})
	}
	return v
}

func (v *queuePartView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns(">Offset", ">Place in the log", ">Size", ">Tag hash", "")}
	for _, e := range v.Entries {
		t.Add(number(e.Number), number(e.LogOffset), number(e.Size), number(e.TagHash), e.remark())
	}
	if err := t.Write(out, width); err != nil {
		return err
	}
	at := v.Address
	if v.Broker != "" {
		at = v.Broker + " (" + v.Address + ")"
	}
	text := fmt.Sprintf("\nQueue %d of %s at %s holds [%d, %d).\n", v.Queue, v.Topic, at, v.First, v.End)
	switch {
	case v.Subscription != nil:
		text += fmt.Sprintf("Group %s subscribes %s of type %s.\n", v.Group, v.Subscription.Expression, v.Subscription.Type)
	case v.Group != "":
		text += fmt.Sprintf("Group %s is not online, or does not subscribe the topic.\n", v.Group)
	}
	_, err := io.WriteString(out, text)
	return err
}

// remark is all that is unusual.
func (e *queuePartEntry) remark() string {
	var parts []string
	for _, part := range []string{e.Note, e.Extension} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if e.FilterBits != "" {
		parts = append(parts, fmt.Sprintf("filter bits %s, taken %v", e.FilterBits, e.Matches))
	}
	return strings.Join(parts, "; ")
}
