package broker

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// topicsFile has the layout of TopicConfigSerializeWrapper.
const topicsFile = "topics.json"

// topicTable is the broker's topics (class TopicConfigManager). A change is made durable first and
// visible afterwards, so an answer that relies on a topic survives a crash.
type topicTable struct {
	broker  *Broker
	byName  map[string]*proto.TopicConfig
	version proto.DataVersion
	change  *env.Semaphore // one change at a time
}

func newTopicTable(b *Broker) *topicTable {
	return &topicTable{broker: b, byName: map[string]*proto.TopicConfig{}, change: env.NewSemaphore(b.env.Tasks, 1)}
}

// load reads the file over the topics that every broker has.
func (t *topicTable) load() error {
	for _, topic := range t.system() {
		t.byName[topic.Name] = &topic
	}
	err := loadDocument(t.broker.env, topicsFile, t.decode)
	if parent := t.byName[proto.DefaultTopic]; parent != nil && t.broker.options.NoAutoTopics {
		// The file is from a time when the switch was on.
		parent.Perm &^= proto.PermInherit
	}
	return err
}

// decode adds the topics of the file.
func (t *topicTable) decode(content []byte) error {
	table, err := proto.UnmarshalTopicTable(content)
	if err != nil {
		return err
	}
	t.version = table.Version
	for i := range table.Topics {
		t.byName[table.Topics[i].Name] = &table.Topics[i]
	}
	return nil
}

// system lists the topics that exist from the start.
func (t *topicTable) system() []proto.TopicConfig {
	o := &t.broker.options
	make := func(name string, queues int32, perm proto.Perm) proto.TopicConfig {
		topic := proto.NewTopicConfig(name)
		topic.ReadQueues, topic.WriteQueues, topic.Perm = queues, queues, perm
		return topic
	}
	topics := []proto.TopicConfig{
		make(proto.SelfTestTopic, 1, proto.PermReadWrite),
		make(proto.BenchmarkTopic, 1024, proto.PermReadWrite),
		make(o.Cluster, 16, proto.PermReadWrite|proto.PermInherit),
		make(o.Name, 1, proto.PermReadWrite|proto.PermInherit),
		make(proto.OffsetMovedTopic, 1, proto.PermReadWrite),
		make(proto.DelayTopic, int32(len(o.Store.DelayLevels)), proto.PermReadWrite),
		make(proto.TimerTopic, 1, proto.PermReadWrite),
		make(proto.HalfTopic, 1, proto.PermReadWrite),
		make(proto.OpTopic, 1, proto.PermReadWrite),
		make(proto.UncheckableTopic, 1, proto.PermReadWrite),
		make(proto.ReplyTopic(o.Cluster), 1, proto.PermReadWrite),
	}
	if !o.NoAutoTopics {
		topics = append(topics, make(proto.DefaultTopic, o.DefaultTopicQueues, proto.PermReadWrite|proto.PermInherit))
	}
	return topics
}

// adopt makes topics for queues that the store has and the table has not: their messages were acknowledged.
func (t *topicTable) adopt(queues []store.QueueKey) error {
	found, inBatches := map[string]int32{}, map[string]bool{}
	var order []string
	for _, key := range queues {
		if t.byName[key.Topic] == nil && found[key.Topic] == 0 {
			order = append(order, key.Topic)
		}
		found[key.Topic] = max(found[key.Topic], key.ID+1)
		inBatches[key.Topic] = inBatches[key.Topic] || t.broker.store.InBatches(key)
	}
	for _, name := range order {
		if t.byName[name] != nil {
			continue
		}
		topic := proto.NewTopicConfig(name)
		topic.ReadQueues, topic.WriteQueues = found[name], found[name]
		if inBatches[name] {
			topic.Attributes = map[string]string{attributeQueueType: batchQueueType}
		}
		t.broker.env.Log.Warn("the store has messages of a topic that the table does not know: it is added", zap.String("topic", name))
		if err := t.add(topic); err != nil {
			return err
		}
	}
	return nil
}

// isSystem adds the topics that only this broker knows to those of proto.IsSystemTopic.
func (t *topicTable) isSystem(name string) bool {
	o := &t.broker.options
	return proto.IsSystemTopic(name) || name == o.Cluster || name == o.Name || name == proto.ReplyTopic(o.Cluster)
}

// sorted lists all topics by name.
func (t *topicTable) sorted() []proto.TopicConfig {
	topics := make([]proto.TopicConfig, 0, len(t.byName))
	// order does not matter: sorted below
	for _, topic := range t.byName {
		topics = append(topics, topic.Clone())
	}
	sort.Slice(topics, func(i, j int) bool { return topics[i].Name < topics[j].Name })
	return topics
}

