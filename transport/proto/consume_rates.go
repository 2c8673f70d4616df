package proto

import (
	"encoding/json"
	"fmt"
)

// ConsumeRates is how fast a consumer is on one topic (class ConsumeStatus), a part of
// ConsumerRunningInfo.
type ConsumeRates struct {
	Topic             string
	PullMillis        float64 // pullRT: an average pull takes so long
	PulledPerSecond   float64 // pullTPS: messages
	ConsumeMillis     float64 // consumeRT: consuming one message takes so long
	ConsumedPerSecond float64 // consumeOKTPS: messages
	FailedPerSecond   float64 // consumeFailedTPS: messages
	Failed            int64   // consumeFailedMsgs: messages in the last hour
}

// String shows the topic and the rates.
func (r *ConsumeRates) String() string {
	return fmt.Sprintf("%s: %.1f pulled, %.1f consumed, %.1f failed a second",
		r.Topic, r.PulledPerSecond, r.ConsumedPerSecond, r.FailedPerSecond)
}

// UnmarshalJSON reads strict JSON. The topic is in the key, which is not seen here.
func (r *ConsumeRates) UnmarshalJSON(text []byte) error {
	var in struct {
		PullRT            looseFloat `json:"pullRT"`
		PullTPS           looseFloat `json:"pullTPS"`
		ConsumeRT         looseFloat `json:"consumeRT"`
		ConsumeOKTPS      looseFloat `json:"consumeOKTPS"`
		ConsumeFailedTPS  looseFloat `json:"consumeFailedTPS"`
		ConsumeFailedMsgs looseInt64 `json:"consumeFailedMsgs"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*r = ConsumeRates{
		PullMillis:        float64(in.PullRT),
		PulledPerSecond:   float64(in.PullTPS),
		ConsumeMillis:     float64(in.ConsumeRT),
		ConsumedPerSecond: float64(in.ConsumeOKTPS),
		FailedPerSecond:   float64(in.ConsumeFailedTPS),
		Failed:            int64(in.ConsumeFailedMsgs),
	}
	return nil
}

func (w *writer) rates(rates []ConsumeRates) {
	w.key("statusTable")
	w.open('{')
	for i := range rates {
		r := &rates[i]
		w.key(r.Topic)
		w.open('{')
		w.integerMember("consumeFailedMsgs", r.Failed)
		w.decimalMember("consumeFailedTPS", r.FailedPerSecond)
		w.decimalMember("consumeOKTPS", r.ConsumedPerSecond)
		w.decimalMember("consumeRT", r.ConsumeMillis)
		w.decimalMember("pullRT", r.PullMillis)
		w.decimalMember("pullTPS", r.PulledPerSecond)
		w.close('}')
	}
	w.close('}')
}

func (w *writer) decimalMember(name string, value float64) {
	w.key(name)
	w.decimal(value)
}
