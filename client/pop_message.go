package client

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// PoppedMessage is a message that a broker hides from the rest of the group until its time is over, or it is acknowledged. One goroutine at a time
// may use it.
type PoppedMessage struct {
	*Received
	topic   string // that was asked for, as brokers name it
	receipt proto.PopReceipt
	until   env.Instant // when the hold ends, or a little later: the way of the answer is not known
	trace   *tracedCall // nil: it is not traced, or that was done
}

// hold notes a receipt that came now. Its end is measured from here by a clock that does not jump: the broker's calendar may be another one.
func (m *PoppedMessage) hold(receipt proto.PopReceipt, now env.Instant) {
	m.receipt, m.until = receipt, now.Add(time.Duration(receipt.InvisibleMillis)*time.Millisecond)
}

// showReceipt makes the receipt a property. Handlers may keep what they got, so it must not be called for theirs any more.
func (m *PoppedMessage) showReceipt() { m.Properties.Set(message.PropertyReceipt, m.Receipt()) }

// readFrom is the topic that the message was read from, as brokers name it: what asks about it must name that one.
func (m *PoppedMessage) readFrom(group string) string {
	return proto.PopRetryTopic(group, m.topic, m.receipt.Retry)
}

// over reports whether the hold has ended, so that the message may be with another member.
func (m *PoppedMessage) over(now env.Instant) bool { return m.until.Reached(now) }

// Receipt is what the broker knows the hold by: the property POP_CK ("receipt handle"). ChangeInvisible replaces it.
func (m *PoppedMessage) Receipt() string { return m.receipt.String() }

// InvisibleUntil is when the message may come again, by the broker's calendar.
func (m *PoppedMessage) InvisibleUntil() time.Time {
	return env.WallMillis(m.receipt.VisibleAt()).Time()
}

// FirstPoppedAt is when the message was popped for the first time, by the broker's calendar (1ST_POP_TIME).
func (m *PoppedMessage) FirstPoppedAt() time.Time {
	millis, err := strconv.ParseInt(m.Properties.Get(message.PropertyFirstPoppedAtMillis), 10, 64)
	if err != nil {
		millis = m.receipt.PoppedAt
	}
	return env.WallMillis(millis).Time()
}

// ErrNotHeld: the receipt of a popped message holds nothing any more. The message was acknowledged with it, or hidden with it for longer, which
// made a new receipt; or its time was over, and it went to whoever popped it next, or waits to do so.
var ErrNotHeld = errors.New("message is not held by this receipt any more")

// HoldError says of which message. It is an ErrNotHeld, and the *ResponseError of the broker is in its chain (NO_MESSAGE; AckStatus.NO_EXIST).
type HoldError struct {
	ID      string // of the message
	Receipt string // that was shown
	Err     error
}

// Error names the message, the receipt and what the broker said.
func (e *HoldError) Error() string {
	return fmt.Sprintf("message %s, receipt %q: %v; expect the message again unless it was acknowledged: %v", e.ID, e.Receipt, ErrNotHeld, e.Err)
}

// Unwrap returns ErrNotHeld and the broker's answer.
func (e *HoldError) Unwrap() []error { return []error{ErrNotHeld, e.Err} }

// notHeld makes a *HoldError of an answer that says so.
func notHeld(err error, m *PoppedMessage) error {
	if !hasCode(err, proto.RespNoMessage) {
		return err
	}
	return &HoldError{ID: m.ID(), Receipt: m.Receipt(), Err: err}
}

// receipts makes receipts from the answer to a pop.
type receipts struct {
	group  string
	from   Queue
	header proto.PopMessageResponse
	starts map[popPlace]int64
}

// popPlace is a queue of one of the topics that a pop reads.
type popPlace struct {
	retry   proto.PopRetry
	queueID int32
}

func newReceipts(group string, from Queue, h proto.PopMessageResponse, starts []proto.PopStart) *receipts {
	r := &receipts{group: group, from: from, header: h, starts: map[popPlace]int64{}}
	for _, s := range starts {
		r.starts[popPlace{s.Retry, s.QueueID}] = s.Offset
	}
	return r
}

// of is the receipt of a message whose queue is named as the broker named it. Messages that come again may bring theirs. Brokers that do not say
// where they began mean the first message of each queue.
func (r *receipts) of(m *Received) (proto.PopReceipt, error) {
	if text := m.Properties.Get(message.PropertyReceipt); text != "" {
		return proto.ParsePopReceipt(text)
	}
	_, retry := proto.SplitPopRetryTopic(r.group, m.Queue.Topic)
	place, offset := popPlace{retry, m.Queue.QueueID}, int64(m.Offset)
	start, known := r.starts[place]
	if !known {
		start = offset
		r.starts[place] = start
	}
	if start > offset {
		return proto.PopReceipt{}, fmt.Errorf("%w: the broker says that the pop began at %d, behind the message", proto.ErrReceipt, start)
	}
	return proto.PopReceipt{
		StartOffset: start, PoppedAt: r.header.PoppedAt, InvisibleMillis: r.header.InvisibleMillis, ReviveQueueID: r.header.ReviveQueueID,
		Retry: retry, BrokerName: r.from.BrokerName, QueueID: m.Queue.QueueID, QueueOffset: offset, LogOffset: -1,
	}, nil
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
