package broker_test

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func byKey(topic, key string, unique bool, change func(*proto.QueryMessage)) *transport.Request {
	header := &proto.QueryMessage{Topic: topic, Key: key, Max: 64, End: math.MaxInt64, UniqueKey: unique}
	if change != nil {
		change(header)
	}
	return &transport.Request{Code: proto.ReqQueryMessage, Header: header}
}

func TestMessagesAreFoundByTheirKeys(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "one", "KEYS\x01a b\x02UNIQ_KEY\x01U1\x02"))
	w.succeeds(sendRequest("orders", 1, "two", "KEYS\x01b\x02UNIQ_KEY\x01U2\x02"))
	w.succeeds(sendRequest("bills", 0, "three", "KEYS\x01b\x02UNIQ_KEY\x01U3\x02"))
	found := func(topic, key string, unique bool) []string {
		response := w.succeeds(byKey(topic, key, unique, nil))
		at, err := strconv.ParseInt(response.Fields.String("indexLastUpdateTimestamp"), 10, 64)
		require.NoError(t, err)
		require.Positive(t, at)
		require.NotEqual(t, "0", response.Fields.String("indexLastUpdatePhyoffset"))
		return bodies(t, response)
	}
	require.Equal(t, []string{"one"}, found("orders", "a", false))
	require.Equal(t, []string{"one", "two"}, found("orders", "b", false), "in the order of the log")
	require.Equal(t, []string{"three"}, found("bills", "b", false))
	require.Equal(t, []string{"two"}, found("orders", "U2", true))
	require.Equal(t, []string{"two"}, found("orders", "U2", false), "a unique key is a key as well")
	w.refused(byKey("orders", "b", true, nil), proto.RespQueryNotFound, "can not find message, maybe time range not correct")
	w.refused(byKey("nowhere", "b", false, nil), proto.RespQueryNotFound, "can not find message")
}

func TestAQueryByKeyHasItsLimits(t *testing.T) {
	w := newWorld(t)
	for i := range 70 {
		w.succeeds(sendRequest("orders", 0, strconv.Itoa(i), "KEYS\x01k\x02UNIQ_KEY\x01U\x02"))
	}
	count := func(unique bool, most int32) []string {
		return bodies(t, w.succeeds(byKey("orders", map[bool]string{false: "k", true: "U"}[unique], unique, func(h *proto.QueryMessage) { h.Max = most })))
	}
	require.Equal(t, []string{"68", "69"}, count(false, 2), "the newest")
	require.Len(t, count(false, 1000), 64)
	require.Len(t, count(true, 1), 32)
	limit := func(most int32) *transport.Request {
		return byKey("orders", "k", false, func(h *proto.QueryMessage) { h.Max = most })
	}
	w.refused(limit(0), proto.RespQueryNotFound, "can not find message")
	w.refused(limit(-1), proto.RespInvalidParameter, "maxNum -1: want 1 to 64")
}

func TestAQueryByKeyLooksOnlyIntoItsTimes(t *testing.T) {
	w := newWorld(t)
	var stored []int64
	for i := range 3 {
		w.succeeds(sendRequest("orders", 0, strconv.Itoa(i), "KEYS\x01k\x02"))
		stored = append(stored, int64(w.machine.Wall()))
		w.pass(10 * time.Second)
	}
	between := func(from, to int64) *transport.Request {
		return byKey("orders", "k", false, func(h *proto.QueryMessage) { h.Begin, h.End = from, to })
	}
	require.Equal(t, []string{"1"}, bodies(t, w.succeeds(between(stored[0]+2000, stored[1]+2000))))
	require.Equal(t, []string{"1", "2"}, bodies(t, w.succeeds(between(stored[0]+2000, math.MaxInt64))))
	w.refused(between(stored[2]+2000, math.MaxInt64), proto.RespQueryNotFound, "maybe time range not correct")
}

func TestWithoutAnIndexNothingIsFoundByKey(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.DisableIndex = true })
	w.succeeds(sendRequest("orders", 0, "one", "KEYS\x01a\x02"))
	w.refused(byKey("orders", "a", false, nil), proto.RespSystemError, "messageIndexEnable")
}
