package main

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/transport/message"
)

// sentView is the answer of sendMessage.
type sentView struct {
	Broker      string `json:"broker"`
	Queue       int32  `json:"queue"`
	Offset      int64  `json:"offset"`
	Result      string `json:"result"`      // the protocol's word, such as SEND_OK
	MessageID   string `json:"msgId"`       // made by the sender
	OffsetMsgID string `json:"offsetMsgId"` // says where it is stored
}

func (v *sentView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Broker", ">Queue", ">Offset", "Result", "Message id")}
	t.Add(v.Broker, number(v.Queue), number(v.Offset), v.Result, v.MessageID)
	return t.Write(out, width)
}

// consumedView is the answer of consumeMessage.
type consumedView struct {
	Messages []messageView `json:"messages"`
}

// messageView is one message.
type messageView struct {
	MessageID  string            `json:"msgId"`
	Topic      string            `json:"topic"`
	Broker     string            `json:"broker"`
	Queue      int32             `json:"queue"`
	Offset     int64             `json:"offset"`
	StoredAt   moment            `json:"storedAt"`
	Properties map[string]string `json:"properties"`
	Body       string            `json:"body,omitempty"`      // if it is text in UTF-8
	BodyBytes  []byte            `json:"bodyBytes,omitempty"` // otherwise, in base64
}

// setBody stores the body in the field that suits it.
func (m *messageView) setBody(body []byte) {
	if utf8.Valid(body) {
		m.Body = string(body)
	} else {
		m.BodyBytes = body
	}
}

func (v *consumedView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Message id", "Broker", ">Queue", ">Offset", "Stored", "Tag", "Keys", "Body")}
	for _, m := range v.Messages {
		t.Add(m.MessageID, m.Broker, number(m.Queue), number(m.Offset), m.StoredAt.String(),
			m.Properties[message.PropertyTags], m.Properties[message.PropertyKeys], m.bodyText())
	}
	return t.Write(out, width)
}

// bodyText is the body on one line.
func (m *messageView) bodyText() string {
	if m.BodyBytes != nil {
		return number(len(m.BodyBytes)) + " bytes that are not text"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, m.Body)
}
