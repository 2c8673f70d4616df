package broker_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// A message that rots while it is in flight is for the operator to decide about, as one that is pulled: it is neither passed over nor taken for settled.
func TestAMessageThatRotsInFlightStopsThePopsOfItsQueue(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Store.Cached = 4096 })
	w.sendOrders(0, 2)
	w.pop()
	for range 40 {
		// What is not in memory is verified when it is read.
		w.succeeds(sendRequest("others", 0, strings.Repeat("x", 400), ""))
	}
	content, ok := w.machine.Disk().Content(firstLogFile)
	require.True(t, ok)
	at := bytes.Index(content, []byte("even"))
	require.Positive(t, at)
	require.True(t, w.machine.Disk().Corrupt(firstLogFile, int64(at), 1))
	w.pass(time.Minute)
	w.refused(popRequest(), proto.RespSystemError, "message 0 of orders-1")
	require.EqualValues(t, 0, w.floor())
	require.True(t, w.machine.Disk().Corrupt(firstLogFile, int64(at), 1), "as a repair from a copy would")
	require.Equal(t, []string{"0", "1"}, bodiesIn(w.pop()))
}

const firstLogFile = "commitlog/00000000000000000000"

// Somebody has thrown the log away and kept the tables. What has the numbers of the old messages is new.
func TestWhatWasInFlightOfAThrownAwayLogHidesNothing(t *testing.T) {
	w := newWorld(t)
	w.sendOrders(0, 5)
	w.pop()
	w.close()
	w.machine.Shutdown()
	e := w.machine.Boot("operator")
	done, err := false, error(nil)
	e.Tasks.Go("throw the log away", func() {
		for _, name := range w.machine.Disk().Paths() {
			if !strings.HasPrefix(name, "config/") {
				err = errors.Join(err, e.Disk.Remove(name))
			}
		}
		done = true
	})
	w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return done })
	require.NoError(t, err)
	w.machine.Shutdown()
	w.start()
	w.sendOrders(10, 16)
	w.restart(sim.PowerLoss)
	require.Equal(t, []string{"10", "11", "12", "13", "14", "15"}, bodiesIn(w.pop()))
}
