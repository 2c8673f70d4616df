package proto

import (
	"encoding/binary"
	"fmt"
)

// TimerCheckpointSize is the size of a TimerCheckpoint.
const TimerCheckpointSize = 56

// TimerCheckpoint is the body of the answer to ReqGetTimerCheckPoint, and the file timercheck (class TimerCheckpoint): how far a master is with messages that
// wait for a time of their own.
type TimerCheckpoint struct {
	// ReadMillis (lastReadTimeMs): what was due before it, wall milliseconds, has been delivered.
	ReadMillis int64
	// LogFlushed (lastTimerLogFlushPos) is a place in a file of Apache's timer wheel.
	LogFlushed int64
	// QueueOffset (lastTimerQueueOffset) is the first message of the timer queue that is not in its wheel, MasterQueueOffset (masterTimerQueueOffset) the same
	// at the master.
	QueueOffset, MasterQueueOffset int64
	Version                        DataVersion // dataVersion
}

// String tells the time and the place in the queue.
func (c TimerCheckpoint) String() string {
	return fmt.Sprintf("timers: delivered until %d, taken in up to %d", c.ReadMillis, c.MasterQueueOffset)
}

// Marshal writes the seven numbers.
func (c TimerCheckpoint) Marshal() []byte {
	p := make([]byte, 0, TimerCheckpointSize)
	for _, n := range []int64{c.ReadMillis, c.LogFlushed, c.QueueOffset, c.MasterQueueOffset, c.Version.StateVersion, c.Version.Timestamp, c.Version.Counter} {
		p = binary.BigEndian.AppendUint64(p, uint64(n))
	}
	return p
}

// UnmarshalTimerCheckpoint reads them. Old brokers leave the version out. The error is ErrBody.
func UnmarshalTimerCheckpoint(body []byte) (TimerCheckpoint, error) {
	var n [TimerCheckpointSize / 8]int64
	if len(body) < 32 {
		return TimerCheckpoint{}, fmt.Errorf("%w: TimerCheckpoint: %d bytes, want %d", ErrBody, len(body), TimerCheckpointSize)
	}
	for i := range n {
		if p := body[min(8*i, len(body)):]; len(p) >= 8 {
			n[i] = int64(binary.BigEndian.Uint64(p))
		}
	}
	return TimerCheckpoint{n[0], n[1], n[2], n[3], DataVersion{n[4], n[5], n[6]}}, nil
}

// TimerMetrics is the body of the answer to ReqGetTimerMetrics (class TimerMetricsSerializeWrapper): how many messages wait for a time of their own.
type TimerMetrics struct {
	Version DataVersion  // dataVersion
	Waiting []TimerCount // timingCount; by topic
}

// TimerCount is the messages that wait for one topic (class Metric).
type TimerCount struct {
	Topic     string // the key
	Count     int64  // count
	CountedAt int64  // timeStamp: wall milliseconds of when it was counted
}

// Marshal writes the body.
func (m *TimerMetrics) Marshal() []byte {
	var w writer
	w.open('{')
	w.key("dataVersion")
	w.dataVersion(m.Version)
	w.key("timingCount")
	w.open('{')
	for _, c := range m.Waiting {
		w.key(c.Topic)
		w.open('{')
		w.integerMember("count", c.Count)
		w.integerMember("timeStamp", c.CountedAt)
		w.close('}')
	}
	w.close('}')
	w.close('}')
	return w.text
}
