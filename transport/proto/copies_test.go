package proto

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a master of Apache's answers, written by hand after its class.
const javaCopies = `{"haClientRuntimeInfo":{"activated":false,"lastReadTimestamp":0,"lastWriteTimestamp":0,"masterFlushOffset":0,"maxOffset":0,"transferredByteInSecond":0},` +
	`"haConnectionInfo":[{"addr":"10.0.0.2:50020","diff":7,"inSync":true,"slaveAckOffset":93,"transferFromWhere":95,"transferredByteInSecond":2048}],` +
	`"inSyncSlaveNums":1,"master":true,"masterCommitLogMaxOffset":100}`

func TestTheStatusOfCopiesOfAJavaMasterIsRead(t *testing.T) {
	s, err := UnmarshalCopiesStatus([]byte(javaCopies))
	require.NoError(t, err)
	require.Equal(t, &CopiesStatus{
		Master: true, LogEnd: 100, InSync: 1,
		Slaves: []CopyStatus{{Address: "10.0.0.2:50020", Acked: 93, Behind: 7, InSync: true, Speed: 2048, Sent: 95}},
	}, s)
	require.Equal(t, "a master with 1 connections of slaves, 1 of which keep up", s.String())
}

func TestTheStatusOfCopiesIsWrittenAsJavaReadsIt(t *testing.T) {
	s := CopiesStatus{
		LogEnd: 1, Refused: 2, Why: `not "ours"`, Role: "SLAVE", Confirmed: 3, Needed: 4,
		Following: FollowStatus{Master: "m:10912", Speed: 5, LogEnd: 6, ReadAt: 7, WroteAt: 8, Flushed: 9, Connected: true, Diverged: "x"},
	}
	require.Equal(t, `{"confirmed":3,"haClientRuntimeInfo":{"activated":true,"diverged":"x","lastReadTimestamp":7,"lastWriteTimestamp":8,"masterAddr":"m:10912",`+
		`"masterFlushOffset":9,"maxOffset":6,"transferredByteInSecond":5},"haConnectionInfo":[],"inSyncSlaveNums":0,"master":false,"masterCommitLogMaxOffset":1,`+
		`"neededCopies":4,"refusedCopies":2,"role":"SLAVE","whyRefused":"not \"ours\""}`, string(s.Marshal()))
	require.Equal(t, "a slave of m:10912, connected: true", s.String())
}

func TestTheStatusOfCopiesSurvives(t *testing.T) {
	bodySurvives(t, (*CopiesStatus).Marshal, UnmarshalCopiesStatus, func(s *CopiesStatus) {
		if len(s.Slaves) == 0 {
			s.Slaves = nil
		}
	})
}

func TestHeadersOfCopiesSurvive(t *testing.T) {
	t.Run("ExchangeHAInfo", func(t *testing.T) {
		survives(t, func(h *ExchangeHAInfo) { unset(&h.MasterFlushed) })
	})
}

func TestATimerCheckpointIsSevenNumbers(t *testing.T) {
	c := TimerCheckpoint{ReadMillis: 1, LogFlushed: 2, QueueOffset: 3, MasterQueueOffset: 4, Version: DataVersion{StateVersion: 5, Timestamp: 6, Counter: 7}}
	golden := ""
	for i := range 7 {
		golden += strings.Repeat("\x00", 7) + string(rune(i+1))
	}
	require.Equal(t, golden, string(c.Marshal()))
	read, err := UnmarshalTimerCheckpoint([]byte(golden))
	require.NoError(t, err)
	require.Equal(t, c, read)
	old, err := UnmarshalTimerCheckpoint([]byte(golden[:32]))
	require.NoError(t, err, "without a version")
	require.Equal(t, TimerCheckpoint{ReadMillis: 1, LogFlushed: 2, QueueOffset: 3, MasterQueueOffset: 4}, old)
	_, err = UnmarshalTimerCheckpoint([]byte(golden[:31]))
	require.ErrorIs(t, err, ErrBody)
}

func TestTimerMetricsAreWrittenAsJavaReadsThem(t *testing.T) {
	m := TimerMetrics{Version: DataVersion{Counter: 3}, Waiting: []TimerCount{{"a", 5, 9}, {`b"`, 1, 9}}}
	require.Equal(t, `{"dataVersion":{"counter":3,"stateVersion":0,"timestamp":0},"timingCount":{"a":{"count":5,"timeStamp":9},"b\"":{"count":1,"timeStamp":9}}}`, string(m.Marshal()))
	require.Equal(t, `{"dataVersion":{"counter":0,"stateVersion":0,"timestamp":0},"timingCount":{}}`, string((&TimerMetrics{}).Marshal()))
}
