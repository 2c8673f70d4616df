package wire

import "strconv"

// Encoding is how a frame's header is written: the top byte of the frame's second
// word ("serialize type" in the protocol).
type Encoding uint8

// The two header encodings.
const (
	EncodingJSON   Encoding = 0 // an object of text
	EncodingBinary Encoding = 1 // "ROCKETMQ": fixed fields and counted strings
)

// String names the encoding as the protocol does.
func (e Encoding) String() string {
	switch e {
	case EncodingJSON:
		return "JSON"
	case EncodingBinary:
		return "ROCKETMQ"
	}
	return "encoding " + strconv.Itoa(int(e))
}

// Bits of Header.Flags.
const (
	FlagResponse int32 = 1 // a response; otherwise a request
	FlagOneway   int32 = 2 // the sender wants no answer
)

// Header is the fixed part of a command (class RemotingCommand).
type Header struct {
	Encoding Encoding
	Code     int32    // request or response code
	Language Language // of the sender
	Version  int32    // of the sender, the ordinal of MQVersion
	Opaque   int32    // ties a response to its request on one connection
	Flags    int32    // FlagResponse, FlagOneway
	Remark   string   // free text; empty means absent
}

// IsResponse reports whether the command answers a request.
func (h *Header) IsResponse() bool { return h.Flags&FlagResponse != 0 }

// IsOneway reports whether the sender of a request wants no answer.
func (h *Header) IsOneway() bool { return h.Flags&FlagOneway != 0 }

// Command is a request or a response (class RemotingCommand).
//
// A decoded command borrows: Fields and Body point into the bytes it was decoded
// from and live only as long as those. Clone makes one that owns its memory.
type Command struct {
	Header
	Fields Fields // "extFields"
	Body   []byte
}

// Clone returns a copy that shares no memory with c.
func (c *Command) Clone() *Command {
	clone := *c
	size := len(c.Body)
	for _, f := range c.Fields {
		size += len(f.Key) + len(f.Value)
	}
	arena := make([]byte, 0, size)
	keep := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		start := len(arena)
		arena = append(arena, b...)
		return arena[start:len(arena):len(arena)]
	}
	clone.Fields = make(Fields, len(c.Fields))
	for i, f := range c.Fields {
		clone.Fields[i] = Field{Key: keep(f.Key), Value: keep(f.Value)}
	}
	clone.Body = keep(c.Body)
	return &clone
}

// Field is one entry of the header's "extFields". A value that arrived as a JSON
// number or boolean keeps its exact text, because signatures are computed over it.
type Field struct{ Key, Value []byte }

// Fields are the entries in the order they were written. If a key appears twice
// the last one counts.
type Fields []Field

// Get returns the value of a key and whether it is there. The value borrows.
func (f Fields) Get(key string) ([]byte, bool) {
	for i := len(f) - 1; i >= 0; i-- {
		if string(f[i].Key) == key {
			return f[i].Value, true
		}
	}
	return nil, false
}

// String returns a copy of the value of a key, or "".
func (f Fields) String(key string) string {
	value, _ := f.Get(key)
	return string(value)
}

// Add appends an entry. It is for requests built by hand and tests; hot paths use Encoder.
func (f *Fields) Add(key, value string) {
	*f = append(*f, Field{Key: []byte(key), Value: []byte(value)})
}
