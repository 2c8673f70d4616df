package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// groupStatusView is the answer of consumerStatus.
type groupStatusView struct {
	Group    string         `json:"group"`
	Members  []memberStatus `json:"members"`
	Problems []string       `json:"problems,omitempty"`
	Failed   failures       `json:"failed,omitempty"` // clients and brokers that did not answer
	whole    bool           // all of one member, instead of a line for each
}

// memberStatus is what one member says of itself.
type memberStatus struct {
	ClientID      string              `json:"clientId"`
	Address       string              `json:"clientAddr"`
	Version       string              `json:"version"`
	Properties    map[string]string   `json:"properties"`
	Subscriptions []subscriptionEntry `json:"subscriptions"`
	Queues        []heldQueue         `json:"queues"`
	Rates         []topicRates        `json:"rates"`
	UserInfo      map[string]string   `json:"userInfo,omitempty"`
	StackDump     string              `json:"stack,omitempty"`
}

// heldQueue is a queue that a member has.
type heldQueue struct {
	Topic      string `json:"topic"`
	Broker     string `json:"broker"`
	Queue      int32  `json:"queue"`
	Next       int64  `json:"commitOffset"`
	Cached     int32  `json:"cached"`
	CachedMiB  int32  `json:"cachedMiB"`
	Locked     bool   `json:"locked"`
	Dropped    bool   `json:"dropped"`
	PulledAt   moment `json:"pulledAt"`
	ConsumedAt moment `json:"consumedAt"`
}

// topicRates are those of a topic.
type topicRates struct {
	Topic             string  `json:"topic"`
	PullMillis        float64 `json:"pullRT"`
	PulledPerSecond   float64 `json:"pullTPS"`
	ConsumeMillis     float64 `json:"consumeRT"`
	ConsumedPerSecond float64 `json:"consumeOKTPS"`
	FailedPerSecond   float64 `json:"consumeFailedTPS"`
	Failed            int64   `json:"consumeFailedMsgs"` // in the last hour
}

func newGroupStatusView(group string, infos []memberInfo, failed failures) *groupStatusView {
	v := &groupStatusView{Group: group, Members: []memberStatus{}, Failed: failed}
	for i := range infos {
		v.Members = append(v.Members, newMemberStatus(&infos[i]))
	}
	return v
}

func newMemberStatus(m *memberInfo) memberStatus {
	status := memberStatus{
		ClientID: m.ClientID, Address: m.Connection.Address, Version: wire.VersionName(m.Version), Properties: m.info.Properties,
		Subscriptions: []subscriptionEntry{}, Queues: []heldQueue{}, Rates: []topicRates{}, UserInfo: m.info.UserInfo, StackDump: m.info.StackDump,
	}
	for i := range m.info.Subscriptions {
		status.Subscriptions = append(status.Subscriptions, newSubscriptionEntry(&m.info.Subscriptions[i]))
	}
	for _, q := range m.info.Queues {
		status.Queues = append(status.Queues, heldQueue{
			Topic: q.Queue.Topic, Broker: q.Queue.BrokerName, Queue: q.Queue.QueueID, Next: q.CommitOffset, Cached: q.Cached, CachedMiB: q.CachedMebibytes,
			Locked: q.Locked, Dropped: q.Dropped, PulledAt: moment(q.PulledAt), ConsumedAt: moment(q.ConsumedAt),
		})
	}
	for _, r := range m.info.Rates {
		status.Rates = append(status.Rates, topicRates(r))
	}
	return status
}

func (v *groupStatusView) write(out io.Writer, width int) error {
	if v.whole {
		for i := range v.Members {
			if err := v.Members[i].write(out, width); err != nil {
				return err
			}
		}
		return nil
	}
	t := table.Table{Columns: table.Columns("Client id", "Address", "Version", "Type", ">Topics", ">Queues", ">Cached", ">Consumed/s", ">Failed/s")}
	for i := range v.Members {
		t.Add(v.Members[i].cells()...)
	}
	if err := t.Write(out, width); err != nil {
		return err
	}
	for i := range v.Members {
		if v.Members[i].StackDump != "" {
			if _, err := fmt.Fprintf(out, "\nThreads of %s\n%s\n", v.Members[i].ClientID, v.Members[i].StackDump); err != nil {
				return err
			}
		}
	}
	return v.writeProblems(out)
}

