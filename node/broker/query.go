package broker

import (
	"fmt"

	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// viewMessage handles VIEW_MESSAGE_BY_ID: the message at a place of the log. It waits for the disk.
func (b *Broker) viewMessage(in *transport.Incoming) {
	var h proto.ViewMessageByID
	if !decode(in, &h) {
		return
	}
	reply := in.Reply()
	var raw []byte
	var err error
	b.await(in, func() { raw, err = b.store.RecordBytes(message.LogOffset(h.Offset)) })
	if err != nil {
		reply.Error(proto.RespSystemError, fmt.Sprintf("can not find message by the offset, %d: %v", h.Offset, err))
		return
	}
	// What stands at that place may be of another topic than the request says.
	if b.mayHandOut(in, raw) {
		reply.Success(raw)
	}
}

// Limits of one query by key.
const (
	keyedMax      = 64       // messages by a business key (maxMsgsNumBatch)
	uniqueMax     = 32       // messages by a unique key (defaultQueryMaxNum)
	queryBytesMax = 12 << 20 // of records: an answer must fit into a frame of 16 MiB
)

// queryMessage handles QUERY_MESSAGE (class QueryMessageProcessor): the newest messages with a key, in the order of the log. Unlike
// a Java broker's they all have the key, not only one with the same hash. It waits for the index and the disk.
//
// Answers: success; query not found; invalid parameter; system error (the index is off, or cannot be read).
func (b *Broker) queryMessage(in *transport.Incoming) {
	var h proto.QueryMessage
	if !decode(in, &h) {
		return
	}
	reply := in.Reply()
	if h.Max < 0 {
		reply.Error(proto.RespInvalidParameter, fmt.Sprintf("maxNum %d: want 1 to %d", h.Max, keyedMax))
		return
	}
	query := store.KeyQuery{
		Topic: h.Topic, Key: h.Key, UniqueID: h.UniqueKey, From: h.Begin, To: h.End, CountMax: min(int(h.Max), keyedMax), BytesMax: queryBytesMax,
	}
	if h.UniqueKey {
		query.CountMax = uniqueMax
	}
	if query.CountMax == 0 {
		reply.Error(proto.RespQueryNotFound, notFoundByKey)
		return
	}
	var found store.KeyResult
	var err error
	b.await(in, func() { found, err = b.store.FindByKey(query) })
	if err != nil {
		reply.Error(proto.RespSystemError, fmt.Sprintf("topic %s, key %s: %v", h.Topic, h.Key, err))
		return
	}
	answerQuery(reply, &found)
}

const notFoundByKey = "can not find message, maybe time range not correct"

// answerQuery tells how far the index is, also if nothing was found. A search that could not see all of the log says so.
func answerQuery(reply transport.Reply, found *store.KeyResult) {
	code, remark := int32(proto.RespSuccess), ""
	if found.Count == 0 {
		code, remark = proto.RespQueryNotFound, notFoundByKey
	}
	if !found.Complete {
		remark += fmt.Sprintf(" (the key index knows the log up to %d only, ask again later)", found.IndexedTo)
	}
	header := &proto.QueryMessageResponse{IndexedAt: found.IndexedAt, IndexedTo: int64(found.IndexedTo)}
	reply.SendFields(code, remark, header, nil, found.Bytes)
}
