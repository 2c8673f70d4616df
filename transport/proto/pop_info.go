package proto

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// PopStart is an item of PopMessageResponse.StartOffsets: where a pop began in a queue ("startOffsetInfo").
type PopStart struct {
	Retry   PopRetry
	QueueID int32
	Offset  int64
}

// PopQueueOffsets is an item of PopMessageResponse.MessageOffsets: the messages that were popped from a queue, ascending
// ("msgOffsetInfo").
type PopQueueOffsets struct {
	Retry   PopRetry
	QueueID int32
	Offsets []int64 // at least one
}

// PopOrderCount is an item of PopMessageResponse.OrderCounts: how often messages of an ordered pop were delivered before
// ("orderCountInfo").
type PopOrderCount struct {
	Retry   PopRetry
	QueueID int32
	Offset  int64 // of the message; -1: the count is that of all messages of the queue that have none of their own
	Count   int32
}

// orderOffsetPrefix and orderOffsetSeparator make a queue and an offset one field: qo3%1200.
const (
	orderOffsetPrefix    = "qo"
	orderOffsetSeparator = "%"
)

// FormatPopStarts writes items as the protocol has them: "retry queueId offset", joined by semicolons.
func FormatPopStarts(starts []PopStart) string {
	return formatPopItems(starts, func(text []byte, s PopStart) []byte {
		return strconv.AppendInt(popItemHead(text, s.Retry, s.QueueID), s.Offset, 10)
	})
}

// FormatPopQueueOffsets writes items as the protocol has them: "retry queueId offset,offset,…", joined by semicolons.
func FormatPopQueueOffsets(queues []PopQueueOffsets) string {
	return formatPopItems(queues, func(text []byte, q PopQueueOffsets) []byte {
		text = popItemHead(text, q.Retry, q.QueueID)
		for i, offset := range q.Offsets {
			if i > 0 {
				text = append(text, ',')
			}
			text = strconv.AppendInt(text, offset, 10)
		}
		return text
	})
}

// FormatPopOrderCounts writes items as the protocol has them: "retry queueId count" or "retry qo<queueId>%<offset> count", joined
// by semicolons.
func FormatPopOrderCounts(counts []PopOrderCount) string {
	return formatPopItems(counts, func(text []byte, c PopOrderCount) []byte {
		if c.Offset < 0 {
			return strconv.AppendInt(popItemHead(text, c.Retry, c.QueueID), int64(c.Count), 10)
		}
		text = fmt.Appendf(text, "%s %s%d%s%d ", c.Retry, orderOffsetPrefix, c.QueueID, orderOffsetSeparator, c.Offset)
		return strconv.AppendInt(text, int64(c.Count), 10)
	})
}

func formatPopItems[T any](items []T, appendItem func([]byte, T) []byte) string {
	var text []byte
	for i, item := range items {
		if i > 0 {
			text = append(text, ';')
		}
		text = appendItem(text, item)
	}
	return string(text)
}

func popItemHead(text []byte, retry PopRetry, queueID int32) []byte {
	text = append(append(text, retry.String()...), ' ')
	return append(strconv.AppendInt(text, int64(queueID), 10), ' ')
}

// ParsePopStarts reads what FormatPopStarts writes; "" is no item. A queue may come once. The error is ErrPopInfo.
func ParsePopStarts(text string) ([]PopStart, error) {
	return parsePopItems(text, func(f *popFields) PopStart {
		return PopStart{Retry: f.retry(0), QueueID: f.queue(1), Offset: f.number(2, "offset", math.MaxInt64)}
	})
}

// ParsePopQueueOffsets reads what FormatPopQueueOffsets writes; "" is no item. A queue may come once, and its offsets must ascend. The
// error is ErrPopInfo.
func ParsePopQueueOffsets(text string) ([]PopQueueOffsets, error) {
	return parsePopItems(text, func(f *popFields) PopQueueOffsets {
		q := PopQueueOffsets{Retry: f.retry(0), QueueID: f.queue(1)}
		for field := range strings.SplitSeq(f.fields[2], ",") {
			offset := f.numberOf(field, "offset", math.MaxInt64)
			if n := len(q.Offsets); n > 0 {
				f.need(q.Offsets[n-1] < offset, "offset", field, "greater than the one before it")
			}
			q.Offsets = append(q.Offsets, offset)
		}
		return q
	})
}

// ParsePopOrderCounts reads what FormatPopOrderCounts writes; "" is no item. A queue, and a message, may come once. The error is
// ErrPopInfo.
func ParsePopOrderCounts(text string) ([]PopOrderCount, error) {
	return parsePopItems(text, func(f *popFields) PopOrderCount {
		c := PopOrderCount{Retry: f.retry(0), Offset: -1, Count: int32(f.number(2, "count", math.MaxInt32))}
		place, ofMessage := strings.CutPrefix(f.fields[1], orderOffsetPrefix)
		if ofMessage {
			queue, offset, _ := strings.Cut(place, orderOffsetSeparator)
			c.Offset = f.numberOf(offset, "offset", math.MaxInt64)
			place = queue
		}
		c.QueueID = int32(f.numberOf(place, "queueId", math.MaxInt32))
		return c
	})
}

func (f *popFields) queue(at int) int32 { return int32(f.number(at, "queueId", math.MaxInt32)) }

// parsePopItems reads a list of items of three fields. The first two are the key, which must not come twice.
func parsePopItems[T any](text string, read func(*popFields) T) ([]T, error) {
	if text == "" {
		return nil, nil
	}
	var items []T
	seen := map[string]bool{}
	for item := range strings.SplitSeq(text, ";") {
		f := popFields{fields: strings.Split(item, " ")}
		if len(f.fields) != 3 {
			return nil, fmt.Errorf("%w: item %q has %d fields: it must have 3", ErrPopInfo, shorten([]byte(item)), len(f.fields))
		}
		key := f.fields[0] + " " + f.fields[1]
		f.need(!seen[key], "queue", key, "named once")
		seen[key] = true
		value := read(&f)
		if f.fault != "" {
			return nil, fmt.Errorf("%w: item %q: %s", ErrPopInfo, shorten([]byte(item)), f.fault)
		}
		items = append(items, value)
	}
	return items, nil
}
