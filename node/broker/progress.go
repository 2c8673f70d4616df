package broker

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
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
// its successor. A member that takes a queue over moves no offset back: it may have asked for the offset before its predecessor has committed for
// the last time, or be one that was away and believes that the queue is still its own; one that polls goes back by pulling there. While a lock is held only its owner's count, after
// a reset only those of clients that have heard of it, and never one behind the end of the queue.
//
// The pullers are in memory only: after a restart commits of all members count until somebody pulls, unless they move an offset back.
type progressTable struct {
	broker  *Broker
	pullers map[groupQueue]puller
	resets  map[groupQueue]*groupReset
	dirty   bool           // resetsFile is to be written
	change  *env.Semaphore // of the task that writes it
	turn    *env.Semaphore // of the task that resets offsets
}

// puller is who has pulled a queue last.
type puller struct {
	conn     *transport.Conn
	clientID string // "" if it sends no heartbeats
	at       int64  // where it pulls
	floor    int64  // commits of less do not count
}

func newProgressTable(b *Broker) *progressTable {
	return &progressTable{
		broker: b, pullers: map[groupQueue]puller{}, resets: map[groupQueue]*groupReset{},
		change: env.NewSemaphore(b.env.Tasks, 1), turn: env.NewSemaphore(b.env.Tasks, 1),
	}
}

// pulled notes who has pulled, and takes the commit that the pull may carry. Who has to hear of a reset first does not count as having pulled.
func (t *progressTable) pulled(conn *transport.Conn, header *proto.PullMessage) {
	q := groupQueue{header.ConsumerGroup, header.Topic, header.QueueID}
	if !t.broker.exists(q) {
		// It was deleted while the filter of the pull was compiled.
		return
	}
	if r := t.resets[q]; r != nil && !t.hears(r, q, conn, header.QueueOffset) {
		return
	}
	t.pullers[q] = t.puller(q, conn, header)
	if header.Flags.Has(proto.PullCommit) && header.CommitOffset >= 0 && t.refuses(committer{conn: conn, clientID: t.broker.clients.memberOf(q.Group, conn)}, q, header.CommitOffset) == "" {
		t.broker.offsets.set(q.Group, q.Topic, q.Queue, header.CommitOffset)
	}
}

// puller is who pulls now. Before its first heartbeat a push consumer is known by the commits that its pulls carry: others do not send
// any that way.
func (t *progressTable) puller(q groupQueue, conn *transport.Conn, header *proto.PullMessage) puller {
	p := puller{conn: conn, clientID: t.broker.clients.memberOf(q.Group, conn), at: header.QueueOffset}
	pushes := t.broker.clients.pushes(q.Group) || header.Flags.Has(proto.PullCommit)
	switch last, known := t.pullers[q]; {
	case known && last.same(conn, p.clientID) && pushes:
		p.floor = last.floor
	case known && last.same(conn, p.clientID):
		p.floor = min(last.floor, p.at)
	case pushes:
		p.floor = t.broker.offsets.newest(q.Group, q.Topic, q.Queue)
	case known && !last.conn.Closed():
		// Who chooses the offsets by itself may want to go back. But it pulls there first: while two have the queue, what it had before is old.
		p.floor = p.at
	}
	return p
}

// same reports whether a client is the one that has pulled.
func (p *puller) same(conn *transport.Conn, clientID string) bool {
	return p.conn == conn || clientID != "" && clientID == p.clientID
}

// committer is who commits.
type committer struct {
	conn     *transport.Conn
	clientID string // "" if it has sent no heartbeat and does not say
	tool     bool   // no member
}

// committer tells who sends a commit. Members of other libraries commit without waiting for an answer, and tools wait.
func (b *Broker) committer(in *transport.Incoming, h *proto.UpdateConsumerOffset) committer {
	id := cmp.Or(b.clients.memberOf(h.ConsumerGroup, in.Conn), h.ClientID)
	return committer{in.Conn, id, id == "" && !in.Command.IsOneway()}
}

// name is what a reset knows it by.
func (c *committer) name() string { return cmp.Or(c.clientID, c.conn.Remote().String()) }

// refuses tells why a commit does not count, or "".
func (t *progressTable) refuses(by committer, q groupQueue, offset int64) string {
	if r := t.resets[q]; r != nil && (offset < int64(r.Offset) || !r.mayCommit(by)) {
		return resetPending
	}
	if _, end := t.broker.store.Bounds(q.key()); offset > int64(end) {
		// It has consumed what a loss of power has taken since, or the queue of a topic that was made again.
		return fmt.Sprintf("the queue ends at %d: whoever goes on behind that would miss what comes next", end)
	}
	if owner := t.broker.locks.owner(q); owner != "" && owner != by.clientID {
		return "the queue is locked by another member of the group, " + owner
	}
	last, known := t.pullers[q]
	switch {
	case !known && !by.tool && !t.broker.clients.polls(q.Group) && offset < t.broker.offsets.newest(q.Group, q.Topic, q.Queue):
		// It may not have heard yet that it has lost the queue.
		return "the group has committed more since the broker was started: pull first"
	case !known:
		return ""
	case last.same(by.conn, by.clientID) && offset < last.floor:
		return "the member that had the queue before has committed more"
	case last.same(by.conn, by.clientID):
		return ""
	}
	committed, some := t.broker.offsets.get(q.Group, q.Topic, q.Queue)
	if !some || offset >= committed && (last.conn.Closed() || by.tool) {
		// It was consumed, and nobody else is at work on it; or a tool says so.
		return ""
	}
	return "another client has pulled the queue since: only its commits count"
}

// expire forgets pullers that are gone, and resets of which everybody has heard who can be alive.
func (t *progressTable) expire() {
	t.expireResets()
	maps.DeleteFunc(t.pullers, func(q groupQueue, p puller) bool {
		return p.conn.Closed() && t.broker.clients.consumers[q.Group] == nil
	})
}

// forget drops what is known of a topic or group that was deleted.
func (t *progressTable) forget(match func(groupQueue) bool) {
	maps.DeleteFunc(t.pullers, func(q groupQueue, _ puller) bool { return match(q) })
	before := len(t.resets)
	maps.DeleteFunc(t.resets, func(q groupQueue, _ *groupReset) bool { return match(q) })
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

// pushes reports whether the members of a group go on where the group is, and nowhere else.
func (t *clientTable) pushes(group string) bool {
	g := t.consumers[group]
	return g != nil && g.consumeType == proto.ConsumePush
}

// polls reports whether the members of a group choose where they go on.
func (t *clientTable) polls(group string) bool {
	g := t.consumers[group]
	return g != nil && g.consumeType != proto.ConsumePush
}

// exists reports whether there are the group and the topic of a queue.
func (b *Broker) exists(q groupQueue) bool {
	return b.groups.byName[q.Group] != nil && b.topics.byName[q.Topic] != nil
}

func (q groupQueue) key() store.QueueKey { return store.QueueKey{Topic: q.Topic, ID: q.Queue} }
