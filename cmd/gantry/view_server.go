package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/transport/proto"
)

// serversView is what several brokers or name servers tell of themselves: keys and values.
type serversView struct {
	Servers []serverEntry `json:"servers"`
	Failed  failures      `json:"failed,omitempty"`
}

type serverEntry struct {
	Broker  string            `json:"broker,omitempty"`
	ID      *int64            `json:"id,omitempty"` // nil if it is not known; 0 is the master
	Address string            `json:"address"`
	Values  map[string]string `json:"values"`
}

func newServersView(answers []brokerAnswer[map[string]string], failed failures) *serversView {
	v := &serversView{Servers: []serverEntry{}, Failed: failed}
	for _, a := range answers {
		entry := serverEntry{Broker: a.broker.Name, Address: a.broker.Address, Values: a.value}
		if a.broker.Name != "" {
			entry.ID = &a.broker.ID
		}
		v.Servers = append(v.Servers, entry)
	}
	return v
}

// valuesOf makes a map of a configuration.
func valuesOf(text proto.ConfigText) map[string]string {
	values := map[string]string{}
	for _, entry := range text {
		values[entry.Key] = entry.Value
	}
	return values
}

// write has a table for each server, with a line above if there are several.
func (v *serversView) write(out io.Writer, width int) error {
	for i, server := range v.Servers {
		if len(v.Servers) > 1 {
			if _, err := fmt.Fprintf(out, "%s============%s============\n", strings.Repeat("\n", min(i, 1)), server.name()); err != nil {
				return err
			}
		}
		t := table.Table{Columns: table.Columns("Key", "Value")}
		for _, key := range slices.Sorted(maps.Keys(server.Values)) {
			t.Add(key, server.Values[key])
		}
		if err := t.Write(out, width); err != nil {
			return err
		}
	}
	return nil
}

func (e *serverEntry) name() string {
	if e.ID == nil {
		return e.Address
	}
	return client.Broker{Name: e.Broker, ID: *e.ID, Address: e.Address}.String()
}

// doneView is the answer of commands that change something at several places.
type doneView struct {
	Done   []string          `json:"done"`            // addresses where it is done
	Notes  map[string]string `json:"notes,omitempty"` // by address: what there is to say
	Failed failures          `json:"failed,omitempty"`
	// line is printed for each address, with %s in its place, unless it is "". These are the words that scripts wait for.
	line string
	// last is printed behind them, if it is done anywhere.
	last string
}

func newDoneView(done []string, failed failures, line string) *doneView {
	if done == nil {
		done = []string{}
	}
	return &doneView{Done: done, Failed: failed, line: line}
}

func (v *doneView) write(out io.Writer, _ int) error {
	var text strings.Builder
	for _, address := range v.Done {
		if v.line != "" {
			text.WriteString(strings.ReplaceAll(v.line, "%s", address) + "\n")
		}
		if note := v.Notes[address]; note != "" {
			text.WriteString("  " + note + "\n")
		}
	}
	if v.last != "" && len(v.Done) > 0 {
		text.WriteString(v.last + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}
