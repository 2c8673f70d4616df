package proto

import (
	"encoding/json"
	"fmt"
)

// HeartbeatData is the body of ReqHeartbeat (class HeartbeatData): a client tells a broker
// which groups live in it.
type HeartbeatData struct {
	ClientID  string         // clientID
	Producers []ProducerData // producerDataSet
	Consumers []ConsumerData // consumerDataSet
	// Fingerprint (heartbeatFingerprint) is 0 in whole heartbeats, else a hash that changes
	// with the subscriptions.
	Fingerprint int32
	// WithoutSubscriptions (withoutSub): subscriptions are left out, those the broker has
	// stay valid.
	WithoutSubscriptions bool
}

// ProducerData is one producer group of a client (class ProducerData).
type ProducerData struct {
	Group string // groupName
}

// ConsumerData is one consumer group of a client (class ConsumerData).
type ConsumerData struct {
	Group         string             // groupName
	ConsumeType   ConsumeType        // consumeType
	Model         MessageModel       // messageModel
	From          ConsumeFrom        // consumeFromWhere
	Subscriptions []SubscriptionData // subscriptionDataSet
	UnitMode      bool               // unitMode
}

// String shows the client and the number of its groups.
func (h *HeartbeatData) String() string {
	return fmt.Sprintf("heartbeat of %s: %d producer groups, %d consumer groups", h.ClientID, len(h.Producers), len(h.Consumers))
}

// String shows the group and how it consumes.
func (c *ConsumerData) String() string {
	return fmt.Sprintf("%s %s %s, %d subscriptions", c.Group, c.ConsumeType, c.Model, len(c.Subscriptions))
}

// UnmarshalHeartbeatData reads the body. The error is ErrBody.
func UnmarshalHeartbeatData(body []byte) (*HeartbeatData, error) {
	h := new(HeartbeatData)
	if err := unmarshal("HeartbeatData", body, h); err != nil {
		return nil, err
	}
	return h, nil
}

// UnmarshalJSON reads strict JSON.
func (h *HeartbeatData) UnmarshalJSON(text []byte) error {
	var in struct {
		ClientID             looseString    `json:"clientID"`
		ProducerDataSet      []ProducerData `json:"producerDataSet"`
		ConsumerDataSet      []ConsumerData `json:"consumerDataSet"`
		HeartbeatFingerprint looseInt32     `json:"heartbeatFingerprint"`
		WithoutSub           looseBool      `json:"withoutSub"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*h = HeartbeatData{
		ClientID:             string(in.ClientID),
		Producers:            in.ProducerDataSet,
		Consumers:            in.ConsumerDataSet,
		Fingerprint:          int32(in.HeartbeatFingerprint),
		WithoutSubscriptions: bool(in.WithoutSub),
	}
	return nil
}

// UnmarshalJSON reads strict JSON.
func (p *ProducerData) UnmarshalJSON(text []byte) error {
	var in struct {
		GroupName looseString `json:"groupName"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	p.Group = string(in.GroupName)
	return nil
}

// UnmarshalJSON reads strict JSON. What is absent or unknown among the enumerations
// becomes Unknown.
func (c *ConsumerData) UnmarshalJSON(text []byte) error {
	in := struct {
		GroupName           looseString        `json:"groupName"`
		ConsumeType         ConsumeType        `json:"consumeType"`
		MessageModel        MessageModel       `json:"messageModel"`
		ConsumeFromWhere    ConsumeFrom        `json:"consumeFromWhere"`
		SubscriptionDataSet []SubscriptionData `json:"subscriptionDataSet"`
		UnitMode            looseBool          `json:"unitMode"`
	}{ConsumeType: ConsumeUnknown, MessageModel: ModelUnknown, ConsumeFromWhere: FromUnknown}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*c = ConsumerData{
		Group:         string(in.GroupName),
		ConsumeType:   in.ConsumeType,
		Model:         in.MessageModel,
		From:          in.ConsumeFromWhere,
		Subscriptions: in.SubscriptionDataSet,
		UnitMode:      bool(in.UnitMode),
	}
	return nil
}

// Marshal writes the body.
func (h *HeartbeatData) Marshal() []byte {
	var w writer
	w.open('{')
	w.stringMember("clientID", h.ClientID)
	w.key("consumerDataSet")
	w.open('[')
	for i := range h.Consumers {
		w.consumer(&h.Consumers[i])
	}
	w.close(']')
	w.integerMember("heartbeatFingerprint", int64(h.Fingerprint))
	w.key("producerDataSet")
	w.open('[')
	for _, producer := range h.Producers {
		w.open('{')
		w.stringMember("groupName", producer.Group)
		w.close('}')
	}
	w.close(']')
	w.booleanMember("withoutSub", h.WithoutSubscriptions)
	w.close('}')
	return w.text
}

func (w *writer) consumer(c *ConsumerData) {
	w.open('{')
	if c.From != FromUnknown {
		w.stringMember("consumeFromWhere", c.From.String())
	}
	if c.ConsumeType != ConsumeUnknown {
		w.stringMember("consumeType", c.ConsumeType.String())
	}
	w.stringMember("groupName", c.Group)
	if c.Model != ModelUnknown {
		w.stringMember("messageModel", c.Model.String())
	}
	w.key("subscriptionDataSet")
	w.open('[')
	for i := range c.Subscriptions {
		w.subscription(&c.Subscriptions[i])
	}
	w.close(']')
	w.booleanMember("unitMode", c.UnitMode)
	w.close('}')
}
