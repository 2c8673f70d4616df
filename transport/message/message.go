package message

import (
	"fmt"
	"strings"
)

// Message is what an application sends (class Message). The broker adds the rest and
// makes a Record of it. Not for concurrent use.
type Message struct {
	Topic      string
	UserFlags  int32 // "flag": a number that only the application understands
	Properties Properties
	Body       []byte // not compressed
	// "transactionId": set by the producer when it sends a half message; otherwise "".
	TransactionID string
}

// String describes the message in one line, without its body.
func (m *Message) String() string {
	return fmt.Sprintf("message for %s: %d body bytes, %d properties", m.Topic, len(m.Body), len(m.Properties))
}

// Tags returns the tag of the message, or "". There is at most one, in spite of
// the protocol's plural.
func (m *Message) Tags() string { return m.Properties.Get(PropertyTags) }

// SetTags sets the tag; "" removes it.
func (m *Message) SetTags(tag string) { m.Properties.Set(PropertyTags, tag) }

// Keys returns the business keys.
func (m *Message) Keys() []string { return strings.Fields(m.Properties.Get(PropertyKeys)) }

// SetKeys sets the business keys. A key with a blank in it will be found as several.
func (m *Message) SetKeys(keys ...string) {
	m.Properties.Set(PropertyKeys, strings.Join(keys, " "))
}

// UniqueID returns the identifier the client gave the message, or "".
func (m *Message) UniqueID() string { return m.Properties.Get(PropertyUniqueID) }

// WaitsForStore reports whether the broker is to answer only after the message is as
// safe as its configuration promises. That is so unless the message says "false".
func (m *Message) WaitsForStore() bool {
	value, found := m.Properties.Lookup(PropertyWaitForStore)
	return !found || strings.EqualFold(value, "true")
}
