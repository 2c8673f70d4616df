//go:build interop

package interop_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"testing"

	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// kept is a message as a store has it.
type kept struct {
	log   int64
	entry *queueEntry // nil if the reader did not show it
	raw   []byte
	// messages are more than 1 in an inner batch.
	messages int64
}

// queueEntry is what both kinds of consume queues say of a record.
type queueEntry struct {
	LogOffset int64 `json:"logOffset"`
	Size      int32 `json:"size"`
	TagHash   int64 `json:"tagHash"`
}

// inventory is all that a store has, as one of the two sides read it: by queue.
type inventory map[store.QueueKey]*stock

// stock are the messages of a queue, of which the first has the number min.
type stock struct {
	min, max int64
	messages []kept
}

func (i inventory) add(q *javaQueue) {
	i[store.QueueKey{Topic: q.Topic, ID: q.ID}] = &stock{min: q.Min, max: q.Max}
}

// addJava compares what Java decoded with the bytes.
func (i inventory) addJava(t *testing.T, m *javaMessage) {
	t.Helper()
	s := i[store.QueueKey{Topic: m.Topic, ID: m.Queue}]
	require.NotNil(t, s, "a message of the unknown queue %s-%d", m.Topic, m.Queue)
	r := decoded(t, m.Record)
	require.Equal(t, s.next(), m.Offset, "%s-%d", m.Topic, m.Queue)
	hash := sha256.Sum256(r.Body)
	require.Equal(t, hex.EncodeToString(hash[:]), m.BodyHash)
	require.Equal(t, propertiesOf(r), withoutChecksum(m.Properties))
	require.Equal(t, []int64{int64(r.LogOffset), int64(r.TotalSize), r.StoredAt}, []int64{m.LogOffset, int64(m.Size), m.StoredAt})
	s.messages = append(s.messages, kept{m.LogOffset, m.Entry, m.Record, messagesIn(r)})
}

// next is the number of the message that follows those that are known.
func (s *stock) next() int64 {
	number := s.min
	for _, k := range s.messages {
		number += k.messages
	}
	return number
}

// messagesIn is how many messages a record stands for.
func messagesIn(r *message.Record) int64 {
	if n, err := strconv.ParseInt(message.PropertyString(r.Properties, message.PropertyInnerCount), 10, 64); err == nil {
		return n
	}
	return 1
}

func (i inventory) requireComplete(t *testing.T) {
	t.Helper()
	for key, s := range i {
		require.Equal(t, s.max, s.next(), "%s", key)
	}
}

func decoded(t *testing.T, raw []byte) *message.Record {
	t.Helper()
	r := &message.Record{}
	n, err := message.DecodeRecord(raw, r, true)
	require.NoError(t, err)
	require.Len(t, raw, n)
	return r
}

func propertiesOf(r *message.Record) map[string]string {
	properties := map[string]string{}
	for name, value := range message.EachProperty(r.Properties) {
		properties[string(name)] = string(value)
	}
	return withoutChecksum(properties)
}

// withoutChecksum leaves out what the store itself adds.
func withoutChecksum(properties map[string]string) map[string]string {
	delete(properties, "__CRC32#")
	delete(properties, message.PropertyInnerBase)
	return properties
}

// shelf is what the tests know of a directory: what must be there, and where.
type shelf struct {
	queues map[store.QueueKey][]*shelved
	hidden []*shelved // are in the log and in no queue
	start  int64      // letters before this place were removed
}

// shelved is a letter that was put.
type shelved struct {
	letter       letter
	log          int64 // its place; -1 until it is known
	raw          []byte
	acknowledged bool
}

func newShelf() *shelf { return &shelf{queues: map[store.QueueKey][]*shelved{}} }

// put notes letters that went out, in order. Nobody has said yet that they arrived.
func (s *shelf) put(letters []letter) []*shelved {
	all := make([]*shelved, len(letters))
	for i, l := range letters {
		all[i] = &shelved{letter: l, log: -1}
		if l.hidden() {
			s.hidden = append(s.hidden, all[i])
			continue
		}
		s.queues[l.key()] = append(s.queues[l.key()], all[i])
	}
	return all
}