func (v *groupStatusView) writeProblems(out io.Writer) error {
	text := "\nRebalance OK: all members subscribe the same, and each queue has one of them\n"
	if len(v.Problems) > 0 {
		text = "\nproblem: " + strings.Join(v.Problems, "\nproblem: ") + "\n"
	} else if len(v.Failed) > 0 {
		// Who did not answer may have what the others lack.
		text = ""
	}
	_, err := io.WriteString(out, text)
	return err
}

// cells are those of a table's row.
func (m *memberStatus) cells() []string {
	var cached int64
	var rates topicRates
	for _, q := range m.Queues {
		cached += int64(q.Cached)
	}
	for _, r := range m.Rates {
		rates.ConsumedPerSecond += r.ConsumedPerSecond
		rates.FailedPerSecond += r.FailedPerSecond
	}
	return []string{m.ClientID, m.Address, m.Version, orDash(m.Properties[proto.RunningConsumeType]), number(len(m.Subscriptions)),
		number(len(m.Queues)), number(cached), decimal(rates.ConsumedPerSecond), decimal(rates.FailedPerSecond)}
}

func decimal(n float64) string { return strconv.FormatFloat(n, 'f', 2, 64) }

// write shows all of it.
func (m *memberStatus) write(out io.Writer, width int) error {
	if err := writeTitled(out, width, m.ClientID+" at "+m.Address, keyTable(m.Properties)); err != nil {
		return err
	}
	if err := writeSubscriptions(out, width, m.Subscriptions); err != nil {
		return err
	}
	queues := table.Table{Columns: table.Columns("Topic", "Broker", ">Queue", ">Next", ">Cached", ">MiB", "State", "Pulled", "Consumed")}
	for _, q := range m.Queues {
		queues.Add(q.Topic, q.Broker, number(q.Queue), number(q.Next), number(q.Cached), number(q.CachedMiB), q.state(), orDash(q.PulledAt.String()), orDash(q.ConsumedAt.String()))
	}
	if err := writeTitled(out, width, "\nQueues", &queues); err != nil {
		return err
	}
	rates := table.Table{Columns: table.Columns("Topic", ">Pull ms", ">Pulled/s", ">Consume ms", ">Consumed/s", ">Failed/s", ">Failed in an hour")}
	for _, r := range m.Rates {
		rates.Add(r.Topic, decimal(r.PullMillis), decimal(r.PulledPerSecond), decimal(r.ConsumeMillis), decimal(r.ConsumedPerSecond), decimal(r.FailedPerSecond), number(r.Failed))
	}
	if err := writeTitled(out, width, "\nRates", &rates); err != nil {
		return err
	}
	return m.writeRest(out, width)
}

func (m *memberStatus) writeRest(out io.Writer, width int) error {
	if len(m.UserInfo) > 0 {
		if err := writeTitled(out, width, "\nOf the application", keyTable(m.UserInfo)); err != nil {
			return err
		}
	}
	if m.StackDump == "" {
		return nil
	}
	_, err := io.WriteString(out, "\nThreads\n"+strings.TrimRight(m.StackDump, "\n")+"\n")
	return err
}

func (q *heldQueue) state() string {
	switch {
	case q.Dropped:
		return "dropped"
	case q.Locked:
		return "locked"
	}
	return "-"
}

// keyTable is sorted by key.
func keyTable(values map[string]string) *table.Table {
	t := &table.Table{Columns: table.Columns("Key", "Value")}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		t.Add(key, values[key])
	}
	return t
}
