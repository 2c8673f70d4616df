package client

import "github.com/gantrymq/gantry/transport/message"

// Selector chooses the queue of a message: it returns an index into queues, or a negative
// number if the message may go to any. It must not change queues, which always come in the same order
// while the route stays the same. It may be called by several goroutines at once.
//
// A message whose queue was chosen is not sent to another one if that fails.
type Selector func(m *Message, queues []Queue) int

// SelectByOrderingKey sends messages with the same ordering key (see OrderingKey) to the same queue: the
// remainder of the key's Java hash, like the hash selectors of other clients. Messages without a key go
// round. Give the topic an order configuration if the queues must stay the same while a broker is down.
func SelectByOrderingKey(m *Message, queues []Queue) int {
	key := orderingKey(m)
	if key == "" {
		return -1
	}
	return int(abs(message.HashCode([]byte(key)) % int32(len(queues))))
}

// orderingKey looks for the names that the various clients use.
func orderingKey(m *Message) string {
	for _, name := range []string{
		message.PropertyOrderingKey, message.PropertyOrderingKeyGoClient, message.PropertyOrderingKeyNodeClient,
	} {
		if key := m.Properties.Get(name); key != "" {
			return key
		}
	}
	return ""
}

func abs(n int32) int32 {
	if n < 0 {
		return -n
	}
	return n
}