func (t *topicTable) table() proto.TopicTable {
	return proto.TopicTable{Version: t.version, Topics: t.sorted()}
}

// without is the table as it would be without a topic.
func (t *topicTable) without(name string) proto.TopicTable {
	table := t.table()
	table.Topics = slices.DeleteFunc(table.Topics, func(topic proto.TopicConfig) bool { return topic.Name == name })
	return table
}

// update adds or replaces a topic by what want makes of the one there is, or of nil. It is durable, and name servers are
// told. It waits.
func (t *topicTable) update(name string, want func(old *proto.TopicConfig) (proto.TopicConfig, error)) error {
	t.change.Acquire(nil, env.Never)
	defer t.change.Release()
	topic, err := want(t.byName[name])
	if err != nil {
		return err
	}
	return t.put(topic)
}

// add is update for a topic that stays as it is if it exists.
func (t *topicTable) add(topic proto.TopicConfig) error {
	return t.update(topic.Name, func(old *proto.TopicConfig) (proto.TopicConfig, error) {
		if old != nil {
			return *old, nil
		}
		return topic, nil
	})
}

// put adds or replaces a topic for a caller that has the table's changes to itself.
func (t *topicTable) put(topic proto.TopicConfig) error {
	if old := t.byName[topic.Name]; old != nil && old.Equal(&topic) {
		return nil
	}
	next := t.without(topic.Name)
	next.Topics = append(next.Topics, topic)
	if err := t.save(next); err != nil {
		return fmt.Errorf("topic %s could not be saved: %w", topic.Name, err)
	}
	t.byName[topic.Name] = &topic
	return nil
}

// save writes a table with a new version.
func (t *topicTable) save(next proto.TopicTable) error {
	next.Version = t.version.Next(int64(t.broker.env.Clock.Wall()))
	if err := t.broker.saveTable(topicsFile, next.Marshal()); err != nil {
		return err
	}
	t.version = next.Version
	t.broker.names.changed()
	return nil
}

// remove deletes a topic, durably, and then lets clean remove what belongs to it: nobody can make a topic of that name before
// clean is done. It waits.
func (t *topicTable) remove(name string, clean func() error) error {
	t.change.Acquire(nil, env.Never)
	defer t.change.Release()
	if t.byName[name] != nil {
		if err := t.save(t.without(name)); err != nil {
			return fmt.Errorf("topic %s could not be removed: %w", name, err)
		}
		delete(t.byName, name)
	}
	// Also if it was removed before: then clean may have failed.
	return clean()
}

// createTimeout is how long a send waits for other changes of the table.
const createTimeout = 3 * time.Second

// create makes a topic for a send to an unknown name, after the settings of a default topic that
// has the inherit bit (createTopicInSendMessageMethod). It returns nil if that is not allowed. It waits.
func (t *topicTable) create(name, defaultTopic string, queues int32, unit bool) (*proto.TopicConfig, error) {
	if !t.change.Acquire(nil, t.broker.env.Clock.Now().Add(createTimeout)) {
		return nil, fmt.Errorf("topic %s was not created: other topics are being changed, send again", name)
	}
	defer t.change.Release()
	if topic := t.byName[name]; topic != nil {
		return topic, nil
	}
	topic, ok := t.inherit(name, defaultTopic, queues, unit)
	if !ok {
		return nil, nil
	}
	if len(t.byName) >= t.broker.options.TopicsMax {
		return nil, fmt.Errorf("topic %s was not created: the broker has %d topics already", name, len(t.byName))
	}
	if err := t.put(topic); err != nil {
		return nil, err
	}
	return t.byName[name], nil
}

// inherit decides what a new topic would be.
func (t *topicTable) inherit(name, defaultTopic string, queues int32, unit bool) (proto.TopicConfig, bool) {
	topic := proto.NewTopicConfig(name)
	if unit {
		topic.SysFlags |= proto.TopicUnit
	}
	if parent := t.byName[defaultTopic]; parent != nil && parent.Perm.Inherited() {
		n := min(max(queues, 0), parent.WriteQueues)
		topic.ReadQueues, topic.WriteQueues = n, n
		topic.Perm = parent.Perm &^ proto.PermInherit
		topic.FilterType = parent.FilterType
		return topic, n > 0
	}
	if proto.IsRetryTopic(name) {
		topic.ReadQueues, topic.WriteQueues = 1, 1
		return topic, true
	}
	return topic, false
}
