package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/table"
)

// seconds is a duration that was typed as a number.
func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// statsView is the answer of statsAll.
type statsView struct {
	Rows   []statsRow `json:"topics"`
	Failed failures   `json:"failed,omitempty"`
}

// statsRow is a topic and one of its groups.
type statsRow struct {
	Topic        string  `json:"topic"`
	Group        string  `json:"group,omitempty"` // "" if nobody consumes
	Waiting      int64   `json:"accumulation"`
	InPerSecond  float64 `json:"inTPS"`
	OutPerSecond float64 `json:"outTPS"`
	InDay        int64   `json:"inMsg24Hour"`
	OutDay       int64   `json:"outMsg24Hour"`
}

// add makes one row of what several brokers say of a topic and a group.
func (v *statsView) add(topic string, answers []brokerAnswer[[]statsRow]) {
	byGroup := map[string]*statsRow{}
	in := statsRow{}
	for _, a := range answers {
		for i, r := range a.value {
			if i == 0 {
				in.InPerSecond, in.InDay = in.InPerSecond+r.InPerSecond, in.InDay+r.InDay
			}
			row := byGroup[r.Group]
			if row == nil {
				row = &statsRow{Topic: topic, Group: r.Group}
				byGroup[r.Group] = row
			}
			row.Waiting, row.OutPerSecond, row.OutDay = row.Waiting+r.Waiting, row.OutPerSecond+r.OutPerSecond, row.OutDay+r.OutDay
		}
	}
	if len(byGroup) > 1 {
		delete(byGroup, "")
	}
	var rows []statsRow
	for _, row := range byGroup {
		row.InPerSecond, row.InDay = in.InPerSecond, in.InDay
		rows = append(rows, *row)
	}
	slices.SortFunc(rows, func(a, b statsRow) int { return strings.Compare(a.Group, b.Group) })
	v.Rows = append(v.Rows, rows...)
}

func (v *statsView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Topic", "Consumer group", ">Accumulation", ">In TPS", ">Out TPS", ">In 24 hours", ">Out 24 hours")}
	for _, r := range v.Rows {
		outTPS, outDay := decimal(r.OutPerSecond), number(r.OutDay)
		if r.Group == "" {
			outTPS, outDay = "-", "NO_CONSUMER"
		}
		t.Add(r.Topic, orDash(r.Group), number(r.Waiting), decimal(r.InPerSecond), outTPS, number(r.InDay), outDay)
	}
	return t.Write(out, width)
}

// brokerProgressView is the answer of brokerConsumeStats.
type brokerProgressView struct {
	Diff   int64                `json:"diffTotal"`
	Queues []groupQueueProgress `json:"queues"`
}

type groupQueueProgress struct {
	Group string `json:"group"`
	queueProgress
}

func newBrokerProgressView(list *client.ConsumeStatsList, least int64) *brokerProgressView {
	v := &brokerProgressView{Diff: list.Behind, Queues: []groupQueueProgress{}}
	for _, group := range list.Groups {
		p := &progressView{}
		for i := range group.Stats {
			p.add(&group.Stats[i])
		}
		for _, q := range p.Queues {
			if q.Diff >= least {
				v.Queues = append(v.Queues, groupQueueProgress{group.Group, q})
			}
		}
	}
	return v
}

// write ends with the line of RocketMQ's tool, which scripts look for.
func (v *brokerProgressView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Topic", "Group", "Broker", ">Queue", ">Broker offset", ">Consumer offset", ">Diff", "Last time")}
	for _, q := range v.Queues {
		t.Add(q.Topic, q.Group, q.Broker, number(q.Queue), number(q.BrokerOffset), number(q.ConsumerOffset), number(q.Diff), orDash(q.LastTime.String()))
	}
	if err := t.Write(out, width); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nDiff Total: %d\n", v.Diff)
	return err
}

// clusterRTView is the answer of clusterRT.
type clusterRTView struct {
	Brokers []clusterRTEntry `json:"brokers"`
	Failed  failures         `json:"failed,omitempty"`
}

type clusterRTEntry struct {
	Cluster string  `json:"cluster"`
	Broker  string  `json:"broker"`
	Average float64 `json:"averageMillis"` // without the first send, which connects
	Done    int     `json:"succeeded"`
	Failed  int     `json:"failed"`
}

func (v *clusterRTView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Cluster", "Broker", ">RT ms", ">Succeeded", ">Failed")}
	for _, b := range v.Brokers {
		t.Add(b.Cluster, b.Broker, decimal(b.Average), number(b.Done), number(b.Failed))
	}
	return t.Write(out, width)
}
