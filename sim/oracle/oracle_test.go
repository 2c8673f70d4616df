package oracle_test

import (
	"testing"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

func marked() *message.Message {
	m := &message.Message{Topic: "orders", Body: []byte("one")}
	oracle.Mark(m)
	return m
}

func TestAMarkedMessageIsIntact(t *testing.T) {
	require.NoError(t, oracle.Intact(marked()))
}

func TestAnotherBodyIsNoticed(t *testing.T) {
	m := marked()
	m.Body = []byte("two")
	require.ErrorContains(t, oracle.Intact(m), "has the keys")
}

func TestALostPropertyIsNoticed(t *testing.T) {
	m := marked()
	m.Properties.Delete("check")
	require.ErrorContains(t, oracle.Intact(m), "check")
}

// send is an acknowledged send in a history of one queue.
func send(r *linearizability.Recorder, client int, body string, offset, call, done int64) {
	r.EndSend(r.BeginSend(client, "queue", linearizability.HashOf([]byte(body)), false, call), offset, done)
}

func log(bodies ...string) map[string]linearizability.Log {
	var l linearizability.Log
	for i, body := range bodies {
		l.Entries = append(l.Entries, linearizability.Entry{Offset: int64(i), Hash: linearizability.HashOf([]byte(body))})
	}
	return map[string]linearizability.Log{"queue": l}
}

func TestAGoodHistoryPasses(t *testing.T) {
	var r linearizability.Recorder
	send(&r, 1, "a", 0, 1, 2)
	send(&r, 1, "b", 1, 3, 4)
	require.NoError(t, oracle.History(r.History(), log("a", "b")))
}

func TestALostAcknowledgedMessageIsNoticed(t *testing.T) {
	var r linearizability.Recorder
	send(&r, 1, "a", 0, 1, 2)
	send(&r, 1, "b", 1, 3, 4)
	require.Error(t, oracle.History(r.History(), log("a")))
}

func TestTwoMessagesAtOneOffsetAreNoticed(t *testing.T) {
	var r linearizability.Recorder
	send(&r, 1, "a", 0, 1, 2)
	send(&r, 2, "b", 0, 3, 4)
	require.Error(t, oracle.History(r.History(), log("a", "b")))
}

func TestACommittedOffsetThatIsGoneIsNoticed(t *testing.T) {
	var r linearizability.Recorder
	r.Done(r.BeginCommitOffset(1, "group queue", 5, 1), 2)
	r.EndFetchOffset(r.BeginFetchOffset(1, "group queue", 3), linearizability.OffsetNone, 4)
	require.Error(t, oracle.History(r.History(), map[string]linearizability.Log{}))
}
