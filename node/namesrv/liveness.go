package namesrv

import (
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// A broker is gone when its connection ends, at once, or when it was silent for longer than its
// registration allows, which a task looks for now and then.

// watch is the task that looks for silent brokers.
func (s *Server) watch() {
	for !s.closing {
		due := s.env.Clock.Now().Add(s.settings.ScanEvery)
		s.wake.WaitUntil(due)
		if !s.closing {
			s.expire(due)
		}
	}
}

// expire removes silent brokers. If this process itself stood still for longer than between two scans, signs of life may
// wait unread in its connections: it reads them first and looks again next time.
func (s *Server) expire(due env.Instant) {
	now := s.env.Clock.Now()
	if late := now.Sub(due); late > s.settings.ScanEvery {
		s.env.Log.Warn("the name server stood still: brokers are not counted as silent this time", zap.Duration("for", late))
		return
	}
	left := s.table.expire(now)
	s.counts.Expired += uint64(len(left.members))
	s.follow(left, "the broker was silent for too long")
	for i := range left.members {
		s.closeUnused(left.members[i].member.connection)
	}
}

// closeUnused ends the connection of a silent broker, unless another broker still lives by it.
func (s *Server) closeUnused(connection uint64) {
	conns := s.server.Conns()
	i := slices.IndexFunc(conns, func(c *transport.Conn) bool { return c.ID() == connection })
	if i >= 0 && s.table.connections[connection] == 0 {
		conns[i].Close()
	}
}

// connectionClosed is told of every connection that ended. It does not wait.
func (s *Server) connectionClosed(c *transport.Conn) {
	if s.closing {
		return
	}
	left := s.table.connectionClosed(c.ID())
	s.counts.Disconnected += uint64(len(left.members))
	s.follow(left, "the connection of the broker ended")
}

// follow carries out what follows from departures.
func (s *Server) follow(left departures, cause string) {
	for i := range left.members {
		s.env.Log.Info("broker removed", zap.Stringer("broker", &left.members[i]), zap.String("cause", cause))
	}
	s.notify(left.notices)
}

// noticeTimeout bounds the sending of one notice.
const noticeTimeout = 300 * time.Millisecond

// notify tells brokers, one-way, who has the smallest id of their group now. It does not wait.
func (s *Server) notify(notices []notice) {
	if !s.settings.NotifyMinBrokerID || s.closing {
		return
	}
	for i := range notices {
		for _, address := range notices[i].to {
			header := notices[i].header
			s.tasks.Go("notify "+address, func() { s.sendNotice(address, &header) })
		}
	}
}

func (s *Server) sendNotice(address string, header *proto.NotifyMinBrokerIDChange) {
	request := &transport.Request{Code: proto.ReqNotifyMinBrokerIDChange, Header: header}
	if err := s.client.Oneway(nil, address, request, noticeTimeout); err != nil {
		s.env.Log.Info("broker not notified of the smallest id", zap.String("address", address), zap.Error(err))
		return
	}
	s.counts.Notices++
}

// routesHeldFor is how long route queries will be refused from now on; 0 means that they are answered.
func (s *Server) routesHeldFor() time.Duration {
	if !s.settings.HoldRoutes {
		return 0
	}
	return max(0, s.startedAt.Add(s.settings.HoldRoutesFor).Sub(s.env.Clock.Now()))
}
