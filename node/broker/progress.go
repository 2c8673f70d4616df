package broker

import (
	"cmp"
	"maps"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// groupQueue names a queue as a group sees it.
type groupQueue struct {
	Group string `json:"group"`
	Topic string `json:"topic"`
	Queue int32  `json:"queue"`
}

func (k groupQueue) compare(other groupQueue) int {
	return cmp.Or(strings.Compare(k.Group, other.Group), strings.Compare(k.Topic, other.Topic), cmp.Compare(k.Queue, other.Queue))
}

// progressTable decides whose commits move the offset of a group. A commit counts if it comes from the client that has pulled the queue
// last, which is the one that the members' division gives it to: one that has lost the queue and hears of it late must not move the offset of
// its successor. While a lock is held only its owner's count, and while a reset is to be taken by a client, nobody's.
//
// The pullers are in memory only: after a restart any commit counts until somebody pulls.
type progressTable struct {
	broker  *Broker
	pullers map[groupQueue]puller
	resets  map[groupQueue]message.QueueOffset // that no client has taken yet
	dirty   bool                               // resetsFile is to be written
	change  *env.Semaphore                     // of the task that writes it
}

// puller is who has pulled a queue last.
type puller struct {
	conn     *transport.Conn
	clientID string // "" if it sends no heartbeats
	at       int64  // where it pulls
}

func newProgressTable(b *Broker) *progressTable {
	return &progressTable{broker: b, pullers: map[groupQueue]puller{}, resets: map[groupQueue]message.QueueOffset{}, change: env.NewSemaphore(b.env.Tasks, 1)}
}

// pulled notes who has pulled, and takes the commit that the pull may carry.
func (t *progressTable) pulled(conn *transport.Conn, header *proto.PullMessage) {
	q := groupQueue{header.ConsumerGroup, header.Topic, header.QueueID}
	t.pullers[q] = puller{conn, t.broker.clients.memberOf(header.ConsumerGroup, conn), header.QueueOffset}
	if at, reset := t.resets[q]; reset && int64(at) == header.QueueOffset {
		delete(t.resets, q)
		t.dirty = true
	}
	if header.Flags.Has(proto.PullCommit) && header.CommitOffset >= 0 && t.refuses(conn, q, header.CommitOffset) == "" {
		t.broker.offsets.set(q.Group, q.Topic, q.Queue, header.CommitOffset)
	}
}

const resetPending = "the offset was reset: pull, and go on where the answer says"

// refuses tells why a commit does not count, or "".
func (t *progressTable) refuses(conn *transport.Conn, q groupQueue, offset int64) string {
	if _, reset := t.resets[q]; reset {
		return resetPending
	}
	clientID := t.broker.clients.memberOf(q.Group, conn)
	if owner := t.broker.locks.owner(q); owner != "" && owner != clientID {
		return "the queue is locked by another member of the group, " + owner
	}
	last, known := t.pullers[q]
	if !known || last.conn == conn || clientID != "" && clientID == last.clientID {
		return ""
	}
	committed, some := t.broker.offsets.get(q.Group, q.Topic, q.Queue)
	if !some || offset >= committed && (last.conn.Closed() || clientID == "") {
		// It was consumed, and nobody else is at work on it; or a tool says so.
		return ""
	}
	return "another client has pulled the queue since: only its commits count"
}

// redirect answers a pull of a queue whose offset was reset, unless it is already there.
func (t *progressTable) redirect(p *pullRequest) bool {
	at, reset := t.resets[groupQueue{p.group, p.queue.Topic, p.queue.ID}]
	if !reset {
		return false
	}
	first, end := t.broker.store.Bounds(p.queue)
	p.reply.Send(proto.RespPullOffsetMoved, &proto.PullMessageResponse{Next: int64(at), Min: int64(first), Max: int64(end)}, nil)
	return true
}

// expire forgets pullers that are gone.
func (t *progressTable) expire() {
	maps.DeleteFunc(t.pullers, func(q groupQueue, p puller) bool {
		return p.conn.Closed() && t.broker.clients.consumers[q.Group] == nil
	})
}

// forget drops what is known of a topic or group that was deleted.
func (t *progressTable) forget(match func(groupQueue) bool) {
	maps.DeleteFunc(t.pullers, func(q groupQueue, _ puller) bool { return match(q) })
	before := len(t.resets)
	maps.DeleteFunc(t.resets, func(q groupQueue, _ message.QueueOffset) bool { return match(q) })
	t.dirty = t.dirty || len(t.resets) < before
}

// memberOf is the client id of a connection in a group, or "".
func (t *clientTable) memberOf(group string, conn *transport.Conn) string {
	if g := t.consumers[group]; g != nil {
		if m := find(g.members, conn); m != nil {
			return m.clientID
		}
	}
	return ""
}

func (q groupQueue) key() store.QueueKey { return store.QueueKey{Topic: q.Topic, ID: q.Queue} }
