package broker

import (
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// copiesStatus handles GET_BROKER_HA_STATUS: a master tells of its copies, a slave of how it follows.
func (b *Broker) copiesStatus(in *transport.Incoming) {
	status := proto.CopiesStatus{Role: b.options.Role.String(), Confirmed: int64(b.store.Confirmed())}
	if b.slave != nil {
		status.Following = b.slave.status()
	} else {
		b.copies.tell(&status)
	}
	in.Reply().Success(status.Marshal())
}

// tell adds what a master knows of its copies.
func (c *copies) tell(s *proto.CopiesStatus) {
	end := c.reportedEnd()
	s.Master, s.LogEnd, s.Needed = true, int64(end), int32(c.needed())
	s.Refused, s.Why = c.refused, c.why
	for _, one := range c.statuses() {
		if one.InSync {
			s.InSync++
		}
		s.Slaves = append(s.Slaves, one)
	}
}

// needed is how many copies have a message when it is acknowledged, the master's own included.
func (c *copies) needed() int {
	switch {
	case c.leader != nil:
		set, _ := c.leader.Set()
		return max(len(set), c.broker.options.Replication.MinInSync)
	case c.quorum != nil:
		return c.broker.options.Replication.InSync
	}
	return 1
}

// statuses tells of each connection of a copy.
func (c *copies) statuses() []proto.CopyStatus {
	var list []proto.CopyStatus
	for _, copy := range c.list {
		one := c.status(copy.conn, copy.acked, copy.sent, &copy.rate)
		one.InSync = copy.feed != nil && one.Behind < c.broker.options.Replication.GapMax
		list = append(list, one)
	}
	if c.leader == nil {
		return list
	}
	set, _ := c.leader.Set()
	for _, copy := range c.elected {
		one := c.status(copy.conn, copy.acked, copy.sent, &copy.rate)
		one.InSync, one.ID = set.Has(copy.id), int64(copy.id)
		list = append(list, one)
	}
	return list
}

func (c *copies) status(conn env.Conn, acked, sent message.LogOffset, rate *speedometer) proto.CopyStatus {
	now := c.broker.env.Clock.Now()
	return proto.CopyStatus{
		Address: conn.Remote().String(), Acked: int64(acked), Behind: int64(max(c.reportedEnd()-acked, 0)),
		Speed: rate.perSecond(now), Sent: int64(sent), LagMillis: c.growth.since(now, acked).Milliseconds(),
	}
}

func (s *slave) status() proto.FollowStatus {
	b := s.broker
	f := proto.FollowStatus{
		Master: s.seen.address, Speed: s.seen.rate.perSecond(b.env.Clock.Now()), LogEnd: int64(b.store.End()),
		ReadAt: int64(s.seen.heardAt), WroteAt: int64(s.seen.reportedAt), Connected: s.connected,
	}
	if s.diverged != nil {
		f.Diverged = s.diverged.Error()
	}
	return f
}

// exchangeMaster handles EXCHANGE_BROKER_HA_INFO, by which slaves of Apache's ask a master where its replication port is. That a master tells a slave
// so belongs to acting masters, which Gantry has not.
//
// Answers: success; invalid parameter.
func (b *Broker) exchangeMaster(in *transport.Incoming) {
	var header proto.ExchangeHAInfo
	if !decode(in, &header) {
		return
	}
	if header.MasterHAAddress != "" {
		in.Reply().Error(proto.RespInvalidParameter, fmt.Sprintf("masterHaAddress %s: this broker is a master itself (brokerRole=%v) and follows nobody", header.MasterHAAddress, b.options.Role))
		return
	}
	in.Reply().SendFields(proto.RespSuccess, "", &proto.ExchangeHAInfo{
		MasterHAAddress: b.copies.address(), MasterFlushed: proto.Some(int64(b.store.Flushed())), MasterAddress: b.address.String(),
	}, nil, nil)
}

// resetMasterFlush handles RESET_MASTER_FLUSH_OFFSET, which is for slaves of Apache's that remember how far their master's log was durable.
//
// Answers: request code not supported.
func (b *Broker) resetMasterFlush(in *transport.Incoming) {
	in.Reply().Error(proto.RespRequestCodeNotSupported,
		"this broker keeps no flush offset of its master that could be reset: a slave compares the end of its log with its master's; haStatus says how far it is")
}
