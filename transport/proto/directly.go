package proto

import "fmt"

// ConsumeResult is what a listener made of a message (class CMResult).
type ConsumeResult int8

// The results.
const (
	ResultUnknown   ConsumeResult = -1
	ResultSuccess   ConsumeResult = 0 // CR_SUCCESS
	ResultLater     ConsumeResult = 1 // CR_LATER
	ResultRollback  ConsumeResult = 2 // CR_ROLLBACK
	ResultCommit    ConsumeResult = 3 // CR_COMMIT
	ResultException ConsumeResult = 4 // CR_THROW_EXCEPTION
	ResultNull      ConsumeResult = 5 // CR_RETURN_NULL: the listener returned nothing
)

var consumeResults = enumeration{
	"CR_SUCCESS", "CR_LATER", "CR_ROLLBACK", "CR_COMMIT", "CR_THROW_EXCEPTION", "CR_RETURN_NULL",
}

// String returns the protocol's name.
func (c ConsumeResult) String() string { return consumeResults.name(int8(c)) }

// UnmarshalJSON reads a name or an ordinal, as Go clients write it.
func (c *ConsumeResult) UnmarshalJSON(text []byte) error {
	*c = ConsumeResult(consumeResults.read(text))
	return nil
}

// ConsumeMessageDirectlyResult tells how a client consumed one message (class
// ConsumeMessageDirectlyResult): the body of the answer to ReqConsumeMessageDirectly.
type ConsumeMessageDirectlyResult struct {
	Ordered bool // order: the client consumes in order
	// ManualCommit is the opposite of autoCommit, which ordered consumers have and which is
	// true unless said otherwise.
	ManualCommit bool
	Result       ConsumeResult // consumeResult; absent reads as ResultUnknown
	Remark       string        // remark, optional: an exception's text
	SpentMillis  int64         // spentTimeMills (spelled so)
}

// String shows the result and the time.
func (r *ConsumeMessageDirectlyResult) String() string {
	return fmt.Sprintf("%s after %d ms %q", r.Result, r.SpentMillis, shorten([]byte(r.Remark)))
}

// Marshal writes the body.
func (r *ConsumeMessageDirectlyResult) Marshal() []byte {
	var w writer
	w.open('{')
	w.booleanMember("autoCommit", !r.ManualCommit)
	w.enumMember("consumeResult", consumeResults, int8(r.Result))
	w.booleanMember("order", r.Ordered)
	if r.Remark != "" {
		w.stringMember("remark", r.Remark)
	}
	w.integerMember("spentTimeMills", r.SpentMillis)
	w.close('}')
	return w.text
}

// UnmarshalConsumeMessageDirectlyResult reads the body. The error is ErrBody.
func UnmarshalConsumeMessageDirectlyResult(body []byte) (*ConsumeMessageDirectlyResult, error) {
	in := struct {
		Order          looseBool     `json:"order"`
		AutoCommit     looseBool     `json:"autoCommit"`
		ConsumeResult  ConsumeResult `json:"consumeResult"`
		Remark         looseString   `json:"remark"`
		SpentTimeMills looseInt64    `json:"spentTimeMills"`
	}{AutoCommit: true, ConsumeResult: ResultUnknown}
	if err := unmarshal("ConsumeMessageDirectlyResult", body, &in); err != nil {
		return nil, err
	}
	return &ConsumeMessageDirectlyResult{
		Ordered:      bool(in.Order),
		ManualCommit: !bool(in.AutoCommit),
		Result:       in.ConsumeResult,
		Remark:       string(in.Remark),
		SpentMillis:  int64(in.SpentTimeMills),
	}, nil
}
