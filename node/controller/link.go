package controller

import (
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	wireproto "github.com/gantrymq/gantry/transport/proto"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
)

// link is the way to one of the other controllers. Messages may be lost: raft sends again.
type link struct {
	peer   Peer
	number uint64
	queue  *env.Queue[*letter]
	client *transport.Client
	// proof is when the last message was sent of which the peer has said in this term that it has heard it; Never: none.
	proof env.Instant
}

// letter is a message with its envelope.
type letter struct {
	header   wireproto.RaftMessage
	body     []byte
	snapshot bool
}

// lettersMax is how many messages to a peer may wait. Further ones are dropped: the peer does not take them anyway.
const lettersMax = 1024

func (c *consensus) startLinks(tasks *env.Group) {
	for _, l := range c.peers {
		if l != nil {
			tasks.Go("send to "+l.peer.ID, func() { c.deliver(l) })
		}
	}
}

func (c *consensus) closeLinks() {
	for _, l := range c.peers {
		if l != nil {
			l.queue.Close()
		}
	}
}

// sendAll puts messages into the queues. What they rest upon is durable.
func (c *consensus) sendAll(messages []*raftpb.Message) {
	now := c.env.Clock.Now()
	for _, m := range messages {
		if m.GetTo() == 0 || m.GetTo() > uint64(len(c.peers)) || c.peers[m.GetTo()-1] == nil {
			continue
		}
		l := c.peers[m.GetTo()-1]
		body, err := marshalOptions.Marshal(m)
		if err != nil {
			c.env.Log.Warn("a message of raft cannot be written", zap.Error(err))
			continue
		}
		if !l.queue.TryPush(&letter{c.envelope(m, l, now), body, m.GetType() == raftpb.MsgSnap}) {
			c.unreachable(l, m.GetType() == raftpb.MsgSnap)
		}
	}
}

// envelope tells when a leader has sent a message, or what a follower has heard of its leader.
func (c *consensus) envelope(m *raftpb.Message, l *link, now env.Instant) wireproto.RaftMessage {
	h := wireproto.RaftMessage{Group: c.options.Group, From: c.options.Self, To: l.peer.ID, Election: int64(c.options.Election)}
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap:
		h.SentAt = int64(now)
	}
	if m.GetTerm() == c.heardTerm && l.number == c.heardFrom {
		h.Heard = c.stamp
	}
	return h
}

// deliver is the task that sends to one peer.
func (c *consensus) deliver(l *link) {
	for {
		next, ok := l.queue.Pop()
		if !ok {
			return
		}
		request := &transport.Request{Code: wireproto.ReqRaftMessage, Header: &next.header, Body: next.body}
		err := l.client.Oneway(nil, l.peer.Address, request, c.options.Election)
		if c.over() {
			return
		}
		if err != nil {
			c.env.Log.Debug("a controller cannot be reached", zap.String("peer", l.peer.ID), zap.Error(err))
			c.unreachable(l, next.snapshot)
			continue
		}
		if next.snapshot {
			_ = c.do(func() error { c.node.ReportSnapshot(l.number, raft.SnapshotFinish); return nil })
		}
	}
}

// unreachable tells raft that a message was lost, so that it begins to ask what the peer has.
func (c *consensus) unreachable(l *link, snapshot bool) {
	_ = c.do(func() error {
		if snapshot {
			c.node.ReportSnapshot(l.number, raft.SnapshotFailure)
		}
		c.node.ReportUnreachable(l.number)
		return nil
	})
}

// receive takes a message of another controller. The error says what is wrong with it; raft has not seen it then.
func (c *consensus) receive(h *wireproto.RaftMessage, body []byte) error {
	if c.over() {
		return errStopped
	}
	if h.Group != c.options.Group || h.To != c.options.Self {
		return fmt.Errorf("gantryGroup, gantryTo: a message for the controller %s of %s came to %s of %s", h.To, h.Group, c.options.Self, c.options.Group)
	}
	m := new(raftpb.Message)
	if err := proto.Unmarshal(body, m); err != nil {
		return fmt.Errorf("%w: message of raft: %w", errDamaged, err)
	}
	if err := c.checkMessage(h, m); err != nil {
		return err
	}
	now := c.env.Clock.Now()
	switch m.GetType() {
	case raftpb.MsgVote, raftpb.MsgPreVote:
		if !c.mayVote(m, now) {
			return nil
		}
	}
	// What raft passes over is no fault of the sender: it may be late.
	if err := c.do(func() error { return c.node.Step(m) }); err != nil && c.failure != nil {
		return errStopped
	}
	c.heard(m, h.SentAt, h.Heard, now)
	c.rule(now)
	return nil
}

