package proto

import "github.com/gantrymq/gantry/transport/wire"

// QueryTopicConsumeByWho is the header of ReqQueryTopicConsumeByWho (class
// QueryTopicConsumeByWhoRequestHeader). The answer's body is a GroupList: groups that are
// online and subscribe, and groups with offsets.
type QueryTopicConsumeByWho struct {
	Topic string // topic
}

// EncodeFields writes the header.
func (h *QueryTopicConsumeByWho) EncodeFields(e *wire.Encoder) { e.String("topic", h.Topic) }

// DecodeFields reads the header.
func (h *QueryTopicConsumeByWho) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = QueryTopicConsumeByWho{Topic: r.needText("topic")}
	return r.err
}

// QueryTopicsByConsumer is the header of ReqQueryTopicsByConsumer (class
// QueryTopicsByConsumerRequestHeader, since 5.0). The answer's body is a TopicList.
type QueryTopicsByConsumer struct {
	Group string // group
}

// EncodeFields writes the header.
func (h *QueryTopicsByConsumer) EncodeFields(e *wire.Encoder) { e.String("group", h.Group) }

// DecodeFields reads the header.
func (h *QueryTopicsByConsumer) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = QueryTopicsByConsumer{Group: r.needText("group")}
	return r.err
}

// QuerySubscriptionByConsumer is the header of ReqQuerySubscriptionByConsumer (class
// QuerySubscriptionByConsumerRequestHeader, since 5.0). The answer's body is a
// GroupSubscription.
type QuerySubscriptionByConsumer struct {
	Group string // group
	Topic string // topic
}

// EncodeFields writes the header.
func (h *QuerySubscriptionByConsumer) EncodeFields(e *wire.Encoder) {
	e.String("group", h.Group)
	encodeText(e, "topic", h.Topic)
}

// DecodeFields reads the header.
func (h *QuerySubscriptionByConsumer) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = QuerySubscriptionByConsumer{Group: r.needText("group"), Topic: r.text("topic")}
	return r.err
}

// QueryConsumeTimeSpan is the header of ReqQueryConsumeTimeSpan (class
// QueryConsumeTimeSpanRequestHeader). The answer's body is a ConsumeTimeSpans.
type QueryConsumeTimeSpan struct {
	Topic string // topic
	Group string // group
}

// EncodeFields writes the header.
func (h *QueryConsumeTimeSpan) EncodeFields(e *wire.Encoder) {
	e.String("topic", h.Topic)
	e.String("group", h.Group)
}

// DecodeFields reads the header.
func (h *QueryConsumeTimeSpan) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = QueryConsumeTimeSpan{Topic: r.needText("topic"), Group: r.needText("group")}
	return r.err
}

// QueryConsumeQueue is the header of ReqQueryConsumeQueue (class QueryConsumeQueueRequestHeader). The
// answer's body is a ConsumeQueuePart.
type QueryConsumeQueue struct {
	Topic         string // topic
	QueueID       int32  // queueId
	Index         int64  // index: number of the first message that is wanted
	Count         int32  // count of messages that are wanted from there on
	ConsumerGroup string // consumerGroup, whose subscription is told, too; "" for none
}

// EncodeFields writes the header.
func (h *QueryConsumeQueue) EncodeFields(e *wire.Encoder) {
	e.String("topic", h.Topic)
	e.Int("queueId", int64(h.QueueID))
	e.Int("index", h.Index)
	e.Int("count", int64(h.Count))
	encodeText(e, "consumerGroup", h.ConsumerGroup)
}

// DecodeFields reads the header.
func (h *QueryConsumeQueue) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = QueryConsumeQueue{
		Topic: r.needText("topic"), QueueID: r.needInt32("queueId"), Index: r.needInteger("index"), Count: r.needInt32("count"),
		ConsumerGroup: r.text("consumerGroup"),
	}
	return r.err
}

// GetConsumeStats is the header of ReqGetConsumeStats (class GetConsumeStatsRequestHeader).
// The answer's body is a ConsumeStats. Without Topic and Topics it is about all topics
// that the group has offsets of.
type GetConsumeStats struct {
	ConsumerGroup string   // consumerGroup
	Topic         string   // topic, optional
	Topics        []string // topicList, since 5.3, joined by semicolons: counts instead of Topic
}

// EncodeFields writes the header.
func (h *GetConsumeStats) EncodeFields(e *wire.Encoder) {
	e.String("consumerGroup", h.ConsumerGroup)
	encodeText(e, "topic", h.Topic)
	encodeList(e, "topicList", h.Topics, ";")
}

// DecodeFields reads the header.
func (h *GetConsumeStats) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetConsumeStats{
		ConsumerGroup: r.needText("consumerGroup"),
		Topic:         r.text("topic"),
		Topics:        r.list("topicList", ";"),
	}
	return r.err
}

// GetBrokerConsumeStats is the header of ReqGetBrokerConsumeStats (class
// GetConsumeStatsInBrokerHeader). The answer's body is a ConsumeStatsList.
type GetBrokerConsumeStats struct {
	Ordered bool // isOrder: only ordered topics, else all
}

// EncodeFields writes the header.
func (h *GetBrokerConsumeStats) EncodeFields(e *wire.Encoder) { e.Bool("isOrder", h.Ordered) }

// DecodeFields reads the header.
func (h *GetBrokerConsumeStats) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetBrokerConsumeStats{Ordered: r.needFlag("isOrder")}
	return r.err
}

// ViewBrokerStatsData is the header of ReqViewBrokerStatsData (class
// ViewBrokerStatsDataRequestHeader). The answer's body is a BrokerStatsData, RespSystemError if
// there is nothing of that name and key.
type ViewBrokerStatsData struct {
	Name string // statsName: such as "TOPIC_PUT_NUMS", "GROUP_GET_NUMS"
	Key  string // statsKey: a topic, topic@group, or a cluster name
}

// EncodeFields writes the header.
func (h *ViewBrokerStatsData) EncodeFields(e *wire.Encoder) {
	e.String("statsName", h.Name)
	e.String("statsKey", h.Key)
}

// DecodeFields reads the header.
func (h *ViewBrokerStatsData) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = ViewBrokerStatsData{Name: r.needText("statsName"), Key: r.needText("statsKey")}
	return r.err
}
