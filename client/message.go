package client

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// Message is what an application sends (class Message). NewMessage makes one.
type Message = message.Message

// Queue names one queue of a topic at one broker name (class MessageQueue). It is comparable.
type Queue = proto.Queue

// QueueOffset is the number of a message in its queue, from 0 ("queueOffset").
type QueueOffset = message.QueueOffset

// MessageOption sets something of a message that NewMessage makes.
type MessageOption func(*Message)

// NewMessage returns a message. The body is not copied: it must not change until the send is over.
//
//	m := client.NewMessage("orders", body, client.Tag("paid"), client.Keys("order-17"))
func NewMessage(topic string, body []byte, options ...MessageOption) *Message {
	m := &Message{Topic: topic, Body: body}
	for _, set := range options {
		set(m)
	}
	return m
}

// Tag sets the one tag by which consumers may filter (property TAGS).
func Tag(tag string) MessageOption { return func(m *Message) { m.SetTags(tag) } }

// Keys sets the keys by which the message can be looked up (property KEYS). A key with
// a blank in it will be found as several.
func Keys(keys ...string) MessageOption { return func(m *Message) { m.SetKeys(keys...) } }

// UserFlags sets a number that only the application understands ("flag").
func UserFlags(flags int32) MessageOption { return func(m *Message) { m.UserFlags = flags } }

// Property sets a property. A name that was set before gets the new value, also that of Tag, Keys and the others. Neither
// name nor value may be empty or hold the bytes 1 and 2; a send refuses the message otherwise.
func Property(name, value string) MessageOption {
	return func(m *Message) {
		if value == "" {
			// Set would remove the property; the send is to say what is wrong with it.
			m.Properties = append(m.Properties, message.Property{Name: name})
			return
		}
		m.Properties.Set(name, value)
	}
}

// OrderingKey makes SelectByOrderingKey send messages with the same key to the same
// queue (property __SHARDINGKEY).
func OrderingKey(key string) MessageOption {
	return func(m *Message) { m.Properties.Set(message.PropertyOrderingKey, key) }
}

// DelayLevel delays delivery by a level of the broker's table, from 1 (property DELAY). The
// usual table is 1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h.
func DelayLevel(level int) MessageOption {
	return func(m *Message) { m.Properties.Set(message.PropertyDelayLevel, strconv.Itoa(level)) }
}

// DelayFor delays delivery by a time, in milliseconds (property TIMER_DELAY_MS). Brokers
// before 5.0 ignore it.
func DelayFor(delay time.Duration) MessageOption {
	return func(m *Message) {
		m.Properties.Set(message.PropertyDelayMillis, strconv.FormatInt(delay.Milliseconds(), 10))
	}
}

// DeliverAt delays delivery until a time (property TIMER_DELIVER_MS). Brokers before 5.0
// ignore it.
func DeliverAt(at time.Time) MessageOption {
	return func(m *Message) {
		m.Properties.Set(message.PropertyDeliverAtMillis, strconv.FormatInt(at.UnixMilli(), 10))
	}
}

// NoWait lets the broker answer before the message is as safe as its configuration promises
// (property WAIT, value "false").
func NoWait() MessageOption {
	return func(m *Message) { m.Properties.Set(message.PropertyWaitForStore, "false") }
}

// checkMessage returns ErrMessage, wrapped with the field and its limit, if a broker would not
// take the message. The size that counts is that of the body before compression.
func checkMessage(m *Message, bodyMax int) error {
	if m == nil {
		return fmt.Errorf("%w: it is nil", ErrMessage)
	}
	if err := checkSendTopic(m.Topic); err != nil {
		return err
	}
	if len(m.Body) == 0 {
		return fmt.Errorf("%w: Body is empty, it needs one byte at least", ErrMessage)
	}
	if len(m.Body) > bodyMax {
		return fmt.Errorf("%w: Body has %d bytes, at most %d are allowed (WithMaxMessageSize, and the broker's limit)",
			ErrMessage, len(m.Body), bodyMax)
	}
	if strings.Contains(m.Properties.Get(message.PropertyMultiDispatch), "/") {
		return fmt.Errorf("%w: property %s names a light queue with a / in it", ErrMessage, message.PropertyMultiDispatch)
	}
	return nil
}

// checkSendTopic refuses names that no topic can have, and topics that only brokers write to.
func checkSendTopic(topic string) error {
	if err := proto.ValidateTopic(topic); err != nil {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if !proto.MaySendTo(topic) {
		return fmt.Errorf("%w: only brokers write to topic %s", ErrMessage, topic)
	}
	return nil
}

// delayed reports whether a message is to be delivered later.
func delayed(m *Message) bool {
	level, err := strconv.Atoi(m.Properties.Get(message.PropertyDelayLevel))
	if err == nil && level > 0 {
		return true
	}
	return m.Properties.Get(message.PropertyDelaySeconds) != "" ||
		m.Properties.Get(message.PropertyDelayMillis) != "" ||
		m.Properties.Get(message.PropertyDeliverAtMillis) != ""
}
