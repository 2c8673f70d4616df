package main

import (
	"io"
	"strconv"

	"github.com/gantrymq/gantry/cmd/gantry/table"
)

// handedView tells how a consumer took messages that were handed to it.
type handedView struct {
	Messages []handedEntry `json:"messages"`
}

type handedEntry struct {
	MessageID  string `json:"msgId"`
	Result     string `json:"consumeResult"` // the protocol's word, such as CR_SUCCESS
	Ordered    bool   `json:"order"`
	AutoCommit bool   `json:"autoCommit"`
	Millis     int64  `json:"spentTimeMills"`
	Remark     string `json:"remark,omitempty"`
}

func (v *handedView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Message id", "Result", "Ordered", ">ms", "Remark")}
	for _, m := range v.Messages {
		t.Add(m.MessageID, m.Result, strconv.FormatBool(m.Ordered), number(m.Millis), orDash(m.Remark))
	}
	return t.Write(out, width)
}

// resentView tells where copies of messages were stored.
type resentView struct {
	Messages []resentEntry `json:"messages"`
}

type resentEntry struct {
	From string `json:"from"` // id of the message that was copied
	sentView
}

func (v *resentView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Copy of", "Broker", ">Queue", ">Offset", "Result", "Message id")}
	for _, m := range v.Messages {
		t.Add(m.From, m.Broker, number(m.Queue), number(m.Offset), m.Result, m.MessageID)
	}
	return t.Write(out, width)
}
