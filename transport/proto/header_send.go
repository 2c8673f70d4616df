package proto

import (
	"encoding/hex"
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// SendMessage is the header of a send: ReqSendMessage, ReqSendReplyMessage (class
// SendMessageRequestHeader, whole names) and ReqSendMessageV2, ReqSendBatchMessage,
// ReqSendReplyMessageV2 (class SendMessageRequestHeaderV2, one letter a name). The
// frame's body is the message body, possibly compressed, or a row of batch elements.
//
// Both classes say the same. The methods of *SendMessage use the whole names, those of
// Short the letters; DecodeSendMessage picks by request code.
type SendMessage struct {
	ProducerGroup   string       // producerGroup, a
	Topic           string       // topic, b
	DefaultTopic    string       // defaultTopic, c: whose settings an unknown topic gets
	DefaultQueues   int32        // defaultTopicQueueNums, d: queues the producer wants for an unknown topic
	QueueID         int32        // queueId, e; < 0: the broker picks
	SysFlags        int32        // sysFlag, f
	BornAt          int64        // bornTimestamp, g: wall milliseconds of the producer
	UserFlags       int32        // flag, h: stored as it is
	Properties      string       // properties, i: name \x01 value \x02 …
	Redeliveries    int32        // reconsumeTimes, j
	UnitMode        bool         // unitMode, k
	RedeliveriesMax Maybe[int32] // maxReconsumeTimes, l: only consumers that send to a retry topic
	Batch           bool         // batch, m: the body is a batch although the code is not ReqSendBatchMessage
	BrokerName      string       // bname, n: of the broker the sender believes to talk to

	// Producer and Sequence are Gantry's own, and optional: which message of which producer this is, so that the broker knows one that
	// comes again. Other brokers pass over them. Producer (gantryProducer) is sent as 32 hexadecimal digits, and zeros are none. Sequence
	// (gantrySequence) is a number from 1 on; the messages of a batch have it and the ones that follow. It is -1 if either cannot be read.
	Producer [16]byte
	Sequence int64
}

// SendMessageShort is a SendMessage that is written and read in letters.
type SendMessageShort SendMessage

// Short returns the same header, not a copy, in the form of one letter a name.
func (h *SendMessage) Short() *SendMessageShort { return (*SendMessageShort)(h) }

// DecodeSendMessage reads the header of a send of any code: letters for the V2 and batch
// codes, whole names for the others.
func DecodeSendMessage(code int32, f wire.Fields, h *SendMessage) error {
	switch code {
	case ReqSendMessageV2, ReqSendBatchMessage, ReqSendReplyMessageV2:
		return h.Short().DecodeFields(f)
	}
	return h.DecodeFields(f)
}

// sendNames are the whole names by letter. The first required ones must be there.
var sendNames = [...]string{
	"producerGroup", "topic", "defaultTopic", "defaultTopicQueueNums", "queueId", "sysFlag",
	"bornTimestamp", "flag", "properties", "reconsumeTimes", "unitMode", "maxReconsumeTimes", "batch", "bname",
}

const sendRequired = 8 // a to h

// sendIndex is the place of a whole name in sendNames, or -1.
func sendIndex(key []byte) int {
	switch string(key) {
	case "producerGroup":
		return 0
	case "topic":
		return 1
	case "defaultTopic":
		return 2
	case "defaultTopicQueueNums":
		return 3
	case "queueId":
		return 4
	case "sysFlag":
		return 5
	case "bornTimestamp":
		return 6
	case "flag":
		return 7
	case "properties":
		return 8
	case "reconsumeTimes":
		return 9
	case "unitMode":
		return 10
	case "maxReconsumeTimes":
		return 11
	case "batch":
		return 12
	case "bname":
		return 13
	}
	return -1
}

// DecodeFields reads the form with whole names.
func (h *SendMessage) DecodeFields(f wire.Fields) error {
	*h = SendMessage{}
	d := sendDecoder{to: h}
	for i := range f {
		if at := sendIndex(f[i].Key); at >= 0 {
			d.take(at, f[i].Value)
		} else {
			d.takeOwn(f[i].Key, f[i].Value)
		}
	}
	return d.finish(func(i int) string { return sendNames[i] })
}

// DecodeFields reads the form with letters.
func (h *SendMessageShort) DecodeFields(f wire.Fields) error {
	*h = SendMessageShort{}
	d := sendDecoder{to: (*SendMessage)(h)}
	for i := range f {
		if len(f[i].Key) == 1 {
			d.take(int(f[i].Key[0])-'a', f[i].Value)
		} else {
			d.takeOwn(f[i].Key, f[i].Value)
		}
	}
	return d.finish(func(i int) string { return string(rune('a'+i)) + " (" + sendNames[i] + ")" })
}

// sendDecoder fills a SendMessage in one pass over the fields, because sends are the
// hottest requests and looking up fourteen names one by one shows in profiles.
type sendDecoder struct {
	to   *SendMessage
	seen uint16 // bit i: field i was there and readable
	bad  []byte // value of the first required number that is unreadable
	at   int    // its index

	unidentified bool // Gantry's own fields cannot be read
}

func (d *sendDecoder) take(i int, value []byte) {
	if i < 0 || i >= len(sendNames) {
		return
	}
	d.seen |= 1 << i
	switch i {
	case 0:
		d.to.ProducerGroup = string(value)
	case 1:
		d.to.Topic = string(value)
	case 2:
		d.to.DefaultTopic = internDefaultTopic(value)
	case 3:
		d.to.DefaultQueues = int32(d.number(i, value, 32))
	case 4:
		d.to.QueueID = int32(d.number(i, value, 32))
	case 5:
		d.to.SysFlags = int32(d.number(i, value, 32))
	case 6:
		d.to.BornAt = d.number(i, value, 64)
	case 7:
		d.to.UserFlags = int32(d.number(i, value, 32))
	case 8:
		d.to.Properties = string(value)
	case 9:
		d.to.Redeliveries = optionalInt32(value).Value
	case 10:
		d.to.UnitMode = parseFlag(value)
	case 11:
		d.to.RedeliveriesMax = optionalInt32(value)
	case 12:
		d.to.Batch = parseFlag(value)
	case 13:
		d.to.BrokerName = string(value)
	}
}

// Names of the fields that are Gantry's own, the same in both forms.
const (
	sendProducer = "gantryProducer"
	sendSequence = "gantrySequence"
)

// takeOwn reads what is Gantry's own.
func (d *sendDecoder) takeOwn(key, value []byte) {
	switch string(key) {
	case sendProducer:
		if len(value) != hex.EncodedLen(len(d.to.Producer)) {
			d.unidentified = true
			return
		}
		_, err := hex.Decode(d.to.Producer[:], value)
		d.unidentified = d.unidentified || err != nil
	case sendSequence:
		n, ok := parseInt(value)
		d.to.Sequence, d.unidentified = n, d.unidentified || !ok
	}
}

func (d *sendDecoder) number(i int, value []byte, bits int) int64 {
	n, ok := parseInt(value)
	if ok && (bits == 64 || fitsInt32(n)) {
		return n
	}
	if d.bad == nil {
		// A copy also makes an empty value differ from nil.
		d.bad, d.at = append(make([]byte, 0, len(value)+1), value...), i
	}
	return 0
}

func (d *sendDecoder) finish(name func(int) string) error {
	if d.unidentified {
		d.to.Producer, d.to.Sequence = [16]byte{}, -1
	}
	for i := range sendRequired {
		if d.seen&(1<<i) == 0 {
			return &FieldError{Field: name(i), Missing: true}
		}
	}
	if d.bad == nil {
		return nil
	}
	want := wantInt32
	if d.at == 6 {
		want = wantInt64
	}
	return &FieldError{Field: name(d.at), Value: shorten(d.bad), Want: want}
}

func optionalInt32(value []byte) Maybe[int32] {
	n, ok := parseInt(value)
	if !ok || !fitsInt32(n) {
		return Maybe[int32]{}
	}
	return Some(int32(n))
}

// internDefaultTopic saves a copy for the one default topic that nearly every send names.
func internDefaultTopic(value []byte) string {
	if string(value) == DefaultTopic {
		return DefaultTopic
	}
	return string(value)
}

// EncodeFields writes the form with whole names.
func (h *SendMessage) EncodeFields(e *wire.Encoder) { h.encode(e, &sendNames) }

// sendLetters are the letters in the place of sendNames.
var sendLetters = [len(sendNames)]string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"}

// EncodeFields writes the form with letters.
func (h *SendMessageShort) EncodeFields(e *wire.Encoder) {
	(*SendMessage)(h).encode(e, &sendLetters)
}

func (h *SendMessage) encode(e *wire.Encoder, names *[len(sendNames)]string) {
	e.String(names[0], h.ProducerGroup)
	e.String(names[1], h.Topic)
	e.String(names[2], h.DefaultTopic)
	e.Int(names[3], int64(h.DefaultQueues))
	e.Int(names[4], int64(h.QueueID))
	e.Int(names[5], int64(h.SysFlags))
	e.Int(names[6], h.BornAt)
	e.Int(names[7], int64(h.UserFlags))
	encodeText(e, names[8], h.Properties)
	e.Int(names[9], int64(h.Redeliveries))
	e.Bool(names[10], h.UnitMode)
	encodeMaybe(e, names[11], h.RedeliveriesMax)
	e.Bool(names[12], h.Batch)
	encodeText(e, names[13], h.BrokerName)
	if h.Producer != [16]byte{} {
		var digits [2 * len(h.Producer)]byte
		hex.Encode(digits[:], h.Producer[:])
		e.Bytes(sendProducer, digits[:])
	}
	if h.Sequence != 0 {
		e.Int(sendSequence, h.Sequence)
	}
}

// String shows what identifies the send; not the properties, which may be long.
func (h *SendMessage) String() string {
	return fmt.Sprintf("send to %s queue %d by %s, born %d", h.Topic, h.QueueID, h.ProducerGroup, h.BornAt)
}

// DefaultRegion is the region of brokers that have not been given one.
const DefaultRegion = "DefaultRegion"

// SendMessageResponse is the header of the answer to a send (class SendMessageResponseHeader)
// for RespSuccess and the three codes that mean "stored, but". All clients need it there.
type SendMessageResponse struct {
	OffsetID      string // msgId: address and log offset; of a batch, the ids of its elements joined by commas
	QueueID       int32  // queueId
	QueueOffset   int64  // queueOffset; of a batch, that of the first element
	TransactionID string // transactionId: the unique id of the stored message
	BatchUniqueID string // batchUniqId: inner batches only
	RecallHandle  string // recallHandle: delayed messages that can be called back
	Region        string // MSG_REGION; absent reads as DefaultRegion
	// TraceOff is the opposite of TRACE_ON, so that the zero value is the usual
	// answer: tracing is allowed.
	TraceOff bool
	// Offsets (gantryQueueOffsets, Gantry's own) are those of all messages of a batch, joined by commas, where they do not follow one
	// another: a crash has parted them.
	Offsets string
}

// EncodeFields writes the header.
func (h *SendMessageResponse) EncodeFields(e *wire.Encoder) {
	e.String("msgId", h.OffsetID)
	e.Int("queueId", int64(h.QueueID))
	e.Int("queueOffset", h.QueueOffset)
	encodeText(e, "transactionId", h.TransactionID)
	encodeText(e, "batchUniqId", h.BatchUniqueID)
	encodeText(e, "recallHandle", h.RecallHandle)
	region := h.Region
	if region == "" {
		region = DefaultRegion
	}
	e.String("MSG_REGION", region)
	e.Bool("TRACE_ON", !h.TraceOff)
	encodeText(e, "gantryQueueOffsets", h.Offsets)
}

// DecodeFields reads the header.
func (h *SendMessageResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = SendMessageResponse{
		OffsetID:      r.needText("msgId"),
		QueueID:       r.needInt32("queueId"),
		QueueOffset:   r.needInteger("queueOffset"),
		TransactionID: r.text("transactionId"),
		BatchUniqueID: r.text("batchUniqId"),
		RecallHandle:  r.text("recallHandle"),
		Region:        r.text("MSG_REGION"),
		TraceOff:      !r.flag("TRACE_ON", true),
		Offsets:       r.text("gantryQueueOffsets"),
	}
	if h.Region == "" {
		h.Region = DefaultRegion
	}
	return r.err
}

// String shows where the message went.
func (h *SendMessageResponse) String() string {
	return fmt.Sprintf("stored as %s in queue %d at %d", h.OffsetID, h.QueueID, h.QueueOffset)
}
