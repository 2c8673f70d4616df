package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// offsetsFile has the layout of ConsumerOffsetManager: {"dataVersion":…,"offsetTable":{"topic@group":{0:123}}}.
const offsetsFile = "consumerOffset.json"

// offsetTable keeps how far each group has consumed each queue. A commit that is answered is durable: it stands in the
// journal. One-way commits, which most clients send, are in memory until the next save, as with
// Java brokers; losing one means that messages are delivered again.
type offsetTable struct {
	broker  *Broker
	byKey   map[string]map[int32]int64 // topic@group → queue → offset
	version proto.DataVersion
	saved   tableMark // of the content that offsetsFile had when it was read or written last
	dirty   bool      // offsetsFile is to be written: byKey has changes that it has not, or the journal must begin anew
	journal *offsetJournal
	pending []pendingCommit // to be journalled, made visible and answered, in this order
	batch   []pendingCommit // that are written to the journal now
	busy    *env.Semaphore  // of the task that writes journal or offsetsFile
	claims  int             // tasks that wait for busy to save; >= 0
	work    env.Cond
	closing bool
	tasks   *env.Group
}

// pendingCommit waits for the journal.
type pendingCommit struct {
	entry  journalEntry
	reply  transport.Reply
	answer bool // somebody waits for the answer
}

func newOffsetTable(b *Broker) *offsetTable {
	return &offsetTable{
		broker: b, byKey: map[string]map[int32]int64{},
		work: b.env.Tasks.NewCond(), tasks: env.NewGroup(b.env.Tasks),
		journal: &offsetJournal{disk: b.env.Disk}, busy: env.NewSemaphore(b.env.Tasks, 1),
	}
}

// exclusive runs fn while nobody writes the journal. The journal's task lets those who claim it go first: under a steady load it
// would never leave it to them.
func (t *offsetTable) exclusive(fn func() error) error {
	t.claims++
	t.busy.Acquire(nil, env.Never)
	t.claims--
	defer func() {
		t.busy.Release()
		t.work.Signal()
	}()
	return fn()
}

func offsetKey(group, topic string) string { return topic + "@" + group }

// get returns what a group has committed for a queue.
func (t *offsetTable) get(group, topic string, queue int32) (int64, bool) {
	offset, ok := t.byKey[offsetKey(group, topic)][queue]
	return offset, ok
}

// newest is like get, and counts what is to be made durable yet. None is 0.
func (t *offsetTable) newest(group, topic string, queue int32) int64 {
	key := offsetKey(group, topic)
	for _, waiting := range [][]pendingCommit{t.pending, t.batch} {
		for _, c := range slices.Backward(waiting) {
			if c.entry.key == key && c.entry.queue == queue {
				return c.entry.offset
			}
		}
	}
	return t.byKey[key][queue]
}

// set commits in memory. While durable commits are under way it takes its place behind them, so that a client's
// commits count in their order.
func (t *offsetTable) set(group, topic string, queue int32, offset int64) {
	if len(t.pending) == 0 && len(t.batch) == 0 {
		t.put(offsetKey(group, topic), queue, offset)
		return
	}
	t.enqueue(pendingCommit{entry: journalEntry{key: offsetKey(group, topic), queue: queue, offset: offset}})
}

func (t *offsetTable) put(key string, queue int32, offset int64) {
	queues := t.byKey[key]
	if queues == nil {
		queues = map[int32]int64{}
		t.byKey[key] = queues
	}
	queues[queue] = offset
	t.dirty = true
}

// commit sets an offset and answers when the journal has it. Nobody sees it before: what was seen once must
// not be gone after a crash.
func (t *offsetTable) commit(reply transport.Reply, group, topic string, queue int32, offset int64) {
	t.enqueue(pendingCommit{
		entry: journalEntry{key: offsetKey(group, topic), queue: queue, offset: offset}, reply: reply, answer: true,
	})
}

// pendingMax bounds the commits that wait for a slow disk.
const pendingMax = 100_000

func (t *offsetTable) enqueue(c pendingCommit) {
	if len(t.pending) >= pendingMax {
		// One that wants no answer is lost, as it may be.
		c.refuse(proto.RespSystemBusy, fmt.Sprintf("%d commits wait for the disk: send again later", len(t.pending)))
		return
	}
	t.pending = append(t.pending, c)
	t.work.Signal()
}

