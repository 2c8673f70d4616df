package client

import (
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/node/env"
)

// This file tells message traces how transactions end.

// transactionTrace is the end of a transaction, as a broker was told of it (classes TraceContext and TraceBean, type EndTransaction).
type transactionTrace struct {
	at     env.WallMillis
	region string
	topic  string
	tags   string
	keys   string
	about  TransactionEnd // without its message
}

func (e *transactionTrace) subject() (topic, uniqueID, keys string) {
	return e.topic, e.about.UniqueID, e.keys
}

// append appends the 13 fields. The type of the message is always that of a commit, as in Java.
func (e *transactionTrace) append(dst []byte) []byte {
	return appendTrace(dst,
		"EndTransaction", strconv.FormatInt(int64(e.at), 10), e.region, e.about.Group, e.topic, e.about.UniqueID, e.tags, e.keys, e.about.Address,
		strconv.Itoa(int(traceCommit)), e.about.TransactionID, e.about.State.String(), strconv.FormatBool(e.about.AnswersCheck),
	)
}

// ended notes the end of a transaction.
func (t *tracer) ended(about TransactionEnd, region string) {
	topic := t.space.bare(about.Message.Topic)
	if strings.HasPrefix(topic, t.options.Topic) {
		return
	}
	m := about.Message
	about.Message = nil
	t.note(&transactionTrace{at: t.env.Clock.Wall(), region: region, topic: topic, tags: m.Tags(), keys: strings.Join(m.Keys(), " "), about: about})
}
