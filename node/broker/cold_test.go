package broker_test

import (
	"testing"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestWhoReadsOldMessagesIsSentToTheSlaveOfItsGroup(t *testing.T) {
	for slaveRead, want := range map[bool]string{true: "1", false: "0"} {
		w := newWorld(t, func(o *broker.Options) { o.SlaveRead, o.Store.Cached, o.Store.ColdCountMax = slaveRead, 4096, 2 })
		for range 100 {
			w.succeeds(sendRequest("orders", 0, "x", ""))
		}
		old := w.succeeds(pullRequest("orders", 0, 0, 0, "*"))
		require.Equal(t, want, old.Fields.String("suggestWhichBrokerId"))
		require.Len(t, bodies(t, old), 2, "they are read in small pieces")
		recent := w.succeeds(pullRequest("orders", 0, 90, 0, "*"))
		require.Equal(t, "0", recent.Fields.String("suggestWhichBrokerId"))
		require.Len(t, bodies(t, recent), 10)
	}
}

func TestAGroupThatHasCommittedNothingDoesNotBeginWithMessagesThatAreNotInMemory(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.Cached = 4096 })
	w.succeeds(sendRequest("orders", 0, "x", ""))
	lenient := &transport.Request{Code: proto.ReqQueryConsumerOffset, Header: &proto.QueryConsumerOffset{ConsumerGroup: "g", Topic: "orders"}}
	require.Equal(t, "0", w.succeeds(lenient).Fields.String("offset"))
	for range 100 {
		w.succeeds(sendRequest("orders", 0, "x", ""))
	}
	w.refused(lenient, proto.RespQueryNotFound, "Not found")
}
