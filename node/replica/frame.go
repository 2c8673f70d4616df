package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/gantrymq/gantry/transport/message"
)

// The protocol between the brokers of a group that has a controller. It is Gantry's own; groups without one speak as Apache's brokers do (classic.go).
//
// A copy connects to the replication port of the master and sends the preamble:
//
//	0  magic ff "GANTRY" 01   as the first report of a slave of Apache's it would be a negative place, which none sends
//
// The last byte of the magic is the version. Then both sides send frames, integers big-endian:
//
//	 0  size u32       of what follows
//	 4  checksum u32   CRC-32C of all that follows it
//	 8  kind u8
//	 9  epoch i32      of the master, as the sender knows it
//	13  what the kind says
//
// The copy begins with a Hello. The master answers with a Welcome, or a Refusal and the end of the connection. From then on the master sends
// Bytes and Change frames, and the copy a Report whenever it has made more durable, and at least every so often.

// Magic begins a connection of this protocol.
var Magic = [8]byte{0xFF, 'G', 'A', 'N', 'T', 'R', 'Y', 1}

// Kind says what a frame is.
type Kind uint8

// The kinds of frames.
const (
	KindHello Kind = iota + 1
	KindWelcome
	KindRefusal
	KindBytes
	KindChange
	KindReport
)

var kindNames = [...]string{"hello", "welcome", "refusal", "bytes", "change", "report"}

// String names the kind.
func (k Kind) String() string {
	if k < 1 || int(k) > len(kindNames) {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kindNames[k-1]
}

// FrameHead is the size of what stands in front of the fields of a frame, FrameMax that of the largest frame.
const (
	FrameHead = 13
	FrameMax  = 8 << 20
)

// ErrFrame: the bytes are no frame of this protocol.
var ErrFrame = errors.New("not a frame of the replication protocol")

// Frame is what both sides send: one of the types of this file.
type Frame interface {
	kind() Kind
	append(p []byte) []byte
}

// Hello is how a copy introduces itself.
type Hello struct {
	ID          BrokerID
	Incarnation int64 // of its process
	Learner     bool  // it is not to enter the in-sync set
	SegmentSize int64 // of its log files
	Start, End  message.LogOffset
	Eras        []Era
}

// Welcome says how the logs of copy and master agree.
type Welcome struct {
	// Point is up to where they do. The copy cuts off what it has behind it, and is sent what comes there.
	Point message.LogOffset
	// Anew says that the copy has nothing of use, or is so far behind that the master has no more what comes next: it throws its log away and begins at Point.
	Anew bool
	// The bytes [CheckFrom, Point) have the CRC-32C Check in the master's log. If not in that of the copy, something else is wrong.
	CheckFrom message.LogOffset
	Check     uint32
	Confirmed message.LogOffset
	End       message.LogOffset // of the master's log
	Eras      []Era             // of the master's log
}

// Refusal says why the master does not take the copy.
type Refusal struct{ Reason string }

// Bytes are a part of the log, or none: then it only tells that the master is there.
type Bytes struct {
	At        message.LogOffset
	Era       Era // in which they were written; it does not end within them
	Confirmed message.LogOffset
	End       message.LogOffset // of the master's log
	Bytes     []byte
}

// Change is a change of a file of the tables (the config directory).
type Change struct {
	Number uint64 // each is one more than the last one, but for those of a first copy
	// First says that it is part of the copy of all tables with which a connection begins. The last of these has LastOfFirst, and the number
	// from which changes count on.
	First, LastOfFirst bool
	Operation          Operation
	Name               string
	At                 int64 // where the bytes of an append begin in the file
	Bytes              []byte
}

// Operation is how a change changes a file.
type Operation uint8

// The operations.
const (
	OperationNone   Operation = iota // nothing, only numbers
	OperationPut                     // the file has the bytes, and no others
	OperationAppend                  // the bytes are written at a place, and end the file
	OperationStage                   // the bytes are the next part of a put or append that is too large for one frame; it has no number of its own
)

// Report is how far a copy is.
type Report struct{ Position }

func (*Hello) kind() Kind   { return KindHello }
func (*Welcome) kind() Kind { return KindWelcome }
func (*Refusal) kind() Kind { return KindRefusal }
func (*Bytes) kind() Kind   { return KindBytes }
func (*Change) kind() Kind  { return KindChange }
func (*Report) kind() Kind  { return KindReport }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum is the CRC-32C of bytes.
func Checksum(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }

// AppendFrame encodes a frame.
func AppendFrame(p []byte, epoch Epoch, f Frame) []byte {
	start := len(p)
	p = append(p, 0, 0, 0, 0, 0, 0, 0, 0, byte(f.kind()))
	p = binary.BigEndian.AppendUint32(p, uint32(epoch))
	p = f.append(p)
	binary.BigEndian.PutUint32(p[start:], uint32(len(p)-start-4))
	binary.BigEndian.PutUint32(p[start+4:], Checksum(p[start+8:]))
	return p
}

// FrameSize tells how long the frame is that begins with p, its size field included: 0 if p has not the 4 bytes that tell. The error is ErrFrame.
func FrameSize(p []byte) (int, error) {
	if len(p) < 4 {
		return 0, nil
	}
	n := int64(binary.BigEndian.Uint32(p)) + 4
	if n < FrameHead || n > FrameMax {
		return 0, fmt.Errorf("%w: it says that it has %d bytes: want %d to %d", ErrFrame, n, FrameHead, FrameMax)
	}
	return int(n), nil
}

// DecodeFrame reads a whole frame. Its bytes are shared with p. The error is ErrFrame.
func DecodeFrame(p []byte) (Epoch, Frame, error) {
	n, err := FrameSize(p)
	if err != nil {
		return 0, nil, err
	}
	if n != len(p) {
		return 0, nil, fmt.Errorf("%w: it says that it has %d bytes, and has %d", ErrFrame, n, len(p))
	}
	if want, sum := binary.BigEndian.Uint32(p[4:]), Checksum(p[8:]); want != sum {
		return 0, nil, fmt.Errorf("%w: its checksum is %08x, its bytes have %08x", ErrFrame, want, sum)
	}
	epoch := Epoch(binary.BigEndian.Uint32(p[9:]))
	r := &fields{rest: p[FrameHead:]}
	f := r.frame(Kind(p[8]))
	switch {
	case f == nil:
		return 0, nil, fmt.Errorf("%w: its %v is unknown", ErrFrame, Kind(p[8]))
	case r.failed || len(r.rest) > 0:
		return 0, nil, fmt.Errorf("%w: a %v with fields that do not end where it does", ErrFrame, Kind(p[8]))
	case epoch < 0:
		return 0, nil, fmt.Errorf("%w: a %v of epoch %d", ErrFrame, Kind(p[8]), epoch)
	}
	return epoch, f, nil
}
