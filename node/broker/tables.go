package broker

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// Tables is what a broker's directory says beside its messages, as the next start would read it.
type Tables struct {
	Topics  []proto.TopicConfig `json:"topics"`
	Groups  []GroupSettings     `json:"groups"`
	Offsets []CommittedOffset   `json:"offsets"`
}

// GroupSettings are those of a consumer group (class SubscriptionGroupConfig) that matter here.
type GroupSettings struct {
	Name                         string   `json:"group"`
	ConsumeEnable                bool     `json:"consumeEnable"`
	ConsumeBroadcastEnable       bool     `json:"consumeBroadcastEnable"`
	ConsumeMessageOrderly        bool     `json:"consumeMessageOrderly"`
	RetryQueues                  int32    `json:"retryQueueNums"`
	RetryMaxTimes                int32    `json:"retryMaxTimes"`
	WhichBrokerWhenConsumeSlowly int64    `json:"whichBrokerWhenConsumeSlowly"`
	ForbiddenTopics              []string `json:"forbiddenTopics,omitempty"` // that the group may not read
}

// CommittedOffset is how far a group has consumed a queue.
type CommittedOffset struct {
	Group  string `json:"group"`
	Topic  string `json:"topic"`
	Queue  int32  `json:"queue"`
	Offset int64  `json:"offset"`
	// Journalled says that the number comes from the journal of single commits: the file of offsets is older.
	Journalled bool `json:"journalled,omitempty"`
}

// String names the queue and the number.
func (o CommittedOffset) String() string {
	return fmt.Sprintf("%s of %s queue %d: %d", o.Group, o.Topic, o.Queue, o.Offset)
}

// ReadTables reads the files of the config directory, whether a broker uses them or not, and changes nothing. Topics and groups
// that every broker has and that are in no file are left out. Offsets that were committed without an answer may be newer in a
// running broker. It waits for the disk.
func ReadTables(e env.Env) (Tables, error) {
	b := &Broker{env: e}
	b.topics, b.groups = newTopicTable(b), newGroupTable(b)
	offsets := &offsetTable{broker: b, byKey: map[string]map[int32]int64{}}
	err := errors.Join(
		loadDocument(e, topicsFile, b.topics.decode),
		loadDocument(e, groupsFile, b.groups.decode),
		loadDocument(e, offsetsFile, offsets.decode),
	)
	if err != nil {
		return Tables{}, err
	}
	journal, err := readJournal(e.Disk, offsets.saved)
	if err != nil {
		return Tables{}, err
	}
	return Tables{Topics: b.topics.sorted(), Groups: b.groups.settings(), Offsets: offsets.list(journal)}, nil
}

// Offsets lists how far groups have consumed, as the broker knows it now, for oracles.
func (b *Broker) Offsets() []CommittedOffset { return b.offsets.list(nil) }

// settings lists all groups by name.
func (t *groupTable) settings() []GroupSettings {
	list := []GroupSettings{}
	for _, name := range slices.Sorted(maps.Keys(t.byName)) {
		g := t.byName[name]
		settings := GroupSettings{
			Name: name, ConsumeEnable: g.ConsumeEnable, ConsumeBroadcastEnable: g.ConsumeBroadcastEnable, ConsumeMessageOrderly: g.ConsumeMessageOrderly,
			RetryQueues: g.RetryQueues, RetryMaxTimes: g.RetryMaxTimes, WhichBrokerWhenConsumeSlowly: g.WhichBrokerWhenConsumeSlowly,
		}
		for _, topic := range slices.Sorted(maps.Keys(t.forbidden[name])) {
			if !t.mayRead(name, topic) {
				settings.ForbiddenTopics = append(settings.ForbiddenTopics, topic)
			}
		}
		list = append(list, settings)
	}
	return list
}

// list is the table with the commits that came after it, by group, topic and queue.
func (t *offsetTable) list(journal []journalEntry) []CommittedOffset {
	journalled := map[string]map[int32]bool{}
	for _, e := range journal {
		t.put(e.key, e.queue, e.offset)
		if journalled[e.key] == nil {
			journalled[e.key] = map[int32]bool{}
		}
		journalled[e.key][e.queue] = true
	}
	list := []CommittedOffset{}
	// order does not matter: sorted below
	for key, queues := range t.byKey {
		topic, group, _ := strings.Cut(key, "@")
		// order does not matter: sorted below
		for queue, offset := range queues {
			list = append(list, CommittedOffset{Group: group, Topic: topic, Queue: queue, Offset: offset, Journalled: journalled[key][queue]})
		}
	}
	slices.SortFunc(list, func(a, b CommittedOffset) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Queue, b.Queue))
	})
	return list
}

// readJournal reads the commits that were made durable after a table was saved, and leaves the journal as it is.
func readJournal(disk env.Disk, table tableMark) ([]journalEntry, error) {
	f, err := disk.Open(journalPath)
	if errors.Is(err, env.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	content := make([]byte, min(f.Size(), journalMax))
	n, err := f.ReadAt(content, 0)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	entries, _, _ := decodeJournal(content[:n], table)
	return entries, nil
}
