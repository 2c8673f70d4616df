package proto

import (
	"encoding/json"
	"fmt"
)

// Strategies of QueryAssignment that brokers have (AllocateMessageQueueStrategy).
const (
	StrategyAverage         = "AVG"
	StrategyAverageByCircle = "AVG_BY_CIRCLE"
)

// QueryAssignment is the body of ReqQueryAssignment (class QueryAssignmentRequestBody, since 5.0): a
// member of a group asks which queues of a topic are its own. The answer's body is an
// Assignment.
type QueryAssignment struct {
	Topic         string       // topic
	ConsumerGroup string       // consumerGroup
	ClientID      string       // clientId
	Strategy      string       // strategyName
	Model         MessageModel // messageModel; absent reads as ModelUnknown
}

// String shows who asks for what.
func (q *QueryAssignment) String() string {
	return fmt.Sprintf("%s of %s asks for queues of %s by %s", q.ClientID, q.ConsumerGroup, q.Topic, q.Strategy)
}

// Marshal writes the body.
func (q *QueryAssignment) Marshal() []byte {
	var w writer
	w.open('{')
	w.stringMember("clientId", q.ClientID)
	w.stringMember("consumerGroup", q.ConsumerGroup)
	w.enumMember("messageModel", messageModels, int8(q.Model))
	w.stringMember("strategyName", q.Strategy)
	w.stringMember("topic", q.Topic)
	w.close('}')
	return w.text
}

// UnmarshalQueryAssignment reads the body. The error is ErrBody.
func UnmarshalQueryAssignment(body []byte) (*QueryAssignment, error) {
	in := struct {
		Topic         looseString  `json:"topic"`
		ConsumerGroup looseString  `json:"consumerGroup"`
		ClientID      looseString  `json:"clientId"`
		StrategyName  looseString  `json:"strategyName"`
		MessageModel  MessageModel `json:"messageModel"`
	}{MessageModel: ModelUnknown}
	if err := unmarshal("QueryAssignmentRequestBody", body, &in); err != nil {
		return nil, err
	}
	return &QueryAssignment{
		Topic:         string(in.Topic),
		ConsumerGroup: string(in.ConsumerGroup),
		ClientID:      string(in.ClientID),
		Strategy:      string(in.StrategyName),
		Model:         in.MessageModel,
	}, nil
}

// Assignment is the queues of one member (class QueryAssignmentResponseBody, since 5.0): the body of
// the answer to ReqQueryAssignment.
type Assignment struct {
	// Queues (messageQueueAssignments): absent means that there is no valid result and the
	// client keeps what it has; there and empty, that it drops all queues of the topic.
	Queues Maybe[[]AssignedQueue]
}

// AssignedQueue is one entry of Assignment.Queues (class MessageQueueAssignment).
type AssignedQueue struct {
	Queue       Queue              // messageQueue; id -1 with ModePop: all queues of that broker
	Mode        MessageRequestMode // mode; absent reads as ModePull
	Attachments map[string]string  // attachments, optional; nil and empty are the same
}

// String shows the number of queues.
func (a *Assignment) String() string {
	if !a.Queues.Set {
		return "no assignment"
	}
	return fmt.Sprintf("%d queues assigned", len(a.Queues.Value))
}

// Marshal writes the body.
func (a *Assignment) Marshal() []byte {
	var w writer
	w.open('{')
	if a.Queues.Set {
		w.key("messageQueueAssignments")
		w.open('[')
		for i := range a.Queues.Value {
			w.assignedQueue(&a.Queues.Value[i])
		}
		w.close(']')
	}
	w.close('}')
	return w.text
}

func (w *writer) assignedQueue(q *AssignedQueue) {
	w.open('{')
	if len(q.Attachments) > 0 {
		w.tableMember("attachments", q.Attachments)
	}
	w.key("messageQueue")
	w.queue(q.Queue)
	w.stringMember("mode", q.Mode.String())
	w.close('}')
}

// UnmarshalAssignment reads the body. The error is ErrBody.
func UnmarshalAssignment(body []byte) (*Assignment, error) {
	var in struct {
		MessageQueueAssignments *[]AssignedQueue `json:"messageQueueAssignments"`
	}
	if err := unmarshal("QueryAssignmentResponseBody", body, &in); err != nil {
		return nil, err
	}
	return &Assignment{Queues: maybe(in.MessageQueueAssignments)}, nil
}

// UnmarshalJSON reads strict JSON.
func (q *AssignedQueue) UnmarshalJSON(text []byte) error {
	var in struct {
		MessageQueue Queue              `json:"messageQueue"`
		Mode         MessageRequestMode `json:"mode"`
		Attachments  looseTable         `json:"attachments"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*q = AssignedQueue{Queue: in.MessageQueue, Mode: in.Mode, Attachments: in.Attachments.plain()}
	return nil
}
