package proto

import "fmt"

// LockBatch names queues that a member of a group wants to consume alone, or no longer
// (classes LockBatchRequestBody and UnlockBatchRequestBody): the body of ReqLockBatchQueues,
// answered by a LockBatchResponse, and of ReqUnlockBatchQueues, answered by nothing.
type LockBatch struct {
	ConsumerGroup string  // consumerGroup
	ClientID      string  // clientId
	Queues        []Queue // mqSet; a set, in no order
	// OnlyThisBroker (onlyThisBroker, since 5.0): do not ask the other brokers of the group
	// of brokers. Absent reads as false.
	OnlyThisBroker bool
}

// String shows who wants how many queues.
func (b *LockBatch) String() string {
	return fmt.Sprintf("%s of %s, %d queues", b.ClientID, b.ConsumerGroup, len(b.Queues))
}

// Marshal writes the body.
func (b *LockBatch) Marshal() []byte {
	var w writer
	w.open('{')
	w.stringMember("clientId", b.ClientID)
	w.stringMember("consumerGroup", b.ConsumerGroup)
	w.queuesMember("mqSet", b.Queues)
	w.booleanMember("onlyThisBroker", b.OnlyThisBroker)
	w.close('}')
	return w.text
}

// UnmarshalLockBatch reads the body. The error is ErrBody.
func UnmarshalLockBatch(body []byte) (*LockBatch, error) {
	var in struct {
		ClientID       looseString `json:"clientId"`
		ConsumerGroup  looseString `json:"consumerGroup"`
		MQSet          []Queue     `json:"mqSet"`
		OnlyThisBroker looseBool   `json:"onlyThisBroker"`
	}
	if err := unmarshal("LockBatchRequestBody", body, &in); err != nil {
		return nil, err
	}
	return &LockBatch{
		ConsumerGroup:  string(in.ConsumerGroup),
		ClientID:       string(in.ClientID),
		Queues:         in.MQSet,
		OnlyThisBroker: bool(in.OnlyThisBroker),
	}, nil
}

// LockBatchResponse names the queues that were locked (class LockBatchResponseBody): the body of
// the answer to ReqLockBatchQueues. What is missing belongs to another member.
type LockBatchResponse struct {
	Queues []Queue // lockOKMQSet; a set, in no order
}

// String shows the number of queues.
func (b *LockBatchResponse) String() string { return fmt.Sprintf("%d queues locked", len(b.Queues)) }

// Marshal writes the body.
func (b *LockBatchResponse) Marshal() []byte {
	var w writer
	w.open('{')
	w.queuesMember("lockOKMQSet", b.Queues)
	w.close('}')
	return w.text
}

// UnmarshalLockBatchResponse reads the body. The error is ErrBody.
func UnmarshalLockBatchResponse(body []byte) (*LockBatchResponse, error) {
	var in struct {
		LockOKMQSet []Queue `json:"lockOKMQSet"`
	}
	if err := unmarshal("LockBatchResponseBody", body, &in); err != nil {
		return nil, err
	}
	return &LockBatchResponse{Queues: in.LockOKMQSet}, nil
}

func (w *writer) queuesMember(name string, queues []Queue) {
	w.key(name)
	w.open('[')
	for _, q := range queues {
		w.queue(q)
	}
	w.close(']')
}