// checkMessage refuses what raft would not survive, and what is not for peers to say.
func (c *consensus) checkMessage(h *wireproto.RaftMessage, m *raftpb.Message) error {
	from := m.GetFrom()
	if from == 0 || from > uint64(len(c.peers)) || c.peers[from-1] == nil || c.peers[from-1].peer.ID != h.From {
		return fmt.Errorf("gantryFrom: %s is none of the other controllers, or not number %d: all must have the same controllerDLegerPeers", h.From, from)
	}
	if h.Election != 0 && h.Election != int64(c.options.Election) {
		return fmt.Errorf("gantryElectionNanos: controllerElectionTimeout is %s at %s and %s here: it must be the same at all controllers, or two of them may lead",
			time.Duration(h.Election), h.From, c.options.Election)
	}
	if m.GetTo() != c.self || m.GetTerm() == 0 {
		return fmt.Errorf("%w: a message of raft to number %d of term %d", errDamaged, m.GetTo(), m.GetTerm())
	}
	switch m.GetType() {
	case raftpb.MsgVote, raftpb.MsgPreVote, raftpb.MsgVoteResp, raftpb.MsgPreVoteResp, raftpb.MsgAppResp, raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp, raftpb.MsgTimeoutNow:
		return nil
	case raftpb.MsgApp:
		return checkEntries(m)
	case raftpb.MsgSnap:
		return c.checkSnapshot(m.GetSnapshot())
	}
	return fmt.Errorf("%w: a message of raft of type %d", errDamaged, m.GetType())
}

// checkEntries wants them to follow each other.
func checkEntries(m *raftpb.Message) error {
	term := m.GetLogTerm()
	for i, e := range m.GetEntries() {
		if e.GetIndex() != m.GetIndex()+1+uint64(i) || e.GetTerm() < term || e.GetTerm() > m.GetTerm() || e.GetType() != raftpb.EntryNormal {
			return fmt.Errorf("%w: entry %d of term %d does not follow entry %d", errDamaged, e.GetIndex(), e.GetTerm(), m.GetIndex()+uint64(i))
		}
		term = e.GetTerm()
	}
	return nil
}

// checkSnapshot wants a state of these controllers.
func (c *consensus) checkSnapshot(s *raftpb.Snapshot) error {
	if s.GetMetadata().GetIndex() == 0 || s.GetMetadata().GetTerm() == 0 {
		return fmt.Errorf("%w: a snapshot of nothing", errDamaged)
	}
	// Raft's own error shows addresses of memory, which differ from run to run.
	if raftpb.EnsureConfState(s.GetMetadata().GetConfState()).Equivalent(c.journal.voters()) != nil {
		return fmt.Errorf("%w: a snapshot of other controllers", errDamaged)
	}
	_, err := unmarshalState(s.GetData())
	return err
}

// raftLog hands on what raft has to say that matters. Its chatter, which is about messages, is left out.
type raftLog struct{ log *zap.Logger }

// Debug is left out, as is Info.
func (l *raftLog) Debug(...any) {}

// Debugf is left out, as is Infof.
func (l *raftLog) Debugf(string, ...any) {}

// Info is left out.
func (l *raftLog) Info(...any) {}

// Infof is left out.
func (l *raftLog) Infof(string, ...any) {}

// Warning is logged.
func (l *raftLog) Warning(v ...any) { l.log.Warn("raft: " + fmt.Sprint(v...)) }

// Warningf is logged.
func (l *raftLog) Warningf(format string, v ...any) { l.log.Warn("raft: " + fmt.Sprintf(format, v...)) }

// Error is logged.
func (l *raftLog) Error(v ...any) { l.log.Error("raft: " + fmt.Sprint(v...)) }

// Errorf is logged.
func (l *raftLog) Errorf(format string, v ...any) { l.log.Error("raft: " + fmt.Sprintf(format, v...)) }

// Fatal panics: see stopOnPanic.
func (l *raftLog) Fatal(v ...any) { panic(fmt.Sprint(v...)) }

// Fatalf panics.
func (l *raftLog) Fatalf(format string, v ...any) { panic(fmt.Sprintf(format, v...)) }

// Panic panics.
func (l *raftLog) Panic(v ...any) { panic(fmt.Sprint(v...)) }

// Panicf panics.
func (l *raftLog) Panicf(format string, v ...any) { panic(fmt.Sprintf(format, v...)) }
