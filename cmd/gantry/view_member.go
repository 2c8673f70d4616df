package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// memberEntry is one client of a group.
type memberEntry struct {
	ClientID string   `json:"clientId"`
	Address  string   `json:"clientAddr"` // of its connection to the first of the brokers
	Language string   `json:"language"`
	Version  string   `json:"version"`
	Brokers  []string `json:"brokers"` // that it is connected to
}

// addMembers adds those of one broker. A client that is connected to several is one entry.
func addMembers(entries []memberEntry, broker client.Broker, members []proto.Connection) []memberEntry {
	name := broker.Name
	if name == "" {
		name = broker.Address
	}
	for _, m := range members {
		i := slices.IndexFunc(entries, func(e memberEntry) bool { return e.ClientID == m.ClientID })
		if i >= 0 {
			entries[i].Brokers = append(entries[i].Brokers, name)
			continue
		}
		entries = append(entries, memberEntry{m.ClientID, m.Address, m.Language.String(), wire.VersionName(m.Version), []string{name}})
	}
	slices.SortFunc(entries, func(a, b memberEntry) int { return strings.Compare(a.ClientID, b.ClientID) })
	return entries
}

// cells are those of a table's row.
func (e *memberEntry) cells() []string {
	return []string{e.ClientID, e.Address, e.Language, e.Version, strings.Join(e.Brokers, ", ")}
}

// consumersView is the answer of consumerConnection.
type consumersView struct {
	Group         string              `json:"group"`
	Members       []memberEntry       `json:"members"`
	Subscriptions []subscriptionEntry `json:"subscriptions"`
	ConsumeType   string              `json:"consumeType"`
	Model         string              `json:"messageModel"`
	From          string              `json:"consumeFromWhere"`
	Failed        failures            `json:"failed,omitempty"`
}

// subscriptionEntry is what is subscribed of one topic.
type subscriptionEntry struct {
	Topic      string `json:"topic"`
	Expression string `json:"expression"`
	Type       string `json:"type"` // TAG or SQL92
}

func newSubscriptionEntry(s *proto.SubscriptionData) subscriptionEntry {
	return subscriptionEntry{s.Topic, s.Expression, s.ExpressionType}
}

func newConsumersView(group string, lists []memberList, failed failures) *consumersView {
	v := &consumersView{Group: group, Members: []memberEntry{}, Subscriptions: []subscriptionEntry{}, Failed: failed}
	for _, list := range lists {
		c := list.connection
		v.Members = addMembers(v.Members, list.broker, c.Members)
		v.ConsumeType, v.Model, v.From = c.ConsumeType.String(), c.Model.String(), c.From.String()
		for i := range c.Subscriptions {
			// Brokers should say the same, and where they do not both are shown.
			if s := newSubscriptionEntry(&c.Subscriptions[i]); !slices.Contains(v.Subscriptions, s) {
				v.Subscriptions = append(v.Subscriptions, s)
			}
		}
	}
	slices.SortFunc(v.Subscriptions, func(a, b subscriptionEntry) int { return strings.Compare(a.Topic, b.Topic) })
	return v
}

func (v *consumersView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Client id", "Address", "Language", "Version", "Brokers")}
	for i := range v.Members {
		t.Add(v.Members[i].cells()...)
	}
	if err := t.Write(out, width); err != nil {
		return err
	}
	if err := writeSubscriptions(out, width, v.Subscriptions); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nConsumeType: %s\nMessageModel: %s\nConsumeFromWhere: %s\n", v.ConsumeType, v.Model, v.From)
	return err
}

func writeSubscriptions(out io.Writer, width int, subscriptions []subscriptionEntry) error {
	t := table.Table{Columns: table.Columns("Topic", "Expression", "Type")}
	for _, s := range subscriptions {
		t.Add(s.Topic, s.Expression, s.Type)
	}
	return writeTitled(out, width, "\nSubscriptions", &t)
}

// writeTitled draws a table below a line.
func writeTitled(out io.Writer, width int, title string, t *table.Table) error {
	if _, err := io.WriteString(out, title+"\n"); err != nil {
		return err
	}
	return t.Write(out, width)
}

// producersView is the answer of producerConnection and producer.
type producersView struct {
	Groups     []producerGroup `json:"groups"`
	Failed     failures        `json:"failed,omitempty"`
	withGroups bool
}

type producerGroup struct {
	Group   string        `json:"group"`
	Members []memberEntry `json:"members"`
}

func (v *producersView) write(out io.Writer, width int) error {
	titles := []string{"Client id", "Address", "Language", "Version", "Brokers"}
	if v.withGroups {
		titles = append([]string{"Group"}, titles[:4]...)
	}
	t := table.Table{Columns: table.Columns(titles...)}
	for _, group := range v.Groups {
		for i := range group.Members {
			cells := group.Members[i].cells()
			if v.withGroups {
				cells = append([]string{group.Group}, cells[:4]...)
			}
			t.Add(cells...)
		}
	}
	return t.Write(out, width)
}
