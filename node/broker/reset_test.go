package broker_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// TestResetsAtTheSameTimeAreAllDurable: they share a file.
func TestResetsAtTheSameTimeAreAllDurable(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(sendRequest("orders", 1, "x", ""))
	tool := w.addClient("tool")
	for _, group := range []string{"g", "h"} {
		w.succeeds(commitRequest(group, "orders", 0, 1))
	}
	w.slowDisk(300 * time.Millisecond)
	first := w.begin(resetRequest(0, toOffset(0)))
	w.pass(100 * time.Millisecond)
	response := tool.succeeds(resetRequest(0, func(h *proto.ResetOffset) {
		h.Group = "h"
		toOffset(0)(h)
	}))
	require.EqualValues(t, proto.RespSuccess, response.Code, response.Remark)
	w.pass(5 * time.Second)
	require.NotNil(t, *first)
	require.EqualValues(t, proto.RespSuccess, (*first).Code, (*first).Remark)
	w.restart(sim.PowerLoss)
	require.Equal(t, `{"resets":[{"group":"g","topic":"orders","queue":0,"offset":0},{"group":"h","topic":"orders","queue":0,"offset":0}]}`,
		w.file("config/pendingResets.json"))
}
