package store

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/message"
)

// AppendStatus is the outcome of an append (class PutMessageStatus).
type AppendStatus int

// Outcomes of an append. Only with the first two is the message in the log for certain; with Failed it
// may be there or not; with the others it is not.
const (
	AppendOK                 AppendStatus = iota // PUT_OK: as durable as the flush mode promises
	AppendFlushTimeout                           // FLUSH_DISK_TIMEOUT: written, and not yet durable
	AppendFailed                                 // UNKNOWN_ERROR: the disk failed meanwhile
	AppendUnavailable                            // SERVICE_NOT_AVAILABLE: closed, or fenced after a disk failure
	AppendNoSpace                                // the disk is full
	AppendBusy                                   // OS_PAGE_CACHE_BUSY: too much waits for the disk
	AppendIllegal                                // MESSAGE_ILLEGAL
	AppendPropertiesTooLarge                     // PROPERTIES_SIZE_EXCEEDED
	AppendNoFile                                 // CREATE_MAPPED_FILE_FAILED: the log's next file could not be made
	AppendReplicaTimeout                         // FLUSH_SLAVE_TIMEOUT: as durable here as promised, and not yet at enough copies
)

var appendStatusNames = [...]string{"ok", "flush timed out", "failed", "unavailable", "no space", "busy", "illegal", "properties too large", "no file", "replicas timed out"}

// String names the status.
func (s AppendStatus) String() string {
	if s < 0 || int(s) >= len(appendStatusNames) {
		return fmt.Sprintf("append status %d", int(s))
	}
	return appendStatusNames[s]
}

// Stored reports whether the message is in the log.
func (s AppendStatus) Stored() bool {
	return s == AppendOK || s == AppendFlushTimeout || s == AppendReplicaTimeout
}

// Place is where a record stands.
type Place struct {
	Log   message.LogOffset
	Queue message.QueueOffset
}

// AppendResult tells what became of an append.
type AppendResult struct {
	Status AppendStatus
	Reason string  // for the user, if Status is not AppendOK
	Places []Place // of each record, in order; valid until the completion returns
	Late   bool    // the disk takes too long, and the outcome is not known; a Settler is told when it is
}

// ReadStatus is the outcome of a read (class GetMessageStatus).
type ReadStatus int

// Outcomes of a read; the protocol's words are in the names list.
const (
	ReadFound ReadStatus = iota
	ReadNoMatchedMessage
	ReadMessageWasRemoving
	ReadOffsetFoundNull
	ReadOffsetOverflowBadly
	ReadOffsetOverflowOne
	ReadOffsetTooSmall
	ReadNoMatchedLogicQueue
	ReadNoMessageInQueue
)

var readStatusNames = [...]string{
	"FOUND", "NO_MATCHED_MESSAGE", "MESSAGE_WAS_REMOVING", "OFFSET_FOUND_NULL", "OFFSET_OVERFLOW_BADLY",
	"OFFSET_OVERFLOW_ONE", "OFFSET_TOO_SMALL", "NO_MATCHED_LOGIC_QUEUE", "NO_MESSAGE_IN_QUEUE",
}

// String is the protocol's word; it goes into the remark of a pull response.
func (s ReadStatus) String() string {
	if s < 0 || int(s) >= len(readStatusNames) {
		return fmt.Sprintf("read status %d", int(s))
	}
	return readStatusNames[s]
}
