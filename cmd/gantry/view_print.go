package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/transport/message"
)

// messagePrinter prints messages while they are read: there may be more than fit into memory.
type messagePrinter struct {
	*console
	*printing
	asJSON bool
	count  int
	tags   map[string]int
}

// begin announces a queue.
func (m *messagePrinter) begin(queue client.Queue, from, to client.QueueOffset) error {
	if m.asJSON || !m.messages {
		return nil
	}
	_, err := fmt.Fprintf(m.out, "%s has [%d, %d)\n", queue, from, to)
	return err
}

// message prints one on a line.
func (m *messagePrinter) message(r *client.Received) error {
	m.count++
	m.tags[r.Tags()]++
	if !m.messages {
		return nil
	}
	v := newMessageView(r)
	if !m.bodies {
		v.Body, v.BodyBytes = "", nil
	}
	if m.asJSON {
		return m.encode(v)
	}
	line := fmt.Sprintf("MSGID: %s QUEUE: %s:%d OFFSET: %d STORED: %s", v.MessageID, v.Broker, v.Queue, v.Offset, strings.ReplaceAll(v.StoredAt.String(), " ", "T"))
	for _, field := range [][2]string{{"TAGS", v.Properties[message.PropertyTags]}, {"KEYS", v.Properties[message.PropertyKeys]}} {
		if field[1] != "" {
			line += " " + field[0] + ": " + field[1]
		}
	}
	if m.bodies {
		line += " BODY: " + v.bodyText()
	}
	_, err := fmt.Fprintln(m.out, line)
	return err
}

// encode writes an object on a line.
func (m *messagePrinter) encode(value any) error {
	encoder := json.NewEncoder(m.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// countView is the last line of JSON.
type countView struct {
	Count int            `json:"count"`
	Tags  map[string]int `json:"tags,omitempty"`
}

// finish says how many messages there were.
func (m *messagePrinter) finish() error {
	if m.asJSON {
		counts := countView{Count: m.count}
		if m.countTags {
			counts.Tags = m.tags
		}
		return m.encode(counts)
	}
	if m.countTags {
		t := table.Table{Columns: table.Columns("Tag", ">Count")}
		for _, tag := range sortedTags(m.tags) {
			t.Add(orDash(tag), number(m.tags[tag]))
		}
		if err := t.Write(m.out, m.width); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(m.out, "%d messages\n", m.count)
	return err
}
