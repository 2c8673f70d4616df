package broker

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/store"
)

// Attributes of topics that have an effect here.
const (
	// attributeReserveTime is how long messages can be read, in milliseconds; -1 is as long as they are in the log. A Java broker takes
	// it only with a tiered store.
	attributeReserveTime = "reserve.time"
	// attributeReserveSize is how many bytes of messages each queue of the topic keeps; -1 is all that are in the log. It is Gantry's own.
	attributeReserveSize = "reserve.size"
	// attributeQueueType says how the queues of the topic are kept. With BatchCQ a batch is stored as one record. It is settled when the topic
	// is made.
	attributeQueueType = "queue.type"
	batchQueueType     = "BatchCQ"
)

// attributeValues are the attributes that a topic may have (class TopicAttributes), with the words that each may be; nil
// stands for a number. Compaction is a promise that this broker does not make, so it refuses it.
var attributeValues = map[string][]string{
	attributeQueueType:   {"SimpleCQ", batchQueueType},
	"cleanup.policy":     {"DELETE"},
	"message.type":       {"UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED"},
	attributeReserveTime: nil,
	attributeReserveSize: nil,
}

// checkAttribute refuses a value that the attribute of that name cannot have.
func checkAttribute(name, value string) error {
	words := attributeValues[name]
	switch {
	case words != nil && !slices.Contains(words, value):
		return fmt.Errorf("attributes: %s cannot be %q, want one of %s", name, value, strings.Join(words, ", "))
	case words == nil && !isLimit(value):
		return fmt.Errorf("attributes: %s cannot be %q, want a whole number above 0, or -1 for no limit", name, value)
	}
	return nil
}

func isLimit(value string) bool {
	n, err := strconv.ParseInt(value, 10, 64)
	return err == nil && (n > 0 || n == -1)
}

// attributeChanges writes changes that are a table, as lists of topics have them, as the text that changeAttributes takes.
func attributeChanges(table map[string]string) string {
	var changes []string
	for _, key := range sortedNames(table) {
		if strings.HasPrefix(key, "-") {
			changes = append(changes, key)
			continue
		}
		changes = append(changes, key+"="+table[key])
	}
	return strings.Join(changes, ",")
}

// changeAttributes applies "+key=value,-key".
func changeAttributes(current map[string]string, changes string, creating bool) (map[string]string, error) {
	if changes == "" {
		return current, nil
	}
	next := map[string]string{}
	maps.Copy(next, current)
	changed := map[string]bool{}
	for change := range strings.SplitSeq(changes, ",") {
		change = strings.TrimSpace(change)
		key, value, hasValue := strings.Cut(strings.TrimLeft(change, "+-"), "=")
		_, known := attributeValues[key]
		switch {
		case !known:
			return nil, fmt.Errorf("attributes: %q is no attribute of a topic", key)
		case changed[key]:
			return nil, fmt.Errorf("attributes: %s is named twice", key)
		case key == attributeQueueType && !creating && (value == batchQueueType) != (current[key] == batchQueueType):
			return nil, fmt.Errorf("attributes: %s cannot be changed, the topic has its queues: delete it and make it again", key)
		case strings.HasPrefix(change, "+") && hasValue:
			if err := checkAttribute(key, value); err != nil {
				return nil, err
			}
			next[key] = value
		case strings.HasPrefix(change, "-") && !hasValue && !creating:
			if _, has := next[key]; !has {
				return nil, fmt.Errorf("attributes: the topic has no %s to be taken away", key)
			}
			delete(next, key)
		default:
			return nil, fmt.Errorf("attributes: %q: want +key=value, or -key for a topic that exists", change)
		}
		changed[key] = true
	}
	return next, nil
}

// inBatches reports whether the queues of a topic hold batches as one record.
func (t *topicTable) inBatches(name string) bool {
	topic := t.byName[name]
	return topic != nil && topic.Attributes[attributeQueueType] == batchQueueType
}

// retention is what the attributes of a topic say of how long its messages are kept. The store asks while it cleans.
func (t *topicTable) retention(name string) store.Retention {
	topic := t.byName[name]
	if topic == nil || len(topic.Attributes) == 0 {
		return store.Retention{}
	}
	return store.Retention{
		Age:        time.Duration(min(limitOf(topic.Attributes[attributeReserveTime]), math.MaxInt64/int64(time.Millisecond))) * time.Millisecond,
		QueueBytes: limitOf(topic.Attributes[attributeReserveSize]),
	}
}

// limitOf is 0 where there is none. A file that somebody else wrote may say anything; what is no limit removes nothing.
func limitOf(value string) int64 {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}
