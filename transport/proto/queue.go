package proto

import (
	"cmp"
	"encoding/json"
	"strconv"
)

// Queue names one queue of a topic at one broker name (class MessageQueue). It is
// comparable, so it can be a map key.
type Queue struct {
	Topic      string // topic
	BrokerName string // brokerName
	QueueID    int32  // queueId
}

// String shows topic@broker:id.
func (q Queue) String() string {
	return q.Topic + "@" + q.BrokerName + ":" + strconv.Itoa(int(q.QueueID))
}

// Compare orders queues by topic, broker name and id, names by CompareNames (MessageQueue.compareTo). Members of a
// group must agree on the order, because they share the queues by it.
func (q Queue) Compare(other Queue) int {
	return cmp.Or(
		CompareNames(q.Topic, other.Topic),
		CompareNames(q.BrokerName, other.BrokerName),
		cmp.Compare(q.QueueID, other.QueueID),
	)
}

// UnmarshalJSON reads the queue as an object.
func (q *Queue) UnmarshalJSON(text []byte) error {
	var in struct {
		Topic      looseString `json:"topic"`
		BrokerName looseString `json:"brokerName"`
		QueueID    looseInt32  `json:"queueId"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*q = Queue{Topic: string(in.Topic), BrokerName: string(in.BrokerName), QueueID: int32(in.QueueID)}
	return nil
}

func (w *writer) queue(q Queue) {
	w.open('{')
	w.stringMember("brokerName", q.BrokerName)
	w.integerMember("queueId", int64(q.QueueID))
	w.stringMember("topic", q.Topic)
	w.close('}')
}

// queueKey is a Queue where it is the key of a map: a string that holds the object's
// text. Queue itself cannot be both that and an object to encoding/json.
type queueKey struct{ queue Queue }

// UnmarshalText reads the object inside the key.
func (k *queueKey) UnmarshalText(text []byte) error {
	return unmarshal("MessageQueue as key", text, &k.queue)
}
