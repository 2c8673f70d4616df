package proto

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// PopRetry says which topic a popped message was read from. In every text of the protocol it is one digit.
type PopRetry string

// The kinds of topic. "" counts as PopNormal where a text is made, and is never read.
const (
	PopNormal  PopRetry = "0" // the topic itself
	PopRetryV1 PopRetry = "1" // %RETRY%<group>_<topic>
	PopRetryV2 PopRetry = "2" // %RETRY%<group>+<topic>
)

// String is the digit of the protocol.
func (r PopRetry) String() string { return string(cmp.Or(r, PopNormal)) }

// valid reports whether the digit means something.
func (r PopRetry) valid() bool { return r == PopNormal || r == PopRetryV1 || r == PopRetryV2 }

// ErrReceipt is under every error of ParsePopReceipt.
var ErrReceipt = errors.New("unusable receipt of a popped message")

// ErrPopInfo is under every error of the functions that read what an answer to a pop says of offsets.
var ErrPopInfo = errors.New("unusable offsets of a pop")

// ReviveQueueOrdered is the PopReceipt.ReviveQueueID of ordered pops (KeyBuilder.POP_ORDER_REVIVE_QUEUE).
const ReviveQueueOrdered = 999

// PopReceipt is what a member of a group gets with a popped message, and shows when it acknowledges it or hides it for
// longer: the property POP_CK, also "extraInfo" and "receipt handle" (class ExtraInfoUtil). All numbers are >= 0.
type PopReceipt struct {
	StartOffset     int64    // ckQueueOffset: of the first message of the pop in this queue; <= QueueOffset
	PoppedAt        int64    // popTime: wall milliseconds of the broker
	InvisibleMillis int64    // invisibleTime: the message may come again so long after PoppedAt
	ReviveQueueID   int32    // reviveQid: queue of the revive topic that has the check point; ReviveQueueOrdered for ordered pops
	Retry           PopRetry // which topic the queue belongs to
	BrokerName      string   // brokerName; not empty, without blanks
	QueueID         int32    // queueId
	QueueOffset     int64    // queueOffset: of the message
	LogOffset       int64    // commitLogOffset: optional, -1 if absent; receipts of the gRPC proxy have it
}

// String is the text of the protocol: eight fields, or nine, separated by blanks.
func (r PopReceipt) String() string {
	text := make([]byte, 0, 96)
	for _, n := range [...]int64{r.StartOffset, r.PoppedAt, r.InvisibleMillis, int64(r.ReviveQueueID)} {
		text = append(strconv.AppendInt(text, n, 10), ' ')
	}
	text = append(append(text, r.Retry.String()...), ' ')
	text = append(append(text, r.BrokerName...), ' ')
	text = append(strconv.AppendInt(text, int64(r.QueueID), 10), ' ')
	text = strconv.AppendInt(text, r.QueueOffset, 10)
	if r.LogOffset >= 0 {
		text = strconv.AppendInt(append(text, ' '), r.LogOffset, 10)
	}
	return string(text)
}

// VisibleAt is when the message may come again, in wall milliseconds of the broker.
func (r PopReceipt) VisibleAt() int64 {
	if r.PoppedAt > math.MaxInt64-r.InvisibleMillis {
		return math.MaxInt64
	}
	return r.PoppedAt + r.InvisibleMillis
}

// ParsePopReceipt reads a receipt. It takes only what PopReceipt.String writes, so that equal receipts are equal texts. The
// error is ErrReceipt and names the field.
func ParsePopReceipt(text string) (PopReceipt, error) {
	fields := strings.Split(text, " ")
	if len(fields) != 8 && len(fields) != 9 {
		return PopReceipt{}, fmt.Errorf("%w: %q has %d fields: send the property POP_CK of the message, which has 8 or 9",
			ErrReceipt, shorten([]byte(text)), len(fields))
	}
	f := popFields{fields: fields}
	r := PopReceipt{
		StartOffset: f.number(0, "ckQueueOffset", math.MaxInt64), PoppedAt: f.number(1, "popTime", math.MaxInt64),
		InvisibleMillis: f.number(2, "invisibleTime", math.MaxInt64), ReviveQueueID: int32(f.number(3, "reviveQid", math.MaxInt32)),
		Retry: f.retry(4), BrokerName: fields[5], QueueID: int32(f.number(6, "queueId", math.MaxInt32)),
		QueueOffset: f.number(7, "queueOffset", math.MaxInt64), LogOffset: -1,
	}
	if len(fields) == 9 {
		r.LogOffset = f.number(8, "commitLogOffset", math.MaxInt64)
	}
	f.need(r.BrokerName != "", "brokerName", "", "a name")
	f.need(r.StartOffset <= r.QueueOffset, "ckQueueOffset", fields[0], "an offset that is not behind that of the message, "+fields[7])
	if f.fault != "" {
		return PopReceipt{}, fmt.Errorf("%w: %s", ErrReceipt, f.fault)
	}
	return r, nil
}

// popFields reads the fields of a text and keeps the first fault.
type popFields struct {
	fields []string
	fault  string
}

func (f *popFields) need(ok bool, name, value, want string) {
	if !ok && f.fault == "" {
		f.fault = fmt.Sprintf("%s is %q: it must be %s", name, shorten([]byte(value)), want)
	}
}

func (f *popFields) number(at int, name string, most int64) int64 {
	return f.numberOf(f.fields[at], name, most)
}

func (f *popFields) numberOf(text, name string, most int64) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	// A sign or leading zeros would give one number two texts.
	plain := err == nil && n >= 0 && n <= most && text[0] != '+' && text[0] != '-' && (text[0] != '0' || len(text) == 1)
	f.need(plain, name, text, "a decimal number from 0 to "+strconv.FormatInt(most, 10))
	if !plain {
		return 0
	}
	return n
}

func (f *popFields) retry(at int) PopRetry {
	r := PopRetry(f.fields[at])
	f.need(r.valid(), "retry", f.fields[at], "0, 1 or 2")
	return r
}
