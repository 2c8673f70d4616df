package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/transport/message"
)

// foundView is the answer of the commands that find messages.
type foundView struct {
	Messages []foundMessage `json:"messages"`
	whole    bool           // all fields of each message, instead of a line
}

// foundMessage is a message with all that a broker knows of it.
type foundMessage struct {
	messageView
	OffsetMsgID  string `json:"offsetMsgId"`
	LogOffset    int64  `json:"commitLogOffset"`
	BornAt       moment `json:"bornAt"`
	BornHost     string `json:"bornHost"`
	StoreHost    string `json:"storeHost"`
	Redeliveries int32  `json:"reconsumeTimes"`
	SysFlags     int32  `json:"sysFlag"`
}

func newFoundView(found []*client.Received, whole bool) *foundView {
	v := &foundView{Messages: []foundMessage{}, whole: whole}
	for _, m := range found {
		v.Messages = append(v.Messages, foundMessage{
			messageView: newMessageView(m), OffsetMsgID: m.OffsetID.String(), LogOffset: int64(m.LogOffset),
			BornAt: moment(m.BornAt.UnixMilli()), BornHost: m.BornHost.String(), StoreHost: m.StoreHost.String(),
			Redeliveries: m.Redeliveries, SysFlags: int32(m.SysFlags),
		})
	}
	return v
}

func (v *foundView) write(out io.Writer, width int) error {
	if !v.whole {
		short := consumedView{}
		for i := range v.Messages {
			short.Messages = append(short.Messages, v.Messages[i].messageView)
		}
		return short.write(out, width)
	}
	for i := range v.Messages {
		if i > 0 {
			if _, err := io.WriteString(out, "\n"); err != nil {
				return err
			}
		}
		if err := v.Messages[i].write(out, width); err != nil {
			return err
		}
	}
	return nil
}

// write shows a message with the names that RocketMQ's tool gives its fields.
func (m *foundMessage) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Field", "Value")}
	for _, row := range [][2]string{
		{"Message ID", m.MessageID}, {"OffsetID", m.OffsetMsgID}, {"Topic", m.Topic},
		{"Tags", orDash(m.Properties[message.PropertyTags])}, {"Keys", orDash(m.Properties[message.PropertyKeys])},
		{"Broker", m.Broker}, {"Queue ID", number(m.Queue)}, {"Queue Offset", number(m.Offset)}, {"CommitLog Offset", number(m.LogOffset)},
		{"Reconsume Times", number(m.Redeliveries)}, {"Born Timestamp", m.BornAt.String()}, {"Store Timestamp", m.StoredAt.String()},
		{"Born Host", m.BornHost}, {"Store Host", m.StoreHost}, {"System Flag", number(m.SysFlags)},
		{"Properties", m.propertiesText()}, {"Message Body", m.bodyText()},
	} {
		t.Add(row[0], row[1])
	}
	return t.Write(out, width)
}

func (m *messageView) propertiesText() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m.Properties)) {
		parts = append(parts, name+"="+m.Properties[name])
	}
	return orDash(strings.Join(parts, ", "))
}

// cleanedView is the answer of commands that tell brokers to clean.
type cleanedView struct {
	Brokers []string `json:"brokers"` // addresses of those that were told
	command string
}

// write has the word of RocketMQ's tool, which scripts wait for.
func (v *cleanedView) write(out io.Writer, _ int) error {
	var text strings.Builder
	for _, broker := range v.Brokers {
		fmt.Fprintf(&text, "%s at %s success\n", v.command, broker)
	}
	_, err := io.WriteString(out, text.String())
	return err
}
