package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/transport/message"
)

// logFilesView is the answer of inspect log.
type logFilesView struct {
	Start int64          `json:"start"`
	End   int64          `json:"end"`             // one past the last message
	Doubt string         `json:"doubt,omitempty"` // why the log ends there, if not at unwritten bytes
	Files []logFileEntry `json:"files"`
}

type logFileEntry struct {
	Path          string `json:"path"`
	From          int64  `json:"from"`
	To            int64  `json:"to"` // one past its last byte
	FirstStoredAt moment `json:"firstStoredAt"`
}

func (v *logFilesView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("File", ">From", ">To", "First message stored")}
	for _, file := range v.Files {
		t.Add(file.Path, number(file.From), number(file.To), file.FirstStoredAt.String())
	}
	if err := t.Write(out, width); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nThe log is [%d, %d), %d bytes.\n", v.Start, v.End, v.End-v.Start)
	if v.Doubt != "" && err == nil {
		_, err = fmt.Fprintf(out, "It ends there because of %s\n", v.Doubt)
	}
	return err
}

// recordsView is the answer of inspect log --from.
type recordsView struct {
	Records []recordView `json:"messages"`
	Next    int64        `json:"next"` // where the next one may begin
}

// recordView is one message on a line.
type recordView struct {
	LogOffset int64  `json:"commitLogOffset"`
	Size      int32  `json:"size"`
	Topic     string `json:"topic"`
	Queue     int32  `json:"queue"`
	Offset    int64  `json:"offset"`
	StoredAt  moment `json:"storedAt"`
	Tags      string `json:"tags,omitempty"`
	Keys      string `json:"keys,omitempty"`
	UniqueID  string `json:"uniqueKey,omitempty"`
	BodySize  int    `json:"bodySize"` // as stored
}

func newRecordView(r *message.Record) recordView {
	return recordView{
		LogOffset: int64(r.LogOffset), Size: r.TotalSize, Topic: string(r.Topic), Queue: r.QueueID, Offset: int64(r.QueueOffset),
		StoredAt: moment(r.StoredAt), BodySize: len(r.Body),
		Tags:     message.PropertyString(r.Properties, message.PropertyTags),
		Keys:     message.PropertyString(r.Properties, message.PropertyKeys),
		UniqueID: message.PropertyString(r.Properties, message.PropertyUniqueID),
	}
}

func writeRecords(out io.Writer, width int, records []recordView) error {
	t := table.Table{Columns: table.Columns(">Place", ">Size", "Topic", ">Queue", ">Offset", "Stored", "Tag", "Keys", "Unique key")}
	for _, r := range records {
		t.Add(number(r.LogOffset), number(r.Size), r.Topic, number(r.Queue), number(r.Offset), r.StoredAt.String(), r.Tags, r.Keys, r.UniqueID)
	}
	return t.Write(out, width)
}

func (v *recordsView) write(out io.Writer, width int) error {
	if err := writeRecords(out, width, v.Records); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nThe next message begins, or will begin, at %d.\n", v.Next)
	return err
}

// recordDetail is the answer of inspect log --at.
type recordDetail struct {
	recordView
	Magic        string            `json:"magic"`
	BodyCRC      uint32            `json:"bodyCRC"`
	UserFlags    int32             `json:"flag"`
	SysFlags     int32             `json:"sysFlag"`
	SysFlagWords string            `json:"sysFlagWords"`
	BornAt       moment            `json:"bornAt"`
	BornHost     string            `json:"bornHost"`
	StoreHost    string            `json:"storeHost"`
	Redeliveries int32             `json:"reconsumeTimes"`
	PreparedAt   int64             `json:"preparedTransactionOffset"`
	OffsetMsgID  string            `json:"offsetMsgId"`
	Properties   map[string]string `json:"properties"`
	Body         string            `json:"body,omitempty"`      // if it is text in UTF-8, unpacked
	BodyBytes    []byte            `json:"bodyBytes,omitempty"` // otherwise, as stored if it cannot be unpacked
}

// bodyMax bounds what a compressed body may unpack to, in bytes.
const bodyMax = 64 << 20

// newRecordDetail also returns why the body could not be unpacked, if so.
func newRecordDetail(r *message.Record) (*recordDetail, error) {
	v := &recordDetail{
		recordView: newRecordView(r), Magic: r.Magic.String(), BodyCRC: r.BodyCRC, UserFlags: r.UserFlags,
		SysFlags: int32(r.SysFlags), SysFlagWords: r.SysFlags.String(), BornAt: moment(r.BornAt), BornHost: r.BornHost.String(),
		StoreHost: r.StoreHost.String(), Redeliveries: r.Redeliveries, PreparedAt: int64(r.PreparedAt), OffsetMsgID: r.OffsetID().String(),
		Properties: map[string]string{},
	}
	for _, p := range message.ParseProperties(r.Properties) {
		v.Properties[p.Name] = p.Value
	}
	body, err := new(message.Decompressor).Body(r.Body, r.SysFlags, bodyMax)
	switch {
	case err != nil:
		v.BodyBytes, err = r.Body, fmt.Errorf("the body cannot be unpacked and is shown as it is stored: %w", err)
	case utf8.Valid(body):
		v.Body = string(body)
	default:
		v.BodyBytes = body
	}
	return v, err
}

func (v *recordDetail) write(out io.Writer, width int) error {
	shown := messageView{Properties: v.Properties, Body: v.Body, BodyBytes: v.BodyBytes}
	t := table.Table{Columns: table.Columns("Field", "Value")}
	for _, row := range [][2]string{
		{"place in the log", number(v.LogOffset)}, {"size", number(v.Size)}, {"magic", v.Magic}, {"body CRC", fmt.Sprintf("%08X", v.BodyCRC)},
		{"topic", v.Topic}, {"queue", number(v.Queue)}, {"offset in the queue", number(v.Offset)}, {"flag", number(v.UserFlags)},
		{"system flags", fmt.Sprintf("%d (%s)", v.SysFlags, orDash(v.SysFlagWords))}, {"born", v.BornAt.String()}, {"born at", v.BornHost},
		{"stored", v.StoredAt.String()}, {"stored at", v.StoreHost}, {"redeliveries", number(v.Redeliveries)},
		{"prepared at", number(v.PreparedAt)}, {"offsetMsgId", v.OffsetMsgID}, {"properties", shown.propertiesText()},
		{"stored body", number(v.BodySize) + " bytes"}, {"body", shown.bodyText()},
	} {
		t.Add(row[0], row[1])
	}
	return t.Write(out, width)
}

// bytesView is the answer of inspect log --hex.
type bytesView struct {
	At    int64  `json:"commitLogOffset"`
	Bytes []byte `json:"bytes"` // base64
}

// write numbers lines from the first byte shown, as the tables of FORMAT.md do.
func (v *bytesView) write(out io.Writer, _ int) error {
	_, err := fmt.Fprintf(out, "%d bytes from %d on\n%s", len(v.Bytes), v.At, hex.Dump(v.Bytes))
	return err
}
