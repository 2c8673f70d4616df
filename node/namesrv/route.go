package namesrv

import (
	"fmt"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// getRoute serves ReqGetRouteInfoByTopic. The asker's version decides the form of the body.
func (s *Server) getRoute(in *transport.Incoming) answer {
	var header proto.GetRouteInfoByTopic
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	if wait := s.routesHeldFor(); wait > 0 {
		return refuse(proto.RespSystemError, fmt.Errorf("name server not ready: it gives brokers time to register, ask again in %s", wait))
	}
	route, found := s.table.route(header.Topic, s.settings.ActingMasters)
	if !found {
		s.counts.RouteMisses++
		return refuse(proto.RespTopicNotExist, fmt.Errorf(
			"no broker here has the topic %.300q: create it, or check that its brokers reach this name server", header.Topic))
	}
	if s.settings.OrderInRoutes {
		route.OrderConfig, _ = s.kv.get(proto.OrderTopicNamespace, header.Topic)
	}
	if header.ZoneMode && header.ZoneName != "" {
		keepZone(&route, header.ZoneName)
	}
	s.counts.Routes++
	return succeed(route.Marshal(proto.RouteForm(in.Command.Version, header.AcceptStrictOnly)))
}

// getClusterInfo serves ReqGetBrokerClusterInfo.
func (s *Server) getClusterInfo(*transport.Incoming) answer {
	info := s.table.clusterInfo()
	return succeed(info.Marshal())
}

// getMemberGroup serves ReqGetBrokerMemberGroup. An unknown broker name has no members.
func (s *Server) getMemberGroup(in *transport.Incoming) answer {
	var header proto.GetBrokerMemberGroup
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	members := s.table.memberGroup(header.ClusterName, header.BrokerName)
	return succeed(members.Marshal())
}
