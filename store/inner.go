package store

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/gantrymq/gantry/transport/message"
)

// An inner batch is one record that holds several messages, each with a number of its own in the queue. Its properties tell how many
// they are (INNER_NUM) and the number of the first one (INNER_BASE), which is the record's own. Only topics
// of BatchQueues take such records.

// innerBaseRoom is what INNER_BASE takes at most: its name, 19 digits, two separators.
const innerBaseRoom = len(message.PropertyInnerBase) + 19 + 2

// innerPrefix begins the names of both properties.
var innerPrefix = []byte("INNER_")

// propertyAssign stands between the name and the value of a property.
const propertyAssign = 0x01

func appendInnerBase(properties []byte, number message.QueueOffset) []byte {
	properties = append(properties, message.PropertyInnerBase...)
	properties = append(properties, propertyAssign)
	properties = strconv.AppendInt(properties, int64(number), 10)
	return append(properties, propertyEnd)
}

// innerCount is the number of messages that the property of an inner batch tells.
func innerCount(r *message.Record) (int32, error) {
	text, ok := message.PropertyBytes(r.Properties, message.PropertyInnerCount)
	if !ok {
		return 0, fmt.Errorf("an inner batch lacks the property %s, the number of its messages", message.PropertyInnerCount)
	}
	// Entries hold it in 16 bits.
	n, err := strconv.ParseInt(string(text), 10, 16)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("an inner batch has the property %s %q: it must be a number from 1 to 32767", message.PropertyInnerCount, text)
	}
	return int32(n), nil
}

// countFits reports whether a record holds so many messages.
func countFits(raw []byte, count int32) bool {
	var r message.Record
	_, err := message.DecodeRecord(raw, &r, false)
	return err == nil && messagesIn(&r) == count
}

// batchProblem tells why a record cannot be taken for what it says of inner batches, or "".
func (s *Store) batchProblem(r *message.Record) string {
	if !r.SysFlags.InnerBatch() && !bytes.Contains(r.Properties, innerPrefix) {
		return "" // as nearly all of them, without a walk over the properties
	}
	_, counted := message.PropertyBytes(r.Properties, message.PropertyInnerCount)
	_, based := message.PropertyBytes(r.Properties, message.PropertyInnerBase)
	switch {
	case based:
		return fmt.Sprintf("the property %s is set by the broker", message.PropertyInnerBase)
	case !r.SysFlags.InnerBatch() && counted:
		return fmt.Sprintf("a record with the property %s is an inner batch and must have its flag (%d)", message.PropertyInnerCount, message.FlagInnerBatch)
	case !r.SysFlags.InnerBatch():
		return ""
	case !s.options.layoutOf(string(r.Topic)).batch:
		return fmt.Sprintf("topic %s takes no inner batches: its queue.type is not BatchCQ", r.Topic)
	}
	if _, err := innerCount(r); err != nil {
		return err.Error()
	}
	return ""
}
