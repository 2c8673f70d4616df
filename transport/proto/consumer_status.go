package proto

import "fmt"

// ConsumerStatus tells how far the members of a group are (class GetConsumerStatusBody): the body
// of the answer to ReqGetConsumerStatusFromClient, where one member fills Queues, and to
// ReqInvokeBrokerToGetConsumerStatus, where the broker puts the answers of all into Members.
type ConsumerStatus struct {
	Queues  []QueueOffset  // messageQueueTable; in the order of queues when read
	Members []MemberStatus // consumerTable; by client id when read
}

// MemberStatus is one entry of ConsumerStatus.Members.
type MemberStatus struct {
	ClientID string
	Queues   []QueueOffset // in the order of queues when read
}

// String shows how much there is.
func (s *ConsumerStatus) String() string {
	return fmt.Sprintf("offsets of %d queues, %d members", len(s.Queues), len(s.Members))
}

// Marshal writes the body.
func (s *ConsumerStatus) Marshal() []byte {
	var w writer
	w.open('{')
	w.key("consumerTable")
	w.open('{')
	for _, member := range s.Members {
		w.key(member.ClientID)
		w.offsetsByQueue(member.Queues)
	}
	w.close('}')
	w.key("messageQueueTable")
	w.offsetsByQueue(s.Queues)
	w.close('}')
	return w.text
}

// UnmarshalConsumerStatus reads the body, with queues as keys in either form. The error is
// ErrBody.
func UnmarshalConsumerStatus(body []byte) (*ConsumerStatus, error) {
	var in struct {
		ConsumerTable     map[string]offsetTable `json:"consumerTable"`
		MessageQueueTable offsetTable            `json:"messageQueueTable"`
	}
	if err := unmarshal("GetConsumerStatusBody", body, &in); err != nil {
		return nil, err
	}
	s := &ConsumerStatus{Queues: in.MessageQueueTable}
	for _, id := range sortedKeys(in.ConsumerTable) {
		s.Members = append(s.Members, MemberStatus{ClientID: id, Queues: in.ConsumerTable[id]})
	}
	return s, nil
}
