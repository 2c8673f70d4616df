package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// TransactionOutcome is how a transaction ends (class MessageSysFlag, its transaction types).
type TransactionOutcome int32

// The outcomes.
const (
	OutcomeUnknown  TransactionOutcome = 0  // TRANSACTION_NOT_TYPE: the producer does not know yet, ask again
	OutcomeCommit   TransactionOutcome = 8  // TRANSACTION_COMMIT_TYPE
	OutcomeRollback TransactionOutcome = 12 // TRANSACTION_ROLLBACK_TYPE
)

// String names the outcome.
func (o TransactionOutcome) String() string {
	switch o {
	case OutcomeUnknown:
		return "unknown"
	case OutcomeCommit:
		return "commit"
	case OutcomeRollback:
		return "rollback"
	}
	return fmt.Sprintf("outcome %d", int32(o))
}

// EndTransaction is the header of ReqEndTransaction (class EndTransactionRequestHeader), sent
// one-way by producers: commit a half message or roll it back.
type EndTransaction struct {
	Topic         string             // topic, since 5.0: the real topic; optional
	ProducerGroup string             // producerGroup
	HalfOffset    int64              // tranStateTableOffset: of the half message in the queue of HalfTopic
	LogOffset     int64              // commitLogOffset: where the record of the half message begins in the commit log
	Outcome       TransactionOutcome // commitOrRollback
	AnswersCheck  bool               // fromTransactionCheck: answers ReqCheckTransactionState; absent reads as false
	UniqueID      string             // msgId: UNIQ_KEY of the message, or what the check named
	TransactionID string             // transactionId, optional
	BrokerName    string             // bname, since 5.0, optional
}

// EncodeFields writes the header.
func (h *EndTransaction) EncodeFields(e *wire.Encoder) {
	encodeText(e, "topic", h.Topic)
	e.String("producerGroup", h.ProducerGroup)
	e.Int("tranStateTableOffset", h.HalfOffset)
	e.Int("commitLogOffset", h.LogOffset)
	e.Int("commitOrRollback", int64(h.Outcome))
	e.Bool("fromTransactionCheck", h.AnswersCheck)
	e.String("msgId", h.UniqueID)
	encodeText(e, "transactionId", h.TransactionID)
	encodeText(e, "bname", h.BrokerName)
}

// DecodeFields reads the header.
func (h *EndTransaction) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = EndTransaction{
		Topic:         r.text("topic"),
		ProducerGroup: r.needText("producerGroup"),
		HalfOffset:    r.needInteger("tranStateTableOffset"),
		LogOffset:     r.needInteger("commitLogOffset"),
		Outcome:       TransactionOutcome(r.needInt32("commitOrRollback")),
		AnswersCheck:  r.flag("fromTransactionCheck", false),
		UniqueID:      r.needText("msgId"),
		TransactionID: r.text("transactionId"),
		BrokerName:    r.text("bname"),
	}
	return r.err
}

// String shows who ends which transaction how.
func (h *EndTransaction) String() string {
	return fmt.Sprintf("%s by %s of the half message at %d", h.Outcome, h.ProducerGroup, h.LogOffset)
}

// CheckTransactionState is the header of ReqCheckTransactionState (class
// CheckTransactionStateRequestHeader), sent one-way by a broker to any member of the producer
// group, which answers with EndTransaction. The body is the half message in the layout of
// the commit log, with its real topic and queue.
type CheckTransactionState struct {
	Topic         string // topic, since 5.0, optional: for logs
	HalfOffset    int64  // tranStateTableOffset: of the half message in the queue of HalfTopic
	LogOffset     int64  // commitLogOffset: where the record of the half message begins in the commit log
	UniqueID      string // msgId, optional: UNIQ_KEY of the message
	TransactionID string // transactionId, optional
	OffsetID      string // offsetMsgId, optional: the offset id of the half message
	BrokerName    string // bname, since 5.0, optional
}

// EncodeFields writes the header.
func (h *CheckTransactionState) EncodeFields(e *wire.Encoder) {
	encodeText(e, "topic", h.Topic)
	e.Int("tranStateTableOffset", h.HalfOffset)
	e.Int("commitLogOffset", h.LogOffset)
	encodeText(e, "msgId", h.UniqueID)
	encodeText(e, "transactionId", h.TransactionID)
	encodeText(e, "offsetMsgId", h.OffsetID)
	encodeText(e, "bname", h.BrokerName)
}

// DecodeFields reads the header.
func (h *CheckTransactionState) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = CheckTransactionState{
		Topic:         r.text("topic"),
		HalfOffset:    r.needInteger("tranStateTableOffset"),
		LogOffset:     r.needInteger("commitLogOffset"),
		UniqueID:      r.text("msgId"),
		TransactionID: r.text("transactionId"),
		OffsetID:      r.text("offsetMsgId"),
		BrokerName:    r.text("bname"),
	}
	return r.err
}

// String shows what is asked.
func (h *CheckTransactionState) String() string {
	return fmt.Sprintf("check of transaction %s, half message at %d", h.TransactionID, h.LogOffset)
}