// acknowledge notes where a letter was stored.
func (s *shelf) acknowledge(t *testing.T, l *shelved, log, offset int64) {
	t.Helper()
	l.log, l.acknowledged = log, true
	if l.letter.hidden() {
		return
	}
	for _, other := range s.queues[l.letter.key()] {
		if other == l {
			require.Zero(t, offset, "%s: the number of a letter", l.letter.key())
			return
		}
		offset -= other.letter.Messages
	}
	require.Fail(t, "a letter that was not put", "%s", l.letter.key())
}

// acknowledgeJava does that for each put of a run.
func (s *shelf) acknowledgeJava(t *testing.T, letters []*shelved, stored []javaStored) {
	t.Helper()
	require.Len(t, stored, len(letters))
	for i, answer := range stored {
		require.Equal(t, "PUT_OK", answer.Status, "letter %d", i)
		s.acknowledge(t, letters[i], answer.LogOffset, answer.Offset)
	}
}

// requireSame compares a reading: all that was acknowledged is there, byte by byte as in the reading before, and
// nothing else than what was sent. Letters that were never acknowledged and are not there are forgotten.
func (s *shelf) requireSame(t *testing.T, who string, found inventory) {
	t.Helper()
	for key := range found {
		require.Contains(t, s.queues, key, "%s has a queue that nothing was sent to", who)
	}
	for key, q := range s.queues {
		s.queues[key] = s.requireSameQueue(t, fmt.Sprintf("%s, %s", who, key), q, found[key])
	}
}

func (s *shelf) requireSameQueue(t *testing.T, where string, q []*shelved, found *stock) []*shelved {
	t.Helper()
	if found == nil {
		found = &stock{}
	}
	require.Equal(t, s.firstOf(q), found.min, "%s: its first message", where)
	number, rest := int64(0), found.messages
	for i, l := range q {
		switch {
		case number >= found.max:
			for _, missing := range q[i:] {
				require.False(t, missing.acknowledged, "%s: a message from %d on was acknowledged and is gone", where, number)
			}
			return q[:i]
		case number >= found.min:
			s.requireSameMessage(t, fmt.Sprintf("%s: message %d", where, number), l, &rest[0], number)
			rest = rest[1:]
		}
		number += l.letter.Messages
	}
	require.Equal(t, number, max(found.max, number), "%s: more messages than were sent", where)
	require.Empty(t, rest, "%s: more messages than were sent", where)
	return q
}

// firstOf is how many messages of a queue were removed.
func (s *shelf) firstOf(q []*shelved) (removed int64) {
	for _, l := range q {
		if l.log >= 0 && l.log < s.start {
			removed += l.letter.Messages
		}
	}
	return removed
}

func (s *shelf) requireSameMessage(t *testing.T, where string, l *shelved, k *kept, number int64) {
	t.Helper()
	if l.raw == nil {
		l.requireStored(t, where, decoded(t, k.raw), number)
		l.raw, l.log = k.raw, k.log
	}
	require.True(t, bytes.Equal(l.raw, k.raw), "%s: other bytes than before", where)
	require.Equal(t, l.log, k.log, where)
	if k.entry != nil {
		expected := queueEntry{l.log, int32(len(l.raw)), l.letter.tagHash(decoded(t, l.raw).StoredAt)}
		require.Equal(t, expected, *k.entry, "%s: its queue entry", where)
	}
	l.acknowledged = true
}

// requireStored compares a record with the letter.
func (l *shelved) requireStored(t *testing.T, where string, r *message.Record, number int64) {
	t.Helper()
	if l.log >= 0 {
		require.EqualValues(t, l.log, r.LogOffset, where)
	}
	require.EqualValues(t, number, r.QueueOffset, where)
	if l.letter.SysFlags.InnerBatch() {
		require.Equal(t, strconv.FormatInt(number, 10), message.PropertyString(r.Properties, message.PropertyInnerBase), where)
	}
	hostFlags := message.FlagBornHostIPv6 | message.FlagStoreHostIPv6
	require.Equal(t, l.letter, letter{
		Topic: string(r.Topic), Queue: r.QueueID, Body: r.Body, Properties: propertiesOf(r), UserFlags: r.UserFlags,
		SysFlags: r.SysFlags &^ hostFlags, BornAt: r.BornAt, BornHost: r.BornHost, StoreHost: r.StoreHost,
		Redeliveries: r.Redeliveries, PreparedAt: int64(r.PreparedAt), Messages: messagesIn(r),
	}, where)
}
