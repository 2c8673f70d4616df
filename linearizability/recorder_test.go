package linearizability

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARecorderNotesCallsAndAnswers(t *testing.T) {
	var r Recorder
	sendA := r.BeginSend(1, q, 'a', true, 10)
	sendB := r.BeginSend(2, q, 'b', false, 11)
	refusedSend := r.BeginSend(3, q, 'c', false, 12)
	r.EndSend(sendA, 0, 20)
	r.Refuse(refusedSend, 21)
	reading := r.BeginRead(1, q, 0, true, 22)
	shown := []Hash{'a', 'b'}
	r.EndRead(reading, shown, 2, 23)
	shown[0] = 'x'
	r.EndRead(reading, shown, 3, 30)
	r.EndSend(sendA, 5, 31)
	commit := r.BeginCommitOffset(1, "g@"+q, 2, 40)
	r.Done(commit, 41)
	fetch := r.BeginFetchOffset(1, "g@"+q, 42)
	r.EndFetchOffset(fetch, 2, 43)
	lock := r.BeginLock(1, q, 44)
	r.EndLock(lock, true, 45)
	r.Done(r.BeginUnlock(1, q, 46), 47)
	r.Done(r.BeginForgetLocking(q, 48), 47)
	_ = sendB

	var told []string
	history := r.History()
	for i := range history {
		told = append(told, history[i].Queue+": "+history[i].String())
	}
	require.Equal(t, []string{
		"orders/0: client 1 send 61 → offset 0 [10, 20]",
		"orders/0: client 2 send 62 → unknown [11, no answer]",
		"orders/0: client 3 send 63 → refused [12, 21]",
		"orders/0: client 1 replica read at 0 → 2 messages from 61, end 2 [22, 23]",
		"g@orders/0: client 1 commit offset 2 [40, 41]",
		"g@orders/0: client 1 fetch offset → 2 [42, 43]",
		"orders/0: client 1 lock → granted [44, 45]",
		"orders/0: client 1 unlock [46, 47]",
		"orders/0: client -1 forget lock [48, 48]",
	}, told)
	require.True(t, history[0].Repeats)
	require.Equal(t, OK, Check(history, withLog(logOf("ab"))).Result)
}

func TestReadsOfOneRecorderDoNotShareTheirTail(t *testing.T) {
	var r Recorder
	for i := range 3000 {
		r.EndRead(r.BeginRead(1, q, 0, false, 1), []Hash{Hash(i), Hash(i)}, OffsetNone, 2)
	}
	for i, o := range r.History() {
		require.Equal(t, []Hash{Hash(i), Hash(i)}, o.Hashes)
		require.Equal(t, 2, cap(o.Hashes))
	}
}

func TestHashesAreThoseOfTheKnownFunction(t *testing.T) {
	require.Equal(t, Hash(0xcbf29ce484222325), HashOf(nil))
	require.Equal(t, Hash(0xaf63dc4c8601ec8c), HashOf([]byte("a")))
	require.Equal(t, Hash(0x85944171f73967e8), HashOf([]byte("foobar")))
}
