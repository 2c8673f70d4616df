package namesrv

import (
	"errors"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// Brokers register in full when they start and every 30 s, and again when a topic changes, then perhaps
// with that topic alone. Between they may send heartbeats, or ask whether they need to register.

// liveForDefault is meant when a registration does not say how long it lives.
const liveForDefault = 120 * time.Second

// offloadFrom is the size of a body from which on decoding it is left to another core.
const offloadFrom = 16 << 10

// registerBroker serves ReqRegisterBroker.
func (s *Server) registerBroker(in *transport.Incoming) answer {
	var header proto.RegisterBroker
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	body, err := s.decodeRegistration(in, &header)
	if err != nil {
		return refuse(proto.RespSystemError, err)
	}
	if in.Conn.Closed() {
		// It ended during the decoding. Whoever registers now would never be seen to leave.
		return answer{}
	}
	if err := s.mayActFor(in, header.BrokerName); err != nil {
		return refuse(proto.RespNoPermission, err)
	}
	r := s.registration(&header, body, in.Conn.ID())
	admitted, err := s.table.register(r, s.env.Clock.Now())
	s.follow(admitted.left, "the broker claims another id")
	switch {
	case errors.Is(err, errOutranked):
		// The protocol has no word for it: the loser is answered as if all were well, and is told nothing.
		s.env.Log.Warn("registration ignored", zap.Error(err))
		return succeedWith(&proto.RegisterBrokerResponse{}, s.orderForBrokers())
	case err != nil:
		s.env.Log.Warn("registration refused", zap.Error(err))
		return refuse(proto.RespSystemError, err)
	}
	s.counts.Registrations++
	if admitted.isNew {
		s.env.Log.Info("broker registered", zap.Stringer("broker", r), zap.Bool("writesStayWiped", s.table.wiped[r.brokerName]))
	}
	s.notify(admitted.notices)
	return succeedWith(&proto.RegisterBrokerResponse{HAAddress: admitted.haOf, MasterAddress: admitted.master}, s.orderForBrokers())
}

// decodeRegistration checks and decodes a body, away from the baton if it is large.
func (s *Server) decodeRegistration(in *transport.Incoming, header *proto.RegisterBroker) (body *proto.RegisterBrokerBody, err error) {
	decode := func() {
		if err = header.CheckBody(in.Command.Body); err == nil {
			body, err = proto.UnmarshalRegisterBrokerBody(in.Command.Body, header.Compressed, in.Command.Version)
		}
	}
	if isQuick(in.Command.Body) {
		decode()
	} else {
		s.env.Tasks.Offload(decode)
	}
	return body, err
}

// isQuick excludes what is compressed, announced or not: it may be small and become large.
func isQuick(body []byte) bool {
	return len(body) == 0 || (len(body) < offloadFrom && body[0] == '{')
}

func (s *Server) registration(header *proto.RegisterBroker, body *proto.RegisterBrokerBody, connection uint64) *registration {
	return &registration{
		cluster: header.ClusterName, brokerName: header.BrokerName,
		address: header.BrokerAddress, haAddress: header.HAAddress,
		id: header.BrokerID, liveFor: liveFor(header.LiveForMillis, s.options.Limits.LiveForMax),
		modern: header.EnableActingMaster.Set, actingMaster: header.EnableActingMaster.Value,
		zone: header.ZoneName, connection: connection,
		table: body.Table, filterServers: body.FilterServers,
		dropMissing: s.settings.DropMissingTopics,
	}
}

func liveFor(millis int64, limit time.Duration) time.Duration {
	switch {
	case millis <= 0:
		return min(liveForDefault, limit)
	case millis >= limit.Milliseconds():
		return limit
	}
	return time.Duration(millis) * time.Millisecond
}

// orderForBrokers is the order config as a KVTable, or nothing.
func (s *Server) orderForBrokers() []byte {
	order := s.kv.entries(proto.OrderTopicNamespace)
	if s.settings.NoOrderToBrokers || order == nil {
		return nil
	}
	table := proto.KVTable{Table: order}
	return table.Marshal()
}

// unregisterBroker serves ReqUnregisterBroker.
func (s *Server) unregisterBroker(in *transport.Incoming) answer {
	var header proto.UnregisterBroker
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	if err := s.mayActFor(in, header.BrokerName); err != nil {
		return refuse(proto.RespNoPermission, err)
	}
	left, late := s.table.unregister(header.BrokerName, header.BrokerAddress, header.BrokerID, in.Conn.ID())
	if late {
		s.env.Log.Info("unregistration ignored: the broker has registered anew since", zap.Stringer("broker", &header))
		return answer{}
	}
	s.counts.Unregistrations += uint64(len(left.members))
	s.follow(left, "the broker unregistered")
	s.forgetWiped(left.emptied)
	return answer{}
}

// queryDataVersion serves ReqQueryDataVersion: need the broker register in full? It is a sign of life too.
func (s *Server) queryDataVersion(in *transport.Incoming) answer {
	var header proto.QueryDataVersion
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	var version proto.DataVersion
	if len(in.Command.Body) > 0 {
		var err error
		if version, err = proto.UnmarshalDataVersion(in.Command.Body); err != nil {
			return refuse(proto.RespSystemError, err)
		}
	}
	// Who may only look must not tie the broker's life to a connection of its own.
	if err := s.mayActFor(in, header.BrokerName); err != nil {
		return refuse(proto.RespNoPermission, err)
	}
	m := s.table.member(header.BrokerName, header.BrokerAddress)
	var known []byte
	if m != nil {
		s.table.touch(m, in.Conn.ID(), s.env.Clock.Now())
		known = m.full.Marshal()
	}
	return succeedWith(&proto.QueryDataVersionResponse{Changed: s.table.changed(m, version)}, known)
}

// brokerHeartbeat serves ReqBrokerHeartbeat, which is sent one-way. Unknown brokers are ignored: they
// register soon.
func (s *Server) brokerHeartbeat(in *transport.Incoming) answer {
	var header proto.BrokerHeartbeat
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	s.counts.Heartbeats++
	if err := s.mayActFor(in, header.BrokerName); err != nil {
		return refuse(proto.RespNoPermission, err)
	}
	if m := s.table.member(header.BrokerName, header.BrokerAddress); m != nil {
		s.table.touch(m, in.Conn.ID(), s.env.Clock.Now())
	}
	return answer{}
}
