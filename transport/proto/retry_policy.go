package proto

import (
	"encoding/json"
	"fmt"
)

// RetryPolicyType is how the delays between redeliveries grow (class GroupRetryPolicyType).
type RetryPolicyType int8

// The types.
const (
	RetryExponential RetryPolicyType = 0 // EXPONENTIAL
	RetryCustomized  RetryPolicyType = 1 // CUSTOMIZED: a list of delays
)

var retryPolicyTypes = enumeration{"EXPONENTIAL", "CUSTOMIZED"}

// String returns the protocol's name.
func (t RetryPolicyType) String() string { return retryPolicyTypes.name(int8(t)) }

// UnmarshalJSON reads a name or an ordinal. Anything else reads as RetryCustomized, which is
// what Java brokers then go by.
func (t *RetryPolicyType) UnmarshalJSON(text []byte) error {
	if *t = RetryPolicyType(retryPolicyTypes.read(text)); *t < 0 {
		*t = RetryCustomized
	}
	return nil
}

// GroupRetryPolicy is the delays between redeliveries to a group (class GroupRetryPolicy). The
// policy that Type names counts; if it is absent, the default list of Java brokers does.
type GroupRetryPolicy struct {
	Type        RetryPolicyType         // type; absent reads as RetryCustomized
	Exponential Maybe[ExponentialRetry] // exponentialRetryPolicy
	Customized  Maybe[[]int64]          // customizedRetryPolicy.next: milliseconds
}

// ExponentialRetry is delays that grow by a factor (class ExponentialRetryPolicy).
type ExponentialRetry struct {
	InitialMillis int64 // initial; default 5000
	MaxMillis     int64 // max; default 7200000
	Multiplier    int64 // multiplier; default 2
}

// String shows the type.
func (p *GroupRetryPolicy) String() string { return "retry policy " + p.Type.String() }

// UnmarshalJSON reads strict JSON.
func (p *GroupRetryPolicy) UnmarshalJSON(text []byte) error {
	in := struct {
		Type        RetryPolicyType   `json:"type"`
		Exponential *ExponentialRetry `json:"exponentialRetryPolicy"`
		Customized  *struct {
			Next []looseInt64 `json:"next"`
		} `json:"customizedRetryPolicy"`
	}{Type: RetryCustomized}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*p = GroupRetryPolicy{Type: in.Type, Exponential: maybe(in.Exponential)}
	if in.Customized != nil && in.Customized.Next != nil {
		delays := make([]int64, len(in.Customized.Next))
		for i, millis := range in.Customized.Next {
			delays[i] = int64(millis)
		}
		p.Customized = Some(delays)
	}
	return nil
}

// UnmarshalJSON reads strict JSON.
func (e *ExponentialRetry) UnmarshalJSON(text []byte) error {
	in := struct {
		Initial    looseInt64 `json:"initial"`
		Max        looseInt64 `json:"max"`
		Multiplier looseInt64 `json:"multiplier"`
	}{Initial: 5000, Max: 7200000, Multiplier: 2}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*e = ExponentialRetry{InitialMillis: int64(in.Initial), MaxMillis: int64(in.Max), Multiplier: int64(in.Multiplier)}
	return nil
}

func (w *writer) retryPolicy(p *GroupRetryPolicy) {
	w.key("groupRetryPolicy")
	w.open('{')
	if p.Customized.Set {
		w.key("customizedRetryPolicy")
		w.open('{')
		w.key("next")
		w.open('[')
		for _, millis := range p.Customized.Value {
			w.integer(millis)
		}
		w.close(']')
		w.close('}')
	}
	if e := p.Exponential; e.Set {
		w.key("exponentialRetryPolicy")
		w.open('{')
		w.integerMember("initial", e.Value.InitialMillis)
		w.integerMember("max", e.Value.MaxMillis)
		w.integerMember("multiplier", e.Value.Multiplier)
		w.close('}')
	}
	w.stringMember("type", p.Type.String())
	w.close('}')
}

// SimpleSubscriptionData is a subscription that the group's settings fix (class
// SimpleSubscriptionData, since 5.0).
type SimpleSubscriptionData struct {
	Topic          string // topic
	Expression     string // expression
	ExpressionType string // expressionType
	Version        int64  // version
}

// String shows what is subscribed.
func (s SimpleSubscriptionData) String() string {
	return fmt.Sprintf("%s %s %q version %d", s.Topic, s.ExpressionType, s.Expression, s.Version)
}

// UnmarshalJSON reads strict JSON.
func (s *SimpleSubscriptionData) UnmarshalJSON(text []byte) error {
	var in struct {
		Topic          looseString `json:"topic"`
		Expression     looseString `json:"expression"`
		ExpressionType looseString `json:"expressionType"`
		Version        looseInt64  `json:"version"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*s = SimpleSubscriptionData{
		Topic: string(in.Topic), Expression: string(in.Expression),
		ExpressionType: string(in.ExpressionType), Version: int64(in.Version),
	}
	return nil
}

// simpleSubscriptions leaves out nil.
func (w *writer) simpleSubscriptions(subscriptions []SimpleSubscriptionData) {
	if subscriptions == nil {
		return
	}
	w.key("subscriptionDataSet")
	w.open('[')
	for _, s := range subscriptions {
		w.open('{')
		w.stringMember("expression", s.Expression)
		w.stringMember("expressionType", s.ExpressionType)
		w.stringMember("topic", s.Topic)
		w.integerMember("version", s.Version)
		w.close('}')
	}
	w.close(']')
}
