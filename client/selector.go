package client

import "github.com/gantrymq/gantry/transport/message"

// Selector chooses the queue of a message: it returns an index into queues, or AnyQueue or RandomQueue (interface
// MessageQueueSelector). It must not change queues, which always come in the same order while the route stays the same. It
// may be called by several goroutines at once.
//
// A message whose queue was chosen is not sent to another one if that fails.
type Selector func(m *Message, queues []Queue) int

// What a Selector returns if it does not choose. Other negative numbers count as AnyQueue.
const (
	// AnyQueue: messages go round all queues.
	AnyQueue = -1
	// RandomQueue: the first try goes to a queue that is drawn, further ones go round.
	RandomQueue = -2
)

// SelectRandom sends each message to a queue that is drawn (class SelectMessageQueueByRandom). Unlike the class, it lets a
// failed message go to another queue.
func SelectRandom(*Message, []Queue) int { return RandomQueue }

// SelectByKey sends messages with the same key to the same queue: the remainder of the key's Java hash (class
// SelectMessageQueueByHash, with a String as its argument). Messages with the key "" go round.
func SelectByKey(key func(m *Message) string) Selector {
	return func(m *Message, queues []Queue) int { return byHash(key(m), queues) }
}

// SelectByNumber is SelectByKey for numbers, such as those of customers. It hashes like a Java client that passes a
// Long, which from 0 to 2^31-1 is also how an Integer hashes.
func SelectByNumber(key func(m *Message) int64) Selector {
	return func(m *Message, queues []Queue) int {
		n := key(m)
		return remainder(int32(n^n>>32), queues)
	}
}

// SelectByOrderingKey sends messages with the same ordering key (see OrderingKey) to the same queue: the
// remainder of the key's Java hash, like the hash selectors of other clients. Messages without a key go
// round. Give the topic an order configuration if the queues must stay the same while a broker is down.
func SelectByOrderingKey(m *Message, queues []Queue) int {
	return byHash(orderingKey(m), queues)
}

func byHash(key string, queues []Queue) int {
	if key == "" {
		return AnyQueue
	}
	return remainder(message.HashCode([]byte(key)), queues)
}

func remainder(hash int32, queues []Queue) int {
	if len(queues) == 0 {
		return AnyQueue
	}
	return int(abs(hash % int32(len(queues))))
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
