package client

import (
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
)

// SendStatus says how safe a stored message is. All of them mean that the master has stored it.
type SendStatus int

// The statuses.
const (
	// SendOK: it is as safe as the broker's configuration promises.
	SendOK SendStatus = iota
	// SendFlushDiskTimeout: the flush was not over in time.
	SendFlushDiskTimeout
	// SendFlushSlaveTimeout: the slaves did not acknowledge in time.
	SendFlushSlaveTimeout
	// SendSlaveNotAvailable: no slave is in sync.
	SendSlaveNotAvailable
)

// String returns the protocol's name, such as SEND_OK.
func (s SendStatus) String() string {
	switch s {
	case SendOK:
		return "SEND_OK"
	case SendFlushDiskTimeout:
		return "FLUSH_DISK_TIMEOUT"
	case SendFlushSlaveTimeout:
		return "FLUSH_SLAVE_TIMEOUT"
	case SendSlaveNotAvailable:
		return "SLAVE_NOT_AVAILABLE"
	}
	return fmt.Sprintf("send status %d", int(s))
}

// statusOf translates the codes of a send that was stored; false for others.
func statusOf(code int32) (SendStatus, bool) {
	switch code {
	case proto.RespSuccess:
		return SendOK, true
	case proto.RespFlushDiskTimeout:
		return SendFlushDiskTimeout, true
	case proto.RespFlushSlaveTimeout:
		return SendFlushSlaveTimeout, true
	case proto.RespSlaveNotAvailable:
		return SendSlaveNotAvailable, true
	}
	return 0, false
}

// SendResult tells where a message was stored (class SendResult).
type SendResult struct {
	Status        SendStatus
	UniqueID      string // of the message, made by this client ("msgId" of Java's result)
	OffsetID      string // where it is stored: broker address and log offset ("offsetMsgId")
	Queue         Queue
	QueueOffset   QueueOffset
	TransactionID string
	RecallHandle  string // of delayed messages that can be called back
	Region        string
	TraceOff      bool // the broker wants no message traces ("traceOn")
	// Tries is how often the message was sent. If it is more than 1, an earlier try that
	// seemed to fail may have stored the message too, unless the broker knows messages that come again.
	Tries int

	offsets string // of the messages of a batch, if they do not follow one another
}

// String shows status, identifiers and place.
func (r SendResult) String() string {
	return fmt.Sprintf("%s %s in %s at %d (%s)", r.Status, r.UniqueID, r.Queue, r.QueueOffset, r.OffsetID)
}

// perMessage turns the result of a batch into one for each message. Brokers give the elements
// consecutive offsets, unless a crash has parted the batch, and their offset ids joined by commas.
func perMessage(whole SendResult, uniqueIDs []string) []SendResult {
	offsetIDs, offsets := strings.Split(whole.OffsetID, ","), offsetsOf(whole.offsets, len(uniqueIDs))
	whole.offsets = ""
	results := make([]SendResult, len(uniqueIDs))
	for i := range results {
		results[i] = whole
		results[i].UniqueID = uniqueIDs[i]
		if results[i].QueueOffset += QueueOffset(i); offsets != nil {
			results[i].QueueOffset = offsets[i]
		}
		if len(offsetIDs) == len(uniqueIDs) {
			results[i].OffsetID = offsetIDs[i]
		}
	}
	return results
}