// reset sets offsets whatever clients have committed meanwhile, durably. Those that do not count any more when it is their turn are taken
// out of the table. It waits for the disk. After an error the offsets are what they were, but a restart may find the new ones.
func (t *offsetTable) reset(offsets map[groupQueue]int64, counts func(groupQueue) bool) error {
	return t.exclusive(func() error {
		maps.DeleteFunc(offsets, func(q groupQueue, _ int64) bool { return !counts(q) })
		t.pending = slices.DeleteFunc(t.pending, func(c pendingCommit) bool {
			topic, group, _ := strings.Cut(c.entry.key, "@")
			_, reset := offsets[groupQueue{group, topic, c.entry.queue}]
			if reset {
				c.refuse(proto.RespSystemError, resetPending)
			}
			return reset
		})
		before := map[groupQueue]int64{}
		// order does not matter: each has its own place
		for q, offset := range offsets {
			if old, some := t.get(q.Group, q.Topic, q.Queue); some {
				before[q] = old
			}
			t.put(offsetKey(q.Group, q.Topic), q.Queue, offset)
		}
		err := t.save()
		if err != nil {
			t.restore(offsets, before)
		}
		return err
	})
}

// restore puts back what a reset has changed that could not be made durable.
func (t *offsetTable) restore(changed, before map[groupQueue]int64) {
	// order does not matter: each has its own place
	for q := range changed {
		if old, some := before[q]; some {
			t.put(offsetKey(q.Group, q.Topic), q.Queue, old)
			continue
		}
		delete(t.byKey[offsetKey(q.Group, q.Topic)], q.Queue)
	}
}

// forgetTopic drops the offsets of a topic that was deleted, durably: a topic of the same name that is made later begins at 0, and
// its consumers must not go on where they were in the old one. It waits for the disk.
func (t *offsetTable) forgetTopic(topic string) error {
	return t.forget(func(of, _ string) bool { return of == topic }, refused(proto.RespTopicNotExist, "Topic %s not exist!", topic))
}

// forgetGroup drops the offsets of a group, durably. It waits for the disk.
func (t *offsetTable) forgetGroup(group string) error {
	return t.forget(func(_, of string) bool { return of == group }, refused(proto.RespSubscriptionGroupNotExist, "Group %s not exist!", group))
}

func (t *offsetTable) forget(match func(topic, group string) bool, why refusal) error {
	of := func(key string) bool {
		topic, group, _ := strings.Cut(key, "@")
		return match(topic, group)
	}
	return t.exclusive(func() error {
		t.pending = slices.DeleteFunc(t.pending, func(c pendingCommit) bool {
			if of(c.entry.key) {
				c.refuse(why.code, why.remark)
				return true
			}
			return false
		})
		// order does not matter: entries are only deleted
		for key := range t.byKey {
			if of(key) {
				delete(t.byKey, key)
				t.dirty = true
			}
		}
		return t.save()
	})
}

// topicsOf lists the topics that a group has offsets of, sorted.
func (t *offsetTable) topicsOf(group string) (topics []string) {
	// order does not matter: sorted below
	for key := range t.byKey {
		if topic, of, _ := strings.Cut(key, "@"); of == group {
			topics = append(topics, topic)
		}
	}
	slices.Sort(topics)
	return topics
}

// groupsOf lists the groups that have offsets of a topic, sorted.
func (t *offsetTable) groupsOf(topic string) (groups []string) {
	// order does not matter: sorted below
	for key := range t.byKey {
		if of, group, _ := strings.Cut(key, "@"); of == topic {
			groups = append(groups, group)
		}
	}
	slices.Sort(groups)
	return groups
}

// load reads the saved table and then the commits that were answered after it.
func (t *offsetTable) load() error {
	if err := loadDocument(t.broker.env, offsetsFile, t.decode); err != nil {
		return err
	}
	entries, err := t.journal.open(t.saved)
	if err != nil {
		return err
	}
	for _, e := range entries {
		t.put(e.key, e.queue, e.offset)
	}
	t.tasks.Go("journal offsets", t.journalLoop)
	return nil
}

func (t *offsetTable) decode(content []byte) error {
	strict, err := proto.Strict(content)
	if err != nil {
		return err
	}
	var in struct {
		DataVersion proto.DataVersion          `json:"dataVersion"`
		OffsetTable map[string]map[int32]int64 `json:"offsetTable"`
	}
	if err := json.Unmarshal(strict, &in); err != nil {
		return err
	}
	t.version, t.saved = in.DataVersion, markOf(content)
	t.byKey = map[string]map[int32]int64{}
	// order does not matter: entries are only copied
	for key, queues := range in.OffsetTable {
		if queues != nil {
			t.byKey[key] = queues
		}
	}
	return nil
}

// encode writes the table with queue numbers as bare keys, as Java brokers do.
func (t *offsetTable) encode(version proto.DataVersion) []byte {
	out := append([]byte(`{"dataVersion":`), version.Marshal()...)
	out = append(out, `,"offsetTable":{`...)
	keys := make([]string, 0, len(t.byKey))
	for key := range t.byKey {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for i, key := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendName(out, key), ":{"...)
		out = appendQueueOffsets(out, t.byKey[key])
		out = append(out, '}')
	}
	return append(out, "}}"...)
}

