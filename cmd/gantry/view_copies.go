package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/table"
)

// copiesView is the answer of haStatus.
type copiesView struct {
	Brokers []copiesEntry `json:"brokers"`
	Failed  failures      `json:"failed,omitempty"`
}

// copiesEntry is one broker. It has slaves or follows.
type copiesEntry struct {
	Broker    string       `json:"broker,omitempty"`
	ID        *int64       `json:"id,omitempty"` // nil if it is not known; 0 is the master
	Address   string       `json:"address"`
	Role      string       `json:"role,omitempty"` // brokerRole, which Apache's brokers do not tell
	Master    bool         `json:"master"`
	LogEnd    int64        `json:"logEnd"` // of its own log
	Confirmed *int64       `json:"confirmed,omitempty"`
	Needed    int32        `json:"neededCopies,omitempty"`
	InSync    int32        `json:"inSyncSlaves"`
	Slaves    []slaveEntry `json:"slaves,omitempty"`
	Refused   int64        `json:"refusedCopies"`
	Why       string       `json:"whyRefused,omitempty"`
	Follows   *followEntry `json:"follows,omitempty"`
}

// slaveEntry is one connection of a slave, as its master sees it.
type slaveEntry struct {
	ID      int64  `json:"id,omitempty"` // of one that controllers know; 0 where roles are configured
	Address string `json:"address"`
	Acked   int64  `json:"acked"`
	Behind  int64  `json:"behindBytes"`
	Lag     int64  `json:"lagMillis"`
	InSync  bool   `json:"inSync"`
	Speed   int64  `json:"bytesPerSecond"`
	Sent    int64  `json:"sent"`
}

// followEntry is a slave, as it sees itself.
type followEntry struct {
	Master    string `json:"master"`
	LogEnd    int64  `json:"logEnd"`
	Speed     int64  `json:"bytesPerSecond"`
	ReadAt    moment `json:"lastRead"`
	WroteAt   moment `json:"lastReport"`
	Flushed   int64  `json:"masterFlushed"`
	Connected bool   `json:"connected"`
	Diverged  string `json:"diverged,omitempty"`
}

func newCopiesView(answers []brokerAnswer[*client.CopiesStatus], failed failures) *copiesView {
	v := &copiesView{Brokers: []copiesEntry{}, Failed: failed}
	for _, a := range answers {
		entry := newCopiesEntry(a.value)
		entry.Broker, entry.Address = a.broker.Name, a.broker.Address
		if a.broker.Name != "" {
			entry.ID = &a.broker.ID
		}
		v.Brokers = append(v.Brokers, entry)
	}
	return v
}

func newCopiesEntry(s *client.CopiesStatus) copiesEntry {
	e := copiesEntry{Role: s.Role, Master: s.Master, LogEnd: s.LogEnd, Needed: s.Needed, InSync: s.InSync, Refused: s.Refused, Why: s.Why}
	if s.Role != "" {
		e.Confirmed = &s.Confirmed
	}
	if !s.Master {
		f := s.Following
		e.LogEnd = f.LogEnd
		e.Follows = &followEntry{f.Master, f.LogEnd, f.Speed, moment(f.ReadAt), moment(f.WroteAt), f.Flushed, f.Connected, f.Diverged}
	}
	for _, c := range s.Slaves {
		e.Slaves = append(e.Slaves, slaveEntry{c.ID, c.Address, c.Acked, c.Behind, c.LagMillis, c.InSync, c.Speed, c.Sent})
	}
	return e
}

// write has a part for each broker: a few lines, and a table of its slaves or of its own state.
func (v *copiesView) write(out io.Writer, width int) error {
	for i := range v.Brokers {
		e := &v.Brokers[i]
		if _, err := fmt.Fprintf(out, "%s%s\n", strings.Repeat("\n", min(i, 1)), e.headline()); err != nil {
			return err
		}
		t := e.table()
		if len(t.Rows) > 0 {
			if err := t.Write(out, width); err != nil {
				return err
			}
		}
		for _, line := range e.troubles() {
			if _, err := fmt.Fprintln(out, line); err != nil {
				return err
			}
		}
	}
	return nil
}

// headline has several lines, each of which fits a usual terminal.
func (e *copiesEntry) headline() string {
	name := e.Address
	if e.ID != nil {
		name = client.Broker{Name: e.Broker, ID: *e.ID, Address: e.Address}.String()
	}
	role := e.Role
	switch {
	case !e.Master:
		return name + ": a slave of " + orDash(e.Follows.Master)
	case role == "":
		role = "a master"
	}
	text := fmt.Sprintf("%s: %s\nits log ends at %d", name, role, e.LogEnd)
	if e.Confirmed != nil {
		text += fmt.Sprintf(" and is confirmed up to %d\n%s needed", *e.Confirmed, copyCount(e.Needed))
	}
	return text + fmt.Sprintf("; %d of %d slaves keep up", e.InSync, len(e.Slaves))
}

func copyCount(n int32) string {
	if n == 1 {
		return "1 copy is"
	}
	return fmt.Sprintf("%d copies are", n)
}

func (e *copiesEntry) table() *table.Table {
	if f := e.Follows; f != nil {
		t := &table.Table{Columns: table.Columns(">Log ends at", ">KB/s", "Last read", "Last report", "Status")}
		t.Add(number(f.LogEnd), kilobytes(f.Speed), orDash(f.ReadAt.String()), orDash(f.WroteAt.String()), f.status(e.Role != ""))
		return t
	}
	t := &table.Table{Columns: table.Columns("Slave", ">Acknowledged", ">Behind", ">Lag", ">KB/s", "Status", ">Sent up to")}
	for _, s := range e.Slaves {
		status := "OK"
		if !s.InSync {
			status = "Fall Behind"
		}
		lag := "-"
		if e.Role != "" {
			lag = (time.Duration(s.Lag) * time.Millisecond).String()
		}
		t.Add(s.name(), number(s.Acked), number(s.Behind), lag, kilobytes(s.Speed), status, number(s.Sent))
	}
	return t
}

// name is how a table names a slave. One with a number comes from any port of its machine.
func (s *slaveEntry) name() string {
	if host, _, err := net.SplitHostPort(s.Address); err == nil && s.ID > 0 {
		return fmt.Sprintf("id %d, %s", s.ID, host)
	}
	return s.Address
}

// status tells whether a slave follows. Slaves of Apache's never say so: only what they have read tells.
func (f *followEntry) status(tells bool) string {
	switch {
	case f.Diverged != "":
		return "diverged"
	case f.Connected:
		return "follows"
	case tells:
		return "does not follow"
	}
	return "-"
}

func kilobytes(bytes int64) string { return decimal(float64(bytes) / 1024) }

// troubles are what somebody ought to look at.
func (e *copiesEntry) troubles() (lines []string) {
	if e.Refused > 0 {
		lines = append(lines, fmt.Sprintf("refused: %d, the last one because %s", e.Refused, e.Why))
	}
	if e.Follows != nil && e.Follows.Diverged != "" {
		lines = append(lines, "does not follow: "+e.Follows.Diverged)
	}
	return lines
}
