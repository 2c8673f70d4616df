package main

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/transport/proto"
)

// tablesView is the answer of inspect config. A table that was not asked for is nil.
type tablesView struct {
	Topics  []topicRow               `json:"topics"`
	Groups  []broker.GroupSettings   `json:"groups"`
	Offsets []broker.CommittedOffset `json:"offsets"`
	only    string
}

type topicRow struct {
	Topic       string            `json:"topic"`
	ReadQueues  int32             `json:"readQueues"`
	WriteQueues int32             `json:"writeQueues"`
	Perm        string            `json:"perm"`
	Ordered     bool              `json:"ordered"`
	Attributes  map[string]string `json:"attributes,omitempty"`
}

func newTopicRow(c *proto.TopicConfig) topicRow {
	return topicRow{Topic: c.Name, ReadQueues: c.ReadQueues, WriteQueues: c.WriteQueues, Perm: c.Perm.String(), Ordered: c.Ordered, Attributes: c.Attributes}
}

// newTablesView keeps one table, or all if only is "", and of them what belongs to a topic and a group that is not "".
func newTablesView(tables broker.Tables, only, topic, group string) *tablesView {
	v := &tablesView{only: only}
	if v.wants("topics") {
		v.Topics = []topicRow{}
		for i := range tables.Topics {
			if topic == "" || tables.Topics[i].Name == topic {
				v.Topics = append(v.Topics, newTopicRow(&tables.Topics[i]))
			}
		}
	}
	if v.wants("groups") {
		v.Groups = slices.DeleteFunc(tables.Groups, func(g broker.GroupSettings) bool { return group != "" && g.Name != group })
	}
	if v.wants("offsets") {
		v.Offsets = slices.DeleteFunc(tables.Offsets, func(o broker.CommittedOffset) bool {
			return group != "" && o.Group != group || topic != "" && o.Topic != topic
		})
	}
	return v
}

func (v *tablesView) wants(table string) bool { return v.only == "" || v.only == table }

func (v *tablesView) write(out io.Writer, width int) error {
	first := true
	for _, one := range []struct {
		name, title string
		table       table.Table
	}{{"topics", "Topics", v.topics()}, {"groups", "Consumer groups", v.groups()}, {"offsets", "Consumer offsets", v.offsets()}} {
		if !v.wants(one.name) {
			continue
		}
		title := one.title + "\n"
		if !first {
			title = "\n" + title
		}
		if _, err := io.WriteString(out, title); err != nil {
			return err
		}
		if err := one.table.Write(out, width); err != nil {
			return err
		}
		first = false
	}
	return nil
}

func (v *tablesView) topics() table.Table {
	t := table.Table{Columns: table.Columns("Topic", ">Read queues", ">Write queues", "Perm", "Ordered", "Attributes")}
	for _, c := range v.Topics {
		attributes := messageView{Properties: c.Attributes}
		t.Add(c.Topic, number(c.ReadQueues), number(c.WriteQueues), c.Perm, strconv.FormatBool(c.Ordered), attributes.propertiesText())
	}
	return t
}

func (v *tablesView) groups() table.Table {
	t := table.Table{Columns: table.Columns("Group", "Consume", "Broadcast", "Ordered", ">Retries", ">Retry queues", "Forbidden topics")}
	for _, g := range v.Groups {
		t.Add(g.Name, strconv.FormatBool(g.ConsumeEnable), strconv.FormatBool(g.ConsumeBroadcastEnable), strconv.FormatBool(g.ConsumeMessageOrderly),
			number(g.RetryMaxTimes), number(g.RetryQueues), orDash(strings.Join(g.ForbiddenTopics, ", ")))
	}
	return t
}

func (v *tablesView) offsets() table.Table {
	t := table.Table{Columns: table.Columns("Group", "Topic", ">Queue", ">Offset", "From")}
	for _, o := range v.Offsets {
		from := "consumerOffset.json"
		if o.Journalled {
			from = "consumerOffset.journal"
		}
		t.Add(o.Group, o.Topic, number(o.Queue), number(o.Offset), from)
	}
	return t
}
