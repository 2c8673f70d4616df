package proto

import "fmt"

// GroupSubscription is what a group subscribes of a topic (class QuerySubscriptionResponseBody,
// since 5.0): the body of the answer to ReqQuerySubscriptionByConsumer.
type GroupSubscription struct {
	Group        string            // group
	Topic        string            // topic
	Subscription *SubscriptionData // subscriptionData; nil if no member that is online subscribes
}

// String shows group and topic.
func (s *GroupSubscription) String() string {
	return fmt.Sprintf("%s on %s, subscribed %v", s.Group, s.Topic, s.Subscription != nil)
}

// Marshal writes the body.
func (s *GroupSubscription) Marshal() []byte {
	var w writer
	w.open('{')
	w.stringMember("group", s.Group)
	w.subscriptionMember("subscriptionData", s.Subscription)
	w.stringMember("topic", s.Topic)
	w.close('}')
	return w.text
}

// subscriptionMember leaves out nil.
func (w *writer) subscriptionMember(name string, s *SubscriptionData) {
	if s != nil {
		w.key(name)
		w.subscription(s)
	}
}

// UnmarshalGroupSubscription reads the body. The error is ErrBody.
func UnmarshalGroupSubscription(body []byte) (*GroupSubscription, error) {
	var in struct {
		Group            looseString       `json:"group"`
		Topic            looseString       `json:"topic"`
		SubscriptionData *SubscriptionData `json:"subscriptionData"`
	}
	if err := unmarshal("QuerySubscriptionResponseBody", body, &in); err != nil {
		return nil, err
	}
	return &GroupSubscription{Group: string(in.Group), Topic: string(in.Topic), Subscription: in.SubscriptionData}, nil
}

// ClientConfigCheck asks a broker whether it can serve a subscription (class
// CheckClientRequestBody): the body of ReqCheckClientConfig. Java clients send it for
// expressions that are no tags.
type ClientConfigCheck struct {
	ClientID     string            // clientId
	Group        string            // group
	Namespace    string            // namespace, since 5.0, optional
	Subscription *SubscriptionData // subscriptionData
}

// String shows what is asked.
func (c *ClientConfigCheck) String() string {
	return fmt.Sprintf("check by %s of %s: %v", c.ClientID, c.Group, c.Subscription)
}

// Marshal writes the body.
func (c *ClientConfigCheck) Marshal() []byte {
	var w writer
	w.open('{')
	w.stringMember("clientId", c.ClientID)
	w.stringMember("group", c.Group)
	if c.Namespace != "" {
		w.stringMember("namespace", c.Namespace)
	}
	w.subscriptionMember("subscriptionData", c.Subscription)
	w.close('}')
	return w.text
}

// UnmarshalClientConfigCheck reads the body. The error is ErrBody.
func UnmarshalClientConfigCheck(body []byte) (*ClientConfigCheck, error) {
	var in struct {
		ClientID         looseString       `json:"clientId"`
		Group            looseString       `json:"group"`
		Namespace        looseString       `json:"namespace"`
		SubscriptionData *SubscriptionData `json:"subscriptionData"`
	}
	if err := unmarshal("CheckClientRequestBody", body, &in); err != nil {
		return nil, err
	}
	return &ClientConfigCheck{
		ClientID:     string(in.ClientID),
		Group:        string(in.Group),
		Namespace:    string(in.Namespace),
		Subscription: in.SubscriptionData,
	}, nil
}
