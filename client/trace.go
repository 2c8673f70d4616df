package client

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file puts message traces into bytes.

// TraceOptions say where message traces go. The zero value is what other clients do.
type TraceOptions struct {
	Topic string // "traceTopic"; "": RMQ_SYS_TRACE_TOPIC
	// Records is how many are sent together ("traceMsgBatchNum"), from 1 to 20; 0 means 10. Fewer go when they are 5 s old.
	Records int
}

// withDefaults fills in what was left out.
func (o TraceOptions) withDefaults() TraceOptions {
	return TraceOptions{Topic: cmp.Or(o.Topic, proto.TraceTopic), Records: cmp.Or(o.Records, 10)}
}

// String shows topic and number.
func (o TraceOptions) String() string { return fmt.Sprintf("%d records to %s", o.Records, o.Topic) }

// traceKind is the "msgType" of a record (enum MessageType). Order_Msg, 4, is left out: readers before 5 do not know it.
type traceKind int

const (
	traceNormal traceKind = 0 // Normal_Msg
	traceHalf   traceKind = 1 // Trans_Msg_Half
	traceCommit traceKind = 2 // Trans_msg_Commit
	traceDelay  traceKind = 3 // Delay_Msg
)

func traceKindOf(m *Message) traceKind {
	switch {
	case m.Properties.Get(message.PropertyHalfMessage) == "true":
		return traceHalf
	case delayed(m), m.Properties.Get(message.PropertyStartDeliverAtMillis) != "":
		return traceDelay
	}
	return traceNormal
}

// publication is one stored message, as traces tell it (classes TraceContext and TraceBean, type Pub).
type publication struct {
	at         env.WallMillis // when the try began
	region     string
	group      string
	topic      string
	uniqueID   string
	tags, keys string
	storeHost  string // address of the broker
	bodyLength int    // before compression
	cost       time.Duration
	kind       traceKind
	offsetID   string
	safe       bool // stored as safely as promised (SEND_OK)
}

// Separators of a trace.
const (
	traceFieldEnd  = "\x01" // CONTENT_SPLITOR
	traceRecordEnd = "\x02" // FIELD_SPLITOR
)

// traceRecord is one line of a trace.
type traceRecord interface {
	// append appends the record in its text form.
	append(dst []byte) []byte
	// subject is the message that it tells of; its keys have blanks between them.
	subject() (topic, uniqueID, keys string)
}

// append appends 14 fields, of which those that are unknown are empty.
func (p *publication) append(dst []byte) []byte {
	return appendTrace(dst,
		"Pub", strconv.FormatInt(int64(p.at), 10), p.region, p.group, p.topic, p.uniqueID, p.tags, p.keys, p.storeHost,
		strconv.Itoa(p.bodyLength), strconv.FormatInt(p.cost.Milliseconds(), 10), strconv.Itoa(int(p.kind)), p.offsetID,
		strconv.FormatBool(p.safe),
	)
}

func (p *publication) subject() (topic, uniqueID, keys string) { return p.topic, p.uniqueID, p.keys }

// appendTrace appends the fields of a record.
func appendTrace(dst []byte, fields ...string) []byte {
	for i, field := range fields {
		if i > 0 {
			dst = append(dst, traceFieldEnd...)
		}
		// What a broker made up could hold a separator.
		if strings.ContainsAny(field, traceFieldEnd+traceRecordEnd) {
			field = strings.NewReplacer(traceFieldEnd, " ", traceRecordEnd, " ").Replace(field)
		}
		dst = append(dst, field...)
	}
	return append(dst, traceRecordEnd...)
}

// Bounds of one trace message, in bytes.
const (
	traceBodyMax = 128_000
	traceKeysMax = 16 << 10 // of the property KEYS, which shares the 32,767 bytes of all properties
)

// traceMessages puts records into messages for the trace topic: those of one topic together, in the order of their
// first ones. The keys of a message are the unique ids and keys of what it tells of, so that queries by key find it.
func traceMessages(topic string, records []traceRecord) []*Message {
	var messages []*Message
	last := map[string]*traceMessage{} // by topic of the records
	for _, r := range records {
		of, _, _ := r.subject()
		m := last[of]
		if m == nil || !m.add(r) {
			m = &traceMessage{Message: &Message{Topic: topic}, seen: map[string]bool{}}
			messages = append(messages, m.Message)
			last[of] = m
			m.add(r)
		}
	}
	return messages
}

// traceMessage is a message that records are added to.
type traceMessage struct {
	*Message
	keys []string
	seen map[string]bool
	size int // of the keys, in bytes
}

// add reports false if there is no room. The first record always has some; keys that are too long are left out then.
func (m *traceMessage) add(r traceRecord) bool {
	body := r.append(m.Body)
	keys, size := m.newKeys(r)
	if len(m.Body) > 0 && (len(body) > traceBodyMax || m.size+size > traceKeysMax) {
		return false
	}
	m.Body = body
	for _, key := range keys {
		if m.seen[key] || m.size+len(key)+1 > traceKeysMax {
			continue
		}
		m.seen[key] = true
		m.keys, m.size = append(m.keys, key), m.size+len(key)+1
	}
	m.SetKeys(m.keys...)
	return true
}

// newKeys are the keys that a record adds, and their size with blanks.
func (m *traceMessage) newKeys(r traceRecord) (keys []string, size int) {
	_, uniqueID, all := r.subject()
	for _, key := range append([]string{uniqueID}, strings.Fields(all)...) {
		if key != "" && !m.seen[key] {
			keys, size = append(keys, key), size+len(key)+1
		}
	}
	return keys, size
}
