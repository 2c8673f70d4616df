package replica

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/transport/message"
)

// The protocol of groups whose master is configured, the same as that of Apache's brokers (class DefaultHAService). The slave reports, as often as
// it likes:
//
//	0  end i64   of its log; the first report also says what it wants to be sent from
//
// The master sends:
//
//	 0  place i64   of the bytes
//	 8  size i32    of the bytes; 0 only tells that the master is there
//	12  bytes       of the log, of one file, which may begin and end anywhere
//
// There is no version, no identity, no epoch and no checksum.

// The sizes of both.
const (
	ClassicReportSize = 8
	ClassicHeadSize   = 12
	// ClassicBodyMax bounds the bytes of one frame; Apache's brokers send up to 32768 unless configured otherwise, and take up to 4 MiB.
	ClassicBodyMax = 4<<20 - ClassicHeadSize
)

// ErrClassic: the bytes are not what a broker of the other role sends.
var ErrClassic = errors.New("not a frame of the replication of configured masters")

// AppendClassicReport encodes a report.
func AppendClassicReport(p []byte, end message.LogOffset) []byte { return appendPlace(p, end) }

// ClassicReport reads the newest of the reports that p holds, and tells how many bytes they take; 0 if none is whole.
func ClassicReport(p []byte) (end message.LogOffset, n int, err error) {
	n = len(p) - len(p)%ClassicReportSize
	if n == 0 {
		return 0, 0, nil
	}
	end = message.LogOffset(binary.BigEndian.Uint64(p[n-ClassicReportSize:]))
	if end < 0 {
		return 0, 0, fmt.Errorf("%w: a slave reports that its log ends at %d", ErrClassic, end)
	}
	return end, n, nil
}

// AppendClassicHead encodes what stands in front of the bytes.
func AppendClassicHead(p []byte, at message.LogOffset, size int) []byte {
	return binary.BigEndian.AppendUint32(appendPlace(p, at), uint32(size))
}

// ClassicHead reads what stands in front of the bytes. p has ClassicHeadSize bytes or more.
func ClassicHead(p []byte) (at message.LogOffset, size int, err error) {
	at, n := message.LogOffset(binary.BigEndian.Uint64(p)), int32(binary.BigEndian.Uint32(p[8:]))
	if at < 0 || n < 0 || n > ClassicBodyMax {
		return 0, 0, fmt.Errorf("%w: %d bytes for place %d: want 0 to %d", ErrClassic, n, at, ClassicBodyMax)
	}
	return at, int(n), nil
}

// ClassicFollower is how a slave judges what its configured master sends. It asks for some bytes that it has already, and compares them: without epochs
// nothing else tells that both logs are the same.
type ClassicFollower struct {
	overlap []byte            // the end of the slave's log, from asked on, that is still to be compared
	next    message.LogOffset // of the next byte from the master
	end     message.LogOffset // of the slave's log, when it asked
	empty   bool              // the slave has no log: the master says where to begin
}

// ClassicOverlap is how many bytes a slave asks for that it has.
const ClassicOverlap = 4096

// NewClassicFollower is for a slave whose log ends with the bytes tail, at most ClassicOverlap of them, all of one file. An empty log has none.
func NewClassicFollower(tail []byte, end message.LogOffset) *ClassicFollower {
	return &ClassicFollower{overlap: tail, next: end - message.LogOffset(len(tail)), end: end, empty: len(tail) == 0}
}

// Ask is what the slave reports first. 0 asks for what the master likes to begin with.
func (f *ClassicFollower) Ask() message.LogOffset {
	if f.empty {
		return 0
	}
	return f.next
}

// Verified reports whether the end of the slave's log has turned out to be the same as the master's.
func (f *ClassicFollower) Verified() bool { return len(f.overlap) == 0 }

// Bytes judges bytes of the master and returns those that the slave does not have. begins says that the log of a slave that had none begins there.
func (f *ClassicFollower) Bytes(at message.LogOffset, p []byte) (fresh []byte, begins bool, err error) {
	if len(p) == 0 {
		return nil, false, nil
	}
	if f.empty {
		f.next, f.end, f.empty, begins = at, at, false, true
	}
	if at != f.next {
		return nil, false, fmt.Errorf("%w: bytes for %d, want those for %d", ErrStream, at, f.next)
	}
	f.next += message.LogOffset(len(p))
	n := min(len(p), len(f.overlap))
	if string(p[:n]) != string(f.overlap[:n]) {
		return nil, false, fmt.Errorf("%w: the log of the slave ends at %d, and what stands in front of that is not what the master has there", ErrDiverged, f.end)
	}
	f.overlap = f.overlap[n:]
	return p[n:], begins, nil
}

// NewClassicFollowerFrom is for a slave that has nothing, and asks for a log from a place on.
func NewClassicFollowerFrom(from message.LogOffset) *ClassicFollower {
	return &ClassicFollower{next: from, end: from}
}
