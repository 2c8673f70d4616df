package broker

import (
	"testing"

	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestEveryOutcomeOfAReadHasItsAnswer(t *testing.T) {
	for _, c := range []struct {
		status store.ReadStatus
		from   int64
		code   int32
		holds  bool
	}{
		{store.ReadFound, 0, proto.RespSuccess, false},
		{store.ReadNoMatchedMessage, 0, proto.RespPullRetryImmediately, false},
		{store.ReadMessageWasRemoving, 0, proto.RespPullRetryImmediately, false},
		{store.ReadOffsetFoundNull, 5, proto.RespPullNotFound, false},
		{store.ReadOffsetOverflowOne, 5, proto.RespPullNotFound, true},
		{store.ReadOffsetOverflowBadly, 5, proto.RespPullOffsetMoved, false},
		{store.ReadOffsetTooSmall, 5, proto.RespPullOffsetMoved, false},
		{store.ReadNoMatchedLogicQueue, 0, proto.RespPullNotFound, true},
		{store.ReadNoMatchedLogicQueue, 5, proto.RespPullOffsetMoved, false},
		{store.ReadNoMessageInQueue, 0, proto.RespPullNotFound, true},
		{store.ReadNoMessageInQueue, 5, proto.RespPullOffsetMoved, false},
	} {
		code := pullCode(c.status, message.QueueOffset(c.from))
		require.Equal(t, proto.ResponseName(c.code), proto.ResponseName(code), "%v from %d", c.status, c.from)
		require.Equal(t, c.holds, mayHold(c.status, code), "%v from %d", c.status, c.from)
	}
}
