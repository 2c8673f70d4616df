package client

import (
	"fmt"
	"iter"
)

// batchMessagesMax is how many messages SplitBatches puts into one batch: a queue of batches (queue.type BatchCQ) counts
// them in 16 bits with a sign.
const batchMessagesMax = 1<<15 - 1

// SplitBatches cuts a list of messages into pieces, in order, each for one SendBatch. A piece has as many messages as take no
// more than limit bytes together, counted as brokers and WithMaxMessageSize count: 22 bytes for each message, its body,
// its properties, and the unique id that SendBatch adds if the message has none (for which the longest one is reckoned, as
// it is not known yet). The usual limit is 4 MiB. No piece has more than 32,767 messages.
//
// A message that takes more than the limit alone comes alone with ErrMessage; the loop may go on. Pieces share the memory of
// messages. Whether messages may travel together is left to SendBatch.
//
//	for piece, err := range client.SplitBatches(messages, 4<<20) {
//		if err != nil {
//			return err
//		}
//		if _, err := producer.SendBatch(ctx, piece); err != nil {
//			return err
//		}
//	}
func SplitBatches(messages []*Message, limit int) iter.Seq2[[]*Message, error] {
	return func(yield func([]*Message, error) bool) {
		for rest := messages; len(rest) > 0; {
			count, err := batchAtFront(rest, limit)
			if err != nil {
				err = fmt.Errorf("message %d of %d: %w", len(messages)-len(rest), len(messages), err)
			}
			if !yield(rest[:count:count], err) {
				return
			}
			rest = rest[count:]
		}
	}
}

// batchAtFront is how many messages at the front fit into one batch; 1 with an error if not even that.
func batchAtFront(messages []*Message, limit int) (int, error) {
	total := 0
	for i, m := range messages {
		size := batchElementSize(m)
		total += size
		switch {
		case m != nil && total <= limit && i < batchMessagesMax:
		case i > 0:
			return i, nil
		case m == nil:
			return 1, fmt.Errorf("%w: it is nil", ErrMessage)
		default:
			return 1, fmt.Errorf("%w: it takes %d bytes of a batch (%d of body, %d of properties), at most %d are allowed",
				ErrMessage, size, len(m.Body), m.Properties.EncodedLength(), limit)
		}
	}
	return len(messages), nil
}

// batchElementFixed is what each message of a batch takes besides its body and properties, in bytes.
const batchElementFixed = 22

// batchElementSize is what a message takes in the body of a batch, in bytes.
func batchElementSize(m *Message) int {
	if m == nil {
		return 0
	}
	size := batchElementFixed + len(m.Body) + m.Properties.EncodedLength()
	if m.UniqueID() == "" {
		size += uniqueIDRoom
	}
	return size
}
