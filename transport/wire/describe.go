package wire

import (
	"strconv"
	"strings"
)

// How much of a command its description shows.
const (
	describedFields = 16 // entries
	describedBytes  = 64 // of one text
)

// String describes the fixed part in one line:
//
//	request 310 opaque 7 from JAVA 5.3.2
func (h *Header) String() string {
	var line strings.Builder
	h.describe(&line)
	return line.String()
}

// String describes the command in one line, long texts cut short:
//
//	request 310 opaque 7 from JAVA 5.3.2 fields{b=orders e=3} body 1024 B
//
// Values that prove who the sender is are not shown. The bytes are those after
// decoding, so the line is valid as long as the frame.
func (c *Command) String() string {
	var line strings.Builder
	c.Header.describe(&line)
	if len(c.Fields) > 0 {
		c.Fields.describe(&line)
	}
	if len(c.Body) > 0 {
		line.WriteString(" body " + strconv.Itoa(len(c.Body)) + " B")
	}
	return line.String()
}

func (h *Header) describe(line *strings.Builder) {
	line.WriteString(h.kind())
	line.WriteString(" " + strconv.Itoa(int(h.Code)))
	line.WriteString(" opaque " + strconv.Itoa(int(h.Opaque)))
	line.WriteString(" from " + h.Language.String() + " " + VersionName(h.Version))
	if h.Encoding != EncodingJSON {
		line.WriteString(" " + h.Encoding.String())
	}
	// Flags without a meaning are shown, for they are a sign of a stranger.
	if unknown := h.Flags &^ (FlagResponse | FlagOneway); unknown != 0 {
		line.WriteString(" flags " + strconv.Itoa(int(h.Flags)))
	}
	if h.Remark != "" {
		line.WriteString(" remark ")
		describeText(line, h.Remark)
	}
}

func (h *Header) kind() string {
	switch {
	case h.IsResponse():
		return "response"
	case h.IsOneway():
		return "oneway"
	}
	return "request"
}

func (f Fields) describe(line *strings.Builder) {
	line.WriteString(" fields{")
	for i, field := range f {
		if i > 0 {
			line.WriteByte(' ')
		}
		if i == describedFields {
			line.WriteString("and " + strconv.Itoa(len(f)-i) + " more")
			break
		}
		describeText(line, view(field.Key))
		line.WriteByte('=')
		if isSecret(field.Key) {
			line.WriteString("(hidden)")
		} else {
			describeText(line, view(field.Value))
		}
	}
	line.WriteByte('}')
}

// isSecret reports whether a field's value must stay out of logs: with one of these
// a request can be repeated, or made, in somebody's name.
func isSecret(key []byte) bool {
	return string(key) == "Signature" || string(key) == "SecurityToken" || string(key) == "secretKey"
}

// describeText writes a text, in quotes unless it is one plain word.
func describeText(line *strings.Builder, text string) {
	shown := text[:min(len(text), describedBytes)]
	if isPlainWord(shown) {
		line.WriteString(shown)
	} else {
		line.WriteString(strconv.Quote(shown))
	}
	if len(shown) < len(text) {
		line.WriteString("…")
	}
}

func isPlainWord(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"'={}`, c) >= 0 {
			return false
		}
	}
	return text != ""
}
