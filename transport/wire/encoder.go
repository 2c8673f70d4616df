package wire

import (
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"
)

// Encoder writes one frame at the end of a byte slice, field by field, and allocates
// nothing as long as the slice has room:
//
//	e := wire.Begin(dst, &header)
//	e.Int("queueId", 3)
//	e.String("msgId", id)
//	dst = e.End(body)
//
// It is a value; it must not be copied between the calls, nor used after End. It
// checks no limit: whoever sends compares what was appended with Limits.CheckSize.
// Two bounds are the encoding's own. A binary header holds only the low 16 bits of the
// code and the version, and has no entry for a key longer than 32,767 bytes, which is
// left out.
type Encoder struct {
	out    []byte
	start  int    // where the frame's length word is in out
	fields int    // where its fields begin in out
	header Header // JSON writes half of it after the fields
}

// Begin starts a frame behind dst. It takes all it needs of h at once. An encoding that
// is not EncodingBinary is written as JSON.
func Begin(dst []byte, h *Header) Encoder {
	e := Encoder{out: dst, start: len(dst), header: *h}
	if h.Encoding != EncodingBinary {
		e.header.Encoding = EncodingJSON
	}
	// The lengths are not known yet; End fills them in.
	e.out = append(e.out, 0, 0, 0, 0, byte(e.header.Encoding), 0, 0, 0)
	if e.header.Encoding == EncodingBinary {
		e.beginBinary()
	} else {
		e.beginJSON()
	}
	e.fields = len(e.out)
	return e
}

// String writes an entry of "extFields".
func (e *Encoder) String(key, value string) {
	if e.header.Encoding == EncodingBinary {
		e.out = appendBinaryEntry(e.out, key, value)
		return
	}
	if len(e.out) > e.fields {
		e.out = append(e.out, ',')
	}
	e.out = appendQuoted(e.out, key)
	e.out = append(e.out, ':')
	e.out = appendQuoted(e.out, value)
}

// Bytes writes an entry of "extFields". The value is only read.
func (e *Encoder) Bytes(key string, value []byte) { e.String(key, view(value)) }

// Int writes an entry of "extFields" as decimal text, inside quotes in JSON: clients
// read their answers into maps of strings.
func (e *Encoder) Int(key string, value int64) {
	var digits [20]byte // the longest is -9223372036854775808
	e.Bytes(key, strconv.AppendInt(digits[:0], value, 10))
}

// Bool writes an entry of "extFields" as the text true or false.
func (e *Encoder) Bool(key string, value bool) {
	if value {
		e.String(key, "true")
	} else {
		e.String(key, "false")
	}
}

// End appends the body, fills in the lengths, and returns the slice with the frame.
func (e *Encoder) End(body []byte) []byte {
	e.EndDetached(len(body))
	e.out = append(e.out, body...)
	return e.out
}

// EndDetached is End for a body of bodyLen bytes that the caller writes after the
// returned slice, for instance straight from a file.
func (e *Encoder) EndDetached(bodyLen int) []byte {
	if e.header.Encoding == EncodingBinary {
		e.endBinary()
	} else {
		e.endJSON()
	}
	frame := e.out[e.start:]
	headerLen := len(frame) - prefixSize
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-lengthSize+bodyLen))
	binary.BigEndian.PutUint32(frame[lengthSize:], uint32(e.header.Encoding)<<24|uint32(headerLen&headerLengthMask))
	return e.out
}

// view shows bytes as a string without copying them. The string must be forgotten
// before the bytes change; here that is before the call returns that was given them.
func view(p []byte) string { return unsafe.String(unsafe.SliceData(p), len(p)) }

// The keys of a JSON header come in the order Java writes them, the alphabetical one, with
// the fields in second place. They are always there, because clients look into the
// map of a reply without asking whether there is one.

func (e *Encoder) beginJSON() {
	e.out = append(e.out, `{"code":`...)
	e.out = strconv.AppendInt(e.out, int64(e.header.Code), 10)
	e.out = append(e.out, `,"extFields":{`...)
}

func (e *Encoder) endJSON() {
	h := &e.header
	out := append(e.out, `},"flag":`...)
	out = strconv.AppendInt(out, int64(h.Flags), 10)
	out = append(out, `,"language":"`...)
	out = append(out, h.Language.String()...)
	out = append(out, `","opaque":`...)
	out = strconv.AppendInt(out, int64(h.Opaque), 10)
	if h.Remark != "" {
		out = append(out, `,"remark":`...)
		out = appendQuoted(out, h.Remark)
	}
	out = append(out, `,"serializeTypeCurrentRPC":"JSON","version":`...)
	out = strconv.AppendInt(out, int64(h.Version), 10)
	e.out = append(out, '}')
}

func (e *Encoder) beginBinary() {
	h := &e.header
	out := binary.BigEndian.AppendUint16(e.out, uint16(h.Code))
	out = append(out, byte(h.Language))
	out = binary.BigEndian.AppendUint16(out, uint16(h.Version))
	out = binary.BigEndian.AppendUint32(out, uint32(h.Opaque))
	out = binary.BigEndian.AppendUint32(out, uint32(h.Flags))
	out = binary.BigEndian.AppendUint32(out, uint32(len(h.Remark)))
	out = append(out, h.Remark...)
	e.out = append(out, 0, 0, 0, 0) // length of the entries, filled in by endBinary
}

func (e *Encoder) endBinary() {
	binary.BigEndian.PutUint32(e.out[e.fields-4:], uint32(len(e.out)-e.fields))
}

func appendBinaryEntry(out []byte, key, value string) []byte {
	if len(key) > math.MaxInt16 {
		return out
	}
	out = binary.BigEndian.AppendUint16(out, uint16(len(key)))
	out = append(out, key...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(value)))
	return append(out, value...)
}