// appendName writes a JSON string. Only a file that somebody else wrote can have names that need escapes.
func appendName(out []byte, name string) []byte {
	// A string can always be written.
	text, _ := json.Marshal(name)
	return append(out, text...)
}

func appendQueueOffsets(out []byte, queues map[int32]int64) []byte {
	ids := make([]int32, 0, len(queues))
	for id := range queues {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for i, id := range ids {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, int64(id), 10)
		out = append(out, ':')
		out = strconv.AppendInt(out, queues[id], 10)
	}
	return out
}

// journalLoop is the only writer of the journal and of offsetsFile. All commits that come while one sync
// runs share the next.
func (t *offsetTable) journalLoop() {
	for {
		for t.claims > 0 || (len(t.pending) == 0 && !t.closing) {
			t.work.Wait()
		}
		if len(t.pending) == 0 {
			return
		}
		t.busy.Acquire(nil, env.Never)
		t.writePending()
		t.busy.Release()
	}
}

// writePending journals what waits, and makes it visible and answers it before a save or a forgotten topic can come between.
func (t *offsetTable) writePending() {
	if len(t.pending) == 0 {
		// Their topic was forgotten meanwhile.
		return
	}
	batch := t.pending
	t.pending, t.batch = nil, batch
	at, p, err := t.journal.append(batch)
	if err == nil {
		err = t.broker.shareAppend(journalFile, at, p)
	}
	t.batch = nil
	if err != nil {
		// Only a save makes the journal usable again.
		t.dirty = true
	}
	for _, c := range batch {
		t.finish(c, err)
	}
}

// refuse answers a commit that will not be carried out, if somebody waits.
func (c pendingCommit) refuse(code int32, remark string) {
	if c.answer {
		c.reply.Error(code, remark)
	}
}

// finish makes a commit visible and answers it. A one-way commit counts even if the journal failed.
func (t *offsetTable) finish(c pendingCommit, err error) {
	if err == nil || !c.answer {
		t.put(c.entry.key, c.entry.queue, c.entry.offset)
	}
	switch {
	case err != nil:
		c.refuse(proto.RespSystemError, fmt.Sprintf("the offset could not be made durable: %v", err))
	case c.answer:
		c.reply.Success(nil)
	}
}

// saveLoop saves the table now and then.
func (t *offsetTable) saveLoop() {
	for !t.broker.closing {
		t.broker.pauseFor(t.broker.options.SaveOffsetsEvery)
		err := t.exclusive(t.save)
		if err == nil {
			// A reset that was taken is forgotten only once the offset that it set is durable.
			err = t.broker.progress.saveTaken()
		}
		if err != nil {
			t.broker.env.Log.Warn("consumer offsets could not be saved; they will be tried again", zap.Error(err))
		}
	}
}

// save writes the whole table, if it has changed; the journal then begins anew. The caller has the journal to itself.
func (t *offsetTable) save() error {
	if !t.dirty {
		return nil
	}
	version := t.version.Next(int64(t.broker.env.Clock.Wall()))
	content := t.encode(version)
	t.dirty = false
	err := t.broker.saveTable(offsetsFile, content)
	switch {
	case err == nil:
		t.version, t.saved = version, markOf(content)
		if err = t.journal.reset(t.saved); err == nil {
			err = t.broker.sharePut(journalFile, journalHeader(t.saved))
		}
	case errors.Is(err, errInDoubt):
		// A restart may find the new table, beside which this journal does not count.
		t.journal.broken = err
	}
	if err != nil {
		t.dirty = true
	}
	return err
}

// abandon ends the table's task without saving: the table may not have been read whole.
func (t *offsetTable) abandon() error {
	t.closing = true
	t.work.Broadcast()
	t.tasks.Wait()
	return t.journal.close()
}

// close answers what waits and saves the table.
func (t *offsetTable) close() error {
	t.closing = true
	t.work.Broadcast()
	t.tasks.Wait()
	return errors.Join(t.exclusive(t.save), t.journal.close())
}

