package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// progressView is the answer of consumerProgress about one group.
type progressView struct {
	Group       string          `json:"group"`
	PerSecond   float64         `json:"consumeTps"`
	Diff        int64           `json:"diffTotal"`
	Inflight    int64           `json:"inflightTotal"`
	Queues      []queueProgress `json:"queues"`
	Failed      failures        `json:"failed,omitempty"`
	showClients bool
}

// queueProgress is one queue.
type queueProgress struct {
	Topic          string `json:"topic"`
	Broker         string `json:"broker"`
	Queue          int32  `json:"queue"`
	BrokerOffset   int64  `json:"brokerOffset"`   // one past the last message
	ConsumerOffset int64  `json:"consumerOffset"` // the next to consume
	Diff           int64  `json:"diff"`
	Inflight       int64  `json:"inflight"`
	LastTime       moment `json:"lastTime"`         // when the last consumed message was stored
	Client         string `json:"client,omitempty"` // address@id of whom the queue is given to
	queue          proto.Queue
}

// add adds what one broker says.
func (v *progressView) add(stats *client.ConsumeStats) {
	v.PerSecond += stats.ConsumedPerSecond
	for _, q := range stats.Queues {
		entry := queueProgress{
			Topic: q.Queue.Topic, Broker: q.Queue.BrokerName, Queue: q.Queue.QueueID, BrokerOffset: q.BrokerOffset, ConsumerOffset: q.ConsumerOffset,
			// Brokers before 5.0 do not tell what is pulled.
			Diff: q.BrokerOffset - q.ConsumerOffset, Inflight: max(q.PullOffset-q.ConsumerOffset, 0), LastTime: moment(q.ConsumedTo), queue: q.Queue,
		}
		v.Diff, v.Inflight = v.Diff+entry.Diff, v.Inflight+entry.Inflight
		v.Queues = append(v.Queues, entry)
	}
	slices.SortFunc(v.Queues, func(a, b queueProgress) int { return a.queue.Compare(b.queue) })
}

func (v *progressView) setClients(owners map[client.Queue]string) {
	for i := range v.Queues {
		v.Queues[i].Client = owners[v.Queues[i].queue]
	}
}

// write ends with the lines of RocketMQ's tool, which scripts look for.
func (v *progressView) write(out io.Writer, width int) error {
	titles := []string{"Topic", "Broker", ">Queue", ">Broker offset", ">Consumer offset", ">Diff", ">Inflight", "Last time"}
	if v.showClients {
		titles = append(titles, "Client")
	}
	t := table.Table{Columns: table.Columns(titles...)}
	for _, q := range v.Queues {
		cells := []string{q.Topic, q.Broker, number(q.Queue), number(q.BrokerOffset), number(q.ConsumerOffset), number(q.Diff), number(q.Inflight), orDash(q.LastTime.String())}
		if v.showClients {
			cells = append(cells, orDash(q.Client))
		}
		t.Add(cells...)
	}
	if err := t.Write(out, width); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nConsume TPS: %.2f\nConsume Diff Total: %d\nConsume Inflight Total: %d\n", v.PerSecond, v.Diff, v.Inflight)
	return err
}

// groupsView is the answer of consumerProgress about all groups.
type groupsView struct {
	Groups []groupEntry `json:"groups"`
	Failed failures     `json:"failed,omitempty"`
}

// groupEntry is one group.
type groupEntry struct {
	Group     string  `json:"group"`
	Members   int     `json:"members"`
	Version   string  `json:"version,omitempty"` // of the oldest member
	Type      string  `json:"type,omitempty"`    // PULL, PUSH or POP
	Model     string  `json:"model,omitempty"`
	PerSecond float64 `json:"consumeTps"`
	Diff      int64   `json:"diffTotal"`
	clients   []string
	oldest    int32
}

// add adds what one broker says. A member is connected to several brokers.
func (e *groupEntry) add(stats *client.ConsumeStats, connection *client.ConsumerConnection) {
	e.PerSecond += stats.ConsumedPerSecond
	e.Diff += stats.Behind()
	for _, member := range connection.Members {
		if !slices.Contains(e.clients, member.ClientID) {
			e.clients = append(e.clients, member.ClientID)
		}
		if e.oldest == 0 || member.Version < e.oldest {
			e.oldest, e.Version = member.Version, wire.VersionName(member.Version)
		}
	}
	e.Members = len(e.clients)
	if kind, model := shortType(connection); kind != "" {
		e.Type, e.Model = kind, model
	}
}

func (v *groupsView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Group", ">Count", "Version", "Type", "Model", ">TPS", ">Diff total")}
	for _, g := range v.Groups {
		version := g.Version
		if g.Members == 0 {
			version = "OFFLINE"
		}
		t.Add(g.Group, number(g.Members), version, orDash(g.Type), orDash(g.Model), strconv.FormatFloat(g.PerSecond, 'f', 2, 64), number(g.Diff))
	}
	if err := t.Write(out, width); err != nil || len(v.Groups) > 0 || len(v.Failed) > 0 {
		return err
	}
	_, err := io.WriteString(out, "\nThere is no consumer group yet: the first consumer of a group makes it.\n")
	return err
}