// updateConsumerOffset handles UPDATE_CONSUMER_OFFSET (class ConsumerManageProcessor).
func (b *Broker) updateConsumerOffset(in *transport.Incoming) {
	var h proto.UpdateConsumerOffset
	if !decode(in, &h) {
		return
	}
	reply := in.Reply()
	if _, err := b.findGroup(in, h.ConsumerGroup); err != nil {
		reply.Error(proto.RespSubscriptionGroupNotExist, fmt.Sprintf("Group %s not exist!", h.ConsumerGroup))
		return
	}
	if b.topics.byName[h.Topic] == nil {
		reply.Error(proto.RespTopicNotExist, fmt.Sprintf("Topic %s not exist!", h.Topic))
		return
	}
	why := b.progress.refuses(b.committer(in, &h), groupQueue{h.ConsumerGroup, h.Topic, h.QueueID}, h.CommitOffset)
	switch {
	case h.QueueID < 0 || h.QueueID >= queuesMax:
		reply.Error(proto.RespInvalidParameter, fmt.Sprintf("queueId[%d] is illegal: a topic has at most %d queues", h.QueueID, queuesMax))
	case h.CommitOffset < 0:
		// Some clients commit -1 for queues they have not consumed: it means nothing.
		reply.Success(nil)
	case why != "":
		reply.Error(proto.RespSystemError, why)
	case in.Command.IsOneway():
		b.offsets.set(h.ConsumerGroup, h.Topic, h.QueueID, h.CommitOffset)
	default:
		b.offsets.commit(reply, h.ConsumerGroup, h.Topic, h.QueueID, h.CommitOffset)
	}
}

// queryConsumerOffset handles QUERY_CONSUMER_OFFSET. A group that has committed nothing begins at 0 if the queue
// still has its first message in memory; otherwise it is answered "not found", and the client decides.
func (b *Broker) queryConsumerOffset(in *transport.Incoming) {
	var h proto.QueryConsumerOffset
	if !decode(in, &h) {
		return
	}
	reply := in.Reply()
	if offset, ok := b.offsets.get(h.ConsumerGroup, h.Topic, h.QueueID); ok {
		reply.Send(proto.RespSuccess, &proto.OffsetResponse{Offset: offset}, nil)
		return
	}
	if h.ZeroIfUnknown.Or(true) && b.beginsAtZero(in, queueKey(h.Topic, h.QueueID)) {
		reply.Send(proto.RespSuccess, &proto.OffsetResponse{Offset: 0}, nil)
		return
	}
	reply.Error(proto.RespQueryNotFound, "Not found, maybe this group consumer boot first")
}

// beginsAtZero reports whether a queue has all its messages, and the first one is in memory or does not exist: reading the whole of an old
// queue is left to clients that ask for it. It may wait.
func (b *Broker) beginsAtZero(in *transport.Incoming, key store.QueueKey) (begins bool) {
	first, end := b.store.Bounds(key)
	if first > 0 || end == 0 {
		return first <= 0
	}
	b.await(in, func() {
		var err error
		if begins, err = b.store.InMemory(key, 0); err != nil {
			b.env.Log.Warn("whether a queue is in memory cannot be found out", zap.Stringer("queue", key), zap.Error(err))
		}
	})
	return begins
}

// maxOffset handles GET_MAX_OFFSET.
func (b *Broker) maxOffset(in *transport.Incoming) {
	var h proto.GetMaxOffset
	if decode(in, &h) {
		_, end := b.store.Bounds(queueKey(h.Topic, h.QueueID))
		in.Reply().Send(proto.RespSuccess, &proto.OffsetResponse{Offset: int64(end)}, nil)
	}
}

// minOffset handles GET_MIN_OFFSET.
func (b *Broker) minOffset(in *transport.Incoming) {
	var h proto.GetMinOffset
	if decode(in, &h) {
		first, _ := b.store.Bounds(queueKey(h.Topic, h.QueueID))
		in.Reply().Send(proto.RespSuccess, &proto.OffsetResponse{Offset: int64(first)}, nil)
	}
}

// offsetByTime handles SEARCH_OFFSET_BY_TIMESTAMP.
func (b *Broker) offsetByTime(in *transport.Incoming) {
	var h proto.SearchOffsetByTimestamp
	if !decode(in, &h) {
		return
	}
	reply := in.Reply()
	var offset message.QueueOffset
	var err error
	b.await(in, func() { offset, err = b.store.OffsetAt(queueKey(h.Topic, h.QueueID), h.Timestamp, h.Upper) })
	if err != nil {
		reply.Error(proto.RespSystemError, err.Error())
		return
	}
	reply.Send(proto.RespSuccess, &proto.OffsetResponse{Offset: int64(offset)}, nil)
}

// earliestStoreTime handles GET_EARLIEST_MSG_STORETIME; -1 says that there is no message.
func (b *Broker) earliestStoreTime(in *transport.Incoming) {
	var h proto.GetEarliestMessageStoreTime
	if !decode(in, &h) {
		return
	}
	reply := in.Reply()
	key := queueKey(h.Topic, h.QueueID)
	first, _ := b.store.Bounds(key)
	var at int64
	var ok bool
	var err error
	b.await(in, func() { at, ok, err = b.store.StoredAt(key, first) })
	switch {
	case err != nil:
		reply.Error(proto.RespSystemError, err.Error())
	case !ok:
		reply.Send(proto.RespSuccess, &proto.TimestampResponse{Timestamp: -1}, nil)
	default:
		reply.Send(proto.RespSuccess, &proto.TimestampResponse{Timestamp: at}, nil)
	}
}
